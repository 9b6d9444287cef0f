"""Schedules and sizes that have a rhythm of their own: by it they are told, and nothing else is."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from math import exp
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from b1000.monitor.freshness import Past, clock
from b1000.monitor.history import DAY, HOUR, PastRun, Subject
from b1000.monitor.months import may_be_ahead, next_of_month
from b1000.monitor.usual import levels
from b1000.monitor.verdicts import Judgement, Verdict, judge

OK, WARNING, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.CRITICAL
Hours = Callable[[date], Iterator[float]]


def made(
    hours: Hours, first: date, until: datetime, zone: str = "Europe/Warsaw"
) -> tuple[list[PastRun], float]:
    """The runs at those hours of each day, by the clock on the wall; and when it is now."""
    here = ZoneInfo(zone)
    now = until.replace(tzinfo=here).timestamp()
    found = []
    for number in range((until.date() - first).days + 1):
        day = first + timedelta(days=number)
        for hour in hours(day):
            wall = datetime.combine(day, datetime.min.time(), here) + timedelta(hours=hour)
            offset = (wall.utcoffset() or timedelta()).total_seconds()
            run = PastRun(
                wall.timestamp(),
                bytes=1000,
                done=1,
                total=1,
                made_on="h",
                offset=offset,
                duration=60,
            )
            if run.started + 60 < now:
                found.append(run)
    return found, now


def said(runs: list[PastRun], now: float) -> Judgement:
    return judge(Subject("h", "etc", ""), runs, None, now)


def office(day: date) -> Iterator[float]:
    yield from range(8, 19) if day.weekday() < 5 else ()


def weekday(day: date) -> Iterator[float]:
    yield from [2.5] if day.weekday() < 5 else ()


def night(day: date) -> Iterator[float]:
    """From Monday evening to Saturday morning."""
    if 0 < day.weekday() < 6:
        yield from range(6)
    if day.weekday() < 5:
        yield from range(20, 24)


# --- the first weekend, before a week is known

MONDAY = date(2026, 9, 7)


@pytest.mark.parametrize("hours", [office, weekday])
@pytest.mark.parametrize("hour", range(0, 54, 2))
def test_what_rests_on_its_first_weekend_is_not_lost(hours: Hours, hour: int) -> None:
    now = datetime.combine(MONDAY, datetime.min.time()) + timedelta(days=5, hours=hour)
    assert said(*made(hours, MONDAY, now)).verdict in (OK, WARNING)


def test_it_is_lost_when_monday_brings_none() -> None:
    runs, now = made(weekday, MONDAY, datetime(2026, 9, 15, 12))
    alone = [run for run in runs if run.started < now - 3 * DAY]
    assert said(runs, now).verdict is OK
    assert said(alone, now).verdict is CRITICAL


def test_a_failure_is_no_rest_and_a_friday_no_weekend() -> None:
    runs, now = made(weekday, MONDAY, datetime(2026, 9, 14, 0, 30))
    failed = runs[-1]._replace(
        started=now - DAY, done=0, step="COPYING", status="FAILED", bytes=None
    )
    assert said(runs, now).verdict is WARNING
    assert said([*runs, failed], now + 12 * HOUR).verdict is CRITICAL
    until_thursday = runs[:-1]
    assert said(until_thursday, now).verdict is CRITICAL


@pytest.mark.parametrize("days", [3, 10, 16, 25, 31])
def test_what_is_missed_is_the_first_that_did_not_come_however_long_ago(days: int) -> None:
    runs, now = made(lambda _: iter([2.5]), date(2026, 6, 1), datetime(2026, 7, 31, 12))
    reason = said(runs[-31:], now + days * DAY).reason
    expected = "Sat 02:30" if days < 6 else "2026-08-01 02:30"
    assert reason.startswith(f"missed: expected by {expected}; ")


# --- by the calendar


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        # the last Friday, the first Monday: six of them say so
        (
            ["2026-03-27", "2026-04-24", "2026-05-29", "2026-06-26", "2026-07-31", "2026-08-28"],
            "2026-09-25",
        ),
        (
            ["2026-04-06", "2026-05-04", "2026-06-01", "2026-07-06", "2026-08-03", "2026-09-07"],
            "2026-10-05",
        ),
        (["2026-04-24", "2026-05-29", "2026-06-26", "2026-07-31", "2026-08-28"], None),
        # a day, the last day
        (["2026-07-15", "2026-08-15", "2026-09-15"], "2026-10-15"),
        (["2026-06-30", "2026-07-31", "2026-08-31"], "2026-09-30"),
        (["2026-01-31", "2026-02-28", "2026-03-31"], "2026-04-30"),
        # quarters, and a month that was missed
        (["2026-01-01", "2026-04-01", "2026-07-01"], "2026-10-01"),
        (["2026-05-01", "2026-06-01", "2026-08-01"], "2026-09-01"),
        (["2025-10-10", "2025-11-10", "2025-12-10"], "2026-01-10"),
        # the fourth or the last Friday: nobody knows yet
        (
            ["2026-01-23", "2026-02-27", "2026-03-27", "2026-04-24", "2026-06-26", "2026-09-25"],
            "2026-10-23",
        ),
        (
            ["2025-11-28", "2025-12-26", "2026-02-27", "2026-03-27", "2026-04-24", "2026-06-26"],
            "2026-07-31",
        ),
        # too few, no rule, twice a month
        (["2026-07-15", "2026-08-15"], None),
        (["2026-07-03", "2026-08-12", "2026-09-20"], None),
        (["2026-07-15", "2026-08-01", "2026-08-15"], None),
    ],
)
def test_the_day_of_a_month(days: list[str], expected: str | None) -> None:
    hour = 5 * HOUR
    good = [datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() + hour for day in days]
    found = next_of_month(good)
    shown = None if found is None else datetime.fromtimestamp(found, UTC).isoformat(" ")
    assert shown == (expected and f"{expected} 05:00:00+00:00")


def last_friday(day: date) -> Iterator[float]:
    yield from [3.0] if day.weekday() == 4 and (day + timedelta(days=7)).month != day.month else []


def test_a_last_friday_that_was_missed_is_told_within_days() -> None:
    # After four weeks, and after five.
    for year, month, day in ((2026, 9, 25), (2026, 10, 30)):
        due = datetime(year, month, day, 3)
        runs, now = made(last_friday, date(2026, 1, 1), due)
        assert said(runs, now + 20 * HOUR).verdict is OK
        late = said(runs, now + 2 * DAY)
        assert late.verdict is WARNING
        assert late.codes == {"missed"}
        assert said(runs, now + 33 * DAY).verdict is CRITICAL


def test_a_first_of_a_month_that_waits_for_a_monday_is_not_missed_while_few_are_known() -> None:
    def first(day: date) -> Iterator[float]:
        yield from [4.0] if day.day == 1 else []

    # The 1st of August 2026 is a Saturday.
    runs, now = made(first, date(2026, 4, 20), datetime(2026, 8, 1, 3))
    assert [run.local for run in runs] == sorted(run.local for run in runs)
    assert said(runs, now + 2 * DAY).verdict is OK
    assert said(runs, now + 3.5 * DAY).codes == {"missed"}
    longer, _ = made(first, date(2025, 12, 20), datetime(2026, 8, 1, 3))
    assert said(longer, now + 1.5 * DAY).codes == {"missed"}


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Europe/Warsaw", date(2026, 10, 25)),
        ("America/New_York", date(2026, 11, 1)),
        ("Australia/Sydney", date(2026, 4, 5)),
        ("America/Santiago", date(2026, 4, 5)),
        ("Europe/Warsaw", date(2026, 3, 29)),
        ("America/New_York", date(2026, 3, 8)),
    ],
)
@pytest.mark.parametrize("hours", [office, night, lambda _: iter((0, 12)), weekday])
def test_nothing_is_late_by_a_change_of_the_clocks(zone: str, day: date, hours: Hours) -> None:
    runs, end = made(
        hours, day - timedelta(days=60), datetime(day.year, day.month, day.day, 23), zone
    )
    more, _ = made(hours, day, datetime(day.year, day.month, day.day) + timedelta(days=2), zone)
    all_of_them = [*(run for run in runs if run.started < more[0].started), *more]
    for number in range(-132, 150, 3):
        now = end + number * 600.0
        known = [run for run in all_of_them if run.started + 60 < now]
        assert said(known, now).verdict is OK, datetime.fromtimestamp(now, ZoneInfo(zone))


def test_clocks_may_have_gone_back_by_no_more_than_an_hour() -> None:
    sunday = datetime(2026, 10, 25, tzinfo=UTC).timestamp()
    assert may_be_ahead(sunday - 2 * HOUR, sunday - HOUR) == 0
    assert may_be_ahead(sunday - 2 * HOUR, sunday + 600) == 600
    assert may_be_ahead(sunday - 50 * HOUR, sunday + 30 * HOUR) == HOUR
    assert may_be_ahead(sunday + 5 * HOUR, sunday + 30 * HOUR) == 0
    assert may_be_ahead(sunday - 7 * DAY, sunday - 6 * DAY) == 0
    daily = [sunday - number * DAY for number in (3, 2, 1)]
    assert clock(Past(daily), sunday + HOUR) == sunday + HOUR
    hourly = [sunday - number * HOUR for number in (3, 2, 1)]
    assert clock(Past(hourly), sunday + HOUR) == sunday


# --- sizes


def sized(sizes: list[int], step: float = DAY, **last: Any) -> tuple[list[PastRun], float]:
    """Runs with these sizes, the oldest first."""
    now = datetime(2026, 9, 16, 12, tzinfo=UTC).timestamp()
    runs = [
        PastRun(now - HOUR - number * step, bytes=size, done=1, total=1, files=size // 1000 + 1)
        for number, size in enumerate(reversed(sizes))
    ][::-1]
    return [*runs[:-1], runs[-1]._replace(**last)], now


def noisy(sizes: list[int], seed: int = 1) -> list[int]:
    chance = random.Random(seed)
    return [round(size * exp(chance.gauss(0, 0.05))) for size in sizes]


FULL, PART = 5_000_000, 200_000


@pytest.mark.parametrize("sizes", [[FULL, PART] * 20, [PART, FULL] * 20, [PART, PART, FULL] * 14])
def test_full_and_incremental_in_turns_are_usual(sizes: list[int]) -> None:
    assert said(*sized(noisy(sizes))).verdict is OK


@pytest.mark.parametrize(
    ("last", "code"), [(FULL // 2, "shrunk"), (FULL * 3, "grown"), (90, "shrunk")]
)
def test_what_is_neither_is_told(last: int, code: str) -> None:
    judged = said(*sized(noisy([PART, FULL] * 20), bytes=last))
    assert judged.verdict is WARNING
    assert code in judged.codes


def test_what_changed_for_a_while_has_no_levels() -> None:
    assert levels([FULL] * 30 + [PART] * 10) == [[FULL] * 30 + [PART] * 10]
    assert levels([FULL, PART] * 4) == [[FULL, PART] * 4]
    assert levels([FULL, PART] * 5) == [[PART] * 5, [FULL] * 5]
    assert levels([]) == [[]]
    assert said(*sized(noisy([FULL] * 30 + [PART] * 5))).codes == {"shrunk", "files"}
    # The third time that it is half as large is no habit.
    assert "shrunk" in said(*sized(noisy([FULL] * 30 + [FULL // 3, FULL] * 2 + [FULL // 3]))).codes


def test_what_is_small_at_night_is_not_small() -> None:
    sizes = noisy([FULL if 8 <= number % 24 < 18 else PART for number in range(24 * 20)])
    for hours in range(0, 24, 3):
        assert said(*sized(sizes[: len(sizes) - hours], HOUR)).verdict is OK
    # What stays small in the day is.
    assert "shrunk" in said(*sized([*sizes[:-12], *noisy([PART] * 4)], HOUR)).codes


def test_what_always_varies_is_not_held_against_a_month_ago() -> None:
    chance = random.Random(7)
    sizes = [round(FULL * exp(chance.gauss(0, 0.8))) for _ in range(60)]
    verdicts = [
        said([run._replace(files=None) for run in runs], now).verdict
        for runs, now in (sized(sizes[:count]) for count in range(40, 60))
    ]
    assert verdicts.count(OK) >= 19
    shrinking = [round(FULL * 0.97**number) for number in range(60)]
    assert said(*sized(noisy(shrinking))).codes == {"shrunk"}
