"""Directories at the target of a restore: one in which files arrive, and those that stay as
they are.
"""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from b1000.rsync.restoring import RECEIVING

_TRIES = 20  # what a killed rsync was about to make may come a moment later
_PAUSE = 0.05  # seconds


@contextmanager
def directory(above: str) -> Iterator[str]:
    """A directory for files that are not whole yet, which goes with all that was left in it.

    Whatever a restore that was killed has left goes first. ``above`` keeps the time that it has
    got meanwhile. Raises OSError.
    """
    path = os.path.join(os.path.realpath(above), RECEIVING)
    before = os.stat(above)
    _remove(path)
    os.mkdir(path, 0o700)
    try:
        os.utime(above, ns=(before.st_atime_ns, before.st_mtime_ns))
        yield path
    finally:
        with suppress(OSError):
            got = os.stat(above)
            _remove(path)
            os.utime(above, ns=(got.st_atime_ns, got.st_mtime_ns))


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


@contextmanager
def kept_as_it_is(directory: str) -> Iterator[None]:
    """A directory in which something is put keeps its own owner, mode and times."""
    if not directory:
        yield
        return
    before = os.stat(directory)
    try:
        yield
    finally:
        _put_back(directory, before)


def _put_back(directory: str, before: os.stat_result) -> None:
    now = os.stat(directory)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        os.chown(directory, before.st_uid, before.st_gid)
    if now.st_mode != before.st_mode:
        os.chmod(directory, stat.S_IMODE(before.st_mode))
    os.utime(directory, ns=(before.st_atime_ns, before.st_mtime_ns))
