"""What a central database is told: real runs, a real MariaDB, and the same in SQLite."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pymysql
import pytest

from b1000.identity import myself
from b1000.runs.states import CopyStatus, Status, Step
from b1000.state.opening import open_journal
from tests.support import build
from tests.support.database import Schema, from_journal, owed, told
from tests.support.gate import Gate
from tests.support.world import World, tree, wait_until

DOWN: dict[str, object] = {"type": "active", "path": "rsync://127.0.0.1:9/x"}


@pytest.fixture
def ready(world: World) -> World:
    """A host with some files."""
    world.files()
    return world


def write(world: World, database: Schema, sections: dict[str, dict[str, object]]) -> None:
    """A configuration whose jobs tell the database; it is waited for as long as needed."""
    everything = {
        "report:central": database.report(),
        "dest:store": world.store(),
        **sections,
    }
    everything["global"] = {"report_wait_end": 30, "workers": 8, **everything.get("global", {})}
    world.write(everything)


def job(world: World, **options: object) -> dict[str, object]:
    """A push job that tells the database."""
    return world.push(**{"report": "central", **options})


def row(database: Schema, name: str, instance: str = "") -> dict[str, Any]:
    """The one row of a job/instance."""
    (found,) = database.query(
        f"SELECT {database.columns('jobs')} FROM jobs WHERE name = %s AND instance = %s",
        [name, instance],
    )
    return found


def copies(database: Schema, name: str, instance: str = "") -> dict[str, dict[str, Any]]:
    """The rows of the copies of a job/instance, by destination."""
    found = database.query(
        f"SELECT {database.columns('copies')} FROM copies JOIN jobs USING (job_id) "
        "WHERE name = %s AND instance = %s",
        [name, instance],
    )
    assert len({each["destination"] for each in found}) == len(found)
    return {each["destination"]: each for each in found}


def at(database: Schema, step: str) -> Callable[[], bool]:
    """Whether there is one row, and it says that step."""
    return lambda: database.jobs("step") == [{"step": step}]


def script(world: World, name: str, text: str) -> Path:
    """A script of the world's own."""
    path = world.root / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def fake_rsync(world: World, text: str) -> dict[str, str]:
    """The environment in which ``rsync`` is a script; ``$REAL`` in it is the real one."""
    directory = world.root / "bin"
    directory.mkdir()
    script(world, "bin/rsync", f"REAL={shutil.which('rsync')}\n{text}")
    return {"PATH": f"{directory}:/usr/bin:/bin"}


# --- one row for each run and copy, with every step and status


def test_each_step_is_told_when_it_is_reached(ready: World, database: Schema) -> None:
    gates = {name: Gate(ready.root, name) for name in ("INIT", "PRE", "COPYING", "POST")}
    environment = fake_rsync(
        ready,
        f'case "$*" in *source*) {gates["COPYING"].script};; esac\nexec "$REAL" "$@"',
    )
    master = script(ready, "master.sh", f"{gates['INIT'].script}; echo db1")
    write(
        ready,
        database,
        {
            "job:etc": job(
                ready,
                master_host=f"!{master}",
                pre=gates["PRE"].script,
                post=gates["POST"].script,
            )
        },
    )
    program = ready.start(environment=environment)
    of_copy = {"PRE": "INIT", "COPYING": "COPYING", "POST": "DONE"}
    seen: list[datetime] = []
    try:
        for step, gate in gates.items():
            gate.wait()
            wait_until(at(database, step))
            found = row(database, "etc")
            assert found["status"] == "OK"
            assert found["master_host"] == ("" if step == "INIT" else "db1")
            seen.append(found["last_op_time"])
            if step != "INIT":
                assert copies(database, "etc")["store"]["status"] == of_copy[step]
            gate.open()
        program.communicate(timeout=60)
    finally:
        for gate in gates.values():
            gate.open()
        program.communicate()
    assert program.returncode == 0
    found = row(database, "etc")
    assert (found["step"], found["status"], found["ack"]) == ("DONE", "OK", 0)
    seen.append(found["last_op_time"])
    assert seen == sorted(seen)
    assert found["start_time"] <= seen[0]
    assert database.rows() == from_journal(ready)


