"""Is the monitor right? A back-test of its rules on made-up fleets, for a year.

``python -m bench judgement``: false alarms by kind of schedule, how soon a missed run is told,
how many of the situations in ``faults.py`` are seen, and how many healthy ones are called bad.
"""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from statistics import median

from b1000.monitor.history import DAY, HOUR, MINUTE, PlanRow, Subject
from b1000.monitor.holidays import days_off, softened
from b1000.monitor.verdicts import Judgement, Verdict, judge
from bench.faults import FAULTS, Fault
from bench.fleets import (
    BY_NAME,
    FIRST,
    HOLIDAYS,
    SCHEDULES,
    ZONES,
    Schedule,
    Story,
    a_trait,
    moment_of,
    runs_of,
)
from bench.measure import Result
from bench.site import Site

_SUBJECTS = 12  # of each schedule
_MOMENTS = 250  # at which each is looked at
_TRIALS = 12  # of each fault
_FIRST_DAY = 90  # before it there is too little to know
_LAST_DAY = 470  # of all that are looked at
_FLEET_SIZE = 400
_FLEET = {
    "daily": 0.6, "daily, spread over an hour": 0.1, "weekdays": 0.12, "weekly": 0.05,
    "monthly": 0.03, "hourly": 0.02, "office hours": 0.02, "every two days": 0.02,
    "Tuesday and Friday": 0.03, "laptops": 0.01,
}  # fmt: skip
_CLOCKS = {
    date(2025, 10, 5), date(2025, 10, 26), date(2025, 11, 2),
    date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 5), date(2026, 10, 4),
}  # fmt: skip
_MUST_SEE = 0.75  # of the trials of a situation that counts as seen
_SUBJECT = Subject("host", "job", "")
FALSE = {
    "daily": 0.001, "daily, spread over an hour": 0.001, "weekdays": 0.001, "weekly": 0.001,
    "monthly": 0.001, "Tuesday and Friday": 0.001, "office hours": 0.015, "laptops": 0.015,
}  # fmt: skip
"""At most so much of the time a healthy subject may be CRITICAL."""
SOON = {"daily": 3 * HOUR, "weekly": 6 * HOUR, "monthly": 6 * DAY}
"""Within what a missed run has to be told."""


def _said(story: Story, now: float, plan: PlanRow | None = None) -> Judgement:
    return judge(_SUBJECT, story.known(now), plan, now)


def _stories(schedule: Schedule, seed: int, failing: float = 0.0) -> list[Story]:
    chance = random.Random(f"{schedule.name} {seed}")
    return [Story(runs_of(chance, a_trait(chance, schedule, failing))) for _ in range(_SUBJECTS)]


def false_alarms(schedule: Schedule, seed: int = 1) -> tuple[float, float]:
    """How much of the time healthy subjects are CRITICAL, and how much they are not OK."""
    chance = random.Random(f"{schedule.name} moments {seed}")
    critical = wrong = seen = 0
    for story in _stories(schedule, seed):
        for _ in range(_MOMENTS):
            said = _said(story, moment_of(0, chance.uniform(_FIRST_DAY * 24, _LAST_DAY * 24)))
            seen += 1
            critical += said.verdict is Verdict.CRITICAL
            wrong += said.verdict is not Verdict.OK
    return critical / seen, wrong / seen


def delay(schedule: Schedule, seed: int = 1) -> float:
    """Seconds until a run that did not come is told, from when it should have begun: the median."""
    chance = random.Random(f"{schedule.name} delay {seed}")
    step = 10 * MINUTE if schedule.name != "monthly" else 2 * HOUR
    found = []
    for story in _stories(schedule, seed):
        for _ in range(3):
            first = next(
                index for index, run in enumerate(story.runs)
                if run.started > moment_of(_FIRST_DAY + 30)
            )  # fmt: skip
            index = chance.randrange(first, len(story.runs) - 1)
            missed = story.runs[index].started
            without = Story(story.runs[:index])
            now = missed
            while _said(without, now).verdict is Verdict.OK and now < missed + 90 * DAY:
                now += step
            found.append(now - missed)
    return median(found)


def fleet(seed: int = 1) -> list[Story]:
    """Healthy subjects as a site has them: most run daily."""
    chance = random.Random(f"fleet {seed}")
    return [
        Story(runs_of(chance, a_trait(chance, BY_NAME[name])))
        for name, share in _FLEET.items()
        for _ in range(round(share * _FLEET_SIZE))
    ]


