"""Sources that would become one at the destination: of two with one name the first is copied.

What each brings is seen from the names at its top; where these differ, nothing below can
meet. rsync itself says which of them are left when the excludes have taken theirs.
"""

import os
from collections.abc import Iterator, Mapping, Sequence

from b1000.errors import B1000Error
from b1000.jobs import Destination
from b1000.logs import printable
from b1000.named import NamedTuple
from b1000.rsync.source import Source
from b1000.work import inventory
from b1000.work.assignment import Assignment


class Overlaps(NamedTuple):
    """Names that several sources bring, each with the first two; and those that are one thing.

    What is named twice in the includes is copied once, and right: ``same``.
    """

    clashes: Mapping[str, tuple[str, str]] = {}
    same: frozenset[str] = frozenset()


def seen(paths: Sequence[str]) -> Overlaps:
    """What paths of this host bring twice, before any exclude."""
    if len(paths) < 2:
        return Overlaps()
    first: dict[str, tuple[str, str]] = {}
    clashes: dict[str, tuple[str, str]] = {}
    same: set[str] = set()
    for source in paths:
        for name, path in _brought(source):
            other, there = first.setdefault(name, (source, path))
            if other == source:
                continue
            if _is_same(there, path):
                same.add(name)
            else:
                clashes.setdefault(name, (other, source))
    return Overlaps(clashes, frozenset(same - clashes.keys()))


def _brought(source: str) -> Iterator[tuple[str, str]]:
    """The names at the top of what a source brings, each with its path."""
    if not source.endswith(("/", "/.", "/..")):
        yield source.rpartition("/")[2], source
        return
    try:
        with os.scandir(source) as entries:
            yield from ((entry.name, entry.path) for entry in entries)
    except OSError:
        return  # rsync will say why it cannot be read


def _is_same(one: str, other: str) -> bool:
    if os.path.normpath(one) == os.path.normpath(other):
        return True
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except OSError:
        return False


def clash_text(first: str, second: str, name: str) -> str:
    """The error text for two sources that both bring a name."""
    what = f"both bring {printable(name)}"
    if first == second:
        return (
            f"what {printable(first)} stands for would become one at the destination: "
            f"several of them bring {printable(name)}; relative = yes keeps their full paths"
        )
    return (
        f"{printable(first)} and {printable(second)} would become one at the destination: "
        f"{what}; relative = yes keeps their full paths"
    )


async def clash(
    assignment: Assignment, source: Source, destination: Destination, overlaps: Overlaps
) -> str:
    """Why the sources may not be copied together; "" where they may, or where the copy will tell.

    ``overlaps`` is what is known of those on this host; a client is asked.
    """
    if source.transfer.relative:
        return ""
    pull = source.pull is not None
    several = len(source.paths) > 1 or any(sign in source.paths[0] for sign in "*?[")
    if not (several if pull else overlaps.clashes):
        return ""
    try:
        twice = (await inventory.tops(assignment, source, destination)).twice
        if not pull:
            name = next((each for each in twice if each in overlaps.clashes), None)
            return clash_text(*overlaps.clashes[name], name) if name is not None else ""
        return await _of_client(assignment, source, destination, twice[0]) if twice else ""
    except (B1000Error, OSError):
        return ""


async def _of_client(
    assignment: Assignment, source: Source, destination: Destination, name: str
) -> str:
    """Which of a client's addresses bring the name: each is listed by itself."""
    bringing = []
    for address in source.paths:
        tops = await inventory.tops(assignment, source._replace(paths=[address]), destination)
        bringing += [address] * ((name in tops.names) + (name in tops.twice))
    first, second, *_ = [*bringing, *source.paths, *source.paths]
    return clash_text(first, second, name)
