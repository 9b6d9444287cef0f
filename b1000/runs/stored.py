"""What the journal knows of backups at a storage, as frozen values. Times are seconds."""

from typing import NamedTuple


class Memory(NamedTuple):
    """What the storage's own looks at one backup have found.

    ``first_seen`` is by the storage's clock, None for never. ``counted``: when files were
    counted, ``files`` and ``bytes`` how many; ``short`` says what was missing then. ``read``:
    when each byte had been read, ``read_share`` how much of it has been since, 0 to 1. ``bad``
    says which file is wrong, "" where none is known to be. ``restored``: when a drill passed.
    ``sums``: the hashes of the list of sums beside it, of its file and of the text in it.
    ``removed``: when it was decided to remove it, and ``reason`` why.
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

    ``words`` are the paths that were asked for, ended by newlines; ``path`` is the directory of
    the backup, ``run`` the first uid of its run. ``ended`` is None while it is under way, or
    where it was killed.
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
    ended: float | None = None
    error: str = ""
