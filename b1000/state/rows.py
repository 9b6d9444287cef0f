"""The door through which rows of the journal come in: each column is checked, and named if bad.

What a column may hold follows from its declaration (type, NOT NULL), and from the rules here by
its name. A new column without a rule is checked by its declaration.
"""

import contextlib
import functools
import json
import re
import sqlite3
import types
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, get_args, get_origin

from b1000.config import grammar
from b1000.runs.run import Client, Frozen
from b1000.runs.states import CopyStatus, Ending, Status, Step
from b1000.state.schema import migrate

_LATEST = 32_503_680_000.0  # the year 3000: later times are damage, and no calendar has all of them
LARGEST = 2**53  # of a number or an id
_START_TIME = re.compile(r"\d{4}(-\d\d){5}")
_NOT_READ = (ValueError, TypeError, LookupError, AttributeError, RecursionError)

Read = Callable[[Any], Any]
"""A stored value → its meaning; raises one of the errors of Python where it has none."""


class Column(NamedTuple):
    """A column as the journal declares it."""

    name: str
    type: str
    required: bool


class Rule(NamedTuple):
    """How a column is read; ``instead`` is stored in the stead of what cannot be."""

    read: Read
    instead: object


Tables = Mapping[str, Mapping[str, Column]]
"""Table → its columns by name, as :func:`tables` finds them."""


def tables(connection: sqlite3.Connection) -> Tables:
    """The tables of a journal, their columns in order."""
    found: dict[str, dict[str, Column]] = {}
    declarations = _asked(
        connection,
        """SELECT tables.name, columns.name, columns.type, columns."notnull", columns.pk
           FROM sqlite_master AS tables JOIN pragma_table_info(tables.name) AS columns
           WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'""",
    )
    for table, name, kind, required, key in declarations:
        found.setdefault(table, {})[name] = Column(name, kind, bool(required or key))
    return found


class Declared(NamedTuple):
    """The tables that this program makes, and the words in which it does."""

    tables: Tables
    words: Mapping[str, str]


@functools.cache
def declared() -> Declared:
    """What a journal is to have."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        return Declared(tables(connection), _words_of(connection))


def _words_of(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(_asked(connection, "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def _asked(connection: sqlite3.Connection, sql: str) -> list[tuple[Any, ...]]:
    """An answer about the tables themselves, whose names may be damaged."""
    before, connection.text_factory = connection.text_factory, lenient
    try:
        return connection.cursor().execute(sql).fetchall()
    finally:
        connection.text_factory = before


def is_complete(connection: sqlite3.Connection) -> bool:
    """Whether a journal has all tables and columns that this program makes.

    Their words may be those of other programs, but not the same with another letter.
    """
    ours, found = declared(), tables(connection)
    complete = all(
        found.get(table, {}).get(name) == column
        for table, columns in ours.tables.items()
        for name, column in columns.items()
    )
    return complete and not any(
        words != ours.words.get(name, words) and len(words) == len(ours.words[name])
        for name, words in _words_of(connection).items()
    )


def lenient(raw: bytes) -> str | bytes:
    """A text as SQLite has it, for its text_factory: what is not UTF-8 stays bytes."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def parsed(kind: Any, text: Any) -> Any:
    """The JSON of a value of the type ``kind``, checked against its annotations."""
    return _made(kind, json.loads(_text(text)))


