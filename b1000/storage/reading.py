"""Counts and reads the files of a backup. No link is followed, no other file system entered."""

import hashlib
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from b1000.errors import B1000Error
from b1000.files import read_file
from b1000.storage import layout, sums
from b1000.storage.sums import Seal

_CHUNK = 1 << 20
_LARGEST_LIST = 2**31
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


class Tree(NamedTuple):
    """A backup: ``place`` below ``root``. Only the root itself may be reached through links."""

    root: str
    place: str

    @property
    def path(self) -> str:
        """Its whole directory."""
        return f"{self.root.rstrip('/')}/{self.place}"

    def shown(self, name: bytes) -> str:
        """The whole path of something in it."""
        return os.path.join(self.path, os.fsdecode(name))

    @contextmanager
    def opened(self, *below: bytes) -> Iterator[int]:
        """It, or a directory below it. Raises OSError."""
        with _opened(self.root, (*os.fsencode(self.place).split(b"/"), *below)) as descriptor:
            yield descriptor

    @contextmanager
    def beside(self, ending: str) -> Iterator[Path]:
        """A file beside it, in a directory that stays the one it is. Raises OSError."""
        *above, name = self.place.split("/")
        with _opened(self.root, [os.fsencode(each) for each in above]) as descriptor:
            yield Path(f"/proc/self/fd/{descriptor}/{name}{ending}")


@contextmanager
def _opened(root: str, below: Sequence[bytes]) -> Iterator[int]:
    descriptor = os.open(root, _DIRECTORY & ~os.O_NOFOLLOW)
    try:
        for name in below:
            outer, descriptor = descriptor, os.open(name, _DIRECTORY, dir_fd=descriptor)
            os.close(outer)
        yield descriptor
    finally:
        os.close(descriptor)


def files(tree: Tree) -> Iterator[Found]:
    """All regular files of a backup, those of a directory in the order of their names.

    Each directory is reached from the root, so that no swap leads elsewhere. Raises Unreadable.
    """
    waiting: list[bytes] = [b""]
    device = None
    while waiting:
        above = waiting.pop()
        try:
            with tree.opened(*filter(None, above.split(b"/"))) as directory:
                device = device or os.fstat(directory).st_dev
                names = sorted(map(os.fsencode, os.listdir(directory)))
                statuses = [
                    (name, os.stat(name, dir_fd=directory, follow_symlinks=False)) for name in names
                ]
        except OSError as error:
            raise Unreadable(f"{tree.shown(above)}: {error.strerror}") from None
        for name, status in statuses:
            path = above + b"/" + name if above else name
            if stat.S_ISREG(status.st_mode):
                yield Found(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        waiting += [
            above + b"/" + name if above else name
            for name, status in reversed(statuses)
            if stat.S_ISDIR(status.st_mode) and status.st_dev == device
        ]


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


def digest(tree: Tree, name: bytes, pace: Pace) -> str:
    """The SHA-256 of a file, whose pages leave the cache before and after. Raises Unreadable."""
    summed = hashlib.sha256()
    began, count = time.monotonic(), 0
    *above, last = name.split(b"/")
    try:
        with tree.opened(*above) as directory:
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
        raise Unreadable(f"{tree.shown(name)}: {error.strerror}") from None
    return summed.hexdigest()


def listed(tree: Tree, seal: Seal) -> dict[bytes, str]:
    """The list of sums that a reading wrote. Raises ValueError where it is not there."""
    try:
        with tree.beside(layout.SUMS) as path:
            data = read_file(path, _LARGEST_LIST, follow=False)
    except OSError as error:
        raise ValueError(f"is gone ({error.strerror})") from None
    if sums.hash_of(data) != seal.file:
        raise ValueError("was changed by somebody")
    return sums.unpacked(data)
