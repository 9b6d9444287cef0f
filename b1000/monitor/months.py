"""What the calendar says where the week does not: monthly runs, and clocks that go back. Pure.

Moments are local times as seconds, as in ``freshness``.
"""

from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise

from b1000.monitor.history import DAY, HOUR

_LEAST, _MOST = 3, 6  # runs that say on which day of a month it is
_WEEKDAYS = 6  # that say on which weekday of it: four weeks and five come in turns
_EPOCH = date(1970, 1, 1).toordinal()
_SUNDAY = 6

_Rule = Callable[[int, int], Iterator[int]]
"""The days that are meant in a year's month."""


def next_of_month(good: Sequence[float]) -> float | None:
    """When the next is due where the last ones came once a month or rarer, by a rule; else None.

    That is a day of it, or a weekday such as the last Friday. A month that was missed is no matter.
    """
    days = [date.fromordinal(int(moment // DAY) + _EPOCH) for moment in good[-_MOST:]]
    months = [day.year * 12 + day.month - 1 for day in days]
    steps = [later - earlier for earlier, later in pairwise(months)]
    if len(days) < _LEAST or min(steps) < 1:
        return None
    year, month = divmod(months[-1] + min(steps), 12)
    found = [
        day
        for rule in _rules(days[-1], len(days) >= _WEEKDAYS)
        if all(day.day in rule(day.year, day.month) for day in days)
        for day in rule(year, month + 1)
    ]
    if not found:
        return None
    hour = max(moment % DAY for moment in good[-_MOST:])
    return (date(year, month + 1, max(found)).toordinal() - _EPOCH) * DAY + hour


def _rules(last: date, weekdays: bool) -> Iterator[_Rule]:
    """All by which the last run may have been on its day; ``weekdays``: those of them too."""
    weekday, count = last.weekday(), (last.day - 1) // 7

    def of_weekday(year: int, month: int) -> list[int]:
        first = 1 + (weekday - date(year, month, 1).weekday()) % 7
        return list(range(first, monthrange(year, month)[1] + 1, 7))

    yield lambda _, __: iter([last.day] if last.day <= 28 else [])
    yield lambda year, month: iter([monthrange(year, month)[1]])
    if weekdays:
        yield lambda year, month: iter(of_weekday(year, month)[count : count + 1])
        yield lambda year, month: iter(of_weekday(year, month)[-1:])


def may_be_ahead(last: float, now: float) -> float:
    """By how much the clock of a host may have been put back since it was heard of last.

    Nobody knows it before its next run: on which Sundays that is so depends on the country.
    """
    today = date.fromordinal(int(now // DAY) + _EPOCH)
    for back in range(8):
        day = today - timedelta(days=back)
        began = (day.toordinal() - _EPOCH) * DAY
        if began + 4 * HOUR <= last:
            return 0.0
        if _goes_back(day):
            # No more than the age grows by: what is late stays late.
            return min(HOUR, now - began)
    return 0.0


def _goes_back(day: date) -> bool:
    """Europe's last Sunday of October, America's first of November, the south's first of April."""
    if day.weekday() != _SUNDAY:
        return False
    return (day.month == 10 and day.day > 24) or (day.month in (4, 11) and day.day <= 7)
