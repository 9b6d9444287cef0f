"""Whether nothing lies at a destination that held backups: so looks a disk that is not mounted."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from b1000.errors import StorageAway
from b1000.jobs import Destination
from b1000.storage import local, remote
from b1000.storage.backup import Catalogue, Entry, Root, Unread

if TYPE_CHECKING:
    from b1000.storage.survey import Journalled


def refuse(
    destination: Destination, found: Sequence[Catalogue], journal: "Journalled", job: str = ""
) -> None:
    """Raises StorageAway where a destination is empty, and what lay there was not pruned.

    ``found`` are its catalogues, or with ``job`` what was seen of that job alone.
    """
    if any(each.holds_something for each in found) or not _had_some(destination, journal):
        return
    if is_empty(destination, found, journal, job):
        raise StorageAway(why(destination))


def why(destination: Destination) -> str:
    """What is told of a destination that is empty, and was not."""
    return f"{destination.path} is empty, and was not; is its disk mounted?"


def is_empty(
    destination: Destination, found: Sequence[Catalogue], journal: "Journalled", job: str = ""
) -> bool:
    """Whether nothing lies there, of jobs too that were not looked for. Raises StorageAway."""
    if any(each.holds_something for each in found):
        return False
    roots = [each.root for each in found]
    if any(root.remote for root in roots):
        return not remote.jobs(remote.reach(destination, journal.limits(destination)))
    return not (job and any(_holds_some(root, journal) for root in roots))


def _holds_some(root: Root, journal: "Journalled") -> bool:
    jobs = journal.known(root).jobs
    found: Iterable[Entry | Unread] = local.entries(root)
    return any(
        isinstance(each, Unread)
        or (each.is_there and (each.mark or each.place.day or each.place.job in jobs))
        for each in found
    )


def _had_some(destination: Destination, journal: "Journalled") -> bool:
    """Whether backups are known to have been there, of which none was pruned since."""
    if journal.has_seen_below(destination.path.partition("/*")[0]):
        return True
    known = journal.known(Root(destination.name, destination.path))
    gone = {place for place, each in known.memories.items() if each.removed is not None}
    copies = (*known.copies.items(), *known.told.items())
    return any(copy.complete and place not in gone for place, copy in copies)
