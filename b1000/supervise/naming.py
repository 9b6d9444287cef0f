"""The names of new runs, kept apart among all b1000 of this machine and user.

A journal gives no second twice to a job/instance. Another journal knows nothing of that, so the
second that names a run is noted in one small file of the machine: for each name at each daemon, by
its checksum, the last second that was taken. A local directory needs no note: who makes it, has it.
"""

import contextlib
import fcntl
import os
import socket
import struct
import zlib

from b1000.files import open_file
from b1000.jobs import Job
from b1000.runs.task import Task

_SLOTS = 1 << 16  # two names in one slot only wait for each other
_SLOT = struct.Struct("=q")
_SET_BACK = 60  # seconds; a second that is noted further ahead is one of a clock that was set back


class Reservations:
    """Takes seconds for the runs of one program; ``host`` is the name in its backups."""

    def __init__(self, host: str, place: str | None = None) -> None:
        self._host = host
        self._file: int | None = None
        with contextlib.suppress(OSError):
            flags = os.O_RDWR | os.O_CREAT
            self._file = open_file(place or _place(), flags, follow=False)
        self.are_of_machine = self._file is not None and host == socket.gethostname()
        """Whether no other run makes a backup of such a name: it is this machine's, and noted."""

    def reserve(self, task: Task, second: int) -> int:
        """Take a second for a run; gives that, or the first that is free where it is taken."""
        at = [self._slot(task, path) for path in _daemons(task)] if self._file is not None else []
        # Each of them is taken, also where another one is not free: at most a second is lost.
        return max((self._take(each, second) for each in at), default=second)

    def _slot(self, task: Task, path: str) -> int:
        """Where the file has the last second of a name at a daemon."""
        words = "/".join((self._host, task.job.name, task.instance, path))
        return zlib.crc32(words.encode()) % _SLOTS * _SLOT.size

    def _take(self, at: int, second: int) -> int:
        assert self._file is not None
        fcntl.lockf(self._file, fcntl.LOCK_EX, _SLOT.size, at)
        try:
            (last,) = _SLOT.unpack(os.pread(self._file, _SLOT.size, at).ljust(_SLOT.size, b"\0"))
            if second <= last < second + _SET_BACK:
                return int(last) + 1
            os.pwrite(self._file, _SLOT.pack(second), at)
        except OSError:
            return second  # a full disk, perhaps: the run goes on without
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, _SLOT.size, at)
        return second

    def close(self) -> None:
        """Close the file; what was taken stays so."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _daemons(task: Task) -> list[str]:
    """The rsync addresses below which a run makes directories."""
    if not isinstance(task.job, Job):
        return []
    return [each.path for each in task.job.destinations.values() if each.remote]


def _place() -> str:
    """In memory, where the next boot finds nothing; of root, or of one user alone."""
    if not os.getuid():
        return "/run/b1000-names"
    directory = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return os.path.join(directory, "b1000-names")
