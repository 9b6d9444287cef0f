"""How a journal gets its tables, and an older one those of today.

``user_version`` is the number of migrations that a journal has seen. A new one counts as having
seen all: its tables are made as they are today, by one script instead of many.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator

from b1000.errors import JournalUnusable
from b1000.state import schema

_HIGHEST = 10_000  # no program ever wrote a higher number


def is_misnumbered(version: int, is_complete: Callable[[], bool]) -> bool:
    """Whether the number of a journal's schema is damaged.

    ``is_complete``: its tables have all that this program makes.
    """
    strange = version < 0 or version > _HIGHEST
    return (strange or version < len(schema.MIGRATIONS)) and is_complete()


def migrate(connection: sqlite3.Connection, path: object = "in memory") -> bool:
    """Bring the journal at ``path`` to this program's schema, in one transaction.

    Gives whether it had no tables before. Raises JournalUnusable where a newer program has
    written it.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(schema.MIGRATIONS):
        raise JournalUnusable(
            f"the journal {path} has schema {version}, this program knows {len(schema.MIGRATIONS)}",
            "use the newer b1000 that wrote it, or another journal",
        )
    if version == len(schema.MIGRATIONS):
        return False
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another program may have migrated while this one waited for the lock.
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for number, script in _missing(version):
            for statement in statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return bool(version == 0)


def _missing(version: int) -> Iterator[tuple[int, str]]:
    """The scripts that a journal has not seen, each with the number that it then has."""
    newest = len(schema.MIGRATIONS)
    if version == 0:
        from b1000.state import whole_schema  # a journal is new once

        # Otherwise a migration has been added, and ``make generated`` not been called yet.
        if newest == whole_schema.VERSION:
            yield newest, whole_schema.SCRIPT
            return
    yield from enumerate(schema.MIGRATIONS[version:], start=version + 1)


def statements(script: str) -> Iterable[str]:
    """The single statements: executescript would commit between them."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if ";" in line and sqlite3.complete_statement(statement):
            yield statement
            statement = ""
