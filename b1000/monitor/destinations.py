"""What copies at each destination came to in the last days."""

from collections.abc import Callable
from datetime import datetime, timedelta

from b1000.monitor.causes import Destination
from b1000.monitor.statements import Expressions
from b1000.reports.source import DatabaseSource
from b1000.runs.states import CopyStatus

_MOST_ROWS = 60_000  # of runs
_DAYS = 7


def read_destinations(
    source: DatabaseSource, now: float, host: str = "", job: str = ""
) -> Callable[[], list[Destination]]:
    """Of all, or of a host and a job; of the last week, or of as much as can soon be read.

    Asks; what is given waits for the answer, and nothing else is asked until then.
    """
    expressions = Expressions(source)
    days = _days(source, now) if not host else float(_DAYS)
    good = f"(c.status = '{CopyStatus.DONE}' OR {expressions.vanished})"
    ended = f"({good} OR c.status = '{CopyStatus.FAILED}')"
    started = expressions.started("jobs")
    where, given = "j.start_time >= ?", [_ago(now, days)]
    if host:
        where += " AND (j.host = ? OR j.master_host = ?)"
        given += [host, host]
    if job:
        where += " AND j.name = ?"
        given.append(job)
    statement = (
        f"SELECT c.destination, SUM(CASE WHEN {good} THEN 1 ELSE 0 END), "
        f"SUM(CASE WHEN {ended} THEN 1 ELSE 0 END), "
        f"SUM(CASE WHEN {good} THEN {expressions.column('copies', 'copy_bytes')} END), "
        f"MAX(CASE WHEN {good} THEN {started} END) "
        f"FROM jobs j JOIN copies c ON c.job_id = j.job_id WHERE {where} GROUP BY c.destination"
    )
    rows = source.meanwhile(statement, given)
    return lambda: [
        Destination(
            name,
            last_good=float(last) if last is not None else None,
            success=float(well) / float(all_) if all_ else None,
            bytes_per_day=float(size or 0) / days,
        )
        for name, well, all_, size, last in rows()
    ]


def _days(source: DatabaseSource, now: float) -> float:
    ((daily,),) = source.rows("SELECT COUNT(*) FROM jobs WHERE start_time >= ?", (_ago(now, 1),))
    return max(1.0, min(float(_DAYS), float(_MOST_ROWS // max(1, daily))))


def _ago(now: float, days: float) -> str:
    return (datetime.fromtimestamp(now) - timedelta(days=days)).isoformat(" ", "seconds")
