"""Removes a backup so that what is left of it never looks complete, whenever that ends.

Its mark goes first, then its list of sums; then its directory is renamed into
``.b1000-removed`` of its root, and only there its files go. What an earlier removal left there
is removed by the next one. Nothing is reached through a link, and no other file system.
"""

import contextlib
import errno
import os
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence

from b1000.errors import B1000Error, message_of
from b1000.files import is_immutable, opened_below, walked
from b1000.named import NamedTuple
from b1000.storage import layout, mounts
from b1000.verify import condemning
from b1000.verify.tree import Tree

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_IDLE = ("nice", "-n", "19", "ionice", "-c", "3")


class NotRemoved(B1000Error):
    """A backup, or what is left of one, could not be removed."""


class OutOfTime(B1000Error):
    """The time for removals is over."""


class Removals(NamedTuple):
    """Removals below one root. ``until`` is a time of the monotonic clock, None for no end."""

    root: str
    until: float | None = None

    def take(self, place: str) -> str:
        """Move a backup into ``.b1000-removed``, its mark first; gives its name there.

        ``place`` is its directory below the root. Raises NotRemoved.
        """
        self.check_time()
        *above, name = place.split("/")
        try:
            with opened_below(self.root, above) as directory:
                self._check(directory, name)
                self._check_removed()
                for suffix in layout.BESIDE:
                    if suffix != layout.KEEP:
                        _unlink(directory, name + suffix)
                condemning.forget(Tree(self.root, place))
                os.fsync(directory)  # no file goes while a power cut may bring the mark back
                with self._removed(make=True) as removed:
                    _make_movable(directory, name)
                    # Unique in a directory that only removals write to, one at a time.
                    new = f"{time.time_ns()}-{name[:200]}"
                    os.rename(name, new, src_dir_fd=directory, dst_dir_fd=removed)
            self._drop_day(above)
        except OSError as error:
            raise NotRemoved(message_of(error)) from None
        return new

    def _check(self, directory: int, name: str) -> None:
        """What would be in the way is found before the mark goes: a whole backup keeps it."""
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            raise NotRemoved("it is no directory")
        if status.st_dev != os.fstat(directory).st_dev:
            raise NotRemoved("another file system is mounted there")
        if _exists(directory, name + layout.KEEP):
            raise NotRemoved("NAME.keep lies beside it by now")
        if os.geteuid() not in (0, status.st_uid) and not _may_write(directory, name):
            raise NotRemoved("it is another user's, who alone may move it")
        if is_immutable(directory, name):
            raise NotRemoved("Operation not permitted: it cannot be changed (chattr -i, -a)")

    def _check_removed(self) -> None:
        try:
            with self._removed(make=True):
                pass
        except OSError as error:
            # On a disk that is full the space of the mark may be the first that there is.
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise

    def _drop_day(self, above: list[str]) -> None:
        """An empty directory of a day goes too; of today's, a push may be about to use it."""
        today = time.strftime("%Y-%m-%d")
        if len(above) == 2 and above[1][:10] < today:
            with contextlib.suppress(OSError), opened_below(self.root, above[:1]) as job:
                os.rmdir(above[1], dir_fd=job)

    @contextlib.contextmanager
    def _removed(self, make: bool) -> Iterator[int]:
        with opened_below(self.root, ()) as top:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(layout.REMOVED, 0o700, dir_fd=top)
            removed = os.open(layout.REMOVED, _DIRECTORY, dir_fd=top)
            try:
                if os.fstat(removed).st_dev != os.fstat(top).st_dev:
                    raise NotRemoved(f"{self.root}/{layout.REMOVED} is another file system")
                yield removed
            finally:
                os.close(removed)

    def left(self) -> list[str]:
        """The names of what waits in ``.b1000-removed``, oldest first."""
        try:
            with self._removed(make=False) as removed:
                return sorted(os.listdir(removed))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise NotRemoved(f"{self.root}/{layout.REMOVED}: {message_of(error)}") from None

    def delete(self, names: Sequence[str]) -> dict[str, str]:
        """Delete some of them at idle priority; gives the trouble with each that is still there.

        Raises OutOfTime.
        """
        top = os.path.join(self.root, layout.REMOVED)
        paths = {name: os.path.join(top, name) for name in names}
        inside = mounts.below(top)
        troubles = {
            name: f"{path}: a file system is mounted at {mount}; unmount it"
            for name, path in paths.items()
            for mount in inside
            if os.path.join(mount, "").startswith(os.path.join(os.path.realpath(path), ""))
        }
        free = [path for name, path in paths.items() if name not in troubles]
        if free and os.geteuid():
            # Only of directories: the modes of files are those of other backups too.
            opened = ("-type", "d", "-exec", "chmod", "u+rwx", "--", "{}", ";")
            self._run("find", "-P", *free, "-xdev", *opened)
        # rm opens each directory by its descriptor, and is as quick as anything can be.
        said = self._run("rm", "-rf", "--one-file-system", "--", *free) if free else ""
        left = {name: said for name, path in paths.items() if os.path.lexists(path)}
        return {**left, **troubles}

    def _run(self, *argv: str) -> str:
        """Run a command at idle priority; gives the first line of its trouble. OutOfTime."""
        try:
            done = subprocess.run(
                [*_IDLE, *argv],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=self._seconds(),
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"},
            )
        except subprocess.TimeoutExpired:
            raise OutOfTime(f"time is over: {self.root} has half removed backups") from None
        except OSError as error:
            return message_of(error)
        if not done.returncode:
            return ""
        said = done.stderr.decode(errors="backslashreplace").splitlines()
        return said[0] if said else f"{argv[0]} ended with {done.returncode}"

    def _seconds(self) -> float | None:
        return None if self.until is None else max(self.until - time.monotonic(), 0.001)

    def check_time(self) -> None:
        """Raises OutOfTime once it is over."""
        if self.until is not None and time.monotonic() >= self.until:
            raise OutOfTime("the time for removals is over")


