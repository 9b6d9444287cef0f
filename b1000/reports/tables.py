"""THE tables of the central database: one row for each column, all statements follow from it.

``etc/schema.sql``, the statements of both kinds of databases and what ``check
--connect`` looks for are made from :data:`TABLES`. Pure.
"""

from b1000.reports.columns import Column as Column
from b1000.reports.columns import Index as Index
from b1000.reports.columns import Table as Table
from b1000.runs.states import CopyStatus, Status, Step

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


def _of_first(column: Column) -> Column:
    """A column that the table has had since there is one, with the default of an added one."""
    return column._replace(original=True)


def _ascii(name: str, length: int) -> Column:
    """ASCII takes the least room in a key."""
    return Column(
        name,
        f"VARCHAR({length}) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT ''",
        "TEXT NOT NULL DEFAULT ''",
    )


def _prose(name: str) -> Column:
    return _of_first(_ERROR)._replace(name=name)


STORED = Table(
    "stored",
    "stored_id",
    ("storage", "path"),
    (
        _ascii("storage", 64),
        # With the storage it fills a key of InnoDB.
        _name("path", 704),
        _name("host", 128),
        _name("name", 128),
        _name("instance", 128),
        _name("master_host", 255),
        _name("master_instance", 255),
        Column("start_time", "DATETIME NULL DEFAULT NULL", "TEXT DEFAULT NULL"),
        _name("destination", 255),
        _word("type"),
        _word("state")._replace(longest=0),
        _of_first(_number("bytes")),
        _of_first(_number("files")),
        _of_first(_utc("first_seen_utc")),
        _of_first(_utc("counted_utc")),
        _of_first(_utc("read_utc")),
        Column("read_share", "DOUBLE NOT NULL DEFAULT 0", "REAL NOT NULL DEFAULT 0"),
        Column("bad", "TINYINT NOT NULL DEFAULT 0", "INTEGER NOT NULL DEFAULT 0"),
        _prose("error"),
        _of_first(_utc("restored_utc")),
        _of_first(_utc("removed_utc")),
        _prose("reason"),
        _of_first(_count("transition", "BIGINT")),
        _of_first(_utc("started_utc")),
        _ascii("run", 64),
        _of_first(_utc("tried_utc")),
        _of_first(_utc("drilled_utc")),
        _prose("drill_error"),
        _of_first(_number("recovery_time", "DOUBLE")),
        _of_first(_number("verify_every")),
        _of_first(_number("drill_every")),
        _prose("held"),
        # A number of what names the place of a subject, which is too long for a key together.
        _number("whose"),
        # Of a sync tree that was written since read_utc says nothing, and this does.
        _utc("last_read_utc"),
        # Clients may write beside their backups: by these hashes a changed list is found out.
        _ascii("sums", 160)._replace(original=False),
    ),
    (
        Index("stored_subject", ("host", "name", "instance")),
        Index("stored_master", ("master_host", "name", "master_instance")),
        Index("stored_drilled", ("drilled_utc",)),
        # All that the monitor asks of a whole fleet: the rows themselves are not looked at.
        Index(
            "stored_whose",
            (
                *("whose", "state", "bad", "type", "verify_every", "drill_every"),
                *("started_utc", "read_utc", "first_seen_utc", "last_read_utc"),
            ),
        ),
    ),
)

# What people answer to verdicts, read and written by `b1000 monitor` alone.
REPLIES = Table(
    "replies",
    "",
    ("master_host", "job_name", "master_instance", "reply"),
    (
        _name("master_host", 255),
        _name("job_name", 128),
        _name("master_instance", 255),
        _name("reply", 16),
        _name("replied_by", 255),
        _of_first(_utc("replied_utc")),
        _of_first(_utc("until_utc")),
        _name("codes", 255),
        _name("note", 1024),
    ),
)

TABLES = (JOBS, COPIES, PLAN, STORED, REPLIES)

LINES = ",\n    "
"""Between the lines of a definition."""
