"""Within the days of ``verify`` each backup is read, whatever comes and goes."""

import contextlib
import math
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from b1000.runs.stored import Memory
from b1000.storage.backup import Backup, Group, GroupKey, Root, State
from b1000.verify import reading_plan, sums, turns
from b1000.verify.findings import Look
from b1000.verify.judging import Terms
from b1000.verify.reading import OutOfTime, Pace
from b1000.verify.turns import Step
from tests.support.chance import examples

ROOT = Root("kept", "/srv")
NIGHT = 86400.0


def group(name: str, backups: list[Backup], root: Root = ROOT) -> tuple[Root, Group]:
    return root, Group(GroupKey(root.path, "", name), tuple(backups))


def backup(place: str, read: float | None = None, seen: float = 0.0) -> Backup:
    memory = Memory(first_seen=seen, read=read)
    return Backup(place, "full", State.COMPLETE, memory=memory)


def test_never_read_ones_come_first_and_the_newest_of_each_group_before_others() -> None:
    groups = [
        group("a", [backup("a1", 5.0), backup("a2"), backup("a3")]),
        group("b", [backup("b1"), backup("b2", 3.0)]),
    ]
    assert [each.backup.place for each in reading_plan.order(groups)] == [
        "a3", "a2", "b1", "b2", "a1",
    ]  # fmt: skip


def test_what_was_stuck_comes_after_all_others_of_that_night() -> None:
    """However much it has: neither its turn nor its bytes are taken from those that can be read."""
    stuck = Memory(first_seen=0.0, bytes=10**15, cut_off=5.0, stuck=1, read_share=0.1)
    begun = Memory(first_seen=0.0, bytes=10**15, cut_off=5.0, read_share=0.1)
    others = [backup("old", 1.0), backup("new")]
    there = [*others, backup("begun")._replace(memory=begun), backup("st")._replace(memory=stuck)]
    due = reading_plan.order([group("a", there)])
    assert [each.backup.place for each in due] == ["begun", "new", "old", "st"]
    chosen = reading_plan.tonight(due, 30 * NIGHT, NIGHT)
    assert [each.backup.place for each in chosen] == ["begun", "new", "st"]
    late = reading_plan.tonight(due, 30 * NIGHT, 40 * NIGHT)
    assert [each.backup.place for each in late] == ["begun", "new", "old", "st"]


def test_of_what_was_never_read_the_root_that_waits_longest_comes_first() -> None:
    """One that brings much each night is not each night the one whose backups are chosen."""
    greedy, small = Root("kept", "/srv/a"), Root("kept", "/srv/b")
    huge = backup("huge")._replace(memory=Memory(first_seen=0.0, bytes=10**15))
    groups = [group("etc", [backup("read", 5.0), huge], greedy), group("etc", [backup("s")], small)]
    due = reading_plan.order(groups)
    assert [each.backup.place for each in due] == ["s", "huge", "read"]


def test_roots_that_had_too_little_time_come_last_and_each_is_the_last_in_turn() -> None:
    roots = [Root("kept", f"/srv/{name}") for name in "abcd"]
    cut: dict[Root, float] = {}
    last = []
    for night in range(1, 7):
        looked = [
            (root, backup("x")._replace(memory=Memory(cut_off=cut.get(root)))) for root in roots
        ]
        order = reading_plan.in_turns(looked)
        if night > 1:
            assert order[0] == roots[1]
            last.append(order[-1].path[-1])
        cut |= {root: float(10 * night + n) for n, root in enumerate(order) if root != roots[1]}
    assert last == ["c", "a", "d", "c", "a"]


