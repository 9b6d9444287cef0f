"""THE tables of the central database: one row for each column, all statements follow from it.

``etc/schema.sql``, the statements of both kinds of databases and what ``check
--connect`` looks for are made from :data:`TABLES`. ``python -m
b1000.reports.tables > etc/schema.sql`` writes the file anew. Pure.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from b1000.runs.states import CopyStatus, Status, Step


class Column(NamedTuple):
    """One column.

    ``mysql`` and ``sqlite`` are its definition in either dialect. An
    ``original`` one stands in the tables of older installations too; the
    others are added to those, so they must have a default. ``longest`` is how
    many characters are ever told in it, where that is less than it holds.
    ``former`` is the name that the first version gave to an added one. ``words``
    are all that an ENUM may hold, in their order.
    """

    name: str
    mysql: str
    sqlite: str
    original: bool = True
    longest: int = 0
    former: str = ""
    words: tuple[str, ...] = ()

    @property
    def may_be_unknown(self) -> bool:
        """Whether NULL is told in it; of the original columns only in this one."""
        return self.name == "data_age" or not (self.original or "NOT NULL" in self.mysql)

    @property
    def length(self) -> int:
        """How many characters it holds; 0 where it is not a VARCHAR."""
        kind, _, rest = self.mysql.partition("(")
        return int(rest.partition(")")[0]) if kind == "VARCHAR" else 0

    @property
    def needed(self) -> int:
        """How many characters it has to hold."""
        return self.longest or self.length


class Index(NamedTuple):
    """One index that names no row, made for those who read."""

    name: str
    columns: tuple[str, ...]

    @property
    def definition(self) -> str:
        """Its name and columns, as both dialects write them."""
        return f"{self.name} ({', '.join(self.columns)})"


class Table(NamedTuple):
    """One table: ``identity`` is its numbering column, if it has one, ``key`` what names a row.

    ``sign`` is a condition on a column, as information_schema tells of it, which holds in
    the tables that the first version made and in no others; ``remade`` are the columns that it
    defined otherwise.
    """

    name: str
    identity: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    indexes: tuple[Index, ...] = ()
    sign: str = ""
    remade: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its columns, without the numbering one."""
        return tuple(column.name for column in self.columns)

    @property
    def counter(self) -> str:
        """The column that grows with each state of a row."""
        return next(name for name in self.names if name.endswith("transition"))

    @property
    def narrow_key(self) -> tuple[str, ...]:
        """What named a row before columns were added; () where it is the same."""
        narrow = tuple(name for name in self.key if self.column(name).original)
        return () if narrow == self.key else narrow

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)


# Names are told apart as they are written: upper and lower case, accents.
_NAME = "COLLATE utf8mb4_bin NOT NULL"
# Of steps and statuses, directions and types.
_LONGEST_WORD = max(map(len, (*Step, *Status, *CopyStatus, "passive")))


def _name(name: str, length: int) -> Column:
    return Column(name, f"VARCHAR({length}) {_NAME} DEFAULT ''", "TEXT NOT NULL DEFAULT ''")


def _word(name: str) -> Column:
    return _name(name, 16)._replace(longest=_LONGEST_WORD)


def _state(name: str, states: type[Step] | type[Status] | type[CopyStatus]) -> Column:
    """An ENUM, so that states are ordered and compared by number as in the existing fleet.

    A new word goes to the end of the type: the others keep their numbers.
    """
    words = tuple(each.value for each in states)
    listed = ", ".join(f"'{word}'" for word in words)
    return Column(
        name,
        f"ENUM({listed}) NOT NULL DEFAULT '{words[0]}'",
        f"TEXT NOT NULL DEFAULT '{words[0]}'",
        longest=max(map(len, words)),
        words=words,
    )


def _number(name: str, kind: str = "BIGINT") -> Column:
    sqlite = "REAL" if kind == "DOUBLE" else "INTEGER"
    return Column(name, f"{kind} NULL DEFAULT NULL", f"{sqlite} DEFAULT NULL", original=False)


