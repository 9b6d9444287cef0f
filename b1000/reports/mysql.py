"""Reports of type mysql: rows in the tables of a MariaDB or MySQL server."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pymysql
from pymysql.constants import ER
from pymysql.cursors import Cursor

from b1000.model import Report, Run
from b1000.reports import report, tables
from b1000.reports.report import Row, Values
from b1000.reports.tables import COPIES, JOBS, TABLES, Table
from b1000.reports.target import NotDelivered, RunsRefused

_CONNECT = 5  # seconds
_ANSWER = 10  # seconds that one statement may take
_LOCKED = 5  # seconds that one statement waits for a lock of somebody else
_SETTLE, _LINGER = 0.2, 1.0

# Too long is an error and not cut off, whatever the server's own default is.
_SQL_MODE = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO"

_REFUSED_DATA = frozenset(
    {
        ER.DATA_TOO_LONG,
        ER.TRUNCATED_WRONG_VALUE_FOR_FIELD,
        ER.TRUNCATED_WRONG_VALUE,
        ER.WARN_DATA_OUT_OF_RANGE,
        ER.WARN_DATA_TRUNCATED,
        ER.BAD_NULL_ERROR,
        3819,  # ER_CHECK_CONSTRAINT_VIOLATED of MySQL
        4025,  # ER_CONSTRAINT_FAILED of MariaDB
        1690,  # ER_DATA_OUT_OF_RANGE
    }
)
"""Errors that are about the values of single runs: the others can be told all the same."""


def connect(settings: Report, read_only: bool = False) -> "pymysql.Connection[Cursor]":
    """A connection with a session of our own kind; NotDelivered where there is none to be had."""
    socket = settings.server if settings.server.startswith("/") else None
    try:
        return pymysql.connect(
            host=None if socket else settings.server,
            unix_socket=socket,
            port=settings.port,
            user=settings.user,
            password=_password(settings),
            database=settings.db,
            charset="utf8mb4",
            autocommit=read_only,
            sql_mode=_SQL_MODE,
            init_command=(
                f"SET SESSION innodb_lock_wait_timeout = {_LOCKED}, lock_wait_timeout = {_LOCKED}"
            ),
            connect_timeout=_CONNECT,
            read_timeout=_ANSWER,
            write_timeout=_ANSWER,
            ssl={"ca": settings.ssl_ca} if settings.ssl_ca else None,
        )
    except (pymysql.Error, OSError) as error:
        raise NotDelivered(in_words(error, settings)) from None


def _password(settings: Report) -> str:
    if settings.password_file is None:
        return settings.password
    try:
        with open(settings.password_file, encoding="utf-8") as file:
            return file.readline().rstrip("\r\n")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise NotDelivered(f"the password_file {settings.password_file}: {why}") from None


class MysqlReport:
    """Writes the rows of one ``[report:NAME]`` through one connection."""

    settle, linger = _SETTLE, _LINGER

    def __init__(self, settings: Report) -> None:
        self._settings = settings
        self._connection: pymysql.Connection[Cursor] | None = None

    def deliver(self, runs: Sequence[Run]) -> tuple[set[int], Exception | None]:
        """Tell the state of each run in one transaction, or one by one where that is refused."""
        try:
            self._write([row for run in runs for row in report.rows(run)])
        except (pymysql.Error, OSError) as error:
            if not self._undo(error):
                raise NotDelivered(in_words(error, self._settings)) from None
            return self._one_by_one(runs)
        return {run.run_id for run in runs}, None

    def _one_by_one(self, runs: Iterable[Run]) -> tuple[set[int], Exception | None]:
        arrived: set[int] = set()
        refused: dict[int, str] = {}
        for run in runs:
            try:
                self._write(report.rows(run))
                arrived.add(run.run_id)
            except (pymysql.Error, OSError) as error:
                words = in_words(error, self._settings)
                if not self._undo(error):
                    return arrived, NotDelivered(words)
                refused[run.run_id] = f"{run.label} of {run.start_time}: {words}"
        if not refused:
            return arrived, None
        return arrived, RunsRefused(refused, "; ".join(refused.values()))

    def close(self) -> None:
        """Close the connection."""
        if self._connection:
            with contextlib.suppress(pymysql.Error, OSError):
                self._connection.close()
            self._connection = None

    def _undo(self, error: Exception) -> bool:
        """Undo what was not committed; gives whether only the values of a run were at fault."""
        if isinstance(error, pymysql.Error) and error.args and error.args[0] in _REFUSED_DATA:
            try:
                if self._connection:
                    self._connection.rollback()
                return True
            except (pymysql.Error, OSError):
                pass
        # Whatever else it was, a new connection knows nothing of it.
        self.close()
        return False

    def _write(self, rows: Sequence[Row]) -> None:
        """One transaction. In the order of the keys, so that others wait and do not deadlock."""
        if not rows:
            return
        if self._connection is None:
            self._connection = connect(self._settings)
        rows = sorted(rows, key=lambda row: [str(row.job[name]) for name in JOBS.key])
        with self._connection.cursor() as cursor:
            # `ack` is for people to set, and old tables may have no default for it.
            jobs = [{**row.job, "ack": 0} for row in rows]
            numbers = _upsert(cursor, JOBS, jobs, only_new=("ack",))
            copies: list[Values] = [
                {"job_id": number, **copy}
                for number, row in zip(numbers, rows, strict=True)
                for copy in row.copies
            ]
            _upsert(cursor, COPIES, copies)
        self._connection.commit()


_KEYS_AT_ONCE = 200


def _upsert(
    cursor: Cursor, table: Table, rows: Sequence[Values], only_new: tuple[str, ...] = ()
) -> list[int]:
    """Insert rows, or move those that are there to a higher transition, never to a lower.

    Gives their numbers. Rows that are there are named by their number, so that
    an update uses up no new ones.
    """
    numbers = _numbers(cursor, table, rows)
    _move(
        cursor,
        table,
        [
            {table.identity: number, **row}
            for number, row in zip(numbers, rows, strict=True)
            if number is not None
        ],
        only_new,
    )
    new = [row for number, row in zip(numbers, rows, strict=True) if number is None]
    _move(cursor, table, new, only_new)
    added = iter(_numbers(cursor, table, new))
    found = [next(added) if number is None else number for number in numbers]
    return [number for number in found if number is not None]


def _numbers(cursor: Cursor, table: Table, rows: Sequence[Values]) -> list[int | None]:
    """The number of the row that each key names, as the table's collation has it."""
    found: list[int | None] = [None] * len(rows)
    condition = " AND ".join(f"{name} = %s" for name in table.key)
    for start in range(0, len(rows), _KEYS_AT_ONCE):
        some = rows[start : start + _KEYS_AT_ONCE]
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT {position}, {table.identity} FROM {table.name} WHERE {condition}"
                for position in range(start, start + len(some))
            ),
            [row[name] for row in some for name in table.key],
        )
        for position, number in cursor.fetchall():
            found[position] = int(number)
    return found