class Storage:
    """Roots with backups of files that are read at one byte a second; ``clock`` is that of it."""

    def __init__(self, roots: Sequence[list[list[int]]]) -> None:
        self.clock = 1.0
        self.left = {
            (Root("kept", f"/srv/{number}"), f"{place}"): [*files]
            for number, backups in enumerate(roots)
            for place, files in enumerate(backups)
        }
        self.there = {
            key: backup(key[1])._replace(memory=Memory(first_seen=0.0, bytes=sum(files)))
            for key, files in self.left.items()
        }

    def night(self, seconds: float, period: float) -> None:
        """What is read then."""
        groups = [
            group("etc", [each for (at, _), each in self.there.items() if at == root], root)
            for root in {root for root, _ in self.there}
        ]
        due = reading_plan.tonight(reading_plan.order(groups), period, self.clock)
        steps = [Step(Look(*each), Terms(Pace())) for each in due]
        began = self.clock
        with contextlib.suppress(OutOfTime):
            turns.take(steps, self.read, began + seconds, lambda: self.clock)
        self.clock = began + NIGHT

    def read(self, step: Step) -> None:
        key, end = (step.look.root, step.look.backup.place), step.terms.pace.until
        assert end is not None
        if self.clock >= end:
            raise OutOfTime
        left, memory, read = self.left[key], self.there[key].memory, 0
        while left and self.clock + left[0] <= end:
            read += left[0]
            self.clock += left.pop(0)
        ended = memory._replace(read=self.clock, read_share=1.0, cut_off=None, stuck=0)
        if left:
            self.clock = end
            share = 0.5 if read else memory.read_share
            ended = memory._replace(read_share=share, cut_off=end, stuck=int(not read))
        self.there[key] = self.there[key]._replace(memory=ended)
        if left:
            raise OutOfTime

    def unread(self, number: int) -> list[str]:
        """Which backups of a root were never read."""
        root = Root("kept", f"/srv/{number}")
        return [
            p for (at, p), each in self.there.items() if at == root and each.memory.read is None
        ]


FULLS = st.lists(st.lists(st.integers(0, 10**7), min_size=1, max_size=4), min_size=1, max_size=4)


@given(st.lists(FULLS, min_size=1, max_size=5), FULLS, st.integers(1, 10), st.integers(0, 5))
@settings(max_examples=examples(100), deadline=None)
def test_no_root_costs_another_one_its_share_of_the_time(
    others: list[list[list[int]]], own: list[list[int]], days: int, at: int
) -> None:
    """Whatever lies at others: what fits into its share is read within the days of ``verify``."""
    roots = [*others]
    roots.insert(min(at, len(others)), own)
    number = min(at, len(others))
    storage = Storage(roots)
    seconds = max(math.ceil(sum(map(sum, own)) * len(roots)), 1) + len(roots)
    for _ in range(days):
        storage.night(seconds, days * NIGHT)
    assert storage.unread(number) == []


def test_a_file_that_needs_more_than_a_share_is_read_when_its_root_has_the_rest() -> None:
    endless = [[10**9]]
    storage = Storage([endless, [[60]], endless, [[1]], [[1]], [[1]], [[1]], [[1]]])
    for _ in range(4):
        storage.night(100, NIGHT)
    assert [storage.unread(number) for number in range(8)] == [["0"], [], ["0"], *[[]] * 5]


def test_what_never_ends_does_not_keep_others_of_its_root_from_being_read() -> None:
    storage = Storage([[[5], [5], [10**9], [10**9]]])
    for _ in range(4):
        storage.night(100, 30 * NIGHT)
    assert storage.unread(0) == ["2", "3"]


def test_without_an_end_of_time_all_is_read_whatever_it_takes() -> None:
    storage = Storage([[[10**7, 10**6]], [[10**7]], [[1]]])
    steps = [
        Step(Look(root, Group(GroupKey(root.path, "", "etc"), (each,)), each), Terms(Pace()))
        for (root, _), each in storage.there.items()
    ]
    ends: list[float | None] = []

    def carry_out(step: Step) -> None:
        ends.append(step.terms.pace.until)
        last = step.terms._replace(pace=Pace(until=step.terms.pace.until or math.inf))
        storage.read(step._replace(terms=last))

    turns.take(steps, carry_out, None, lambda: storage.clock)
    assert not any(map(storage.unread, range(3)))
    assert ends[0] is not None  # so that the others come to their turns


