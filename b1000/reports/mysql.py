"""Reports of type mysql: rows in the tables of a MariaDB or MySQL server."""

import contextlib
import re
import ssl
import struct
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pymysql
from pymysql.constants import CLIENT, CR, ER
from pymysql.cursors import Cursor

from b1000.files import read_file
from b1000.jobs import Report
from b1000.reports import report, tables
from b1000.reports.report import Row, Values
from b1000.reports.tables import COPIES, JOBS, PLAN, TABLES, Table
from b1000.reports.target import NotDelivered, RunsRefused
from b1000.runs.run import Run

_CONNECT = 5  # seconds
_ANSWER = 10  # seconds that one statement may take
_LOCKED = 5  # seconds that one statement waits for a lock of somebody else
_TRIES, _PATIENCE = 8, 10  # how often, and within which seconds, a transaction is begun anew
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
        1644,  # ER_SIGNAL_EXCEPTION: a trigger of those who run the server
        ER.NO_REFERENCED_ROW_2,
    }
)
"""Errors that are about the values of single runs: the others can be told all the same."""

_CONTENDED = frozenset(
    {
        ER.LOCK_DEADLOCK,  # of Galera also: another node was first
        ER.LOCK_WAIT_TIMEOUT,
        ER.CHECKREAD,  # MariaDB with innodb_snapshot_isolation, which is on since 11.6
        ER.TABLE_DEF_CHANGED,  # etc/schema.sql was loaded since the transaction began
        3101,  # ER_TRANSACTION_ROLLBACK_DURING_COMMIT: another member of MySQL's group was first
        ER.ERROR_DURING_COMMIT,  # the same, as "149 - Lock deadlock; Retry transaction"
    }
)
"""Errors by which a server asks for the same transaction once more, from its beginning."""

_NO_SERVER = (LookupError, ValueError, struct.error)
"""What PyMySQL raises where something answers in words that it cannot read."""

_LONGEST_PASSWORD = 4096  # bytes of a password_file that are read
_MOST_TOLD = 3  # refused runs that are named one by one


class _Unfit(Exception):
    """A value that its column cannot hold."""


class _Connection(pymysql.Connection):
    """One that goes on with TLS or not at all, where TLS is wanted."""

    server_capabilities: int

    def _request_authentication(self) -> None:
        # The PyMySQL of Debian 12 goes on in clear where the server offers no TLS, and gives
        # the password to whoever then asks for it.
        if self.client_flag & CLIENT.SSL and not self.server_capabilities & CLIENT.SSL:
            raise pymysql.OperationalError(
                CR.CR_SSL_CONNECTION_ERROR,
                "the server offers no TLS, which ssl_ca asks for "
                "(set ssl_cert and ssl_key in the server's configuration)",
            )
        super()._request_authentication()  # type: ignore[misc]


def connect(settings: Report, read_only: bool = False) -> "pymysql.Connection[Cursor]":
    """A connection with a session of our own kind; NotDelivered where there is none to be had."""
    socket = settings.server if settings.server.startswith("/") else None
    try:
        return _Connection(
            host=None if socket else settings.server,
            unix_socket=socket,
            port=settings.port,
            user=settings.user,
            password=_password(settings),
            database=settings.db,
            charset="utf8mb4",
            autocommit=read_only,
            sql_mode=_SQL_MODE,
            # A server may be told to ignore the character set of the handshake.
            init_command=(
                f"SET NAMES utf8mb4, SESSION innodb_lock_wait_timeout = {_LOCKED}, "
                f"SESSION lock_wait_timeout = {_LOCKED}"
            ),
            connect_timeout=_CONNECT,
            read_timeout=_ANSWER,
            write_timeout=_ANSWER,
            ssl=None if socket else _trust(settings),
        )
    # RuntimeError: without the package cryptography PyMySQL cannot log in in every way.
    except (pymysql.Error, OSError, RuntimeError, *_NO_SERVER) as error:
        raise NotDelivered(in_words(error, settings)) from None


def _trust(settings: Report) -> ssl.SSLContext | None:
    """Who may sign the server's certificate; None where that does not matter."""
    if settings.ssl_ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=settings.ssl_ca)
    except ssl.SSLError:
        raise NotDelivered(
            f"ssl_ca {settings.ssl_ca}: there is no certificate in it (-----BEGIN CERTIFICATE-----)"
        ) from None
    except OSError as error:
        raise NotDelivered(f"ssl_ca {settings.ssl_ca}: {error.strerror}") from None


