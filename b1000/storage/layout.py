"""Where backups lie below a root: names to their parts. Pure.

``JOB/YYYY-MM-DD-Weekday/NAME`` is a full, whose NAME ends in its date and time; ``JOB/NAME`` a
sync. Names that are not exactly so are none of ours.
"""

import functools
import re
from datetime import date, datetime, timedelta

from b1000.b1k import mark
from b1000.config import grammar
from b1000.expressions import expression
from b1000.named import NamedTuple
from b1000.rsync import paths

KEEP = ".keep"
"""Ends the name of a file beside a backup that nobody may remove."""
SUMS = ".sha256.gz"
"""Ends the name of the list of sums beside a backup."""
BESIDE = (mark.SUFFIX, KEEP, SUMS)
REMOVED = ".b1000-removed"
"""The directory of a root into which backups are moved to be removed."""

_DAY = expression(r"([0-9]{4})-([0-9]{2})-([0-9]{2})-([A-Z][a-z]+)", re.ASCII)
_OURS = "[A-Za-z0-9][A-Za-z0-9._:-]{0,254}"
_FULL = expression(
    f"({_OURS})-([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}-[A-Z][a-z]{{2}})-((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])"
)
_IS_OURS = expression(_OURS)
_DATE_LENGTH, _SHORT = len("YYYY-MM-DD"), len("Sun")


_AHEAD = timedelta(days=1)


def is_ahead(named: datetime, now: datetime) -> bool:
    """Whether a name is so far ahead of a clock that its backup is never the newest."""
    return named > now + _AHEAD


class Place(NamedTuple):
    """A directory of a backup below its root.

    ``whose`` is what its name has before the date: host, instance and master with dashes
    between, of which only a mark or the journal knows which is which. ``start_time`` is as in
    :data:`b1000.rsync.paths.START_TIME`, in the local time of who wrote it; "" of a sync.
    """

    job: str
    day: str
    name: str
    whose: str
    start_time: str = ""

    @property
    def type(self) -> str:
        """Of what type of job it is."""
        return "full" if self.day else "sync"

    @property
    def path(self) -> str:
        """Where it lies below the root."""
        return f"{self.job}/{self.day}/{self.name}" if self.day else f"{self.job}/{self.name}"


@functools.lru_cache(maxsize=4096)
def is_day(name: str) -> bool:
    """Whether a directory of a job holds fulls: a date and its own weekday."""
    found = _DAY.fullmatch(name)
    if not found:
        return False
    try:
        day = date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return False
    return paths.WEEKDAYS[day.weekday()] == found[4]


@functools.lru_cache(maxsize=4096)
def is_job(name: str) -> bool:
    """Whether a directory of a root can be that of a job."""
    return len(name) <= grammar.LONGEST_NAME and bool(grammar.NAME.fullmatch(name))


def full(job: str, day: str, name: str) -> Place | None:
    """The place of a full by its name in the directory of a day; None where it is none of ours.

    It is read from its end: what comes before the date may hold dashes and dates itself.
    """
    found = _FULL.fullmatch(name)
    if not found:
        return None
    whose, date, clock = found.groups()
    if date != _date(day):
        return None
    return Place(job, day, name, whose, f"{day[:_DATE_LENGTH]}-{clock.replace(':', '-')}")


@functools.lru_cache(maxsize=4096)
def _date(day: str) -> str:
    """How the date of a day's directory stands in the names of its fulls."""
    return day[: _DATE_LENGTH + 1 + _SHORT]


def sync(job: str, name: str) -> Place | None:
    """The place of a sync; None where it is none of ours."""
    if is_day(name) or name.endswith(grammar.BESIDE) or not _is_ours(name):
        return None
    return Place(job, "", name, name)


def _is_ours(name: str) -> bool:
    return bool(_IS_OURS.fullmatch(name))


def place(path: str) -> Place | None:
    """The place that a path below a root is; None where it is none of ours."""
    job, *rest = path.split("/")
    if not is_job(job):
        return None
    if len(rest) == 2 and is_day(rest[0]):
        return full(job, *rest)
    return sync(job, *rest) if len(rest) == 1 else None