def _move(cursor: Cursor, table: Table, rows: Sequence[Values], only_new: tuple[str, ...]) -> None:
    if not rows:
        return
    names = list(rows[0])
    fixed = {table.identity, *table.key, *only_new, "transition"}
    # Assigned from left to right: the number that all others look at comes last.
    moves = ", ".join(
        f"{name} = IF(VALUES(transition) > {table.name}.transition, VALUES({name}), "
        f"{table.name}.{name})"
        for name in (*(name for name in names if name not in fixed), "transition")
    )
    cursor.executemany(
        f"INSERT INTO {table.name} ({', '.join(names)}) "
        f"VALUES ({', '.join(['%s'] * len(names))}) ON DUPLICATE KEY UPDATE {moves}",
        [tuple(row.values()) for row in rows],
    )


# --- words

_HINTS: Mapping[int, str] = {
    ER.ACCESS_DENIED_ERROR: "check user and password, and from which hosts the user may come",
    ER.DBACCESS_DENIED_ERROR: "GRANT SELECT, INSERT, UPDATE ON {db}.* TO {user}",
    ER.TABLEACCESS_DENIED_ERROR: "GRANT SELECT, INSERT, UPDATE ON {db}.* TO {user}",
    ER.COLUMNACCESS_DENIED_ERROR: "GRANT SELECT, INSERT, UPDATE ON {db}.* TO {user}",
    ER.BAD_DB_ERROR: "CREATE DATABASE {db}, then load etc/schema.sql into it",
    ER.NO_SUCH_TABLE: "load etc/schema.sql into {db}",
    ER.BAD_FIELD_ERROR: "load etc/schema.sql into {db}: it adds the columns that are missing",
    ER.DATA_TOO_LONG: "b1000 check --connect tells which columns are too short",
    ER.TRUNCATED_WRONG_VALUE_FOR_FIELD: "the column's character set cannot hold it; use utf8mb4",
    ER.LOCK_WAIT_TIMEOUT: "somebody holds a lock on the tables",
    ER.LOCK_DEADLOCK: "it is tried again",
    ER.OPTION_PREVENTS_STATEMENT: "the server is read-only",
    1792: "the server is read-only",
    1836: "the server is read-only",
    ER.RECORD_FILE_FULL: "there is no space left on the server",
    ER.DISK_FULL: "there is no space left on the server",
    ER.CON_COUNT_ERROR: "the server has too many connections",
}


