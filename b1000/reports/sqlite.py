"""Reports of type sqlite: the tables of the central database in a file."""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from b1000.jobs import Report
from b1000.reports import report, stored
from b1000.reports.directory import make_readable
from b1000.reports.report import RowsOfRun, Values
from b1000.reports.tables import COPIES, JOBS, LINES, STORED, TABLES, Index, Table
from b1000.reports.target import NotDelivered
from b1000.runs.run import Run
from b1000.runs.stored import Told
from b1000.state import reading

_BUSY = 5.0  # seconds that one statement waits for another program
_SETTLE, _LINGER = 0.2, 0.0


def connect(path: Path, read_only: bool = False) -> sqlite3.Connection:
    """The database of a report; made, and brought up to date, unless it is only read.

    Raises NotDelivered.
    """
    try:
        if read_only:
            return _open_to_read(path)
        if not path.parent.is_dir():
            make_readable(path.parent)
        _make(path)
        reading.check_files(path)
        connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise NotDelivered(_error_text(error, path)) from None
    try:
        with reading.legible():
            connection.execute("PRAGMA journal_mode = WAL")
            _bring_up_to_date(connection)
    except sqlite3.Error as error:
        connection.close()
        raise NotDelivered(_error_text(error, path)) from None
    return connection


def _open_to_read(path: Path) -> sqlite3.Connection:
    os.stat(path)
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return reading.connect(path, _BUSY)


def _make(path: Path) -> None:
    """An empty file that the group may read, whatever the umask; one that is there stays."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    except FileExistsError:
        return
    os.fchmod(descriptor, 0o640)
    os.close(descriptor)


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    if all(_is_up_to_date(connection, table) for table in TABLES):
        return
    connection.execute("BEGIN IMMEDIATE")
    for table in TABLES:
        connection.execute(_create(table))
        # Another program may have done it while this one waited.
        _add_columns(connection, table)
        if _is_narrow(connection, table):
            _make_anew(connection, table)
        for index in table.indexes:
            connection.execute(_create_index(table, index))
    connection.execute("COMMIT")


def _create(table: Table, name: str = "", more: Sequence[str] = ()) -> str:
    """The statement that makes a table in SQLite, under another name and with more columns."""
    lines = [f"{table.identity} INTEGER PRIMARY KEY"] if table.identity else []
    lines += [f"{column.name} {column.sqlite}" for column in table.columns]
    lines += [*more, f"UNIQUE ({', '.join(table.key)})"]
    return f"CREATE TABLE IF NOT EXISTS {name or table.name} (\n    {LINES.join(lines)}\n)"


def _create_index(table: Table, index: Index) -> str:
    """The statement that makes an index in SQLite."""
    name, columns = index.name, ", ".join(index.columns)
    return f"CREATE INDEX IF NOT EXISTS {name} ON {table.name} ({columns})"


def _add_columns(connection: sqlite3.Connection, table: Table) -> None:
    """Add what is missing, and rename what had another name once."""
    there = _columns(connection, table)
    for column in table.columns:
        if column.name in there:
            continue
        change = f"ADD COLUMN {column.name} {column.sqlite}"
        if column.former in there:
            change = f"RENAME COLUMN {column.former} TO {column.name}"
        connection.execute(f"ALTER TABLE {table.name} {change}")


def _is_up_to_date(connection: sqlite3.Connection, table: Table) -> bool:
    indexes = {row[1] for row in connection.execute(f"PRAGMA index_list({table.name})")}
    return (
        _columns(connection, table) >= set(table.names)
        and indexes >= {index.name for index in table.indexes}
        and not _is_narrow(connection, table)
    )


def _columns(connection: sqlite3.Connection, table: Table) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}


def _unique_keys(connection: sqlite3.Connection, table: Table) -> list[set[str]]:
    indexes = connection.execute(f"PRAGMA index_list({table.name})").fetchall()
    return [
        {row[2] for row in connection.execute("SELECT * FROM pragma_index_info(?)", (name,))}
        for _, name, is_unique, *_ in indexes
        if is_unique
    ]


def _is_narrow(connection: sqlite3.Connection, table: Table) -> bool:
    """Whether rows are named as they were before columns were added."""
    return set(table.narrow_key) in _unique_keys(connection, table)


def _make_anew(connection: sqlite3.Connection, table: Table) -> None:
    """Copy a table into one with today's key; SQLite cannot change that of a table."""
    ours = {table.identity, *table.names}
    more = [
        f'"{name}" {kind}{" NOT NULL" * needed}{"" if default is None else f" DEFAULT {default}"}'
        for _, name, kind, needed, default, _ in connection.execute(
            f"PRAGMA table_info({table.name})"
        )
        if name not in ours
    ]
    names = ", ".join(f'"{name}"' for name in sorted(_columns(connection, table)))
    anew = f"{table.name}_anew"
    connection.execute(_create(table, anew, more))
    connection.execute(f"INSERT INTO {anew} ({names}) SELECT {names} FROM {table.name}")
    connection.execute(f"DROP TABLE {table.name}")
    connection.execute(f"ALTER TABLE {anew} RENAME TO {table.name}")


