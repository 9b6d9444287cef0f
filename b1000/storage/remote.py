"""Reads what lies at a daemon: for each job a listing, and one session that fetches all marks.

Nothing that the daemon says is trusted; what it can make a look take is bounded.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from b1000.b1k import claim, form, mark
from b1000.b1k.claim import Claim
from b1000.errors import BadValue, StorageAway
from b1000.jobs import Destination, Limits
from b1000.named import NamedTuple
from b1000.rsync import command, names, paths, surveys
from b1000.rsync.names import ListedFile
from b1000.storage import gathering, layout
from b1000.storage.backup import Entry, Unread
from b1000.storage.contents import Search
from b1000.storage.fetching import PARTLY, Marks
from b1000.storage.fetching import Reach as Reach
from b1000.storage.layout import Place
from b1000.storage.session import Ended, Running

_MOST_NAMES = 1_000_000  # of one job
_SILENCE = 60  # seconds without a word after which rsync gives up
_UNREAD = 23
_BUSY = "max connections"
_GONE = "No such file or directory"
_UNKNOWN_USER = "auth failed on module"
_UNREADABLE = ("write only", "b1000-gate: ")  # which lets writers in alone


def reach(destination: Destination, limits: Limits) -> Reach:
    """How the backups of a destination are read."""
    silence = min(limits.io_timeout or _SILENCE, _SILENCE)
    limits = limits._replace(io_timeout=silence)
    if destination.restore_path:
        password = destination.restore_password_file or destination.password_file
        return Reach(destination.restore_path, password, limits, (), destination.transport)
    way = tuple(command.chosen_way(destination))
    password = destination.restore_password_file or destination.password_file
    return Reach(destination.path, password, limits, way, destination.transport)


def jobs(there: Reach) -> list[str]:
    """The directories of jobs at a daemon. Raises StorageAway."""
    address, password_file, limits, _, transport, _ = there
    found: list[str] = []

    def take(path: str, listed: ListedFile) -> None:
        if listed.kind == b"d" and layout.is_job(path):
            found.append(path)

    # A directory of which something cannot be told is one of somebody else.
    argv = surveys.address(f"{address}/", password_file, limits, transport)
    with Running(there.session(argv)) as listing:
        _list(there, listing, take)
    return sorted(found)


def entries(
    there: Reach, wanted: Iterable[str], search: Search | None = None
) -> Iterator[Entry | Unread]:
    """All backups and marks of some jobs. Raises StorageAway.

    The ``search`` hears what is in them, in the same session.
    """
    for job in wanted:
        with Look(there, job, search) as look:
            yield from look.entries()


class _Listed(NamedTuple):
    """What is in one directory: its subdirectories, and all else with its kind and size."""

    trees: set[str]
    beside: dict[str, tuple[bytes, int]]


class Look:
    """A look at one job, which has begun; what the daemon says is read later.

    The ``search`` hears what is in its backups, in the same session. Marks are fetched once all
    are listed, or ``at_once``, beside that.
    """

    def __init__(
        self, there: Reach, job: str, search: Search | None = None, *, at_once: bool = False
    ) -> None:
        self._there = there
        self._job = job
        self._search = search
        self._listing = self._listed()
        self._marks = Marks(there, job)
        if at_once:
            self._marks.begin()

    def _listed(self) -> Running:
        there, search = self._there, self._search
        more = search.pattern.rules if search else ()
        argv = surveys.backups(f"{there.address}/{self._job}/", *there[1:5], more=more)
        return Running(there.session(argv))

    def __enter__(self) -> "Look":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Listen no longer."""
        self._listing.end()
        self._marks.end()

    def entries(self) -> Iterator[Entry | Unread]:
        """All backups and marks of the job. Raises StorageAway."""
        there, job = self._there, self._job
        found: dict[str, _Listed] = defaultdict(lambda: _Listed(set(), {}))

        def take(path: str, listed: ListedFile) -> None:
            day, name, below = _parted(path)
            if below:
                if self._search:
                    place = "/".join(filter(None, (there.address, job, day, name)))
                    self._search.take(place, below, listed)
            elif listed.kind != b"d":
                found[day].beside[name] = listed.kind, listed.size
            elif day or not layout.is_day(name):
                found[day].trees.add(name)

        try:
            whole = _list(there, self._listing, take)
        except StorageAway as error:
            # Perhaps there is room for one session at a time.
            if _BUSY not in str(error) or not self._marks.waited():
                raise
            with self._listed() as listing:
                whole = _list(there, listing, take)
        if whole:
            yield Unread(job, whole)
        self._marks.bring(
            [
                "/".join(filter(None, (job, day, name)))
                for day, listed in found.items()
                for name, (kind, size) in listed.beside.items()
                if kind == b"-" and size <= form.LARGEST and _is_mark(job, day, name, listed)
            ]
        )
        for day, listed in found.items():
            read = partial(_read, listed=listed, fetched=self._marks)
            yield from gathering.entries(job, day, listed.trees, listed.beside, read)