def in_words(error: Exception, settings: Report) -> str:
    """What went wrong, for the operator; never a password."""
    place = f"{settings.user}@{settings.server}, database {settings.db}"
    if not isinstance(error, pymysql.Error):
        return f"{place}: {error}"
    code = error.args[0] if error.args else 0
    told = str(error.args[1] if len(error.args) > 1 else error).strip() or "the connection was lost"
    hint = _HINTS.get(code, "")
    if hint:
        user = f"'{settings.user}'@'%'"
        hint = f" ({hint.format(db=f'`{settings.db}`', user=user)})"
    return f"{place}: {told}{hint}"


# --- b1000 check --connect


def findings(settings: Report) -> list[str]:
    """What is not as it needs to be, each with the statement that mends it."""
    try:
        connection = connect(settings, read_only=True)
    except NotDelivered as error:
        return [str(error)]
    with contextlib.closing(connection), connection.cursor() as cursor:
        try:
            return list(_missing(cursor, settings))
        except (pymysql.Error, OSError) as error:
            return [in_words(error, settings)]


def _missing(cursor: Cursor, settings: Report) -> Iterator[str]:
    load = f"mysql {settings.db} < etc/schema.sql"
    for table in TABLES:
        cursor.execute(
            "SELECT column_name, character_maximum_length FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND table_name = %s",
            (table.name,),
        )
        there = {str(name).lower(): length for name, length in cursor.fetchall()}
        if not there:
            yield f"there is no table {table.name}, or no right to see it: {load}"
            continue
        for column in table.columns:
            if column.name not in there:
                mend = tables.add_column(table, column)
                yield f"table {table.name} has no column {column.name}: {load}, or {mend}"
            elif column.length > (there[column.name] or column.length):
                yield (
                    f"column {column.name} of {table.name} holds {there[column.name]} characters, "
                    f"longer ones are refused: {tables.widen_column(table, column)}"
                )
        if not _is_unique(cursor, table):
            key = ", ".join(table.key)
            yield (
                f"table {table.name} has no unique key ({key}): "
                f"ALTER TABLE {table.name} ADD UNIQUE KEY ({key})"
            )
        yield from _rights(cursor, table, list(there), settings)


def _is_unique(cursor: Cursor, table: Table) -> bool:
    cursor.execute(
        "SELECT index_name, column_name FROM information_schema.statistics "
        "WHERE table_schema = DATABASE() AND table_name = %s AND non_unique = 0",
        (table.name,),
    )
    indexes: dict[str, set[str]] = {}
    for index, column in cursor.fetchall():
        indexes.setdefault(str(index), set()).add(str(column).lower())
    return set(table.key) in indexes.values()


def _rights(
    cursor: Cursor, table: Table, columns: Sequence[str], settings: Report
) -> Iterator[str]:
    """Each right is tried with a statement that changes nothing."""
    one, names = table.key[-1], ", ".join(columns)
    for right, statement in (
        ("SELECT", f"SELECT {one} FROM {table.name} WHERE 1 = 0"),
        ("INSERT", f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {table.name} LIMIT 0"),
        ("UPDATE", f"UPDATE {table.name} SET {one} = {one} WHERE 1 = 0"),
    ):
        try:
            cursor.execute(statement)
        except pymysql.Error as error:
            if error.args[0] in (ER.TABLEACCESS_DENIED_ERROR, ER.COLUMNACCESS_DENIED_ERROR):
                yield (
                    f"no right to {right} in {table.name}: GRANT {right} ON "
                    f"`{settings.db}`.{table.name} TO '{settings.user}'@'%'"
                )
            else:
                yield in_words(error, settings)
                return
