"""Counts and reads the files of a backup. No link is followed, no other file system entered."""

import hashlib
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from b1000.errors import B1000Error, message_of

_CHUNK = 1 << 20
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


class Unreadable(B1000Error):
    """A file or directory of a backup cannot be read."""


class OutOfTime(B1000Error):
    """The time for reading is over."""


class Found(NamedTuple):
    """A regular file: its name below the backup, and which inode it is."""

    name: bytes
    device: int
    inode: int
    size: int
    changed: int

    @property
    def key(self) -> tuple[int, int]:
        """What all names of the same file share."""
        return self.device, self.inode


def files(top: str) -> Iterator[Found]:
    """All regular files below a directory, in the order of their names. Raises Unreadable."""
    root = os.fsencode(top)
    yield from _below(root, b"", os.lstat(root).st_dev)


def _below(root: bytes, above: bytes, device: int) -> Iterator[Found]:
    here = os.path.join(root, above) if above else root
    try:
        descriptor = os.open(here, _DIRECTORY)
        with os.scandir(descriptor) as entries:
            names = sorted(os.fsencode(entry.name) for entry in entries)
        statuses = [os.stat(name, dir_fd=descriptor, follow_symlinks=False) for name in names]
        os.close(descriptor)
    except OSError as error:
        raise Unreadable(f"{os.fsdecode(here)}: {message_of(error)}") from None
    for name, status in zip(names, statuses, strict=True):
        path = above + b"/" + name if above else name
        if stat.S_ISDIR(status.st_mode) and status.st_dev == device:
            yield from _below(root, path, device)
        elif stat.S_ISREG(status.st_mode):
            yield Found(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@contextmanager
def opened(top: str, above: Sequence[bytes]) -> Iterator[int]:
    """A directory below a backup, reached through no link. Raises OSError."""
    descriptor = os.open(top, _DIRECTORY)
    try:
        for name in above:
            outer, descriptor = descriptor, os.open(name, _DIRECTORY, dir_fd=descriptor)
            os.close(outer)
        yield descriptor
    finally:
        os.close(descriptor)


class Pace(NamedTuple):
    """How quickly is read, in bytes a second (0: no limit), and until when (monotonic clock)."""

    rate: float = 0.0
    until: float | None = None

    def after(self, count: int, began: float) -> None:
        """Wait as long as so many bytes since ``began`` ask for. Raises OutOfTime."""
        now = time.monotonic()
        if self.until is not None and now >= self.until:
            raise OutOfTime("time is over: the rest waits for the next verify")
        if self.rate and (early := count / self.rate - (now - began)) > 0:
            time.sleep(min(early, 60.0))


def digest(top: str, name: bytes, pace: Pace) -> str:
    """The SHA-256 of a file, whose pages leave the cache before and after. Raises Unreadable."""
    path = os.path.join(os.fsencode(top), name)
    summed = hashlib.sha256()
    began, count = time.monotonic(), 0
    *above, last = name.split(b"/")
    try:
        with opened(top, above) as directory:
            descriptor = os.open(last, _FILE, dir_fd=directory)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
            while block := os.read(descriptor, _CHUNK):
                summed.update(block)
                count += len(block)
                pace.after(count, began)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Unreadable(f"{os.fsdecode(path)}: {error.strerror}") from None
    return summed.hexdigest()
