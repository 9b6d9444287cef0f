"""What goes wrong while copying: the real program, real rsyncs and daemons."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import hostile
from tests.support.daemon import Daemon
from tests.support.ports import free_port
from tests.support.world import World, tree, wait_until

Daemons = Callable[..., Daemon]
REAL_RSYNC = shutil.which("rsync")


def job(world: World, store: dict[str, object], *, retries: int = 2, **options: object) -> None:
    """A job ``j`` with one destination ``store``; it would be retried twice, without a wait."""
    world.write(
        {
            "global": {"copy_retries": retries, "log_file": world.root / "log"},
            "dest:store": {"type": "active", **store},
            "job:j": world.push(**options),
        }
    )


def log(world: World) -> str:
    return (world.root / "log").read_text()


def failed(world: World, words: str, *, attempts: int, timeout: float = 60) -> dict[str, Any]:
    """Run it; it fails at COPYING, says why, and leaves a status file. Gives the copy."""
    done = world.b1000(timeout=timeout)
    assert done.returncode == 1, done.stdout
    run = world.last("j")
    (copy,) = run["copies"]
    assert (run["step"], run["status"]) == ("COPYING", "FAILED")
    assert (copy["status"], copy["attempts"]) == ("FAILED", attempts)
    assert words in copy["error"]
    assert f"store: {words}" in run["error"]
    assert len(copy["error"]) < 300
    assert words in done.stderr
    assert log(world).count("failed: ") == attempts - 1
    (ticket,) = world.status_files()
    assert re.fullmatch(r"client-j--\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d\.json", ticket)
    assert words in (world.status_dir / ticket).read_text()
    assert not world.processes()
    result: dict[str, Any] = copy
    return result


@pytest.mark.parametrize("kind", ["full", "sync"])
def test_a_file_in_place_of_the_destination_is_no_matter_of_time(world: World, kind: str) -> None:
    world.files()
    (world.root / "file").write_text("of somebody")
    job(world, {"path": world.root / "file"}, type=kind)
    assert "Not a directory" in failed(world, "", attempts=1)["error"]
    assert (world.root / "file").read_text() == "of somebody"


def succeeded(world: World, attempts: int, status: str = "OK") -> dict[str, Any]:
    """The last run went well in the end, and left no status file. Gives the copy."""
    run = world.last("j")
    (copy,) = run["copies"]
    assert (run["step"], run["status"]) == ("DONE", status), log(world)
    assert copy["attempts"] == attempts
    assert world.status_files() == []
    assert not world.processes()
    result: dict[str, Any] = copy
    return result


@contextlib.contextmanager
def running(world: World) -> Iterator["subprocess.Popen[str]"]:
    """The program at work; the body changes its world, then it is waited for."""
    program = world.start()
    try:
        yield program
        program.communicate(timeout=30)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.communicate()


def fake_rsync(world: World, script: str) -> dict[str, str]:
    """The environment in which ``rsync`` is a script; ``$REAL`` in it is the real one."""
    directory = world.root / "bin"
    directory.mkdir()
    program = directory / "rsync"
    program.write_text(f"#!/bin/sh\nREAL={REAL_RSYNC}\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{directory}:/usr/bin:/bin"}


# --- the daemon and its module


def test_daemon_down(world: World) -> None:
    world.files()
    job(world, {"path": f"rsync://127.0.0.1:{free_port()}/b1000"})
    failed(world, "connection refused by 127.0.0.1", attempts=3)


def test_unknown_module(world: World, daemon: Daemons) -> None:
    world.files()
    job(world, {"path": daemon().url("other")})
    failed(world, "127.0.0.1 has no module 'other'", attempts=1)


def test_module_read_only(world: World, daemon: Daemons) -> None:
    world.files()
    storage = daemon({"b1000": "read only = yes"})
    job(world, {"path": storage.url("b1000")})
    failed(world, "the module at 127.0.0.1 is read only", attempts=1)
    assert tree(storage.module("b1000")) == {}


@pytest.fixture
def secret(world: World, daemon: Daemons) -> str:
    """The address of a module that wants the password ``right``."""
    secrets = world.root / "secrets"
    secrets.write_text("client:right\n")
    secrets.chmod(0o600)
    storage = daemon({"b1000": f"auth users = client\nsecrets file = {secrets}"})
    return storage.url("b1000").replace("rsync://", "rsync://client@")


def password_file(world: World, text: str, mode: int = 0o600) -> Path:
    path = world.root / "password"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_right_password(world: World, secret: str) -> None:
    world.files()
    job(world, {"path": secret, "password_file": password_file(world, "right\n")})
    assert world.b1000().returncode == 0
    assert succeeded(world, attempts=1)["status"] == "DONE"


def test_wrong_password(world: World, secret: str) -> None:
    world.files()
    job(world, {"path": secret, "password_file": password_file(world, "wr0ng-Pa55\n")})
    failed(world, "127.0.0.1 refuses user or password for module 'b1000'", attempts=1)
    assert "wr0ng-Pa55" not in log(world)
    # The verdict says it all; rsync's own summary is for those who ask for DEBUG.
    assert "rsync error:" not in log(world)
    for path in world.status_dir.rglob("*"):
        assert not path.is_file() or b"wr0ng-Pa55" not in path.read_bytes()


def test_password_file_readable_by_others(world: World, secret: str) -> None:
    world.files()
    job(world, {"path": secret, "password_file": password_file(world, "right\n", 0o644)})
    failed(world, "the password file must not be other-accessible", attempts=1)


def test_no_password_file(world: World, secret: str) -> None:
    world.files()
    job(world, {"path": secret, "password_file": world.root / "none"})
    failed(world, f"the password file {world.root}/none: No such file", attempts=1)


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_password_file(world: World, secret: str, text: str) -> None:
    world.files()
    job(world, {"path": secret, "password_file": password_file(world, text)})
    failed(world, f"the password file {world.root}/password is empty", attempts=1)


def test_max_connections_are_waited_for(world: World, daemon: Daemons) -> None:
    world.files()
    storage = daemon({"b1000": f"max connections = 1\nlock file = {world.root}/connections"})
    big = world.root / "big"
    big.write_bytes(os.urandom(2_000_000))
    with subprocess.Popen(
        ["rsync", "--bwlimit=100", str(big), storage.url("b1000")],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as other:
        try:
            wait_until(lambda: tree(storage.module("b1000")))
            job(world, {"path": storage.url("b1000")})
            failed(world, "127.0.0.1 has reached its limit of connections (1)", attempts=3)
            job(world, {"path": storage.url("b1000")}, retries=100)
            with running(world) as program:
                wait_until(lambda: log(world).count("attempt 1 failed") == 2)
                other.kill()
        finally:
            other.kill()
    assert program.returncode == 0
    run = world.last("j")
    assert run["status"] == "OK"
    assert run["copies"][0]["attempts"] > 1


# --- the disk


@pytest.fixture
def small_disk(world: World) -> Iterator[Path]:
    """A file system of 1 MiB."""
    if os.getuid() != 0:
        pytest.skip("only root can mount a small file system")
    path = world.root / "small"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "b1000-test", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_destination_disk_full(world: World, small_disk: Path) -> None:
    (world.files() / "big").write_bytes(os.urandom(3_000_000))
    job(world, {"path": small_disk})
    copy = failed(world, f"no space left at {small_disk}", attempts=1)
    assert "No space left on device" in copy["error"]


def test_disk_full_behind_a_daemon(world: World, daemon: Daemons, small_disk: Path) -> None:
    (world.files() / "big").write_bytes(os.urandom(3_000_000))
    storage = daemon({"b1000": f"path = {small_disk}"})
    job(world, {"path": storage.url("b1000")})
    failed(world, "no space left at 127.0.0.1", attempts=1)


def test_min_free_before_the_copy(world: World, small_disk: Path) -> None:
    world.files()
    job(world, {"path": small_disk, "min_free": "2m"})
    assert world.b1000().returncode == 1
    (copy,) = world.last("j")["copies"]
    assert (copy["status"], copy["attempts"]) == ("FAILED", 1)
    assert f"free at {small_disk}, less than the 2 MiB of min_free" in copy["error"]
    assert tree(small_disk).keys() == {".b1000-id"}


def test_min_free_while_copying(world: World, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    (world.source / "big").write_bytes(os.urandom(7_000_000))
    job(world, {"path": small_disk, "min_free": "5m", "bwlimit": "2m"})
    assert world.b1000().returncode == 1
    (copy,) = world.last("j")["copies"]
    assert (copy["status"], copy["attempts"]) == ("FAILED", 1)
    assert "less than the 5 MiB of min_free" in copy["error"]
    assert len(world.status_files()) == 1
    assert not world.processes()


def test_min_free_after_a_copy_that_was_quick(world: World, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    (world.source / "big").write_bytes(os.urandom(4_000_000))
    job(world, {"path": small_disk, "min_free": "5m"})
    assert world.b1000().returncode == 1
    (copy,) = world.last("j")["copies"]
    assert (copy["status"], copy["attempts"]) == ("FAILED", 1)
    assert "less than the 5 MiB of min_free" in copy["error"]
    job(world, {"path": small_disk, "min_free": "3m"})
    assert world.b1000("--copy").returncode == 0
    succeeded(world, attempts=2)


# --- the source


def test_a_source_that_vanishes_is_a_warning(world: World) -> None:
    world.files(200)
    job(world, world.store())
    (world.source / "a-big").write_bytes(os.urandom(400_000))
    # It has listed them all, and is busy with the first, when some of the last go.
    environment = fake_rsync(
        world,
        f'"$REAL" --bwlimit=400 "$@" & pid=$!\n'
        f"until ls -A {world.root}/store/j/*/*/ 2>/dev/null | grep -q .; do sleep 0.01; done\n"
        f"rm {world.source}/file9*; wait $pid",
    )
    assert world.b1000(environment=environment).returncode == 0
    copy = succeeded(world, attempts=1, status="WARNING")
    assert copy["status"] == "WARNING"
    assert "files vanished at the source while they were copied (rsync exit 24" in copy["error"]
    assert "file9" in copy["error"]
    assert tree(Path(copy["path"])) == tree(world.source)


def test_a_missing_source_fails_and_the_others_are_copied(world: World) -> None:
    world.files()
    job(world, world.store(), include=f"{world.root}/gone/ {world.source}/ {world.root}/no*.sql")
    copy = failed(
        world,
        f"nothing at the source matches {world.root}/gone/, {world.root}/no*.sql",
        attempts=1,
    )
    assert tree(Path(copy["path"])) == tree(world.source)


def test_no_source_at_all(world: World) -> None:
    job(world, world.store(), include=f"{world.root}/gone/")
    failed(world, f"nothing at the source matches {world.root}/gone/", attempts=1)
    assert not (world.root / "store").exists()


def test_an_unreadable_file_is_tried_once_more(world: World) -> None:
    world.files()
    job(world, world.store(), retries=5)
    # As root everything can be read, so this rsync only says what the real one would say.
    environment = fake_rsync(
        world,
        '"$REAL" --exclude=file1 "$@" || exit\n'
        f"""echo 'rsync: [sender] send_files failed to open "{world.source}/file1": """
        """Permission denied (13)' >&2\n"""
        "echo 'rsync error: some files/attrs were not transferred (see previous errors) "
        "(code 23) at main.c(1394) [sender=3.5.0]' >&2\nexit 23",
    )
    assert world.b1000(environment=environment).returncode == 1
    (copy,) = world.last("j")["copies"]
    assert (copy["status"], copy["attempts"]) == ("FAILED", 2)
    assert copy["error"].startswith(
        f"not everything was copied: no permission to read {world.source}/file1 (rsync exit 23"
    )
    assert len(world.status_files()) == 1


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_file_that_only_root_may_read(world: World) -> None:
    (world.files() / "file1").chmod(0)
    job(world, world.store())
    failed(world, f"no permission to read {world.source}/file1", attempts=2)


