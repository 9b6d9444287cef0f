"""A storage night by night: failures, late marks, plants, clocks that jump. What must hold then.

Names and marks make the groups here, and what the storage remembers of them.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from b1000 import keep
from b1000.b1k import claim
from b1000.b1k.mark import Mark
from b1000.b1k.root_id import RootId
from b1000.jobs import Destination
from b1000.prune import pruning
from b1000.prune.pruning import Look, Wish
from b1000.runs.stored import Memory
from b1000.storage import catalogue, layout
from b1000.storage.backup import Backup, Catalogue, Entry, Root
from b1000.storage.catalogue import Known
from tests.support.chance import examples
from tests.support.stored import a_mark
from tests.unit.test_retention import RULES

FIRST = datetime(2026, 2, 1, 12)
DAY = timedelta(days=1)


class Night(NamedTuple):
    """What comes, and what the storage's clock says in the morning: so many days too much."""

    what: str
    number: int = 0
    clock: int = 0


NIGHTS = st.lists(
    st.builds(
        Night,
        st.sampled_from(
            ["complete"] * 6 + ["unfinished", "late", "bad", "planted", "ahead", "sign", "nothing"]
        ),
        st.integers(0, 40),
        st.sampled_from([0] * 12 + [400, -400]),
    ),
    min_size=3,
    max_size=50,
)


class Storage:
    """One root with backups of one job and host, whose master turns now and then."""

    def __init__(self, rules: str) -> None:
        self.marks: dict[str, Mark] = {}
        self.marked: set[str] = set()
        self.planted: set[str] = set()
        self.protected: set[str] = set()
        self.memories: dict[str, Memory] = {}
        self.store = Destination(
            "kept", "/srv", type="store", keep=keep.parse(rules), prune_most=1.0
        )

    def put(self, when: datetime, number: int, complete: bool = True) -> str:
        mark = a_mark(when=when, master=(f"m{number % 2}", ""))
        self.marks[mark.directory] = mark
        if complete:
            self.marked.add(mark.directory)
        return mark.directory

    def come(self, night: Night, now: datetime) -> None:
        """What the night brings."""
        when = now - timedelta(hours=11)
        good = sorted(self.good(now), key=lambda place: self.marks[place].started)
        unfinished = sorted({*self.marks} - self.marked)
        if night.what in ("complete", "unfinished"):
            self.put(when, night.number, night.what == "complete")
        elif night.what == "late" and unfinished:
            self.marked.add(unfinished[night.number % len(unfinished)])
        elif night.what == "bad" and good:
            place = good[night.number % len(good)]
            self.memories[place] = self.memories.get(place, Memory())._replace(bad="a file")
        elif night.what == "planted" and self.memories and abs(night.clock) < 9:
            # What a clock that was wrong by months has seen first is believed.
            at = when - (20 + night.number) * DAY - timedelta(minutes=1)
            self.planted.add(self.put(at, night.number))
        elif night.what == "ahead":
            self.put(when + (3 + night.number) * DAY, night.number)
        elif night.what == "sign" and self.marks:
            self.protected.add(sorted(self.marks)[night.number % len(self.marks)])

    def come_by(self, clock: datetime) -> set[str]:
        """The complete ones with no name ahead of a clock."""
        latest = (clock + DAY).timestamp()
        return {place for place in self.marked if self.marks[place].started <= latest}

    def good(self, clock: datetime) -> set[str]:
        """Those of the client that are not known to be bad."""
        bad = {place for place, memory in self.memories.items() if memory.bad}
        return self.come_by(clock) - self.planted - bad

    def look(self, without: frozenset[str] = frozenset()) -> Catalogue:
        root = Root("kept", "/srv", identity=RootId("0f" * 16, (FIRST - 900 * DAY).timestamp()))
        entries = [
            Entry(
                layout.place(place) or layout.Place("", "", "", ""),
                claim.of(mark) if place in self.marked else None,
                protected=place in self.protected,
            )
            for place, mark in self.marks.items()
            if place not in without
        ]
        return catalogue.build(root, entries, Known(memories=self.memories))

    def note_new(self, now: datetime) -> None:
        for place in self.marks:
            memory = self.memories.get(place, Memory())
            if memory.first_seen is None:
                self.memories[place] = memory._replace(first_seen=now.timestamp())

    def goes(self, now: datetime, without: frozenset[str] = frozenset()) -> set[str]:
        def changed(_: Root, backup: Backup) -> datetime:
            return datetime.fromtimestamp(self.memories[backup.place].first_seen or 0)

        plan = pruning.plan(
            self.store, [self.look(without)], now, Wish(), Look(changed, lambda *_: None)
        )
        return {each.backup.place for each in plan.removals()}

    def remove(self, gone: set[str], now: datetime) -> None:
        for place in gone:
            del self.marks[place]
            memory = self.memories[place]
            self.memories[place] = memory._replace(removed=now.timestamp())
        self.marked -= gone
        self.planted -= gone


@given(NIGHTS, RULES)
@settings(max_examples=examples(80), deadline=None)
def test_whatever_the_nights_bring_the_last_good_ones_stay(nights: list[Night], rules: str) -> None:
    storage = Storage(rules)
    for number, night in enumerate(nights):
        now = FIRST + number * DAY
        storage.come(night, now)
        clock = now + night.clock * DAY
        storage.note_new(clock)
        gone = storage.goes(clock)
        good = storage.good(clock)
        complete = storage.come_by(clock)
        if complete:
            newest = max(complete, key=lambda place: storage.marks[place].started)
            assert newest not in gone, "the newest complete one stays, whoever brought it"
        assert len(good - gone) >= min(storage.store.keep_least, len(good))
        assert not gone & storage.protected
        # Plants displace none of the client's.
        assert gone & good <= storage.goes(clock, frozenset(storage.planted))
        storage.remove(gone, clock)
        assert storage.goes(clock) <= storage.planted, "a second prune removes nothing more"
