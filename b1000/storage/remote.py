"""Reads what lies at a daemon: for each job a listing, and one session that fetches all marks.

Nothing that the daemon says is trusted; what it can make a look take is bounded.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from b1000.b1k import claim, form, mark
from b1000.b1k.claim import Claim
from b1000.errors import BadValue, StorageAway, message_of
from b1000.files import read_file
from b1000.jobs import PLAIN, Destination, Limits, Transport
from b1000.named import NamedTuple
from b1000.rsync import command, names, paths, surveys
from b1000.rsync.names import ListedFile
from b1000.storage import gathering, layout, session
from b1000.storage.backup import Entry, Unread
from b1000.storage.contents import Search
from b1000.storage.layout import Place
from b1000.storage.session import Ended, Session

_MOST_NAMES = 1_000_000  # of one job
_SECONDS = 600.0  # for one session
_MOST_BYTES = 256 * 2**20  # of the marks of one job
_LONGEST_NUMBER = 16
_SILENCE = 60  # seconds without a word after which rsync gives up
_UNREAD = 23
_PARTLY = (_UNREAD, 24)  # exit codes: something could not be read, or vanished meanwhile
_GONE = "No such file or directory"
_UNREADABLE = "write only"


class Reach(NamedTuple):
    """How a daemon is read: ``way`` are options of rsync that lead there."""

    address: str
    password_file: str | None
    limits: Limits
    way: tuple[str, ...] = ()
    transport: Transport = PLAIN
    seconds: float = _SECONDS


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
    _list(there, surveys.address(f"{address}/", password_file, limits, transport), take)
    return sorted(found)


def entries(
    there: Reach, wanted: Iterable[str], search: Search | None = None
) -> Iterator[Entry | Unread]:
    """All backups and marks of some jobs. Raises StorageAway.

    The ``search`` hears what is in them, in the same session.
    """
    for job in wanted:
        yield from _of_job(there, job, search)


class _Listed(NamedTuple):
    """What is in one directory: its subdirectories, and all else with its kind and size."""

    trees: set[str]
    beside: dict[str, tuple[bytes, int]]


def _of_job(there: Reach, job: str, search: Search | None) -> Iterator[Entry | Unread]:
    found: dict[str, _Listed] = defaultdict(lambda: _Listed(set(), {}))

    def take(path: str, listed: ListedFile) -> None:
        day, name, below = _parted(path)
        if below:
            if search:
                search.take("/".join(filter(None, (there.address, job, day, name))), below, listed)
        elif listed.kind != b"d":
            found[day].beside[name] = listed.kind, listed.size
        elif day or not layout.is_day(name):
            found[day].trees.add(name)

    more = search.pattern.rules if search else ()
    whole = _list(there, surveys.backups(f"{there.address}/{job}/", *there[1:5], more=more), take)
    if whole:
        yield Unread(job, whole)
    import tempfile  # with hashes and archives; a local storage needs none of it

    with tempfile.TemporaryDirectory(prefix="b1000-list-") as private:
        _fetch(there, job, found, Path(private))
        for day, listed in found.items():

            def read(place: Place, listed: _Listed = listed) -> Claim:
                return _read(place, listed, Path(private, "marks"))

            yield from gathering.entries(job, day, listed.trees, listed.beside, read)


def _parted(path: str) -> tuple[str, str, str]:
    """A path below the directory of a job: the day, or "", a name there, and what is below it."""
    first, _, rest = path.partition("/")
    if not layout.is_day(first) or not rest:
        return "", first, rest
    return first, *rest.partition("/")[::2]


def _list(there: Reach, argv: list[str], take: Callable[[str, ListedFile], None]) -> str:
    """Each path that is listed; nothing of a directory that is not there. Raises StorageAway.

    Gives why some of it could not be read, or "".
    """
    host = paths.host_or_path(there.address)
    names_taken = 0

    def take_line(line: bytes) -> None:
        nonlocal names_taken
        listed = names.listed(line)
        if listed is None or listed.path == b".":
            return
        names_taken += 1
        if names_taken > _MOST_NAMES:
            raise StorageAway(f"{host} lists more than {_MOST_NAMES} names")
        take(listed.path.decode("utf-8", "surrogateescape"), listed)

    ended = session.run(_session(there, argv), take_line)
    if _is_missing(ended):
        return ""
    trouble = ended.trouble(host)
    if not trouble or ended.code in _PARTLY:
        return trouble if ended.code == _UNREAD and _cannot_open(ended) else ""
    hint = ""
    if any(_UNREADABLE in line for line in ended.errors):
        hint = "it can only be written to; restore_path names a module that can be read"
    raise StorageAway(trouble, hint)


def _cannot_open(ended: Ended) -> bool:
    return any("opendir" in line or "readlink_stat" in line for line in ended.errors)


def _is_missing(ended: Ended) -> bool:
    return ended.code == 23 and any("change_dir" in line and _GONE in line for line in ended.errors)


def _fetch(there: Reach, job: str, found: dict[str, _Listed], private: Path) -> None:
    """Bring all marks that can be ones into ``private``/marks, in one session."""
    into = private / "marks"
    try:
        into.mkdir(mode=0o700)
        module, below = paths.parted(there.address)
        wanted = [
            "/".join(filter(None, (job, day, name)))
            for day, listed in found.items()
            for name, (kind, size) in listed.beside.items()
            if kind == b"-" and size <= form.LARGEST and _is_mark(job, day, name, listed)
        ]
        if not wanted:
            return
        listing = private / "names"
        listing.write_bytes(b"".join(f"{below}{each}".encode() + b"\0" for each in wanted))
    except OSError as error:
        raise StorageAway(f"marks cannot be stored on this host: {message_of(error)}") from None
    argv = command.fetch(
        module,
        str(listing),
        str(into),
        largest=form.LARGEST,
        password_file=there.password_file,
        limits=there.limits,
        way=there.transport,
    )
    argv[1:1] = [*there.way, "--out-format=%b"]
    host = paths.host_or_path(there.address)
    came = 0

    def take(line: bytes) -> None:
        nonlocal came
        came += int(line) if line.isdigit() and len(line) < _LONGEST_NUMBER else 0
        if came > _MOST_BYTES:
            raise StorageAway(f"{host} sends more than {_MOST_BYTES} bytes of marks")

    ended = session.run(_session(there, argv), take)
    # What has gone meanwhile, or is no file any more, is no trouble of the others.
    if ended.code not in (0, *_PARTLY):
        raise StorageAway(ended.trouble(host))


def _session(there: Reach, argv: list[str]) -> Session:
    host = paths.host_or_path(there.address)
    return Session(argv, host, there.seconds, 2 * form.LARGEST, there.limits.connect_timeout)


def _is_mark(job: str, day: str, name: str, listed: _Listed) -> bool:
    stem = name.removesuffix(mark.SUFFIX)
    place = layout.full(job, day, stem) if day else layout.sync(job, stem)
    return stem != name and stem in listed.trees and place is not None


def _read(place: Place, listed: _Listed, fetched: Path) -> Claim:
    """Raises OSError and BadValue."""
    name = place.name + mark.SUFFIX
    kind, size = listed.beside[name]
    if kind != b"-":
        raise BadValue("it is no regular file")
    if size > form.LARGEST:
        raise BadValue(f"it has more than {form.LARGEST} bytes")
    try:
        data = read_file(fetched / name, form.LARGEST + 1, follow=False)
    except FileNotFoundError:
        raise BadValue("it could not be fetched") from None
    return claim.read(data, place.path)
