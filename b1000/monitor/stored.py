"""What the central database knows of backups at storages: rows of ``stored`` to witnesses."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from b1000.monitor.history import Subject
from b1000.monitor.roots import together
from b1000.monitor.witnesses import AtStorage, Flawed, SameRun, Witnesses
from b1000.named import NamedTuple
from b1000.reports.source import DatabaseSource

_MICROSECONDS = 1e6  # of which the number of a change is made
_MOST_FLAWED = 5000
_GOOD = "s.state = 'complete' AND s.bad = 0"
_WRONG = "s.error IS NOT NULL AND s.state = 'complete'"
_WHOSE = "s.host, s.name, s.instance, s.master_host, s.master_instance"
_PLACE = f"{_WHOSE}, s.storage, s.destination"
_KNOWN, _MISSING = "s.state <> 'removed'", "s.state = 'missing'"
_LONGEST_ERROR = 200  # characters of it that are told
_NAMES = 8  # in _PLACE and a root


class _Place(NamedTuple):
    """Whose backups they are, who wrote them by its own word, and where they lie."""

    subject: Subject
    storage: str
    destination: str
    root: str
    host: str
    instance: str


class _Scope(NamedTuple):
    """Which rows are wanted, as a condition with its parameters."""

    condition: str
    parameters: tuple[str, ...]


def read_stored(source: DatabaseSource, host: str = "", job: str = "") -> dict[Subject, Witnesses]:
    """What storages tell of each subject; nothing where the database has no place for it.

    Each root is told by itself: ``roots.settled`` says which of them count.
    """
    if not source.has("stored"):
        return {}
    scope = _scope(host, job)
    drills, held = _drills(source, scope), _held(source, scope)
    found: dict[_Place, AtStorage] = {}
    for key, place in _places(source, scope):
        place = place._replace(**drills.get(key, {}), held=held.get(key, ""))
        found[key] = together(found[key], place) if key in found else place
    flawed: dict[Subject, list[Flawed]] = defaultdict(list)
    for subject, each in _flawed(source, scope):
        flawed[subject].append(each)
    places: dict[Subject, list[AtStorage]] = defaultdict(list)
    for key, place in sorted(found.items()):
        places[key.subject].append(place)
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


def _key(names: Sequence[str]) -> _Place:
    """Of ``_PLACE`` and a root."""
    host, job, instance, master_host, master, storage, destination, root = names
    subject = Subject(master_host or host, job, master or instance)
    return _Place(subject, storage, destination, root, host, instance)


def _root(source: DatabaseSource, table: str = "s") -> str:
    """An expression: the directory above that of the job, each client's own."""
    sync = f"{table}.type = 'sync'"
    above = [source.dialect.above(f"{table}.path", names) for names in (2, 3)]
    return f"CASE WHEN {sync} THEN {above[0]} ELSE {above[1]} END"


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


_FACTS = 10


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
        source.dialect.seconds("MIN(s.first_seen_utc)"),
    )
    return ", ".join(f"{each} AS f{number}" for number, each in enumerate(columns))


def _grouped(
    source: DatabaseSource, scope: _Scope, unread: str
) -> Iterator[tuple[_Place, AtStorage]]:
    """By what names them."""
    rows = source.rows(
        f"SELECT {_PLACE}, {_root(source)} AS root, {_facts(source, unread)} FROM stored s "
        f"WHERE {_KNOWN} AND {scope.condition} GROUP BY {_PLACE}, root",
        scope.parameters,
    )
    return map(_place, rows)


def _numbered(source: DatabaseSource, unread: str) -> Iterator[tuple[_Place, AtStorage]]:
    """By the numbers of places: an index has all that is asked, in that order.

    Those of an older B1000, until they are told anew, are of all roots that held them then.
    """
    rows = source.rows(
        f"SELECT {_PLACE}, {_root(source)}, "
        f"{', '.join(f'g.f{number}' for number in range(_FACTS))} FROM ("
        f"SELECT MIN(s.stored_id) AS one, {_facts(source, unread)} FROM stored s "
        f"WHERE s.whose IS NOT NULL AND {_KNOWN} GROUP BY s.whose"
        ") g JOIN stored s ON s.stored_id = g.one"
    )
    return map(_place, rows)


