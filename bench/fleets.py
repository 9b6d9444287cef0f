"""Made-up subjects with a year of runs, for the back-test of the monitor: no database."""

import random
from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from math import exp
from typing import NamedTuple
from zoneinfo import ZoneInfo

from b1000.monitor.history import DAY, HOUR, PastRun

ZONES = ("Europe/Warsaw", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")
FIRST = date(2025, 6, 2)
DAYS = 480
READ = 44 * DAY  # what `b1000 monitor` reads of each, and 31 runs at least
LEAST_READ = 31

# Days on which nobody is at work, though they are no Saturday and no Sunday.
HOLIDAYS = frozenset(
    date(year, month, day)
    for year in (2025, 2026)
    for month, day in ((1, 1), (1, 6), (5, 1), (6, 4), (8, 15), (11, 11), (12, 25), (12, 26))
) | {date(2026, 4, 6), date(2025, 4, 21), date(2025, 11, 27), date(2026, 11, 26)}

Starts = Callable[[random.Random, date], Iterator[float]]
"""Seconds after midnight, by the clock on the wall, of the runs of a day."""


class Schedule(NamedTuple):
    """When a kind of subject runs. ``hour``: when the first of a day begins, if nobody says."""

    name: str
    runs: Starts
    spread: float = 300.0
    healthy: bool = True


class Trait(NamedTuple):
    """What one subject is like for all of its life."""

    schedule: Schedule
    zone: str
    hour: float
    size: float
    growth: float
    noise: float
    duration: float
    failing: float = 0.0


def _every(chosen: Callable[[date], bool]) -> Starts:
    def runs(_: random.Random, day: date) -> Iterator[float]:
        if chosen(day):
            yield 0.0

    return runs


def _hourly(_: random.Random, __: date) -> Iterator[float]:
    yield from (hour * HOUR for hour in range(24))


def _office(_: random.Random, day: date) -> Iterator[float]:
    if day.weekday() < 5:
        yield from (hour * HOUR for hour in range(8, 19))


def _laptop(chance: random.Random, day: date) -> Iterator[float]:
    if chance.random() < (0.85 if day.weekday() < 5 else 0.2):
        yield chance.uniform(8, 19) * HOUR


SCHEDULES = (
    Schedule("daily", _every(lambda _: True)),
    Schedule("daily, spread over an hour", _every(lambda _: True), HOUR),
    Schedule("weekdays", _every(lambda day: day.weekday() < 5)),
    Schedule("weekly", _every(lambda day: day.weekday() == 6)),
    Schedule("monthly", _every(lambda day: day.day == 1)),
    Schedule("hourly", _hourly, 120),
    Schedule("office hours", _office, 120),
    Schedule("every two days", _every(lambda day: day.toordinal() % 2 == 0)),
    Schedule("Tuesday and Friday", _every(lambda day: day.weekday() in (1, 4))),
    Schedule("laptops", _laptop),
    Schedule("public holidays", _every(lambda day: day.weekday() < 5 and day not in HOLIDAYS)),
)
BY_NAME = {each.name: each for each in SCHEDULES}
_OWN_HOURS = ("hourly", "office hours", "laptops")


def a_trait(chance: random.Random, schedule: Schedule, failing: float = 0.0) -> Trait:
    """A subject of a kind."""
    return Trait(
        schedule,
        chance.choice(ZONES),
        0.0 if schedule.name in _OWN_HOURS else chance.choice((0.5, 1.5, 2.5, 4, 12.25, 20, 23)),
        10 ** chance.uniform(5, 11),
        chance.choice((0.0, 0.0, 0.001, 0.003)),
        chance.choice((0.0, 0.01, 0.05, 0.1)),
        10 ** chance.uniform(0.5, 3.5),
        failing,
    )


def runs_of(chance: random.Random, trait: Trait, days: int = DAYS) -> list[PastRun]:
    """All its runs, the oldest first."""
    zone = ZoneInfo(trait.zone)
    found: list[PastRun] = []
    for number in range(days):
        day = FIRST + timedelta(days=number)
        for second in trait.schedule.runs(chance, day):
            second += trait.hour * HOUR + chance.uniform(0, trait.schedule.spread)
            wall = datetime.combine(day, datetime.min.time()) + timedelta(seconds=round(second))
            moment = wall.replace(tzinfo=zone)
            start = moment.timestamp()
            # What the clock skips is not run twice; what it repeats is run once.
            offset = round(
                (datetime.fromtimestamp(start, zone).utcoffset() or timedelta()).total_seconds()
            )
            found.append(_run(chance, trait, number, start, float(offset), len(found) + 1))
    return found


def _run(
    chance: random.Random, trait: Trait, day: int, start: float, offset: float, number: int
) -> PastRun:
    size = trait.size * (1 + trait.growth) ** day * exp(chance.gauss(0, trait.noise))
    fails = chance.random() < trait.failing
    return PastRun(
        start,
        step="COPYING" if fails else "DONE",
        status="FAILED" if fails else "OK",
        done=0 if fails else 2,
        total=2,
        bytes=None if fails else max(1, round(size)),
        made_on="host",
        direction="push",
        job_id=number,
        offset=offset,
        duration=trait.duration * exp(chance.gauss(0, 0.15)),
        files=None if fails else 1000,
        attempts=2,
        places=() if fails else ("near", "far"),
        lacking=("near", "far") if fails else (),
    )


class Story:
    """The runs of one subject, and what of them is known at a moment."""

    def __init__(self, runs: list[PastRun]) -> None:
        self.runs = runs
        self._starts = [run.started for run in runs]

    def known(self, now: float) -> list[PastRun]:
        """As the monitor reads it: those of the last weeks, and some where they are few."""
        end = bisect_right(self._starts, now)
        first = min(bisect_right(self._starts, now - READ), max(0, end - LEAST_READ))
        some = self.runs[first:end]
        if some and some[-1].started + (some[-1].duration or 0) > now and some[-1].ended:
            live = some[-1]._replace(
                step="COPYING", status="OK", done=0, duration=None, bytes=None, files=None
            )
            some[-1] = live
        return some


def moment_of(day: int, hour: float = 0.0) -> float:
    """UTC, so many days after the first."""
    return datetime.combine(FIRST, datetime.min.time(), UTC).timestamp() + day * DAY + hour * HOUR
