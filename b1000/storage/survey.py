"""One look at all storages of a configuration: the catalogues of their roots."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from b1000.config.loader import Config
from b1000.errors import StorageAway, UsageError, in_order, near
from b1000.jobs import BrokenJob, Destination, Job, Limits
from b1000.named import NamedTuple
from b1000.runs.stored import Restore, Told
from b1000.state import queries
from b1000.state.queries import Reader
from b1000.storage import catalogue, local, mounts, remote
from b1000.storage.backup import Catalogue, Group, Root
from b1000.storage.catalogue import Known
from b1000.storage.contents import Search


class Away(NamedTuple):
    """A destination that could not be looked at, and why."""

    destination: str
    why: str


class Survey(NamedTuple):
    """What lies at all storages, root by root in the order of the file."""

    catalogues: tuple[Catalogue, ...]
    away: tuple[Away, ...] = ()

    def groups(self) -> Iterator[tuple[Root, Group]]:
        """All groups with their roots."""
        for each in self.catalogues:
            for group in each.groups:
                yield each.root, group


Wanted = Callable[[Destination], bool]


def storages(config: Config, wanted: Wanted = lambda _: True) -> list[Destination]:
    """The destinations and stores at which backups lie."""
    return [
        each for each in config.destinations.values() if each.type != "passive" and wanted(each)
    ]


def wanted(config: Config, name: str) -> Wanted:
    """Which storages are asked where only one of this name is; all with "". Raises UsageError."""
    if not name:
        return lambda _: True
    found = config.destinations.get(name)
    known = [each.name for each in storages(config)]
    if not found:
        raise UsageError(
            f"there is no destination {name!r}{near(name, known)}", f"there are: {in_order(known)}"
        )
    if found.type == "passive":
        raise UsageError(
            f"destination {name!r} is passive: its backups lie at {found.host}",
            f"there are: {in_order(known)}",
        )
    return lambda destination: destination.name == name


def survey(
    config: Config,
    wanted: Wanted = lambda _: True,
    everything: bool = False,
    search: Search | None = None,
) -> Survey:
    """Look at all storages that are ``wanted``. Raises JournalUnusable and JournalFailed.

    ``everything``: at daemons also jobs that neither configuration nor journal knows there. The
    ``search`` hears what is in backups at daemons.
    """
    found: list[Catalogue] = []
    away: list[Away] = []
    with Journalled(config) as journal:
        for destination in storages(config, wanted):
            try:
                found += catalogues(destination, journal, everything, search)
            except StorageAway as error:
                away.append(Away(destination.name, str(error)))
    return Survey(tuple(found), tuple(away))


def catalogues(
    destination: Destination,
    journal: "Journalled",
    everything: bool = False,
    search: Search | None = None,
) -> Iterable[Catalogue]:
    """The catalogue of each root of one destination. Raises StorageAway."""
    address = destination.restore_path or destination.path
    if not address.startswith("rsync://"):
        # What lies on the mount point is none of its disk.
        if destination.must_be_mounted and (trouble := mounts.unmounted(address)):
            raise StorageAway(trouble)
        for root in local.roots(destination.name, address):
            if destination.restore_path:
                root = root._replace(path=destination.path, read_from=address)
            yield catalogue.build(root, local.entries(root), journal.known(root))
        return
    root = Root(destination.name, destination.path, read_from=address)
    known = journal.known(root)
    there = remote.reach(destination, journal.limits(destination))
    jobs = remote.jobs(there) if everything else journal.jobs_at(destination, known)
    yield catalogue.build(root, remote.entries(there, jobs, search), known)


class Journalled:
    """What the journal knows of storages; nothing where there is no journal yet."""

    def __init__(self, config: Config) -> None:
        path = Path(config.settings.journal)
        self._config = config
        self._jobs = frozenset(config.jobs)
        self._reader = Reader(path) if queries.may_exist(path) else None

    def known(self, root: Root) -> Known:
        """What is known of one root."""
        if not self._reader:
            return Known(self._jobs)
        return Known(
            self._jobs | self._reader.jobs_known(),
            catalogue.by_place(root.path, self._reader.copies_below(root.path)),
            self._reader.memories(root.path),
        )

    def last_restore_into(self, device: int, inode: int) -> Restore | None:
        """The last restore into a directory; None where there was none."""
        return self._reader.last_restore_into(device, inode) if self._reader else None

    def restores_under_way(self, device: int, inode: int) -> list[Restore]:
        """The restores into a directory that have not ended, or were killed."""
        return self._reader.restores_under_way(device, inode) if self._reader else []

    def drilled(self) -> list[Told]:
        """The backups of which there were drills."""
        return self._reader.drilled() if self._reader else []

    def jobs_at(self, destination: Destination, known: Known) -> list[str]:
        """The jobs that have backups there, or are to have some."""
        configured = {
            name
            for name, job in self._config.jobs.items()
            if isinstance(job, BrokenJob) or destination.name in job.destinations
        }
        return sorted(configured | {place.partition("/")[0] for place in known.copies})

    def limits(self, destination: Destination) -> Limits:
        """How long things there may take: as its first job has it, or else [global]."""
        jobs = (job for job in self._config.jobs.values() if isinstance(job, Job))
        found = (job.limits for job in jobs if destination.name in job.destinations)
        return next(found, self._config.settings.limits)

    def __enter__(self) -> "Journalled":
        return self

    def __exit__(self, *_: object) -> None:
        if self._reader:
            self._reader.close()
