"""How old the last good backup of a subject may get, learned from when its good ones began. Pure.

All moments are the host's local time as seconds, in which a schedule has no change of the
clocks: a run at 02:00 is one at 02:00 in winter and in summer. Ages are seconds.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from math import ceil
from operator import ge, sub

from b1000.monitor.history import DAY, HOUR, MINUTE, span
from b1000.monitor.months import may_be_ahead, next_of_month
from b1000.named import NamedTuple

WEEK = 7 * DAY
PROFILE_WEEKS = 6
"""So many weeks of the past say what is usual at an hour of the week."""
GAPS = 30
"""So many intervals of the past say what is usual elsewhere."""
TRIAL = 3 * DAY
"""Of good backups, before which nothing counts as usual."""
AGE_AFTER_ONE = 8 * DAY
AGE_IN_TRIAL = 26 * HOUR  # a daily backup, and some time for it
_LEAST_WEEKS = 4
_MORE = 1.1  # times the longest interval that a backup may be old
_EVEN = 1.5  # times the usual interval that the longest is of what one age can say
_RESTING = 2  # times the usual interval that the longest is at least where a week has days of rest
_LEAST_DAYS = 4  # of a week on which something runs that has others without a run
_SATURDAY, _SUNDAY = 5, 6
_MONTHS = 6  # runs of a month, half a year, that know its weekends
_RARE = 8 * DAY  # what runs as seldom has no profile within a week


class Expectation(NamedTuple):
    """``max_age``: beyond it is a WARNING, beyond ``critical_age`` CRITICAL; None: not known.

    ``by`` is "plan", "learned" or "default"; ``gap`` the usual interval, ``profile`` whether
    the hour of the week says it, ``longest`` what the longest interval would allow at any hour.
    """

    max_age: float | None
    critical_age: float | None
    by: str
    gap: float = DAY
    profile: bool = False
    longest: float | None = None


class Past(NamedTuple):
    """When good backups began, and when runs that made none did; both ascending."""

    good: Sequence[float]
    failed: Sequence[float] = ()


def learned(past: Past, now: float) -> Expectation:
    """What is expected at a moment after the last good backup."""
    good = past.good
    if not good:
        return Expectation(None, None, "learned")
    if len(good) == 1:
        return Expectation(AGE_AFTER_ONE, AGE_AFTER_ONE + DAY, "default")
    gaps = _own_gaps(past)
    gap = _middle(gaps)
    longest = max(gaps) * _MORE + slack(gap)
    if not unlearned(good):
        limit = _profile(good, len(good), gap, now) if gap <= _RARE else None
        if limit is not None and _explains(past, gap):
            return Expectation(limit, limit + max(gap, HOUR), "learned", gap, True, longest)
    limit = longest
    if unlearned(good):
        limit = max(limit, AGE_IN_TRIAL)
        return Expectation(limit, limit + max(gap, HOUR), "default", gap, False, longest)
    if gap <= _RARE and 0 < len(ages := _ages(good, len(good), gap, now)) < _LEAST_WEEKS:
        # Weekends and nights of the weeks that are known, until there are enough for a profile.
        limit = max(limit, max(ages) + slack(gap))
    if gap > _RARE and (moment := next_of_month(good)):
        # Of a few on the 1st nobody knows yet what they do where that is a Saturday.
        limit = moment - good[-1] + (DAY if len(good) >= _MONTHS else 3 * DAY)
    return Expectation(limit, limit + max(gap, HOUR), "learned", gap, False, longest)


def first_weekend(past: Past, now: float) -> float:
    """How much of the silence is the first weekend of what may have been made for weekdays.

    Nobody knows that yet: what does not come on it is missed, and is lost by so much later.
    """
    good = past.good
    if len(good) < 2 or good[-1] - good[0] >= WEEK or _SUNDAY in map(_weekday, good):
        return 0.0
    saturday = (good[-1] // DAY + (_SATURDAY - _weekday(good[-1])) % 7) * DAY
    if good[-1] + max(_own_gaps(past)) < saturday:
        return 0.0
    return max(0.0, min(now, saturday + 2 * DAY) - max(good[-1], saturday))


def clock(past: Past, here: float) -> float:
    """The local time of now by what is known of the host, or as it may have been put back since."""
    good = past.good
    if len(good) < 3 or good[-1] - good[-3] > 1.5 * DAY:
        return here  # To what runs as rarely an hour makes no difference.
    return here - may_be_ahead(good[-1], here)


def _weekday(moment: float) -> int:
    """Monday is 0; the epoch began on a Thursday."""
    return (int(moment // DAY) + 3) % 7


def unlearned(good: Sequence[float]) -> str:
    """Why the good backups do not say yet what is usual; empty where they do."""
    if not good or good[-1] - good[0] >= TRIAL:
        return ""
    known = f"of {span(good[-1] - good[0])}" if len(good) > 1 else "a single one"
    return f"its good backups are {known}, and {span(TRIAL)} of them say what is usual"


def inexpressible(expected: Expectation) -> str:
    """Why one age cannot say what is expected at each hour; empty where it can."""
    if not expected.profile or expected.longest is None:
        return ""
    longest = round((expected.longest - slack(expected.gap)) / _MORE)
    if longest <= _EVEN * expected.gap:
        return ""
    return (
        f"its intervals are {span(expected.gap)} to {span(longest)} by the hour of the week, "
        "and a plan has one age for all hours"
    )


def rests(good: Sequence[float], expected: Expectation) -> bool:
    """Whether it runs on most days of a week, and on the others never, as by the last weeks."""
    if (expected.longest or 0.0) < _RESTING * expected.gap:
        return False
    days = {int(moment // DAY) for moment in good if moment > good[-1] - _LEAST_WEEKS * WEEK}
    of_week = {day % 7 for day in days}
    return _LEAST_DAYS <= len(of_week) < 7 and len(days) > (_LEAST_WEEKS - 1) * len(of_week)


def slack(gap: float) -> float:
    """How much older than usual a backup may be."""
    return min(max(0.15 * gap, 30 * MINUTE), 12 * HOUR)


def lateness(gap: float) -> float:
    """How much later than usual a run may begin: less than slack, for it is told all the sooner."""
    return min(max(0.08 * gap, 30 * MINUTE), 4 * HOUR)


def due(past: Past, expected: Expectation, now: float) -> float:
    """By when the backup that is missing was expected: the first after the last good one."""
    last = past.good[-1]
    found = []
    if expected.profile:
        for week in _weeks(past.good, now):
            index = bisect_right(past.good, last - week * WEEK + expected.gap / 2)
            # Of weeks before the first one nothing is known.
            if 0 < index < len(past.good):
                found.append(past.good[index] + week * WEEK)
    known = sorted(moment for moment in found if last < moment <= now)
    if not known:
        return min(now, last + max(expected.max_age or 0.0, expected.gap))
    # The latest of them, but for one week that was unlike all others.
    return known[-2] if len(known) >= _LEAST_WEEKS else known[-1]


def given_up(past: Past, expected: Expectation, missed: float, rest: float) -> Expectation:
    """The same with the age at which it counts as lost: one more usual interval after that.

    By the hour of the week alone that would be at once where the interval missed was a long one.
    ``rest`` is what does not count of it.
    """
    if expected.max_age is None or expected.critical_age is None:
        return expected
    if not expected.profile:
        return expected._replace(critical_age=expected.critical_age + rest)
    age = missed - past.good[-1] + lateness(expected.gap) + max(expected.gap, HOUR)
    return expected._replace(critical_age=max(age, expected.max_age))


def _own_gaps(past: Past) -> list[float]:
    """The last intervals, without those that failures made; all where they made each."""
    some = past.good[-GAPS - 1 :]
    if not past.failed:
        return [later - earlier for earlier, later in pairwise(some)]
    gaps = [
        later - earlier for earlier, later in pairwise(some) if not _failed(past, earlier, later)
    ]
    return gaps or [later - earlier for earlier, later in pairwise(some)]


def _failed(past: Past, earlier: float, later: float) -> bool:
    """Whether a run between the two made no good backup."""
    return bisect_right(past.failed, earlier) < bisect_left(past.failed, later)


def _weeks(good: Sequence[float], now: float) -> range:
    """How many weeks ago to look: not into the silence since the last good backup."""
    first = max(1, ceil((now - good[-1]) / WEEK))
    return range(first, first + PROFILE_WEEKS)


def _profile(good: Sequence[float], count: int, gap: float, now: float) -> float | None:
    """The limit at this hour of the week, of the first so many; None where too little is known.

    How old was the last good backup at this hour in each week, had those that began just
    before been late? One week that was unlike all others is no rule.
    """
    ages = _ages(good, count, gap, now)
    if len(ages) < _LEAST_WEEKS:
        return None
    ages.sort()
    if ages[-1] - ages[-2] > gap / 2:
        ages.pop()
    return ages[-1] + slack(gap)


def _ages(good: Sequence[float], count: int, gap: float, now: float) -> list[float]:
    """How old the last good backup was at this hour in each week that is known, as above."""
    late = lateness(gap)
    ages = []
    moment = now - max(1, ceil((now - good[count - 1]) / WEEK)) * WEEK
    for _ in range(PROFILE_WEEKS):
        index = bisect_right(good, moment - late, 0, count)
        if not index:
            break
        ages.append(moment - good[index - 1])
        moment -= WEEK
    return ages


def _explains(past: Past, gap: float) -> bool:
    """Whether the profile would have called the last two weeks as good as they were."""
    good = past.good
    first = max(bisect_left(good, good[-1] - 2 * WEEK), 1)
    wrong = seen = 0
    late, more = lateness(gap), slack(gap)
    if not past.failed and _surely_all_hold(good, first, late, more):
        return True
    for index in range(first, len(good)):
        earlier, later = good[index - 1], good[index]
        if past.failed and _failed(past, earlier, later):
            continue
        weeks = 1 if later - earlier <= WEEK else ceil((later - earlier) / WEEK)
        if not _surely_holds(good, index, late, later - weeks * WEEK, later - earlier - more):
            limit = _profile(good, index, gap, later)
            if limit is None:
                continue
            wrong += later - earlier > limit
        seen += 1
    return bool(seen) and wrong <= min(seen // 10, 3)


def _surely_all_hold(good: Sequence[float], first: int, late: float, more: float) -> bool:
    """Whether that is so of each from the first on, by the two weeks before it; as most often."""
    moments = good[first:]
    least = [each - more for each in map(sub, moments, good[first - 1 :])]
    if not least or max(least) > WEEK - more:
        return False
    if good[0] > moments[0] - WEEK - (_LEAST_WEEKS - 1) * WEEK - late:
        return False
    for _ in range(2):
        moments = [moment - WEEK for moment in moments]
        last = [good[bisect_right(good, moment - late) - 1] for moment in moments]
        if not all(map(ge, map(sub, moments, last), least)):
            return False
    return True


def _surely_holds(
    good: Sequence[float], count: int, late: float, moment: float, least: float
) -> bool:
    """Whether the first weeks that a profile looks at are enough to know that its limit is met.

    Two of them were as old as that: whichever it takes, the limit is no lower. Most often so, and
    asked of each backup of two weeks of each subject. ``moment`` is in the first of these weeks.
    """
    if good[0] > moment - (_LEAST_WEEKS - 1) * WEEK - late:
        return False
    old = 0
    for _ in range(_LEAST_WEEKS):
        if moment - good[bisect_right(good, moment - late, 0, count) - 1] >= least:
            old += 1
            if old > 1:
                return True
        moment -= WEEK
    return least <= late


def _middle(values: Sequence[float]) -> float:
    ascending = sorted(values)
    return ascending[len(ascending) // 2]
