"""Until its module answers, a daemon has so much time and so many words."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from b1000.errors import StorageAway
from b1000.storage import greeting, session
from b1000.storage.greeting import GreetingWatch
from b1000.storage.session import Session
from tests.support import hostile
from tests.support.daemon import Daemon
from tests.support.world import wait_until


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def started(argv: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def welcoming(connection: socket.socket) -> None:
    """Send a line now and then, for ever."""
    connection.sendall(hostile.GREETING)
    while True:
        connection.sendall(b"welcome\n")
        time.sleep(0.1)


@pytest.mark.parametrize("behaviour", [hostile.dripping, welcoming])
def test_a_daemon_that_says_a_word_now_and_then_is_slow(behaviour: hostile.Behaviour) -> None:
    clock = Clock()
    watch = GreetingWatch(20, 300, clock, helped=False)
    with (
        hostile.listening(behaviour) as listener,
        started(["rsync", "--no-motd", "--timeout=300", listener.url("m")]) as process,
    ):
        wait_until(lambda: greeting._said(process.pid).writes == 2)
        clock.now = 324
        assert watch.trouble(process.pid) == ""
        clock.now = 326
        assert watch.trouble(process.pid) == greeting.SLOW
        without = GreetingWatch(20, 0, clock, helped=False)
        assert without.trouble(process.pid) == ""


def half_a_greeting(connection: socket.socket) -> None:
    connection.sendall(hostile.GREETING[:9])
    connection.recv(65536)
    connection.recv(65536)


def test_a_greeting_that_does_not_end_is_late() -> None:
    clock = Clock()
    watch = GreetingWatch(20, 300, clock, helped=False)
    with (
        hostile.listening(half_a_greeting) as listener,
        started(["rsync", "--no-motd", listener.url("m")]) as process,
    ):
        wait_until(lambda: greeting._said(process.pid).writes == 1)
        clock.now = 324
        assert watch.trouble(process.pid) == ""
        clock.now = 326
        assert watch.trouble(process.pid) == greeting.LATE


def test_words_without_end_are_too_many(tmp_path: Path) -> None:
    with hostile.listening(hostile.greeting_for_ever) as listener:
        argv = ["rsync", "--no-motd", "--", listener.url("m"), f"{tmp_path}/"]
        with pytest.raises(StorageAway, match=r"^s3 says more than 1 MiB"):
            session.run(Session(argv, "s3", 60, 0), lambda _: None)


def test_a_copy_that_was_let_in_is_none_of_its_business(
    tmp_path: Path, daemon: Callable[..., Daemon]
) -> None:
    secrets, password, large = (tmp_path / name for name in ("secrets", "password", "large"))
    secrets.write_text("client:right\n")
    password.write_text("right\n")
    for each in (secrets, password):
        each.chmod(0o600)
    large.write_bytes(b"x" * 2**22)
    storage = daemon({"b1000": f"auth users = client\nsecrets file = {secrets}"})
    clock = Clock()
    watch = GreetingWatch(20, 300, clock, helped=True)
    to = storage.url("b1000").replace("//", "//client@")
    argv = ["rsync", "--bwlimit=100", f"--password-file={password}", "--", str(large), f"{to}/"]
    with started(argv) as process:
        wait_until(lambda: greeting._said(process.pid).writes > 3)
        clock.now = 10_000
        assert watch.trouble(process.pid) == ""
        assert process.poll() is None


def test_only_an_rsync_that_reaches_a_daemon_is_watched() -> None:
    assert greeting.watched(["rsync", "--timeout=3", "--", "/a", "/b/"], 20) is None
    watch = greeting.watched(["rsync", "--timeout=3", "--", "/a", "rsync://h/m/"], 20)
    assert watch
    assert watch._let_in - time.monotonic() == pytest.approx(28, abs=1)