def _parted(path: str) -> tuple[str, str, str]:
    """A path below the directory of a job: the day, or "", a name there, and what is below it."""
    first, _, rest = path.partition("/")
    if not layout.is_day(first) or not rest:
        return "", first, rest
    return first, *rest.partition("/")[::2]


def _list(there: Reach, listing: Running, take: Callable[[str, ListedFile], None]) -> str:
    """Each path that is listed; nothing of a directory that is not there. Raises StorageAway.

    Gives why some of it could not be read, or "".
    """
    names_taken = 0

    def take_line(line: bytes) -> None:
        nonlocal names_taken
        listed = names.listed(line)
        if listed is None or listed.path == b".":
            return
        names_taken += 1
        if names_taken > _MOST_NAMES:
            raise StorageAway(f"{there.host} lists more than {_MOST_NAMES} names")
        take(listed.path.decode("utf-8", "surrogateescape"), listed)

    ended = listing.ended(take_line)
    if _is_missing(ended):
        return ""
    trouble = ended.trouble(there.host)
    if not trouble or ended.code in PARTLY:
        return trouble if ended.code == _UNREAD and _cannot_open(ended) else ""
    if only_takes(ended.errors):
        # What its gate says is about backups that are sent.
        raise StorageAway(*unreadable(there.address))
    hint = ""
    if any(_UNKNOWN_USER in line for line in ended.errors):
        hint = "restore_password_file has the password of who reads, where it is another one"
    raise StorageAway(trouble, hint)


def only_takes(errors: Iterable[str]) -> bool:
    """Whether a daemon that was to be read said that it can only be written to."""
    return any(word in line for line in errors for word in _UNREADABLE)


def unreadable(address: str) -> tuple[str, str]:
    """What is wrong with such an address, and what to do."""
    module, _ = paths.parted(address)
    host = module.rpartition("/")[0]
    return (
        f"{paths.host_or_path(address)} takes backups at {module}, and gives none back",
        "restore_path names a module that can be read, such as restore_path = "
        f"{host}/b1000-restore, and restore_password_file has its password",
    )


def _cannot_open(ended: Ended) -> bool:
    return any("opendir" in line or "readlink_stat" in line for line in ended.errors)


def _is_missing(ended: Ended) -> bool:
    return ended.code == 23 and any("change_dir" in line and _GONE in line for line in ended.errors)


def _is_mark(job: str, day: str, name: str, listed: _Listed) -> bool:
    stem = name.removesuffix(mark.SUFFIX)
    place = layout.full(job, day, stem) if day else layout.sync(job, stem)
    return stem != name and stem in listed.trees and place is not None


def _read(place: Place, listed: _Listed, fetched: Marks) -> Claim:
    """Raises OSError and BadValue."""
    kind, size = listed.beside[place.name + mark.SUFFIX]
    if kind != b"-":
        raise BadValue("it is no regular file")
    if size > form.LARGEST:
        raise BadValue(f"it has more than {form.LARGEST} bytes")
    return claim.read(fetched.read(place.path + mark.SUFFIX), place.path)
