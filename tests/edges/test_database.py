"""Reports of type mysql, statement by statement, on a real MariaDB."""

import contextlib
import gc
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from b1000 import logoutputs, logs
from b1000.identity import myself
from b1000.jobs import Report
from b1000.locks import Locks
from b1000.reports.mysql import check, loading
from b1000.reports.mysql.connection import connect
from b1000.reports.mysql.errors import error_text
from b1000.reports.mysql.report import MysqlReport
from b1000.reports.reporter import Reporter
from b1000.reports.tables import TABLES
from b1000.reports.target import NotDelivered, RunsRefused
from b1000.runs.protocol import Deliver, Delivered
from b1000.runs.run import Copy, Run, Snapshot
from b1000.runs.states import CopyStatus, Status, Step
from b1000.state.opening import open_journal
from b1000.wire import pair
from tests.support import build
from tests.support.database import TABLES as SCHEMA_FILE
from tests.support.database import Database, Schema, program
from tests.support.world import wait_until

STARTED = 1_795_000_000.0

# Of an authority of which nobody has the key.
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIDFTCCAf2gAwIBAgIUM/9/Dq3EHLL8sUgM/icr/eiQlfcwDQYJKoZIhvcNAQEL
BQAwGTEXMBUGA1UEAwwOVGVzdCBhdXRob3JpdHkwIBcNMjYxMTIzMDU0NTE0WhgP
MjEyNjEwMzAwNTQ1MTRaMBkxFzAVBgNVBAMMDlRlc3QgYXV0aG9yaXR5MIIBIjAN
BgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAzf5+b0HkFheBTi5DcMhNZkmwmSfB
iWwCSdasKLiLiTZjN2kprAPDN7SthCQYXjYG1aH73EG5859vc99ZJ0uYdBOPwGak
+EW24Edv4e9HmNSJzxm4ldP4uPUhQytL2a0P1Akr1KLJ70JQ1HZ1iwAHypNiBjJu
DRFagcFYO3chTOyakZEcGYOys/W1+VvDk1BVvMO/qS2Qb8AuAYsxz9DQWWDcustM
lpFFUvulbSqc4SVtL03W6/VM38UvfuuBN+J45EI4LDsfH5YgPft8tceVyUVlqPLw
QI3seNFVhq5JjMogZlTANsh7c/S8OywTow3RX8utwoenNtRDBFKG1CepyQIDAQAB
o1MwUTAdBgNVHQ4EFgQU+1Tr8PM2jv94mxYVCbGLHzYvTAcwHwYDVR0jBBgwFoAU
+1Tr8PM2jv94mxYVCbGLHzYvTAcwDwYDVR0TAQH/BAUwAwEB/zANBgkqhkiG9w0B
AQsFAAOCAQEAVRlet7h/RDoPSpNXOmZ0V+5/RrXjGr04ccarT27+umOAWSUG5zfn
RsKjybNluYUHs+9uYrPo8pPZ7GAJr6AXRDEFIxGEdWSzxtNAKrVtmqDk8TRoNzse
MFwKpMRka1LHx1iw16OJvNdqr6UlR9wUAnBZ8j5rukwS7wWZbtD8T631blDfn5/t
cYfGah5/2LkjWHz5n2jn8xkaVOc4DbLdSgOgI4B6CILgXda+nhJatigi6fR0BoZO
JDwtaOofSjmPA9BklmPKyXp3v+dAHeKyiWpD2cIIboOLlDcNRlEBhF2RFMa7KjfX
OZopFSTsI0cQ6AsoH7E+BmXpr4Y+zwkuZA==
-----END CERTIFICATE-----
"""

# A server's own, for 127.0.0.1 alone; of no use anywhere but here.
SERVER_CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBgjCCASegAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAkxMjcuMC4w
LjEwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CTEyNy4wLjAuMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNjMQuIqmBLbx16O
xCjZfzW+xdREIwb7M8aZCQgGrCXkh2qCRR+EP9lip8bhOKYpBLePE9u9dhaoRIxb
MG7O5+KjaDBmMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgKEMBMGA1Ud
JQQMMAoGCCsGAQUFBwMBMA8GA1UdEQQIMAaHBH8AAAEwHQYDVR0OBBYEFCS1QFdy
o50ynzNEIZmTghLIe7t8MAoGCCqGSM49BAMCA0kAMEYCIQCzg/Uu6puPnHINLNP6
NUp8ECJXVm0D/jDVwLgGgV28FgIhAKnQJva7v5X6dgkceWHmX36mgixAPLZaMhl/
fT7xlJq8
-----END CERTIFICATE-----
"""
SERVER_KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgpsn2Ci10yvmAlI8u
x1O7CNsS9uK2vxPLOM/QadU3+OihRANCAATYzELiKpgS28dejsQo2X81vsXURCMG
+zPGmQkIBqwl5IdqgkUfhD/ZYqfG4TimKQS3jxPbvXYWqESMWzBuzufi
-----END PRIVATE KEY-----
"""

# As plausible installations of the program that came before this one have them.
ORIGINAL_TABLES = """
CREATE TABLE jobs (
    job_id int(11) NOT NULL AUTO_INCREMENT,
    host varchar(255) NOT NULL,
    name varchar(255) NOT NULL,
    instance varchar(255) NOT NULL,
    master_host varchar(255) NOT NULL,
    master_instance varchar(255) NOT NULL,
    direction varchar(10) NOT NULL,
    start_time datetime NOT NULL,
    last_op_time datetime NOT NULL,
    step varchar(20) NOT NULL,
    status varchar(20) NOT NULL,
    data_age int(11),
    ack tinyint(1) NOT NULL,
    PRIMARY KEY (job_id),
    UNIQUE KEY start_time (start_time, host, name, instance)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;
CREATE TABLE copies (
    copy_id int(11) NOT NULL AUTO_INCREMENT,
    job_id int(11) NOT NULL,
    destination varchar(255) NOT NULL,
    type varchar(20) NOT NULL,
    path varchar(255) NOT NULL,
    status varchar(20) NOT NULL,
    last_op_time datetime NOT NULL,
    PRIMARY KEY (copy_id),
    UNIQUE KEY job_id (job_id, destination)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;
CREATE TABLE plan (
    master_ip varchar(15) NOT NULL,
    master_host varchar(255) NOT NULL,
    job_name varchar(255) NOT NULL,
    master_instance varchar(255) NOT NULL,
    timestamp timestamp NOT NULL,
    ignored tinyint(1) NOT NULL,
    max_data_age int(11),
    max_backup_age int(11),
    max_copy_time int(11),
    note varchar(255),
    UNIQUE KEY master_host (master_host, job_name, master_instance)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;
"""

OLD_WRITER = """
INSERT INTO jobs (host, name, instance, master_host, master_instance, direction, start_time,
                  last_op_time, step, status, data_age, ack)
VALUES ('old', %(name)s, '', 'master', '', 'push', '2026-11-01 10:00:00', NOW(),
        %(step)s, 'OK', 0, 0)
ON DUPLICATE KEY UPDATE job_id = LAST_INSERT_ID(job_id), step = VALUES(step),
    status = VALUES(status), last_op_time = VALUES(last_op_time)
"""
OLD_WRITER_COPY = """
INSERT INTO copies (job_id, destination, type, path, status, last_op_time)
VALUES (LAST_INSERT_ID(), 'storage', 'active', '/backup/x', %(step)s, NOW())
ON DUPLICATE KEY UPDATE status = VALUES(status), last_op_time = VALUES(last_op_time)
"""


def settings(database: Schema, **changes: Any) -> Report:
    """The report whose tables are those of a test."""
    return Report(name="central", **{**database.report(), **changes})


@pytest.fixture
def report(database: Schema) -> Iterator[MysqlReport]:
    with contextlib.closing(MysqlReport(settings(database))) as opened:
        yield opened


@pytest.fixture(params=["OFF", "ON"])
def snapshot_isolation(database_server: Database, request: pytest.FixtureRequest) -> Iterator[None]:
    """MariaDB refuses to write upon what it has not read, or does not: as before and since 11.6."""
    name = "innodb_snapshot_isolation"
    before = database_server.value(f"SELECT @@GLOBAL.{name}")
    database_server.query(f"SET GLOBAL {name} = {request.param}")
    yield
    database_server.query(f"SET GLOBAL {name} = {before}")


@pytest.fixture
def original(database_server: Database, tmp_path: Path) -> Schema:
    """A database with the tables of older installations."""
    tables = tmp_path / "original.sql"
    tables.write_text(ORIGINAL_TABLES)
    return Schema(database_server, tables)


def upgrade(database: Schema) -> None:
    """Load ``etc/schema.sql`` as people do."""
    done = database.server.load(SCHEMA_FILE, database.name)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def state(number: int, transition: int = 1, **changes: Any) -> Run:
    """A state of the run of one number, with two copies."""
    run = Run(
        run_id=number,
        uid=f"{number:024x}",
        job=f"job{number}",
        instance="3306",
        host="client",
        direction="push",
        type="full",
        started=STARTED,
        start_time="2026-11-23-05-38-55",
        supervisor=myself(),
        step=Step.COPYING,
        last_transition=transition,
        changed=STARTED + transition,
        snapshot=Snapshot(master_host="master", master_instance="3306", data_age=12.5),
        copies=(
            Copy("near", f"/near/{number}", status=CopyStatus.COPYING, attempts=transition),
            Copy("far", f"rsync://far/b/{number}", status=CopyStatus.INIT),
        ),
    )
    return run._replace(**changes)


def done(number: int, transition: int = 9) -> Run:
    """The last state of a run."""
    run = state(number, transition, step=Step.DONE, ended=STARTED + 60)
    copies = tuple(
        copy._replace(status=CopyStatus.DONE, bytes=10, files=1, sent=5) for copy in run.copies
    )
    return run._replace(copies=copies)


def everything(database: Schema) -> list[list[dict[str, Any]]]:
    """All rows, and the numbers that the next rows would get."""
    return [
        database.jobs(),
        database.copies(),
        database.query(
            "SELECT table_name, auto_increment FROM information_schema.tables "
            "WHERE table_schema = DATABASE() ORDER BY table_name"
        ),
    ]


def findings(report: Report) -> list[str]:
    """What ``check --connect`` tells of it."""
    return [flaw.text for flaw in check.findings(report)]


# --- once, and never backwards


def test_what_is_told_again_changes_nothing(database: Schema, report: MysqlReport) -> None:
    """As after a crash between the commit and its mark in the journal."""
    runs = [state(number) for number in range(1, 20)]
    assert report.deliver(runs) == ({run.run_id for run in runs}, None)
    before = everything(database)
    assert len(before[0]) == 19
    assert len(before[1]) == 38
    assert report.deliver(runs) == ({run.run_id for run in runs}, None)
    with contextlib.closing(MysqlReport(settings(database))) as another:
        assert another.deliver(runs[::-1])[1] is None
    assert everything(database)[:2] == before[:2]


def test_updates_use_up_no_numbers(database: Schema, report: MysqlReport) -> None:
    """A fleet that reports each step for years must not run out of them."""
    for transition in range(1, 30):
        report.deliver([state(1, transition)])
    report.deliver([state(2)])
    assert [row["job_id"] for row in database.jobs()] == [1, 2]
    assert [row["copy_id"] for row in database.copies()] == [1, 2, 3, 4]


def test_a_row_never_goes_back(database: Schema, report: MysqlReport) -> None:
    report.deliver([done(1, 9)])
    before = everything(database)
    assert report.deliver([state(1, 8, status=Status.FAILED, error="late"), state(2)])[1] is None
    assert everything(database)[0][:1] == before[0]
    assert everything(database)[1][:2] == before[1]
    report.deliver([state(1, 10, status=Status.WARNING)])
    assert database.jobs("status, transition")[0] == {"status": "WARNING", "transition": 10}
    assert {row["copy_transition"] for row in database.copies()[:2]} == {10}


def test_a_copy_that_an_old_state_did_not_have_is_not_changed(
    database: Schema, report: MysqlReport
) -> None:
    """Each row of ``copies`` has a transition of its own."""
    report.deliver([state(1, 1, copies=())])
    report.deliver([done(1, 5)])
    database.query("UPDATE jobs SET transition = 1")
    report.deliver([state(1, 3)])
    assert {row["status"] for row in database.copies("copies.status")} == {"DONE"}


@pytest.mark.usefixtures("snapshot_isolation")
def test_a_row_that_appears_after_the_look_is_no_mistake(
    database: Schema, report: MysqlReport
) -> None:
    """A stalled reporter commits the same or a newer state while this one waits for its lock."""
    with contextlib.closing(MysqlReport(settings(database))) as stalled:
        connection = connect(settings(database))
        commit = threading.Event()

        class Held:
            """A connection that stalls before it commits."""

            def __getattr__(self, name: str) -> Any:
                return getattr(connection, name)

            def commit(self) -> None:
                commit.wait(30)
                connection.commit()

        stalled._connection = Held()  # type: ignore[assignment]
        thread = threading.Thread(target=stalled.deliver, args=([done(1, 9), done(2, 9)],))
        thread.start()
        wait_until(lambda: blocked_or_written(database))
        threading.Timer(0.5, commit.set).start()
        arrived, trouble = report.deliver([done(1, 9), state(2, 8), state(3, 1)])
        thread.join()
    assert trouble is None
    assert arrived == {1, 2, 3}
    assert [row["transition"] for row in database.jobs()] == [9, 9, 1]
    assert len(database.copies()) == 6


def blocked_or_written(database: Schema) -> bool:
    """Whether a transaction has written rows that are not committed."""
    return bool(
        database.query("SELECT 1 FROM information_schema.innodb_trx WHERE trx_rows_modified >= 6")
    )


def refuse(database: Schema, times: int, code: int) -> None:
    """Answer the first writes with an error; a table without transactions counts them."""
    database.query("CREATE TABLE attempts (number INT AUTO_INCREMENT PRIMARY KEY) ENGINE = MyISAM")
    database.query(
        "CREATE TRIGGER others BEFORE INSERT ON copies FOR EACH ROW BEGIN "
        "INSERT INTO attempts VALUES (); "
        f"IF (SELECT COUNT(*) FROM attempts) <= {times} THEN SIGNAL SQLSTATE 'HY000' "
        f"SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = 'try restarting transaction'; END IF; END"
    )


@pytest.mark.parametrize("code", [1020, 1180, 1205, 1213, 1412, 3101])
def test_what_a_server_wants_once_more_is_done_again_at_once(
    database: Schema, report: MysqlReport, code: int
) -> None:
    """The whole transaction: what it had written before the error is gone by then."""
    refuse(database, 2, code)
    assert report.deliver([state(1), state(2)]) == ({1, 2}, None)
    assert len(database.jobs()) == 2
    assert len(database.copies()) == 4


def test_what_is_refused_again_and_again_is_said(database: Schema, report: MysqlReport) -> None:
    refuse(database, 1_000_000, 1020)
    with pytest.raises(NotDelivered, match="try restarting transaction"):
        report.deliver([state(1)])
    assert database.jobs() == []
    assert 2 < database.value("SELECT COUNT(*) FROM attempts") < 20


@pytest.mark.usefixtures("snapshot_isolation")
def test_many_writers_at_once(database: Schema) -> None:
    """16 of them, the same rows and rows of their own: deadlocks and timeouts are tried again."""
    troubles: list[Exception] = []

    def write(writer: int) -> None:
        with contextlib.closing(MysqlReport(settings(database))) as target:
            for transition in range(1, 6):
                shared = [state(number, transition * 16 + writer) for number in range(1, 11)]
                own = [state(1000 + writer * 10 + number, transition) for number in range(5)]
                told = shared + own if writer % 2 else own[::-1] + shared[::-1]
                for _ in range(30):
                    try:
                        assert target.deliver(told)[1] is None
                        break
                    except NotDelivered as error:
                        troubles.append(error)
                        time.sleep(0.02)
                else:
                    raise AssertionError("it was never delivered")

    failures: list[BaseException] = []

    def guarded(writer: int) -> None:
        try:
            write(writer)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(writer,)) for writer in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    rows = {row["name"]: row["transition"] for row in database.jobs()}
    assert len(rows) == 10 + 16 * 5
    assert {rows[f"job{number}"] for number in range(1, 11)} == {5 * 16 + 15}
    assert {rows[f"job{1000 + writer * 10}"] for writer in range(16)} == {5}
    assert len(database.copies()) == 2 * len(rows)


# --- values


STRANGE = (
    "it's \"quoted\" `ticked` back\\slash \\' \\",
    "100% %s %(x)s {0} -- /* ; \n\t\r\x1a",
    "süß Диск 備份 🗄 a\u0301 \u202e",
)


def test_texts_are_kept_as_they_are(database: Schema, report: MysqlReport) -> None:
    for number, text in enumerate(STRANGE):
        copy = Copy("near", f"/near/{text}", error=text)
        report.deliver([state(number, error=text, copies=(copy,))])
    assert tuple(row["error"] for row in database.jobs()) == STRANGE
    assert tuple(row["path"] for row in database.copies()) == tuple(
        f"/near/{text}" for text in STRANGE
    )


def test_what_is_no_character_is_shown(database: Schema, report: MysqlReport) -> None:
    text = b"/a\xff\xfe\0b".decode("utf-8", "surrogateescape")
    report.deliver([state(1, error=text, copies=(Copy("near", text),))])
    assert "\\x00b" in database.jobs()[0]["error"]
    assert database.jobs()[0]["error"].startswith("/a\\udcff\\udcfe")
    assert database.copies()[0]["path"] == database.jobs()[0]["error"]


@pytest.mark.parametrize("letter", ["x", "é", "備", "🗄"])
def test_an_endless_error_is_cut_and_says_so(
    database: Schema, report: MysqlReport, letter: str
) -> None:
    assert report.deliver([state(1, error="." + letter * 70_000)])[1] is None
    kept = database.jobs()[0]["error"]
    assert kept.endswith(f"{letter} [...]")
    assert len(kept.encode()) <= 65_535


@pytest.mark.parametrize("mode", ["NO_BACKSLASH_ESCAPES,ANSI_QUOTES", "", "ANSI"])
def test_the_mode_of_the_server_does_not_matter(database: Schema, mode: str) -> None:
    (before,) = database.query("SELECT @@GLOBAL.sql_mode AS mode")
    database.server.query("SET GLOBAL sql_mode = %s", parameters=[mode])
    try:
        with contextlib.closing(MysqlReport(settings(database))) as target:
            target.deliver([state(1, error=STRANGE[0])])
            assert database.jobs()[0]["error"] == STRANGE[0]
            database.query("ALTER TABLE jobs MODIFY COLUMN master_host VARCHAR(3) NOT NULL")
            assert isinstance(target.deliver([state(2)])[1], RunsRefused)
    finally:
        database.server.query("SET GLOBAL sql_mode = %s", parameters=[before["mode"]])


# --- what cannot be stored


def test_a_run_that_cannot_be_stored_holds_up_no_other(
    database: Schema, report: MysqlReport
) -> None:
    database.query("ALTER TABLE jobs MODIFY COLUMN master_host VARCHAR(10) NOT NULL")
    runs = [state(number) for number in range(1, 501)]
    secret = runs[249]._replace(snapshot=Snapshot(master_host="much.longer.than.that"))
    runs[249] = secret
    arrived, trouble = report.deliver(runs)
    assert arrived == {run.run_id for run in runs} - {secret.run_id}
    assert isinstance(trouble, RunsRefused)
    assert trouble.run_ids == {secret.run_id}
    assert "job250/3306" in str(trouble)
    assert "ALTER TABLE jobs MODIFY COLUMN master_host VARCHAR(255)" in str(trouble)
    assert len(database.jobs()) == 499
    # The statement that it names mends it.
    database.query(str(trouble)[str(trouble).index("ALTER TABLE") :].rstrip(")"))
    assert report.deliver([secret]) == ({secret.run_id}, None)
    assert len(database.jobs()) == 500
    assert len(database.copies()) == 1000


@pytest.mark.parametrize(
    "act", ["SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not here'", "SET NEW.name = 'another'"]
)
def test_a_trigger_of_others_holds_up_only_what_it_is_for(
    database: Schema, report: MysqlReport, act: str
) -> None:
    database.query(
        f"CREATE TRIGGER others BEFORE INSERT ON jobs FOR EACH ROW IF NEW.name = 'job2' THEN {act};"
        " END IF"
    )
    arrived, trouble = report.deliver([state(number) for number in (1, 2, 3)])
    assert arrived == {1, 3}
    assert isinstance(trouble, RunsRefused)
    assert trouble.run_ids == {2}
    assert report_names(database) == {"job1", "job3"}


def test_a_path_that_cannot_be_stored_names_its_own_table(
    database: Schema, report: MysqlReport
) -> None:
    """No part of the run is stored: what is there of it stays one state."""
    report.deliver([state(1)])
    database.query("ALTER TABLE copies MODIFY COLUMN path VARCHAR(20) CHARACTER SET latin1")
    for path in ("/much/longer/than/twenty", "/備份"):
        arrived, trouble = report.deliver([state(1, 2, copies=(Copy("near", path),)), state(2)])
        assert arrived == {2}
        assert isinstance(trouble, RunsRefused)
        assert "ALTER TABLE copies MODIFY COLUMN path VARCHAR(4096)" in str(trouble)
    assert database.jobs("transition")[0] == {"transition": 1}


def test_two_names_that_an_old_table_takes_for_one_share_no_row(original: Schema) -> None:
    """Two jobs of one host that differ by case, or two destinations of a job."""
    upgrade(original)
    runs = [state(1, job="db"), state(2, job="DB"), state(3)]
    with contextlib.closing(MysqlReport(settings(original))) as report:
        for told in (runs, runs[:1], runs[1:2], runs[::-1]):
            arrived, trouble = report.deliver(told)
            assert {run.run_id for run in told} - arrived <= {1, 2}
            assert len(original.jobs()) == len(report_names(original))
        assert isinstance(trouble, RunsRefused)
        assert "would be overwritten" in str(trouble)
        original.query(str(trouble)[str(trouble).index("ALTER TABLE") :].rstrip(")"))
        assert report.deliver(runs) == ({1, 2, 3}, None)
        assert report_names(original) == {"db", "DB", "job3"}
        copies = (Copy("near", "/a"), Copy("NEAR", "/b"))
        arrived, trouble = report.deliver([state(4, copies=copies)])
        assert arrived == set()
        assert "ALTER TABLE copies MODIFY COLUMN destination" in str(trouble)


def report_names(database: Schema) -> set[str]:
    """The names of the jobs that have a row."""
    return {row["name"] for row in database.jobs("name")}


def test_many_that_cannot_be_stored_are_told_in_few_words(
    database: Schema, report: MysqlReport
) -> None:
    database.query("ALTER TABLE jobs MODIFY COLUMN direction VARCHAR(2) NOT NULL")
    arrived, trouble = report.deliver([state(number) for number in range(200)])
    assert arrived == set()
    assert isinstance(trouble, RunsRefused)
    assert len(trouble.run_ids) == 200
    assert len(str(trouble)) < 1000


def test_a_reporter_tells_once_what_cannot_be_stored_and_goes_on(
    database: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no reason to wait, nor to try again and again."""
    database.query("ALTER TABLE jobs MODIFY COLUMN name VARCHAR(4) NOT NULL")
    ours, theirs = pair()
    with contextlib.closing(open_journal(tmp_path / "journal.sqlite3")) as journal:
        bad = build.begin(journal, "much-longer", reports=("central",))
        build.done(journal, bad)
        good = build.begin(journal, "etc", reports=("central",))
        reporter = Reporter(
            settings(database), tmp_path / "journal.sqlite3", Locks(tmp_path), theirs
        )
        ours.send(Deliver())
        log = tmp_path / "log"
        monkeypatch.setattr(logs, "outputs", [logoutputs.File(str(log))])
        thread = threading.Thread(target=reporter.run)
        thread.start()
        wait_until(lambda: len(database.jobs()) == 1)
        build.done(journal, good)
        ours.send(Deliver(last=True))
        thread.join(30)
        assert not thread.is_alive()
    (line,) = [line for line in log.read_text().splitlines() if "much-longer" in line]
    assert "ALTER TABLE jobs MODIFY COLUMN name" in line
    assert [row["step"] for row in database.jobs()] == ["DONE"]
    told: set[int] = set()
    while ours.poll():
        message = ours.recv()
        assert isinstance(message, Delivered)
        told |= {run_id for run_id, _ in message.states}
    assert told == {good.run_id}
    ours.close()
    theirs.close()


def test_a_reporter_that_cannot_deliver_stands_in_no_other_ones_way(
    database: Schema, tmp_path: Path
) -> None:
    """As of a program that runs for hours with a password that was changed in the meantime."""
    path = tmp_path / "journal.sqlite3"
    with contextlib.closing(open_journal(path)) as journal:
        build.done(journal, build.begin(journal, "etc", reports=("central",)))
        orders, threads = [], []
        for report in (settings(database, password="Wr0ng-w0rd"), settings(database)):
            ours, theirs = pair()
            orders += [ours, theirs]
            reporter = Reporter(report, path, Locks(tmp_path), theirs)
            threads.append(threading.Thread(target=reporter.run))
        try:
            threads[0].start()
            orders[0].send(Deliver())
            assert orders[0].recv().trying
            orders[2].send(Deliver(last=True))
            threads[1].start()
            wait_until(lambda: [row["step"] for row in database.jobs()] == ["DONE"], 10)
        finally:
            for ours in orders[::2]:
                ours.close()
            for thread in threads:
                thread.join(30)
            for theirs in orders[1::2]:
                theirs.close()


# --- older installations


def test_an_old_installation_is_upgraded_while_it_is_written_to(original: Schema) -> None:
    """Twice over, full of rows: none is lost or changed, and both programs go on."""
    for number in range(50):
        original.query(OLD_WRITER, {"name": f"early{number}", "step": "DONE"})
    stop = threading.Event()
    written: list[str] = []
    failures: list[BaseException] = []

    def write() -> None:
        try:
            with contextlib.closing(original.connect()) as connection:
                while not stop.is_set():
                    name = f"late{len(written)}"
                    with connection.cursor() as cursor:
                        for step in ("INIT", "DONE"):
                            cursor.execute(OLD_WRITER, {"name": name, "step": step})
                            cursor.execute(OLD_WRITER_COPY, {"step": step})
                    written.append(name)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        wait_until(lambda: len(written) > 50)
        upgrade(original)
        reached = len(written)
        upgrade(original)
        with contextlib.closing(MysqlReport(settings(original))) as report:
            assert report.deliver([state(1), state(2)]) == ({1, 2}, None)
            assert report.deliver([done(1)]) == ({1}, None)
        wait_until(lambda: len(written) > reached + 50)
    finally:
        stop.set()
        thread.join()
    assert failures == []
    rows = {row["name"]: row for row in original.jobs()}
    early = {f"early{number}" for number in range(50)}
    assert rows.keys() == early | set(written) | {"job1", "job2"}
    assert {rows[name]["step"] for name in written} == {"DONE"}
    assert {rows[name]["transition"] for name in written} == {0}
    assert (rows["job1"]["step"], rows["job1"]["transition"]) == ("DONE", 9)
    assert len(original.copies()) == len(written) + 4


def test_before_the_upgrade_it_says_what_to_load(original: Schema) -> None:
    with contextlib.closing(MysqlReport(settings(original))) as report:
        with pytest.raises(NotDelivered, match=r"load etc/schema\.sql"):
            report.deliver([state(1)])
        upgrade(original)
        assert report.deliver([state(1)]) == ({1}, None)
    upgrade(original)
    assert len(original.jobs()) == 1


def test_a_strict_server_upgrades_what_it_would_not_take_today(original: Schema) -> None:
    """Tables of MyISAM are copied row by row, also those that were written without a date."""
    original.query("SET STATEMENT sql_mode = '' FOR ALTER TABLE jobs ENGINE = MyISAM")
    original.query(
        "SET STATEMENT sql_mode = '' FOR"
        " INSERT INTO jobs (host, name, start_time) VALUES ('old', 'etc', '0000-00-00')"
    )
    (before,) = original.query("SELECT @@GLOBAL.sql_mode AS mode")
    original.server.query("SET GLOBAL sql_mode = 'TRADITIONAL'")
    try:
        upgrade(original)
    finally:
        original.server.query("SET GLOBAL sql_mode = %s", parameters=[before["mode"]])
    assert original.jobs("host, name, transition") == [
        {"host": "old", "name": "etc", "transition": 0}
    ]


def test_an_upgrade_that_is_half_done_is_completed(original: Schema) -> None:
    original.query("ALTER TABLE jobs ADD COLUMN bytes BIGINT NULL, ADD COLUMN Error TEXT NULL")
    upgrade(original)
    for table in TABLES[:2]:
        there = {row["Field"].lower() for row in original.query(f"SHOW COLUMNS FROM {table.name}")}
        assert there >= {column.name for column in table.columns}
        indexes = {row["Key_name"] for row in original.query(f"SHOW INDEX FROM {table.name}")}
        assert indexes >= {index.name for index in table.indexes}


# --- trouble, in words


def told(report: Report) -> str:
    """What is said of a report that takes nothing."""
    with (
        contextlib.closing(MysqlReport(report)) as target,
        pytest.raises(NotDelivered) as raised,
    ):
        target.deliver([state(1)])
    return str(raised.value)


def without_right(database: Schema) -> Report:
    database.server.create_user("reader", "Reader-w0rd", database.name, ["SELECT"])
    return settings(database, user="reader", password="Reader-w0rd")


def without_database(database: Schema) -> Report:
    database.server.create_user("nobody1", "Reader-w0rd")
    return settings(database, user="nobody1", password="Reader-w0rd")


def without_table(database: Schema) -> Report:
    database.query("DROP TABLE copies")
    return settings(database)


def without_password_file(database: Schema) -> Report:
    return settings(database, password="", password_file="/nowhere/password")


def with_wrong_password(database: Schema) -> Report:
    return settings(database, password="Wr0ng-w0rd")


def without_server(database: Schema) -> Report:
    return settings(database, server="/nowhere/socket")


def without_name(database: Schema) -> Report:
    return settings(database, server="nowhere.invalid")


def with_certificate_missing(database: Schema) -> Report:
    return settings(database, ssl_ca="/nowhere/ca.pem")


# PyMySQL leaves a socket that it could not connect to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (without_right, ["INSERT", "jobs", "GRANT ", "'reader'@'%'"]),
        (without_database, ["GRANT SELECT, INSERT, UPDATE ON", "'nobody1'@"]),
        (without_table, ["copies", "-m b1000.reports.mysql.schema | mysql -h 127.0.0.1 -P "]),
        (without_password_file, ["/nowhere/password", "No such file"]),
        (with_wrong_password, ["Access denied", "b1000@127.0.0.1", "check user and password"]),
        (without_server, ["/nowhere/socket"]),
        (without_name, ["nowhere.invalid"]),
        (with_certificate_missing, ["/nowhere/ca.pem"]),
    ],
)
def test_what_is_the_matter_is_said_without_the_password(
    database: Schema, make: Callable[[Schema], Report], words: list[str]
) -> None:
    report = make(database)
    for text in (told(report), "\n".join(findings(report))):
        for word in words:
            assert word in text
        for password in (database.password, "Reader-w0rd", "Wr0ng-w0rd"):
            assert password not in text
    assert "w0rd" not in repr(report)
    gc.collect()


def test_without_tls_there_is_no_connection_where_tls_is_wanted(
    database_template: Path, tmp_path: Path
) -> None:
    """Nobody in between can talk it out of TLS, and then ask for the password."""
    authority = tmp_path / "ca.pem"
    authority.write_text(CERTIFICATE)
    with contextlib.closing(Database(tmp_path / "mariadb", database_template)) as server:
        # Since 11.4 a server has TLS unless it is told not to.
        server.start("--skip-ssl")
        # No tables: the client that loads them wants TLS itself since then.
        words = told(settings(Schema(server, tables=None), ssl_ca=str(authority)))
    assert "offers no TLS" in words
    assert "set ssl_cert and ssl_key" in words


def test_tls_goes_to_the_server_of_that_name_and_authority_alone(
    own_server: Database, tmp_path: Path
) -> None:
    files = {"cert": SERVER_CERTIFICATE, "key": SERVER_KEY, "other": CERTIFICATE}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    own_server.stop()
    own_server.start(f"--ssl-cert={tmp_path}/cert", f"--ssl-key={tmp_path}/key")
    database = Schema(own_server)
    own_server.create_user(database.user, database.password, database.name, more="REQUIRE SSL")
    report = settings(database, ssl_ca=str(tmp_path / "cert"))
    with contextlib.closing(MysqlReport(report)) as target:
        assert target.deliver([state(1)]) == ({1}, None)
    assert findings(report) == []
    words = told(settings(database, ssl_ca=str(tmp_path / "other")))
    assert "certificate is not trusted: self-signed certificate" in words
    assert "a server without ssl_cert, which makes itself one" in words
    assert (
        f"set ssl_cert and ssl_key in the server's configuration, and ssl_ca, now {tmp_path}/oth"
        in words
    )
    words = told(report._replace(server="127.1"))
    assert "ertificate is not valid for '127.1'" in words
    assert "set `server` to a name that the certificate has" in words
    (tmp_path / "empty").touch()
    assert "there is no certificate in it" in told(report._replace(ssl_ca=f"{tmp_path}/empty"))


def test_a_password_file_is_read_at_each_connection(database: Schema, tmp_path: Path) -> None:
    """And may hold any character."""
    file = tmp_path / "password"
    file.write_text("old\n")
    database.server.create_user("changing", "pä€ss🗝 ", database.name)
    report = settings(database, user="changing", password="", password_file=str(file))
    with contextlib.closing(MysqlReport(report)) as target:
        with pytest.raises(NotDelivered, match="Access denied"):
            target.deliver([state(1)])
        file.write_text("pä€ss🗝 \n")
        assert target.deliver([state(1)]) == ({1}, None)
    file.write_bytes(b"\xff\n")
    assert "not UTF-8" in told(report)


def test_something_else_may_listen_there(database: Schema) -> None:
    for greeting in (b"SSH-2.0-OpenSSH_9.2p1\r\n", b"\0\0\0\0", b"\x05\0\0\0\x0a5.5.", b""):
        with socket.create_server(("127.0.0.1", 0)) as server:
            thread = threading.Thread(target=greet, args=(server, greeting))
            thread.start()
            words = told(settings(database, port=server.getsockname()[1]))
            thread.join()
        assert words.startswith("b1000@127.0.0.1")


def greet(server: socket.socket, greeting: bytes) -> None:
    """Say something to whoever comes first, and hang up."""
    client, _ = server.accept()
    with client:
        client.sendall(greeting)


def test_a_lost_connection_is_made_again(database: Schema, report: MysqlReport) -> None:
    report.deliver([state(1)])
    for row in database.query("SHOW PROCESSLIST"):
        if row["User"] == database.user and row["db"] == database.name:
            database.query(f"KILL {row['Id']}")
    with pytest.raises(NotDelivered):
        report.deliver([state(1, 2)])
    assert report.deliver([state(1, 2)]) == ({1}, None)


# --- b1000 check --connect


def test_nothing_is_found_where_all_is_well(database: Schema) -> None:
    assert findings(settings(database)) == []
    assert database.jobs() == []


def test_each_finding_brings_what_mends_it(original: Schema) -> None:
    original.query("ALTER TABLE copies DROP KEY job_id")
    original.query("DROP TABLE plan")
    found = findings(settings(original))
    text = "\n".join(found)
    for words in (
        "there is no table plan",
        "table jobs has no column backup_type, ",
        " transition",
        f" | mysql -h 127.0.0.1 -P {original.server.port} {original.name}",
        "ALTER TABLE copies MODIFY COLUMN path VARCHAR(4096)",
        "ALTER TABLE copies ADD UNIQUE KEY (job_id, destination)",
    ):
        assert words in text
    assert sum("b1000.reports.mysql.schema" in line for line in found) == 1, found
    upgrade(original)
    for line in findings(settings(original)):
        original.query(line[line.index("ALTER TABLE") :])
    assert findings(settings(original)) == []


def as_printed(command: str, server: Database, directory: Path) -> None:
    """Type it, anywhere, where who calls the client of the database may make tables."""
    wrapper = directory / "mysql"
    socket = f"--no-defaults --skip-ssl -uroot --socket={server.socket} --protocol=socket"
    wrapper.write_text(f'#!/bin/sh\n[ "$1" = -h ] && exec {program("mariadb")} {socket} "$@"\n')
    wrapper.chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", command],
        env={"PATH": f"{directory}:/usr/bin:/bin"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_that_loads_the_tables_can_be_typed_as_it_is_printed(
    database: Schema, tmp_path: Path
) -> None:
    database.query("DROP TABLE copies")
    (found,) = findings(settings(database))
    as_printed(found.partition("no right to see it: ")[2], database.server, tmp_path)
    assert findings(settings(database)) == []
    database.query("DROP TABLE stored")
    with (
        contextlib.closing(connect(settings(database))) as connection,
        connection.cursor() as cursor,
        pytest.raises(pymysql.Error) as raised,
    ):
        cursor.execute("SELECT 1 FROM stored")
    told = error_text(raised.value, settings(database))
    assert database.password not in told
    as_printed(told.rpartition(f"`{database.name}`: ")[2].rstrip(")"), database.server, tmp_path)
    assert findings(settings(database)) == []


def test_the_command_names_the_server_of_the_report(database: Schema) -> None:
    for server, port, words in (
        ("db-b1000", 3306, "| mysql -h db-b1000 'b 1'"),
        ("db-b1000", 3307, "| mysql -h db-b1000 -P 3307 'b 1'"),
        ("/run/my sql.sock", 3306, "| mysql -S '/run/my sql.sock' 'b 1'"),
    ):
        report = settings(database, server=server, port=port, db="b 1")
        assert loading.command(report).endswith(words)


def test_an_upgraded_installation_works_and_is_warned_of_what_it_cannot_hold(
    original: Schema,
) -> None:
    """No error, and nothing of the words that always fit."""
    steps = ", ".join(f"'{step}'" for step in Step)
    original.query(f"ALTER TABLE jobs MODIFY COLUMN step ENUM({steps}) NOT NULL")
    upgrade(original)
    found = check.findings(settings(original))
    assert [flaw for flaw in found if not flaw.warning] == []
    about = {flaw.text.split()[1] for flaw in found}
    assert about == {"path", "master_ip", "note"}


def test_columns_that_would_refuse_a_run_are_found_before(database: Schema) -> None:
    """One that nobody told B1000 of, and one that takes no unknown age."""
    database.query(
        "ALTER TABLE jobs ADD COLUMN rack INT NOT NULL, MODIFY COLUMN data_age INT NOT NULL, "
        "ADD COLUMN site VARCHAR(9) AS (LEFT(host, 3)) STORED, "
        "ADD COLUMN more INT NOT NULL DEFAULT 1"
    )
    found = findings(settings(database))
    assert [line.split(":")[0] for line in found] == [
        "column data_age of jobs takes no NULL",
        "column rack of jobs, which is none of B1000's, needs a value",
    ]
    for line in found:
        database.query(line[line.index("ALTER TABLE") :])
    assert findings(settings(database)) == []
    with contextlib.closing(MysqlReport(settings(database))) as report:
        unknown = state(1, snapshot=Snapshot(data_age=None))
        assert report.deliver([unknown]) == ({1}, None)


def test_a_right_that_is_missing_is_named(database: Schema) -> None:
    for right in ("INSERT", "UPDATE"):
        others = [each for each in ("SELECT", "INSERT", "UPDATE") if each != right]
        database.server.create_user("partly", "Reader-w0rd", database.name, others)
        report = settings(database, user="partly", password="Reader-w0rd")
        found = findings(report)
        assert found
        for line in found:
            assert f"no right to {right}" in line
            database.server.query(line[line.index("GRANT") :].replace("%", "%%"), None, [])
        assert findings(report) == []


def test_a_server_that_is_read_only_is_found(database: Schema) -> None:
    database.server.query("SET GLOBAL read_only = 1")
    try:
        assert "read-only" in "\n".join(findings(settings(database)))
        assert "read-only" in told(settings(database))
    finally:
        database.server.query("SET GLOBAL read_only = 0")


def test_a_login_for_which_a_package_is_missing() -> None:
    """As PyMySQL says it of a MySQL 8 user, without TLS and without the package cryptography."""
    said = "'cryptography' package is required for sha256_password or caching_sha2_password"
    told = error_text(RuntimeError(said), Report("main", "mysql", server="db", db="b1000"))
    assert told.endswith(f"{said} (install python3-cryptography, or set ssl_ca)")
