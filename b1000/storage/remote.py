"""Reads what lies at a daemon: for each job a listing, and one session that fetches all marks.

Nothing that the daemon says is trusted; what it can make a look take is bounded.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from b1000.b1k import form, mark
from b1000.b1k.mark import Mark
from b1000.errors import BadValue, StorageAway, message_of
from b1000.files import read_file
from b1000.jobs import PLAIN, Destination, Limits, Transport
from b1000.rsync import command, names, paths, surveys
from b1000.storage import gathering, layout, session
from b1000.storage.backup import Entry
from b1000.storage.layout import Place
from b1000.storage.session import Ended, Session

_MOST_NAMES = 1_000_000  # of one job
_SECONDS = 600.0  # for one session
_SILENCE = 60  # seconds without a word after which rsync gives up
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
    found = _list(there, surveys.address(f"{address}/", password_file, limits, transport))
    return sorted(name for name, kind, _ in found if kind == b"d" and layout.is_job(name))


def entries(there: Reach, wanted: Iterable[str]) -> Iterator[Entry]:
    """All backups and marks of some jobs. Raises StorageAway."""
    for job in wanted:
        yield from _of_job(there, job)


class _Listed(NamedTuple):
    """What is in one directory: its subdirectories, and all else with its kind and size."""

    trees: set[str]
    beside: dict[str, tuple[bytes, int]]


def _of_job(there: Reach, job: str) -> Iterator[Entry]:
    found: dict[str, _Listed] = defaultdict(lambda: _Listed(set(), {}))
    for path, kind, size in _list(there, surveys.backups(f"{there.address}/{job}/", *there[1:5])):
        day, _, name = path.rpartition("/")
        if day and not layout.is_day(day):
            continue
        if kind != b"d":
            found[day].beside[name] = kind, size
        elif day or not layout.is_day(name):
            found[day].trees.add(name)
    with tempfile.TemporaryDirectory(prefix="b1000-list-") as private:
        _fetch(there, job, found, Path(private))
        for day, listed in found.items():

            def read(place: Place, listed: _Listed = listed) -> Mark:
                return _read(place, listed, Path(private, "marks"))

            yield from gathering.entries(job, day, listed.trees, listed.beside, read)


def _list(there: Reach, argv: list[str]) -> list[tuple[str, bytes, int]]:
    """Path, kind and size of all that is listed; nothing of a directory that is not there."""
    found: list[tuple[str, bytes, int]] = []
    host = paths.host_or_path(there.address)

    def take(line: bytes) -> None:
        if len(found) >= _MOST_NAMES:
            raise StorageAway(f"{host} lists more than {_MOST_NAMES} names")
        listed = names.listed(line)
        if listed and listed.path != b".":
            path = listed.path.decode("utf-8", "surrogateescape")
            found.append((path, listed.kind, listed.size))

    ended = session.run(_session(there, argv), take)
    if _is_missing(ended):
        return []
    if trouble := ended.trouble(host):
        hint = ""
        if any(_UNREADABLE in line for line in ended.errors):
            hint = "it can only be written to; restore_path names a module that can be read"
        raise StorageAway(trouble, hint)
    return found


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
        raise StorageAway(f"there is no place here for marks: {message_of(error)}") from None
    argv = command.fetch(
        module,
        str(listing),
        str(into),
        largest=form.LARGEST,
        password_file=there.password_file,
        limits=there.limits,
        way=there.transport,
    )
    argv[1:1] = there.way
    ended = session.run(_session(there, argv), lambda _: None)
    # What has gone meanwhile, or is no file any more, is no trouble of the others.
    if ended.code not in (0, 23, 24):
        raise StorageAway(ended.trouble(paths.host_or_path(there.address)))


def _session(there: Reach, argv: list[str]) -> Session:
    host = paths.host_or_path(there.address)
    return Session(argv, host, there.seconds, 2 * form.LARGEST, there.limits.connect_timeout)


def _is_mark(job: str, day: str, name: str, listed: _Listed) -> bool:
    stem = name.removesuffix(mark.SUFFIX)
    place = layout.full(job, day, stem) if day else layout.sync(job, stem)
    return stem != name and stem in listed.trees and place is not None


def _read(place: Place, listed: _Listed, fetched: Path) -> Mark:
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
    return mark.parse(data, place.path)