# --- interruptions


def temporary_file(storage: Daemon) -> Callable[[], object]:
    """Whether a file is on its way into the module."""
    return lambda: [path for path in storage.module("b1000").rglob(".big.*") if path.stat().st_size]


@pytest.mark.parametrize("relative", ["no", "yes"])
def test_daemon_killed_in_mid_copy(world: World, daemon: Daemons, relative: str) -> None:
    (world.files() / "big").write_bytes(os.urandom(1_000_000))
    (world.source / ".bashrc.backup").write_text("named like a temporary file")
    (world.source / ".b1001rc").write_text("named a little like the partial directory")
    storage = daemon()
    job(
        world,
        {"path": storage.url("b1000"), "bwlimit": 1000},
        retries=50,
        relative=relative,
        include=f"{world.source}/./" if relative == "no" else f"{world.source}/big {world.source}/",
    )
    with running(world) as program:
        wait_until(temporary_file(storage))
        storage.stop()
        wait_until(lambda: "attempt 1 failed" in log(world))
        storage.start()
    assert program.returncode == 0, log(world)
    run = world.last("j")
    assert (run["step"], run["status"]) == ("DONE", "OK")
    (copy,) = run["copies"]
    assert copy["status"] == "DONE"
    assert copy["attempts"] > 1
    assert copy["error"] == ""
    assert re.search("attempt 1 failed: the connection to 127.0.0.1 broke in mid-copy", log(world))
    directory = storage.module("b1000") / copy["path"].removeprefix(storage.url("b1000/"))
    if relative == "yes":
        directory /= str(world.source).lstrip("/")
    assert without_leftovers(directory) == tree(world.source)
    assert "temporary files of an interrupted attempt (.NAME.XXXXXX) may be left in" in log(world)
    assert world.status_files() == []