def _count(name: str, kind: str = "INT") -> Column:
    return Column(name, f"{kind} NOT NULL DEFAULT 0", "INTEGER NOT NULL DEFAULT 0", original=False)


def _utc(name: str) -> Column:
    return Column(name, "DATETIME(3) NULL DEFAULT NULL", "TEXT DEFAULT NULL", original=False)


def _of_copy(column: Column) -> Column:
    """A column that both tables have, under a name of its own: readers join them."""
    return column._replace(name=f"copy_{column.name}", former=column.name)


_ERROR = Column(
    "error",
    "TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL DEFAULT NULL",
    "TEXT DEFAULT NULL",
    original=False,
)
_LAST_OPERATION = Column(
    "last_op_time",
    # No TIMESTAMP: what is told is the host's local time, of an hour that the server may not have.
    "DATETIME NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP",
    "TEXT DEFAULT (datetime('now', 'localtime'))",
)
_FIRST_WORD = "column_type = 'varchar(16)' AND collation_name = 'utf8mb4_bin'"

JOBS = Table(
    "jobs",
    "job_id",
    ("start_time", "host", "name", "instance", "relayed_by"),
    (
        _name("host", 128),
        _name("name", 128),
        _name("instance", 128),
        _name("master_host", 255),
        _name("master_instance", 255),
        _word("direction"),
        Column("start_time", "DATETIME NOT NULL", "TEXT NOT NULL"),
        _LAST_OPERATION,
        _state("step", Step),
        _state("status", Status),
        Column("data_age", "DOUBLE NULL DEFAULT 0", "REAL DEFAULT 0"),
        Column("ack", "TINYINT NOT NULL DEFAULT 0", "INTEGER NOT NULL DEFAULT 0"),
        _word("backup_type")._replace(original=False, former="type"),
        _utc("started_utc"),
        _utc("ended_utc"),
        _number("duration", "DOUBLE"),
        _number("bytes"),
        _number("files"),
        _count("attempts"),
        _ERROR,
        _count("transition", "BIGINT"),
        # The storage that tells it for a client; '' where the host tells it itself, as all did
        # once. ASCII takes the least room in the key, which is nearly full in some old tables.
        Column(
            "relayed_by",
            "VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT ''",
            "TEXT NOT NULL DEFAULT ''",
            original=False,
        ),
    ),
    # The last runs of one subject, and of all: what `b1000 monitor` asks for.
    (
        Index("jobs_subject", ("host", "name", "instance", "start_time")),
        Index("jobs_master", ("master_host", "name", "master_instance", "start_time")),
    ),
    f"column_name = 'step' AND {_FIRST_WORD}",
    ("last_op_time", "step", "status"),
)

COPIES = Table(
    "copies",
    "copy_id",
    ("job_id", "destination"),
    (
        Column("job_id", "INT UNSIGNED NOT NULL", "INTEGER NOT NULL"),
        _name("destination", 255),
        _word("type"),
        _name("path", 4096),
        _state("status", CopyStatus),
        _LAST_OPERATION,
        _of_copy(_utc("started_utc")),
        _of_copy(_utc("ended_utc")),
        _of_copy(_number("duration", "DOUBLE")),
        _of_copy(_number("bytes")),
        _of_copy(_number("files")),
        _number("sent"),
        _of_copy(_count("attempts")),
        _number("exit_code", "INT"),
        _of_copy(_ERROR),
        _of_copy(_count("transition", "BIGINT")),
    ),
    sign=f"column_name = 'status' AND {_FIRST_WORD}",
    remade=("status", "last_op_time"),
)


def _limit(name: str) -> Column:
    return Column(name, "INT NULL DEFAULT 0", "INTEGER DEFAULT 0")


