"""What is wrong with what storages tell of a subject."""

import pytest

from b1000.monitor.history import DAY, PastRun, Subject
from b1000.monitor.severity import Verdict
from b1000.monitor.verdicts import judge
from b1000.monitor.witnesses import AtStorage, Flawed, Witnesses, wrong

NOW = 1795435200.0
HERE = AtStorage(
    "s1", "kept", 3, NOW - DAY, read=NOW - DAY, unread_since=NOW - 20 * DAY, drilled=NOW - 5 * DAY,
    recovery=61.0, seen=NOW - 90 * DAY, verify=30 * DAY, drill=30 * DAY,
)  # fmt: skip
BAD = Flawed("s1", "kept", "/b/x", True, "a is wrong", NOW - 60, NOW - DAY)


def codes(
    found: Witnesses, copies: int = 1, now: float = NOW, started: float = NOW - DAY
) -> list[tuple[str, str]]:
    last = PastRun(started, done=copies, total=copies)
    return [(str(each.verdict), each.code) for each in wrong(found, last, now)]


def test_nothing_is_wrong_where_all_is_read_and_drilled_in_time() -> None:
    found = Witnesses((HERE,))
    assert codes(found) == []
    assert codes(Witnesses()) == []
    assert (found.kept, found.read, found.restored, found.recovery) == (
        3, NOW - DAY, NOW - 5 * DAY, 61.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("flawed", "copies", "expected"),
    [
        (BAD, 1, ("CRITICAL", "bad")),
        (BAD, 2, ("WARNING", "bad_copy")),
        (BAD._replace(good=1), 1, ("WARNING", "bad_copy")),
        (BAD._replace(alike=2), 2, ("CRITICAL", "bad")),
        (BAD._replace(alike=2), 3, ("WARNING", "bad_copy")),
        (BAD._replace(started=NOW - 2 * DAY), 1, ("WARNING", "bad_copy")),
    ],
)
def test_a_bad_backup(flawed: Flawed, copies: int, expected: tuple[str, str]) -> None:
    found = Witnesses((HERE,), (flawed,))
    assert codes(found, copies) == [expected]
    assert codes(found, copies, NOW - 61) == [], "it was not known then"


def test_a_newest_backup_that_is_missing() -> None:
    there = AtStorage("s1", "kept", 3, NOW - DAY)
    lost = AtStorage("s2", "other", lost=NOW - DAY, is_there=False)
    assert codes(Witnesses((there,), (), (lost,)), 2) == [("WARNING", "bad_copy")]
    assert codes(Witnesses((), (), (lost,)), 1) == [("CRITICAL", "bad")]
    assert codes(Witnesses((), (), (lost, lost)), 2) == [("CRITICAL", "bad")] * 2
    assert codes(Witnesses((), (), (lost,)), 2) == [("WARNING", "bad_copy")], "another is not told"
    older = there._replace(newest=NOW - 2 * DAY)
    assert codes(Witnesses((older,), (), (lost,)), 1) == [("CRITICAL", "bad")]
    # Both go for the same run: what is left of it is bad.
    flawed = BAD._replace(good=0)
    assert codes(Witnesses((there,), (flawed,), (lost,)), 2)[-1] == ("CRITICAL", "bad")
    # An older one is nothing that anybody would restore first.
    old = lost._replace(lost=NOW - 2 * DAY)
    assert codes(Witnesses((there,), (), (old,)), 1) == []
    assert codes(Witnesses((), (), (old,)), 1) == []


def test_a_bad_backup_is_not_the_newest_once_there_is_a_later_run() -> None:
    found = Witnesses((HERE,), (BAD,))
    assert codes(found, 1, NOW, NOW - DAY / 2) == [("WARNING", "bad_copy")]
    assert codes(found, 5, NOW, NOW - 3 * DAY) == [("CRITICAL", "bad")]


def test_what_was_made_since_was_not_known_then() -> None:
    """With the moment of `--since` only what there was by then is compared."""
    was, today = NOW - DAY, NOW - DAY / 4
    later = HERE._replace(newest=today)
    flawed = BAD._replace(known=was + 60, started=was)
    found = Witnesses((later,), (flawed,))
    assert codes(found, 1, NOW, today) == [("WARNING", "bad_copy")]
    assert codes(found, 1, NOW - DAY / 2, was) == [("CRITICAL", "bad")]
    lost = AtStorage("s1", "kept", lost=today, is_there=False)
    assert codes(Witnesses((), (), (lost,)), 1, NOW, today) == [("CRITICAL", "bad")]
    assert codes(Witnesses((), (), (lost,)), 1, NOW - DAY / 2, was) == []


def test_what_is_overdue() -> None:
    unread = HERE._replace(unread_since=NOW - 46 * DAY)
    assert codes(Witnesses((unread,))) == [("WARNING", "unread")]
    assert codes(Witnesses((unread,)), now=NOW - 2 * DAY) == []
    assert codes(Witnesses((unread._replace(verify=None),))) == []
    late = HERE._replace(drilled=NOW - 46 * DAY)
    assert codes(Witnesses((late,))) == [("WARNING", "drill_overdue")]
    never = HERE._replace(drilled=None)
    assert codes(Witnesses((never,))) == [("WARNING", "drill_overdue")]
    assert codes(Witnesses((never._replace(seen=NOW - 40 * DAY),))) == []
    assert codes(Witnesses((late._replace(drill=None),))) == []


def test_a_drill_that_failed_counts_until_one_passes() -> None:
    failed = Flawed(
        "s1",
        "kept",
        "/b/x",
        False,
        "exit code 3",
        NOW - DAY,
        NOW - 2 * DAY,
        NOW - DAY,
        "exit code 3",
    )
    assert codes(Witnesses((HERE,), (failed,))) == [("WARNING", "drill_failed")]
    passed = HERE._replace(drilled=NOW - 60)
    assert codes(Witnesses((passed,), (failed,))) == []
    unread = failed._replace(error="a: Input/output error", drill="", tried=None)
    assert codes(Witnesses((HERE,), (unread,))) == [("WARNING", "unreadable")]


def test_who_holds_what() -> None:
    other = AtStorage("s2", "kept", 0, NOW - DAY)
    assert codes(Witnesses((HERE, other))) == [("WARNING", "one_storage")]
    assert codes(Witnesses((HERE, other._replace(kept=1)))) == []
    held = HERE._replace(held="its newest backup is short")
    assert codes(Witnesses((held,))) == [("WARNING", "held_back")]


def test_it_is_a_part_of_the_verdict() -> None:
    subject = Subject("web1", "etc", "")
    runs = [PastRun(NOW - DAY, done=1, total=1, bytes=5, files=1)]
    good = judge(subject, runs, None, NOW, stored=Witnesses((HERE,)))
    assert good.verdict is Verdict.OK
    bad = judge(subject, runs, None, NOW, stored=Witnesses((HERE,), (BAD,)))
    assert (bad.verdict, bad.codes) == (Verdict.CRITICAL, frozenset({"bad"}))
    assert "/b/x at s1 is bad: a is wrong" in bad.reason
