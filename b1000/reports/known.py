"""What a database knows of backups at a storage that cannot be asked itself."""

from typing import NamedTuple

from b1000.jobs import Report
from b1000.reports.source import DatabaseSource
from b1000.runs.states import COMPLETE


class Sought(NamedTuple):
    """Complete backups below ``path`` (a directory), of a host or master and an instance.

    ``host`` is "" for all, ``instance`` None; ``until`` is the latest start, None for any.
    """

    path: str
    host: str = ""
    instance: str | None = None
    until: float | None = None


def newest(settings: Report, sought: Sought) -> float | None:
    """When the newest of them began; None where none is known. Raises NotDelivered."""
    prefix = f"{sought.path.rstrip('/')}/"
    states = ", ".join("?" * len(COMPLETE))
    conditions = [f"c.status IN ({states})", "SUBSTR(c.path, 1, ?) = ?"]
    values: list[object] = [*map(str, COMPLETE), len(prefix), prefix]
    if sought.host:
        conditions.append("? IN (j.host, j.master_host)")
        values.append(sought.host)
    if sought.instance is not None:
        conditions.append("j.instance = ?")
        values.append(sought.instance)
    with DatabaseSource(settings) as source:
        started = source.dialect.seconds("j.started_utc")
        if sought.until is not None:
            conditions.append(f"{started} <= ?")
            values.append(sought.until)
        rows = source.rows(
            f"""SELECT MAX({started}) FROM jobs j JOIN copies c ON c.job_id = j.job_id
                WHERE {" AND ".join(conditions)}""",
            values,
        )
        ((found,),) = rows
    return None if found is None else float(found)
