"""Reading the tables of a database report, MySQL and SQLite alike.

Statements are written with ``?`` for their parameters, and with the words of
the :class:`Dialect` where the two differ.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from b1000.jobs import Report
from b1000.named import NamedTuple
from b1000.reports import sqlite
from b1000.reports.target import NotDelivered
from b1000.state.reading import legible

if TYPE_CHECKING:
    import pymysql
    from pymysql.cursors import Cursor


SEPARATOR = "\x1f"
"""Between the fields that ``joined`` puts into one text."""

LIST_SEPARATOR = "\x1d"
"""Between the values that ``listed`` puts into one."""

_END = "\x1e"  # of the text of one row, where many arrive as one
_LONGEST = 2**24  # bytes of those; what a server's own limits cut off is asked for again
_EPOCH = 62_167_219_200  # seconds from the year 0, from which MySQL counts, to 1970
_OPENING = 12.0  # seconds until a connection has to be there


class Query(NamedTuple):
    """A ``joined`` field of each row of an origin, as FROM names it."""

    field: str
    origin: str
    parameters: Sequence[object] = ()


class NoAnswer(NotDelivered):
    """The database of a report does not answer."""


class Dialect(NamedTuple):
    """The words in which MySQL and SQLite differ."""

    ignoring: str
    mysql: bool

    def joined(self, fields: Sequence[str]) -> str:
        """An expression: the values of others as one text; NULL is an empty one.

        One text for each row arrives three times as fast as its fields.
        """
        texts = [f"COALESCE({field}, '')" for field in fields]
        if self.mysql:
            return f"CONCAT_WS('{SEPARATOR}', {', '.join(texts)})"
        return f" || '{SEPARATOR}' || ".join(texts)

    def listed(self, column: str) -> str:
        """An expression: the values of a group as one text."""
        if self.mysql:
            return f"GROUP_CONCAT({column} SEPARATOR '{LIST_SEPARATOR}')"
        return f"group_concat({column}, '{LIST_SEPARATOR}')"

    def seconds(self, column: str) -> str:
        """An expression: a column in UTC as seconds since the epoch, whatever the time zone."""
        if self.mysql:
            # TIMESTAMPDIFF takes twice as long.
            return f"(TO_SECONDS({column}) - {_EPOCH})"
        return f"CAST(strftime('%s', {column}) AS INTEGER)"

    def above(self, path: str, names: int) -> str:
        """An expression: a path without its last names."""
        if self.mysql:
            length = f"CHAR_LENGTH(SUBSTRING_INDEX({path}, '/', -{names})) + 1"
            return f"LEFT({path}, CHAR_LENGTH({path}) - ({length}))"
        above = path
        for _ in range(names):
            above = f"rtrim(rtrim({above}, replace({path}, '/', '')), '/')"
        return above

    def in_order(self, table: str) -> str:
        """A table as FROM names it, of which rows are read as they lie, by their key alone."""
        return f"{table} FORCE INDEX (PRIMARY)" if self.mysql else f"{table} NOT INDEXED"

    def union(self, statements: Sequence[str]) -> str:
        """One statement that gives the rows of all; each may have an order and a limit."""
        if self.mysql:
            # A derived table, as SQLite needs it, would be written to disk for each of them.
            return " UNION ALL ".join(f"({each})" for each in statements)
        return " UNION ALL ".join(f"SELECT * FROM ({each})" for each in statements)


_MYSQL = Dialect("INSERT IGNORE", True)
_SQLITE = Dialect("INSERT OR IGNORE", False)


class _MysqlRows:
    dialect = _MYSQL

    def __init__(self, settings: Report, read_only: bool) -> None:
        from b1000.reports.mysql.connection import connect, in_time

        self._settings = settings
        connection = in_time(lambda: connect(settings, read_only), _OPENING)
        if connection is None:
            address = f"{settings.server}, port {settings.port}"
            raise NoAnswer(f"{address}: there was no connection within {_OPENING:.0f} seconds")
        self._connection: pymysql.Connection[Cursor] = connection
        with _closed_where_refused(self):
            list(self.rows(f"SET SESSION group_concat_max_len = {_LONGEST}", ()))

    def columns(self, table: str) -> set[str]:
        return {str(row[0]).lower() for row in self.rows(f"SHOW COLUMNS FROM {table}", ())}

    def texts(self, field: str, origin: str, parameters: Sequence[object]) -> list[str]:
        """As one text: thousands of rows arrive in less than half of their time."""
        ((count, whole),) = self.rows(
            f"SELECT COUNT(*), GROUP_CONCAT({field}, '{_END}' SEPARATOR '') FROM {origin}",
            parameters,
        )
        texts: list[str] = whole.split(_END) if count else [""]
        if texts.pop() or len(texts) != count:
            return list(_first_fields(self.rows(f"SELECT {field} FROM {origin}", parameters)))
        return texts

    def rows(self, statement: str, parameters: Sequence[object]) -> Iterator[tuple[Any, ...]]:
        with self._answering(), self._connection.cursor() as cursor:
            cursor.execute(statement.replace("?", "%s"), tuple(parameters) or None)
            yield from cursor

    def commit(self) -> None:
        with self._answering():
            self._connection.commit()

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        from pymysql import Error

        from b1000.reports.mysql.errors import error_text

        try:
            yield
        except (Error, OSError) as error:
            raise NoAnswer(error_text(error, self._settings)) from None

    def close(self) -> None:
        self._connection.close()


class _SqliteRows:
    dialect = _SQLITE

    def __init__(self, settings: Report, read_only: bool) -> None:
        self._path = Path(settings.path)
        try:
            # A source is added to, never made.
            self._path.stat()
        except OSError as error:
            raise NoAnswer(f"{self._path}: {error.strerror}") from None
        self._connection = sqlite.connect(self._path, read_only)
        if not read_only:
            with _closed_where_refused(self):
                list(self.rows("BEGIN IMMEDIATE", ()))

    def columns(self, table: str) -> set[str]:
        return {str(row[1]).lower() for row in self.rows(f"PRAGMA table_info({table})", ())}

    def texts(self, field: str, origin: str, parameters: Sequence[object]) -> Iterable[str]:
        return _first_fields(self.rows(f"SELECT {field} FROM {origin}", parameters))

    def rows(self, statement: str, parameters: Sequence[object]) -> Iterator[tuple[Any, ...]]:
        try:
            with legible():
                yield from self._connection.execute(statement, tuple(parameters))
        except sqlite3.Error as error:
            raise NoAnswer(f"{self._path}: {error}") from None

    def commit(self) -> None:
        list(self.rows("COMMIT", ()))

    def close(self) -> None:
        self._connection.close()


@contextlib.contextmanager
def _closed_where_refused(opened: "_MysqlRows | _SqliteRows") -> Iterator[None]:
    """Who could not open a source has nothing to close it by."""
    try:
        yield
    except BaseException:
        opened.close()
        raise


def _first_fields(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    return (text for (text,) in rows)


class DatabaseSource:
    """A database report that is open; every method raises NotDelivered where it does not answer."""

    def __init__(self, settings: Report, read_only: bool = True) -> None:
        kind = _MysqlRows if settings.type == "mysql" else _SqliteRows
        self._opened = kind(settings, read_only)
        self._asked: Future[list[tuple[Any, ...]]] | None = None
        self.dialect: Dialect = self._opened.dialect

    @property
    def _rows(self) -> _MysqlRows | _SqliteRows:
        """The connection, once it has answered what was asked meanwhile."""
        if self._asked:
            self._asked.exception()
            self._asked = None
        return self._opened

    def __enter__(self) -> "DatabaseSource":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._rows.close()

    def columns(self, table: str) -> set[str]:
        """The names of the columns that a table has here, of an older installation perhaps."""
        return self._rows.columns(table)

    def has(self, table: str) -> bool:
        """Whether there is such a table, and it may be read; older installations lack some."""
        if self.dialect.mysql:
            # It shows what one has a right to.
            return any(self.rows("SHOW TABLES LIKE ?", (table,)))
        return bool(self.columns(table))

    def key(self, table: str) -> list[str]:
        """The columns of its primary key, which tables of the first version did not have."""
        if self.dialect.mysql:
            return [
                str(row[0]) for row in self.rows(f"SHOW COLUMNS FROM {table}") if row[3] == "PRI"
            ]
        return [str(row[1]) for row in self.rows(f"PRAGMA table_info({table})") if row[5]]

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows that a statement gives, as they come; one statement at a time."""
        return self._rows.rows(statement, parameters)

    def texts(self, field: str, origin: str, parameters: Sequence[object] = ()) -> Iterable[str]:
        """One text for each row, as ``Query`` says; not while ``texts_of_each`` is read."""
        return self._rows.texts(field, origin, parameters)

    def texts_of_each(self, asked: Sequence[Query]) -> Iterator[Iterable[str]]:
        """The same for each in turn; a server works on the next while one is read."""
        if not self.dialect.mysql:
            yield from (self.texts(*each) for each in asked)
            return
        with ThreadPoolExecutor(1) as ahead:
            yield from ahead.map(lambda each: self.texts(*each), asked)

    def meanwhile(
        self, statement: str, parameters: Sequence[object] = ()
    ) -> Callable[[], list[tuple[Any, ...]]]:
        """Ask; a server works on it until the rows are called for, or something else is asked."""
        if not self.dialect.mysql:
            return lambda: list(self.rows(statement, parameters))
        opened, ahead = self._rows, ThreadPoolExecutor(1)
        self._asked = asked = ahead.submit(lambda: list(opened.rows(statement, parameters)))
        ahead.shutdown(wait=False)
        return asked.result

    def do(self, statement: str, parameters: Sequence[object] = ()) -> None:
        """Carry out a statement that gives no rows."""
        for _ in self.rows(statement, parameters):
            pass

    def commit(self) -> None:
        """Make what was done last."""
        self._rows.commit()
