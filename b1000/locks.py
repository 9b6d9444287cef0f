"""Locks that cannot be stale: flock(2) on files that stay, held by open descriptors.

A descriptor that is inherited holds the lock too, so the lock of a run travels
into its worker and its rsyncs, and is free when the last of them has ended.
The files are never removed: a lock on a removed file would exclude nobody.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from b1000.files import make_directory, open_file

_POLL = 0.1  # seconds between attempts
_OF_REPORTS = "report@"


class Locks:
    """The locks of one journal, in the directory beside it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def beside(cls, journal: str | Path) -> "Locks":
        """Those of a journal, whose directory holds all that belongs to it."""
        return cls(Path(journal).parent / "locks")

    def take(self, name: str) -> int | None:
        """Take the lock: a descriptor that holds it, or None where somebody else does.

        ``name`` is one path component. Whoever closes the last copy of the
        descriptor releases the lock.
        """
        path = f"{self.directory}/{name}"
        try:
            descriptor = open_file(path, os.O_RDWR | os.O_CREAT, follow=False)
        except (FileNotFoundError, NotADirectoryError):
            make_directory(self.directory, 0o700)
            descriptor = open_file(path, os.O_RDWR | os.O_CREAT, follow=False)
        return _locked(descriptor)

    def know_reports(self) -> bool:
        """Whether a run was ever reported from here: the files stay.

        Not by the locks of runs: a restore in place takes them too, on a host that is new.
        """
        try:
            with os.scandir(self.directory) as found:
                return any(each.name.startswith(_OF_REPORTS) for each in found)
        except OSError:
            return False

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold a lock for the length of a ``with``, waiting for it as long as it takes."""
        while (descriptor := self.take(name)) is None:
            time.sleep(_POLL)
        try:
            yield
        finally:
            os.close(descriptor)

    def acquire_slot(self, name: str, count: int) -> int | None:
        """Take one of ``count`` equal permits, as :meth:`take` does."""
        for number in range(1, count + 1):
            descriptor = self.take(f"{name}@{number}")
            if descriptor is not None:
                return descriptor
        return None


def take_directory(path: Path) -> int | None:
    """Lock a directory by itself, for those too who have another journal; made where missing.

    Gives what :meth:`Locks.take` gives; raises OSError where it cannot be made or locked.
    """
    path.mkdir(parents=True, exist_ok=True)
    return _locked(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


def _locked(descriptor: int) -> int | None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def run_lock(job: str, instance: str) -> str:
    """The name of the lock of a job/instance; ``@`` stands in no name."""
    return f"run@{job}@{instance}"
