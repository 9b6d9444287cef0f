"""Of much work a second process does the half: the results are the same, whatever becomes of it."""

import os

import pytest

from b1000.monitor import halves
from b1000.monitor.halves import halved
from b1000.monitor.histories import _telling
from b1000.monitor.history import DAY, HOUR, PastRun, Subject
from b1000.monitor.judgement import Judgement
from b1000.monitor.verdicts import judge


@pytest.fixture(autouse=True)
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processors, and little to do is enough."""
    monkeypatch.setattr(halves, "_LEAST", 4)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})


def test_the_results_stand_in_their_order_and_two_have_made_them() -> None:
    found = halved(lambda number: (number, os.getpid()), range(7))()
    assert [number for number, _ in found] == list(range(7))
    assert len({process for _, process in found}) == 2


def test_few_are_done_here() -> None:
    assert set(halved(lambda _: os.getpid(), range(3))()) == {os.getpid()}


def test_one_processor_is_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert set(halved(lambda _: os.getpid(), range(9))()) == {os.getpid()}


def test_the_half_of_one_who_was_killed_is_done_here() -> None:
    here = os.getpid()

    def work(number: int) -> int:
        if os.getpid() != here:
            os._exit(9)
        return number * number

    assert halved(work, range(6))() == [0, 1, 4, 9, 16, 25]


def test_what_cannot_be_done_is_told_here() -> None:
    def work(number: int) -> float:
        return 1 / (5 - number)

    with pytest.raises(ZeroDivisionError):
        halved(work, range(6))()


def test_verdicts_come_from_the_other_as_they_are_made_here() -> None:
    here = os.getpid()

    def work(number: int) -> tuple[Judgement, bool]:
        subject = Subject(f"host{number}", "job", "")
        return judge(subject, _runs(number, DAY), None, 1e9 + 9 * DAY), os.getpid() == here

    found = halved(work, range(10))()
    assert [ours for _, ours in found] == [True] * 5 + [False] * 5
    assert [judgement for judgement, _ in found] == [work(number)[0] for number in range(10)]


def _runs(count: int, gap: float, failed: frozenset[int] = frozenset()) -> list[PastRun]:
    return [
        PastRun(1e9 + place * gap, done=0 if place in failed else 2, total=2)
        for place in range(count)
    ]


@pytest.mark.parametrize(
    ("runs", "places"),
    [
        ([], []),
        (_runs(1, DAY), [0]),
        (_runs(44, DAY), [43, 42, 39, 30, 16]),
        # Those that failed as well, and they do not count among the others.
        (_runs(6, DAY, frozenset({1, 5})), [4, 3, 1, 5]),
        (_runs(3, DAY, frozenset({0, 1, 2})), [0, 1, 2]),
        # Of what runs each hour 27 runs are a day: some days ago is looked at, too.
        (_runs(1000, HOUR), [999, 998, 995, 986, 972, 927, 783, 567, 375]),
        # So far as it is known.
        (_runs(100, HOUR), [99, 98, 95, 86, 72, 27]),
    ],
)
def test_whose_copies_are_looked_at(runs: list[PastRun], places: list[int]) -> None:
    assert list(_telling(runs)) == places
