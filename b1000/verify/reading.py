"""Counts and reads the files of a backup. No link is followed, no other file system entered."""

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator

from b1000.errors import B1000Error
from b1000.named import NamedTuple
from b1000.verify.tree import Tree

_BUFFER = memoryview(bytearray(1 << 18))
_AT_ONCE = 1000
_Name = tuple[bytes, int]  # and which inode the directory says it is
_Status = tuple[bytes, os.stat_result]
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


class OutOfTime(B1000Error):
    """The time for reading is over."""

    def __init__(self) -> None:
        super().__init__("time is over: the rest waits for the next verify")


class Found(NamedTuple):
    """A regular file: its name below the backup, which inode it is, and how many names that has.

    ``changed`` is its mtime in nanoseconds.
    """

    name: bytes
    device: int
    inode: int
    size: int
    changed: int
    links: int = 1

    @property
    def key(self) -> tuple[int, int]:
        """What all names of the same file share."""
        return self.device, self.inode


class Known:
    """Files with several names that one verify has read.

    ``files`` has by device and inode their sizes, times, numbers of names, and sums. A directory
    says which inode a name is, so that none of them has to be looked at by each of its names.
    Some file systems say another one there than the file itself does (FUSE, overlayfs): on
    ``differing`` devices each name is looked at.
    """

    def __init__(self) -> None:
        self.files: dict[tuple[int, int], tuple[int, int, int, str]] = {}
        self.differing: set[int] = set()

    def add(self, found: Found, digest: str) -> None:
        """A file was read."""
        self.files[found.key] = (found.size, found.changed, found.links, digest)

    def split(
        self, prefix: bytes, device: int, names: list[_Name]
    ) -> tuple[list[Found], list[_Name]]:
        """Those of some names whose files are known, and the others."""
        files = self.files
        if not files or device in self.differing:
            return [], names
        made = tuple.__new__
        known = [
            made(Found, (prefix + name, device, inode, *files[device, inode][:3]))
            for name, inode in names
            if (device, inode) in files
        ]
        return known, [each for each in names if (device, each[1]) not in files] if known else names


class Missed(NamedTuple):
    """A file or directory that could not be read: its name below the backup, and why."""

    name: bytes
    error: int

    @property
    def why(self) -> str:
        """In words; ``EXDEV`` is another file system."""
        if self.error == errno.EXDEV:
            return "another file system is mounted there"
        return os.strerror(self.error)


def files(tree: Tree, pace: "Pace", missed: list[Missed]) -> Iterator[Found]:
    """All regular files of a backup, those of a directory in the order of their names.

    What cannot be looked at is added to ``missed``. Each directory is reached from the root, so
    that no swap leads elsewhere. Raises OutOfTime.
    """
    for some in some_files(tree, pace, missed, Known()):
        yield from some


def some_files(
    tree: Tree, pace: "Pace", missed: list[Missed], known: Known
) -> Iterator[list[Found]]:
    """The same, some of a directory at a time; those that are ``known`` come before others."""
    waiting: list[bytes] = [b""]
    device = 0
    while waiting:
        pace.check()
        above = waiting.pop()
        prefix = above + b"/" if above else b""
        deeper: list[tuple[bytes, int]] = []
        try:
            with tree.opened(*filter(None, above.split(b"/"))) as directory:
                device = device or os.fstat(directory).st_dev
                for names in _names(directory):
                    found, others = known.split(prefix, device, names)
                    yield found
                    some = _statuses(directory, others, known.differing)
                    found = _regular(prefix, some)
                    if len(found) < len(some):
                        deeper += _directories(prefix, some)
                    yield found
        except OSError as error:
            missed.append(Missed(above, error.errno or errno.EIO))
            continue
        missed += (Missed(path, errno.EXDEV) for path, there in deeper if there != device)
        waiting += (path for path, there in reversed(deeper) if there == device)


def _names(directory: int) -> Iterator[list[_Name]]:
    """What is in a directory, some of it at a time."""
    with os.scandir(b"/proc/self/fd/%d" % directory) as entries:
        names = sorted((entry.name, entry.inode()) for entry in entries)
    return (names[first : first + _AT_ONCE] for first in range(0, len(names), _AT_ONCE))


def _statuses(directory: int, names: Iterable[_Name], differing: set[int]) -> list[_Status]:
    """What the names are, but those that go meanwhile.

    Calls of the system in a row take less time than those between which something else is done.
    """
    lstat, found = os.lstat, []
    for name, inode in names:
        try:
            status = lstat(name, dir_fd=directory)
        except FileNotFoundError:
            continue
        found.append((name, status))
        if status.st_ino != inode:  # as it is where something is mounted, too
            differing.add(status.st_dev)
    return found


def _regular(prefix: bytes, some: Iterable[_Status]) -> list[Found]:
    made = tuple.__new__  # takes half of the time that Found() does
    return [
        made(Found, (prefix + name, s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_nlink))
        for name, s in some
        if stat.S_ISREG(s.st_mode)
    ]


def _directories(prefix: bytes, some: Iterable[_Status]) -> Iterator[tuple[bytes, int]]:
    """Their names, and on which device they are."""
    return ((prefix + name, s.st_dev) for name, s in some if stat.S_ISDIR(s.st_mode))


class Pace(NamedTuple):
    """How quickly is read, in bytes a second (0: no limit), and until when (monotonic clock).

    ``parent`` is the process for which that is done, 0 for none other: where that has gone, this
    one ends.
    """

    rate: float = 0.0
    until: float | None = None
    parent: int = 0

    def check(self) -> None:
        """Raises OutOfTime once time is over."""
        if self.until is not None and time.monotonic() >= self.until:
            raise OutOfTime
        if self.parent and os.getppid() != self.parent:
            os._exit(1)

    def after(self, count: int, began: float) -> None:
        """Wait as long as so many bytes since ``began`` ask for. Raises OutOfTime."""
        self.check()
        while self.rate and (early := count / self.rate - (time.monotonic() - began)) > 0:
            time.sleep(min(early, 1.0))
            self.check()


class Read(NamedTuple):
    """What became of reading a file: its SHA-256, and its size and time when it had been read.

    ``error`` is the number of the system's error, 0 for none; the sum is "" then.
    """

    digest: str
    size: int = 0
    changed: int = 0
    error: int = 0


def read(directory: int, name: bytes, pace: Pace) -> Read:
    """Read a file whose pages leave the cache before and after. Raises OutOfTime."""
    try:
        descriptor = os.open(name, _FILE, dir_fd=directory)
        try:
            return _read(descriptor, pace)
        finally:
            os.close(descriptor)
    except OSError as error:
        return Read("", error=error.errno or errno.EIO)


def _read(descriptor: int, pace: Pace) -> Read:
    summed = hashlib.sha256()
    began, count = time.monotonic(), 0
    pace.check()
    # Bytes of the cache say nothing of the disk, and ours are not to take the place of others'.
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    while length := os.readv(descriptor, [_BUFFER]):
        summed.update(_BUFFER[:length])
        count += length
        pace.after(count, began)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    status = os.fstat(descriptor)
    return Read(summed.hexdigest(), status.st_size, status.st_mtime_ns)


def again(tree: Tree, name: bytes, pace: Pace) -> Read:
    """Read one file of a backup by its name. Raises OutOfTime."""
    *above, last = name.split(b"/")
    try:
        with tree.opened(*above) as directory:
            return read(directory, last, pace)
    except OSError as error:
        return Read("", error=error.errno or errno.EIO)
