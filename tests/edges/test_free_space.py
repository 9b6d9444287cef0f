"""Guards of a copy: progress and free space."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from b1000.jobs import Destination, FreeSpace
from b1000.storage.stalling import StallWatch, watched
from b1000.work.free_space import Space


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def watch(
    process: "subprocess.Popen[bytes]", seconds: int, io_timeout: int, *, remote: bool = False
) -> bool:
    """Whether the process counts as stalled at some time within so many seconds."""
    clock = Clock()
    progress = StallWatch(io_timeout, clock, remote=remote)
    for clock.now in range(seconds):
        time.sleep(0.01)
        if progress.stalled(process.pid):
            return True
    return False


def test_a_process_that_does_nothing_is_stalled() -> None:
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        assert watch(sleeper, 30, io_timeout=10)
        assert not watch(sleeper, 10, io_timeout=10)
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_process_whose_child_works_is_not() -> None:
    parent = subprocess.Popen(["sh", "-c", "dd if=/dev/zero of=/dev/null bs=1k & wait"])
    try:
        assert not watch(parent, 60, io_timeout=5)
    finally:
        for child in psutil.Process(parent.pid).children():
            child.kill()
        parent.wait()


_CHAT = """
import os, time
here, there = os.pipe()
while True:
    os.write(there, b"word")
    READ
    time.sleep(0.01)
"""


@pytest.mark.parametrize(
    ("reads", "remote", "stalled"),
    [
        ("pass", True, True),  # Its own signs of life are none of its peer's.
        ("os.read(here, 1)", True, False),
        ("os.read(here, 1)", False, True),  # Processes of this host have words, too.
    ],
)
def test_a_few_words_are_no_work(reads: str, remote: bool, stalled: bool) -> None:
    argv = [sys.executable, "-IS", "-c", _CHAT.replace("READ", reads)]
    with subprocess.Popen(argv) as chatting:
        try:
            assert watch(chatting, 60, io_timeout=10, remote=remote) == stalled
        finally:
            chatting.kill()


def test_a_peer_may_compare_a_large_file_for_longer() -> None:
    for words, patient in ([], False), (["--checksum"], True), (["-vc"], True):
        sleeper = subprocess.Popen(["sleep", "60"])
        sleeper.send_signal(signal.SIGSTOP)
        os.waitpid(sleeper.pid, os.WUNTRACED)
        clock = Clock()
        progress = watched(["rsync", *words, "--", "/x", "rsync://host/module/"], 10)
        assert progress
        progress._clock, progress._looked, progress._moved = clock, 0.0, 0.0
        late = []
        for clock.now in range(6, 200, 6):
            if progress.stalled(sleeper.pid):
                late.append(clock.now)
        sleeper.kill()
        sleeper.wait()
        assert (min(late) > 120) == patient
    assert watched(["rsync", "--", "/x", "/y/"], 0) is None


def test_free_space_is_seen_before_the_directory_is_made(tmp_path: Path) -> None:
    path = str(tmp_path / "not" / "there")
    assert Space(Destination("d", path, min_free=FreeSpace(1))).short() is None
    told = Space(Destination("d", path, min_free=FreeSpace(99.99, percent=True))).short()
    assert told is not None
    assert path in told
    assert not os.path.exists(path)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=400k", "b1000-test", str(disk)]
    if os.getuid() or subprocess.run(argv, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_amounts_on_a_small_disk_are_told_in_units_that_fit(tiny_disk: Path) -> None:
    def short(least: FreeSpace) -> str:
        return Space(Destination("d", str(tiny_disk), min_free=least)).short() or ""

    (tiny_disk / "some").write_bytes(b"x" * 300 * 1024)
    assert f"only 100 KiB are free at {tiny_disk}, less than the 200 KiB of" in short(
        FreeSpace(50, percent=True)
    )
    free = 100 * 1024
    assert f"only {free} B are free at {tiny_disk}, less than the {free + 1} B of" in short(
        FreeSpace(free + 1)
    )