def _password(settings: Report) -> bytes:
    """The password in the encoding in which the server has it; PyMySQL would take Latin-1."""
    if settings.password_file is None:
        return settings.password.encode()
    try:
        text = read_file(settings.password_file, _LONGEST_PASSWORD, follow=True).decode()
        return next(iter(text.split("\n"))).rstrip("\r").encode()
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
            self._tell([row for run in runs for row in report.rows(run)])
        except _Unfit:
            return self._one_by_one(runs)
        return {run.run_id for run in runs}, None

    def _one_by_one(self, runs: Iterable[Run]) -> tuple[set[int], Exception | None]:
        arrived: set[int] = set()
        refused: dict[int, str] = {}
        for run in runs:
            try:
                self._tell(report.rows(run))
                arrived.add(run.run_id)
            except _Unfit as error:
                refused[run.run_id] = f"{run.label} of {run.start_time}: {error}"
            except NotDelivered as error:
                return arrived, error
        if not refused:
            return arrived, None
        told = "; ".join(list(refused.values())[:_MOST_TOLD])
        if len(refused) > _MOST_TOLD:
            told += f"; and {len(refused) - _MOST_TOLD} more"
        return arrived, RunsRefused(refused, f"{_place(self._settings)} refuses {told}")

    def close(self) -> None:
        """Close the connection."""
        if self._connection:
            with contextlib.suppress(pymysql.Error, OSError):
                self._connection.close()
            self._connection = None

    def _tell(self, rows: Sequence[Row]) -> None:
        """Write rows, all or none; raises NotDelivered, and _Unfit where a value is at fault."""
        try:
            self._write_among_others(rows)
        except (pymysql.Error, OSError) as error:
            # Whatever it was, a new connection knows nothing of it.
            self.close()
            raise NotDelivered(in_words(error, self._settings)) from None

    def _write_among_others(self, rows: Sequence[Row]) -> None:
        """Write, and begin anew where another transaction was in the way of this one."""
        until = time.monotonic() + _PATIENCE
        for left in reversed(range(_TRIES)):
            try:
                self._write(rows)
                return
            except _Unfit:
                self._roll_back()
                raise
            except pymysql.Error as error:
                if _code(error) not in _CONTENDED or not left or time.monotonic() > until:
                    raise
                self._roll_back()

    def _roll_back(self) -> None:
        if self._connection:
            self._connection.rollback()

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

    A row of another writer, which an older unique key takes for the same, stays as it is.

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
    # What somebody else inserted since the first look is seen only with a lock.
    added = iter(_numbers(cursor, table, new, " LOCK IN SHARE MODE"))
    found = [next(added) if number is None else number for number in numbers]
    if None in found:
        raise _Unfit(
            f"{table.name} stores it under another name, perhaps by a trigger, or has a row of "
            "another writer under an older unique key, which etc/schema.sql widens"
        )
    return [number for number in found if number is not None]


def _numbers(
    cursor: Cursor, table: Table, rows: Sequence[Values], lock: str = ""
) -> list[int | None]:
    """The number of the row that each key names.

    Raises _Unfit where the table takes two names for one, such as upper and lower case.
    """
    found: list[int | None] = [None] * len(rows)
    names = [name for name in table.key if table.column(name).length]
    condition = " AND ".join(f"{name} = %s" for name in table.key)
    for start in range(0, len(rows), _KEYS_AT_ONCE):
        some = rows[start : start + _KEYS_AT_ONCE]
        cursor.execute(
            " UNION ALL ".join(
                f"(SELECT {position}, {', '.join([table.identity, *names])} "
                f"FROM {table.name} WHERE {condition}{lock})"
                for position in range(start, start + len(some))
            ),
            [row[name] for row in some for name in table.key],
        )
        for position, number, *there in cursor.fetchall():
            for name, other in zip(names, there, strict=True):
                if other != rows[position][name]:
                    raise _Unfit(_one_for_two(table, name, other, rows[position]))
            found[position] = int(number)
    return found


def _one_for_two(table: Table, name: str, other: str, row: Values) -> str:
    return (
        f"the row of {name} {other} in {table.name} would be overwritten by that of {row[name]} "
        f"({tables.widen_column(table, table.column(name))})"
    )


def _move(cursor: Cursor, table: Table, rows: Sequence[Values], only_new: tuple[str, ...]) -> None:
    if not rows:
        return
    names = list(rows[0])
    number = table.counter
    fixed = {table.identity, *table.key, *only_new, number}
    higher = f"VALUES({number}) > {table.name}.{number}"
    if "relayed_by" in table.key:
        higher += f" AND VALUES(relayed_by) = {table.name}.relayed_by"
    # Assigned from left to right: the number that all others look at comes last.
    moves = ", ".join(
        f"{name} = IF({higher}, VALUES({name}), {table.name}.{name})"
        for name in (*(name for name in names if name not in fixed), number)
    )
    try:
        cursor.executemany(
            f"INSERT INTO {table.name} ({', '.join(names)}) "
            f"VALUES ({', '.join(['%s'] * len(names))}) ON DUPLICATE KEY UPDATE {moves}",
            [tuple(row.values()) for row in rows],
        )
    except pymysql.Error as error:
        if _code(error) not in _REFUSED_DATA:
            raise
        raise _Unfit(_unfit(table, str(error.args[-1]))) from None


