"""The directory of a backup at its destination. Pure."""

import functools
from collections.abc import Sequence
from datetime import UTC, datetime

from b1000 import addresses
from b1000.errors import BadValue
from b1000.expressions import expression

START_TIME = "%Y-%m-%d-%H-%M-%S"
"""How the start of a run is written in names, in local time."""

_LONGEST_NAME = 255  # bytes of one path component on the file systems in use
LONGEST = 4095  # bytes of a path that Linux takes; reports keep as much
_PLAIN = expression(r"[A-Za-z0-9/._:@,+-]+")
_DATE = len("YYYY-MM-DD")
MOST_EAST, MOST_WEST = 15 * 3600.0, 13 * 3600.0  # of all time zones, and an hour more
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def moment(start_time: str) -> datetime:
    """The local time that a start time is written of.

    Not strptime, whose first use loads a module and builds a pattern: each
    worker would do that anew.
    """
    year, month, day, hour, minute, second = map(int, start_time.split("-"))
    return datetime(year, month, day, hour, minute, second)


def is_local_time(start_time: str, instant: float) -> bool:
    """Whether some time zone has this local time at an instant, in seconds since the epoch."""
    hour, minute, second = map(int, start_time[_DATE + 1 :].split("-"))
    local = _midnight(start_time[:_DATE]) + hour * 3600 + minute * 60 + second
    return -MOST_WEST <= local - instant <= MOST_EAST


@functools.lru_cache(maxsize=4096)
def _midnight(date: str) -> float:
    return moment(f"{date}-00-00-00").replace(tzinfo=UTC).timestamp()


def file_stem(job: str, instance: str) -> str:
    """What the names of a run's report and status files begin with."""
    return f"{job}-{instance}"


def subject(host: str, instance: str, master_host: str, master_instance: str) -> str:
    """``HOST-INSTANCE-MASTERHOST-MASTERINSTANCE``; an absent part goes with its dash."""
    return "-".join(filter(None, (host, instance, master_host, master_instance)))


def directory(path: str, job: str, kind: str, whose: str, start_time: str) -> str:
    """The directory below a destination's ``path``, without a slash at its end.

    ``kind`` is the job's type (full or sync), ``whose`` the :func:`subject`,
    ``start_time`` as in :data:`START_TIME`. Day names are English whatever the
    locale. BadValue where a part or the whole is longer than a file system takes.
    """
    names = f"{job}/{whose}"
    if kind == "full":
        day, short = _days(start_time[:_DATE])
        names = f"{job}/{day}/{whose}-{short}-{start_time[_DATE + 1 :].replace('-', ':')}"
    whole = f"{path.rstrip('/')}/{names}"
    if len(whole.encode()) > _LONGEST_NAME:  # or else no name in it can be
        _refuse_long(path, names.split("/"), whole)
    return whole


def _refuse_long(path: str, names: Sequence[str], whole: str) -> None:
    for name in names:
        if len(name.encode()) > _LONGEST_NAME:
            raise BadValue(
                f"the directory name {name[:40]}... has {len(name.encode())} bytes",
                f"a name has at most {_LONGEST_NAME}; shorten host, instance or master",
            )
    if len(whole.encode()) > LONGEST:
        raise BadValue(
            f"the directory {path[:40]}... has {len(whole.encode())} bytes",
            f"a path has at most {LONGEST}; shorten the path of the destination",
        )


@functools.lru_cache(maxsize=4096)
def _days(date: str) -> tuple[str, str]:
    """How a date stands in the name of a day's directory, and in those of its fulls."""
    day = WEEKDAYS[moment(f"{date}-00-00-00").weekday()]
    return f"{date}-{day}", f"{date}-{day[:3]}"


def between(full: str, other: str) -> str | None:
    """The way from the directory of one full to that of another below the same destination.

    None where they are not below the same one. It holds no part of the
    destination's own path, and so means the same here and at a daemon, whatever
    directory that shows as its root.
    """
    (top, *own), (other_top, *others) = full.rsplit("/", 2), other.rsplit("/", 2)
    if top != other_top or own == others:
        return None
    # rsync 3.5 looks at each part of a path for each file: the shortest way is the quickest.
    same_day = own[0] == others[0]
    return f"../{others[1]}" if same_day else "/".join(["..", "..", *others])


def is_plain(path: str) -> bool:
    """Whether a path reaches a daemon as it is: an rsync before 3.2.8 adds backslashes."""
    return bool(_PLAIN.fullmatch(path))


def inside(path: str) -> str:
    """A directory as the rsync that writes there sees it: below its module, or as it is."""
    address = path.removeprefix("rsync://")
    return path if address == path else "/" + "/".join(address.split("/")[2:])


def parted(address: str) -> tuple[str, str]:
    """The address of a daemon's module, and the directory below it: empty, or ending in a slash."""
    host, module, *below = [part for part in address.removeprefix("rsync://").split("/") if part]
    return f"rsync://{host}/{module}", "".join(f"{part}/" for part in below)


def host_or_path(path: str) -> str:
    """How error texts call a destination: the host of an rsync address, or the local path."""
    return addresses.host_of(path) or path
