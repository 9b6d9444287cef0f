"""How much is read of a fleet, and which half of it by one of two processes."""

from datetime import datetime, timedelta
from itertools import accumulate

from b1000.monitor.freshness import PROFILE_WEEKS
from b1000.monitor.history import DAY
from b1000.named import NamedTuple
from b1000.reports.source import DatabaseSource

DAYS = PROFILE_WEEKS * 7 + 2
"""What rules look at."""
_MOST_ROWS = 600_000  # of the last days
_SCATTERED = 3  # so many rows are passed for one that is read
_SHARE = 0.48  # of all, for the first process, which puts both halves together
_LEAST_SHARE = 0.25  # that makes a second one worth it


class Hosts(NamedTuple):
    """Those whose runs one process reads: all, those before a name, or those from it on."""

    before: str = ""
    since: str = ""

    def condition(self, column: str) -> str:
        """What follows other conditions."""
        if self == ALL_HOSTS:
            return ""
        return f" AND {column} {'<' if self.before else '>='} ?"

    @property
    def given(self) -> tuple[str, ...]:
        """The parameters of that."""
        return tuple(filter(None, self))


ALL_HOSTS = Hosts()


class Extent(NamedTuple):
    """What is read of all hosts: the last ``days``, of which each has about ``daily`` runs.

    ``first`` and ``last`` are the numbers of the first and the last row where they lie close to
    each other in the table, else 0. ``half`` is the host at which one half ends, if one does.
    """

    days: float
    daily: int
    first: int = 0
    last: int = 0
    half: str = ""


class Scope(NamedTuple):
    """What is asked for: all, or what is of a host or of a job, or of one half of the ``hosts``."""

    host: str = ""
    job: str = ""
    hosts: Hosts = ALL_HOSTS


def extent_of(
    source: DatabaseSource, now: float, job: str = "", earlier: float | None = None
) -> Extent:
    """As much as rules look at, now and at an earlier moment, or as can soon be read."""
    of_hosts = list(
        source.rows(
            f"SELECT host, COUNT(*) FROM jobs WHERE start_time >= ?{' AND name = ?' if job else ''}"
            " GROUP BY host ORDER BY host",
            (ago(now, 1), *((job,) if job else ())),
        )
    )
    daily = sum(count for _, count in of_hosts)
    days = min(days_before(now, earlier), _MOST_ROWS / max(1, daily))
    found = Extent(days, daily, half=_middle(of_hosts, daily))
    if job or source.key("jobs") != ["job_id"]:
        return found
    ((count, first, last),) = source.rows(
        "SELECT COUNT(*), MIN(job_id), MAX(job_id) FROM jobs WHERE start_time >= ?",
        (ago(now, days),),
    )
    close = count and last - first < _SCATTERED * count
    return found._replace(first=first, last=last) if close else found


def days_before(now: float, earlier: float | None) -> float:
    """What rules look at, at both moments."""
    return DAYS if earlier is None else DAYS + (now - earlier) / DAY


def _middle(of_hosts: list[tuple[str, int]], daily: int) -> str:
    """The host from which on there are about as many runs as before; "" where one has too many."""
    upto = accumulate(count for _, count in of_hosts)
    shares = {
        host: (some - count) / daily for some, (host, count) in zip(upto, of_hosts, strict=True)
    }
    host = min(shares, key=lambda host: abs(shares[host] - _SHARE), default="")
    return host if _LEAST_SHARE <= shares.get(host, 0.0) <= 1 - _LEAST_SHARE else ""


def ago(now: float, days: float) -> str:
    """A local time of the past as databases compare it."""
    return (datetime.fromtimestamp(now) - timedelta(days=days)).isoformat(" ", "seconds")