def test_every_end_of_a_run_has_its_row(ready: World, database: Schema) -> None:
    """Success, a warning, and a failure at each step, with the copies as they were left."""
    (ready.root / "empty").mkdir()
    write(
        ready,
        database,
        {
            "dest:other": ready.store("other"),
            "dest:down": DOWN,
            "job:good": job(ready, pre="true", post="true", dest="store other"),
            "job:warned": job(ready, include=f"{ready.root}/empty/"),
            "job:unknown-age": job(ready, data_age="!exit 1"),
            "job:no-master": job(ready, master_host="!echo no master here >&2; exit 1"),
            "job:no-list": job(ready, instances="!exit 1"),
            "job:misspelt": job(ready, tpye="full"),
            "job:no-pre": job(ready, pre="echo no dump >&2; false"),
            "job:no-copy": job(ready, dest="store down"),
            "job:no-post": job(ready, post="exit 3"),
        },
    )
    done = ready.b1000()
    assert done.returncode == 1
    ends = {
        each["name"]: (each["step"], each["status"])
        for each in database.jobs()
        if each["instance"] == ""
    }
    assert ends == {
        "good": ("DONE", "OK"),
        "warned": ("DONE", "WARNING"),
        "unknown-age": ("DONE", "WARNING"),
        "no-master": ("INIT", "FAILED"),
        "no-list": ("INIT", "FAILED"),
        "misspelt": ("INIT", "FAILED"),
        "no-pre": ("PRE", "FAILED"),
        "no-copy": ("COPYING", "FAILED"),
        "no-post": ("POST", "FAILED"),
    }
    statuses = {
        name: {each["destination"]: each["status"] for each in copies(database, name).values()}
        for name in ends
    }
    assert statuses == {
        "good": {"store": "DONE", "other": "DONE"},
        "warned": {"store": "WARNING"},
        "unknown-age": {"store": "DONE"},
        "no-master": {},
        "no-list": {},
        "misspelt": {},
        "no-pre": {"store": "INIT"},
        "no-copy": {"store": "DONE", "down": "FAILED"},
        "no-post": {"store": "DONE"},
    }
    assert database.rows() == from_journal(ready)
    for run in ready.status():
        found = row(database, run["job"])
        assert found["error"] == run["error"]
        assert bool(found["error"]) == (found["status"] != "OK")
        for name, copy in copies(database, run["job"]).items():
            assert copy["copy_error"] == next(
                each["error"] for each in run["copies"] if each["destination"] == name
            )
    assert "no dump" in row(database, "no-pre")["error"]
    assert "refused" in copies(database, "no-copy")["down"]["copy_error"]


def test_names_times_and_ages_mean_what_they_meant(ready: World, database: Schema) -> None:
    """The columns of the existing fleet's monitoring, of a host with a time zone of its own."""
    environment = {"TZ": "Asia/Kolkata"}
    write(
        ready,
        database,
        {
            "job:plain": job(ready, pre=f"env > {ready.root}/plain.env"),
            "job:db": job(
                ready,
                type="sync",
                instances="3306 3307",
                master_host="!echo db$instance",
                master_instance="main",
                data_age="!test $instance = 3306 && echo 12.5",
                pre=f"env > {ready.root}/$instance.env",
            ),
        },
    )
    assert ready.b1000(environment=environment).returncode == 0
    plain = row(database, "plain")
    assert (plain["host"], plain["instance"], plain["direction"]) == ("client", "", "push")
    assert (plain["master_host"], plain["master_instance"], plain["data_age"]) == ("", "", 0)
    assert plain["backup_type"] == "full"
    known, unknown = row(database, "db", "3306"), row(database, "db", "3307")
    assert (known["master_host"], known["master_instance"]) == ("db3306", "main")
    assert 12 <= known["data_age"] <= 13
    assert unknown["data_age"] is None
    assert known["backup_type"] == "sync"
    for name, found in {"plain": plain, "3306": known, "3307": unknown}.items():
        lines = (ready.root / f"{name}.env").read_text().splitlines()
        seen = dict(line.split("=", 1) for line in lines)
        assert found["start_time"].strftime("%Y-%m-%d-%H-%M-%S") == seen["B1000_START_TIME"]
        assert found["start_time"] - found["started_utc"].replace(microsecond=0) == timedelta(
            hours=5, minutes=30
        )
        assert timedelta(0) <= found["ended_utc"] - found["started_utc"] < timedelta(minutes=1)
        assert abs(found["last_op_time"] - found["start_time"]) < timedelta(minutes=1)