def test_a_clock_that_was_ahead_puts_off_nothing() -> None:
    now = 1000 * NIGHT
    read = [backup("ahead", now + 365 * NIGHT), *(backup(f"{n}", now - n) for n in range(29))]
    due = reading_plan.order([group("a", read)])
    chosen = reading_plan.tonight(due, 30 * NIGHT, now)
    assert "ahead" in [each.backup.place for each in chosen]


@given(
    st.lists(st.integers(0, 6), min_size=40, max_size=90),
    st.lists(st.integers(0, 8), min_size=40, max_size=90),
    st.integers(1, 30),
)
@settings(max_examples=examples(100))
def test_no_backup_stays_unread_for_longer(coming: list[int], going: list[int], days: int) -> None:
    there: dict[str, Backup] = {}
    number = 0
    for night, (new, old) in enumerate(zip(coming, going, strict=False)):
        now = night * NIGHT
        for _ in range(new):
            number += 1
            there[f"{number}"] = backup(f"{number}", None, now)
        for place in sorted(there, key=int)[: max(0, old - 3)]:
            del there[place]
        due = reading_plan.order([group("a", [there[each] for each in sorted(there, key=int)])])
        for read in reading_plan.tonight(due, days * NIGHT, now):
            there[read.backup.place] = read.backup._replace(memory=Memory(first_seen=0.0, read=now))
        for each in there.values():
            last = each.memory.read if each.memory.read is not None else each.memory.first_seen
            assert now - (last or 0.0) < days * NIGHT or last == now


@given(
    st.lists(
        st.tuples(st.lists(st.integers(1, 1000), max_size=4), st.integers(0, 4)),
        min_size=30,
        max_size=80,
    ),
    st.integers(1, 20),
)
@settings(max_examples=examples(100), deadline=None)
def test_nights_that_end_early_leave_no_byte_unread(
    history: list[tuple[list[int], int]], days: int
) -> None:
    """Each night has time for its share, for what came on one night, and for one backup more."""
    there: dict[int, Backup] = {}
    left: dict[int, int] = {}
    for night, (new, old) in enumerate(history):
        now = night * NIGHT
        for size in new:
            place = len(left)
            memory = Memory(first_seen=now, bytes=size)
            there[place] = backup(str(place))._replace(memory=memory)
            left[place] = size
        for place in sorted(there)[: max(0, old - 2)]:
            del there[place]
        sizes = [each.memory.bytes or 0 for each in there.values()]
        came = [sum(new) for new, _ in history[max(0, night - days) : night + 1]]
        quota = sum(sizes) / days + max(came) + max(sizes, default=0)
        due = reading_plan.order([group("a", [there[place] for place in sorted(there)])])
        for each in reading_plan.tonight(due, days * NIGHT, now):
            place = int(each.backup.place)
            size = each.backup.memory.bytes or 0
            taken = min(quota, left[place])
            quota -= taken
            left[place] -= int(taken)
            share = 1.0 if left[place] <= 0 else max(0.01, 1 - left[place] / size)
            memory = each.backup.memory._replace(read_share=share)
            if share == 1.0:
                memory, left[place] = memory._replace(read=now), size
            there[place] = each.backup._replace(memory=memory)
        for each_there in there.values():
            memory = each_there.memory
            last = memory.read if memory.read is not None else memory.first_seen
            assert now - (last or 0.0) < days * NIGHT or last == now


@given(
    st.dictionaries(
        st.binary(min_size=1).filter(lambda name: b"\0" not in name), st.just("0f" * 32)
    )
)
def test_a_list_is_read_as_it_was_written(listed: dict[bytes, str]) -> None:
    assert sums.unpacked(sums.packed(sums.text(listed))) == listed
