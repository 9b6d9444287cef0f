"""A database that is down, slow, hung, full or refuses: no backup notices, no state is missing."""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pymysql
import pytest

from tests.support.database import (
    Database,
    Schema,
    from_journal,
    owed,
)
from tests.support.gate import Gate
from tests.support.world import World, wait_until

WAIT_END = 1
"""Seconds that the program may wait for reports at its end."""

SLACK = 6
"""Seconds that the program needs for itself on a slow machine; far less than any time-out."""

A_RUN = 4
"""Seconds that each of the runs here lasts at most on a slow machine, whatever the database."""

Trouble = Callable[[Schema], AbstractContextManager[None]]


# --- what can be the matter with a database


@contextlib.contextmanager
def killed(database: Schema) -> Iterator[None]:
    """It dies with all that is under way, and begins again later."""
    database.server.kill()
    yield
    database.server.start()


@contextlib.contextmanager
def stopped(database: Schema) -> Iterator[None]:
    """It is shut down in order."""
    database.server.stop()
    yield
    database.server.start()


@contextlib.contextmanager
def frozen(database: Schema) -> Iterator[None]:
    """Its process is stopped: the kernel accepts connections, and nothing is answered."""
    database.server.freeze()
    yield
    database.server.thaw()


@contextlib.contextmanager
def read_only(database: Schema) -> Iterator[None]:
    """It is a replica for the time being."""
    database.server.query("SET GLOBAL read_only = 1")
    yield
    database.server.query("SET GLOBAL read_only = 0")


@contextlib.contextmanager
def another_password(database: Schema) -> Iterator[None]:
    """The password is changed, and connections that had the old one are ended."""
    database.server.create_user(database.user, "changed", database.name)
    disconnect(database)
    yield
    database.server.create_user(database.user, database.password, database.name)


@contextlib.contextmanager
def without_rights(database: Schema) -> Iterator[None]:
    """The user may only read."""
    database.query(f"REVOKE INSERT, UPDATE ON `{database.name}`.* FROM {database.user}@'%'")
    disconnect(database)
    yield
    database.query(f"GRANT INSERT, UPDATE ON `{database.name}`.* TO {database.user}@'%'")


@contextlib.contextmanager
def without_database(database: Schema) -> Iterator[None]:
    """The user may not even see the database."""
    database.query(f"REVOKE ALL ON `{database.name}`.* FROM {database.user}@'%'")
    disconnect(database)
    yield
    database.server.create_user(database.user, database.password, database.name)


@contextlib.contextmanager
def without_jobs(database: Schema) -> Iterator[None]:
    """The table ``jobs`` is missing."""
    database.query("RENAME TABLE jobs TO elsewhere")
    yield
    database.query("RENAME TABLE elsewhere TO jobs")


@contextlib.contextmanager
def without_copies(database: Schema) -> Iterator[None]:
    """The table ``copies`` is missing."""
    database.query("RENAME TABLE copies TO elsewhere")
    yield
    database.query("RENAME TABLE elsewhere TO copies")


@contextlib.contextmanager
def table_locked(database: Schema) -> Iterator[None]:
    """Somebody, such as a dump, holds the whole table."""
    with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLES jobs WRITE")
        yield


@contextlib.contextmanager
def rows_locked(database: Schema) -> Iterator[None]:
    """Somebody's transaction holds all rows and the gaps between them."""
    with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM jobs FOR UPDATE")
        yield


@contextlib.contextmanager
def crowded(database: Schema) -> Iterator[None]:
    """Others have taken all connections."""
    database.server.query("SET GLOBAL max_connections = 10")
    disconnect(database)
    with contextlib.ExitStack() as crowd:
        # The last one, which is kept for those who may administrate, remains free.
        with contextlib.suppress(pymysql.err.OperationalError):
            while True:
                crowd.enter_context(contextlib.closing(database.connect()))
        yield
    wait_until(lambda: database.server.status("Threads_connected") < 5)


def disconnect(database: Schema) -> None:
    """End the connections of B1000's user."""
    for row in database.query(
        "SELECT id FROM information_schema.processlist WHERE user = %s", [database.user]
    ):
        with contextlib.suppress(pymysql.err.MySQLError):
            database.query("KILL %s", [row["id"]])


TROUBLES: tuple[Trouble, ...] = (
    killed,
    stopped,
    frozen,
    read_only,
    another_password,
    without_rights,
    without_database,
    without_jobs,
    without_copies,
    table_locked,
    rows_locked,
    crowded,
)


# --- a host whose runs tell a database