def _unfit(table: Table, told: str) -> str:
    """What the server told of a value, with the statement that makes room for it."""
    # The last column that is named: the value may be told before it.
    names = re.findall(r"column [`'](?:.*[`.])?(\w+)[`']", told, re.IGNORECASE)
    column = next((each for each in table.columns if names and each.name == names[-1]), None)
    return f"{told} ({tables.widen_column(table, column)})" if column else told


# --- words

_HINTS: Mapping[int, str] = {
    ER.ACCESS_DENIED_ERROR: "check user and password, and from which hosts the user may come",
    ER.DBACCESS_DENIED_ERROR: "GRANT SELECT, INSERT, UPDATE ON {db}.* TO {user}",
    ER.TABLEACCESS_DENIED_ERROR: "GRANT SELECT, INSERT, UPDATE ON {db}.* TO {user}",
    ER.COLUMNACCESS_DENIED_ERROR: "GRANT SELECT, INSERT, UPDATE ON {db}.* TO {user}",
    ER.BAD_DB_ERROR: "CREATE DATABASE {db}, then load etc/schema.sql into it",
    ER.NO_SUCH_TABLE: "load etc/schema.sql into {db}",
    ER.BAD_FIELD_ERROR: "load etc/schema.sql into {db}: it adds the columns that are missing",
    ER.NO_DEFAULT_FOR_FIELD: "it is none of B1000's columns: ALTER TABLE gives it a default",
    ER.LOCK_WAIT_TIMEOUT: "somebody holds a lock on the tables",
    ER.LOCK_DEADLOCK: "others write the same rows",
    ER.CHECKREAD: "others write the same rows",
    ER.OPTION_PREVENTS_STATEMENT: "the server is read-only",
    1792: "the server is read-only",
    1836: "the server is read-only",
    ER.RECORD_FILE_FULL: "there is no space left on the server",
    ER.DISK_FULL: "there is no space left on the server",
    ER.CON_COUNT_ERROR: "the server has too many connections",
}


def _code(error: Exception) -> int:
    """The number of an error of the server or of PyMySQL; 0 where it has none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def _place(settings: Report) -> str:
    return f"{settings.user}@{settings.server}, database {settings.db}"


def in_words(error: Exception, settings: Report) -> str:
    """What went wrong, for the operator; never a password."""
    place = _place(settings)
    if isinstance(error, _NO_SERVER):
        return f"{place}: what answers there is no MySQL server"
    if isinstance(error, RuntimeError) and "cryptography" in str(error):
        # Users of MySQL 8 log in so, unless they were told otherwise.
        return f"{place}: {error} (install python3-cryptography, or set ssl_ca)"
    if not isinstance(error, pymysql.Error):
        return f"{place}: {error}"
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"{place}: {_distrust(cause, settings)}"
    told = str(error.args[1] if len(error.args) > 1 else error).strip() or "the connection was lost"
    hint = _HINTS.get(_code(error), "")
    if hint:
        user = f"'{settings.user}'@'%'"
        hint = f" ({hint.format(db=f'`{settings.db}`', user=user)})"
    return f"{place}: {told}{hint}"


_SELF_SIGNED, _OTHER_NAME, _OTHER_ADDRESS = 18, 62, 64  # X509_V_ERR_... of OpenSSL


def _distrust(error: ssl.SSLCertVerificationError, settings: Report) -> str:
    """Why the server's certificate is not taken, and what to do."""
    why = f"the server's certificate is not trusted: {error.verify_message.rstrip('.')}"
    if error.verify_code in (_OTHER_NAME, _OTHER_ADDRESS):
        return f"{why} (set `server` to a name that the certificate has)"
    if error.verify_code == _SELF_SIGNED:
        # MariaDB makes itself one since 11.4, another at each start.
        why += ", perhaps by a server without ssl_cert, which makes itself one at each start"
    return (
        f"{why} (set ssl_cert and ssl_key in the server's configuration, and ssl_ca, "
        f"now {settings.ssl_ca}, to the certificate of who signed ssl_cert)"
    )


# --- b1000 check --connect


class Flaw(NamedTuple):
    """What is not as it needs to be; only a ``warning`` where most of what is told arrives."""

    text: str
    warning: bool = False


def findings(settings: Report) -> list[Flaw]:
    """What is not as it needs to be, each with the statement that mends it."""
    try:
        connection = connect(settings, read_only=True)
    except NotDelivered as error:
        return [Flaw(str(error))]
    with contextlib.closing(connection), connection.cursor() as cursor:
        try:
            return list(_missing(cursor, settings))
        except (pymysql.Error, OSError) as error:
            return [Flaw(in_words(error, settings))]