def test_more_is_told_of_sizes_attempts_and_durations(ready: World, database: Schema) -> None:
    """The second attempt succeeds; sums are the run's, parts those of its copies."""
    environment = fake_rsync(
        ready,
        f'case "$*" in *source*) if [ ! -e {ready.root}/once ]; then touch {ready.root}/once;'
        ' echo "rsync error: error in socket IO (code 10)" >&2; exit 10; fi;; esac\n'
        'exec "$REAL" "$@"',
    )
    (ready.source / "more").write_bytes(b"x" * 100_000)
    write(
        ready,
        database,
        {"global": {"copy_retries": 2}, "job:etc": job(ready, pre="sleep 0.3")},
    )
    assert ready.b1000(environment=environment).returncode == 0
    run = ready.last("etc")
    (shown,) = run["copies"]
    found, copy = row(database, "etc"), copies(database, "etc")["store"]
    assert shown["attempts"] == copy["copy_attempts"] == 2
    assert (copy["copy_bytes"], copy["copy_files"]) == (shown["bytes"], shown["files"])
    assert copy["copy_bytes"] >= 100_000
    assert (found["bytes"], found["files"]) == (copy["copy_bytes"], copy["copy_files"])
    assert found["attempts"] >= 1
    assert 0.2 < float(found["duration"]) <= run["duration"] + 1
    assert found["ended_utc"] >= found["started_utc"]
    assert copy["copy_ended_utc"] >= copy["copy_started_utc"] >= found["started_utc"]
    assert float(copy["copy_duration"]) <= float(found["duration"]) + 1
    with ready.journal() as journal:
        (last,) = journal.execute("SELECT last_transition FROM runs").fetchone()
    assert found["transition"] == last


def test_the_paths_of_copies_are_real(
    ready: World, database: Schema, daemon: Callable[..., Any]
) -> None:
    storage = daemon()
    write(
        ready,
        database,
        {
            "dest:far": {"type": "active", "path": storage.url("b1000")},
            "job:full": job(ready, dest="store far", instances="a b"),
            "job:sync": job(ready, dest="store far&", type="sync", master_host="db1"),
        },
    )
    assert ready.b1000().returncode == 0
    found = database.copies("name, instance, start_time, destination, path, copies.type")
    assert len(found) == 6
    for each in found:
        local = Path(each["path"].replace(storage.url("b1000"), str(storage.module("b1000"))))
        assert tree(local) == tree(ready.source), each
        assert each["path"].startswith(
            {"store": f"{ready.root}/store/", "far": "rsync://127.0.0.1:"}[each["destination"]]
            + ("" if each["destination"] == "store" else f"{storage.port}/b1000/")
        )
        assert each["type"] == "active"
    directories = {each["path"] for each in found if each["destination"] == "store"}
    assert directories == {
        *(str(path) for path in (ready.root / "store" / "full").glob("*/*/")),
        str(ready.root / "store" / "sync" / "client-db1"),
    }


def test_a_server_is_also_reached_by_its_socket(ready: World, database: Schema) -> None:
    server = database.report(server=database.server.socket, port=None)
    write(ready, database, {"report:central": server, "job:etc": job(ready)})
    assert ready.b1000().returncode == 0
    assert row(database, "etc")["step"] == "DONE"


