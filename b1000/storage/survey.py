"""One look at all storages of a configuration: the catalogues of their roots."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from b1000.config.loader import Config
from b1000.errors import StorageAway, UsageError, in_order, near
from b1000.jobs import BrokenJob, Destination, Job, Limits
from b1000.named import NamedTuple
from b1000.runs.run import Run
from b1000.runs.stored import KnownCopy, Restore, Told
from b1000.storage import catalogue, emptied, local, mounts, remote
from b1000.storage.backup import Catalogue, Group, Root, Unread
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
    if not found and name in (errors := mistaken(config, name)):
        raise UsageError(errors[name])
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


def mistaken(config: Config, name: str = "") -> dict[str, str]:
    """The storages whose sections have errors, and the first of each; with a ``name`` only that
    one. At daemons only it is one that anybody has to look at.
    """
    found: dict[str, str] = {}
    for each in config.errors:
        kind, _, section = each.section.partition(":")
        known = config.destinations.get(section)
        concerns = section == name if name else not (known and known.remote)
        if kind == "dest" and concerns:
            found.setdefault(section, each.shown(config.file))
    return found


def survey(
    config: Config,
    wanted: Wanted = lambda _: True,
    everything: bool = False,
    search: Search | None = None,
    told: Sequence[KnownCopy] = (),
) -> Survey:
    """Look at all storages that are ``wanted``. Raises JournalUnusable and JournalFailed.

    ``everything``: at daemons also jobs that neither configuration nor journal knows there. The
    ``search`` hears what is in backups at daemons. ``told`` are complete backups that databases
    know: those that are not there are missing. One that is empty and was not is away.
    """
    with Journalled(config, told) as journal:
        looks = (
            (each, catalogues(each, journal, everything, search))
            for each in storages(config, wanted)
        )
        found = _together(looks, journal)
    return found._replace(away=(*found.away, *_misconfigured(config, wanted)))


def _misconfigured(config: Config, wanted: Wanted) -> Iterator[Away]:
    """Destinations of which nothing can be used, so that they cannot be asked."""
    for name, why in mistaken(config).items():
        if name not in config.destinations and wanted(Destination(name)):
            yield Away(name, why)


class JobSurvey:
    """A look for the backups of one job alone: all daemons are asked at once, and read later."""

    def __init__(self, config: Config, job: str, wanted: Wanted) -> None:
        self._config = config
        self._job = job
        self._destinations = storages(config, wanted)
        self._misconfigured = tuple(_misconfigured(config, wanted))
        self._looks: dict[str, remote.Look] = {}

    def __enter__(self) -> "JobSurvey":
        try:
            for each in filter(is_remote, self._destinations):
                there = remote.reach(each, limits(self._config, each))
                self._looks[each.name] = remote.Look(there, self._job, at_once=True)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for look in self._looks.values():
            look.end()

    def found(self, journal: "Journalled") -> Survey:
        """What they say, once. Raises JournalUnusable and JournalFailed."""
        try:
            looks = ((each, self._at(each, journal)) for each in self._destinations)
            found = _together(looks, journal, self._job)
            return found._replace(away=(*found.away, *self._misconfigured))
        finally:
            self.__exit__()  # what was fetched is not kept while a backup comes

    def _at(self, destination: Destination, journal: "Journalled") -> Iterator[Catalogue]:
        look, root = self._looks.get(destination.name), _root(destination)
        if look:
            yield catalogue.build(root, look.entries(), journal.known(root, self._job))
        else:
            yield from _in_trees(destination, journal, self._job)


def _together(
    looks: Iterable[tuple[Destination, Iterable[Catalogue]]], journal: "Journalled", job: str = ""
) -> Survey:
    """What is seen of destinations, as much as each gives, and why that is not all."""
    all_catalogues: list[Catalogue] = []
    away: list[Away] = []
    for destination, looked in looks:
        before = len(all_catalogues)
        try:
            all_catalogues += looked
            emptied.refuse(destination, all_catalogues[before:], journal, job)
        except StorageAway as error:
            away.append(Away(destination.name, str(error)))
    return Survey(tuple(all_catalogues), tuple(away))


def catalogues(
    destination: Destination,
    journal: "Journalled",
    everything: bool = False,
    search: Search | None = None,
) -> Iterator[Catalogue]:
    """The catalogue of each root of one destination. Raises StorageAway."""
    if not is_remote(destination):
        yield from _in_trees(destination, journal)
        return
    root, there = _root(destination), remote.reach(destination, journal.limits(destination))
    known = journal.known(root)
    jobs = remote.jobs(there) if everything else journal.jobs_at(destination, known)
    if not everything:  # of other jobs nothing is seen
        told = {place: copy for place, copy in known.told.items() if copy.job in jobs}
        known = known._replace(told=told)
    yield catalogue.build(root, remote.entries(there, jobs, search), known)


def is_remote(destination: Destination) -> bool:
    return read_at(destination).startswith("rsync://")


def read_at(destination: Destination) -> str:
    """Where its backups are read."""
    return destination.restore_path or destination.path


def _root(destination: Destination) -> Root:
    """That of a daemon."""
    return Root(destination.name, destination.path, read_from=read_at(destination))


def _in_trees(
    destination: Destination, journal: "Journalled", job: str = ""
) -> Iterator[Catalogue]:
    address = read_at(destination)
    # What lies on the mount point is none of its disk.
    if destination.must_be_mounted and (trouble := mounts.unmounted(address)):
        raise StorageAway(trouble)
    for root in local.roots(destination.name, address):
        if destination.restore_path:
            root = root._replace(path=destination.path, read_from=address)
        yield catalogue.build(root, local.entries(root, job), journal.known(root, job))
    for path in local.without_name(address):
        why = Unread("", "its name is no UTF-8; rename it")
        yield Catalogue(Root(destination.name, path), (), unread=(why,))


def limits(config: Config, destination: Destination) -> Limits:
    """How long things at a destination may take: as its first job has it, or else [global]."""
    jobs = (job for job in config.jobs.values() if isinstance(job, Job))
    found = (job.limits for job in jobs if destination.name in job.destinations)
    return next(found, config.settings.limits)


class Journalled:
    """What the journal knows of storages; nothing where there is no journal yet.

    With what databases have ``told``, in the order of runs.
    """

    def __init__(self, config: Config, told: Sequence[KnownCopy] = ()) -> None:
        from b1000.state import queries  # with SQLite, while storages are asked already

        path = Path(config.settings.journal)
        self._config = config
        self._told = told
        self._jobs = frozenset(config.jobs)
        self._reader = queries.Reader(path) if queries.may_exist(path) else None

    def known(self, root: Root, job: str = "") -> Known:
        """What is known of one root, or of one job there."""
        told = catalogue.by_place(root.path, self._told)
        if not self._reader:
            return Known(self._jobs, told=told)
        below = "/".join(filter(None, (root.path.rstrip("/"), job)))
        return Known(
            self._jobs | self._reader.jobs_known(),
            catalogue.by_place(root.path, self._reader.copies_below(below)),
            self._reader.memories(root.path),
            told,
        )

    def has_seen_below(self, above: str) -> bool:
        """Whether backups were seen at or below a directory that were not removed since."""
        return self._reader is not None and self._reader.seen_below(above)

    def jobs(self) -> frozenset[str]:
        """The jobs that have run."""
        return frozenset(self._reader.jobs_known()) if self._reader else frozenset()

    def last_restore_into(self, device: int, inode: int) -> Restore | None:
        """The last restore into a directory; None where there was none."""
        return self._reader.last_restore_into(device, inode) if self._reader else None

    def restores_under_way(self, device: int, inode: int) -> list[Restore]:
        """The restores into a directory that have not ended, or were killed."""
        return self._reader.restores_under_way(device, inode) if self._reader else []

    def unfinished(self) -> list[Run]:
        """The runs that are not over."""
        return self._reader.unfinished() if self._reader else []

    def run_of(self, uid: str) -> Run | None:
        """The run that has or had a uid."""
        return self._reader.run_of(uid) if self._reader else None

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
        """How long things there may take."""
        return limits(self._config, destination)

    def __enter__(self) -> "Journalled":
        return self

    def __exit__(self, *_: object) -> None:
        if self._reader:
            self._reader.close()
