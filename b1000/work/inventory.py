"""Asking rsync which names are in what a copy copies."""

import os
import resource
import tempfile
from collections.abc import Callable, Sequence
from typing import NamedTuple

from b1000.errors import B1000Error
from b1000.jobs import Destination, Pull, Transfer
from b1000.rsync import command, names
from b1000.work.assignment import Assignment
from b1000.work.output import Tail
from b1000.work.process import RawLines

_MOST = 100_000  # names of which an answer is kept
_SHOWN = 5
MEMORY = 4 * 2**30  # bytes of address space that a client's list of files may take here
BOUNDS = {resource.RLIMIT_AS: MEMORY}


class Source(NamedTuple):
    """What one copy copies: ``paths``, of a client with ``pull``, without what is excluded.

    ``same`` are names that several of the paths bring, although it is one thing.
    """

    paths: Sequence[str]
    exclude: Sequence[str]
    transfer: Transfer
    pull: Pull | None = None
    same: frozenset[str] = frozenset()

    def is_one(self, twice: str) -> bool:
        """Whether what several of the paths bring under a name is one thing all the same."""
        return self.transfer.relative or twice.partition("/")[0] in self.same


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

    err = Tail()
    with tempfile.TemporaryDirectory(prefix="b1000-empty-") as empty:
        argv = command.named(
            pattern,
            source.paths,
            empty,
            destination,
            source.exclude,
            source.transfer,
            assignment.limits,
            source.pull,
        )
        code = await assignment.rsync(
            f"{destination.name} (names)",
            argv,
            RawLines(take),
            err.sink(),
            bounds=BOUNDS if source.pull else None,
            limit=limit,
        )
    # 24: a source vanished in the meantime; the rest was looked through.
    if code not in (0, 24):
        raise B1000Error((err.words() or f": rsync exit {code}").removeprefix(": "))
    if len(found) > _MOST:
        raise B1000Error(f"more than {_MOST} names there are like {pattern}")
    return found
