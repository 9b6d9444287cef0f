"""What is usual of a number, by statistics that a fault of a few runs does not shift. Pure."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import combinations, groupby, pairwise
from math import exp, log

from b1000.named import NamedTuple

LOOKED_BACK = 60
"""So many runs of the past say what is usual."""
_LEAST = 5  # of them for a band
_TREND = 12  # of them for a trend
_UP, _DOWN = log(1.35), -log(0.65)
_SPREADS = 6.0
_APART = 2.0  # times as large as the next smaller one that a value of another level is
_VISITS = 5  # of each level, before it is a habit


class Band(NamedTuple):
    """What is expected, and between what it is usual."""

    low: float
    expected: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a value is usual."""
        return self.low <= value <= self.high


def median(values: Sequence[float]) -> float | None:
    """As ``statistics`` does it, without its questions about kinds of numbers."""
    ascending = sorted(values)
    half = len(ascending) // 2
    if len(ascending) % 2:
        return ascending[half]
    return (ascending[half - 1] + ascending[half]) / 2 if ascending else None


def band(values: Sequence[float]) -> Band | None:
    """What the next of these positive values may be, the oldest first; None: too few of them.

    35 %, or six times the median deviation from the trend, which is that between the thirds.
    """
    if len(values) < _LEAST:
        return None
    low, high = min(values), max(values)
    if high <= low * 1.1:
        # Hardly a change, as most have it: no more to be known of them.
        middle = sorted(values)[len(values) // 2]
        return Band(middle * 0.65, middle, middle * 1.35)
    logs = [log(value) for value in values]
    slope = _slope(logs)
    level = [each - slope * index for index, each in enumerate(logs)]
    middle = median(level) or 0.0
    spread = _SPREADS * (median([abs(each - middle) for each in level]) or 0.0)
    expected = middle + slope * len(logs)
    lowest, highest = expected, expected
    if len(logs) < _TREND:
        # So few say little of a trend: what is usual without one is usual too.
        flat = median(logs) or 0.0
        spread = max(spread, _SPREADS * (median([abs(each - flat) for each in logs]) or 0.0))
        lowest, highest = min(expected, flat), max(expected, flat)
    return Band(exp(lowest - max(_DOWN, spread)), exp(expected), exp(highest + max(_UP, spread)))


def levels(values: Sequence[float]) -> list[list[float]]:
    """The values by levels between which they change all the time, as full and incremental do.

    One list of all where they do not: what has changed once, or for a while, has no two levels.
    """
    ascending = sorted(values)
    if not ascending or ascending[-1] < _APART * ascending[0]:
        return [list(values)]
    limits = [later for earlier, later in pairwise(ascending) if later >= _APART * earlier]
    places = [bisect_right(limits, value) for value in values]
    visits = Counter(place for place, _ in groupby(places))
    if min(visits.values()) < _VISITS:
        return [list(values)]
    return [
        [value for value, its in zip(values, places, strict=True) if its == place]
        for place in sorted(visits)
    ]


def _slope(logs: Sequence[float]) -> float:
    """Growth with each run: a step of the last few moves no median of a third.

    Of a few runs it is the median of what any two of them say.
    """
    if len(logs) < _TREND:
        return (
            median([(b - a) / (n - m) for (m, a), (n, b) in combinations(enumerate(logs), 2)])
            or 0.0
        )
    third = len(logs) // 3
    first, last = median(logs[:third]), median(logs[-third:])
    middle = median(logs[third:-third])
    assert first is not None
    assert middle is not None
    assert last is not None
    halves = sorted((middle - first, last - middle))
    # What grows does so in both halves; a jump in one of them is none.
    steady = halves[0] if halves[0] > 0 else halves[1] if halves[1] < 0 else 0.0
    return 2 * steady / (len(logs) - third)
