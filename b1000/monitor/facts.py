"""From the history of a subject to the facts that the rules of the monitor look at. Pure."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from b1000.monitor.history import DAY, HOUR, MINUTE, NO_PLAN, PastRun, PlanRow, span

TOLERANCE = 2.5  # usual intervals
LEAST_AGE = HOUR
AGE_AFTER_ONE = 26 * HOUR  # a daily backup, and some time for it
TRIAL = 3 * DAY  # of good backups, before which nothing counts as usual
_SKEW = 10 * MINUTE  # by which clocks may differ before it is told
_MOST_SKEW = 26 * HOUR  # a clock further ahead says nothing of when a run was
LOOKED_AT = 5
"""How many runs of the past say what is usual."""


class Facts(NamedTuple):
    """All that rules look at. ``since``: ended runs after the last good one, without a copy."""

    runs: Sequence[PastRun]
    plan: PlanRow
    now: float
    live: Sequence[PastRun]
    ahead: Sequence[PastRun]
    last_good: PastRun | None
    age: float | None
    max_age: float | None
    expected_by: str
    unlearned: str
    since: Sequence[PastRun]
    usual_bytes: float | None
    usual_data_age: float | None

    @property
    def too_old(self) -> bool:
        """The last good backup is older than it may get."""
        return self.age is not None and self.max_age is not None and self.age > self.max_age


def facts_of(history: Iterable[PastRun], plan: PlanRow | None, now: float) -> Facts:
    """What the rules look at; ``history`` in any order."""
    runs = sorted(history, key=_by_time)
    live = _live(runs)
    ahead: Sequence[PastRun] = ()
    believed = runs
    if runs and runs[-1].started > now + _SKEW:
        ahead = [run for run in runs if run.started > now + _SKEW]
        believed = [run for run in runs if run.started <= now + _MOST_SKEW]
    good = [run for run in believed if run.good]
    starts = [run.started for run in good]
    max_age, expected_by = _expectation(starts, plan)
    last_good = _last_good(good, live, max_age, now)
    earlier = good[: good.index(last_good)][-LOOKED_AT:] if last_good else []
    since: Sequence[PastRun] = believed
    if last_good:
        since = () if last_good is believed[-1] else believed[believed.index(last_good) + 1 :]
    return Facts(
        runs=runs,
        plan=plan or NO_PLAN,
        now=now,
        live=live,
        ahead=ahead,
        last_good=last_good,
        age=max(0.0, now - last_good.started) if last_good else None,
        max_age=max_age,
        expected_by=expected_by,
        unlearned=_unlearned(starts),
        since=[run for run in since if not (run.good or run.acknowledged or run in live)],
        usual_bytes=_median([run.bytes for run in earlier if run.bytes is not None]),
        usual_data_age=_median([run.data_age for run in earlier if run.data_age is not None]),
    )


_by_time = attrgetter("started", "job_id")


def _live(runs: Sequence[PastRun]) -> list[PastRun]:
    """Runs without an end; one that another run of its instance followed is dead."""
    if not [run for run in runs if not run.ended]:
        return []
    last = {(run.made_on, run.listed_as): run for run in runs}
    return [run for run in last.values() if not run.ended]


def _last_good(
    good: Sequence[PastRun], live: Sequence[PastRun], max_age: float | None, now: float
) -> PastRun | None:
    """The last good run; one that still copies counts only where no other is fresh enough."""
    ended = [run for run in good if run not in live]
    if ended and (max_age is None or now - ended[-1].started <= max_age):
        return ended[-1]
    return good[-1] if good else None


def learned_age(good: Sequence[float]) -> float | None:
    """How old a backup may get, from the ascending start times of the good ones of the past."""
    if not good:
        return None
    if _unlearned(good):
        return AGE_AFTER_ONE
    gaps = [later - earlier for earlier, later in pairwise(good[-LOOKED_AT - 1 :])]
    return max(LEAST_AGE, (_median(gaps) or 0) * TOLERANCE)


def _unlearned(good: Sequence[float]) -> str:
    """Why the good backups, by their ascending start times, do not say yet what is usual."""
    if not good or good[-1] - good[0] >= TRIAL:
        return ""
    known = f"of {span(good[-1] - good[0])}" if len(good) > 1 else "a single one"
    return f"its good backups are {known}, and {span(TRIAL)} of them say what is usual"


def _expectation(good: Sequence[float], plan: PlanRow | None) -> tuple[float | None, str]:
    if plan and plan.max_backup_age:
        return plan.max_backup_age, "plan"
    learned = learned_age(good)
    # A row without an age still says that there has to be a backup.
    if plan and learned is None:
        return learned, "plan"
    return learned, "default" if _unlearned(good) else "learned"


def _median(values: Sequence[float]) -> float | None:
    """As ``statistics`` does it, without its questions about kinds of numbers."""
    ascending = sorted(values)
    half = len(ascending) // 2
    if len(ascending) % 2:
        return ascending[half]
    return (ascending[half - 1] + ascending[half]) / 2 if ascending else None