PLAN = Table(
    "plan",
    "",
    ("master_host", "job_name", "master_instance"),
    (
        _name("master_ip", 45),
        _name("master_host", 255),
        _name("job_name", 128),
        _name("master_instance", 255),
        Column(
            "timestamp",
            "TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP",
            "TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP",
        ),
        Column("ignored", "TINYINT NOT NULL DEFAULT 0", "INTEGER NOT NULL DEFAULT 0"),
        _limit("max_data_age"),
        _limit("max_backup_age"),
        _limit("max_copy_time"),
        _name("note", 1024),
    ),
    sign="column_name = 'plan_id' AND ordinal_position = 1",
    remade=("max_data_age", "max_backup_age", "max_copy_time"),
)

TABLES = (JOBS, COPIES, PLAN)


# --- SQLite


def sqlite_table(table: Table, name: str = "", more: Sequence[str] = ()) -> str:
    """The statement that makes a table in SQLite, under another name and with more columns."""
    lines = [f"{table.identity} INTEGER PRIMARY KEY"] if table.identity else []
    lines += [f"{column.name} {column.sqlite}" for column in table.columns]
    lines += [*more, f"UNIQUE ({', '.join(table.key)})"]
    return f"CREATE TABLE IF NOT EXISTS {name or table.name} (\n    {_LINES.join(lines)}\n)"


def sqlite_index(table: Table, index: Index) -> str:
    """The statement that makes an index in SQLite."""
    name, columns = index.name, ", ".join(index.columns)
    return f"CREATE INDEX IF NOT EXISTS {name} ON {table.name} ({columns})"


_LINES = ",\n    "

# --- MySQL and MariaDB

_HEAD = """\
-- The tables of the central database of B1000: MariaDB 10.5 or newer, MySQL 5.7 or newer.
--
-- Made from b1000/reports/tables.py (python -m b1000.reports.tables); a change by hand is lost.
--
--     mysql b1000 < schema.sql
--
-- Makes what is missing. Tables of older installations keep their columns as they are: others
-- are added behind them, each with a default, and in SELECT * and INSERT without a list of
-- columns they do not count (MariaDB, MySQL 8.0.23), so that older programs go on beside this
-- one; the unique key of jobs gets one of them; then indexes. Tables that the first version of
-- this file made become like new ones. No row is lost. May be loaded again and again.

SET NAMES utf8mb4;
SET SESSION group_concat_max_len = 65535;
-- Not strict: an old table may hold dates such as 0000-00-00, and is copied with them.
SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION';
-- Whether this server can hide columns.
SELECT 0 /*M!100303 + 1 */ /*!80023 + 1 */ INTO @hides;
"""

_HIDDEN = " /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */"

_EXECUTE = """\
PREPARE upgrade FROM @alter;
EXECUTE upgrade;
DEALLOCATE PREPARE upgrade;
"""


def schema() -> str:
    """``etc/schema.sql``."""
    parts = [_mysql_table(table) + _mysql_upgrade(table) for table in TABLES]
    # Last: if the columns of an old table are too long for one, all else is done by then.
    parts += [_mysql_index(table, index) for table in TABLES for index in table.indexes]
    return "\n".join([_HEAD, *parts])


def _definition(column: Column) -> str:
    return f"{column.name} {column.mysql}{'' if column.original else _HIDDEN}"


def _unique(table: Table) -> str:
    """The key that names a row; the primary one where rows have no number."""
    kind = f"UNIQUE KEY {table.name}_key" if table.identity else "PRIMARY KEY"
    return f"{kind} ({', '.join(table.key)})"


def _mysql_table(table: Table) -> str:
    lines = [f"{table.identity} INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY"]
    lines = lines if table.identity else []
    lines += [_definition(column) for column in table.columns]
    lines.append(_unique(table))
    lines += [f"KEY {index.definition}" for index in table.indexes]
    return (
        f"CREATE TABLE IF NOT EXISTS {table.name} (\n    {_LINES.join(lines)}\n"
        ") ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;\n"
    )


