"""The words of the real rsync, provoked: what :mod:`b1000.rsync.outcome` goes by."""

import contextlib
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from b1000.model import Destination, Limits, Transfer
from b1000.rsync import command, outcome, paths
from b1000.rsync.outcome import Outcome, Retry
from b1000.steps import CopyStatus
from tests.support.daemon import Daemon
from tests.support.ports import free_port

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
    argv = command.copy([f"{source}/"], destination.path, destination, (), transfer, LIMITS)
    done = rsync(argv)
    return outcome.judge(done.returncode, done.stderr.splitlines(), paths.place(destination.path))


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
        argv = command.copy([f"{source}/"], to.path, to, (), Transfer(), LIMITS)
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
    argv = command.copy([f"{source}/"], to.path, to, (), Transfer(), LIMITS)
    found = outcome.totals(rsync(argv).stdout.split("\n"))
    assert (found.files, found.bytes) == (4, 308)
    assert found.sent
    assert found.sent > 308
    # And where nothing is new, the totals still are those of the tree.
    again = outcome.totals(rsync(argv).stdout.split("\n"))
    assert (again.files, again.bytes) == (4, 308)
    assert again.sent is not None
    assert again.sent < found.sent


# --- sweeping


REAL = (".bashrc.backup", ".x.abc123", "deep/.config.backup", "deep/er/.x.ABCDEF", "file.abcdef")
LEFT = (".file.1dZ4UH", "deep/.config.tqX0a1", "deep/er/.y.000000", ".b1000-partial/file",
        "deep/.b1000-partial/big")  # fmt: skip
ELSE = (".x.toolong", ".x.ab-def", "kept", "deep/kept.abcdef", "own/.kept", ".kept/file")


def _plant(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(name)


def _names(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("options", [(), ("--iconv=UTF-8,ISO-8859-1",), ("--checksum",)])
def test_a_sweep_removes_leftovers_and_nothing_else(
    source: Path, storage: Daemon, remote: bool, options: tuple[str, ...]
) -> None:
    if remote and options and "iconv" in options[0]:
        options = ()  # It would need a charset in the module.
    _plant(source, *REAL, "file", "excluded/.z.abcdef", ".bär.backup")
    os.mkfifo(source / ".pipe.backup")
    os.symlink("file", source / ".link.backup")
    directory = storage.module("open") / "d"
    to = Destination(
        "x",
        storage.url("open") + "/d" if remote else str(directory),
        exclude=("excluded",),
        rsync_options=options,
    )
    assert rsync(command.copy([f"{source}/"], to.path, to, (), Transfer(), LIMITS)).returncode == 0
    copied = _names(directory)
    assert len(copied) == len(REAL) + 3
    _plant(directory, *LEFT, *ELSE)
    (source / "new").write_text("not copied by a sweep")
    frame = source.parent / "frame"
    frame.mkdir()
    done = rsync(command.sweep([f"{source}/"], str(frame), to.path, to, (), Transfer(), LIMITS))
    assert done.returncode == 0, done.stderr
    assert _names(directory) == copied | set(ELSE)
    assert (directory / ".pipe.backup").is_fifo()
    assert (directory / ".link.backup").is_symlink()


def test_a_sweep_deletes_nothing_where_a_source_is_gone(source: Path, tmp_path: Path) -> None:
    _plant(tmp_path / "d", ".bashrc.backup", "file")
    frame = tmp_path / "frame"
    frame.mkdir()
    to = Destination("x", f"{tmp_path}/d")
    argv = command.sweep([f"{source}/", f"{tmp_path}/gone/"], str(frame), to.path, to, (),
                         Transfer(), LIMITS)  # fmt: skip
    assert rsync(argv).returncode == 23
    assert (tmp_path / "d" / ".bashrc.backup").exists()
