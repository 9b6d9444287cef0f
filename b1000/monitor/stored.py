"""What the central database knows of backups at storages: rows of ``stored`` to witnesses."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from b1000.monitor.history import Subject
from b1000.monitor.witnesses import AtStorage, Flawed, Witnesses
from b1000.named import NamedTuple
from b1000.reports.source import DatabaseSource

_MICROSECONDS = 1e6  # of which the number of a change is made
_MOST_FLAWED = 5000
_GOOD = "s.state = 'complete' AND s.bad = 0"
_WHOSE = "s.host, s.name, s.instance, s.master_host, s.master_instance"
_PLACE = f"{_WHOSE}, s.storage, s.destination"
_KNOWN, _MISSING = "s.state <> 'removed'", "s.state = 'missing'"
_LONGEST_ERROR = 200  # characters of it that are told

_Place = tuple[Subject, str, str]


class _Scope(NamedTuple):
    """Which rows are wanted, as a condition with its parameters."""

    condition: str
    parameters: tuple[str, ...]


def read_stored(source: DatabaseSource, host: str = "", job: str = "") -> dict[Subject, Witnesses]:
    """What storages tell of each subject; nothing where the database has no place for it."""
    if not source.has("stored"):
        return {}
    scope = _scope(host, job)
    drills, held = _drills(source, scope), _held(source, scope)
    found: dict[_Place, AtStorage] = {}
    for key, place in _places(source, scope):
        place = place._replace(**drills.get(key, {}), held=held.get(key, ""))
        found[key] = _together(found[key], place) if key in found else place
    flawed: dict[Subject, list[Flawed]] = defaultdict(list)
    for subject, each in _flawed(source, scope):
        flawed[subject].append(each)
    places: dict[Subject, list[AtStorage]] = defaultdict(list)
    for (subject, *_), place in sorted(found.items()):
        places[subject].append(place)
    return {
        subject: Witnesses(
            tuple(each for each in places[subject] if each.is_there),
            tuple(flawed[subject]),
            tuple(each for each in places[subject] if each.lost is not None),
        )
        for subject in places.keys() | flawed.keys()
    }


def _scope(host: str, job: str) -> _Scope:
    conditions, parameters = ["1 = 1"], []
    if host:
        conditions.append("(s.host = ? OR s.master_host = ?)")
        parameters += [host, host]
    if job:
        conditions.append("s.name = ?")
        parameters.append(job)
    return _Scope(" AND ".join(conditions), tuple(parameters))


def _subject(host: str, job: str, instance: str, master_host: str, master: str) -> Subject:
    return Subject(master_host or host, job, master or instance)


def _places(source: DatabaseSource, scope: _Scope) -> Iterator[tuple[_Place, AtStorage]]:
    if not {"whose", "last_read_utc"} <= source.columns("stored"):
        yield from _grouped(source, scope, _UNREAD_FULL)
        return
    unread = f"{_UNREAD_FULL} {_UNREAD_SYNC}"
    if scope.parameters:
        yield from _grouped(source, scope, unread)
        return
    yield from _numbered(source, unread)
    # Rows of an older B1000, until they are told anew.
    yield from _grouped(source, _Scope("s.whose IS NULL", ()), unread)


_UNREAD_FULL = "WHEN s.type = 'full' THEN COALESCE(s.read_utc, s.first_seen_utc)"
"""Since when a backup was not read. A sync tree that was written since is none that was, and only
newer B1000s say when it was read before: they are those that tell a number."""
_UNREAD_SYNC = "WHEN s.whose IS NOT NULL THEN COALESCE(s.last_read_utc, s.first_seen_utc)"


_FACTS = 9


def _facts(source: DatabaseSource, unread: str) -> str:
    """What is asked of the rows of one place."""
    complete, good = "CASE WHEN s.state = 'complete' THEN", f"CASE WHEN {_GOOD} THEN"
    unread = f"{good} CASE {unread} END END"
    columns = (
        f"SUM({good} 1 ELSE 0 END)",
        *map(
            source.dialect.seconds,
            (
                f"MAX({complete} s.started_utc END)",
                *("MAX(s.read_utc)", f"MIN({unread})"),
                f"MIN(CASE WHEN {_MISSING} THEN NULL ELSE s.first_seen_utc END)",
                f"MAX(CASE WHEN {_MISSING} THEN s.started_utc END)",
            ),
        ),
        *(f"MAX({good} s.verify_every END)", f"MAX({good} s.drill_every END)"),
        f"SUM(CASE WHEN {_MISSING} THEN 0 ELSE 1 END)",
    )
    return ", ".join(f"{each} AS f{number}" for number, each in enumerate(columns))


def _grouped(
    source: DatabaseSource, scope: _Scope, unread: str
) -> Iterator[tuple[_Place, AtStorage]]:
    """By what names them."""
    rows = source.rows(
        f"SELECT {_PLACE}, {_facts(source, unread)} FROM stored s "
        f"WHERE {_KNOWN} AND {scope.condition} GROUP BY {_PLACE}",
        scope.parameters,
    )
    return map(_place, rows)


def _numbered(source: DatabaseSource, unread: str) -> Iterator[tuple[_Place, AtStorage]]:
    """By the numbers of places: an index has all that is asked, in that order."""
    rows = source.rows(
        f"SELECT {_PLACE}, {', '.join(f'g.f{number}' for number in range(_FACTS))} FROM ("
        f"SELECT MIN(s.stored_id) AS one, {_facts(source, unread)} FROM stored s "
        f"WHERE s.whose IS NOT NULL AND {_KNOWN} GROUP BY s.whose"
        ") g JOIN stored s ON s.stored_id = g.one"
    )
    return map(_place, rows)


def _place(row: tuple[Any, ...]) -> tuple[_Place, AtStorage]:
    *whose, storage, destination, kept, newest, read, since, seen, lost, verify, drill, there = row
    place = AtStorage(
        storage, destination, int(kept), _number(newest), _number(read), _number(since),
        seen=_number(seen), verify=_number(verify), drill=_number(drill),
        lost=_number(lost), is_there=bool(there),
    )  # fmt: skip
    return (_subject(*whose), storage, destination), place


def _held(source: DatabaseSource, scope: _Scope) -> dict[_Place, str]:
    """Why nothing is removed; few have a reason."""
    rows = source.rows(
        f"SELECT {_PLACE}, s.held FROM stored s "
        f"WHERE s.held <> '' AND s.state = 'complete' AND {scope.condition} ORDER BY s.held",
        scope.parameters,
    )
    return {
        (_subject(*whose), storage, destination): held
        for *whose, storage, destination, held in rows
    }


def _together(one: AtStorage, other: AtStorage) -> AtStorage:
    """A replica and its master, or two that did the same work, are one subject."""
    return one._replace(
        kept=one.kept + other.kept,
        newest=_most(one.newest, other.newest),
        read=_most(one.read, other.read),
        unread_since=_least(one.unread_since, other.unread_since),
        seen=_least(one.seen, other.seen),
        verify=one.verify or other.verify,
        drill=one.drill or other.drill,
        lost=_most(one.lost, other.lost),
        is_there=one.is_there or other.is_there,
    )


def _drills(source: DatabaseSource, scope: _Scope) -> dict[_Place, dict[str, Any]]:
    """When a drill last passed, of what is gone by now too, and how long it took."""
    found: dict[_Place, dict[str, Any]] = {}
    for *whose, storage, destination, drilled, took in source.rows(
        f"SELECT {_PLACE}, "
        f"{source.dialect.seconds('s.drilled_utc')}, s.recovery_time "
        f"FROM stored s WHERE s.drilled_utc IS NOT NULL AND s.bad = 0 AND {scope.condition} "
        "ORDER BY s.drilled_utc",
        scope.parameters,
    ):
        key = (_subject(*whose), storage, destination)
        found[key] = {"drilled": _number(drilled), "recovery": _number(took)}
    return found


def _flawed(source: DatabaseSource, scope: _Scope) -> Iterator[tuple[Subject, Flawed]]:
    seconds = source.dialect.seconds
    same = (
        "o.host = s.host AND o.name = s.name AND o.instance = s.instance AND o.state = 'complete' "
        "AND (o.run = s.run AND s.run <> '' OR o.started_utc = s.started_utc)"
    )
    rows = source.rows(
        f"SELECT {_PLACE}, s.path, s.bad, "
        f"substr(s.error, 1, {_LONGEST_ERROR}), "
        f"substr(COALESCE(s.drill_error, ''), 1, {_LONGEST_ERROR}), s.transition, "
        f"{seconds('s.started_utc')}, {seconds('s.tried_utc')}, "
        f"(SELECT COUNT(*) FROM stored o WHERE {same} AND o.bad = 0), "
        f"(SELECT COUNT(*) FROM stored o WHERE {same} AND o.bad = 1) "
        "FROM stored s WHERE s.error IS NOT NULL AND s.state = 'complete' "
        f"AND {scope.condition} ORDER BY s.started_utc DESC LIMIT {_MOST_FLAWED}",
        scope.parameters,
    )
    for row in rows:
        storage, destination, path, bad, error, drill, number, began, tried, good, alike = row[5:]
        flawed = Flawed(
            storage, destination, path, bool(bad), error, number / _MICROSECONDS,
            _number(began), _number(tried), drill, int(good), int(alike),
        )  # fmt: skip
        yield _subject(*row[:5]), flawed


def _number(value: object) -> float | None:
    return None if value is None else float(value)  # type: ignore[arg-type]


def _most(*values: float | None) -> float | None:
    return max((each for each in values if each is not None), default=None)


def _least(*values: float | None) -> float | None:
    return min((each for each in values if each is not None), default=None)
