"""The columns of the journal's tables, as a file declares them and as this program makes them."""

import contextlib
import functools
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from b1000.named import NamedTuple
from b1000.state import schema
from b1000.state.migrations import migrate


class JournalColumn(NamedTuple):
    """A column as the journal declares it."""

    name: str
    type: str
    required: bool


Tables = Mapping[str, Mapping[str, JournalColumn]]
"""Table → its columns by name, as :func:`tables` finds them."""


def tables(connection: sqlite3.Connection) -> Tables:
    """The tables of a journal, their columns in order."""
    found: dict[str, dict[str, JournalColumn]] = {}
    declarations = _asked(
        connection,
        """SELECT tables.name, columns.name, columns.type, columns."notnull", columns.pk
           FROM sqlite_master AS tables JOIN pragma_table_info(tables.name) AS columns
           WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'""",
    )
    for table, name, kind, required, key in declarations:
        found.setdefault(table, {})[name] = JournalColumn(name, kind, bool(required or key))
    return found


class Declared(NamedTuple):
    """The tables that this program makes, and the words in which it does."""

    tables: Tables
    definitions: Mapping[str, str]


@functools.cache
def declared() -> Declared:
    """What a journal is to have."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        return Declared(tables(connection), _definitions(connection))


def made(connection: sqlite3.Connection) -> Tables:
    """The tables that this program makes; a journal that has just these is asked for them."""
    return tables(connection) if is_as_made(connection) else declared().tables


def is_as_made(connection: sqlite3.Connection) -> bool:
    """Whether all is declared in the very words of this program, which need not be made to know."""
    return fingerprint(connection) == schema.FINGERPRINT


def fingerprint(connection: sqlite3.Connection) -> int:
    """A number for the words in which a journal's tables are declared."""
    return zlib.crc32(repr(sorted(_definitions(connection).items(), key=repr)).encode())


def _definitions(connection: sqlite3.Connection) -> dict[str, str]:
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
    if is_as_made(connection):
        return True
    if not _definitions(connection):
        return False  # a new one
    ours, found = declared(), tables(connection)
    complete = all(
        found.get(table, {}).get(name) == column
        for table, columns in ours.tables.items()
        for name, column in columns.items()
    )
    return complete and not any(
        definitions != ours.definitions.get(name, definitions)
        and len(definitions) == len(ours.definitions[name])
        for name, definitions in _definitions(connection).items()
    )


def lenient(raw: bytes) -> str | bytes:
    """A text as SQLite has it, for its text_factory: what is not UTF-8 stays bytes."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


Names = Mapping[str, Sequence[tuple[str, JournalColumn]]]
"""The columns that bear a name, with their tables."""


def by_name(known: Tables) -> Names:
    """The columns of all tables by their names."""
    found: dict[str, list[tuple[str, JournalColumn]]] = {}
    for table, columns in known.items():
        for column in columns.values():
            found.setdefault(column.name, []).append((table, column))
    return found
