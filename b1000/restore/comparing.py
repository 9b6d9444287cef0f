"""Compares what was restored with the list of sums of the storage, else with its files."""

import errno
import os
import tempfile
from collections.abc import Container, Iterator, Mapping, Sequence

from b1000.errors import counted
from b1000.files import read_file
from b1000.restore import listed as lists
from b1000.restore.found import Verified
from b1000.restore.listed import RestoreFailed
from b1000.restore.part import Part
from b1000.restore.restoring import Restoring
from b1000.rsync import names
from b1000.rsync import restoring as arguments
from b1000.rsync.names import OURS
from b1000.rsync.restoring import CORRUPT, Manner
from b1000.storage import layout
from b1000.storage.question import StoredRow
from b1000.verify import listing, reading, sums
from b1000.verify.reading import Missed, Pace
from b1000.verify.tree import Tree

_WITHOUT_LIMIT = Pace()
_HEAD, _LINE, _MANY = 2**20, 512, 2**22  # bytes of a list: all, and for each of so many files


def verified(way: Restoring, private: str) -> Verified:
    """Compare what was restored; ``private`` is a directory for lists of names.

    Raises RestoreFailed.
    """
    listed, note = _listed(way, private)
    where, words = way.row.root.destination, way.wanted()
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
            for name in _unlisted(way)
            if name not in listed and _is_wanted(name, words) and part.target_of(name)
            if brought is None or name in brought
        ]
        if unlisted:
            listing = lists.write(private, unlisted, "unlisted")
            differing |= dict.fromkeys(way.compare_these(part, listing).differing)
    against = f"the list of sums at {where}, {counted(len(listed), 'file')}"
    if not way.row.backup.memory.sums:
        against += " (its hash is not known here)"
    return found._replace(differing=tuple(differing), against=against)


def _listed(way: Restoring, private: str) -> tuple[dict[str, str] | None, str]:
    """The list beside a backup, by names; None, and why, where there is none to rely on.

    Where a hash of it is known, from the journal or a database, it is that list and no other.
    """
    row = way.row
    seal = sums.known_seal(row.backup.memory.sums)
    if not row.backup.listed:
        gone = "could not be fetched: none is there, though one of this run is known"
        return None, f"the list of sums of {row.path} {gone}" if seal else ""
    most = _HEAD + min(row.backup.counts.files or _MANY, _MANY) * _LINE
    try:
        if row.root.remote:
            data = _fetched(way, private, most)
            found = listing.checked(data, seal) if seal else sums.unpacked(data, most)
        elif seal:
            found = listing.read(_tree(row), seal)
        else:
            found = listing.unsealed(_tree(row), most)
    except ValueError as error:
        return None, f"the list of sums of {row.path} {error}"
    return {os.fsdecode(name): each for name, each in found.items()}, ""


def _fetched(way: Restoring, private: str, most: int) -> bytes:
    """The file of the list that lies at a daemon. Raises ValueError where it does not come."""
    into = tempfile.mkdtemp(prefix="sums-", dir=private)
    source = f"{way.source(Part('', ''))[:-1]}{layout.SUMS}"
    try:
        way.look(arguments.fetching(way.way, source, into), lambda _: None, most)
        return read_file(os.path.join(into, os.path.basename(source)), most, follow=False)
    except RestoreFailed as error:
        raise ValueError(f"could not be fetched: {error}") from None
    except OSError as error:
        raise ValueError(f"is gone ({error.strerror})") from None


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


def _unlisted(way: Restoring) -> Iterator[str]:
    """The files of a backup, among them those that came after its list was written.

    Raises RestoreFailed where some of them cannot be looked for.
    """
    for name in _at_daemon(way) if way.row.root.remote else _in_tree(way.row):
        parts = name.split("/")
        if not parts[-1].endswith(CORRUPT) and not any(p.startswith(OURS) for p in parts):
            yield name


def _at_daemon(way: Restoring) -> Iterator[str]:
    found: list[str] = []

    def take(line: bytes) -> None:
        each = names.listed(line)
        if each and each.kind == b"-":
            found.append(os.fsdecode(each.path))

    # Nothing is written where it is listed only.
    whole = arguments.listing(way.way, way.source(Part("", "")), "/", Manner())
    way.look(whole, take)
    yield from found


def _in_tree(row: StoredRow) -> Iterator[str]:
    missed: list[Missed] = []
    tree = _tree(row)
    for each in reading.files(tree, _WITHOUT_LIMIT, missed):
        yield os.fsdecode(each.name)
    for hidden in missed:
        if hidden.error != errno.EXDEV:
            raise RestoreFailed(f"{tree.shown(hidden.name)}: {hidden.why}")
