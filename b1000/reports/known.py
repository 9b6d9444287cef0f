"""What a database knows of backups: at a storage that cannot be asked itself, or without marks."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from b1000.config import grammar
from b1000.errors import BadValue
from b1000.jobs import Report
from b1000.logstyle import printable
from b1000.marks.adopting import Told
from b1000.named import NamedTuple
from b1000.reports.expected import Stored as StoredThere
from b1000.reports.expected import Terms, expected
from b1000.reports.source import DatabaseSource
from b1000.restore.told import ToldOf
from b1000.rsync import paths
from b1000.runs.states import COMPLETE, CopyStatus
from b1000.runs.stored import MISSING, REMOVED, KnownCopy
from b1000.state.conditions import placeholders
from b1000.storage.layout import Place


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
    states = placeholders(COMPLETE)
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


_LONGEST_ERROR = 200  # characters of it that are told


def stored(
    settings: Report, job: str, hosts: Collection[str], removed: bool = False
) -> list[ToldOf]:
    """What storages have told of the backups of a job and some hosts that lie there, or of those
    that they have ``removed``. Raises NotDelivered.
    """
    state = f"= '{REMOVED}'" if removed else f"NOT IN ('{REMOVED}', '{MISSING}')"
    with DatabaseSource(settings) as source:
        if not source.has("stored"):
            return []
        seconds = source.dialect.seconds
        sums = "sums" if "sums" in source.columns("stored") else "''"
        rows = source.rows(
            f"""SELECT storage, path, run, {seconds("started_utc")}, bad, error,
                    {seconds("read_utc")}, {sums} FROM stored
                WHERE host IN ({placeholders(hosts)}) AND name = ? AND state {state}""",
            [*hosts, job],
        )
        return [
            ToldOf(
                str(storage),
                str(path),
                str(run),
                _seconds(began),
                _wrong(bad, error),
                _seconds(read),
                str(hashes),
                removed,
            )
            for storage, path, run, began, bad, error, read, hashes in rows
        ]


def _seconds(value: Any) -> float | None:
    return None if value is None else float(value)


def _wrong(bad: Any, error: Any) -> str:
    """What is told of it is somebody else's text."""
    return printable(str(error or "it is bad"))[:_LONGEST_ERROR] if bad else ""


# --- for what is missing

_ZONES = 2 * 86400.0  # seconds that local times of hosts are apart, at most


def expected_at(settings: Report, terms: Terms) -> list[KnownCopy]:
    """The complete backups that have to lie at storages. Raises NotDelivered."""
    with DatabaseSource(settings) as source:
        below = terms.below
        whose, hosts = "j.host = ? AND j.direction <> 'passive'", [terms.host]
        if terms.pulls and "relayed_by" in source.columns("jobs"):
            whose, hosts = f"({whose} OR j.relayed_by = ?)", [terms.host, terms.host]
        since = datetime.fromtimestamp(terms.since - _ZONES, UTC)
        where = f"""c.status IN ({placeholders(COMPLETE)}) AND {whose} AND j.start_time >= ?
            AND ({" OR ".join(["SUBSTR(c.path, 1, ?) = ?"] * len(below))}) ORDER BY j.start_time"""
        values = [
            *map(str, COMPLETE),
            *hosts,
            f"{since:%Y-%m-%d %H:%M:%S}",
            *(value for prefix in below for value in (len(prefix), prefix)),
        ]
        # A sync tree has a row for each run: the last of them is enough.
        last = {row[_FIELDS.index("c.path")]: row for row in _rows(source, where, values)}
        copies = list(_legible(last.values()))
        return expected(copies, _stored_of(source, terms.host) if copies else (), terms)


def _stored_of(source: DatabaseSource, host: str) -> Iterator[StoredThere]:
    """What storages have told of a host's backups, and it of what lies with it."""
    if not source.has("stored"):
        return
    rows = source.rows(
        f"""SELECT storage, path, {source.dialect.seconds("started_utc")}, state
            FROM stored WHERE host = ? OR storage = ?""",
        [host, host],
    )
    for storage, path, started, state in rows:
        yield StoredThere(str(storage), str(path), _seconds(started), state == REMOVED)


# --- for marks

_AT_ONCE = 50  # start times in one statement
_SYNCS = 5000  # rows of a job, the last ones: of a sync, one is enough
_FIELDS = (
    *("j.host", "j.instance", "j.master_host", "j.master_instance", "j.direction", "j.start_time"),
    *("j.data_age", "c.destination", "c.path", "c.status"),
)


def copies(settings: Report, job: str, places: Sequence[Place]) -> Iterator[Told]:
    """The copies of a job of which some places may be. Raises NotDelivered.

    Whatever became of them; those of later runs first.
    """
    times = sorted({each.start_time for each in places if each.start_time})
    with DatabaseSource(settings) as source:
        for start in range(0, len(times), _AT_ONCE):
            some = [_in_database(each) for each in times[start : start + _AT_ONCE]]
            where = f"j.name = ? AND j.start_time IN ({placeholders(some)})"
            yield from _legible(_rows(source, where, [job, *some]))
        if any(each.type == "sync" for each in places):
            where = f"j.name = ? ORDER BY j.start_time DESC LIMIT {_SYNCS}"
            yield from _legible(_rows(source, where, [job]))


def _rows(
    source: DatabaseSource, where: str, values: Sequence[object]
) -> Iterator[tuple[Any, ...]]:
    there = {"j": source.columns("jobs"), "c": source.columns("copies")}

    def added(table: str, name: str) -> str:
        """A column that databases of older installations have not."""
        return f"{table}.{name}" if name in there[table] else "NULL"

    fields = [
        *_FIELDS,
        source.dialect.seconds(added("j", "started_utc")),
        source.dialect.seconds(added("c", "copy_ended_utc")),
        added("c", "copy_bytes"),
        added("c", "copy_files"),
    ]
    return source.rows(
        f"""SELECT {", ".join(fields)} FROM jobs j JOIN copies c ON c.job_id = j.job_id
            WHERE c.type <> 'passive' AND {where}""",
        values,
    )


def _legible(rows: Iterable[tuple[Any, ...]]) -> Iterator[Told]:
    for row in rows:
        # Anybody may have written there.
        with suppress(BadValue, ValueError, OverflowError):
            yield _row(row)


def _row(row: tuple[Any, ...]) -> Told:
    host, instance, master_host, master_instance, direction, start, age, *rest = row
    destination, path, status, started, ended, size, files = rest
    for name in filter(None, (host, instance, master_host, master_instance)):
        grammar.host(str(name), "a name")
    start_time = str(start)[:19].replace(" ", "-").replace(":", "-")
    moment = paths.moment(start_time)
    return Told(
        str(host),
        str(instance),
        str(master_host),
        str(master_instance),
        str(direction),
        start_time,
        moment.timestamp() if started is None else float(started),
        None if age is None else float(age),
        str(destination),
        str(path),
        CopyStatus(str(status)),
        None if ended is None else float(ended),
        size if isinstance(size, int) else None,
        files if isinstance(files, int) else None,
    )


def _in_database(start_time: str) -> str:
    return f"{start_time[:10]} {start_time[11:].replace('-', ':')}"
