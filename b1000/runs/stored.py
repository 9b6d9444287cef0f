"""What the journal knows of backups at a storage, as frozen values. Times are seconds."""

from b1000.named import NamedTuple
from b1000.runs.run import ProcessIdentity


class Memory(NamedTuple):
    """What the storage's own looks at one backup have found.

    ``first_seen`` is by the storage's clock, None for never. ``counted``: when files were
    counted, ``files`` and ``bytes`` how many; ``short`` says what was missing then. ``read``:
    when each byte had been read, ``read_share`` how much of it has been since, 0 to 1. ``bad``
    says which file is wrong, "" where none is known to be. ``restored``: when a drill passed.
    ``sums``: the hashes of the list of sums beside it, of its file and of the text in it.
    ``removed``: when it was decided to remove it, ``reason`` why, and ``unmarked`` whether it had
    no mark then. ``drilled``: when a drill
    ended last, ``drill_error`` why it failed, and ``recovery`` how many seconds the last that
    passed took. ``unread``: what could not be read when that was tried last.
    ``cut_off``: when time was over while it was read, None since a reading came to its end;
    ``stuck``: no file of it had been read to its end then.
    """

    first_seen: float | None = None
    counted: float | None = None
    files: int | None = None
    bytes: int | None = None
    short: str = ""
    read: float | None = None
    read_share: float = 0.0
    bad: str = ""
    restored: float | None = None
    sums: str = ""
    removed: float | None = None
    reason: str = ""
    drilled: float | None = None
    drill_error: str = ""
    recovery: float | None = None
    unread: str = ""
    unmarked: int = 0
    cut_off: float | None = None
    stuck: int = 0

    @property
    def wrong(self) -> str:
        """What speaks against it; "" for nothing that is known."""
        return self.bad or self.short


class Proven(NamedTuple):
    """What a backup counts for: when its storage counted it, read it and restored it, if ever."""

    counted: float | None = None
    read: float | None = None
    restored: float | None = None


def proven(state: str, kind: str, ended: float | None, memory: Memory) -> Proven:
    """What a look at a backup has proven of what lies there now.

    Nothing of one that is wrong, not complete, or of which something cannot be read now, and of a
    sync tree only what was seen since it was written last, at ``ended``. ``kind`` is full or sync.
    """
    if state != "complete" or memory.wrong or memory.unread:
        return Proven()
    since = (ended or 0.0) if kind == "sync" else 0.0
    times = (memory.counted, memory.read, memory.restored)
    return Proven(*(when if when is not None and when >= since else None for when in times))


REMOVED, MISSING = "removed", "missing"
"""States of backups that are not there: prune has removed them, or nobody knows who has."""


class Facts(NamedTuple):
    """What a storage tells databases of one backup besides what its looks have found.

    ``storage`` is the host that looks, ``reports`` the databases that are told. ``start_time`` is
    local, as names have it, "" where it is not known; ``run`` the run's first uid. ``files`` and
    ``bytes`` are what its mark claims. ``verify`` and ``drill`` say after how many seconds it is
    to be read and drilled again, None for never; ``held`` why its group is not thinned.
    """

    storage: str
    destination: str
    job: str
    host: str
    type: str
    state: str
    reports: tuple[str, ...]
    instance: str = ""
    master_host: str = ""
    master_instance: str = ""
    start_time: str = ""
    started: float | None = None
    ended: float | None = None
    run: str = ""
    files: int | None = None
    bytes: int | None = None
    verify: int | None = None
    drill: int | None = None
    held: str = ""


class Told(NamedTuple):
    """A backup as databases are told of it, with the number of its last change."""

    root: str
    place: str
    transition: int
    facts: Facts
    memory: Memory

    @property
    def path(self) -> str:
        """Its whole directory."""
        return f"{self.root.rstrip('/')}/{self.place}"


class KnownCopy(NamedTuple):
    """A copy that the journal knows; ``path`` is its whole directory, whose data it is the rest.

    ``complete``: it is DONE or WARNING. ``run`` is the first uid of the run.
    """

    path: str
    destination: str
    type: str
    job: str
    host: str
    instance: str
    master_host: str
    master_instance: str
    run: str
    started: float
    ended: float | None
    complete: bool
    bytes: int | None
    files: int | None


class Restore(NamedTuple):
    """One time that a backup was brought back into ``target``, known by ``device`` and ``inode``.

    ``words`` are the paths that were asked for, escaped and ended by newlines; ``path`` is the
    directory of the backup, ``run`` the first uid of its run. ``pid``, ``boot`` and ``ticks`` say
    which process it is. ``ended`` is None while it is under way, or where it was killed.
    ``forgotten``: it was given up.
    """

    device: int
    inode: int
    target: str
    words: str
    job: str
    instance: str
    host: str
    destination: str
    path: str
    run: str
    began: float
    pid: int = 0
    boot: str = ""
    ticks: int = 0
    ended: float | None = None
    error: str = ""
    forgotten: int = 0
    restore_id: int = 0

    @property
    def process(self) -> ProcessIdentity:
        """Which process it is."""
        return ProcessIdentity(self.pid, self.boot, self.ticks)

    @property
    def is_open(self) -> bool:
        """Whether it is under way, or came to no good end with which somebody may go on."""
        return not self.forgotten and (self.ended is None or bool(self.error))