def _unlink(directory: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


def _exists(directory: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _may_write(directory: int, name: str) -> bool:
    return os.access(name, os.W_OK, dir_fd=directory, effective_ids=True)


def _make_movable(directory: int, name: str) -> None:
    """What moves to another directory is written to, which root alone may do in any mode."""
    if os.geteuid() and not _may_write(directory, name):
        descriptor = os.open(name, os.O_PATH | _DIRECTORY, dir_fd=directory)
        try:
            os.chmod(f"/proc/self/fd/{descriptor}", 0o700)
        finally:
            os.close(descriptor)


def newest_change(path: str) -> float:
    """The newest ctime in a tree, in seconds; mtimes are those of its source. OSError."""
    newest = os.lstat(path).st_ctime
    for status in _states(path, _unless_gone):
        newest = max(newest, status.st_ctime)
    return newest


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _states(path: str, failed: Callable[[OSError], None]) -> Iterator[os.stat_result]:
    """Of all in a tree."""
    try:
        top = os.open(path, _DIRECTORY)
    except OSError as error:
        failed(error)
        return
    try:
        for _, entry in walked(top, failed):
            try:
                yield entry.stat(follow_symlinks=False)
            except OSError as error:
                failed(error)
    finally:
        os.close(top)


def freed_by(path: str) -> int:
    """The bytes that removing this tree alone would free: of inodes with no name elsewhere."""
    blocks: dict[int, list[int]] = {}
    total = 0
    for status in _states(path, lambda _: None):
        if stat.S_ISDIR(status.st_mode) or status.st_nlink == 1:
            total += status.st_blocks * 512
        else:
            known = blocks.setdefault(status.st_ino, [0, status.st_nlink, status.st_blocks])
            known[0] += 1
    return total + sum(size * 512 for found, links, size in blocks.values() if found == links)
