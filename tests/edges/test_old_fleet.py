"""Readers and writers of 2012, with their statements, on tables that are new and on older ones.

And rows of several writers: what a storage tells of a client never meets what the client tells.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from b1000.identity import myself
from b1000.jobs import Report
from b1000.monitor.survey import MonitorQuestion, survey
from b1000.reports.mysql.check import findings
from b1000.reports.mysql.connection import connect
from b1000.reports.mysql.report import MysqlReport
from b1000.reports.sqlite import SqliteReport
from b1000.reports.tables import COPIES, JOBS, TABLES
from b1000.reports.target import RunsRefused
from b1000.runs.run import Client, Copy, Run
from b1000.runs.states import CopyStatus, Status, Step
from tests.support.database import TABLES as SCHEMA_FILE
from tests.support.database import Database, Schema

FIRST = Path(__file__).parents[1] / "support" / "first_schema.sql"

# As the existing fleet had them, in the words of MySQL 5.1.
FLEET = """
CREATE TABLE jobs (
    job_id int unsigned NOT NULL AUTO_INCREMENT,
    host varchar(64) NOT NULL DEFAULT '',
    name varchar(64) NOT NULL DEFAULT '',
    instance varchar(64) NOT NULL DEFAULT '',
    master_host varchar(64) NOT NULL DEFAULT '',
    master_instance varchar(64) NOT NULL DEFAULT '',
    direction varchar(8) NOT NULL DEFAULT '',
    start_time datetime NOT NULL,
    last_op_time timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    step enum('INIT','PRE','COPYING','POST','DONE') NOT NULL DEFAULT 'INIT',
    status enum('OK','WARNING','FAILED') NOT NULL DEFAULT 'OK',
    data_age int DEFAULT 0,
    ack tinyint(1) NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id),
    UNIQUE KEY run (start_time, host, name, instance)
) ENGINE=InnoDB DEFAULT CHARSET=utf8;
CREATE TABLE copies (
    copy_id int unsigned NOT NULL AUTO_INCREMENT,
    job_id int unsigned NOT NULL,
    destination varchar(64) NOT NULL DEFAULT '',
    type varchar(8) NOT NULL DEFAULT '',
    path varchar(255) NOT NULL DEFAULT '',
    status enum('INIT','COPYING','DONE','WARNING','FAILED') NOT NULL DEFAULT 'INIT',
    last_op_time timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (copy_id),
    UNIQUE KEY copy (job_id, destination)
) ENGINE=InnoDB DEFAULT CHARSET=utf8;
CREATE TABLE plan (
    master_ip varchar(15) NOT NULL DEFAULT '',
    master_host varchar(64) NOT NULL DEFAULT '',
    job_name varchar(64) NOT NULL DEFAULT '',
    master_instance varchar(64) NOT NULL DEFAULT '',
    timestamp timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    ignored tinyint(1) NOT NULL DEFAULT 0,
    max_data_age int NOT NULL DEFAULT 0,
    max_backup_age int NOT NULL DEFAULT 0,
    max_copy_time int NOT NULL DEFAULT 0,
    note varchar(255) NOT NULL DEFAULT '',
    UNIQUE KEY subject (master_host, job_name, master_instance)
) ENGINE=InnoDB DEFAULT CHARSET=utf8;
"""

POSITIONAL = (
    "INSERT INTO jobs VALUES (NULL, 'web1', 'etc', '', 'db1', '3306', 'push', "
    "'2012-05-01 03:00:00', NOW(), 'INIT', 'OK', 12, 0)",
    "INSERT INTO copies VALUES (NULL, LAST_INSERT_ID(), 'hd', 'active', '/b/x', 'INIT', NOW())",
    "INSERT INTO plan VALUES ('10.0.0.1', 'db1', 'etc', '3306', NOW(), 0, 0, 90000, 0, 'nightly')",
)
NAMED = (
    "INSERT INTO jobs (host, name, instance, direction, start_time, step, status) "
    "VALUES ('web2', 'etc', '', 'push', '2012-05-01 03:00:00', 'COPYING', 'FAILED')",
    "INSERT INTO copies (job_id, destination, type, path, status) "
    "VALUES (LAST_INSERT_ID(), 'hd', 'active', '/b/y', 'FAILED')",
    "INSERT INTO plan (master_host, job_name, max_backup_age) VALUES ('web2', 'etc', 90000)",
)
AGAIN = (
    "INSERT INTO jobs (host, name, instance, start_time, step, status) "
    "VALUES ('web1', 'etc', '', '2012-05-01 03:00:00', 'DONE', 'WARNING') "
    "ON DUPLICATE KEY UPDATE job_id = LAST_INSERT_ID(job_id), step = VALUES(step), "
    "status = VALUES(status)"
)


def upgrade(database: Schema) -> Schema:
    """Load ``etc/schema.sql`` as people do, twice."""
    for _ in range(2):
        done = database.server.load(SCHEMA_FILE, database.name)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return database


@pytest.fixture(params=["new", "of the first version", "of 2012"])
def tables(request: pytest.FixtureRequest, database_server: Database, tmp_path: Path) -> Schema:
    """Tables that ``etc/schema.sql`` made, or brought up to date."""
    if request.param == "new":
        return Schema(database_server)
    if request.param == "of the first version":
        return upgrade(Schema(database_server, FIRST))
    fleet = tmp_path / "fleet.sql"
    fleet.write_text(FLEET)
    return upgrade(Schema(database_server, fleet))


def settings(database: Schema) -> Report:
    options: dict[str, Any] = database.report()
    return Report(name="central", **options)


def written(database: Schema) -> Schema:
    """What two writers of 2012 wrote over one connection each."""
    for statements in (POSITIONAL, NAMED):
        with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            connection.commit()
    return database


# --- writers and readers of 2012


def test_old_writers_insert_by_position_and_by_name(tables: Schema) -> None:
    written(tables)
    tables.query(AGAIN)
    rows = tables.jobs("host, step, status, data_age, ack, transition, relayed_by")
    assert rows == [
        {"host": "web1", "step": "DONE", "status": "WARNING", "data_age": 12, "ack": 0}
        | {"transition": 0, "relayed_by": ""},
        {"host": "web2", "step": "COPYING", "status": "FAILED", "data_age": 0, "ack": 0}
        | {"transition": 0, "relayed_by": ""},
    ]
    assert [row["destination"] for row in tables.copies("destination")] == ["hd", "hd"]
    limits = "max_data_age, max_backup_age, max_copy_time, note"
    assert [tuple(row.values()) for row in tables.query(f"SELECT {limits} FROM plan")] == [
        (0, 90000, 0, "nightly"),
        (0, 90000, 0, ""),
    ]


def test_old_readers_get_the_columns_that_they_know(tables: Schema) -> None:
    written(tables)
    connection = connect(settings(tables), read_only=True)
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM jobs JOIN copies ON jobs.job_id = copies.job_id")
        names = [column[0] for column in cursor.description or ()]
        cursor.execute("SELECT * FROM plan ORDER BY master_host")
        plan = cursor.fetchall()
    known = [
        [table.identity, *(column.name for column in table.columns if column.original)]
        for table in (JOBS, COPIES)
    ]
    assert names == [*known[0], *known[1]]
    assert plan[0][:4] == ("10.0.0.1", "db1", "etc", "3306")


def test_unqualified_names_of_a_join_are_not_ambiguous(tables: Schema) -> None:
    written(tables)
    rows = tables.query(
        "SELECT host, name, instance, jobs.master_host, direction, start_time, step, "
        "data_age, ack, destination, type, path, jobs.status, copies.status AS copied, note "
        "FROM jobs LEFT JOIN copies USING (job_id) "
        "LEFT JOIN plan ON plan.master_host = jobs.master_host AND job_name = name "
        "WHERE type = 'active' AND step <> 'DONE' ORDER BY host"
    )
    assert [(row["host"], row["type"], row["note"]) for row in rows] == [
        ("web1", "active", "nightly"),
        ("web2", "active", None),
    ]


def test_states_are_ordered_and_compared_by_number(tables: Schema) -> None:
    written(tables)
    tables.query("UPDATE jobs SET step = 'DONE', status = 'WARNING' WHERE host = 'web1'")
    worst_first = tables.query("SELECT host FROM jobs ORDER BY status DESC, step")
    assert [row["host"] for row in worst_first] == ["web2", "web1"]
    assert tables.query("SELECT host FROM jobs WHERE status > 2") == [{"host": "web2"}]
    assert tables.query("SELECT host FROM jobs WHERE step >= 5") == [{"host": "web1"}]
    numbers = "SELECT step + 0 AS step, status + 0 AS status FROM jobs ORDER BY host"
    assert [tuple(row.values()) for row in tables.query(numbers)] == [(5, 2), (3, 3)]
    copies = tables.query("SELECT destination FROM copies WHERE status IN (3, 5)")
    assert len(copies) == 1


def test_the_time_of_the_last_change_keeps_itself(tables: Schema) -> None:
    written(tables)
    assert None not in [row["last_op_time"] for row in tables.jobs("last_op_time")]
    for table in ("jobs", "copies"):
        tables.query(f"UPDATE {table} SET last_op_time = '2012-05-01 03:00:00'")
    tables.query("UPDATE jobs SET ack = 1 WHERE host = 'web1'")
    tables.query("UPDATE copies SET status = 'DONE' WHERE path = '/b/x'")
    for row in (tables.jobs("last_op_time, ack")[0], tables.copies("copies.last_op_time")[0]):
        assert row["last_op_time"].year > 2012
    assert tables.jobs("last_op_time, ack")[1] == {
        "last_op_time": datetime(2012, 5, 1, 3),
        "ack": 0,
    }


def test_this_program_writes_beside_old_ones(tables: Schema) -> None:
    written(tables)
    assert findings(settings(tables)) == [
        flaw for flaw in findings(settings(tables)) if flaw.warning
    ]
    with contextlib.closing(MysqlReport(settings(tables))) as report:
        assert report.deliver([own(1), relayed(2)]) == ({1, 2}, None)
    assert len(tables.jobs()) == 4


# --- upgrades


def test_tables_of_the_first_version_become_like_new_ones(database_server: Database) -> None:
    first, new = Schema(database_server, FIRST), Schema(database_server)
    first.query(
        "INSERT INTO jobs (host, name, start_time, step, status, type, bytes, transition) "
        "VALUES ('web1', 'etc', '2026-11-01 03:00:00', 'DONE', 'OK', 'full', 77, 9)"
    )
    first.query(
        "INSERT INTO copies (job_id, destination, type, status, bytes, error, transition) "
        "VALUES (1, 'hd', 'active', 'DONE', 76, 'none', 8)"
    )
    first.query("INSERT INTO plan (master_host, job_name, note) VALUES ('web1', 'etc', 'kept')")
    upgrade(first)
    for table in TABLES:
        assert columns(first, table.name) == columns(new, table.name)
        assert keys(first, table.name) == keys(new, table.name)
    assert first.jobs("step, status, backup_type, bytes, transition, relayed_by") == [
        {"step": "DONE", "status": "OK", "backup_type": "full", "bytes": 77, "transition": 9}
        | {"relayed_by": ""}
    ]
    assert first.copies("destination, copies.status, copy_bytes, copy_error, copy_transition") == [
        {"destination": "hd", "status": "DONE", "copy_bytes": 76, "copy_error": "none"}
        | {"copy_transition": 8}
    ]
    assert first.query("SELECT note, max_backup_age FROM plan")[0]["note"] == "kept"


def test_the_monitor_reads_tables_of_the_first_version_before_they_are_upgraded(
    database_server: Database,
) -> None:
    first = Schema(database_server, FIRST)
    first.query(
        "INSERT INTO jobs (host, name, start_time, started_utc, step, status, bytes) VALUES "
        "('web1', 'etc', '2026-11-01 03:00:00', '2026-11-01 03:00:00', 'COPYING', 'FAILED', 77)"
    )
    first.query(
        "INSERT INTO copies (job_id, destination, status, error) VALUES "
        "(1, 'hd', 'DONE', ''), (1, 'far', 'FAILED', 'no route')"
    )
    now = datetime(2026, 11, 1, 6, tzinfo=UTC).timestamp()
    (found,) = survey(settings(first), MonitorQuestion(), now).judgements
    assert (found.age, found.bytes, found.relayed_by) == (3 * 3600, 77, "")
    assert "missing: far (no route)" in found.reason


def columns(database: Schema, table: str) -> list[dict[str, Any]]:
    return database.query(
        "SELECT column_name, column_type, is_nullable, column_default, extra, collation_name "
        "FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s "
        "ORDER BY ordinal_position",
        [table],
    )


def keys(database: Schema, table: str) -> set[tuple[str, int, str]]:
    return {
        (row["Key_name"], row["Seq_in_index"], row["Column_name"])
        for row in database.query(f"SHOW INDEX FROM {table}")
    }


# --- one row for each writer


def own(number: int, **changes: Any) -> Run:
    """A run of the host ``web1`` that FAILED, as it tells it itself."""
    run = Run(
        run_id=number,
        uid=f"{number:024x}",
        job="etc",
        instance="",
        host="web1",
        direction="push",
        type="full",
        started=1_795_000_000.0,
        start_time="2026-11-23-05-38-55",
        supervisor=myself(),
        step=Step.COPYING,
        status=Status.FAILED,
        error="connection refused",
        last_transition=5,
        changed=1_795_000_005.0,
        copies=(Copy("hd", "/b/x", status=CopyStatus.FAILED),),
    )
    return run._replace(**changes)


def relayed(number: int, storage: str = "backup-2", **changes: Any) -> Run:
    """A pull of a storage whose client claims to be that host in that run, and well."""
    client = Client(
        file="etc--2026-11-23-05-38-55.b1k",
        host="web1",
        job="etc",
        instance="",
        start_time="2026-11-23-05-38-55",
        step=Step.DONE,
        status=Status.OK,
        destination="hd",
        pull_host=storage,
        copy_status=CopyStatus.DONE,
        transition=10**12,
    )
    copies = (Copy("local", "/srv/x", status=CopyStatus.DONE, bytes=5, files=1),)
    run = own(number, host=storage, job="pulled", direction="pull", status=Status.OK, error="")
    return run._replace(clients=(client,), copies=copies, relayed=7, **changes)


@pytest.fixture(params=["mysql", "sqlite"])
def target(
    request: pytest.FixtureRequest, database: Schema, tmp_path: Path
) -> Iterator[MysqlReport | SqliteReport]:
    file = Report("central", "sqlite", path=str(tmp_path / "c" / "central.sqlite3"))
    kind = MysqlReport(settings(database)) if request.param == "mysql" else SqliteReport(file)
    with contextlib.closing(kind) as opened:
        yield opened


def told(target: MysqlReport | SqliteReport, database: Schema) -> list[tuple[Any, ...]]:
    """Who says what of the run."""
    sql = "SELECT relayed_by, direction, step, status, transition FROM jobs ORDER BY relayed_by"
    if isinstance(target, MysqlReport):
        return [tuple(row.values()) for row in database.query(sql)]
    with contextlib.closing(sqlite3.connect(target._path)) as file:
        return file.execute(sql).fetchall()


def test_a_relayed_row_and_one_of_the_host_never_meet(
    target: MysqlReport | SqliteReport, database: Schema
) -> None:
    """In either order; each goes on, and none holds up another by a number."""
    for runs in ([relayed(1)], [own(2)], [relayed(3, "backup-3")], [relayed(1), own(2)]):
        assert target.deliver(runs)[1] is None
    assert told(target, database) == [
        ("", "push", "COPYING", "FAILED", 5),
        ("backup-2", "passive", "DONE", "OK", 7),
        ("backup-3", "passive", "DONE", "OK", 7),
    ]
    assert target.deliver([own(2, last_transition=6, status=Status.OK)])[1] is None
    assert told(target, database)[0] == ("", "push", "COPYING", "OK", 6)


def test_a_storage_numbers_what_it_relays(
    target: MysqlReport | SqliteReport, database: Schema
) -> None:
    """A client that says that its state is the last of all does not stop what follows."""
    target.deliver([relayed(1)])
    later = relayed(1)
    (client,) = later.clients
    client = client._replace(status=Status.FAILED, transition=1)
    assert target.deliver([later._replace(clients=(client,), relayed=8)])[1] is None
    assert told(target, database) == [("backup-2", "passive", "DONE", "FAILED", 8)]


def test_under_an_older_key_the_row_of_another_writer_stays(database: Schema) -> None:
    """The columns are there, and the key is not: what is relayed is refused, and says why."""
    database.query(
        "ALTER TABLE jobs DROP KEY jobs_key, ADD UNIQUE KEY run (start_time, host, name, instance)"
    )
    with contextlib.closing(MysqlReport(settings(database))) as report:
        report.deliver([own(1)])
        before = database.jobs(), database.copies()
        arrived, trouble = report.deliver([relayed(2)])
    assert arrived == set()
    assert isinstance(trouble, RunsRefused)
    assert "an older unique key, which etc/schema.sql widens" in str(trouble)
    assert (database.jobs(), database.copies()) == before
    flaws = "\n".join(flaw.text for flaw in findings(settings(database)))
    assert "the unique key run of older installations" in flaws
    upgrade(database)
    assert findings(settings(database)) == []
    with contextlib.closing(MysqlReport(settings(database))) as report:
        assert report.deliver([relayed(2)]) == ({2}, None)


def test_a_file_of_the_first_version_gets_the_key(tmp_path: Path) -> None:
    """With all rows under their numbers, and columns that others have added."""
    path = tmp_path / "central.sqlite3"
    with contextlib.closing(SqliteReport(Report("central", "sqlite", path=str(path)))) as report:
        report.deliver([own(1)])
    with contextlib.closing(sqlite3.connect(path)) as old, old:
        names = [row[1] for row in old.execute("PRAGMA table_info(jobs)")]
        kept = ", ".join(name for name in names if name not in ("relayed_by", "backup_type"))
        columns = "job_id INTEGER PRIMARY KEY, type TEXT NOT NULL DEFAULT ''"
        columns += ", rack TEXT NOT NULL DEFAULT 'r1'"
        for name in kept.split(", ")[1:]:
            columns += f", {name} TEXT DEFAULT ''"
        old.execute(f"CREATE TABLE was ({columns}, UNIQUE (start_time, host, name, instance))")
        old.execute(f"INSERT INTO was (type, {kept}) SELECT 'full', {kept} FROM jobs")
        old.execute("UPDATE was SET job_id = 41, rack = 'r7'")
        old.execute("DROP TABLE jobs")
        old.execute("ALTER TABLE was RENAME TO jobs")
        old.execute("ALTER TABLE copies RENAME COLUMN copy_bytes TO bytes")
    with contextlib.closing(SqliteReport(Report("central", "sqlite", path=str(path)))) as report:
        report.deliver([relayed(2)])
    with contextlib.closing(sqlite3.connect(path)) as now:
        sql = "SELECT job_id, backup_type, rack, status, relayed_by FROM jobs ORDER BY job_id"
        assert now.execute(sql).fetchall() == [
            (41, "full", "r7", "FAILED", ""),
            (42, "full", "r1", "OK", "backup-2"),
        ]
        assert now.execute("SELECT count(copy_bytes) FROM copies").fetchall() == [(1,)]
