"""What a reading has found, file by file, in a file of this host that no client can write to.

It lets a reading go on where it was, whatever ended it. Of sync trees, and of storages that another
host keeps, it stays until the next reading, which compares with it.
"""

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from b1000.errors import B1000Error
from b1000.expressions import expression
from b1000.files import make_directory, open_file
from b1000.named import NamedTuple
from b1000.verify.reading import Found

_HEADER = expression(rb"b1000 reading 1 ([0-9]{1,12})\n")
_LINE = expression(rb"([0-9a-f]{32,64}) ([0-9]+) (-?[0-9]+) (\S+)\n")
_LARGEST = 2**32
_AT_ONCE = 64  # lines that are written together
_BYTES_AT_ONCE = 1 << 24  # or as soon as so much has been read since
_REPEATED_AT_ONCE = 4096  # lines of what this verify has read elsewhere: they cost no reading
_STALE = 1000 * 86400  # seconds after which nothing needs it any more


class File(NamedTuple):
    """A file as it was when it was read: ``key`` is what it is known by, without a blank."""

    size: int
    changed: int
    key: bytes


class Notes:
    """The notes of readings, in a directory beside the journal."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        make_directory(directory, 0o700)

    def of(self, root: str, place: str) -> "Noted":
        """Those of one backup."""
        whole = f"{root}\0{place}".encode("utf-8", "surrogateescape")
        return Noted(self._directory / hashlib.sha256(whole).hexdigest()[:32])

    def remove_stale(self) -> None:
        """Remove those of backups that have not been read for long: most of them are gone."""
        before = time.time() - _STALE
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if entry.stat(follow_symlinks=False).st_mtime < before:
                    os.unlink(entry)


class Noted:
    """The notes of one backup: of the reading that is under way, and of the last one before.

    ``began`` is when the one that is under way began.
    """

    def __init__(self, path: Path) -> None:
        self._last = path
        self._path = path.with_name(f"{path.name}.begun")
        self._lines: list[bytes] = []
        self._repeated: list[tuple[Found, str]] = []
        self._bytes = 0
        self._is_new = False
        self.began = time.time()
        self.known: dict[File, str] = {}

    def resume(self, oldest: float) -> None:
        """Go on with a reading that began after ``oldest``; with none a new one begins.

        That has a file once something is written: many backups have nothing that must be noted.
        """
        began, known = _content(self._path)
        if began is not None and oldest <= began <= self.began:
            self.began, self.known = began, known
        else:
            self._is_new = True

    def last(self) -> dict[File, str]:
        """The sums of the last reading that came to its end."""
        return _content(self._last)[1]

    def add(self, file: File, digest: str) -> None:
        """Note a sum, by and by durable."""
        self._lines.append(b"%s %d %d %s\n" % (digest.encode(), *file))
        self._bytes += file.size
        if len(self._lines) >= _AT_ONCE or self._bytes >= _BYTES_AT_ONCE:
            self.write()

    def repeat(self, some: Iterable[tuple[Found, str]]) -> None:
        """Note sums of inodes that were read in another backup, with the next that are read."""
        self._repeated += some
        if len(self._repeated) >= _REPEATED_AT_ONCE:
            self.write()

    def write(self) -> None:
        """Write what is not written yet."""
        if self._lines or self._repeated:
            repeated = [
                f"{digest} {each.size} {each.changed} {each.inode}\n"
                for each, digest in self._repeated
            ]
            self._append(b"".join(self._lines) + "".join(repeated).encode())
        self._lines, self._repeated, self._bytes = [], [], 0

    def _append(self, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND
        if self._is_new:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            data = b"b1000 reading 1 %d\n" % int(self.began) + data
        try:
            with os.fdopen(open_file(self._path, flags, follow=False), "ab") as file:
                file.write(data)
        except OSError as error:
            told = error.strerror or error
            raise B1000Error(f"{self._path} could not be written: {told}") from None
        self._is_new = False

    def keep(self) -> None:
        """The reading has come to its end, and the next one compares with it."""
        self.write()
        if self._is_new:
            self._append(b"")
        os.rename(self._path, self._last)

    def forget(self) -> None:
        """The reading has come to its end, and nothing needs its notes any more."""
        self._lines, self._repeated = [], []
        self._path.unlink(missing_ok=True)


def _content(path: Path) -> tuple[float | None, dict[File, str]]:
    """When a reading began and what it noted; of a damaged line nothing."""
    try:
        with os.fdopen(open_file(path, os.O_RDONLY, follow=False), "rb") as file:
            header = _HEADER.fullmatch(file.readline(100))
            lines = dict(_noted(file)) if header else {}
    except OSError:
        return None, {}
    return (float(header[1]), lines) if header else (None, {})


def _noted(lines: "Iterator[bytes]") -> Iterator[tuple[File, str]]:
    for line in lines:
        parts = _LINE.fullmatch(line)
        if parts:
            yield File(int(parts[2]), int(parts[3]), parts[4]), parts[1].decode()
