"""Files that are replaced as a whole."""

import os
from pathlib import Path


def write_atomically(path: Path, text: str, mode: int) -> None:
    """Replace a file: readers see the old text or the new one, also after a power cut.

    Raises OSError; the old file then stays as it was. That the new one is
    there after a power cut is certain once :func:`sync_directory` has returned.
    """
    temporary = path.with_name(f".b1000-{os.getpid()}")
    temporary.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_directory(directory: Path) -> None:
    """Make what was written, renamed and removed in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