class SqliteReport:
    """Writes the rows of one ``[report:NAME]``."""

    settle, linger = _SETTLE, _LINGER

    def __init__(self, settings: Report) -> None:
        self._path = Path(settings.path)
        self._connection: sqlite3.Connection | None = None

    def deliver(self, runs: Sequence[Run]) -> tuple[set[int], Exception | None]:
        """Deliver the state of each run in one transaction."""
        with self._transaction():
            self._write(row for run in runs for row in report.rows(run))
        return {run.run_id for run in runs}, None

    def deliver_stored(self, told: Sequence[Told]) -> tuple[list[Told], Exception | None]:
        """Deliver the state of each backup in one transaction."""
        with self._transaction():
            for each in told:
                self._upsert(STORED, stored.row(each))
        return [*told], None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._connection is None:
            self._connection = connect(self._path)
        try:
            with reading.legible():
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            # The file may have been replaced, or the disk be full: begin anew.
            self.close()
            raise NotDelivered(_error_text(error, self._path)) from None

    def close(self) -> None:
        """Close the file; what was not committed is rolled back."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def _write(self, rows: Iterable[RowsOfRun]) -> None:
        for row in rows:
            number = self._upsert(JOBS, row.job)
            for copy in row.copies:
                self._upsert(COPIES, {"job_id": number, **copy})

    def _upsert(self, table: Table, row: Values) -> int:
        """Insert a row, or move it to a higher transition, never to a lower; gives its number."""
        assert self._connection
        changed = [name for name in row if name not in table.key]
        moves = ", ".join(f"{name} = excluded.{name}" for name in changed)
        self._connection.execute(
            f"INSERT INTO {table.name} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))}) "
            f"ON CONFLICT ({', '.join(table.key)}) DO UPDATE SET {moves} "
            f"WHERE excluded.{table.counter} > {table.name}.{table.counter}",
            tuple(row.values()),
        )
        condition = " AND ".join(f"{name} = ?" for name in table.key)
        (number,) = self._connection.execute(
            f"SELECT {table.identity} FROM {table.name} WHERE {condition}",
            tuple(row[name] for name in table.key),
        ).fetchone()
        return int(number)


def _error_text(error: Exception, path: Path) -> str:
    if isinstance(error, OSError):
        return f"{path}: {error.strerror}"
    return f"{path}: {error}"


def findings(settings: Report) -> list[str]:
    """What is not as it needs to be; a file that is not there will be made."""
    path = Path(settings.path)
    # Not Path.exists: it raises where a directory may not be searched.
    if not os.path.exists(path):
        existing = path.parent
        while not os.path.exists(existing):
            existing = existing.parent
        writable = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
        return [] if writable else [f"{path}: no permission to make it in {existing}"]
    if not os.access(path, os.W_OK):
        return [f"{path}: no permission to write"]
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return [f"{path}: no permission to write in its directory, which SQLite needs"]
    try:
        with contextlib.closing(connect(path, read_only=True)) as connection:
            return [f"{path}: {text}" for text in _strange(connection)]
    except NotDelivered as error:
        return [str(error)]
    except sqlite3.Error as error:
        return [_error_text(error, path)]


def _strange(connection: sqlite3.Connection) -> Iterator[str]:
    """Tables of these names that are not ours; what only lacks columns gets them."""
    for table in TABLES:
        there = _columns(connection, table)
        unique = _unique_keys(connection, table)
        # One of older installations gets its columns, and then today's key.
        if there and set(table.key) not in unique and set(table.narrow_key) not in unique:
            key = ", ".join(table.key)
            yield f"its table {table.name} has no unique key ({key}); take a file of its own"
