"""THE tables of the central database: one row for each column, all statements follow from it.

``etc/schema.sql``, the statements of both kinds of databases and what ``check
--connect`` looks for are made from :data:`TABLES`. ``python -m
b1000.reports.tables > etc/schema.sql`` writes the file anew. Pure.
"""

from typing import NamedTuple

from b1000.steps import CopyStatus, Status, Step


class Column(NamedTuple):
    """One column.

    ``mysql`` and ``sqlite`` are its definition in either dialect. An
    ``original`` one stands in the tables of older installations too; the
    others are added to those, so they must have a default. ``longest`` is how
    many characters are ever told in it, where that is less than it holds.
    """

    name: str
    mysql: str
    sqlite: str
    original: bool = True
    longest: int = 0

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
    """One table: ``identity`` is its numbering column, ``key`` what names a row."""

    name: str
    identity: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    indexes: tuple[Index, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its columns, without the numbering one."""
        return tuple(column.name for column in self.columns)

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


def _number(name: str, kind: str = "BIGINT") -> Column:
    sqlite = "REAL" if kind == "DOUBLE" else "INTEGER"
    return Column(name, f"{kind} NULL DEFAULT NULL", f"{sqlite} DEFAULT NULL", original=False)


def _count(name: str, kind: str = "INT") -> Column:
    return Column(name, f"{kind} NOT NULL DEFAULT 0", "INTEGER NOT NULL DEFAULT 0", original=False)


def _utc(name: str) -> Column:
    return Column(name, "DATETIME(3) NULL DEFAULT NULL", "TEXT DEFAULT NULL", original=False)


_ERROR = Column(
    "error",
    "TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL DEFAULT NULL",
    "TEXT DEFAULT NULL",
    original=False,
)
_LAST_OPERATION = Column("last_op_time", "DATETIME NULL DEFAULT NULL", "TEXT DEFAULT NULL")

JOBS = Table(
    "jobs",
    "job_id",
    ("start_time", "host", "name", "instance"),
    (
        _name("host", 128),
        _name("name", 128),
        _name("instance", 128),
        _name("master_host", 255),
        _name("master_instance", 255),
        _word("direction"),
        Column("start_time", "DATETIME NOT NULL", "TEXT NOT NULL"),
        _LAST_OPERATION,
        _word("step"),
        _word("status"),
        Column("data_age", "DOUBLE NULL DEFAULT 0", "REAL DEFAULT 0"),
        Column("ack", "TINYINT NOT NULL DEFAULT 0", "INTEGER NOT NULL DEFAULT 0"),
        _word("type")._replace(original=False),
        _utc("started_utc"),
        _utc("ended_utc"),
        _number("duration", "DOUBLE"),
        _number("bytes"),
        _number("files"),
        _count("attempts"),
        _ERROR,
        _count("transition", "BIGINT"),
    ),
    # The last runs of one subject, and of all: what `b1000 monitor` asks for.
    (
        Index("jobs_subject", ("host", "name", "instance", "start_time")),
        Index("jobs_master", ("master_host", "name", "master_instance", "start_time")),
    ),
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
        _word("status"),
        _LAST_OPERATION,
        _utc("started_utc"),
        _utc("ended_utc"),
        _number("duration", "DOUBLE"),
        _number("bytes"),
        _number("files"),
        _number("sent"),
        _count("attempts"),
        _number("exit_code", "INT"),
        _ERROR,
        _count("transition", "BIGINT"),
    ),
)


def _limit(name: str) -> Column:
    return Column(name, "INT NULL DEFAULT NULL", "INTEGER DEFAULT NULL")


PLAN = Table(
    "plan",
    "plan_id",
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
)

TABLES = (JOBS, COPIES, PLAN)


# --- SQLite


def sqlite_table(table: Table) -> str:
    """The statement that makes a table in SQLite."""
    lines = [f"{table.identity} INTEGER PRIMARY KEY"]
    lines += [f"{column.name} {column.sqlite}" for column in table.columns]
    lines.append(f"UNIQUE ({', '.join(table.key)})")
    return f"CREATE TABLE IF NOT EXISTS {table.name} (\n    " + ",\n    ".join(lines) + "\n)"


def sqlite_index(table: Table, index: Index) -> str:
    """The statement that makes an index in SQLite."""
    name, columns = index.name, ", ".join(index.columns)
    return f"CREATE INDEX IF NOT EXISTS {name} ON {table.name} ({columns})"


# --- MySQL and MariaDB

_HEAD = """\
-- The tables of the central database of B1000: MariaDB 10.5 or newer, MySQL 5.7 or newer.
--
-- Made from b1000/reports/tables.py (python -m b1000.reports.tables); a change by hand is lost.
--
--     mysql b1000 < schema.sql
--
-- Makes what is missing. Of tables that are there already nothing is changed: columns that
-- older installations do not have are added, each with a default, so that older programs go
-- on writing beside this one; then indexes. May be loaded again and again.

SET NAMES utf8mb4;
SET SESSION group_concat_max_len = 65535;
-- Not strict: an old table may hold dates such as 0000-00-00, and is copied with them.
SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION';
"""

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


def _mysql_table(table: Table) -> str:
    lines = [f"{table.identity} INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY"]
    lines += [f"{column.name} {column.mysql}" for column in table.columns]
    lines.append(f"UNIQUE KEY {table.name}_key ({', '.join(table.key)})")
    lines += [f"KEY {index.definition}" for index in table.indexes]
    body = ",\n    ".join(lines)
    return (
        f"CREATE TABLE IF NOT EXISTS {table.name} (\n    {body}\n"
        ") ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;\n"
    )


def _mysql_upgrade(table: Table) -> str:
    """One ALTER TABLE with what is missing; nothing where nothing is."""
    added = [column for column in table.columns if not column.original]
    if not added:
        return ""
    wanted = "\n    UNION ALL ".join(
        f"SELECT {number} AS position, '{column.name}' AS name, "
        f"'{column.mysql.replace(chr(39), chr(39) * 2)}' AS definition"
        for number, column in enumerate(added)
    )
    return f"""
SET @alter = (
    SELECT CONCAT('ALTER TABLE {table.name} ', GROUP_CONCAT(
        'ADD COLUMN ', wanted.name, ' ', wanted.definition ORDER BY wanted.position SEPARATOR ', '))
    FROM (
    {wanted}) AS wanted
    WHERE NOT EXISTS (
        SELECT 1 FROM information_schema.columns AS present
        WHERE present.table_schema = DATABASE() AND present.table_name = '{table.name}'
        AND CONVERT(present.column_name USING utf8mb4) COLLATE utf8mb4_general_ci = wanted.name));
SET @alter = COALESCE(@alter, 'DO 0');
{_EXECUTE}"""


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


def add_column(table: Table, column: Column) -> str:
    """The statement that adds a column which is missing."""
    return f"ALTER TABLE {table.name} ADD COLUMN {column.name} {column.mysql}"


def widen_column(table: Table, column: Column) -> str:
    """The statement that gives a column the length that it should have."""
    return f"ALTER TABLE {table.name} MODIFY COLUMN {column.name} {column.mysql}"


if __name__ == "__main__":
    print(schema(), end="")