def configure(world: World, database: Schema, wait_end: int = WAIT_END, **more: object) -> Gate:
    """Jobs that end in several ways; ``held`` waits in its pre script for the gate."""
    world.files()
    gate = Gate(world.root)
    world.write(
        {
            "global": {"report_wait_end": wait_end, "workers": 8, **more},
            "report:central": database.report(),
            "dest:store": world.store(),
            "dest:other": world.store("other"),
            "job:held": world.push(report="central", pre=gate.script, dest="store other"),
            "job:good": world.push(report="central", instances="a b"),
            "job:bad": world.push(report="central", post="false"),
            "job:worse": world.push(report="central", pre="false"),
        }
    )
    return gate


def ended(program: "subprocess.Popen[str]", seconds: float) -> str:
    """Wait for the end of a program, which takes some seconds at most; gives what it said."""
    began = time.monotonic()
    try:
        out, err = program.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
    assert time.monotonic() - began < seconds, out + err
    return out + err


def reached(database: Schema, job: str, step: str) -> Callable[[], bool]:
    """Whether a row says that a job is at a step."""
    return lambda: bool(
        database.query("SELECT 1 FROM jobs WHERE name = %s AND step = %s", [job, step])
    )


def settled(world: World, database: Schema) -> None:
    """The next ``b1000`` has nothing to retry and delivers all that is missing, each once."""
    done = world.b1000("--copy")
    assert done.returncode == 0, done.stdout + done.stderr
    assert database.rows() == from_journal(world), done.stdout + done.stderr
    assert owed(world) == 0


def through(world: World, database: Schema, trouble: Trouble, gate: Gate) -> None:
    """A program that meets with the trouble in mid-run, and one that finds it there."""
    program = world.start()
    try:
        wait_until(reached(database, "held", "PRE"))
        with trouble(database):
            # What came before is the making of the trouble.
            opened = datetime.now(UTC)
            gate.open()
            second = world.start("good")
            said = ended(program, A_RUN + WAIT_END + SLACK)
            assert program.returncode == 1, said
            said = ended(second, A_RUN + WAIT_END + SLACK)
            assert second.returncode == 0, said
            assert "report central" in said
            for run in world.status():
                begun = max(opened, datetime.fromisoformat(run["start_time"]))
                took = datetime.fromisoformat(run["finished"]) - begun
                assert took.total_seconds() < A_RUN, run
    finally:
        gate.open()
        ended(program, 60)
    settled(world, database)
    rows = database.jobs("name, step, status")
    assert sorted(tuple(row.values()) for row in rows) == [
        ("bad", "POST", "FAILED"),
        *[("good", "DONE", "OK")] * 4,
        ("held", "DONE", "OK"),
        ("worse", "PRE", "FAILED"),
    ]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
