"""Numbers and times as people read them."""

import time
from datetime import datetime

from b1000.logstyle import inert as inert


def size(count: float) -> str:
    """A number of bytes, in units of 1024."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def clock(seconds: float) -> str:
    """A duration as hours, minutes and seconds."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def span(seconds: float) -> str:
    """A duration that may be short: ``0.4 s``, or as :func:`clock` writes it."""
    return f"{seconds:.1f} s" if seconds < 60 else clock(seconds)


def moment(when: float) -> str:
    """A local time with its date."""
    return datetime.fromtimestamp(when).strftime("%Y-%m-%d %H:%M:%S")


def since(when: float, now: float) -> str:
    """A local time, with its date where that is not today's."""
    then = time.localtime(when)
    today = then[:3] == time.localtime(now)[:3]
    return time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", then)


def iso(when: float) -> str:
    """A time as ISO 8601 with the offset of this machine."""
    return datetime.fromtimestamp(when).astimezone().isoformat(timespec="seconds")
