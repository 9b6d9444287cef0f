"""Of much work a second process does the half: the results are the same, whatever becomes of it."""

import contextlib
import os
from collections.abc import Callable

import pytest

from b1000.monitor import halves
from b1000.monitor.halves import Other, OtherGoneError
from b1000.monitor.history import DAY, HOUR, PastRun, Subject
from b1000.monitor.judgement import Judgement
from b1000.monitor.meeting import Names, names_of, planned_here, shared
from b1000.monitor.needed_copies import Moments, needed
from b1000.monitor.verdicts import judge
from b1000.wire import Wire


def test_one_processor_or_a_few_runs_are_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert halves.worth_it(10_000)
    assert not halves.worth_it(10)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert not halves.worth_it(10_000)


def test_two_talk_and_verdicts_come_from_the_other_as_they_are_made_here() -> None:
    def verdicts() -> list[Judgement]:
        subjects = [Subject(f"host{number}", "job", "") for number in range(10)]
        return [
            judge(each, _runs(number, DAY), None, 1e9 + 9 * DAY)
            for number, each in enumerate(subjects)
        ]

    def task(wire: Wire) -> None:
        wire.send((wire.recv(), os.getpid(), verdicts()))

    with Other(task) as other:
        other.tell("asked")
        asked, process, found = other.hear()
    assert (asked, found) == ("asked", verdicts())
    assert process != os.getpid()


def _killed(_: Wire) -> None:
    os._exit(9)


def _at_a_loss(_: Wire) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("task", [_killed, _at_a_loss])
def test_one_who_was_killed_or_cannot_do_it_is_seen_to_be_gone(
    task: Callable[[Wire], None],
) -> None:
    with pytest.raises(OtherGoneError), Other(task) as other:
        other.hear()


def test_the_other_is_gone_when_it_is_left() -> None:
    """It waits for what never comes."""

    def waits(wire: Wire) -> None:
        wire.send(os.getpid())
        wire.recv()

    with contextlib.suppress(ZeroDivisionError), Other(waits) as other:
        process = other.hear()
        raise ZeroDivisionError
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


# --- what both have to do with


def test_tracks_go_with_all_that_has_to_do_with_them() -> None:
    """A master that both back up; jobs of a host are together, for one failure is that of all."""
    db1, db2, web = (Subject(host, "mysql", "") for host in ("db1", "db2", "web"))
    mine = {
        ("slave3", "mysql", "a"): {db1},
        ("slave3", "mysql", "b"): {db2},
        ("slave4", "mysql", "b"): {db2},
        ("slave3", "etc", ""): {Subject("slave3", "etc", "")},
        ("web", "mysql", ""): {web},
    }
    theirs = Names({("slave1", "mysql")}, {db1})
    given = shared(mine, theirs)
    assert set(given) == {track for track in mine if track[1] == "mysql" and track[0] != "web"}
    assert shared(mine, Names({("slave1", "mysql")}, {Subject("db9", "mysql", "")})) == []
    assert shared(mine, Names({("web", "mysql")}, set())) == [("web", "mysql", "")]


def test_what_is_planned_is_judged_by_one() -> None:
    mine = names_of({("db1", "mysql", "3306"): {Subject("db1", "mysql", "3306")}})
    theirs = Names({("db2", "mysql")}, {Subject("db1", "mysql", "shared")})
    planned = [
        Subject("db1", "mysql", "3306"),
        Subject("db1", "mysql", "never"),
        Subject("db1", "mysql", "shared"),
        Subject("db2", "mysql", "never"),
        Subject("nobody", "mysql", ""),
    ]
    assert planned_here(mine, theirs, planned) == planned[:2]


# --- whose copies are looked at


def _runs(count: int, gap: float, failed: frozenset[int] = frozenset()) -> list[PastRun]:
    return [
        PastRun(1e9 + place * gap, done=0 if place in failed else 2, total=2)
        for place in range(count)
    ]


@pytest.mark.parametrize(
    ("runs", "ago", "places"),
    [
        ([], HOUR, []),
        (_runs(1, DAY), HOUR, [0]),
        (_runs(44, DAY), 0, [43]),
        # The last one of then, too, where that was another.
        (_runs(44, DAY), 2 * DAY + HOUR, [43, 40]),
        (_runs(1000, HOUR), 2.5 * HOUR, [999, 996]),
        (_runs(3, DAY), 9 * DAY, [2]),
        # Those that failed as well, and they are not the last good one.
        (_runs(6, DAY, frozenset({1, 5})), HOUR, [4, 1, 5]),
        (_runs(6, DAY, frozenset({1, 5})), 4 * DAY, [4, 0, 1, 5]),
        (_runs(3, DAY, frozenset({0, 1, 2})), HOUR, [0, 1, 2]),
        # What is empty is none, and what had not ended was none then.
        ([*_runs(3, DAY), PastRun(1e9 + 3 * DAY, bytes=0, done=1)], HOUR, [2]),
        ([*_runs(3, DAY), PastRun(1e9 + 2.5 * DAY, duration=DAY, done=1)], HOUR, [3, 2]),
        # Of one under way it is not known yet whether it counts, of one dated far ahead it is.
        ([*_runs(3, DAY), PastRun(1e9 + 3 * DAY, done=1, total=2, step="POST")], HOUR, [3, 2]),
        ([*_runs(3, DAY), PastRun(1e9 + 9 * DAY, done=1)], HOUR, [2]),
    ],
)
def test_whose_copies_are_looked_at(runs: list[PastRun], ago: float, places: list[int]) -> None:
    now = 1e9 + 3 * DAY if len(runs) == 4 else runs[-1].started if runs else 1e9
    all_done = all(run.done for run in runs)
    assert needed(runs, Moments(now, now - ago), all_done) == places