def _place(row: tuple[Any, ...]) -> tuple[_Place, AtStorage]:
    key = _key(row[:-_FACTS])
    kept, newest, read, since, seen, lost, verify, drill, there, first = row[-_FACTS:]
    place = AtStorage(
        key.storage, key.destination, int(kept), _number(newest), _number(read), _number(since),
        seen=_number(seen), verify=_number(verify), drill=_number(drill),
        lost=_number(lost), is_there=bool(there),
        root=key.root, host=key.host, instance=key.instance, first=_number(first),
    )  # fmt: skip
    return key, place


def _held(source: DatabaseSource, scope: _Scope) -> dict[_Place, str]:
    """Why nothing is removed; few have a reason."""
    rows = source.rows(
        f"SELECT {_PLACE}, {_root(source)}, s.held FROM stored s "
        f"WHERE s.held <> '' AND s.state = 'complete' AND {scope.condition} ORDER BY s.held",
        scope.parameters,
    )
    return {_key(names): held for *names, held in rows}


def _drills(source: DatabaseSource, scope: _Scope) -> dict[_Place, dict[str, Any]]:
    """When a drill last passed, of what is gone by now too, and how long it took."""
    found: dict[_Place, dict[str, Any]] = {}
    for *names, drilled, took in source.rows(
        f"SELECT {_PLACE}, {_root(source)}, "
        f"{source.dialect.seconds('s.drilled_utc')}, s.recovery_time "
        f"FROM stored s WHERE s.drilled_utc IS NOT NULL AND s.bad = 0 AND {scope.condition} "
        "ORDER BY s.drilled_utc",
        scope.parameters,
    ):
        found[_key(names)] = {"drilled": _number(drilled), "recovery": _number(took)}
    return found


def _flawed(source: DatabaseSource, scope: _Scope) -> Iterator[tuple[Subject, Flawed]]:
    seconds = source.dialect.seconds
    rows = [
        *source.rows(
            f"SELECT {_PLACE}, {_root(source)}, s.stored_id, s.run, s.path, s.bad, "
            f"substr(s.error, 1, {_LONGEST_ERROR}), "
            f"substr(COALESCE(s.drill_error, ''), 1, {_LONGEST_ERROR}), s.transition, "
            f"{seconds('s.started_utc')}, {seconds('s.tried_utc')} "
            f"FROM stored s WHERE {_WRONG} AND {scope.condition} "
            f"ORDER BY s.started_utc DESC LIMIT {_MOST_FLAWED}",
            scope.parameters,
        )
    ]
    same = _same(source, scope) if rows else {}
    for row in rows:
        key = _key(row[:_NAMES])
        number, run, path, bad, error, drill, transition, began, tried = row[_NAMES:]
        yield (
            key.subject,
            Flawed(
                *(key.storage, key.destination, path, bool(bad), error),
                *(transition / _MICROSECONDS, _number(began), _number(tried), drill),
                run=run, root=key.root, host=key.host, instance=key.instance,
                same=tuple(same.get(number, ())),
            ),
        )  # fmt: skip


def _same(source: DatabaseSource, scope: _Scope) -> dict[int, list[SameRun]]:
    """What may be of the run of each bad one, with that itself, by its number."""
    found: dict[int, list[SameRun]] = defaultdict(list)
    for number, *in_root, bad, run in source.rows(
        f"SELECT s.stored_id, o.storage, o.destination, {_root(source, 'o')}, o.host, o.instance, "
        "o.bad, o.run FROM ("
        f"SELECT s.* FROM stored s WHERE {_WRONG} AND {scope.condition} "
        f"ORDER BY s.started_utc DESC LIMIT {_MOST_FLAWED}"
        ") s JOIN stored o ON o.host = s.host AND o.name = s.name AND o.instance = s.instance "
        "AND (o.run = s.run AND s.run <> '' OR o.started_utc = s.started_utc) "
        "WHERE s.bad = 1 AND o.state = 'complete'",
        scope.parameters,
    ):
        found[number].append(SameRun(tuple(in_root), bool(bad), run))
    return found


def _number(value: object) -> float | None:
    return None if value is None else float(value)  # type: ignore[arg-type]
