"""Files: opened without waiting and looked at first, and replaced as a whole."""

import contextlib
import errno
import fcntl
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from b1000.expressions import expression

_WITHOUT_WAITING = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_LONG = 8 if sys.maxsize > 2**32 else 4
_GET_FLAGS = 2 << 30 | _LONG << 16 | ord("f") << 8 | 1  # FS_IOC_GETFLAGS
_IMMUTABLE = 0x10 | 0x20  # FS_IMMUTABLE_FL, FS_APPEND_FL
_KINDS = {
    stat.S_IFDIR: "is a directory",
    stat.S_IFIFO: "is a FIFO",
    stat.S_IFCHR: "is a device",
    stat.S_IFBLK: "is a device",
    stat.S_IFSOCK: "is a socket",
    stat.S_IFLNK: "is a symbolic link",
}

_PASSWORD_FILE = "--password-file="
_TEMPORARY = expression(r"\.b1000-[0-9a-f]{16}")


def refuse_special(path: Path | str, follow: bool) -> None:
    """Raise OSError where something stands that is no regular file; nothing may stand there.

    The error says what it is. ``follow``: a link stands for what it leads to. Links are followed
    where only the operator can have made them, and nowhere else.
    """
    try:
        status = os.stat(path, follow_symlinks=follow)
    except FileNotFoundError:
        return
    _check(status, path)


def refuse_special_password_file(argv: Sequence[str]) -> None:
    """Raise OSError where an rsync would wait for a FIFO in the place of its password."""
    for word in argv:
        if word.startswith(_PASSWORD_FILE):
            path = word.removeprefix(_PASSWORD_FILE)
            try:
                refuse_special(path, follow=True)
            except OSError as error:
                what = f"its password_file {path}: {error.strerror}"
                raise OSError(error.errno, what) from None


def open_file(path: Path | str, flags: int, mode: int = 0o600, *, follow: bool) -> int:
    """Open a regular file: :func:`refuse_special` first, so that no FIFO or device blocks it.

    Gives the descriptor; raises OSError, also for whatever took the file's place meanwhile.
    """
    refuse_special(path, follow)
    descriptor = os.open(path, flags | _WITHOUT_WAITING | (0 if follow else os.O_NOFOLLOW), mode)
    try:
        _check(os.fstat(descriptor), path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check(status: os.stat_result, path: Path | str) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        what = f"{_KINDS.get(kind, 'is something else')}, not a file"
        raise OSError(errno.EISDIR if kind == stat.S_IFDIR else errno.EINVAL, what, str(path))


def read_file(path: Path | str, longest: int, *, follow: bool) -> bytes:
    """The first ``longest`` bytes of a regular file; raises OSError as :func:`open_file` does."""
    with os.fdopen(open_file(path, os.O_RDONLY, follow=follow), "rb") as file:
        return file.read(longest)


def read_below(directory: int, name: str, longest: int) -> bytes:
    """The same of a file in a directory that is open; no link is followed.

    It is not looked at first, which takes time where there are a hundred thousand: a FIFO does not
    block, and what a device does when it is opened, its storage has to prevent (nodev).
    """
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | _WITHOUT_WAITING, dir_fd=directory)
    try:
        status = os.fstat(descriptor)
        _check(status, name)
        return os.read(descriptor, min(status.st_size + 1, longest))
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def opened_below(root: str, parts: Iterable[str | bytes], make: int | None = None) -> Iterator[int]:
    """A descriptor of a directory below a root, on whose way from there is no link. OSError.

    ``make`` is the mode of those that are made where they are missing; None: none is made.
    """
    descriptor = os.open(root, _DIRECTORY)
    try:
        for part in parts:
            if make is not None:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, make, dir_fd=descriptor)
            above, descriptor = (
                descriptor,
                os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor),
            )
            os.close(above)
        yield descriptor
    finally:
        os.close(descriptor)


def is_immutable(directory: int, name: str) -> bool:
    """Whether not even root may move a directory, as `chattr` can say (ioctl_iflags(2))."""
    try:
        descriptor = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
    except PermissionError:
        return False  # nobody but its owner could say so
    try:
        answer = fcntl.ioctl(descriptor, _GET_FLAGS, bytes(_LONG))
    except OSError:
        return False  # its file system has no such flags
    finally:
        os.close(descriptor)
    return bool(int.from_bytes(answer[:4], sys.byteorder) & _IMMUTABLE)  # an int all the same


