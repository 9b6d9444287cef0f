"""Asking rsync which names are in what a copy copies."""

import os
import resource
from collections.abc import Callable, Collection

from b1000.errors import B1000Error
from b1000.files import private_directory
from b1000.jobs import Destination
from b1000.named import NamedTuple
from b1000.rsync import names, paths, surveys
from b1000.rsync.source import Source
from b1000.work.assignment import Assignment
from b1000.work.output import Tail
from b1000.work.run_rsync import Limit, Rsync, run_rsync
from b1000.work.sinks import RawLines

_MOST = 100_000  # names of which an answer is kept
_SHOWN = 5
_MEMORY = 4 * 2**30  # bytes of address space that a client's list of files may take here
BOUNDS = {resource.RLIMIT_AS: _MEMORY}
"""Limits of an rsync that gets a list from a client."""


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


class NamePattern(NamedTuple):
    """Names that are looked for: a pattern of rsync, and whether a name fits it."""

    pattern: str
    fits: Callable[[str], bool]


OURS = NamePattern(names.PATTERN, lambda last: last.startswith(names.OURS))
TEMPORARY = NamePattern(names.TEMPORARY, names.is_temporary)


async def named(
    assignment: Assignment,
    source: Source,
    destination: Destination,
    wanted: NamePattern,
    limit: float | None = None,
) -> set[str]:
    """The paths, as they are at the destination, whose last component is one of the wanted.

    ``limit`` seconds, or copy_timeout. Raises B1000Error where they cannot be told, and OSError.
    """
    found: set[str] = set()

    def take(line: bytes) -> None:
        entry = names.listed(line)
        path = os.fsdecode(entry.path) if entry else ""
        if wanted.fits(os.path.basename(path)) and len(found) <= _MOST:
            found.add(path)

    asked = _asked(assignment, source, destination, take)
    if limit is not None:
        asked = asked._replace(limit=Limit(limit))
    with private_directory("b1000-empty-") as empty:
        argv = surveys.named(wanted.pattern, source, empty, destination, assignment.limits)
        # 24: a source vanished in the meantime; the rest was looked through.
        await _answered(assignment, asked._replace(argv=argv), {0, 24})
    if len(found) > _MOST:
        raise B1000Error(f"more than {_MOST} names there are like {wanted.pattern}")
    return found


class Tops(NamedTuple):
    """The names at the top of what is copied, and those that several sources have."""

    names: set[str]
    twice: list[str]

    def take(self, line: bytes) -> None:
        """What one line of such a listing says."""
        entry = names.listed(line)
        if entry:
            self.names.add(os.fsdecode(entry.path))
        elif (name := names.duplicate(os.fsdecode(line))) is not None:
            self.twice.append(os.fsdecode(names.unescaped(os.fsencode(name))))


async def tops(assignment: Assignment, source: Source, destination: Destination) -> Tops:
    """The names at the top of what is copied. Raises B1000Error and OSError."""
    found = Tops(set(), [])
    asked = _asked(assignment, source, destination, found.take)
    with private_directory("b1000-empty-") as empty:
        argv = surveys.tops(source, empty, destination, assignment.limits)
        # 23: what could not be read is not copied either.
        await _answered(assignment, asked._replace(argv=argv), {0, 23, 24})
    return found


def _asked(
    assignment: Assignment,
    source: Source,
    destination: Destination,
    take: Callable[[bytes], None],
) -> Rsync:
    return Rsync(
        f"{destination.name} (names)",
        (),
        RawLines(take),
        Tail(),
        paths.host_or_path(destination.path),
        paths.host_or_path(source.pull.source) if source.pull else None,
        Limit(assignment.limits.copy_timeout),
        io_timeout=assignment.limits.io_timeout,
        bounds=BOUNDS if source.pull else {},
    )


async def _answered(assignment: Assignment, rsync: Rsync, accepted: Collection[int]) -> None:
    result = await run_rsync(assignment, rsync)
    if result.exit_code not in accepted:
        raise B1000Error(result.reason)
