"""What the keys of a report file may hold: each check takes a text and how errors call it. Pure.

A check gives the value, or raises BadValue.
"""

import functools
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from b1000.config import grammar
from b1000.errors import BadValue
from b1000.expressions import expression
from b1000.runs.states import CopyStatus, Status, Step

LONGEST_ERROR = 1000  # characters
_UTC = "%Y-%m-%dT%H:%M:%SZ"
_DATE, _CLOCK = "[0-9]{4}-[0-9]{2}-[0-9]{2}", "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
INSTANT, START_TIME, NUMBER = f"{_DATE}T{_CLOCK}Z", f"{_DATE} {_CLOCK}", "[0-9]{1,15}"
"""Expressions: the form of a time in UTC, of a start time, and of a number."""
_INSTANT, _START_TIME = expression(INSTANT), expression(START_TIME)
_FIRST_YEAR, _LAST_YEAR = 2000, 2100
_LONGEST_MASTER = 255
_DIRECTIONS = ("push", "passive", "pull")

_State = TypeVar("_State", Step, Status, CopyStatus)


def as_it_is(text: str, _: str) -> str:
    """Any text."""
    return text


def or_absent(check: Callable[[str, str], str]) -> Callable[[str, str], str]:
    """The same check, but for a text that is empty."""
    return lambda text, what: check(text, what) if text else ""


def direction(text: str, what: str) -> str:
    """A direction of a job."""
    if text not in _DIRECTIONS:
        raise BadValue(f"{what} is {text[:20]!r}", "only a passive run waits for a pull")
    return text


def master(text: str, what: str) -> str:
    """A master host or a master's instance."""
    if len(text) > _LONGEST_MASTER:
        raise BadValue(f"{what} has {len(text)} characters", f"at most {_LONGEST_MASTER}")
    return grammar.host(text, what)


def one_of(kind: type[_State]) -> Callable[[str, str], _State]:
    """The check for a step or a status."""

    def check(text: str, what: str) -> _State:
        try:
            return kind(text)
        except ValueError:
            known = ", ".join(kind)
            raise BadValue(f"{what} is {text[:20]!r}", f"it is one of {known}") from None

    return check


def moment(text: str, what: str) -> datetime:
    """A date and time, six numbers with anything between them, in a year that can be meant."""
    try:
        # Not strptime, whose first use loads a module and builds a pattern: each worker would.
        year, month, day, hour, minute, second = map(int, re.findall("[0-9]+", text))
        when = datetime(year, month, day, hour, minute, second)
    except ValueError:
        raise BadValue(f"{what} is no date and time") from None
    _meant(when, what)
    return when


def _meant(when: datetime, what: str) -> None:
    if not _FIRST_YEAR <= when.year <= _LAST_YEAR:
        raise BadValue(f"{what} is of the year {when.year}")


def start_time(text: str, what: str) -> str:
    """A start time, as names have it."""
    if not _START_TIME.fullmatch(text):
        raise BadValue(f"{what} is no date and time", "YYYY-MM-DD HH:MM:SS")
    return in_names(text, what)


def in_names(text: str, what: str) -> str:
    """What has the form of a start time, as names have it."""
    _is_day(text[: len("YYYY-MM-DD")], what)
    return text.replace(" ", "-").replace(":", "-")


@functools.lru_cache(maxsize=4096)
def _is_day(date: str, what: str) -> None:
    # Of a hundred thousand marks there are few days.
    moment(f"{date} 00:00:00", what)


def instant_text(when: float) -> str:
    """Seconds since the epoch as :func:`instant` reads them."""
    return f"{datetime.fromtimestamp(when, UTC):{_UTC}}"


def instant(text: str, what: str) -> float | None:
    """Seconds since the epoch of a time in UTC; None where it is absent."""
    if not text:
        return None
    if not _INSTANT.fullmatch(text):
        raise BadValue(f"{what} is no time in UTC", "YYYY-MM-DDTHH:MM:SSZ")
    return since_epoch(text, what)


def since_epoch(text: str, what: str) -> float:
    """Seconds of what has the form of a time in UTC."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise BadValue(f"{what} is no date and time") from None
    _meant(when, what)
    return when.timestamp()


def seconds(text: str) -> float:
    """Seconds since the epoch of a time that is there."""
    found = instant(text, "the time")
    assert found is not None
    return found


def alive(text: str, what: str) -> str:
    """A time in UTC as it is written, or ""."""
    instant(text, what)
    return text


def age(text: str, what: str) -> float | None:
    """An age in seconds; None where it is unknown."""
    return grammar.age(text, what) if text else None


def number(text: str, what: str) -> int | None:
    """A number from 0 on; None where it is absent."""
    if text and not re.fullmatch(NUMBER, text):
        raise BadValue(f"{what} is no number")
    return int(text) if text else None


def error(text: str, what: str) -> str:
    """An error text in one line, with what is no plain character escaped."""
    if len(text) > LONGEST_ERROR:
        raise BadValue(f"{what} has {len(text)} characters", f"at most {LONGEST_ERROR}")
    # What could turn the direction of a line around or hide in it is shown as it is.
    return escaped(text)


def escaped(text: str) -> str:
    """The text with what is no plain character escaped, in one line."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode()
        for each in text
    )


def one_word(*known: str) -> Callable[[str, str], str]:
    """The check for one of these words."""

    def check(text: str, what: str) -> str:
        if text not in known:
            raise BadValue(f"{what} is {text[:20]!r}", f"it is {' or '.join(known)}")
        return text

    return check


def error_text(text: str) -> str:
    """An error text as :func:`error` takes it: one line, not too long, nothing but characters."""
    shown = "".join(each if each.isprintable() else " " for each in text[:LONGEST_ERROR])
    return " ".join(shown.split())
