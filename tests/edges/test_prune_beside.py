"""What a prune removes while others use it, and what a client may still go on with."""

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from b1000 import keep
from b1000.b1k.mark import Counts
from b1000.jobs import Destination
from b1000.prune import pruner
from b1000.prune.pruning import Wish
from b1000.prune.removal import Removals
from b1000.runs.stored import Memory
from b1000.state.journal import Journal
from b1000.state.opening import open_journal
from b1000.state.queries import Reader
from b1000.storage import catalogue, local
from b1000.storage.backup import Catalogue, Root
from b1000.storage.catalogue import Known
from b1000.storage.noticing import note_new
from b1000.verify import reading
from b1000.verify.findings import Look
from b1000.verify.judging import Terms
from b1000.verify.noted import Notes
from b1000.verify.readers import Readers
from b1000.verify.verifier import Verifier
from tests.support.stored import NIGHT, a_mark, identify, put

DAYS = 86400.0


class Place(NamedTuple):
    """A store and the journal of its host."""

    root: Path
    journal: Journal

    def look(self) -> Catalogue:
        """What lies there, and what is known of it."""
        return self.look_at(self.root)

    def look_at(self, path: Path) -> Catalogue:
        """The same by another name of it."""
        root = Root("kept", str(path), identity=local.identity(str(path)))
        with Reader(self.root.parent / "journal.sqlite3") as reader:
            known = Known((), {}, reader.memories(root.path))
        return catalogue.build(root, local.entries(root), known)

    def memory(self, place: str) -> Memory:
        """What is known of one."""
        with Reader(self.root.parent / "journal.sqlite3") as reader:
            return reader.memories(str(self.root))[place]

    def prune(
        self,
        now: float,
        meanwhile: Callable[[], object] = lambda: None,
        wait: int = 14 * 86400,
        keep_text: str = "last 3",
    ) -> list[str]:
        """One prune at that time; gives the troubles. ``meanwhile`` comes before the act."""
        rules = keep.parse(keep_text)
        store = Destination("kept", str(self.root), type="store", keep=rules, prune_most=1.0)
        store = store._replace(keep_unfinished=wait)
        working = pruner.Pruner(self.journal, Wish(), clock=lambda: now)
        note_new(self.journal, [self.look()], now)
        assert not [*working.finish([self.look()])]
        plan = pruner.plan(store, [self.look()], Wish(), now)
        meanwhile()
        return [each.trouble for each in working.carry_out(plan) if each.trouble]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    root = tmp_path / "srv"
    identify(root, NIGHT - timedelta(days=900))
    journal = open_journal(tmp_path / "journal.sqlite3")
    yield Place(root, journal)
    journal.close()


def test_an_upload_of_twenty_days_stays_until_its_client_has_been_silent_for_long(
    place: Place,
) -> None:
    """keep_unfinished is 14 days. The clock is moved, not the times of files: no change of it can
    make those older.
    """
    now = time.time()
    began = time.localtime(now - 20 * DAYS)
    when = NIGHT.replace(year=began.tm_year, month=began.tm_mon, day=began.tm_mday)
    for ago in range(6, 0, -1):
        put(place.root, a_mark(when=when - timedelta(days=ago)))
    upload = put(place.root, a_mark(when=when), marked=False)
    silent = put(place.root, a_mark(when=when, host="web2"), marked=False)
    put(place.root, a_mark(when=when + timedelta(days=1), host="web2"))
    for day in range(21):
        if day == 10:
            # Another run of the client was complete meanwhile.
            put(place.root, a_mark(when=when + timedelta(days=9)))
        (upload / f"of day {day}").write_text("what has come")
        assert not place.prune(now - (20 - day) * DAYS)
        assert upload.is_dir(), day
    for later in (1.0, 13.9):
        place.prune(now + later * DAYS)
        assert upload.is_dir(), later
        assert silent.is_dir(), later
    place.prune(now + 14.1 * DAYS)
    assert not upload.exists()
    assert not silent.exists()
    assert len([*place.root.glob("etc/*/*.b1k")]) == 4