@contextlib.contextmanager
def private_directory(prefix: str) -> Iterator[str]:
    """A new directory, this user's alone, for what is written here and sent elsewhere. OSError.

    It is removed afterwards. tempfile does more, and loads hashes and archives for it.
    """
    name = f"{prefix}{os.urandom(8).hex()}"
    try:
        path = os.path.join(os.environ.get("TMPDIR") or "/tmp", name)
        os.mkdir(path, 0o700)
    except OSError:
        path = os.path.join("/var/tmp", name)
        os.mkdir(path, 0o700)
    try:
        yield path
    finally:
        _remove(path)


def _remove(directory: str) -> None:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _remove(entry.path)
            else:
                os.unlink(entry.path)
    os.rmdir(directory)


def walked(top: int, failed: Callable[[OSError], None]) -> "Iterator[tuple[str, os.DirEntry[str]]]":
    """Each entry below an open directory, with the path above it: "", or with a slash at its end.

    Whoever fills a backup decides how deep it is and how long its paths are: none is too long
    here. No link is followed. ``failed`` is told of each directory that cannot be read.
    """
    levels: list[_Level] = [(os.dup(top), "", [])]
    try:
        yield from _entries(levels[0], failed)
        while levels:
            holder, path, names = levels[-1]
            if not names:
                levels.pop()
                os.close(holder)
                continue
            name = names.pop()
            try:
                below = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=holder)
            except OSError as error:
                failed(error)
                continue
            levels.append((below, f"{path}{name}/", []))
            yield from _entries(levels[-1], failed)
    finally:
        for descriptor, _, _ in levels:
            os.close(descriptor)


_Level = tuple[int, str, list[str]]
"""An open directory, its path, and the directories in it that are still to be entered."""


def _entries(
    level: _Level, failed: Callable[[OSError], None]
) -> "Iterator[tuple[str, os.DirEntry[str]]]":
    descriptor, path, names = level
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                yield path, entry
                if entry.is_dir(follow_symlinks=False):
                    names.append(entry.name)
    except OSError as error:
        failed(error)


def make_directory(path: Path, mode: int = 0o777) -> None:
    """Make a directory and its parents, where they are missing.

    Raises OSError; NotADirectoryError where something else has its name.
    """
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None


def write_atomically(path: Path, text: str | bytes, mode: int, durable: bool = True) -> None:
    """Replace a file: readers see the old text or the new one, if it is ``durable`` also after
    a power cut.

    Raises OSError; the old file then stays as it was. That a durable one is
    there after a power cut is certain once :func:`sync_directory` has returned.
    """
    descriptor, temporary = _temporary(path, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            data = text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if durable:
                os.fsync(file.fileno())
            # Its lock goes with the descriptor: until then it bears its own name.
            os.rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _temporary(path: Path, mode: int) -> tuple[int, Path]:
    """A new file beside another one, open and locked, so that it is not removed meanwhile."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        # No other process that may write in the directory can know the name before.
        temporary = path.with_name(f".b1000-{os.urandom(8).hex()}")
        descriptor = os.open(temporary, flags, mode)
        _is_free(descriptor)
        # It may have been removed as unwritten before it had its lock.
        if temporary.exists():
            return descriptor, temporary
        os.close(descriptor)


def remove_unwritten(directory: Path) -> None:
    """Remove the temporary files of writers that were killed: their locks are free. OSError."""
    for name in filter(_TEMPORARY.fullmatch, os.listdir(directory)):
        with contextlib.suppress(OSError):
            descriptor = open_file(directory / name, os.O_RDONLY, follow=False)
            try:
                if _is_free(descriptor):
                    os.unlink(directory / name)
            finally:
                os.close(descriptor)


def _is_free(descriptor: int) -> bool:
    """Take the lock of a temporary file, which its writer has; False where another one has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def sync_directory(directory: Path) -> None:
    """Make what was written, renamed and removed in a directory survive a power cut."""
    descriptor = os.open(directory, _DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def enlarge_pipe(descriptor: int, size: int) -> int:
    """Let a pipe hold so many bytes, where the system lets it (pipe(7), "Pipe capacity").

    Gives how many it then holds.
    """
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, size)
    return fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)