def _missing(cursor: Cursor, settings: Report) -> Iterator[Flaw]:
    load = f"mysql {settings.db} < etc/schema.sql"
    for table in TABLES:
        there = _columns(cursor, table)
        if not there:
            yield Flaw(f"there is no table {table.name}, or no right to see it: {load}")
            continue
        for column in table.columns:
            found = there.get(column.name)
            mend = tables.widen_column(table, column)
            if not found:
                mend = tables.add_column(table, column, there)
                yield Flaw(f"table {table.name} has no column {column.name}: {load}, or {mend}")
            elif column.needed > (found.length or column.needed):
                # So it is in older installations, which work as long as nothing is longer.
                yield Flaw(
                    f"column {column.name} of {table.name} holds {found.length} characters, "
                    f"longer ones are refused: {mend}",
                    warning=True,
                )
            elif lacking := [word for word in column.words if not found.may_be(word)]:
                words = ", ".join(lacking)
                yield Flaw(f"column {column.name} of {table.name} cannot be {words}: {mend}")
            elif column.may_be_unknown and not found.takes_null:
                yield Flaw(f"column {column.name} of {table.name} takes no NULL: {mend}")
        unique = _unique_keys(cursor, table)
        for name, columns in unique.items():
            if table.narrow_key and columns == set(table.narrow_key):
                yield Flaw(
                    f"table {table.name} has the unique key {name} of older installations, by "
                    f"which a row that a storage tells of a client meets the client's own: {load}"
                )
        if set(table.key) not in unique.values():
            key = ", ".join(table.key)
            yield Flaw(
                f"table {table.name} has no unique key ({key}): "
                f"ALTER TABLE {table.name} ADD UNIQUE KEY ({key})"
            )
        if table is not PLAN:
            ours = [name for name in (table.identity, *table.names) if name in there]
            for name in there.keys() - ours:
                if there[name].needs_value:
                    yield Flaw(
                        f"column {name} of {table.name}, which is none of B1000's, needs a value: "
                        f"ALTER TABLE {table.name} MODIFY COLUMN `{name}` {there[name].kind} NULL"
                    )
            yield from map(Flaw, _rights(cursor, table, ours, settings))


class _There(NamedTuple):
    """A column as a server has it."""

    kind: str
    length: int | None
    takes_null: bool
    needs_value: bool

    def may_be(self, word: str) -> bool:
        """Whether it can hold a word."""
        return not self.kind.lower().startswith("enum(") or f"'{word}'" in self.kind


def _columns(cursor: Cursor, table: Table) -> dict[str, _There]:
    cursor.execute(
        "SELECT column_name, column_type, character_maximum_length, is_nullable = 'YES', "
        "is_nullable = 'NO' AND column_default IS NULL AND extra = '' "
        "FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s",
        (table.name,),
    )
    return {str(name).lower(): _There(*facts) for name, *facts in cursor.fetchall()}


def _unique_keys(cursor: Cursor, table: Table) -> dict[str, set[str]]:
    """The columns of each unique key, by its name."""
    cursor.execute(
        "SELECT index_name, column_name FROM information_schema.statistics "
        "WHERE table_schema = DATABASE() AND table_name = %s AND non_unique = 0",
        (table.name,),
    )
    indexes: dict[str, set[str]] = {}
    for index, column in cursor.fetchall():
        indexes.setdefault(str(index), set()).add(str(column).lower())
    return indexes


def _rights(
    cursor: Cursor, table: Table, columns: Sequence[str], settings: Report
) -> Iterator[str]:
    """Each right is tried with a statement that changes nothing."""
    one, names = table.key[-1], ", ".join(columns)
    cursor.execute("SELECT CURRENT_USER()")
    (account,) = cursor.fetchone() or ("",)
    user, _, host = str(account).rpartition("@")
    for right, statement in (
        ("SELECT", f"SELECT {one} FROM {table.name} WHERE 1 = 0"),
        ("INSERT", f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {table.name} LIMIT 0"),
        ("UPDATE", f"UPDATE {table.name} SET {one} = {one} WHERE 1 = 0"),
    ):
        try:
            cursor.execute(statement)
        except pymysql.Error as error:
            if _code(error) in (ER.TABLEACCESS_DENIED_ERROR, ER.COLUMNACCESS_DENIED_ERROR):
                yield (
                    f"no right to {right} in {table.name}: GRANT {right} ON "
                    f"`{settings.db}`.{table.name} TO '{user}'@'{host}'"
                )
            elif _code(error) != ER.NO_DEFAULT_FOR_FIELD:  # that column is named already
                yield in_words(error, settings)
                return
