"""Every rule of the monitor: a history, a plan and a time make a verdict with its reason."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from b1000.monitor.freshness import Past, learned
from b1000.monitor.history import DAY, HOUR, MINUTE, PastRun, PlanRow, Subject, span
from b1000.monitor.verdicts import Judgement, Verdict, judge, worst

OK, WARNING, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.CRITICAL
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
DB = Subject("db1", "mysql", "3306")


def run(ago: float, **more: Any) -> PastRun:
    """A run that made all its copies, so many seconds ago."""
    return PastRun(NOW - ago, **{"done": 2, "total": 2, "bytes": 1000, "made_on": "db1", **more})


def failed(ago: float, **more: Any) -> PastRun:
    """A run that made none."""
    return run(ago, **{"done": 0, "step": "COPYING", "status": "FAILED", "bytes": None, **more})


def daily(count: int, newest: float = 3 * HOUR, **more: Any) -> list[PastRun]:
    """Good runs, a day apart."""
    return [run(newest + number * DAY, **more) for number in range(count)]


def test_what_nobody_has_seen_is_not_told_to_the_day() -> None:
    assert span(1e300) == "centuries"
    assert span(9000 * DAY) == "9000 d"


def verdict(history: list[PastRun], plan: PlanRow | None = None) -> tuple[Verdict, str]:
    """What is said of it."""
    judged = judge(DB, history, plan, NOW)
    return judged.verdict, judged.reason


WEEK = daily(7)
PART = {"done": 1, "missing": ("far (connection refused)",), "status": "FAILED", "step": "COPYING"}

CASES: dict[str, tuple[list[PastRun], PlanRow | None, Verdict, str]] = {
    # none
    "planned and never seen": ([], PlanRow(max_backup_age=DAY), CRITICAL, "planned, and no run"),
    "first run FAILED": (
        [failed(HOUR, error="no space left")],
        None,
        CRITICAL,
        "never backed up: its only run on db1, 1 h ago, made no copy: it FAILED at COPYING: no",
    ),
    "first run under way": (
        [run(HOUR, done=0, step="COPYING")],
        None,
        CRITICAL,
        "never backed up: a run is under way for 1 h",
    ),
    "only a copy of an empty source": (
        [run(HOUR, done=0, total=1, status="WARNING")],
        None,
        CRITICAL,
        "ended with WARNING",
    ),
    # fresh
    "first run": ([run(HOUR)], None, OK, "1 h old, 2 of 2 copies"),
    "once, 8 d ago": ([run(8 * DAY)], None, OK, "8 d old"),
    "once, more than 8 d ago": ([run(8 * DAY + MINUTE)], None, WARNING, "nothing has run since"),
    "once, more than 9 d ago": (
        [run(9 * DAY + MINUTE)],
        None,
        CRITICAL,
        "at most 8 d is expected after a single backup",
    ),
    "daily": (WEEK, None, OK, "3 h old, 2 of 2 copies"),
    "daily, a new one under way": (
        [*WEEK, run(MINUTE, done=1, step="COPYING")],
        None,
        OK,
        "a new one is under way",
    ),
    "daily, one is late": (daily(7, 29 * HOUR), None, OK, "1 d 5 h old"),
    "daily, missed": (
        daily(7, 31 * HOUR),
        None,
        WARNING,
        "missed: expected by Mon 11:00; last good 31 h ago; nothing has run since",
    ),
    "daily for weeks, missed": (
        daily(42, 27 * HOUR),
        None,
        WARNING,
        "missed: expected by Mon 09:00; last good 27 h ago; nothing has run since",
    ),
    "daily for weeks, the next is under way": (
        [*daily(42, 27 * HOUR, duration=3 * HOUR), run(2.9 * HOUR, done=0, step="COPYING")],
        None,
        OK,
        "a new one is under way",
    ),
    "daily for weeks, the next began late": (
        [*daily(42, 29 * HOUR + HOUR / 2), run(10 * MINUTE, done=0, step="COPYING")],
        None,
        WARNING,
        "missed: expected by Mon 06:30",
    ),
    "weekdays on a Monday": (
        [run(3 * HOUR + days * DAY) for days in range(1, 50) if (7 - days) % 7 not in (5, 6)],
        None,
        WARNING,
        "missed: expected by Mon 09:00; last good 3 d 3 h ago",
    ),
    "daily, silently stopped": (
        daily(7, 3 * DAY),
        None,
        CRITICAL,
        "the last good backup is 3 d old, at most 1 d 6 h is usual here; nothing has run since",
    ),
    "hourly, silently stopped": (
        [run(3 * HOUR + number * HOUR) for number in range(73)],
        None,
        CRITICAL,
        "at most 1 h 36 min is usual here",
    ),
    "every five minutes: half an hour is always allowed": (
        [run(35 * MINUTE + number * 5 * MINUTE) for number in range(900)],
        None,
        OK,
        "35 min old",
    ),
    "some trials within minutes say nothing of what is usual": (
        [run(23 * HOUR + number * 5 * MINUTE) for number in range(6)],
        None,
        OK,
        "23 h old",
    ),
    "trials, and no backup on the next day": (
        [run(27 * HOUR + MINUTE + number * 5 * MINUTE) for number in range(6)],
        None,
        CRITICAL,
        "at most 1 d 2 h is expected until 3 days of backups say what is usual",
    ),
    "trials, then two days, and failures since": (
        [failed(HOUR), *daily(2, DAY), *(run(2 * DAY + HOUR + n * MINUTE) for n in range(6))],
        None,
        WARNING,
        "the last good backup is 1 d old",
    ),
    "weekly": ([run(6 * DAY), run(13 * DAY), run(20 * DAY)], None, OK, "6 d old"),
    "the plan is stricter": (
        WEEK,
        PlanRow(max_backup_age=HOUR),
        CRITICAL,
        "at most 1 h is planned",
    ),
    "the plan is more patient": (
        daily(7, 9 * DAY),
        PlanRow(max_backup_age=10 * DAY),
        OK,
        "9 d old",
    ),
    "a plan that does not limit it": (daily(7, 3 * DAY), PlanRow(), CRITICAL, "is usual here"),
    "too old, and why": (
        [*daily(3, 4 * DAY), failed(DAY, error="refused"), failed(2 * DAY)],
        None,
        CRITICAL,
        "2 later runs made no copy, the last on db1 1 d ago FAILED at COPYING: refused",
    ),
    "too old, while a run hangs": (
        [*daily(4, 4 * DAY), run(2 * DAY, done=0, step="PRE")],
        None,
        CRITICAL,
        "at most 1 d 6 h is usual here; a run is at PRE for 2 d",
    ),
    # complete
    "a destination is lost": (
        [*daily(5, 27 * HOUR), run(3 * HOUR, **PART)],
        None,
        WARNING,
        "1 of 2 copies of the last good backup is missing: far (connection refused)",
    ),
    "a destination is lost, and that is acknowledged": (
        [*daily(5, 27 * HOUR), run(3 * HOUR, **PART, acknowledged=True)],
        None,
        OK,
        "1 of 2 copies",
    ),
    "post FAILED": (
        [run(HOUR, step="POST", status="FAILED", error="exit code 3")],
        None,
        WARNING,
        "has its copies, and its run FAILED at POST: exit code 3",
    ),
    "files vanished": (
        [run(HOUR, done=1, vanished=1, status="WARNING")],
        None,
        WARNING,
        "files vanished",
    ),
    "DONE with a warning of something else": ([run(HOUR, status="WARNING")], None, OK, "1 h old"),
    "the old one is too old, the new one half done": (
        [run(9 * DAY), run(HOUR, done=1, step="COPYING")],
        PlanRow(max_backup_age=DAY),
        WARNING,
        "1 of 2 copies are there, the run is still at COPYING",
    ),
    # failed since
    "failed since": (
        [*daily(5, 27 * HOUR), failed(HOUR, error="no route to host")],
        None,
        WARNING,
        "a later run on db1, 1 h ago, made no copy: it FAILED at COPYING: no route to host; "
        "the last good backup is 1 d 3 h old",
    ),
    "failed since, acknowledged": (
        [*daily(5, 27 * HOUR), failed(HOUR, acknowledged=True)],
        None,
        OK,
        "1 d 3 h old",
    ),
    "failed before": ([failed(DAY + HOUR), *daily(3)], None, OK, "3 h old"),
    "an older failure is acknowledged, a newer one not": (
        [*daily(5, 27 * HOUR), failed(2 * HOUR, acknowledged=True), failed(HOUR)],
        None,
        WARNING,
        "a later run on db1, 1 h ago, made no copy",
    ),
    "a run that died, and another that is under way": (
        [*daily(5, 28 * HOUR), run(DAY, done=0, step="COPYING"), run(HOUR, done=0, step="PRE")],
        None,
        WARNING,
        "never came to its end, COPYING is the last that is known of it",
    ),
    # shrunk
    "shrunk": (
        [*daily(5, 27 * HOUR), run(HOUR, bytes=499)],
        None,
        WARNING,
        "it shrank to 499 B, 1000 B is usual (650 B to 1.3 KiB)",
    ),
    "grown": (
        [*daily(5, 27 * HOUR), run(HOUR, bytes=1400)],
        None,
        WARNING,
        "it grew to 1.4 KiB, 1000 B is usual (650 B to 1.3 KiB)",
    ),
    "a third more or less is usual": (
        [*daily(5, 27 * HOUR), run(HOUR, bytes=660)],
        None,
        OK,
        "",
    ),
    "as small as in the weeks before on that day": (
        [run(number * DAY + HOUR, bytes=400 if number % 7 < 1 else 1000) for number in range(30)],
        None,
        OK,
        "1 h old",
    ),
    "smaller than in the weeks before on that day": (
        [
            run(number * DAY + HOUR, bytes=100 if not number else 400 if number % 7 < 1 else 1000)
            for number in range(30)
        ],
        None,
        WARNING,
        "it shrank to 100 B, 1000 B is usual",
    ),
    "as small as it has been for four weeks, and large before": (
        [run(number * DAY + HOUR, bytes=400 if number < 26 else 1000) for number in range(60)],
        None,
        WARNING,
        "it shrank to 400 B",
    ),
    "small on that day for two weeks only": (
        [
            run(number * DAY + HOUR, bytes=400 if number in (0, 7, 14) else 1000)
            for number in range(30)
        ],
        None,
        WARNING,
        "it shrank to 400 B",
    ),
    "0 bytes": (
        [*daily(5, 27 * HOUR), run(HOUR, bytes=0)],
        None,
        WARNING,
        "a later run on db1, 1 h ago, copied nothing: it came to 0 bytes",
    ),
    "only 0 bytes": ([run(HOUR, bytes=0)], None, CRITICAL, "came to 0 bytes"),
    "no file": ([*daily(5, 27 * HOUR), run(HOUR, files=0)], None, WARNING, "came to no file"),
    "a quarter of the files": (
        [*daily(5, 27 * HOUR, files=1000), run(HOUR, files=250)],
        None,
        WARNING,
        "250 files, 1000 are usual, less than 30% of them",
    ),
    "three slow runs": (
        [*daily(5, 99 * HOUR, duration=100.0), *daily(3, 3 * HOUR, duration=170.0)],
        None,
        WARNING,
        "its last 3 backups took 2 min and more, 1 min is usual, at most 2 min",
    ),
    "two slow runs": (
        [*daily(6, 75 * HOUR, duration=100.0), *daily(2, 3 * HOUR, duration=170.0)],
        None,
        OK,
        "",
    ),
    "the same size six times after varying": (
        [*daily(6), *(run(3 * HOUR + (6 + each) * DAY, bytes=1001 + each) for each in range(9))],
        None,
        WARNING,
        "6 backups in a row of exactly 1000 B",
    ),
    "always the same size": (daily(20), None, OK, ""),
    "three FAILED of ten": (
        [*daily(4), *(failed(HOUR * 28 + each * DAY) for each in range(3)), *daily(5, 99 * HOUR)],
        None,
        WARNING,
        "3 of its last 10 runs FAILED",
    ),
    "three attempts of each of two copies": (
        daily(5, attempts=6),
        None,
        WARNING,
        "its last 3 runs took 5 attempts and more",
    ),
    "one attempt of each of two copies": (daily(5, attempts=2), None, OK, ""),
    "a run hangs": (
        [*daily(5, 27 * HOUR, duration=HOUR), run(5 * HOUR, done=0, step="COPYING")],
        None,
        WARNING,
        "a run on db1 is at COPYING for 5 h, its longest took 1 h",
    ),
    "a destination is gone": (
        [*daily(5, 27 * HOUR, places=("near", "far")), run(HOUR, places=("near",))],
        None,
        WARNING,
        "far is no longer a destination of it, and had copies within 30 days",
    ),
    "files vanish each time": (
        daily(6, done=1, vanished=1, status="WARNING"),
        None,
        OK,
        "files vanished as usual",
    ),
    "one small backup of the past changes nothing": (
        [*daily(3, 27 * HOUR), run(2 * HOUR, bytes=1), run(HOUR)],
        None,
        OK,
        "",
    ),
    "of unknown size": ([*daily(5, 27 * HOUR), run(HOUR, bytes=None)], None, OK, ""),
    # data
    "data older than planned": (
        daily(5, data_age=601.0),
        PlanRow(max_data_age=600),
        WARNING,
        "its data on db1 was 10 min old, at most 10 min is planned",
    ),
    "data as old as planned": (daily(5, data_age=600.0), PlanRow(max_data_age=600), OK, ""),
    "data of unknown age, planned": (
        daily(5, data_age=None),
        PlanRow(max_data_age=600),
        WARNING,
        "how old its data was is unknown, at most 10 min is planned",
    ),
    "data of unknown age, not planned": (daily(5, data_age=None), None, OK, ""),
    "a replica that lags, which nobody planned for": (
        [*daily(5, 27 * HOUR, data_age=2.0), run(HOUR, data_age=2 * HOUR)],
        None,
        WARNING,
        "was 2 h old, at most 1 h is usual here",
    ),
    "a replica that is always late": (daily(5, data_age=DAY), None, OK, ""),
    # long
    "running longer than planned": (
        [*daily(5, 27 * HOUR), run(3 * HOUR, done=0, step="COPYING", copying_since=NOW - 2 * HOUR)],
        PlanRow(max_copy_time=HOUR),
        WARNING,
        "a run on db1 is at COPYING for 2 h, at most 1 h is planned",
    ),
    "not copying that long yet": (
        [*daily(5, 27 * HOUR), run(3 * HOUR, done=0, step="COPYING", copying_since=NOW - MINUTE)],
        PlanRow(max_copy_time=HOUR),
        OK,
        "",
    ),
    "long, and nobody limits it": (
        [*daily(5, 27 * HOUR), run(20 * HOUR, done=0, step="COPYING")],
        None,
        OK,
        "",
    ),
    # clocks
    "a clock a little ahead": ([*daily(5, DAY), run(-5 * MINUTE)], None, OK, "0 s old"),
    "a clock three hours ahead": (
        [*daily(5, DAY), run(-3 * HOUR)],
        None,
        WARNING,
        "the clock of db1 was 3 h ahead of ours",
    ),
    "a clock years ahead says nothing": (
        [run(9 * DAY + HOUR), run(-900 * DAY)],
        None,
        CRITICAL,
        "the last good backup is 9 d 1 h old",
    ),
    "only a run of years ahead": ([run(-900 * DAY)], None, CRITICAL, "never backed up"),
    "a clock that was years ahead and is right again": (
        [run(2 * DAY), run(-900 * DAY, job_id=1), run(3 * HOUR, job_id=2)],
        None,
        OK,
        "3 h old",
    ),
    "a clock that is years ahead now": (
        [run(27 * HOUR, job_id=1), run(3 * HOUR, job_id=2), run(-900 * DAY, job_id=3)],
        None,
        WARNING,
        "the clock of db1 was",
    ),
    "another host's clock is right": (
        [run(27 * HOUR), run(-900 * DAY, job_id=1), run(3 * HOUR, job_id=2, made_on="db2")],
        None,
        WARNING,
        "the clock of db1 was",
    ),
    "a clock that is right again, acknowledged": (
        [*daily(5), run(-900 * DAY, acknowledged=True)],
        None,
        OK,
        "3 h old",
    ),
    # replicas
    "moved to another replica": (
        [*daily(3, 3 * DAY, made_on="slave3"), *daily(2, 3 * HOUR, made_on="slave5")],
        None,
        OK,
        "3 h old",
    ),
    "one replica fails, the other made it later": (
        [*daily(3, 27 * HOUR), failed(4 * HOUR, made_on="slave3"), run(HOUR, made_on="slave5")],
        None,
        OK,
        "1 h old",
    ),
    "one replica made it, the other failed later": (
        [*daily(3, 27 * HOUR), run(4 * HOUR, made_on="slave5"), failed(HOUR, made_on="slave3")],
        None,
        WARNING,
        "a later run on slave3, 1 h ago, made no copy: it FAILED",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_rules(case: str) -> None:
    history, plan, expected, words = CASES[case]
    said, reason = verdict(history, plan)
    assert said is expected, reason
    assert words in reason


def test_several_reasons_are_told_the_worst_first() -> None:
    history = [*daily(5, 4 * DAY), run(3 * DAY, **{**PART, "bytes": 10})]
    said, reason = verdict(history, PlanRow(max_backup_age=DAY))
    assert said is CRITICAL
    assert reason.index("3 d old") < reason.index("is missing") < reason.index("shrank")


def test_the_numbers_are_those_of_the_last_good_run() -> None:
    judged = judge(DB, [*WEEK, failed(HOUR)], None, NOW)
    assert judged == Judgement(
        subject=DB,
        verdict=WARNING,
        reason=judged.reason,
        last_good=NOW - 3 * HOUR,
        age=3 * HOUR,
        max_age=24 * HOUR * 1.1 + 0.15 * 24 * HOUR,
        expected_by="learned",
        data_age=0.0,
        bytes=1000,
        usual_bytes=1000,
        copies_done=2,
        copies_total=2,
        last_run=NOW - HOUR,
        reasons=judged.reasons,
        before=NOW - 3 * HOUR - DAY,
        made_on="db1",
        longest=24 * HOUR * 1.1 + 0.15 * 24 * HOUR,
    )
    assert [each.code for each in judged.reasons] == ["failed"]
    planned = judge(DB, WEEK, PlanRow(max_backup_age=DAY), NOW)
    assert (planned.max_age, planned.expected_by) == (DAY, "plan")
    nothing = judge(DB, [], PlanRow(max_backup_age=DAY), NOW)
    assert (nothing.last_good, nothing.age, nothing.bytes) == (None, None, None)


def test_why_nothing_is_learned_yet_is_said() -> None:
    """As long as the limit is not one that was learned, whatever the plan says."""
    trial = [run(HOUR), run(HOUR + 20 * MINUTE)]
    judged = judge(DB, trial, None, NOW)
    assert (judged.max_age, judged.expected_by) == (26 * HOUR, "default")
    assert judged.unlearned == "its good backups are of 20 min, and 3 d of them say what is usual"
    assert "a single one" in judge(DB, trial[:1], None, NOW).unlearned
    assert judge(DB, WEEK, None, NOW).unlearned == ""
    assert judge(DB, [], None, NOW).unlearned == ""


def test_a_plan_without_an_age_expects_what_never_ran() -> None:
    planned = judge(DB, [], PlanRow(max_data_age=HOUR), NOW)
    assert (planned.max_age, planned.expected_by) == (None, "plan")
    learned = judge(DB, WEEK, PlanRow(max_data_age=HOUR), NOW)
    assert learned.max_age == pytest.approx(30 * HOUR)
    assert learned.expected_by == "learned"


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ([], 8 * DAY),
        ([DAY], 30 * HOUR),
        ([DAY, DAY, DAY], 30 * HOUR),
        ([DAY, DAY, MINUTE, MINUTE, DAY], 24 * HOUR * 1.1 + 3.6 * HOUR),  # run by hand as well
        ([7 * DAY, 7 * DAY, 21 * DAY], 21 * DAY * 1.1 + 12 * HOUR),
        ([MINUTE] * 5, 26 * HOUR),  # nothing is learned in less than three days
        ([MINUTE] * 4320, 1.1 * MINUTE + 30 * MINUTE),
        ([3 * DAY], 3 * DAY * 1.1 + 0.15 * 3 * DAY),
        ([30 * DAY, 31 * DAY], 31 * DAY * 1.1 + 12 * HOUR),
    ],
)
def test_the_longest_interval_says_what_is_usual(gaps: list[float], expected: float) -> None:
    starts = [0.0]
    for gap in gaps:
        starts.append(starts[-1] + gap)
    assert learned(Past(starts), starts[-1]).max_age == pytest.approx(expected)


@pytest.mark.parametrize("since", [1, 2, 10, 30])
@pytest.mark.parametrize("away", [25, 40, 400, 7000])
@pytest.mark.parametrize("fails", [False, True])
def test_a_pause_of_weeks_lets_no_later_silence_be_as_long(
    since: int, away: int, fails: bool
) -> None:
    """Whether it failed or did not run then, of as many runs as there have been since."""
    silent = 10 * DAY
    runs = daily(since, silent)
    if fails:
        runs += [failed(silent + (since + number) * DAY) for number in range(min(away, 90))]
    runs += daily(20, silent + (since + away) * DAY)
    assert verdict(runs)[0] is CRITICAL
    assert verdict([*daily(since), *[run(3 * HOUR + (since + away) * DAY)] * 20])[0] is not CRITICAL


def test_one_run_of_a_clock_in_the_past_hides_no_silence() -> None:
    assert verdict([*daily(10, 3 * DAY), run(7300 * DAY)])[0] is CRITICAL


def test_pauses_that_come_again_are_a_rhythm() -> None:
    runs = [run(24 * DAY + month * 30 * DAY + n * HOUR) for month in range(4) for n in range(8)]
    assert verdict(runs)[0] is OK


def test_an_interval_that_failures_made_is_not_usual() -> None:
    starts = [0.0, DAY, 2 * DAY, 9 * DAY, 10 * DAY]
    usual = learned(Past(starts, [3 * DAY]), 10 * DAY).max_age
    assert usual == pytest.approx(30 * HOUR)


@pytest.mark.parametrize("zone", ["Europe/Warsaw", "America/New_York", "Australia/Lord_Howe"])
def test_a_change_of_the_clocks_does_not_make_a_backup_older(zone: str) -> None:
    """Every night at 02:30 local time over a whole year: on no day is anything wrong."""
    place = ZoneInfo(zone)
    moments = [
        datetime.fromordinal(datetime(2026, 1, 1).toordinal() + number).replace(
            hour=2, minute=30, tzinfo=place
        )
        for number in range(365)
    ]
    runs = [
        PastRun(
            moment.timestamp(),
            done=1,
            total=1,
            offset=(moment.utcoffset() or timedelta()).total_seconds(),
        )
        for moment in moments
    ]
    for day in range(50, 365):
        history = runs[max(0, day - 44) : day]
        # A minute before the next, and five hours after it did not come.
        before, after = runs[day].started - MINUTE, runs[day].started + 5 * HOUR
        assert judge(DB, history, None, before).verdict is OK
        assert judge(DB, history, None, after).verdict is WARNING
        assert judge(DB, history, None, after + 26 * HOUR).verdict is CRITICAL


def test_hosts_in_other_zones_are_judged_by_the_same_clock() -> None:
    """One instant, written down by hosts from Honolulu to Kiritimati."""
    moment = datetime(2026, 11, 23, 9, tzinfo=UTC)
    ages = {
        judge(
            DB, [PastRun(moment.astimezone(ZoneInfo(zone)).timestamp(), done=1, total=1)], None, NOW
        ).age
        for zone in ("Pacific/Honolulu", "UTC", "Asia/Kolkata", "Pacific/Kiritimati")
    }
    assert ages == {3 * HOUR}


# --- what holds for every history

AGES = st.floats(0, 40 * DAY)
RUNS = st.lists(
    st.builds(
        lambda ago, done, more, vanished, step, status, size, data, ack, host: PastRun(
            NOW - ago,
            step=step,
            status=status,
            done=done,
            total=done + more + vanished,
            vanished=vanished,
            data_age=data,
            bytes=size,
            acknowledged=ack,
            made_on=host,
        ),
        AGES,
        st.integers(0, 2),
        st.integers(0, 1),
        st.integers(0, 1),
        st.sampled_from(["INIT", "PRE", "COPYING", "POST", "DONE"]),
        st.sampled_from(["OK", "WARNING", "FAILED"]),
        st.none() | st.integers(0, 10**15),
        st.none() | st.floats(0, 10**7),
        st.booleans(),
        st.sampled_from(["a", "b"]),
    ),
    max_size=8,
)
PLANS = st.none() | st.builds(PlanRow, *[st.none() | st.floats(0, 40 * DAY)] * 3)
RANK = {OK: 0, WARNING: 1, CRITICAL: 2}


@given(RUNS, PLANS)
def test_never_ok_without_a_copy_that_is_done(history: list[PastRun], plan: PlanRow | None) -> None:
    judged = judge(DB, history, plan, NOW)
    if judged.verdict is OK:
        assert any(each.good and each.started == judged.last_good for each in history)
        assert judged.age is not None
        assert judged.max_age is not None
        assert judged.age <= judged.max_age
    if not any(each.good for each in history):
        assert judged.verdict is CRITICAL
    assert judged.reason
    assert "\n" not in judged.reason


@given(RUNS, st.randoms())
def test_the_order_of_rows_does_not_matter(history: list[PastRun], random: Any) -> None:
    numbered = [each._replace(job_id=number) for number, each in enumerate(history)]
    shuffled = list(numbered)
    random.shuffle(shuffled)
    assert judge(DB, numbered, None, NOW) == judge(DB, shuffled, None, NOW)


@given(RUNS, st.floats(HOUR, 20 * DAY), AGES)
def test_no_verdict_gets_better_by_waiting(
    history: list[PastRun], limit: float, later: float
) -> None:
    plan = PlanRow(max_backup_age=limit)
    # A run that copies counts from when nothing else is fresh enough: all of these have ended.
    ended = [each._replace(step="DONE") for each in history]
    first, second = judge(DB, ended, plan, NOW), judge(DB, ended, plan, NOW + later)
    assert RANK[second.verdict] >= RANK[first.verdict]


@given(RUNS, st.floats(HOUR, 20 * DAY), st.floats(0, 30 * DAY))
def test_no_verdict_gets_better_by_an_older_last_good_run(
    history: list[PastRun], limit: float, older: float
) -> None:
    plan = PlanRow(max_backup_age=limit)
    last = run(HOUR, bytes=None, data_age=0.0)
    others = [each for each in history if not each.good]
    fresh = judge(DB, [*others, last], plan, NOW)
    stale = judge(DB, [*others, last._replace(started=last.started - older)], plan, NOW)
    assert RANK[stale.verdict] >= RANK[fresh.verdict]


# What was acknowledged ran on a Sunday: that is no day of rest of a job that is new.
@example([run(129601 + HOUR), run(129601), failed(1)], None)
@given(RUNS, PLANS)
def test_acknowledging_hides_no_missing_backup(
    history: list[PastRun], plan: PlanRow | None
) -> None:
    acknowledged = [each._replace(acknowledged=True) for each in history]
    if judge(DB, history, plan, NOW).verdict is CRITICAL:
        assert judge(DB, acknowledged, plan, NOW).verdict is CRITICAL


# --- words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (3660, "1 h 1 min"),
        (86400, "1 d"),
        (90000, "1 d 1 h"),
        (86460, "1 d"),
        (-5, "0 s"),
    ],
)
def test_lengths_of_time_in_words(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_a_fleet_is_as_good_as_its_worst_and_unknown_where_there_is_none() -> None:
    assert worst([OK, WARNING, OK]) is WARNING
    assert worst([WARNING, CRITICAL, Verdict.UNKNOWN]) is CRITICAL
    assert worst([]) is Verdict.UNKNOWN
    assert [each.exit_code for each in Verdict] == [0, 1, 2, 3]


def test_nights_and_weekends_of_the_weeks_that_are_known_count_at_once() -> None:
    """Office hours, of two weeks: too little for a profile, enough for a weekend."""
    monday = NOW - NOW % DAY - 30 * DAY
    monday -= (datetime.fromtimestamp(monday, UTC).weekday()) * DAY
    hours = [
        monday + day * DAY + hour * HOUR
        for day in range(14)
        if day % 7 < 5
        for hour in range(8, 19)
    ]
    runs = [PastRun(hour, done=1, total=1, bytes=1000) for hour in hours]
    for later in (13.5 * DAY, 14 * DAY, 14 * DAY + 7 * HOUR):
        assert judge(DB, runs, None, monday + later).verdict is OK
    assert judge(DB, runs, None, monday + 14 * DAY + 11 * HOUR).verdict is not OK


def test_data_is_no_older_than_a_backup_may_get() -> None:
    """2.5 times of what is usual may be more than that."""
    days = [run(HOUR + number * DAY, data_age=20 * HOUR) for number in range(1, 10)]
    found = judge(DB, [*days, run(HOUR, data_age=40 * HOUR)], None, NOW)
    assert found.codes == {"data_age"}
    assert "at most 1 d 6 h is a backup here" in found.reason
    lags = [each._replace(data_age=40 * HOUR) for each in days]
    assert judge(DB, [*lags, run(HOUR, data_age=40 * HOUR)], None, NOW).verdict is OK


def test_attempts_that_every_run_takes_are_usual() -> None:
    days = [run(HOUR + number * DAY, attempts=2) for number in range(12)]
    tried = [each._replace(attempts=7) for each in days]
    assert judge(DB, tried[:3] + days[3:], None, NOW).codes == {"attempts"}
    assert judge(DB, tried, None, NOW).verdict is OK
