"""The option ``keep``: which backups of which groups are kept, and for how long. Pure.

A value has one or several lines; each is ``ITEM, ITEM ...``, for all groups, or
``PATTERN: ITEM, ITEM ...`` for those whose job, host and instance a pattern fits. The last line
that fits wins.
"""

import re
from calendar import monthrange
from collections.abc import Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from b1000.errors import BadValue, near, refuse_all
from b1000.expressions import expression
from b1000.named import NamedTuple

PERIODS = ("all", "hourly", "daily", "weekly", "monthly", "yearly")
_UNITS = {"h": "hours", "d": "days", "w": "weeks", "m": "months", "y": "years"}
_SPAN = expression(r"([1-9][0-9]{0,4})([hdwmy])")
_PART = expression(r"[A-Za-z0-9._:*?\[\]!-]+")
_RIGHT = "such as 'all 7d, daily 5w, monthly 13m'"


class Span(NamedTuple):
    """So long back: hours, days, weeks, or months and years of the calendar."""

    number: int
    unit: str

    def __str__(self) -> str:
        return f"{self.number}{self.unit}"

    def before(self, moment: datetime) -> datetime:
        """The moment that lies so long before; a day that its month has not is its last one."""
        if self.unit in "hdw":
            return _clipped(moment, timedelta(**{_UNITS[self.unit]: self.number}))
        months = moment.year * 12 + moment.month - 1
        months -= self.number * (12 if self.unit == "y" else 1)
        year, month = months // 12, months % 12 + 1
        if year < 1:
            return datetime.min
        return moment.replace(
            year=year, month=month, day=min(moment.day, monthrange(year, month)[1])
        )


def _clipped(moment: datetime, back: timedelta) -> datetime:
    try:
        return moment - back
    except OverflowError:
        return datetime.min


class Rule(NamedTuple):
    """One item. ``last N`` has ``number``, any other a ``span``, None for ever."""

    period: str
    span: Span | None = None
    number: int = 0

    def __str__(self) -> str:
        return f"{self.period} {self.number or self.span or 'ever'}"


class Line(NamedTuple):
    """One line: its pattern, "" for all groups, and its items."""

    pattern: str
    rules: tuple[Rule, ...]

    def fits(self, job: str, host: str, instance: str) -> bool:
        """Whether the pattern means this group: part by part, absent parts fit all."""
        parts = self.pattern.split("/") if self.pattern else []
        return all(
            fnmatchcase(word, part)
            for word, part in zip((job, host, instance), parts, strict=False)
        )


def line_for(lines: Sequence[Line], job: str, host: str, instance: str) -> Line | None:
    """The last line that fits a group; None: nothing of it is removed."""
    return next((each for each in reversed(lines) if each.fits(job, host, instance)), None)


def parse(text: str) -> tuple[Line, ...]:
    """The lines of a ``keep``. Raises BadValue, or several at once."""
    found: list[Line] = []
    mistakes: list[BadValue] = []
    for line in filter(None, map(str.strip, text.split("\n"))):
        pattern, colon, items = line.rpartition(": ")
        if not colon and line.endswith(":"):
            pattern, colon, items = line[:-1], ":", ""
        rules: list[Rule] = []
        try:
            if colon:
                _check_pattern(pattern)
        except BadValue as error:
            mistakes.append(error)
        for item in items.split(","):
            try:
                rules.append(_rule(item.split(), line))
            except BadValue as error:
                mistakes.append(error)
        found.append(Line(pattern.strip(), tuple(rules)))
    if not found:
        mistakes.append(BadValue("it is empty, and would keep nothing", _RIGHT))
    refuse_all(mistakes)
    return tuple(found)


def _check_pattern(pattern: str) -> None:
    parts = pattern.strip().split("/")
    if len(parts) > 3 or not all(map(_PART.fullmatch, parts)):
        raise BadValue(f"{pattern!r} is no pattern", "JOB, JOB/HOST or JOB/HOST/INSTANCE")


def _rule(words: Sequence[str], line: str) -> Rule:
    if not words:
        raise BadValue(f"an item of {line!r} is empty", f"items are separated by ',', {_RIGHT}")
    period, *amount = words
    if re.fullmatch("[0-9]+[a-z]?", period):
        raise BadValue(f"{period!r} says not of what", "such as 'last 3', 'all 7d' or 'daily 5w'")
    if ":" in period:
        right = "PATTERN, a colon and a blank, such as 'etc*: daily 7d'"
        raise BadValue(f"{period!r} is no pattern before an item", right)
    if period not in (*PERIODS, "last"):
        hint = near(period, (*PERIODS, "last")) or f"; one of {', '.join(PERIODS)} or last"
        raise BadValue(f"{period!r} is no period{hint}", _RIGHT)
    if len(amount) > 1:
        right = f"items are separated by ',', {_RIGHT}"
        raise BadValue(f"{' '.join(words)!r} is more than an item", right)
    if not amount:
        right = "'last 3'" if period == "last" else f"'{period} 7d' or '{period} ever'"
        raise BadValue(f"{period!r} says not how much", f"such as {right}")
    if period == "last":
        if not re.fullmatch("[1-9][0-9]{0,5}", amount[0]):
            raise BadValue(f"'last {amount[0]}' names no number", "such as 'last 3'")
        return Rule(period, number=int(amount[0]))
    if amount[0] == "ever":
        return Rule(period)
    span = _SPAN.fullmatch(amount[0])
    if not span:
        raise BadValue(
            f"{amount[0]!r} in '{' '.join(words)}' is no span",
            f"a number with h, d, w, m or y, such as '{period} 7d', or '{period} ever'",
        )
    return Rule(period, Span(int(span[1]), span[2]))