def without_leftovers(directory: Path) -> dict[str, bytes | str | None]:
    """What lies at a daemon, where files of killed receivers stay."""
    found = tree(directory)
    return {name: found[name] for name in found if ".big." not in name and ".b1000" not in name}


def test_a_single_big_file(world: World, daemon: Daemons) -> None:
    (world.source / "big").write_bytes(os.urandom(1_000_000))
    storage = daemon()
    job(
        world,
        {"path": storage.url("b1000"), "bwlimit": 1000},
        retries=50,
        relative="yes",
        include=f"{world.root}/./source/big",
    )
    with running(world) as program:
        wait_until(temporary_file(storage))
        storage.stop()
        storage.start()
    assert program.returncode == 0, log(world)
    (copy,) = world.last("j")["copies"]
    assert copy["attempts"] > 1
    directory = storage.module("b1000") / copy["path"].removeprefix(storage.url("b1000/"))
    assert without_leftovers(directory / "source") == tree(world.source)
    assert sorted(os.listdir(directory)) == ["source"]


def test_rsync_killed_in_mid_copy(world: World) -> None:
    (world.source / "big").write_bytes(os.urandom(1_000_000))
    job(world, world.store(bwlimit=1000), retries=1)
    with running(world) as program:
        wait_until(lambda: list((world.root / "store").rglob(".big.*")))
        victim = world.rsyncs()[0]
        victim.send_signal(signal.SIGKILL)
    assert program.returncode == 0, log(world)
    copy = succeeded(world, attempts=2)
    assert tree(Path(copy["path"])) == tree(world.source)


