"""Directories at the target of a restore: one in which files arrive, and those that stay as
they are.
"""

import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from b1000.files import opened_below
from b1000.named import NamedTuple
from b1000.rsync import names
from b1000.rsync.restoring import RECEIVING
from b1000.verify.tree import Tree

_NOTE = ".b1000-above"
_TRIES = 20  # what a killed rsync was about to make may come a moment later
_PAUSE = 0.05  # seconds
_SLACK = 1.0  # seconds by which the clock of a file system may be behind


class _Look(NamedTuple):
    """What a directory keeps."""

    uid: int
    gid: int
    mode: int
    times: tuple[int, int]


@contextmanager
def directory(above: str) -> Iterator[None]:
    """A directory for files that are not whole yet, which goes with all that was left in it.

    Whatever a restore that was killed has left goes first. ``above`` keeps the time that it has
    got meanwhile. Raises OSError.
    """
    path = _path(above)
    before = _look(above)
    _remove(path)
    os.mkdir(path, 0o700)
    try:
        _note(path, before)
        _set_times(above, before.times)
        yield
    finally:
        with suppress(OSError):
            status = os.stat(above)
            _remove(path)
            _set_times(above, (status.st_atime_ns, status.st_mtime_ns))


@contextmanager
def kept_as_it_is(directory: str) -> Iterator[None]:
    """A directory in which something is put keeps its own owner, mode and times."""
    if not directory:
        yield
        return
    before = _look(directory)
    try:
        yield
    finally:
        _put_back(directory, before)


def _path(above: str) -> str:
    return os.path.join(above, RECEIVING)


def _look(directory: str) -> _Look:
    """What it is to keep: the times that it had before a restore that was killed."""
    status = os.stat(directory)
    times = status
    with suppress(OSError):
        noted = os.lstat(os.path.join(_path(directory), _NOTE))
        if stat.S_ISREG(noted.st_mode) and noted.st_uid == os.geteuid():
            times = noted
    mode = stat.S_IMODE(status.st_mode)
    return _Look(status.st_uid, status.st_gid, mode, (times.st_atime_ns, times.st_mtime_ns))


def _note(path: str, before: _Look) -> None:
    """A file keeps the times of the directory above, should this program be killed."""
    note = os.path.join(path, _NOTE)
    os.close(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    os.utime(note, ns=before.times)


def _put_back(directory: str, before: _Look) -> None:
    now = os.stat(directory)
    if (now.st_uid, now.st_gid) != (before.uid, before.gid):
        os.chown(directory, before.uid, before.gid)
    if stat.S_IMODE(now.st_mode) != before.mode:
        os.chmod(directory, before.mode)
    if (now.st_atime_ns, now.st_mtime_ns) != before.times:
        _set_times(directory, before.times)


def _set_times(directory: str, times: tuple[int, int]) -> None:
    """Of a directory of somebody else only root can. Raises OSError."""
    try:
        os.utime(directory, ns=times)
    except PermissionError:
        if os.geteuid() in (0, os.stat(directory).st_uid):
            raise


def _remove(path: str) -> None:
    """Remove it and the files in it; what is no directory goes too. Raises OSError."""
    for left in reversed(range(_TRIES)):
        try:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                os.unlink(path)
                return
            for name in os.listdir(path):
                with suppress(FileNotFoundError):
                    os.unlink(os.path.join(path, name))
            os.rmdir(path)
            return
        except FileNotFoundError:
            return
        except OSError:
            if not left:
                raise
            time.sleep(_PAUSE)


class Leftover(NamedTuple):
    """What a killed rsync has left of a file; ``wanted`` is the file, "" where it needs none."""

    name: str
    wanted: str = ""


def remove_leftovers(
    target: str, leftovers: Iterable[Leftover], since: float, *, resumed: bool
) -> None:
    """Remove files of these names that were made since then; no link is followed.

    With ``resumed`` the next rsync of a file goes on from the largest that is left of it.
    """
    for each in leftovers:
        *above, last = os.fsencode(each.name).split(b"/")
        with suppress(OSError), Tree(target, ".").opened(*above) as directory:
            status = os.stat(last, dir_fd=directory, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode) or status.st_ctime < since - _SLACK:
                continue
            wanted = os.fsencode(each.wanted).rpartition(b"/")[2] if resumed else b""
            if not (wanted and _is_kept(directory, last, wanted, status.st_size)):
                os.unlink(last, dir_fd=directory)


def _is_kept(directory: int, left: bytes, wanted: bytes, size: int) -> bool:
    """Whether it lies now where rsync looks for a part of its file. Raises OSError."""
    with suppress(FileExistsError):
        os.mkdir(names.PARTIAL_DIRECTORY, 0o700, dir_fd=directory)
    with opened_below(f"/proc/self/fd/{directory}", [names.PARTIAL_DIRECTORY]) as kept:
        with suppress(FileNotFoundError):
            if os.stat(wanted, dir_fd=kept, follow_symlinks=False).st_size >= size:
                return False
        os.rename(left, wanted, src_dir_fd=directory, dst_dir_fd=kept)
    return True
