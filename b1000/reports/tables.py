"""THE tables of the central database: one row for each column, all statements follow from it.

``etc/schema.sql``, the statements of both kinds of databases and what ``check
--connect`` looks for are made from :data:`TABLES`. Pure.
"""

from typing import NamedTuple

from b1000.runs.states import CopyStatus, Status, Step


class Column(NamedTuple):
    """One column.

    ``mysql`` and ``sqlite`` are its definition in either dialect. An
    ``original`` one stands in the tables of older installations too; the
    others are added to those, so they must have a default. ``longest`` is how
    many characters are ever written to it, where that is less than it holds.
    ``former`` is the name that the first version gave to an added one. ``values``
    are all that an ENUM may hold, in their order.
    """

    name: str
    mysql: str
    sqlite: str
    original: bool = True
    longest: int = 0
    former: str = ""
    values: tuple[str, ...] = ()

    @property
    def may_be_unknown(self) -> bool:
        """Whether NULL is written to it; of the original columns only in this one."""
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

    ``sign`` is a condition on a column, as information_schema describes it, which holds in
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
    values = tuple(each.value for each in states)
    listed = ", ".join(f"'{word}'" for word in values)
    return Column(
        name,
        f"ENUM({listed}) NOT NULL DEFAULT '{values[0]}'",
        f"TEXT NOT NULL DEFAULT '{values[0]}'",
        longest=max(map(len, values)),
        values=values,
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
    # No TIMESTAMP: it is the host's local time, of an hour that the server may not have.
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
        # The storage that reports it for a client; '' where the host reports it itself, as all did
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

LINES = ",\n    "
"""Between the lines of a definition."""
