"""Guards of a copy under way: what rsync itself does not notice."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator

from b1000 import figures
from b1000.jobs import Destination

_EVERY = 5.0  # seconds between looks at the progress of a copy
_MARGIN = 5.0  # seconds more than rsync gets to notice by itself


class Space:
    """Watches the free space of a local destination."""

    def __init__(self, destination: Destination) -> None:
        assert destination.min_free
        self._least = destination.min_free
        self._destination = destination.path
        self._path = destination.path
        while not os.path.exists(self._path):
            self._path = os.path.dirname(self._path)

    def short(self) -> str | None:
        """Why copying must not go on; None where there is space enough."""
        try:
            space = os.statvfs(self._path)
        except OSError as error:
            return f"the free space at {self._destination} cannot be seen: {error.strerror}"
        free = space.f_bavail * space.f_frsize
        least = self._least.bytes_of(space.f_blocks * space.f_frsize)
        if free >= least:
            return None
        return (
            f"only {_amount(free, least)} are free at {self._destination}, "
            f"less than the {_amount(least, free)} of min_free: free some, or lower it"
        )


def _amount(count: int, beside: int) -> str:
    """A number of bytes, in a unit in which it can be told from the one that stands beside it."""
    same = figures.size(count) == figures.size(beside)
    return f"{count} B" if same else figures.size(count).replace(".0 ", " ")


class StallWatch:
    """Watches whether an rsync still does anything at all.

    rsync's own --timeout misses some hangs: a sender whose peer froze after
    everything was sent, or an rsync that was stopped. A long silent checksum
    is no hang: it reads, and uses the processor.
    """

    def __init__(self, io_timeout: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = io_timeout + max(_MARGIN, io_timeout / 10)
        self._clock = clock
        self._seen: tuple[int, ...] = ()
        self._looked = self._moved = clock()

    def stalled(self, pid: int) -> bool:
        """Whether the process and its children have done nothing for longer than io_timeout."""
        now = self._clock()
        if now - self._looked < _EVERY:
            return False
        self._looked = now
        work = tuple(amount for each in _with_children(pid) for amount in _work_of(each))
        if work != self._seen:
            self._seen = work
            self._moved = now
        return now - self._moved > self._limit


def _with_children(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children") as file:
        for child in file.read().split():
            yield from _with_children(int(child))


def _work_of(pid: int) -> tuple[int, ...]:
    """Bytes read and written, and processor time, of one process (proc(5))."""
    amounts: list[int] = []
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/io", encoding="ascii") as file:
            amounts += [int(line.split()[1]) for line in file.readlines()[:2]]
        with open(f"/proc/{pid}/stat", "rb") as stat:
            amounts += [int(field) for field in stat.read().rpartition(b")")[2].split()[11:13]]
    return tuple(amounts)
