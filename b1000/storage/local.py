"""Reads what lies below a local root. Nothing in it is trusted, and no link is followed."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from b1000.b1k import claim, form, mark, root_id
from b1000.b1k.claim import Claim
from b1000.b1k.root_id import RootId
from b1000.errors import StorageAway as StorageAway
from b1000.errors import message_of
from b1000.files import opened_below, read_below, read_file
from b1000.logstyle import printable
from b1000.storage import gathering, layout
from b1000.storage.backup import Backup, Entry, Root, Unread
from b1000.storage.layout import Place

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def roots(destination: str, path: str) -> list[Root]:
    """The directories that the path of a destination or store matches, by name.

    A part of it that is ``*`` stands for the directories of clients, which are no links and
    whose names are UTF-8 and begin with no dot. Raises StorageAway.
    """
    if "/*" not in path:
        return [_root(destination, path, "")]
    return [
        _root(destination, whole, client) for client, whole in _clients(path) if _is_text(whole)
    ]


def without_name(path: str) -> list[str]:
    """As text, those whose names no journal can hold, as they are no UTF-8. Raises StorageAway."""
    found = [whole for _, whole in _clients(path)] if "/*" in path else []
    return [printable(whole) for whole in found if not _is_text(whole)]


def _clients(path: str) -> list[tuple[str, str]]:
    """The directories that ``*`` stands for, and the whole paths, by name."""
    above, _, below = path.partition("/*")
    try:
        with os.scandir(above or "/") as entries:
            clients = sorted(
                entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            )
    except OSError as error:
        raise StorageAway(message_of(error)) from None
    found = [(client, f"{above}/{client}{below}") for client in clients]
    return [(client, whole) for client, whole in found if not below or os.path.isdir(whole)]


def _is_text(path: str) -> bool:
    return not any("\udc80" <= letter <= "\udcff" for letter in path)


def _root(destination: str, path: str, client: str) -> Root:
    known, damage = _id_file(path)
    return Root(destination, path, client, known, damage=damage)


def identity(path: str) -> RootId | None:
    """What the id file of a root says; None where there is none that can be read."""
    return _id_file(path)[0]


def _id_file(path: str) -> tuple[RootId | None, str]:
    """What the id file of a root says, or what is wrong with it; None and "" without one."""
    try:
        data = read_file(os.path.join(path, root_id.FILE), root_id.LONGEST, follow=False)
    except (FileNotFoundError, NotADirectoryError):
        return None, ""
    except OSError as error:
        special = error.errno in (errno.EISDIR, errno.EINVAL)  # as open_file tells of it
        return None, f"{error.strerror}" if special else f"cannot be read: {error.strerror}"
    wrong = root_id.damage(data)
    return (None, wrong) if wrong else (root_id.parse(data), "")


def entries(root: Root, job: str = "") -> Iterator[Entry | Unread]:
    """All backups and marks below a root, or those of one job, in no order. Raises StorageAway.

    What vanishes meanwhile was not there; a directory that cannot be read costs only itself.
    """
    try:
        top = os.open(root.address, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StorageAway(message_of(error)) from None
    try:
        for each in [job] if job else _subdirectories(top):
            if layout.is_job(each):
                yield from _but_unread(each, _of_job(top, each))
    except OSError as error:
        raise StorageAway(f"{root.path}: {error.strerror}") from None
    finally:
        os.close(top)


def jobs(root: Root) -> list[str]:
    """The directories of jobs below a root. Raises StorageAway."""
    try:
        with os.scandir(root.address) as found:
            return [
                entry.name
                for entry in found
                if layout.is_job(entry.name) and entry.is_dir(follow_symlinks=False)
            ]
    except OSError as error:
        raise StorageAway(message_of(error)) from None


def fulls(root: Root, job: str, whose: str, since: str, most: int) -> Iterator[Entry | Unread]:
    """The fulls of a job whose names have ``whose`` before the date, of days from ``since`` on.

    At most so many days are looked at, the last ones. Raises StorageAway.
    """
    try:
        top = os.open(root.address, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StorageAway(message_of(error)) from None
    try:
        with _opened(top, job) as directory:
            if directory is None:
                return
            days = [each for each in _subdirectories(directory) if layout.is_day(each)]
            for day in sorted(each for each in days if each >= since)[-most:]:
                found = _named(directory, job, day, f"{whose}-{day[:4]}")
                yield from _but_unread(f"{job}/{day}", found)
    except OSError as error:
        raise StorageAway(f"{root.path}: {error.strerror}") from None
    finally:
        os.close(top)


def entry(root: Root, place: Place) -> Entry | None:
    """What lies at one place now; None where nothing does. Raises OSError."""
    *above, name = place.path.split("/")
    with opened_below(root.address, above) as directory:
        names = [name, *(name + suffix for suffix in layout.BESIDE)]
        there = {each for each in names if _exists(directory, each)}
        trees = {each for each in there if _is_directory(directory, each)}
        found = gathering.entries(
            place.job, place.day, trees, there - trees, partial(_read, directory)
        )
        return next((each for each in found if each.place == place), None)


def marked_at(root: Root, backup: Backup) -> datetime | None:
    """When the mark beside a backup was put there by this host's clock: a ctime, which no client
    sets. None where there is none, or where it lies at another host.
    """
    try:
        return datetime.fromtimestamp(os.lstat(root.whole(backup.place) + mark.SUFFIX).st_ctime)
    except OSError:
        return None


def _but_unread(path: str, found: Iterator[Entry | Unread]) -> Iterator[Entry | Unread]:
    """What is found in a directory, as long as it can be read."""
    try:
        yield from found
    except OSError as error:
        yield Unread(path, error.strerror or str(error))


def _of_job(top: int, job: str) -> Iterator[Entry | Unread]:
    with _opened(top, job) as directory:
        if directory is None:
            return
        days = []
        trees: set[str] = set()
        beside: set[str] = set()
        with os.scandir(directory) as found:
            for entry in found:
                if not entry.is_dir(follow_symlinks=False):
                    beside.add(entry.name)
                elif layout.is_day(entry.name):
                    days.append(entry.name)
                else:
                    trees.add(entry.name)
        yield from gathering.entries(job, "", trees, beside, partial(_read, directory))
        for day in days:
            yield from _but_unread(f"{job}/{day}", _of_day(directory, job, day))


def _of_day(above: int, job: str, day: str) -> Iterator[Entry]:
    with _opened(above, day) as directory:
        if directory is None:
            return
        trees: set[str] = set()
        beside: set[str] = set()
        with os.scandir(directory) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    trees.add(entry.name)
                else:
                    beside.add(entry.name)
        yield from gathering.entries(job, day, trees, beside, partial(_read, directory))


def _named(above: int, job: str, day: str, prefix: str) -> Iterator[Entry]:
    """The fulls of a day whose names begin so: few of the thousand that may lie there."""
    with _opened(above, day) as directory:
        if directory is None:
            return
        names = {name for name in os.listdir(directory) if name.startswith(prefix)}
        trees = {name for name in names if _is_directory(directory, name)}
        yield from gathering.entries(job, day, trees, names - trees, partial(_read, directory))


def _exists(above: int, name: str) -> bool:
    try:
        os.lstat(name, dir_fd=above)
    except FileNotFoundError:
        return False
    return True


def _is_directory(above: int, name: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(name, dir_fd=above).st_mode)
    except FileNotFoundError:
        return False


def _read(directory: int, place: Place) -> Claim:
    """The mark of a backup. Raises OSError and BadValue."""
    data = read_below(directory, place.name + mark.SUFFIX, form.LARGEST + 1)
    return claim.read(data, place.path)


def _subdirectories(directory: int) -> list[str]:
    with os.scandir(directory) as found:
        return [entry.name for entry in found if entry.is_dir(follow_symlinks=False)]


@contextmanager
def _opened(above: int, name: str) -> Iterator[int | None]:
    """A directory that is no link; None where it has gone meanwhile."""
    try:
        descriptor = os.open(name, _DIRECTORY, dir_fd=above)
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)
