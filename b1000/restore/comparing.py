"""Compares what was restored with the list of sums of the storage, else with its files."""

import errno
import os
from collections.abc import Container, Iterator, Mapping, Sequence

from b1000.errors import counted
from b1000.restore import listed as lists
from b1000.restore.listed import RestoreFailed
from b1000.restore.part import Part
from b1000.restore.restoring import Restoring, Verified
from b1000.rsync.names import OURS
from b1000.rsync.restoring import CORRUPT
from b1000.storage.question import StoredRow
from b1000.verify import listing, reading, sums
from b1000.verify.reading import Missed, Pace, Tree

_WITHOUT_LIMIT = Pace()


def verified(way: Restoring, private: str, words: Sequence[str] = ()) -> Verified:
    """Compare what was restored; ``words`` are the paths that were, all without any.

    ``private`` is a directory for lists of names. Raises RestoreFailed.
    """
    listed, note = _listed(way.row)
    where = way.row.root.destination
    if listed is None:
        found = way.compare()
        return found._replace(against=f"the files at {where}, by checksum", note=note)
    listed = {name: each for name, each in listed.items() if _is_wanted(name, words)}
    found = way.compare(by_content=False)
    differing = dict.fromkeys(found.differing)
    for part in way.parts:
        brought = _brought(way, part)
        differing |= dict.fromkeys(_wrong(part, listed, brought))
        unlisted = [
            name[len(part.root) :]
            for name in _unlisted(way.row)
            if name not in listed and _is_wanted(name, words) and part.target_of(name)
            if brought is None or name in brought
        ]
        if unlisted:
            listing = lists.write(private, unlisted, "unlisted")
            differing |= dict.fromkeys(way.compare_these(part, listing).differing)
    against = f"the list of sums at {where}, {counted(len(listed), 'file')}"
    return found._replace(differing=tuple(differing), against=against)


def _listed(row: StoredRow) -> tuple[dict[str, str] | None, str]:
    """The list beside a backup, by names; None, and why, where there is none to rely on.

    That is one whose hash this host knows.
    """
    seal = sums.known_seal(row.backup.memory.sums)
    if not seal or row.root.remote:
        return None, ""
    try:
        found = listing.read(_tree(row), seal)
    except ValueError as error:
        return None, f"the list of sums of {row.path} {error}"
    return {os.fsdecode(name): each for name, each in found.items()}, ""


def _tree(row: StoredRow) -> Tree:
    return Tree(row.root.address, row.backup.place)


def _is_wanted(name: str, words: Sequence[str]) -> bool:
    return not words or any(name == word or name.startswith(f"{word}/") for word in words)


def _brought(way: Restoring, part: Part) -> set[str] | None:
    """The names that were missing, where only these were brought; None for all."""
    if way.manner.existing != "missing":
        return None
    with open(way.added(part), "rb") as file:
        return {part.root + os.fsdecode(name) for name in file.read().split(b"\0")}


def _wrong(part: Part, listed: Mapping[str, str], brought: Container[str] | None) -> Iterator[str]:
    """The listed names that are here with another sum, or not at all."""
    top = Tree(part.target, ".")
    for name, listed_sum in listed.items():
        path = part.target_of(name)
        if not path or not (brought is None or name in brought):
            continue
        below = os.fsencode(path[len(part.target) :])
        if reading.again(top, below, _WITHOUT_LIMIT).digest != listed_sum:
            yield name


def _unlisted(row: StoredRow) -> Iterator[str]:
    """The files of a backup, among them those that came after its list was written.

    Raises RestoreFailed where some of them cannot be looked for.
    """
    missed: list[Missed] = []
    tree = _tree(row)
    for each in reading.files(tree, _WITHOUT_LIMIT, missed):
        name = os.fsdecode(each.name)
        parts = name.split("/")
        if not parts[-1].endswith(CORRUPT) and not any(p.startswith(OURS) for p in parts):
            yield name
    for hidden in missed:
        if hidden.error != errno.EXDEV:
            raise RestoreFailed(f"{tree.shown(hidden.name)}: {hidden.why}")