def test_a_clock_that_was_ahead_for_a_day_makes_nothing_planted_or_old(place: Place) -> None:
    """One prune by a clock of next year, as after a reset of the hardware's: neither then nor later
    does it let anything go that a right clock keeps.
    """
    now = time.time()
    today = datetime.fromtimestamp(now).replace(hour=1, minute=0, second=0, microsecond=0)
    nights = [put(place.root, a_mark(when=today - timedelta(days=ago))) for ago in (5, 4, 3)]
    place.prune(now - 2.5 * DAYS)
    nights += [put(place.root, a_mark(when=today - timedelta(days=ago))) for ago in (2, 1)]
    upload = put(place.root, a_mark(when=today - timedelta(days=1, hours=1)), marked=False)
    place.prune(now + 400 * DAYS)
    assert upload.is_dir()
    for day in (0, 20):
        place.prune(now + day * DAYS)
        assert [path.is_dir() for path in nights] == [False, False, True, True, True], day


def test_what_came_in_time_stays_though_nobody_looked_for_weeks(place: Place) -> None:
    """That it was there is proved by the ctime of its mark, which is late for what is planted."""
    now = time.time()
    today = datetime.fromtimestamp(now).replace(hour=1, minute=0, second=0, microsecond=0)
    put(place.root, a_mark(when=today - timedelta(days=5)))
    place.prune(now - 2.5 * DAYS, keep_text="all 90d")
    nights = [put(place.root, a_mark(when=today - timedelta(days=ago))) for ago in (2, 1, 0)]
    plant = put(place.root, a_mark(when=today - timedelta(days=30)))
    for day in (20, 40):
        put(place.root, a_mark(when=today + timedelta(days=day - 1)))
        place.prune(now + day * DAYS, keep_text="all 90d")
        assert [path.is_dir() for path in nights] == [True, True, True], day
    assert not plant.exists()


def test_what_has_changed_since_it_was_decided_stays(place: Place) -> None:
    """Hours may lie between: a sign is put beside one, a mark arrives late, a client goes on far
    below, somebody removes one by hand. All else goes.
    """
    last = datetime.now().replace(microsecond=0) - timedelta(days=1)
    nights = [a_mark(when=last - timedelta(days=ago)) for ago in range(7)]
    old = [a_mark(when=last - timedelta(days=ago)) for ago in (40, 41, 42)]
    backups = [put(place.root, each) for each in nights]
    late, resumed, dead = (put(place.root, each, marked=False) for each in old)
    (resumed / "deep" / "down").mkdir(parents=True)

    def meanwhile() -> None:
        Path(f"{backups[6]}.keep").touch()
        shutil.rmtree(backups[5])
        put(place.root, old[0])
        (resumed / "deep" / "down" / "file").touch()

    for each in (*nights, *old):
        place.journal.remember(str(place.root), each.directory, {"first_seen": each.started})
    time.sleep(0.05)
    troubles = place.prune(time.time(), meanwhile, wait=0)
    for words in ("NAME.keep", "its mark has changed", "it is not there", "being written again"):
        assert [text for text in troubles if words in text], words
    assert len(troubles) == 4
    assert [path.is_dir() for path in backups] == [True, True, True, False, False, False, True]
    assert (late.is_dir(), resumed.is_dir(), dead.is_dir()) == (True, True, False)


def test_what_was_to_go_and_is_written_again_is_not_half_removed(place: Place) -> None:
    """A prune was killed between its note and the act, and the client goes on, far below."""
    last = datetime.now().replace(microsecond=0) - timedelta(days=1)
    for ago in range(3):
        put(place.root, a_mark(when=last - timedelta(days=ago)))
    written = a_mark(when=last - timedelta(days=40))
    upload = put(place.root, written, marked=False)
    (upload / "deep").mkdir()
    time.sleep(0.05)
    note = {"first_seen": time.time() - 50 * DAYS, "removed": time.time(), "reason": "unfinished"}
    place.journal.remember(str(place.root), written.directory, note)
    time.sleep(0.05)
    (upload / "deep" / "more").touch()
    assert not place.prune(time.time())
    assert upload.is_dir()


def test_what_was_to_go_and_had_no_mark_is_decided_anew(place: Place) -> None:
    """A prune was killed between its notes and the acts; by then `keep` was seen to be wrong."""
    last = datetime.now().replace(microsecond=0) - timedelta(days=1)
    nights = [a_mark(when=last - timedelta(days=ago)) for ago in range(4)]
    backups = [put(place.root, each) for each in nights]
    legacy = [a_mark(when=last - timedelta(days=1000 + ago)) for ago in range(4)]
    old = [put(place.root, each, marked=False) for each in legacy]
    time.sleep(0.05)

    def killed() -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Removals, "take", lambda *_: killed())
        with pytest.raises(KeyboardInterrupt):
            place.prune(time.time())
    # Of one that it had begun with, the mark was gone.
    Path(f"{backups[3]}.b1k").unlink()
    time.sleep(0.05)
    place.prune(time.time(), keep_text="all ever")
    assert [path.is_dir() for path in old] == [True] * 4
    assert [path.is_dir() for path in backups] == [True, True, True, False]


