"""A client that is an attacker holds up its own job, and that not for long."""

import contextlib
import os
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest

from tests.support import hostile
from tests.support.client import Client, client_is_at, last, sections, storage
from tests.support.daemon import Daemon
from tests.support.world import World, tree, wait_until

Daemons = Callable[..., Daemon]
STAMP = "2026-11-23-04-29-00"
MOST_MEMORY = 300 * 2**20


@pytest.fixture
def client(daemon: Daemons) -> Iterator[Client]:
    made = Client(daemon({"reports": "", "backup": ""}))
    made.data()
    yield made
    made.stop()


class Measured:
    """The most memory that one process of a world had, and what its job said in the end."""

    def __init__(self, world: World, *words: str, timeout: float = 60) -> None:
        process = world.start(*words)
        self.most = 0
        began = time.monotonic()

        def watch() -> None:
            root = psutil.Process(process.pid)
            while process.returncode is None:
                try:
                    for each in (root, *root.children(recursive=True)):
                        self.most = max(self.most, each.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue
                time.sleep(0.05)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        self.out, self.err = process.communicate(timeout=timeout)
        self.code = process.returncode
        self.seconds = time.monotonic() - began
        thread.join()


def pulled_all_the_same(world: World, client: Client) -> Measured:
    """With all that stands around it, the sound report is taken."""
    report = client.report().copying().keep_alive()
    threading.Thread(target=report.end, daemon=True).start()
    measured = Measured(world)
    assert measured.code == 0, measured.out
    assert measured.most < MOST_MEMORY
    assert last(world).status == "OK"
    return measured


def test_a_report_of_a_gigabyte(world: World, client: Client) -> None:
    with open(client.reports / f"big--{STAMP}.b1k", "wb") as file:
        file.truncate(2**30)
    storage(world, client)
    measured = pulled_all_the_same(world, client)
    assert f"big--{STAMP}.b1k" in measured.out
    assert "it has more than 65536 bytes" in measured.out


def test_a_hundred_thousand_reports(world: World, client: Client) -> None:
    for number in range(100_000):
        os.close(os.open(client.reports / f"r{number}--{STAMP}.b1k", os.O_CREAT, 0o644))
    storage(world, client, report_poll_retries=2)
    client.report().copying().keep_alive()
    measured = Measured(world)
    assert measured.code == 1
    assert measured.most < MOST_MEMORY
    assert "holds more than 10000 files" in last(world).error


def test_many_reports_that_are_wrong(world: World, client: Client) -> None:
    for number in range(3_000):
        path = client.reports / f"r{number}--{STAMP}.b1k"
        path.write_bytes(os.urandom(60_000) if number % 10 == 0 else b"x")
    storage(world, client)
    measured = pulled_all_the_same(world, client)
    assert measured.out.count("cannot be used") < 50


NAMES = [
    b"..b1k",
    b"-e sh--2026-11-23-04-29-00.b1k",
    b"--delete--2026-11-23-04-29-00.b1k",
    b"a\nb--2026-11-23-04-29-00.b1k",
    b"a\x1b[2Jb--2026-11-23-04-29-00.b1k",
    b"$(touch pwned)--2026-11-23-04-29-00.b1k",
    b";touch pwned;--2026-11-23-04-29-00.b1k",
    b"\xff\xfe--2026-11-23-04-29-00.b1k",
    b"..--2026-11-23-04-29-00.b1k",
    b"a..-2026-11-23-04-29-00.b1k",
    b"ext--0001-01-01-00-00-00.b1k",
    b"ext--9999-12-31-23-59-59.b1k",
    b"ext--2099-02-31-23-59-59.b1k",
    b"b" * 240 + b"--x.b1k",
]


def test_names_of_all_kinds(world: World, client: Client) -> None:
    sound = client.report().copying().path.read_bytes()
    for name in NAMES:
        with open(os.path.join(os.fsencode(client.reports), name), "wb") as file:
            file.write(sound)
    storage(world, client)
    pulled_all_the_same(world, client)
    assert not list(world.root.rglob("pwned"))


def test_links_devices_and_pipes(world: World, client: Client) -> None:
    secret = world.root / "secret"
    secret.write_text(client.report().copying().path.read_text())
    os.symlink(secret, client.reports / f"link--{STAMP}.b1k")
    os.symlink("/dev/zero", client.reports / f"zero--{STAMP}.b1k")
    os.mkfifo(client.reports / f"pipe--{STAMP}.b1k")
    (client.reports / f"directory--{STAMP}.b1k").mkdir()
    if os.getuid() == 0:
        os.mknod(client.reports / f"device--{STAMP}.b1k", 0o20666, os.makedev(1, 5))
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(client.reports)
        listener.bind(f"s--{STAMP}.b1k")
        os.chdir(here)
    storage(world, client)
    measured = pulled_all_the_same(world, client)
    assert "it is no regular file" in measured.out


def test_what_a_report_says_goes_nowhere(world: World, client: Client) -> None:
    storage(world, client, report_poll_retries=2)
    for keys in (
        {"host": "../../../escape"},
        {"host": "a/../../b"},
        {"master_host": "$(touch pwned)"},
        {"master_instance": "x\ty"},
        {"host": "e\u202et"},
        {"host": "ext\n[dest:x]"},
    ):
        report = client.report(**keys).copying()
        done = world.b1000()
        assert done.returncode == 1
        assert f"{report.name} cannot be used" in last(world).error
        assert last(world).error.isprintable()
        assert not (world.root / "local").exists()
        report.path.unlink()


def test_the_run_of_another_host_stays_what_it_is(world: World, client: Client) -> None:
    """A client claims to be that host in that run, and that its state is the last of all."""
    central = world.root / "central.sqlite3"
    down = {"type": "active", "path": "rsync://127.0.0.1:9/x"}
    victim = {"direction": "push", "type": "full", "dest": "down", "report": "central"}
    world.write(
        {
            "global": {"host": "web1", "copy_retries": 0},
            "report:central": {"type": "sqlite", "path": central},
            "dest:down": down,
            "job:etc": {**victim, "include": world.source},
        }
    )
    world.files()
    assert world.b1000("etc").returncode == 1
    start = datetime.strptime(last(world, "etc").start_time, "%Y-%m-%d-%H-%M-%S")
    (before,) = states(central)
    assert before[:2] == ("COPYING", "FAILED")
    lie = client.report(job="etc", start=f"{start:%Y-%m-%d %H:%M:%S}", host="web1").copying()
    pulling: dict[str, object] = {"report": "central", "report_poll_retries": 2}
    more = {"report:central": {"type": "sqlite", "path": central}}
    world.write({**sections(world, client, **pulling), **more})
    assert world.b1000("system").returncode == 1
    assert "it says that it is of host web1, and report_host is ext" in last(world).error
    assert not lie.told()
    assert before in states(central)
    # Where the operator believes that name, there are two rows, and the first is the host's.
    pulling["report_host"] = "ext web1"
    world.write({**sections(world, client, **pulling), **more})
    lie.keep_alive()
    threading.Thread(target=lie.end, daemon=True).start()
    assert world.b1000("system").returncode == 0
    assert [row[:2] for row in states(central) if row[2] == "backup-2"] == [("DONE", "OK")]
    assert before in states(central)


def states(central: Path) -> list[tuple[object, ...]]:
    """What the rows of the host web1 say, and who says it."""
    with contextlib.closing(sqlite3.connect(central)) as database:
        return database.execute(
            "SELECT step, status, relayed_by, transition FROM jobs WHERE host = 'web1'"
        ).fetchall()


def test_a_start_that_cannot_be_is_refused(world: World, client: Client) -> None:
    """One far ahead, and one before a run that was copied."""
    storage(world, client, report_poll_retries=2)
    report = client.report().copying().keep_alive()
    threading.Thread(target=report.end, daemon=True).start()
    assert world.b1000().returncode == 0
    report.kill()
    report.path.unlink()
    begun = datetime.strptime(report.run["start_time"], "%Y-%m-%d %H:%M:%S")
    for moment, words in (
        (begun + timedelta(days=2), "more than a day ahead of this host's clock"),
        (begun - timedelta(hours=1), "it says that it began before the run of"),
    ):
        lie = client.report(start=f"{moment:%Y-%m-%d %H:%M:%S}").copying()
        done = world.b1000()
        assert done.returncode == 1
        assert f"{lie.name} at 127.0.0.1" in done.stdout
        assert words in last(world).error
        lie.path.unlink()


def test_a_directory_name_that_is_too_long_is_told_to_the_client(
    world: World, client: Client
) -> None:
    storage(world, client)
    report = client.report(master_host="m" * 250).copying().keep_alive()
    assert world.b1000().returncode == 1
    assert "a name has at most 255" in last(world).error
    assert report.told() == "error"


def test_a_report_that_changes_between_two_looks(world: World, client: Client) -> None:
    storage(world, client, report_wait=6)
    report = client.report().write("PRE").keep_alive()
    running = world.start()
    wait_until(lambda: client_is_at(world, "PRE"))
    report.run["host"] = "../../escape"
    time.sleep(2.5)
    report.run["host"] = "other"
    running.communicate(timeout=30)
    assert running.returncode == 1
    assert "its report is now about something else" in last(world).error
    assert not report.told()


def test_data_stays_below_its_directory(world: World, client: Client) -> None:
    outside = world.root / "outside"
    outside.mkdir()
    (outside / "precious").write_text("precious")
    (client.backup / "link").symlink_to(outside)
    os.mkfifo(client.backup / "pipe")
    if os.getuid() == 0:
        os.mknod(client.backup / "device", 0o60666, os.makedev(8, 0))
    storage(world, client, type="sync")
    report = client.report().copying().keep_alive()
    threading.Thread(target=report.end, daemon=True).start()
    assert world.b1000().returncode == 0
    report.kill()
    # What was a link is a directory in the next backup.
    (client.backup / "link").unlink()
    (client.backup / "link").mkdir()
    (client.backup / "link" / "precious").write_text("changed")
    time.sleep(1.1)
    pulled_all_the_same(world, client)
    (copy,) = (world.root / "local" / "system").glob("*/")
    assert sorted(tree(copy)) == ["file0", "file1", "file2", "link", "link/precious"]
    assert (outside / "precious").read_text() == "precious"


# --- daemons


def beside(world: World, listener: hostile.Listener, **options: object) -> None:
    """A job that pulls from the listener, and one that has nothing to do with it."""
    world.files()
    made = {
        "direction": "pull",
        "type": "full",
        "dest": "local",
        "report": "main",
        "include": listener.url("backup"),
        "report_source": listener.url("reports"),
        "report_host": "ext",
        "report_poll_wait": 1,
        "report_poll_retries": 2,
        **options,
    }
    world.write(
        {
            "global": {"host": "backup-2", "io_timeout": 2, "connect_timeout": 2, "workers": 1},
            "dest:local": {**world.store("local"), "min_free": 0},
            "dest:store": world.store(),
            "job:system": made,
            "job:etc": world.push(),
        }
    )


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (hostile.silent, "no data from 127.0.0.1 for too long"),
        (hostile.closing, "closed the connection at once"),
        (hostile.dripping, "did not end its answer within 6 s"),
        (hostile.greeting_for_ever, "says more than 1 MiB"),
        (hostile.flooding, "rsync exit"),
    ],
)
def test_a_daemon_that_misbehaves(world: World, behaviour: hostile.Behaviour, words: str) -> None:
    with hostile.listening(behaviour) as listener:
        beside(world, listener)
        measured = Measured(world)
    assert measured.code == 1
    assert measured.seconds < 30
    assert measured.most < MOST_MEMORY
    assert words in last(world).error
    other = last(world, "etc")
    assert (other.step, other.status) == ("DONE", "OK")
    assert other.ended
    assert other.ended - other.started < 4
    assert not world.processes()


