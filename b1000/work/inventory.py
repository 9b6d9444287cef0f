"""Asking rsync which names are in what a copy copies."""

import contextlib
import glob
import os
import resource
import stat
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from b1000.config import sourcenames
from b1000.errors import B1000Error
from b1000.jobs import Destination, Pull, Transfer
from b1000.rsync import command, names
from b1000.work.assignment import Assignment
from b1000.work.output import Tail
from b1000.work.process import RawLines

_MOST = 100_000  # names of which an answer is kept
_SHOWN = 5
MEMORY = 4 * 2**30  # bytes of address space that a client's list of files may take here


class Source(NamedTuple):
    """What one copy copies: ``paths``, of a client with ``pull``, without what is excluded.

    ``same`` are names that several of the paths bring, although it is one thing.
    """

    paths: Sequence[str]
    exclude: Sequence[str]
    transfer: Transfer
    pull: Pull | None = None
    same: frozenset[str] = frozenset()


class Kept:
    """The names that paths keep with ``relative``, and where each is on this host."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._given = frozenset(map(sourcenames.relative_name, paths))
        self._leading = {(root, each) for root, name in self._given for each in _above(name)}
        self._roots = {root for root, _ in self._given}
        globs = any(root.startswith("rsync://") and glob.has_magic(root) for root in self._roots)
        self.several = globs or len(self._roots) > 1
        """Whether names begin in several places, so that different things may have one."""

    def is_one(self, name: str, made: str | None) -> bool:
        """Whether what several paths bring under a name is one thing, or directories alone.

        Those of a client are seen below the directory that was ``made`` of them; None for
        what is on this host.
        """
        if not self.several:
            return True
        name = os.fsdecode(names.unescaped(os.fsencode(name)))
        places = [os.path.join(made, name)] if made else [*self._places(name)]
        found = []
        for place in places:
            with contextlib.suppress(OSError):
                found.append(os.lstat(place))
        one = not made and len({(state.st_dev, state.st_ino) for state in found}) == 1
        return one or (bool(found) and all(stat.S_ISDIR(state.st_mode) for state in found))

    def _places(self, name: str) -> Iterator[str]:
        for root in self._roots:
            brought = any((root, each) in self._given for each in (name, *_above(name)))
            if brought or (root, name) in self._leading:
                yield os.path.join(root, name)


def _above(name: str) -> Iterator[str]:
    """The names of the directories that a name is in; "" is the last."""
    while name:
        name = name.rpartition("/")[0]
        yield name


class Names:
    """Some of many names, the first of them in words."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[str] = []

    def add(self, name: str) -> None:
        """One more."""
        self.count += 1
        if len(self._first) < _SHOWN:
            self._first.append(name)

    def __str__(self) -> str:
        more = f" and {self.count - _SHOWN} more" if self.count > _SHOWN else ""
        return ", ".join(self._first) + more


async def named(
    assignment: Assignment,
    source: Source,
    destination: Destination,
    pattern: str,
    fits: Callable[[str], bool],
    limit: float | None = None,
) -> set[str]:
    """The paths, as they are at the destination, whose last component fits.

    ``pattern`` is the same for rsync; ``limit`` seconds, or copy_timeout. Raises B1000Error
    where they cannot be told, and OSError.
    """
    found: set[str] = set()

    def take(line: bytes) -> None:
        entry = names.listed(line)
        path = os.fsdecode(entry.path) if entry else ""
        if fits(os.path.basename(path)) and len(found) <= _MOST:
            found.add(path)

    def argv(empty: str) -> list[str]:
        return command.named(
            pattern,
            source.paths,
            empty,
            destination,
            source.exclude,
            source.transfer,
            assignment.limits,
            source.pull,
        )

    # 24: a source vanished in the meantime; the rest was looked through.
    await listed(assignment, source, destination, argv, take, well=(0, 24), limit=limit)
    if len(found) > _MOST:
        raise B1000Error(f"more than {_MOST} names there are like {pattern}")
    return found


async def listed(
    assignment: Assignment,
    source: Source,
    destination: Destination,
    argv: Callable[[str], list[str]],
    take: Callable[[bytes], None],
    *,
    well: Collection[int],
    limit: float | None = None,
) -> None:
    """Give ``take`` each line of an rsync that lists ``source``; ``argv`` takes an empty directory.

    Raises B1000Error where its exit code is none of ``well``, and OSError.
    """
    err = Tail()
    with tempfile.TemporaryDirectory(prefix="b1000-empty-") as empty:
        code = await assignment.rsync(
            f"{destination.name} (names)",
            argv(empty),
            RawLines(take),
            err.sink(),
            bounds={resource.RLIMIT_AS: MEMORY} if source.pull else None,
            limit=limit,
        )
    if code not in well:
        raise B1000Error((err.words() or f": rsync exit {code}").removeprefix(": "))
