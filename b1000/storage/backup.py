"""What is known of backups at a storage, as frozen values. Pure. Times are seconds."""

from datetime import datetime
from enum import StrEnum

from b1000.b1k import root_id
from b1000.b1k.claim import Claim
from b1000.b1k.mark import Counts
from b1000.b1k.root_id import RootId
from b1000.named import NamedTuple
from b1000.rsync import paths
from b1000.runs.stored import Memory, Proven, proven
from b1000.storage import layout
from b1000.storage.layout import Place


class State(StrEnum):
    """How a backup stands at its storage."""

    COMPLETE = "complete"
    WRITING = "writing"
    UNFINISHED = "unfinished"
    LEGACY = "legacy"
    MISSING = "missing"
    UNKNOWN = "unknown"


class Root(NamedTuple):
    """A directory below which backups lie.

    ``path`` is local or an rsync:// address, without a slash at its end. ``client`` is what the
    ``*`` of a store's path stood for, "" without one. ``identity`` is its id file, None where
    it has none or none can be seen; ``damage`` says what is wrong with the one that lies there.
    ``read_from`` is where it is read, "" for its path.
    """

    destination: str
    path: str
    client: str = ""
    identity: RootId | None = None
    read_from: str = ""
    damage: str = ""

    @property
    def place(self) -> str:
        """Its destination, and the client of a store: what ``b1000 restore --from`` takes."""
        return f"{self.destination}/{self.client}" if self.client else self.destination

    @property
    def address(self) -> str:
        """Where what lies there is read."""
        return self.read_from or self.path

    @property
    def remote(self) -> bool:
        """Whether it is read through a daemon."""
        return self.address.startswith("rsync://")

    def damaged(self, adopting: str) -> str:
        """Which file is damaged, what is wrong with it and what to do, by the command ``adopting``
        as people type it.
        """
        file = f"{self.address.rstrip('/')}/{root_id.FILE}"
        return f"{file} {self.damage}; {root_id.remedy(self.damage, adopting)}"

    def whole(self, place: str) -> str:
        """The whole directory of a place below it."""
        return f"{self.path.rstrip('/')}/{place}"


class Entry(NamedTuple):
    """What a reader has found of one backup.

    ``mark`` is the one beside it; ``flaw`` says why that which lies there cannot be used.
    ``is_there``: the directory itself is, and not only a mark. ``protected``: NAME.keep is.
    ``listed``: a list of sums is.
    """

    place: Place
    mark: Claim | None = None
    flaw: str = ""
    protected: bool = False
    is_there: bool = True
    listed: bool = False


class Unread(NamedTuple):
    """A directory that may hold backups and could not be looked at: JOB, JOB/DAY, "" for all."""

    path: str
    why: str


class GroupKey(NamedTuple):
    """Whose backups are compared with each other.

    ``root`` is the path of the root, ``client`` as in :class:`Root`. ``unmarked``: what the names
    have before the date, where nothing says which of it is host and which instance; both are
    then "", and nothing of the group is ever removed. It is "" in all other groups.
    """

    root: str
    client: str
    job: str
    host: str = ""
    instance: str = ""
    unmarked: str = ""


class Backup(NamedTuple):
    """One backup. ``place`` is its directory below the root: JOB/DAY/NAME or JOB/NAME.

    ``start_time`` is that of the name, in the local time of who wrote it, "" of a sync.
    ``started`` comes from the mark, the journal, or that name by the clock of this machine.
    ``mark`` is the state of the mark that lies there, "" without one that can be used; ``flaw``
    says why it cannot. ``run`` is the run's first uid. What ``counts`` has are claims; what
    ``memory`` has the storage itself has seen. ``listed``: a list of sums lies beside it.
    """

    place: str
    type: str
    state: State
    start_time: str = ""
    started: float | None = None
    ended: float | None = None
    master_host: str = ""
    master_instance: str = ""
    run: str = ""
    counts: Counts = Counts()
    options: tuple[str, ...] = ()
    relative: bool = False
    leftovers: bool = False
    include: str = ""
    mark: str = ""
    flaw: str = ""
    protected: bool = False
    memory: Memory = Memory()
    listed: bool = False

    @property
    def name(self) -> str:
        """The name of its directory, and of what lies beside it."""
        return self.place.rpartition("/")[2]

    @property
    def complete(self) -> bool:
        """Whether it is said to be whole; whether it is known to be bad, ``memory`` says."""
        return self.state is State.COMPLETE

    @property
    def proven(self) -> Proven:
        """What its storage has proven of it."""
        return proven(str(self.state), self.type, self.ended, self.memory)

    @property
    def is_there(self) -> bool:
        """Whether the storage has it."""
        return self.state is not State.MISSING

    @property
    def moment(self) -> float:
        """When its run began, by which **the** newest is told; 0.0 where nothing tells."""
        return self.started or 0.0

    def is_ahead(self, now: float) -> bool:
        """Whether it is, by its name, so far ahead of a clock that it is never the newest."""
        named = paths.moment(self.start_time) if self.start_time else None
        clock = datetime.fromtimestamp(now)
        return layout.is_ahead(named or datetime.fromtimestamp(self.moment), clock)


class Group(NamedTuple):
    """Backups of one job, host and instance at one root, oldest first.

    ``seen_since``: when the storage had seen one that has been removed since, None for never.
    """

    key: GroupKey
    backups: tuple[Backup, ...]
    seen_since: float | None = None


class Catalogue(NamedTuple):
    """All that lies at one root. ``notes`` are what an operator is told of it.

    ``marks`` is how many marks lie there that can be used. Of what is ``unread`` nothing is known.
    """

    root: Root
    groups: tuple[Group, ...]
    marks: int = 0
    notes: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()

    @property
    def holds_something(self) -> bool:
        """Whether something was seen there, or may lie there. A damaged id file proves nothing."""
        there = (backup.is_there for group in self.groups for backup in group.backups)
        return bool(self.root.identity or self.unread) or any(there)

    @property
    def unreadable(self) -> str:
        """Why nothing at all could be looked at; "" where something could."""
        return next((each.why for each in self.unread if not each.path), "")

    def unread_of(self, job: str) -> list[Unread]:
        """What could not be looked at of one job."""
        return [each for each in self.unread if each.path.partition("/")[0] in ("", job)]