def awkward_moments(seed: int = 1) -> Iterator[float]:
    """Mondays, the days on which clocks change, firsts of a month, and any others, of a year."""
    chance = random.Random(f"awkward {seed}")
    for day in range(_LAST_DAY - 365, _LAST_DAY):
        today = FIRST + timedelta(days=day)
        if today in _CLOCKS:
            yield from (moment_of(day, hour) for hour in range(0, 36, 4))
        elif today.weekday() == 0 and day % 3 == 0:
            yield from (moment_of(day, hour) for hour in (3, 11, 20))
        elif today.day == 1 or chance.random() < 0.05:
            yield moment_of(day, chance.uniform(0, 24))


def worst_moment(seed: int = 1) -> float:
    """The share of the healthy subjects of a fleet that are not OK, at the worst of those."""
    stories = fleet(seed)
    return max(
        sum(_said(story, now).verdict is not Verdict.OK for story in stories) / len(stories)
        for now in awkward_moments(seed)
    )


def at_holidays(seed: int = 1) -> tuple[float, float]:
    """How much of the time from a holiday on weekday jobs are CRITICAL: by themselves, in a fleet.

    In each zone they rest on the same days; a third as many others run daily.
    """
    chance = random.Random(f"holidays {seed}")
    zones = (*ZONES[:2], ZONES[3])
    stories = [
        Story(runs_of(chance, a_trait(chance, BY_NAME[name])._replace(zone=zone)))
        for zone in zones
        for name in ("public holidays",) * 9 + ("daily",) * 3
    ]
    alone = together = looked = 0
    for holiday in sorted(HOLIDAYS):
        day = (holiday - FIRST).days
        if not _FIRST_DAY < day < _LAST_DAY or holiday.weekday() > 4:
            continue
        for hour in range(0, 5 * 24, 4):
            now = moment_of(day, hour)
            found = [
                judge(Subject(f"host{number}", "job", ""), story.known(now), None, now)
                ._replace(made_on=f"host{number}")
                for number, story in enumerate(stories)
            ]  # fmt: skip
            looked += 9 * len(zones)
            alone += sum(each.verdict is Verdict.CRITICAL for each in found)
            known = softened(found, days_off(found, now))
            together += sum(each.verdict is Verdict.CRITICAL for each in known)
    return alone / looked, together / looked


def seen(fault: Fault, seed: int = 1) -> float:
    """The share of trials in which a situation is told as bad as it is."""
    chance = random.Random(f"{fault.name} {seed}")
    told = 0
    for _ in range(_TRIALS):
        story = Story(runs_of(chance, a_trait(chance, BY_NAME[fault.schedule])))
        now = moment_of(chance.randrange(_FIRST_DAY + 60, _LAST_DAY), chance.uniform(0, 24))
        # A fault of the last run is looked at before the next: all have ended.
        known = [run for run in story.known(now) if run.ended]
        changed = fault.change(known, now)
        said = judge(_SUBJECT, changed, fault.plan, now).verdict
        told += said is Verdict.CRITICAL or said is fault.least
    return told / _TRIALS


def judgement(_: Site) -> list[Result]:
    """The figures as results with their targets; the rest is printed."""
    results = []
    print(f"{'schedule':<28} {'CRITICAL':>9} {'not OK':>8} {'told after':>11}", flush=True)
    for schedule in SCHEDULES:
        critical, wrong = false_alarms(schedule)
        late = delay(schedule)
        print(f"{schedule.name:<28} {critical:9.2%} {wrong:8.2%} {late / HOUR:9.1f} h", flush=True)
        if limit := FALSE.get(schedule.name):
            results.append(
                _result(f"false CRITICAL: {schedule.name}", critical * 100, limit * 100, "%")
            )
        if soon := SOON.get(schedule.name):
            results.append(_result(f"missed, told: {schedule.name}", late / HOUR, soon / HOUR, "h"))
        results.append(
            _result(
                f"healthy, not OK: {schedule.name}",
                wrong * 100,
                0.5,
                "%",
                schedule.name not in ("laptops", "office hours", "public holidays"),
            )
        )
    alone, together = at_holidays()
    print(f"weekdays, around holidays: {alone:.2%} CRITICAL alone, {together:.2%} in a fleet")
    results.append(_result("false CRITICAL: weekdays, around holidays", together * 100, 0.1, "%"))
    results.append(_result("healthy, not OK, at the worst moment", worst_moment() * 100, 0.5, "%"))
    right = 0
    for fault in FAULTS:
        share = seen(fault)
        right += share >= _MUST_SEE
        if share < 1:
            print(f"{fault.name:<40} seen in {share:.0%} of the trials", flush=True)
    missed = len(FAULTS) - right
    results.append(_result(f"situations not seen, of {len(FAULTS)}", missed, 2, ""))
    return results


def _result(question: str, ours: float, limit: float, unit: str, held: bool = True) -> Result:
    return Result(question, "at most", ours, limit, unit, 0.0, 1.0 if held else None)