@pytest.mark.parametrize("behaviour", [hostile.silent, hostile.dripping])
def test_data_that_does_not_come(
    world: World, client: Client, behaviour: hostile.Behaviour
) -> None:
    with hostile.listening(behaviour) as listener:
        beside(
            world,
            listener,
            report_source=client.daemon.url("reports"),
            copy_timeout=5,
        )
        report = client.report().copying().keep_alive()
        threading.Thread(target=report.end, daemon=True).start()
        measured = Measured(world)
    assert measured.code == 1
    assert measured.seconds < 30
    assert last(world).ending == "CLOSED"
    assert report.told() == "error"


def test_a_client_that_freezes_while_it_is_copied(world: World, client: Client) -> None:
    """The copy does not wait for ever, nor is it tried for ever, and another job goes on."""
    (client.backup / "large").write_bytes(os.urandom(12_000_000))
    limits = {"io_timeout": 2, "connect_timeout": 2, "copy_retries": 1, "copy_retry_min_sleep": 0}
    world.files()
    world.write(
        {
            **sections(world, client),
            "global": {"host": "backup-2", "workers": 2, **limits},
            "dest:local": {**world.store("local"), "min_free": 0, "bwlimit": 2000},
            "dest:store": world.store(),
            "job:etc": world.push(pre=f"until test -e {world.root}/frozen; do sleep 0.1; done"),
        }
    )
    report = client.report().copying().keep_alive()
    threading.Thread(target=report.end, daemon=True).start()
    program = world.start()
    wait_until(lambda: list((world.root / "local").rglob(".large.*")))
    client.daemon.kill(signal.SIGSTOP)
    try:
        (world.root / "frozen").touch()
        wait_until(lambda: last(world, "etc").step == "DONE")
        wait_until(lambda: last(world).copies[0].status == "FAILED")
    finally:
        client.daemon.kill(signal.SIGCONT)
    program.communicate(timeout=60)
    assert program.returncode == 1
    run = last(world)
    assert (run.step, run.status, run.ending) == ("COPYING", "FAILED", "CLOSED")
    assert "no data from 127.0.0.1 for too long (io_timeout)" in run.error
    assert run.copies[0].attempts == 2
    assert report.told() == "error"
    assert not world.processes()
