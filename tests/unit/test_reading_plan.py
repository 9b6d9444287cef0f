"""Within the days of ``verify`` each backup is read, whatever comes and goes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from b1000.runs.stored import Memory
from b1000.storage.backup import Backup, Group, GroupKey, Root, State
from b1000.verify import reading_plan, sums
from tests.support.chance import examples

ROOT = Root("kept", "/srv")
NIGHT = 86400.0


def group(name: str, backups: list[Backup]) -> tuple[Root, Group]:
    return ROOT, Group(GroupKey("/srv", "", name), tuple(backups))


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
