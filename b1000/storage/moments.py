"""Times that people name on the command line. Pure."""

import re
from datetime import datetime, time

from b1000.errors import UsageError
from b1000.expressions import expression
from b1000.rsync import paths

_NAMED = expression(r"[0-9]{4}(-[0-9]{2}){5}", re.ASCII)
_RIGHT = "such as 2026-11-22, '2026-11-22 10:11' or 2026-11-22T10:11:12+01:00"


def latest(text: str) -> float:
    """The last second that is at or before a time, in seconds since the epoch.

    A date alone means all of its day; without an offset it is this machine's time.
    """
    try:
        if _NAMED.fullmatch(text):
            return paths.moment(text).timestamp()
        when = datetime.fromisoformat(text)
        if len(text) <= len("2026-11-22"):
            when = datetime.combine(when.date(), time.max)
        elif not when.second and text.count(":") == 1:
            when = when.replace(second=59, microsecond=999_999)
        return when.timestamp()
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r} is no time", _RIGHT) from None