def _mysql_upgrade(table: Table) -> str:
    """One ALTER TABLE with what is missing; nothing where nothing is."""
    clauses = [_as_added(column) for column in table.columns if not column.original]
    clauses += [f"IF(@first, {_quoted(clause)}, NULL)" for clause in _remaking(table)]
    here = f"table_schema = DATABASE() AND table_name = '{table.name}'"
    names = "CONCAT(',', GROUP_CONCAT(LOWER(CONVERT(column_name USING utf8mb4))), ',')"
    text = f"""
SET @there = (SELECT {names} FROM information_schema.columns
    WHERE {here});
SET @seen = (SELECT {names} FROM information_schema.columns
    WHERE {here} AND extra NOT LIKE '%INVISIBLE%');
SET @first = (SELECT COUNT(*) FROM information_schema.columns
    WHERE {here} AND {table.sign});
"""
    if table.narrow_key:
        text += f"""SET @keys = (
    SELECT GROUP_CONCAT('DROP KEY `', index_name, '`' SEPARATOR ', ') FROM (
        SELECT index_name FROM information_schema.statistics
        WHERE {here} AND non_unique = 0
        GROUP BY index_name
        HAVING GROUP_CONCAT(LOWER(column_name) ORDER BY LOWER(column_name))
            = '{",".join(sorted(table.narrow_key))}') AS narrow);
"""
        clauses.append(f"CONCAT(@keys, {_quoted(f', ADD {_unique(table)}')})")
    return f"""{text}SET @alter = CONCAT_WS(', ',
    {_LINES.join(clauses)});
SET @alter = IF(@alter = '', 'DO 0', CONCAT('ALTER TABLE {table.name} ', @alter));
{_EXECUTE}"""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _as_added(column: Column) -> str:
    """The clause that adds a column, renames it, or hides one that was seen; NULL for none."""
    there, seen = (f"LOCATE(',{column.name},', @{which})" for which in ("there", "seen"))
    definition = _definition(column)
    hidden = f"IF(@hides AND {seen}, {_quoted(f'MODIFY COLUMN {definition}')}, NULL)"
    added = _quoted(f"ADD COLUMN {definition}")
    if column.former:
        renamed = _quoted(f"CHANGE COLUMN {column.former} {definition}")
        added = f"IF(LOCATE(',{column.former},', @there), {renamed},\n        {added})"
    return f"IF({there}, {hidden},\n        {added})"


def _remaking(table: Table) -> list[str]:
    """What the tables of the first version become like new ones by, beside added columns."""
    clauses = [f"MODIFY COLUMN {_definition(table.column(name))}" for name in table.remade]
    if not table.identity:
        numbered = [f"DROP COLUMN {table.name}_id", f"DROP KEY {table.name}_key"]
        clauses += [*numbered, f"ADD {_unique(table)}"]
    return clauses


def _mysql_index(table: Table, index: Index) -> str:
    return f"""\
SET @alter = IF(
    EXISTS (
        SELECT 1 FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND table_name = '{table.name}'
        AND index_name = '{index.name}'),
    'DO 0', '{add_index(table, index)}');
{_EXECUTE}"""


def add_index(table: Table, index: Index) -> str:
    """The statement that adds an index which is missing."""
    return f"ALTER TABLE {table.name} ADD KEY {index.definition}"


def add_column(table: Table, column: Column, there: Collection[str] = ()) -> str:
    """The statement that adds a column which is missing, or renames it if that is ``there``."""
    if column.former in there and not column.original:
        change = f"CHANGE COLUMN {column.former} {column.name}"
        return f"ALTER TABLE {table.name} {change} {column.mysql}"
    return f"ALTER TABLE {table.name} ADD COLUMN {column.name} {column.mysql}"


def widen_column(table: Table, column: Column) -> str:
    """The statement that gives a column the length that it should have."""
    return f"ALTER TABLE {table.name} MODIFY COLUMN {column.name} {column.mysql}"


if __name__ == "__main__":
    print(schema(), end="")