def test_a_resumed_run_keeps_its_row(ready: World, database: Schema) -> None:
    """What failed and was retried with success is one row, and ends as DONE."""
    store = ready.store()
    (ready.root / "store").write_text("a file where a directory should be")
    write(ready, database, {"dest:store": store, "job:etc": job(ready)})
    assert ready.b1000().returncode == 1
    before = row(database, "etc")
    assert (before["step"], before["status"]) == ("COPYING", "FAILED")
    (ready.root / "store").unlink()
    assert ready.b1000("--copy").returncode == 0
    after = row(database, "etc")
    assert (after["step"], after["status"], after["error"]) == ("DONE", "OK", "")
    assert (after["job_id"], after["start_time"]) == (before["job_id"], before["start_time"])
    assert after["transition"] > before["transition"]
    (copy,) = copies(database, "etc").values()
    assert (copy["status"], copy["copy_error"]) == ("DONE", "")


def test_a_run_that_died_and_one_that_was_superseded_end_in_their_rows(
    ready: World, database: Schema
) -> None:
    gate = Gate(ready.root)
    write(ready, database, {"job:etc": job(ready, pre=gate.script)})
    program = ready.start()
    try:
        gate.wait()
        wait_until(at(database, "PRE"))
        program.kill()
    finally:
        gate.open()
        program.communicate()
    assert ready.b1000().returncode == 0
    died, ran = database.jobs()
    assert (died["step"], died["status"]) == ("PRE", "FAILED")
    assert "interrupted" in died["error"]
    assert (ran["step"], ran["status"]) == ("DONE", "OK")
    assert database.rows() == from_journal(ready)


def test_texts_in_any_script_arrive_as_they_were(ready: World, database: Schema) -> None:
    """Quotes, backslashes, letters beyond Latin-1 and the Unicode planes, bytes that are none."""
    directory = ready.root / 'süß 備份 🗄 it\'s "quoted" back\\slash %s'
    words = "Диск полон 🗄 'a' \"b\" back\\slash %s 100%"
    (ready.root / "words").write_bytes(words.encode() + b" \xff\xfe\n")
    write(
        ready,
        database,
        {
            "dest:strange": {"type": "active", "path": directory},
            "job:good": job(ready, dest="strange"),
            "job:bad": job(ready, pre=f"cat {ready.root}/words >&2; exit 1"),
        },
    )
    assert ready.b1000().returncode == 1
    (copy,) = copies(database, "good").values()
    assert tree(Path(copy["path"])) == tree(ready.source)
    assert words in row(database, "bad")["error"]
    assert row(database, "bad")["error"] == ready.last("bad")["error"]
    assert database.rows() == from_journal(ready)


# --- many at once


class Reader(threading.Thread):
    """Somebody who polls the tables and the connections while backups run."""

    STEPS = ("INIT", "PRE", "COPYING", "POST", "DONE")
    # What failed may be tried again; what is complete remains so.
    COPIES: ClassVar = {"INIT": 0, "COPYING": 1, "FAILED": 1, "WARNING": 2, "DONE": 2}

    def __init__(self, database: Schema) -> None:
        super().__init__(daemon=True)
        self._database = database
        self._over = threading.Event()
        self.connections: list[int] = []
        self.backwards: list[object] = []
        self.steps: set[str] = set()
        self.failure: Exception | None = None

    def run(self) -> None:
        """Poll until it is told to end."""
        try:
            with contextlib.closing(self._database.connect()) as connection:
                self._poll(connection)
        except Exception as error:
            self.failure = error

    def _poll(self, connection: "pymysql.Connection[Any]") -> None:
        last: dict[object, tuple[int, ...]] = {}
        while not self._over.wait(0.03):
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(*) AS number FROM information_schema.processlist"
                    " WHERE user = %s AND db = %s",
                    [self._database.user, self._database.name],
                )
                self.connections += [each["number"] for each in cursor.fetchall()]
                cursor.execute(
                    "SELECT host, name, instance, start_time, step, jobs.transition, destination,"
                    " copies.status FROM jobs LEFT JOIN copies USING (job_id)"
                )
                for each in cursor.fetchall():
                    self.steps.add(each["step"])
                    key = tuple(
                        each[name]
                        for name in ("host", "name", "instance", "start_time", "destination")
                    )
                    state = (
                        each["transition"],
                        self.STEPS.index(each["step"]),
                        self.COPIES[each["status"] or "INIT"],
                    )
                    if key in last and any(
                        new < old for new, old in zip(state, last[key], strict=True)
                    ):
                        self.backwards.append((key, last[key], state))
                    last[key] = state

    def __enter__(self) -> "Reader":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
        assert self.failure is None
        assert self.backwards == []