def test_a_daemon_that_falls_silent(world: World, daemon: Daemons) -> None:
    # Large enough that the system's buffers do not take the rest of it.
    (world.source / "big").write_bytes(os.urandom(12_000_000))
    storage = daemon()
    job(world, {"path": storage.url("b1000"), "bwlimit": 6000}, retries=20, io_timeout=1)
    with running(world) as program:
        wait_until(temporary_file(storage))
        storage.kill(signal.SIGSTOP)
        wait_until(lambda: "attempt 1 failed: no data from 127.0.0.1 for too long" in log(world))
        storage.kill(signal.SIGCONT)
    assert program.returncode == 0, log(world)
    (copy,) = world.last("j")["copies"]
    assert copy["attempts"] > 1
    assert "(io_timeout)" in log(world)
    directory = storage.module("b1000") / copy["path"].removeprefix(storage.url("b1000/"))
    # The one that was stopped may notice late that nobody listens, and keeps what it had got.
    assert without_leftovers(directory) == tree(world.source)


def test_a_daemon_that_freezes_when_everything_was_sent(world: World, daemon: Daemons) -> None:
    """Its system still takes the signs of life of our rsync, which waits for ever."""
    # The system's buffers take the rest of it.
    (world.source / "big").write_bytes(os.urandom(1_200_000))
    storage = daemon()
    job(world, {"path": storage.url("b1000"), "bwlimit": 1000}, retries=0, io_timeout=5)
    with running(world) as program:
        wait_until(temporary_file(storage))
        storage.kill(signal.SIGSTOP)
        program.wait(60)
        storage.kill(signal.SIGCONT)
    assert program.returncode == 1
    (copy,) = world.last("j")["copies"]
    assert copy["error"] == "the copy to 127.0.0.1 stood still (io_timeout) and was ended"