def read(
    table: str, row: Mapping[str, Any] | sqlite3.Row, columns: Mapping[str, Column]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The values of a row of ``table``, and the names of its columns that cannot be read."""
    values: dict[str, Any] = {}
    bad = []
    for column in columns.values():
        try:
            values[column.name] = _value(table, column, row[column.name])
        except _NOT_READ:
            bad.append(column.name)
            values[column.name] = _stand_in(table, column)
    return values, tuple(bad)


def _stand_in(table: str, column: Column) -> object:
    stored = instead(table, column)
    try:
        return _value(table, column, stored)
    except _NOT_READ:
        return stored  # A name has none: whose it was is not known any more.


def instead(table: str, column: Column) -> object:
    """What is stored in the stead of something that cannot be read."""
    if not column.required:
        return None
    return _rule(table, column).instead


Names = Mapping[str, Sequence[tuple[str, Column]]]
"""The columns that bear a name, with their tables."""


def by_name(known: Tables) -> Names:
    """The columns of all tables by their names."""
    found: dict[str, list[tuple[str, Column]]] = {}
    for table, columns in known.items():
        for column in columns.values():
            found.setdefault(column.name, []).append((table, column))
    return found


def unreadable(row: sqlite3.Row, known: Names) -> list[str]:
    """The columns of an answer that cannot be read, by what columns of their names may hold."""
    return [
        name
        for name, value in zip(row.keys(), tuple(row), strict=True)
        if type(value) is bytes or not _fits_one(value, known.get(name, ()))
    ]


def _fits_one(value: object, declared: Sequence[tuple[str, Column]]) -> bool:
    for table, column in declared:
        try:
            _value(table, column, value)
        except _NOT_READ:
            continue
        return True
    return not declared


def _value(table: str, column: Column, value: object) -> Any:
    if value is None and not column.required:
        return None
    return _rule(table, column).read(value)


def _rule(table: str, column: Column) -> Rule:
    return _RULES.get(f"{table}.{column.name}") or _RULES.get(column.name) or _BY_TYPE[column.type]


def moment_of(start_time: str) -> float:
    """The time that a start time names, as the local clock has it; ValueError if there is none."""
    # Not strptime: what it needs takes longer to import than all rows to read.
    year, month, day, hour, minute, second = map(int, start_time.split("-"))
    return datetime(year, month, day, hour, minute, second).timestamp()


def is_moment(value: object) -> bool:
    """Whether it is a time that calendars have."""
    return type(value) in (int, float) and 0 <= value < _LATEST  # type: ignore[operator]


# --- what a value may be


def _text(value: Any) -> str:
    if type(value) is not str or "\0" in value:
        raise ValueError
    return value


def _words(value: Any) -> str:
    """What only people read."""
    if type(value) is not str:
        raise ValueError
    return value


def _number(value: Any) -> int:
    if type(value) is not int or abs(value) > LARGEST:
        raise ValueError
    return value


def _count(value: Any) -> int:
    if _number(value) < 0:
        raise ValueError
    return int(value)


def _identity(value: Any) -> int:
    if _number(value) < 1:
        raise ValueError
    return int(value)


def _flag(value: Any) -> bool:
    if type(value) is not int or value not in (0, 1):
        raise ValueError
    return bool(value)


def _amount(value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) <= LARGEST:
        raise ValueError
    return float(value)


def _moment(value: Any) -> float:
    if not is_moment(value):
        raise ValueError
    return float(value)


def _start_time(value: Any) -> str:
    if not _START_TIME.fullmatch(_text(value)):
        raise ValueError
    moment_of(value)
    return str(value)


def _some_text(value: Any) -> str:
    if not _text(value):
        raise ValueError
    return str(value)


def _name(value: Any) -> str:
    return grammar.name(_text(value))


def _absent_or(read_it: Read) -> Read:
    return lambda value: value if value == "" and type(value) is str else read_it(value)


def _word(*kinds: type[StrEnum]) -> Read:
    words = {word.value: word for kind in kinds for word in kind}
    return lambda value: words[_text(value)]


def _one_of(*words: str) -> Read:
    return lambda value: {word: word for word in words}[_text(value)]


def _names(value: Any) -> tuple[str, ...]:
    return tuple(map(_name, parsed(tuple[str, ...], value)))


def _client(value: Any) -> Client:
    client: Client = parsed(Client, value)
    grammar.own_host(client.host)
    _name(client.job)
    _start_time(client.start_time)
    if client.started is not None:
        _moment(client.started)
    if "/" in client.file:
        raise ValueError
    return client


def _encodable(value: Any) -> str:
    """JSON can name half characters, which nothing else takes."""
    _text(value).encode()
    return str(value)


def _made(kind: Any, value: Any) -> Any:
    """What JSON has of a value of the type ``kind``; nothing unknown, nothing of another type."""
    if kind in _PLAIN:
        return _PLAIN[kind](value)
    if isinstance(kind, types.UnionType):
        some, _ = get_args(kind)  # something or None
        return None if value is None else _made(some, value)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    if fields := getattr(kind, "_fields", None):
        if not value.keys() <= set(fields):
            raise ValueError
        return kind(**{name: _made(kind.__annotations__[name], value[name]) for name in value})
    return _collection(kind, value)


def _collection(kind: Any, value: Any) -> Any:
    kinds: Sequence[Any] = get_args(kind)
    if get_origin(kind) is not tuple:
        return {_made(kinds[0], key): _made(kinds[1], each) for key, each in value.items()}
    if type(value) is not list:
        raise ValueError
    if kinds[-1] is Ellipsis:
        return tuple(_made(kinds[0], each) for each in value)
    return tuple(_made(each, one) for each, one in zip(kinds, value, strict=True))


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError
    return value


_PLAIN: Mapping[Any, Read] = {str: _encodable, int: _number, float: _amount, bool: _truth}

_BY_TYPE = {
    "TEXT": Rule(_text, ""),
    "INTEGER": Rule(_number, 0),
    "REAL": Rule(_moment, 0.0),
}

_RULES = {
    "run_id": Rule(_identity, 0),
    "transition_id": Rule(_identity, 0),
    "copy_id": Rule(_identity, 0),
    "listing_id": Rule(_identity, 0),
    "uid": Rule(_some_text, ""),
    "job": Rule(_name, ""),
    "instance": Rule(_absent_or(_name), ""),
    "host": Rule(lambda value: grammar.own_host(_text(value)), "unknown"),
    # As it is written in the section of a job that cannot be run.
    "direction": Rule(_text, ""),
    "start_time": Rule(_start_time, ""),
    "begun": Rule(_flag, 1),  # What it may have begun stands in the way of older data.
    "own_dump": Rule(_flag, 0),
    "background": Rule(_flag, 0),
    "attempts": Rule(_count, 0),
    "bytes": Rule(_count, 0),
    "files": Rule(_count, 0),
    "sent": Rule(_count, 0),
    "number": Rule(_count, 0),
    "last_transition": Rule(_count, 0),
    "data_age": Rule(_amount, 0.0),
    "ending": Rule(_word(Ending), Ending.CLOSED),
    "reports": Rule(_names, "[]"),
    "instances": Rule(_names, "[]"),
    "frozen": Rule(lambda value: parsed(Frozen, value), "{}"),
    "client": Rule(_client, ""),
    "report": Rule(_name, ""),
    **dict.fromkeys(
        ("error", "reason", "trouble", "behind", "waiting", "purpose", "doubt"), Rule(_words, "")
    ),
    "runs.step": Rule(_word(Step), Step.INIT),
    "runs.status": Rule(_word(Status), Status.FAILED),
    "copies.destination": Rule(_name, ""),
    "copies.path": Rule(_some_text, "unknown"),
    "copies.type": Rule(_one_of("active", "passive"), "active"),
    "copies.status": Rule(_word(CopyStatus), CopyStatus.FAILED),
    "attempts.destination": Rule(_name, ""),
    "unsettled.path": Rule(_some_text, "unknown"),
    "spoilt": Rule(_flag, 0),
    "claimed": Rule(_flag, 0),
    "transitions.step": Rule(_word(Step), Step.INIT),
    "transitions.status": Rule(_word(Status, CopyStatus), Status.FAILED),
}
"""By the name of a column, which means the same in all tables, or by ``table.column``."""
