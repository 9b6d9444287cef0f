"""A passive and a pull job as two programs with two configurations, and a daemon between them."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.client import client_is_at, is_at, last, run_of
from tests.support.daemon import Daemon
from tests.support.gate import Gate
from tests.support.hosts import WHOLE, ClientHost, StorageHost
from tests.support.world import World, wait_until

Daemons = Callable[..., Daemon]
Process = subprocess.Popen[str]


@pytest.fixture
def hosts(tmp_path: Path, daemon: Daemons) -> Callable[..., tuple[ClientHost, StorageHost]]:
    """``hosts(client, storage)``: a client and a storage by these names."""

    def make(client: str = "ext", name: str = "backup-2") -> tuple[ClientHost, StorageHost]:
        shared = daemon({"reports": "", "backup": "read only = yes"})
        return (
            ClientHost(tmp_path / "client", client, shared),
            StorageHost(tmp_path / "storage", name),
        )

    return make


Hosts = Callable[..., tuple[ClientHost, StorageHost]]


def ends(*running: Process, code: int = 0) -> None:
    """All end with this exit code."""
    for each in running:
        out, err = each.communicate(timeout=60)
        assert each.returncode == code, out + err


def state(world: World, job: str = "ext") -> tuple[str, str]:
    run = last(world, job)
    return run.step, run.status


DONE = ("DONE", "OK")


@pytest.mark.parametrize("first", ["client", "storage"])
def test_in_both_orders_of_start(hosts: Hosts, first: str) -> None:
    client, storage = hosts()
    client.passive()
    storage.pulls(client)
    order: list[World] = [client, storage] if first == "client" else [storage, client]
    early = order[0].start()
    time.sleep(2)
    ends(early, order[1].start())
    assert (state(client), state(storage)) == (DONE, DONE)
    assert storage.copied() == [WHOLE]
    assert client.left() == ["backup-2.done"]
    assert not (client.daemon.module("backup") / "dump").exists()
    (relayed,) = last(storage, "ext").clients
    assert (relayed.step, relayed.status, relayed.judged) == ("DONE", "OK", False)
    assert relayed.start_time == last(client, "ext").start_time


def test_again_and_again(hosts: Hosts) -> None:
    """What the round before left does no harm."""
    client, storage = hosts()
    client.passive()
    storage.pulls(client)
    for number in range(1, 4):
        ends(client.start(), storage.start())
        assert len(storage.copied()) == number
        time.sleep(1)
    assert client.left() == ["backup-2.done"]


def test_a_pre_that_takes_long(hosts: Hosts) -> None:
    client, storage = hosts()
    client.passive(pre="sleep 5")
    storage.pulls(client, report_poll_retries=3)
    running = client.start()
    wait_until(lambda: is_at(client, "PRE", "ext"))
    ends(storage.start(), running)
    assert storage.copied() == [WHOLE]


@pytest.mark.parametrize(
    ("name", "puller"),
    [("backup-2.example.com", "backup-2"), ("backup-2", "backup-2.example.com")],
)
def test_short_and_full_names(hosts: Hosts, name: str, puller: str) -> None:
    client, storage = hosts("ext.example.com", name)
    client.passive(puller)
    storage.pulls(client)
    ends(client.start(), storage.start())
    assert client.left() == [f"{puller}.done"]
    assert (state(client), state(storage)) == (DONE, DONE)


def test_three_clients_and_one_storage(tmp_path: Path, daemon: Daemons) -> None:
    clients = [
        ClientHost(
            tmp_path / name, name, daemon({"reports": "", "backup": "read only = yes"})
        ).passive()
        for name in ("ext1", "ext2", "ext3")
    ]
    storage = StorageHost(tmp_path / "storage", "backup-2").pulls(*clients)
    ends(storage.start(), *(client.start() for client in clients))
    for client in clients:
        assert storage.copied(client.name) == [WHOLE]
        assert last(storage, client.name).clients[0].host == client.name


@pytest.mark.parametrize("dest", ["backup-2 backup-3", "backup-2& backup-3&", "backup-2/backup-3"])
def test_one_client_and_two_storages(tmp_path: Path, hosts: Hosts, dest: str) -> None:
    client, storage = hosts()
    client.passive("backup-2", "backup-3", dest=dest)
    storage.pulls(client)
    other = StorageHost(tmp_path / "other", "backup-3").pulls(client)
    ends(other.start(), storage.start(), client.start())
    assert storage.copied() == other.copied() == [WHOLE]
    assert client.left() == ["backup-2.done", "backup-3.done"]
    assert (state(client), state(storage), state(other)) == (DONE, DONE, DONE)


# --- failures


def test_a_pull_that_fails_and_is_repeated(hosts: Hosts) -> None:
    """.error; then --copy at the client, and a new pull."""
    client, storage = hosts()
    client.passive()
    storage.pulls(client, include=client.daemon.url("backup/missing"))
    ends(client.start(), storage.start(), code=1)
    assert state(client) == state(storage) == ("COPYING", "FAILED")
    assert client.left() == ["backup-2.error"]
    assert last(storage, "ext").ending == "CLOSED"
    ends(storage.start("--copy"))
    storage.pulls(client)
    ends(client.start("--copy"), storage.start())
    assert (state(client), state(storage)) == (DONE, DONE)
    assert storage.copied()[-1] == WHOLE
    assert client.left() == ["backup-2.done"]


def test_the_reason_of_a_pull_that_failed_is_in_every_row(hosts: Hosts) -> None:
    """In status and in the database; the client knows only who can tell."""
    client, storage = hosts()
    client.passive()
    central = storage.root / "central.sqlite3"
    storage.pulls(
        client,
        include=client.daemon.url("backup/missing"),
        report="main central",
        more={"report:central": {"type": "sqlite", "path": central}},
    )
    ends(client.start(), storage.start(), code=1)
    reason = "missing at the source"
    assert reason in storage.last("ext")["error"]
    with contextlib.closing(sqlite3.connect(central)) as database:
        sql = "SELECT direction, step, status, error FROM jobs"
        ((direction, step, status, error),) = database.execute(sql).fetchall()
    assert (direction, step, status) == ("passive", "COPYING", "FAILED")
    assert reason in error
    assert "could not copy it; b1000 status on backup-2 tells why" in client.last("ext")["error"]
    for text in (error, client.last("ext")["error"], storage.last("ext")["error"]):
        assert "log" not in text


def test_nobody_comes_in_time(hosts: Hosts) -> None:
    client, storage = hosts()
    client.passive(timeout=2)
    storage.pulls(client, report_poll_retries=2)
    ends(client.start(), code=1)
    assert state(client) == ("COPYING", "FAILED")
    assert "did not pull it within 2 s" in last(client, "ext").error
    ends(storage.start(), code=1)
    assert state(storage) == ("INIT", "FAILED")
    assert storage.copied() == []


def test_a_pre_that_fails(hosts: Hosts) -> None:
    client, storage = hosts()
    gate = Gate(client.root)
    client.passive(pre=f"{gate.script}; exit 7")
    storage.pulls(client)
    running = client.start()
    gate.wait()
    pulling = storage.start()
    wait_until(lambda: client_is_at(storage, "PRE", "ext"))
    gate.open()
    ends(pulling, running, code=1)
    assert "FAILED at PRE" in last(storage, "ext").error
    assert "exit code 7" in last(storage, "ext").error


def test_a_post_that_fails(hosts: Hosts) -> None:
    client, storage = hosts()
    client.passive(post="sleep 1; exit 7")
    storage.pulls(client)
    running = client.start()
    ends(storage.start())
    ends(running, code=1)
    assert state(storage) == ("DONE", "WARNING")
    assert "FAILED at POST" in last(storage, "ext").error
    (relayed,) = last(storage, "ext").clients
    assert (relayed.step, relayed.status) == ("POST", "FAILED")


# --- what the central database is told


class Watched(threading.Thread):
    """Notes each state of the rows of a database that it sees, until it is told to stop."""

    def __init__(self, file: Path) -> None:
        super().__init__(daemon=True)
        self.states: list[tuple[object, ...]] = []
        self._file = file
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.02):
            self.look()

    def look(self) -> None:
        if not self._file.exists():
            return
        sql = "SELECT host, name, instance, start_time, direction, step, status FROM jobs"
        with (
            contextlib.suppress(sqlite3.OperationalError),
            contextlib.closing(sqlite3.connect(self._file)) as database,
        ):
            self.states += [row for row in database.execute(sql) if row not in self.states]

    def end(self) -> list[tuple[object, ...]]:
        self._over.set()
        self.join()
        self.look()
        return self.states


@pytest.mark.parametrize(
    ("code", "last_step"), [(0, ("DONE", "OK")), (3, ("POST", "FAILED"))], ids=["well", "badly"]
)
def test_the_database_knows_the_run_of_a_client_that_cannot_reach_it(
    hosts: Hosts, code: int, last_step: tuple[str, str]
) -> None:
    client, storage = hosts()
    pre, post = Gate(client.root, "pre"), Gate(client.root, "post")
    client.passive(pre=pre.script, post=f"{post.script}; exit {code}")
    central = storage.root / "central.sqlite3"
    more = {"report:central": {"type": "sqlite", "path": central}}
    other = {"dest:other": {**storage.store("other"), "min_free": 0}}
    storage.pulls(client, more={**more, **other}, report="main central", dest="local other")
    watched = Watched(central)
    watched.start()
    pulling = storage.start()
    wait_until(lambda: is_at(storage, "INIT", "ext"))
    running = client.start()
    for step, gate in (("PRE", pre), ("POST", post)):
        wait_until(lambda step=step: client_is_at(storage, step, "ext"))  # type: ignore[misc]
        gate.open()
    running.communicate(timeout=60)
    pulling.communicate(timeout=60)
    own = last(client, "ext")
    told = datetime.strptime(own.start_time, "%Y-%m-%d-%H-%M-%S").strftime("%Y-%m-%d %H:%M:%S")
    states = [row[5:] for row in watched.end() if row[:5] == ("ext", "ext", "", told, "passive")]
    assert ("PRE", "OK") in states
    assert ("COPYING", "OK") in states
    assert ("POST", "OK") in states
    assert states[-1] == last_step
    order = ["INIT", "PRE", "COPYING", "POST", "DONE"]
    steps = [order.index(str(step)) for step, _ in states]
    assert steps == sorted(steps)
    with contextlib.closing(sqlite3.connect(central)) as database:
        assert database.execute("SELECT host, name FROM jobs").fetchall() == [("ext", "ext")]
        rows = database.execute("SELECT destination, path, status FROM copies").fetchall()
    assert sorted(rows) == [
        (f"backup-2/{copy.destination}", copy.path, "DONE")
        for copy in sorted(last(storage, "ext").copies, key=lambda copy: copy.destination)
    ]


# --- killed


def kill(running: Process) -> None:
    os.kill(running.pid, signal.SIGKILL)
    running.communicate(timeout=30)


@pytest.mark.parametrize("step", ["INIT", "PRE", "COPYING"])
def test_the_storage_is_killed(hosts: Hosts, step: str) -> None:
    """Whatever it was at, what comes next brings both to the end."""
    client, storage = hosts()
    client.passive(pre="sleep 3")
    storage.pulls(client)
    running = client.start()
    pulling = storage.start()
    if step == "COPYING":
        wait_until(lambda: is_at(storage, "COPYING", "ext"))
    else:
        wait_until(lambda: client_is_at(storage, step, "ext") or is_at(client, "PRE", "ext"))
        wait_until(lambda: run_of(storage, "ext"))
    kill(pulling)
    again = storage.start("--copy")
    again.communicate(timeout=60)
    if state(storage) != DONE:
        assert state(storage) == ("INIT", "FAILED")
        ends(storage.start())
    ends(running)
    assert (state(client), state(storage)) == (DONE, DONE)
    assert storage.copied()[-1] == WHOLE


def test_the_client_is_killed_while_it_waits(hosts: Hosts) -> None:
    client, storage = hosts()
    client.passive()
    storage.pulls(client)
    running = client.start()
    wait_until(lambda: is_at(client, "COPYING", "ext"))
    kill(running)
    ends(client.start("--copy"), storage.start())
    assert (state(client), state(storage)) == (DONE, DONE)
    assert storage.copied() == [WHOLE]
    assert client.left() == ["backup-2.done"]


def worker_of(world: World) -> int:
    """The process id of the only worker."""
    with world.journal() as journal:
        sql = "SELECT pid FROM processes WHERE purpose = 'worker' AND ended IS NULL"
        (pid,) = journal.execute(sql).fetchone()
    return int(pid)


def test_the_client_is_killed_before_it_hears_that_it_was_pulled(hosts: Hosts) -> None:
    """What it was told goes when it goes on, and the storage, which follows it, tells it again."""
    client, storage = hosts()
    client.passive()
    storage.pulls(client)
    running = client.start()
    wait_until(lambda: is_at(client, "COPYING", "ext"))
    # Before its copy is COPYING too, the report does not offer it yet.
    wait_until(lambda: last(client, "ext").copies[0].status == "COPYING")
    deaf = worker_of(client)
    os.kill(deaf, signal.SIGSTOP)
    pulling = storage.start()
    wait_until(lambda: is_at(storage, "POST", "ext"))
    assert client.left() == ["backup-2.done"]
    os.kill(running.pid, signal.SIGKILL)
    os.kill(deaf, signal.SIGKILL)
    running.communicate(timeout=30)
    ends(client.start("--copy"), pulling)
    assert (state(client), state(storage)) == (DONE, DONE)
    assert storage.copied() == [WHOLE]
    assert client.left() == ["backup-2.done"]


def test_the_client_is_killed_in_pre_and_begins_anew(hosts: Hosts) -> None:
    client, storage = hosts()
    client.passive(pre="sleep 3")
    storage.pulls(client)
    running = client.start()
    wait_until(lambda: is_at(client, "PRE", "ext"))
    pulling = storage.start()
    wait_until(lambda: client_is_at(storage, "PRE", "ext"))
    kill(running)
    ends(client.start(), pulling)
    assert (state(client), state(storage)) == (DONE, DONE)
    old, new = last(storage, "ext").clients
    assert (old.status, new.status) == ("FAILED", "OK")
    assert storage.copied() == [WHOLE]