@contextlib.contextmanager
def counted(database: Schema) -> Iterator[list[int]]:
    """Afterwards the list holds the transactions that wrote something."""
    name = "trx_rw_commits"
    database.query("SET GLOBAL innodb_monitor_enable = %s", [name])
    asked = f"SELECT count FROM information_schema.innodb_metrics WHERE name = '{name}'"
    before = database.value(asked)
    found: list[int] = []
    yield found
    found.append(database.value(asked) - before)


def test_many_instances_tell_over_one_connection_in_few_transactions(
    ready: World, database: Schema
) -> None:
    number = 300
    write(
        ready,
        database,
        {
            "job:many": job(
                ready,
                type="sync",
                instances=" ".join(f"i{each}" for each in range(number)),
                pre=":",
                post=":",
            )
        },
    )
    with Reader(database) as reader, counted(database) as transactions:
        done = ready.b1000("-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert max(reader.connections) == 1
    assert len(reader.connections) > 10
    assert "DONE" in reader.steps
    assert transactions[0] < number
    rows = database.rows()
    assert rows == from_journal(ready)
    assert len(rows) == number
    assert {(step, status) for (*_, step, status), _ in rows} == {("DONE", "OK")}
    assert owed(ready) == 0


def test_two_programs_of_one_journal_tell_each_run_once(ready: World, database: Schema) -> None:
    write(
        ready,
        database,
        {
            f"job:{name}": job(
                ready, instances=" ".join(f"i{each}" for each in range(15)), pre="sleep 0.05"
            )
            for name in ("one", "two")
        },
    )
    with Reader(database) as reader:
        programs = [ready.start(name) for name in ("one", "two")]
        for program in programs:
            out, err = program.communicate(timeout=60)
            assert program.returncode == 0, out + err
    # The reporter that delivers, and one that waits for its turn.
    assert max(reader.connections) <= 2
    rows = database.rows()
    assert rows == from_journal(ready)
    assert len(rows) == 30
    assert owed(ready) == 0


def reporter_of(database: Schema, program: "subprocess.Popen[str]") -> psutil.Process:
    """The child of a program that is connected to the database."""
    found: list[psutil.Process] = []

    def look() -> bool:
        for child in psutil.Process(program.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                found.extend(
                    child
                    for each in child.net_connections("tcp")
                    if each.raddr and each.raddr.port == database.server.port
                )
        return bool(found)

    wait_until(look)
    return found[0]


def is_blocked(database: Schema) -> bool:
    """Whether a statement of a report waits for somebody's lock."""
    time.sleep(0.2)  # innodb_trx shows nothing new to those who look again within 0.1 s
    return bool(
        database.query(
            "SELECT 1 FROM information_schema.innodb_trx JOIN information_schema.processlist"
            " ON id = trx_mysql_thread_id"
            " WHERE user = %s AND db = %s AND trx_state = 'LOCK WAIT'",
            [database.user, database.name],
        )
    )


@pytest.mark.parametrize("dies", [False, True], ids=["lives", "dies"])
def test_a_reporter_that_stalls_in_mid_delivery_puts_no_old_state_over_a_new_one(
    ready: World, database: Schema, dies: bool
) -> None:
    """Its supervisor lives, or is killed; another program of the journal comes in between."""
    gate = Gate(ready.root)
    write(
        ready,
        database,
        {"job:held": job(ready, pre=gate.script), "job:other": job(ready)},
    )
    reporter: psutil.Process | None = None
    first = ready.start("held")
    try:
        gate.wait()
        wait_until(at(database, "PRE"))
        reporter = reporter_of(database, first)
        with contextlib.closing(database.connect()) as holder, Reader(database):
            with holder.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute("SELECT * FROM jobs FOR UPDATE")
                gate.open()
                wait_until(lambda: is_blocked(database))
                reporter.suspend()
                cursor.execute("ROLLBACK")
            if dies:
                first.kill()
                first.wait()  # its reporter holds the pipes of its output
            else:
                wait_until(lambda: ready.last("held")["step"] == "DONE")
            second = ready.start("other")
            wait_until(lambda: any(run["job"] == "other" for run in ended_runs(ready)))
            reporter.resume()
            out, err = second.communicate(timeout=60)
            assert second.returncode == 0, out + err
            out, err = first.communicate(timeout=60)
            assert dies or first.returncode == 0, out + err
            ready.b1000("--copy")
            assert database.rows() == from_journal(ready)
    finally:
        gate.open()
        with contextlib.suppress(psutil.NoSuchProcess):
            if reporter:
                reporter.resume()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
    assert len(database.jobs()) == 2
    assert owed(ready) == 0


def ended_runs(world: World) -> list[dict[str, Any]]:
    """The last runs that are over."""
    return [run for run in world.status() if run["finished"]]


def test_a_row_of_a_higher_transition_is_left_alone(ready: World, database: Schema) -> None:
    """As if another reporter had told a later state: this one's is delivered, and not written."""
    gate = Gate(ready.root)
    write(ready, database, {"job:etc": job(ready, pre=gate.script)})
    program = ready.start()
    try:
        gate.wait()
        wait_until(at(database, "PRE"))
        wait_until(lambda: copies(database, "etc"))
        database.query(
            "UPDATE jobs SET transition = 1000000, step = 'POST', status = 'WARNING', error = 'x'"
        )
        database.query(
            "UPDATE copies SET copy_transition = 1000000, status = 'WARNING', copy_error = 'x'"
        )
        before = database.jobs(), copies(database, "etc")
        gate.open()
        out, err = program.communicate(timeout=60)
    finally:
        gate.open()
        program.communicate()
    assert program.returncode == 0, out + err
    assert (database.jobs(), copies(database, "etc")) == before
    assert owed(ready) == 0


# --- rows of older writers, and what people did to rows


def test_what_people_acknowledged_stays(ready: World, database: Schema) -> None:
    gate = Gate(ready.root)
    write(ready, database, {"job:etc": job(ready, pre=gate.script)})
    program = ready.start()
    try:
        gate.wait()
        wait_until(at(database, "PRE"))
        database.query("UPDATE jobs SET ack = 1")
        gate.open()
        program.communicate(timeout=60)
    finally:
        gate.open()
        program.communicate()
    found = row(database, "etc")
    assert (found["ack"], found["step"]) == (1, "DONE")


# --- passwords


SECRET = "N0b0dy-sees'it\\$ever"


class Spy(threading.Thread):
    """Looks for a word in the arguments and the environment of every process."""

    def __init__(self, word: str) -> None:
        super().__init__(daemon=True)
        self._word = word.encode()
        self._over = threading.Event()
        self.found: set[str] = set()
        self.looks = 0

    def run(self) -> None:
        """Look until it is told to end."""
        while not self._over.wait(0.01):
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    with contextlib.suppress(OSError):
                        content = (process / name).read_bytes()
                        if self._word in content:
                            self.found.add(f"{name}: {content!r}")
            self.looks += 1

    def __enter__(self) -> "Spy":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
@pytest.mark.parametrize("option", ["password", "password_file"])
def test_the_password_is_nowhere_else(
    ready: World, database: Schema, option: str, right: bool
) -> None:
    database.server.create_user(database.user, SECRET if right else "another one", database.name)
    secret = ready.root / "secret"
    secret.write_text(f"{SECRET}\n")
    secret.chmod(0o600)
    how = {"password": SECRET} if option == "password" else {"password_file": secret}
    write(
        ready,
        database,
        {
            "global": {
                "log_level": "DEBUG",
                "log_file": ready.root / "log",
                "report_wait_end": 20 if right else 1,
                "on_failure": f"env > {ready.root}/on_failure.env",
            },
            "report:central": database.report(**{"password": None, **how}),
            "dest:down": DOWN,
            "job:etc": job(
                ready,
                report="central main",
                pre=f"env > {ready.root}/pre.env; sleep 0.2",
                post=f"env > {ready.root}/post.env",
                instances=f"!env > {ready.root}/instances.env; echo a b",
            ),
            "job:bad": job(ready, dest="down", report="central main"),
        },
    )
    ready.config.chmod(0o600)
    with Spy(SECRET) as spy:
        said = [ready.b1000()]
        said.append(ready.b1000("check", "--connect"))
        said.append(ready.b1000("status"))
        said.append(ready.b1000("--copy"))
    assert said[0].returncode == 1
    assert ("central" in said[1].stderr) != right
    assert bool(database.jobs()) == right
    assert spy.found == set()
    assert spy.looks > 10
    # It may stand there with its quotes and backslashes doubled: a part of it is looked for.
    part = "N0b0dy-sees"
    for each in said:
        assert part not in each.stdout + each.stderr
    files = [
        path
        for path in ready.root.rglob("*")
        if path.is_file() and path not in (ready.config, secret)
    ]
    names = {path.name for path in files}
    assert {"log", "journal.sqlite3", "pre.env", "post.env", "on_failure.env"} <= names
    assert ready.status_files()
    assert ready.report_files()
    for path in files:
        assert part.encode() not in path.read_bytes(), path
    if not right:
        log = (ready.root / "log").read_text()
        assert "report central" in log
        assert "ccess denied" in log


# --- a fleet


def test_many_hosts_tell_one_database_at_once(tmp_path: Path, database: Schema) -> None:
    """Journals of 24 hosts full of what was never told, 6 programs at a time, cut connections."""
    worlds = []
    runs = 12
    for number in range(24):
        root = tmp_path / f"host{number}"
        root.mkdir()
        world = World(root)
        world.files(1)
        write(
            world,
            database,
            {
                "global": {"host": f"host{number}", "report_wait_end": 60},
                "job:db": job(world, instances=" ".join(f"i{each}" for each in range(runs))),
            },
        )
        fill_journal(world, f"host{number}", runs)
        worlds.append(world)
    waiting = list(worlds)
    working: list[subprocess.Popen[str]] = []
    cuts = 0
    until = time.monotonic() + 120
    while waiting or working:
        assert time.monotonic() < until
        while waiting and len(working) < 6:
            working.append(waiting.pop().start("--copy"))
        for program in tuple(working):
            if program.poll() is not None:
                out, err = program.communicate()
                assert program.returncode == 0, out + err
                working.remove(program)
        if cuts < 10:
            cuts += cut(database)
        time.sleep(0.02)
    assert database.rows() == from_journal(*worlds)
    assert len(database.jobs("job_id")) == 24 * runs
    assert len(database.copies("copy_id")) == 24 * runs * 2
    assert [owed(world) for world in worlds] == [0] * 24


def cut(database: Schema) -> int:
    """End one of the connections of the reports."""
    for each in database.query(
        "SELECT id FROM information_schema.processlist WHERE user = %s LIMIT 1", [database.user]
    ):
        with contextlib.suppress(pymysql.err.MySQLError):
            database.query("KILL %s", [each["id"]])
            return 1
    return 0


def fill_journal(world: World, host: str, number: int) -> None:
    """Runs that have ended DONE, or FAILED at POST, and of which nobody was told."""
    world.status_dir.mkdir(mode=0o700)
    journal = open_journal(world.status_dir / "journal.sqlite3")
    try:
        for each in range(number):
            with journal.transaction():
                run = journal.begin_run(
                    "db",
                    f"i{each}",
                    host,
                    direction="push",
                    kind="full",
                    reports=("central",),
                    supervisor=myself(),
                )
            build.resolve(journal, run, "store", "other")
            build.move(journal, run, Step.COPYING)
            build.copy(journal, run, "store", CopyStatus.COPYING, CopyStatus.DONE)
            build.copy(journal, run, "other", CopyStatus.COPYING, CopyStatus.WARNING)
            if each % 3:
                build.move(journal, run, Step.DONE, Status.WARNING)
            else:
                build.move(journal, run, Step.POST)
                build.move(journal, run, Step.POST, Status.FAILED)
    finally:
        journal.close()


# --- SQLite


def sqlite_rows(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of both tables of a report of type sqlite."""
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        jobs = [dict(each) for each in connection.execute("SELECT * FROM jobs ORDER BY job_id")]
        copied = [dict(each) for each in connection.execute("SELECT * FROM copies")]
        return jobs, copied


def test_sqlite_is_told_the_same(ready: World, database: Schema) -> None:
    file = ready.root / "central.sqlite3"
    both = "central lite"
    write(
        ready,
        database,
        {
            "report:lite": {"type": "sqlite", "path": file},
            "dest:down": DOWN,
            "dest:other": ready.store("other"),
            "job:good": job(
                ready,
                report=both,
                instances="a b",
                dest="store other",
                master_host="db1",
                data_age="!echo 7",
            ),
            "job:aged": job(ready, report=both, data_age="!exit 1"),
            "job:no-copy": job(ready, report=both, dest="down store"),
            "job:no-pre": job(ready, report=both, pre="false"),
        },
    )
    assert ready.b1000().returncode == 1
    jobs, copied = sqlite_rows(file)
    assert told(jobs, copied) == database.rows() == from_journal(ready)
    server_jobs, server_copies = database.jobs(), database.copies()
    assert set(jobs[0]) == set(server_jobs[0])
    assert set(copied[0]) == set(server_copies[0])

    def comparable(rows: list[dict[str, Any]], *key: str) -> list[tuple[object, ...]]:
        names = set(rows[0]) - {"job_id", "copy_id"}
        return sorted(
            (
                *(str(each[name]) for name in key),
                *(
                    (name, round(float(value), 2) if is_number(value) else str(value)[:19])
                    for name, value in sorted(each.items())
                    if name in names
                ),
            )
            for each in rows
        )

    assert comparable(jobs, "name", "instance") == comparable(server_jobs, "name", "instance")
    assert comparable(copied, "path") == comparable(server_copies, "path")
    assert owed(ready) == 0


def is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def test_one_file_is_shared_by_the_programs_of_two_journals(tmp_path: Path) -> None:
    file = tmp_path / "central.sqlite3"
    worlds = []
    for host in ("left", "right"):
        (tmp_path / host).mkdir()
        world = World(tmp_path / host)
        world.files()
        world.write(
            {
                "global": {"host": host, "report_wait_end": 30, "workers": 4},
                "report:lite": {"type": "sqlite", "path": file},
                "dest:store": world.store(),
                "job:db": world.push(
                    report="lite", instances=" ".join(f"i{each}" for each in range(15))
                ),
            }
        )
        worlds.append(world)
    programs = [world.start() for world in worlds for _ in "ab"]
    codes = []
    for program in programs:
        out, err = program.communicate(timeout=60)
        codes.append(program.returncode)
        assert "Traceback" not in out + err
    # Of two programs of one host, one may find an instance at work.
    assert set(codes) <= {0, 3}
    for world in worlds:
        assert world.b1000("--copy").returncode == 0
    jobs, copied = sqlite_rows(file)
    assert told(jobs, copied) == from_journal(*worlds)
    assert [owed(world) for world in worlds] == [0, 0]


def test_a_locked_or_broken_sqlite_file_delays_no_run(ready: World) -> None:
    file = ready.root / "central.sqlite3"
    ready.write(
        {
            "global": {"report_wait_end": 1},
            "report:lite": {"type": "sqlite", "path": file},
            "dest:store": ready.store(),
            "job:etc": ready.push(report="lite"),
        }
    )
    assert ready.b1000().returncode == 0
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        done = ready.b1000()
        assert time.monotonic() - began < 10
        assert done.returncode == 0
        assert "report lite" in done.stdout
        assert ready.last("etc")["duration"] < 3
    content = file.read_bytes()
    file.write_bytes(b"not a database at all" * 500)
    for suffix in ("-wal", "-shm", "-journal"):
        file.with_name(f"{file.name}{suffix}").unlink(missing_ok=True)
    assert ready.b1000().returncode == 0
    assert file.read_bytes().startswith(b"not a database")
    file.write_bytes(content)
    assert ready.b1000("--copy").returncode == 0
    assert told(*sqlite_rows(file)) == from_journal(ready)
    assert len(sqlite_rows(file)[0]) == 3
