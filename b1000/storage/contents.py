"""Files in backups: where a path or pattern lies, with equal versions folded. Local ones are
walked, and no link is followed; those at a daemon are listed by it."""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import translate
from re import compile as pattern_of

from b1000.files import walked
from b1000.named import NamedTuple
from b1000.rsync import surveys
from b1000.rsync.names import ListedFile
from b1000.storage.question import StoredRow

_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
_LISTED = {b"-": "file", b"d": "directory", b"l": "link"}
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_GLOB = frozenset("*?[")


class FoundFile(NamedTuple):
    """Something in a backup: ``path`` below its directory, seconds since the epoch."""

    path: str
    kind: str
    size: int
    time: float


class Version(NamedTuple):
    """The same file in one or several backups of a group, oldest first."""

    path: str
    kind: str
    size: int
    time: float
    rows: tuple[StoredRow, ...]


class Pattern:
    """What ``--files`` names: a path below a backup, or a glob for one.

    Without a slash it is a name at any depth. A slash at its beginning means nothing.
    """

    def __init__(self, text: str) -> None:
        self._text = text.strip("/") or "*"
        self._fits = pattern_of(translate(self._text)).match
        self._whole = "/" in self._text
        self.plain = self._whole and not _GLOB & {*self._text}
        """Whether it is one path that need not be searched for."""

    @property
    def rules(self) -> tuple[str, ...]:
        """Rules of rsync that let in what is meant, and perhaps more."""
        return surveys.inside(self._text, whole=self._whole, plain=self.plain)

    @property
    def path(self) -> str:
        """That path."""
        return self._text

    def fits(self, path: str) -> bool:
        """Whether something is meant."""
        return bool(self._fits(path if self._whole else path.rpartition("/")[2]))


class Search:
    """What a pattern means in backups at daemons, found while these are listed."""

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self._found: dict[str, list[FoundFile]] = {}

    def take(self, backup: str, path: str, listed: ListedFile) -> None:
        """Something is listed there, below the whole address of a backup."""
        if self.pattern.fits(path):
            kind = _LISTED.get(listed.kind, "other")
            size = 0 if kind == "directory" else listed.size
            found = FoundFile(path, kind, size, listed.time)
            self._found.setdefault(backup, []).append(found)

    def found(self, backup: str) -> Sequence[FoundFile]:
        """What was found in one."""
        return self._found.get(backup, ())


def in_tree(directory: str, pattern: Pattern) -> Iterator[FoundFile]:
    """What a pattern means below a local directory. What may not be read is skipped."""
    try:
        top = os.open(directory, _DIRECTORY)
    except OSError:
        return
    try:
        yield from _one(top, pattern.path) if pattern.plain else _walk(top, pattern)
    finally:
        os.close(top)


def _one(top: int, path: str) -> Iterator[FoundFile]:
    """One path, each part of which is a directory and no link."""
    *above, name = path.split("/")
    opened: list[int] = []
    try:
        for part in above:
            if part in ("", ".", ".."):
                return
            opened.append(os.open(part, _DIRECTORY, dir_fd=opened[-1] if opened else top))
        status = os.lstat(name, dir_fd=opened[-1] if opened else top)
        yield _found(path, status)
    except OSError:
        return
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _walk(top: int, pattern: Pattern) -> Iterator[FoundFile]:
    for above, entry in walked(top, lambda _: None):
        path = f"{above}{entry.name}"
        if pattern.fits(path):
            with contextlib.suppress(OSError):
                yield _found(path, entry.stat(follow_symlinks=False))


def _found(path: str, status: os.stat_result) -> FoundFile:
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "other")
    size = 0 if kind == "directory" else status.st_size
    return FoundFile(path, kind, size, status.st_mtime)


def folded(found: Iterable[tuple[StoredRow, Iterable[FoundFile]]]) -> Sequence[Version]:
    """The versions of each path in each group, where equal ones that follow each other are one.

    The backups of a group come oldest first.
    """
    versions: dict[tuple[object, str], list[Version]] = {}
    for row, files in found:
        for file in files:
            known = versions.setdefault((row.key, file.path), [])
            last = known[-1] if known else None
            if last and (last.kind, last.size, int(last.time)) == (
                file.kind,
                file.size,
                int(file.time),
            ):
                known[-1] = last._replace(rows=(*last.rows, row))
            else:
                known.append(Version(*file, (row,)))
    return [each for _, found in sorted(versions.items(), key=_order) for each in found]


def _order(item: tuple[tuple[object, str], list[Version]]) -> tuple[str, str]:
    (_, path), versions = item
    row = versions[0].rows[0]
    return path, f"{row.key}"
