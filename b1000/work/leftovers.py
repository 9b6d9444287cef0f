"""A walk of our own below a local destination: what killed attempts left, and what is not ours.

All is opened from a directory's descriptor, component by component; no link is followed,
whoever may write there, and whatever is exchanged meanwhile. rsync removes and moves nothing.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Collection, Iterator

from b1000.logs import printable
from b1000.rsync import names
from b1000.work.waiting import sleep

_BREATH = 500  # entries after which others have a turn
_SLACK = 0.02  # seconds by which the clock of a file system is behind that of the system
_CLOSED = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFREG: "a file",
}

_Visit = Callable[[str, "os.DirEntry[str]"], bool]
"""Is given a directory below the top, "" or ending in a slash, and an entry; False: stay out."""


async def stranger(directory: str) -> str:
    """What below ``directory`` bears a name of ours and is not ours, in words; "" where nothing.

    Ours is a directory that belongs to this user, or to whom the file system shows in its stead,
    and that nobody else may write into.
    """
    found: list[str] = []

    def visit(below: str, entry: "os.DirEntry[str]") -> bool:
        if not entry.name.startswith(names.OURS):
            return True
        state = _state(entry)
        trouble = _trouble(state, ours) if state else ""
        if trouble:
            path = printable(os.path.join(directory, below, entry.name))
            found.append(f"{path} is {trouble}, not a directory that B1000 made; remove it")
        return False

    with _top(directory) as top:
        if top is None:
            return ""
        ours = _ours(directory)
        await _all(_walked(top, visit), lambda: bool(found))
    return found[0] if found else ""


async def temporary(directory: str, since: float, shared: bool) -> list[str]:
    """The paths below ``directory`` of files made since then that may be of a killed receiver.

    Where it is ``shared`` with files of the user's own, a file of the name that it was to get
    must be beside it.
    """
    found: list[str] = []

    def visit(below: str, entry: "os.DirEntry[str]") -> bool:
        if names.is_temporary(entry.name) and entry.is_file(follow_symlinks=False):
            state = _state(entry)
            if state and state.st_nlink == 1 and state.st_ctime >= since - _SLACK:
                found.append(below + entry.name)
        return True

    with _top(directory) as top:
        if top is not None:
            await _all(_walked(top, visit))
    return [path for path in found if not shared or _has_sibling(os.path.join(directory, path))]


def _has_sibling(path: str) -> bool:
    above, name = os.path.split(path)
    wanted = names.wanted(name)
    return not wanted or any(os.path.lexists(os.path.join(above, each)) for each in wanted)


async def remove(directory: str, paths: Collection[str]) -> None:
    """Remove files below ``directory``, and all directories there for partial files. OSError."""
    partial: list[str] = []

    def visit(below: str, entry: "os.DirEntry[str]") -> bool:
        if entry.name != names.PARTIAL_DIRECTORY:
            return True
        state = _state(entry)
        if state and not _trouble(state, ours):
            partial.append(f"{below}{entry.name}/")
        return False

    with _top(directory) as top:
        if top is None:
            return
        ours = _ours(directory)
        for path in paths:
            below, _, name = path.rpartition("/")
            with _opened(top, f"{below}/") as parent, contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=parent)
        await _all(_walked(top, visit))
        for path in partial:
            await _all(_emptied(top, path))
            _remove_directory(top, path)


async def clear(directory: str) -> None:
    """Remove all that is below ``directory``; raises OSError where something stays."""
    if os.path.islink(directory):
        raise NotADirectoryError(errno.ENOTDIR, "it is a symbolic link", directory)
    with _top(directory) as top:
        if top is not None:
            await _all(_emptied(top, ""))


def _state(entry: "os.DirEntry[str]") -> os.stat_result | None:
    """What an entry is; None where it is gone."""
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


async def _all(steps: Iterator[None], enough: Callable[[], bool] = lambda: False) -> None:
    """Go all steps, and give others a turn at each."""
    for _ in steps:
        if enough():
            return
        await sleep(0)


def _ours(directory: str) -> frozenset[int]:
    """The user ids that are ours there: a server may show another one for ours."""
    return frozenset({os.geteuid(), os.stat(os.path.dirname(directory)).st_uid})


def _trouble(state: os.stat_result, ours: Collection[int]) -> str:
    """Why what bears a name of ours is not ours; "" where it is."""
    if not stat.S_ISDIR(state.st_mode):
        return _KINDS.get(stat.S_IFMT(state.st_mode), "something else")
    if state.st_uid not in ours:
        return f"a directory of user {state.st_uid}"
    return "a directory that others may write into" if state.st_mode & 0o022 else ""


@contextlib.contextmanager
def _top(directory: str) -> Iterator[int | None]:
    """The directory itself, which may be reached by links of the user's; None: there is none."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _opened(top: int, path: str) -> Iterator[int]:
    """A directory below another; ``path`` is "" or ends in a slash."""
    descriptor = os.dup(top)
    try:
        for name in filter(None, path.split("/")):
            below = os.open(name, _CLOSED, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


_PASSED_BY = (FileNotFoundError, NotADirectoryError, PermissionError)


def _walked(top: int, visit: _Visit) -> Iterator[None]:
    """Look at each entry below ``top`` on its file system."""
    device = os.fstat(top).st_dev
    pending, count = [""], 0
    while pending:
        path = pending.pop()
        # What is gone, closed or no directory any more is rsync's to tell of.
        with contextlib.suppress(*_PASSED_BY), _opened(top, path) as descriptor:
            if os.fstat(descriptor).st_dev != device:
                continue
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    if visit(path, entry) and entry.is_dir(follow_symlinks=False):
                        pending.append(f"{path}{entry.name}/")
                    count += 1
                    if count % _BREATH == 0:
                        yield
    yield


def _emptied(top: int, path: str) -> Iterator[None]:
    """Remove all below a directory, the deepest first; raises OSError."""
    device = os.fstat(top).st_dev
    pending = [path]
    while pending:
        at = pending[-1]
        with _opened(top, at) as descriptor:
            state = os.fstat(descriptor)
            if state.st_dev != device:
                raise OSError(errno.EXDEV, "another file system is mounted there", at)
            if state.st_mode & 0o300 != 0o300 and state.st_uid == os.geteuid():
                os.fchmod(descriptor, state.st_mode | 0o300)
            below = []
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        below.append(f"{at}{entry.name}/")
                    else:
                        os.unlink(entry.name, dir_fd=descriptor)
        yield
        if below:
            pending += below
        elif pending.pop() != path:
            _remove_directory(top, at)


def _remove_directory(top: int, path: str) -> None:
    above, _, name = path.rstrip("/").rpartition("/")
    with _opened(top, f"{above}/") as parent:
        os.rmdir(name, dir_fd=parent)
