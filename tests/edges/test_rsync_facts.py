"""The words of the real rsync, provoked: what :mod:`b1000.rsync.outcome` goes by."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from b1000.jobs import PLAIN, Destination, Limits, Transfer
from b1000.rsync import command, fetching, outcome, paths, surveys, totals
from b1000.rsync.outcome import Outcome
from b1000.rsync.source import Source
from b1000.rsync.verdicts import Retry
from b1000.runs.states import CopyStatus
from b1000.storage.remote import Reach
from tests.support.daemon import Daemon
from tests.support.ports import free_port
from tests.support.world import wait_until

LIMITS = Limits(io_timeout=2, connect_timeout=1)


def rsync(argv: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
        env={**os.environ, "LC_ALL": "C"}, check=False,
    )  # fmt: skip


def copy(
    source: Path,
    destination: Destination,
    transfer: Transfer = Transfer(),  # noqa: B008
) -> Outcome:
    """The verdict on one real attempt."""
    argv = command.copy(Source([f"{source}/"], (), transfer), destination.path, destination, LIMITS)
    done = rsync(argv)
    return outcome.judge(
        done.returncode, done.stderr.splitlines(), paths.host_or_path(destination.path)
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    made = tmp_path / "source"
    made.mkdir()
    (made / "file").write_text("content\n")
    return made


@pytest.fixture
def storage(tmp_path: Path, daemon: Callable[..., Daemon]) -> Daemon:
    secrets = tmp_path / "secrets"
    secrets.write_text("client:right\n")
    secrets.chmod(0o600)
    return daemon(
        {
            "open": "",
            "closed": "read only = yes",
            "secret": f"auth users = client\nsecrets file = {secrets}",
            "denied": "hosts allow = 192.0.2.1",
            "fussy": "refuse options = delete compress",
            "gone": f"path = {tmp_path}/gone",
            "script": "pre-xfer exec = /bin/false",
        }
    )


@pytest.mark.parametrize(
    ("module", "code", "words"),
    [
        ("unknown", 5, "127.0.0.1 has no module 'unknown'"),
        ("closed", 1, "the module at 127.0.0.1 is read only"),
        ("secret", 5, "127.0.0.1 refuses user or password for module 'secret'"),
        ("denied", 5, "127.0.0.1 denies this host access to module 'denied'"),
        ("gone", 5, "the module's directory at 127.0.0.1 is missing or closed"),
        ("script", 4, "the pre-xfer script at 127.0.0.1 failed"),
    ],
)
def test_what_a_daemon_refuses_for_good(
    storage: Daemon, source: Path, module: str, code: int, words: str
) -> None:
    judged = copy(source, Destination("x", storage.url(module)))
    assert (judged.exit_code, judged.retry) == (code, Retry.NEVER), judged
    assert judged.reason.startswith(words)
    assert not judged.leftovers


def test_refused_options(storage: Daemon, source: Path) -> None:
    to = Destination("x", storage.url("fussy"))
    judged = copy(source, to, Transfer(delete=True))
    assert (judged.exit_code, judged.retry) == (4, Retry.NEVER)
    assert judged.reason.startswith("127.0.0.1 refuses the option --delete")
    assert copy(source, to).status is CopyStatus.DONE
    judged = copy(source, to._replace(rsync_options=("--no-such-option",)))
    assert (judged.exit_code, judged.retry) == (1, Retry.NEVER)
    assert judged.reason.startswith("rsync does not know the option --no-such-option")


@pytest.mark.parametrize(
    ("mode", "words"),
    [(0o644, "the password file must not be other-accessible"), (None, "the password file /")],
)
def test_unusable_password_files(
    storage: Daemon, source: Path, tmp_path: Path, mode: int | None, words: str
) -> None:
    password = tmp_path / "password"
    if mode is not None:
        password.write_text("right")
        password.chmod(mode)
    address = storage.url("secret").replace("rsync://", "rsync://client@")
    judged = copy(source, Destination("x", address, password_file=str(password)))
    assert (judged.exit_code, judged.retry) == (1, Retry.NEVER)
    assert judged.reason.startswith(words)


def test_the_right_password(storage: Daemon, source: Path, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("right\n")
    password.chmod(0o600)
    address = storage.url("secret").replace("rsync://", "rsync://client@")
    judged = copy(source, Destination("x", address, password_file=str(password)))
    assert judged.status is CopyStatus.DONE
    assert (storage.module("secret") / "file").exists()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("rsync://127.0.0.1:{port}/m", "connection refused by 127.0.0.1"),
        ("rsync://u@[::1]:{port}/m", "connection refused by ::1|::1 cannot be reached"),
        ("rsync://no-such-host.invalid/m", "the host name no-such-host.invalid cannot be resolved"),
    ],
)
def test_nobody_there(source: Path, address: str, words: str) -> None:
    judged = copy(source, Destination("x", address.format(port=free_port())))
    assert (judged.exit_code, judged.retry, judged.leftovers) == (10, Retry.YES, False)
    assert judged.reason.startswith(tuple(words.split("|")))


def test_a_listener_whose_queue_is_full(source: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        judged = copy(source, Destination("x", f"rsync://127.0.0.1:{port}/m"))
        for each in waiting:
            each.close()
    assert (judged.exit_code, judged.retry, judged.leftovers) == (35, Retry.YES, False)
    assert judged.reason.startswith("127.0.0.1 did not answer in time (connect_timeout)")


@pytest.mark.parametrize(
    ("answer", "retry", "words"),
    [
        (b"HTTP/1.0 400 Bad Request\r\n\r\n", Retry.NEVER, "what answers at 127.0.0.1 is no rsync"),
        (b"", Retry.YES, "127.0.0.1 closed the connection at once"),
    ],
)
def test_something_else_answers(source: Path, answer: bytes, retry: Retry, words: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        to = Destination("x", f"rsync://127.0.0.1:{listener.getsockname()[1]}/m")
        argv = command.copy(Source([f"{source}/"]), to.path, to, LIMITS)
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        connection, _ = listener.accept()
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        # With its greeting unread the kernel would break the connection instead of closing it.
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(1024):
                pass
        connection.close()
        _, errors = process.communicate(timeout=20)
    judged = outcome.judge(process.returncode, errors.splitlines(), "127.0.0.1")
    assert (judged.exit_code, judged.retry) == (5, retry)
    assert judged.reason.startswith(words)


def test_a_file_where_the_directory_should_be(source: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    judged = copy(source, Destination("x", f"{tmp_path}/taken"))
    assert judged.status is CopyStatus.FAILED
    assert judged.retry is Retry.NEVER
    assert judged.reason.startswith(f"a file is in the way of a directory at {tmp_path}/taken")
    assert (tmp_path / "taken").read_text() == "a file"


def test_the_deletions_that_max_delete_stops(source: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "d" / name).mkdir(parents=True)
    to = Destination("x", f"{tmp_path}/d", rsync_options=("--max-delete=1",))
    judged = copy(source, to, Transfer(delete=True))
    assert (judged.exit_code, judged.retry) == (25, Retry.NEVER)


def test_totals_are_those_of_the_tree(source: Path, tmp_path: Path) -> None:
    """Also where a file is named like a line of them, and every name is printed."""
    for name in ("Number of files: 7 (reg: 7)", "Total bytes sent: 5", "Total file size: 9 bytes"):
        (source / name).write_text("x" * 100)
    to = Destination("x", f"{tmp_path}/d", verbosity=2)
    argv = command.copy(Source([f"{source}/"]), to.path, to, LIMITS)
    found = totals.totals(rsync(argv).stdout.split("\n"))
    assert (found.files, found.bytes) == (4, 308)
    assert found.sent
    assert found.sent > 308
    # And where nothing is new, the totals still are those of the tree.
    again = totals.totals(rsync(argv).stdout.split("\n"))
    assert (again.files, again.bytes) == (4, 308)
    assert again.sent is not None
    assert again.sent < found.sent


# --- signals


def _interrupted(source: Path, storage: Daemon, number: signal.Signals, trial: int) -> set[str]:
    """The names of files of the right size and time that hold wrong bytes after a signal."""
    made = storage.module("open") / f"{number.name}-{trial}"
    to = f"{storage.url('open')}/{made.name}/"
    with subprocess.Popen(["rsync", "-a", "--bwlimit=2000", f"{source}/", to]) as process:
        wait_until(lambda: made.is_dir() or process.poll() is not None)
        time.sleep(0.1 + trial % 5 * 0.05)
        process.send_signal(number)
    wrong = set()
    for path in made.glob("file*"):
        right = source / path.name
        alike = (path.stat().st_size, int(path.stat().st_mtime)) == (
            right.stat().st_size, int(right.stat().st_mtime))  # fmt: skip
        if alike and path.read_bytes() != right.read_bytes():
            wrong.add(path.name)
    return wrong


@pytest.mark.slow
def test_a_sender_that_handles_a_signal_writes_wrong_files(source: Path, storage: Daemon) -> None:
    """Why B1000 ends rsync by SIGKILL alone: docs/decisions/11."""
    for number in range(30):
        (source / f"file{number}").write_bytes(os.urandom(20_000))
    wrong = [_interrupted(source, storage, signal.SIGTERM, trial) for trial in range(10)]
    print(f"SIGTERM: {sum(map(bool, wrong))} of 10 trials left wrong files")
    assert any(wrong), "this rsync does it no longer: see docs/decisions/11 for what hangs on it"
    killed = [_interrupted(source, storage, signal.SIGKILL, trial) for trial in range(10)]
    assert not any(killed)


def test_the_totals_are_said_when_all_else_was(
    daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    """So that nobody has to wait for the end of one that says them, and has not complained."""
    there = daemon({"b": "uid = nobody\ngid = nogroup\n", "refusing": "refuse options = *stats\n"})
    root = there.module("b")
    root.chmod(0o755)
    for number in range(200):
        (root / f"{number:03}").mkdir(mode=0o755)
        (root / f"{number:03}" / "file").write_text("text")
    (root / "100").chmod(0)
    reach = Reach(there.url("b"), None, Limits())
    listed = reach.session(surveys.backups(f"{there.url('b')}/", None, Limits())).argv
    fetched = reach.session(
        fetching.fetch_all(
            [f"{there.url('b')}/*/file"],
            str(tmp_path),
            largest=9,
            password_file=None,
            limits=Limits(),
            way=PLAIN,
        )
    ).argv
    for argv in (listed, fetched):
        done = subprocess.run(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False
        )
        assert done.returncode == 23
        before, found, after = done.stdout.partition(b"\n" + surveys.LAST)
        assert found
        assert b"Permission denied" in before
        # 3.2.7 may tell besides that the other end has gone.
        assert after.splitlines()[1].startswith(b"rsync error: ")
        assert after.count(b"rsync: ") == after.count(b"Connection reset by peer")
    refused = reach.session(surveys.backups(f"{there.url('refusing')}/", None, Limits())).argv
    assert rsync([*refused]).returncode == 0
