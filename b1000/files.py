"""Files that are replaced as a whole."""

import contextlib
import os
import re
import time
from pathlib import Path

_TEMPORARY = re.compile(r"\.b1000-[0-9a-f]{16}")
_STALE = 3600  # seconds after which nobody is still writing a temporary file


def write_atomically(path: Path, text: str, mode: int, durable: bool = True) -> None:
    """Replace a file: readers see the old text or the new one, if it is ``durable`` also after
    a power cut.

    Raises OSError; the old file then stays as it was. That a durable one is
    there after a power cut is certain once :func:`sync_directory` has returned.
    """
    # Nobody else who may write in the directory can know the name before.
    temporary = path.with_name(f".b1000-{os.urandom(8).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fchmod(file.fileno(), mode)
            if durable:
                os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_stale(directory: Path) -> None:
    """Remove the temporary files that writers left when they were killed."""
    before = time.time() - _STALE
    for name in filter(_TEMPORARY.fullmatch, os.listdir(directory)):
        with contextlib.suppress(OSError):
            if os.lstat(directory / name).st_mtime < before:
                os.unlink(directory / name)


def sync_directory(directory: Path) -> None:
    """Make what was written, renamed and removed in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