def test_any_number_of_half_removed_ones_goes(place: Place) -> None:
    """As where a disk could not be written to for months: no command is too long."""
    put(place.root, a_mark(when=NIGHT))
    removed = place.root / ".b1000-removed"
    for number in range(60):
        (removed / f"{number}" / "below").mkdir(parents=True)
    lengths: list[int] = []
    real = Removals._run

    def counted(area: Removals, *argv: str) -> str:
        lengths.append(len(argv))
        return real(area, *argv)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Removals, "_run", counted)
        assert not place.prune(time.time())
    assert [*removed.iterdir()] == []
    assert max(lengths) < 40


def test_a_tree_that_two_destinations_name_has_one_keep(place: Place, tmp_path: Path) -> None:
    """By another name too: where they differ, nothing goes by the rules of either."""
    put(place.root, a_mark())
    (tmp_path / "link").symlink_to(place.root)
    rules = keep.parse("last 3")
    stores = [
        Destination(name, str(path), type="store", keep=rules)
        for name, path in (("a", place.root), ("b", tmp_path / "link"), ("c", place.root))
    ]
    found = [(each, [place.look_at(Path(each.path))]) for each in stores]
    once, disputed = pruner.one_keep(found)
    assert [len(catalogues) for _, catalogues in once] == [1, 0, 0]
    assert disputed == {}

    found[1] = (stores[1]._replace(keep_least=1), found[1][1])
    once, disputed = pruner.one_keep(found)
    assert [len(catalogues) for _, catalogues in once] == [1, 1, 0]
    assert {*disputed} == {str(place.root), str(tmp_path / "link")}
    assert "destinations a and b have different rules" in disputed[str(place.root)]
    for destination, catalogues in once:
        plan = pruner.plan(destination, catalogues, Wish(more=True), time.time(), disputed)
        assert not [*plan.removals()]
        assert plan.held_back == bool(catalogues)


def test_a_clock_that_was_behind_makes_nothing_old(place: Place) -> None:
    """As that of a host which begins in 1970 until it has asked for the time."""
    now = time.time()
    today = datetime.fromtimestamp(now).replace(hour=1, minute=0, second=0, microsecond=0)
    for ago in (3, 2, 1):
        put(place.root, a_mark(when=today - timedelta(days=ago)))
    upload = a_mark(when=today - timedelta(days=2, hours=1))
    directory = put(place.root, upload, marked=False)
    place.prune(86400.0)
    assert place.memory(upload.directory).first_seen == 86400.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pruner, "_changed", lambda *_: datetime(1970, 1, 2))
        place.prune(now)
        assert directory.is_dir()
        place.prune(now + 20 * DAYS)
        assert not directory.exists()


class Removing(reading.Pace):
    """A pace at which somebody removes the backup before its second directory."""

    def check(self) -> None:
        """Called before each."""
        looked.append(self)
        if len(looked) == 2:
            removal()


looked: list[object] = []


def removal() -> None:
    """What happens meanwhile."""


@pytest.mark.parametrize("act", ["count", "read"])
def test_what_is_removed_while_it_is_read_is_not_called_bad(
    place: Place, act: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    readers = Readers(1)
    written = a_mark(counts=Counts(files=4))
    directory = put(place.root, written)
    for name in ("a", "b", "c"):
        (directory / name).mkdir()
        (directory / name / "file").write_text(name)
    looked.clear()
    area = Removals(str(place.root))
    monkeypatch.setitem(globals(), "removal", lambda: area.delete([area.take(written.directory)]))
    found = place.look()
    look = Look(found.root, found.groups[0], found.groups[0].backups[0])
    try:
        working = Verifier(place.journal, Notes(tmp_path / "reading"), readers)
        findings = [*getattr(working, act)(look, Terms(Removing()))]
    finally:
        readers.close()
    assert not directory.exists()
    assert findings == []
    assert [*place.root.glob("etc/*/*")] == []
    with Reader(tmp_path / "journal.sqlite3") as reader:
        assert all(not each.bad for each in reader.memories(str(place.root)).values())
    shutil.rmtree(tmp_path / "reading")
