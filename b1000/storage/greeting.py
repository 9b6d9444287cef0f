"""Whether a daemon that an rsync reaches through a helper greets in time.

rsync refuses --contimeout there, and its --timeout begins behind the greeting.
"""

import contextlib
import time
from collections.abc import Callable, Sequence

from b1000.rsync import transport

LATE = "{} did not answer in time (connect_timeout)"
"""What is said of such a daemon."""


class GreetingWatch:
    """Watches one rsync, which it is made for as that starts; seconds.

    rsync says its own greeting first, in one write, and nothing more before it has the other.
    """

    def __init__(self, connect_timeout: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._until = clock() + connect_timeout
        self._clock = clock

    def late(self, pid: int) -> bool:
        """Whether connect_timeout is over, and the rsync still waits for the first word."""
        return self._clock() > self._until and _waits(pid)


def watched(argv: Sequence[str], connect_timeout: int) -> GreetingWatch | None:
    """A watch for an rsync that starts now; None where rsync itself looks at the clock."""
    if connect_timeout and transport.has_helper(argv):
        return GreetingWatch(connect_timeout)
    return None


def _waits(pid: int) -> bool:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/io", encoding="ascii") as file:
        return "syscw: 1\n" in file.read()
    return False