def test_trouble_delays_no_run_and_loses_no_state(
    world: World, own_database: Schema, trouble: Trouble
) -> None:
    gate = configure(world, own_database)
    through(world, own_database, trouble, gate)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, large enough for an empty MariaDB."""
    directory = tmp_path / "disk"
    directory.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=72m", "tmpfs", directory],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"a small disk needs root, and a machine that may mount: {done.stderr}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


def test_a_full_disk_delays_no_run_and_loses_no_state(
    world: World, small_disk: Path, database_template: Path
) -> None:
    server = Database(small_disk / "mariadb", database_template)
    try:
        database = Schema(server.start())

        @contextlib.contextmanager
        def full(_: Schema) -> Iterator[None]:
            filler = small_disk / "filler"
            with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            fill(database)
            yield
            filler.unlink()
            database.query("DELETE FROM jobs WHERE host = 'filler'")

        through(world, database, full, configure(world, database))
    finally:
        server.close()


def fill(database: Schema) -> None:
    """Insert rows until there is no room for another one."""
    number = 0
    with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
        # A statement that fails gives back what it took: the last rows go in one by one.
        for rows in (1000, 100, 10, 1):
            try:
                while True:
                    cursor.execute(
                        "INSERT INTO jobs (host, name, instance, start_time, step, status)"
                        " SELECT 'filler', %s + seq, '', '1999-01-01', 'DONE', 'OK'"
                        f" FROM seq_1_to_{rows}",
                        [number],
                    )
                    number += rows
            except pymysql.err.OperationalError as error:
                if "full" not in str(error):
                    raise


def test_a_place_and_a_lock_are_free_while_the_program_waits_for_the_report(
    world: World, own_database: Schema
) -> None:
    world.files()
    world.write(
        {
            "global": {"report_wait_end": 60},
            "report:central": own_database.report(),
            "dest:store": world.store(),
            "job:good": world.push(report="central"),
        }
    )
    own_database.server.freeze()
    first = world.start()
    try:
        wait_until(
            lambda: [run["step"] for run in world.status("--all")] == ["DONE"],
        )
        second = world.start()
        wait_until(lambda: len(from_journal(world)) == 2)
        wait_until(lambda: {run[0][4] for run in from_journal(world)} == {"DONE"})
        # A signal ends the waiting; all runs were over, and were not interrupted.
        for program in (first, second):
            assert program.poll() is None
            program.send_signal(signal.SIGTERM)
        for program in (first, second):
            ended(program, SLACK + 2)
            assert program.returncode in (0, 128 + signal.SIGTERM)
    finally:
        own_database.server.thaw()
        ended(first, 60)
    assert [run["status"] for run in world.status()] == ["OK"]
    settled(world, own_database)


def test_a_database_that_comes_back_is_told_by_the_same_program(
    world: World, own_database: Schema
) -> None:
    """Down at first, killed in mid-run, up again at the end: no other program is needed."""
    gate = configure(world, own_database, wait_end=30)
    own_database.server.stop()
    program = world.start()
    try:
        gate.wait()
        own_database.server.start()
        wait_until(reached(own_database, "held", "PRE"))
        own_database.server.kill()
        gate.open()
        wait_until(lambda: world.last("held")["step"] == "DONE")
        own_database.server.start()
        said = ended(program, 40)
        assert program.returncode == 1, said
    finally:
        gate.open()
        ended(program, 60)
    assert own_database.rows() == from_journal(world)
    assert owed(world) == 0


def test_a_connection_that_is_cut_is_made_again(world: World, own_database: Schema) -> None:
    gate = configure(world, own_database, wait_end=20)
    program = world.start()
    try:
        wait_until(reached(own_database, "held", "PRE"))
        disconnect(own_database)
        gate.open()
        ended(program, 30)
    finally:
        gate.open()
        ended(program, 60)
    assert own_database.rows() == from_journal(world)
    assert owed(world) == 0


def test_many_runs_of_a_long_outage_arrive_once_and_in_order(
    world: World, own_database: Schema
) -> None:
    gate = configure(world, own_database, wait_end=0)
    gate.open()
    with stopped(own_database):
        for _ in range(3):
            assert world.b1000().returncode == 1
    configure(world, own_database, wait_end=20)
    settled(world, own_database)
    rows = own_database.jobs("name, start_time")
    assert len(rows) == 15
    # Rows of older runs came first: job_id counts them.
    latest = [max(row["start_time"] for row in rows[at : at + 5]) for at in (0, 5, 10)]
    assert latest == sorted(latest)


def test_a_supervisor_killed_after_it_told_tells_nothing_twice(
    world: World, own_database: Schema
) -> None:
    """What was committed and is not marked yet is delivered again, into the same rows."""
    gate = configure(world, own_database)
    program = world.start()
    try:
        wait_until(reached(own_database, "held", "PRE"))
        program.kill()
    finally:
        gate.open()
        program.communicate()
    wait_until(lambda: world.processes() == [])
    # The journal is made to owe all of it again, as when the mark came too late.
    with world.journal() as journal:
        journal.execute(
            "INSERT OR IGNORE INTO pending SELECT 'central', run_id, last_transition, 0 FROM runs"
        )
    before = own_database.jobs("job_id, name, instance")
    done = world.b1000("--copy")
    assert done.returncode in (0, 1), done.stdout
    assert own_database.rows() == from_journal(world)
    assert own_database.jobs("job_id, name, instance") == before


@pytest.mark.parametrize("trouble", [stopped, without_jobs, another_password])
def test_what_is_the_matter_is_told_in_words(
    world: World, own_database: Schema, trouble: Trouble
) -> None:
    configure(world, own_database, wait_end=1, log_level="DEBUG").open()
    words = {
        "stopped": r"refused|Can't connect|cannot be reached",
        "without_jobs": r"jobs",
        "another_password": r"[Aa]ccess denied|password",
    }
    with trouble(own_database):
        done = world.b1000("good")
        assert done.returncode == 0
        (line, *_) = [
            line for line in done.stdout.splitlines() if re.search("WARNING.*report central", line)
        ]
        assert re.search(words[trouble.__name__], line), line
        assert "Traceback" not in done.stdout + done.stderr
        checked = world.b1000("check", "--connect")
        assert checked.returncode == 2
        assert re.search(words[trouble.__name__], checked.stdout + checked.stderr), checked
        assert "Traceback" not in checked.stdout + checked.stderr
    assert world.b1000("check", "--connect").returncode == 0