def test_a_listener_that_accepts_and_is_silent(world: World) -> None:
    world.files()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        path = f"rsync://127.0.0.1:{listener.getsockname()[1]}/b1000"
        job(world, {"path": path}, retries=0, io_timeout=1, connect_timeout=1)
        failed(world, "no data from 127.0.0.1 for too long (io_timeout)", attempts=1)


def test_a_copy_that_takes_too_long(world: World, daemon: Daemons) -> None:
    (world.source / "big").write_bytes(os.urandom(4_000_000))
    job(
        world,
        {"path": daemon().url("b1000"), "bwlimit": 500},
        retries=1,
        copy_timeout=1,
    )
    failed(world, "the copy to 127.0.0.1 was ended after 1 s (copy_timeout)", attempts=2)


def test_rsync_is_not_there(world: World) -> None:
    world.files()
    job(world, world.store())
    (world.root / "nothing").mkdir()
    done = world.b1000(environment={"PATH": f"{world.root}/nothing"})
    assert done.returncode == 1
    (copy,) = world.last("j")["copies"]
    assert (copy["status"], copy["attempts"]) == ("FAILED", 1)
    assert copy["error"].endswith(f"it is not installed, or not in PATH={world.root}/nothing")


# --- what a failure does to the rest


def test_one_dead_destination_stops_no_other(world: World, daemon: Daemons) -> None:
    world.files()
    storage = daemon()
    world.write(
        {
            "dest:dead": {"type": "active", "path": f"rsync://127.0.0.1:{free_port()}/b1000"},
            "dest:alive": {"type": "active", "path": storage.url("b1000")},
            "job:j": world.push(
                dest="dead alive", type="sync", post=f"touch {world.root}/post-ran"
            ),
        }
    )
    assert world.b1000().returncode == 1
    run = world.last("j")
    assert (run["step"], run["status"]) == ("COPYING", "FAILED")
    assert [copy["status"] for copy in run["copies"]] == ["FAILED", "DONE"]
    assert run["error"].startswith("dead: connection refused by 127.0.0.1")
    assert "alive" not in run["error"]
    assert tree(storage.module("b1000") / "j" / "client") == tree(world.source)
    # It usually deletes what is still to be copied.
    assert not (world.root / "post-ran").exists()
    assert len(world.status_files()) == 1


def test_a_failure_elsewhere_leaves_no_status_file(world: World) -> None:
    world.files()
    job(world, world.store(), pre="exit 3")
    assert world.b1000().returncode == 1
    assert world.last("j")["step"] == "PRE"
    assert world.status_files() == []
    job(world, world.store(), post="exit 3")
    assert world.b1000().returncode == 1
    assert world.last("j")["step"] == "POST"
    assert world.status_files() == []


def test_a_storage_that_talks_without_end_is_not_tried_again(world: World) -> None:
    world.files()
    with hostile.listening(hostile.greeting_for_ever) as listener:
        job(world, {"path": listener.url("b1000")})
        assert world.b1000().returncode == 1
        assert listener.met == 1
    (copy,) = world.last("j")["copies"]
    assert copy["error"].startswith("127.0.0.1 says more than 1 MiB")
