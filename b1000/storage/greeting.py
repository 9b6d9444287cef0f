"""Whether a daemon greets, and lets in or refuses, in time and in so many words.

rsync refuses --contimeout where it reaches a daemon through a helper, and its --timeout begins
behind the greeting. Until a module answers, each byte of a daemon is a sign of life for rsync:
a message of the day that never ends, or of which a byte comes now and then, would hold it for ever.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from math import inf

from b1000.named import NamedTuple
from b1000.rsync import transport

LATE = "{} did not answer in time (connect_timeout)"
SLOW = "{} answered, and did not say in time whether the module can be used (io_timeout)"
LONG = "{} says more than 1 MiB (a message of the day?) before its module answers"
"""What is said of such a daemon."""
TROUBLES = (LATE, SLOW, LONG)

_MOST_WORDS = 2**20  # bytes
_MARGIN = 5.0  # seconds more than rsync gets to notice by itself that nobody says anything
# Of rsync, each in one write: a greeting, the module, and what a password makes of it.
_OWN_WORDS = 3
_TIMEOUT = "--timeout="


class _Said(NamedTuple):
    """What a process has read and written (proc(5)): bytes read, and how often it did both."""

    read: int
    reads: int
    writes: int


class GreetingWatch:
    """Watches one rsync, which it is made for as that starts; seconds, 0: no limit.

    rsync says its own greeting first, in one write, and nothing more before it has the other. It
    reads each byte by itself as long as no module has answered, and never again.
    """

    def __init__(
        self,
        connect_timeout: int,
        io_timeout: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        helped: bool,
    ) -> None:
        self._greeted = clock() + connect_timeout if helped and connect_timeout else inf
        limit = connect_timeout + io_timeout + _MARGIN
        self._let_in = clock() + limit if io_timeout else inf
        self._clock = clock

    def trouble(self, pid: int) -> str:
        """One of :data:`TROUBLES` where there is one, or ""."""
        said = _said(pid)
        if said.reads > _MOST_WORDS and said.read < 2 * said.reads:
            return LONG
        if said.writes > _OWN_WORDS:
            return ""
        now = self._clock()
        if said.writes == 1:
            return LATE if now > min(self._greeted, self._let_in) else ""
        return SLOW if said.writes and now > self._let_in else ""


def watched(argv: Sequence[str], connect_timeout: int) -> GreetingWatch | None:
    """A watch for an rsync that starts now; None where it reaches no daemon."""
    end = argv.index("--") if "--" in argv else len(argv)
    if not any(word.startswith("rsync://") for word in argv[end:]):
        return None
    given = [word.removeprefix(_TIMEOUT) for word in argv[:end] if word.startswith(_TIMEOUT)]
    return GreetingWatch(
        connect_timeout, int(given[-1]) if given else 0, helped=transport.has_helper(argv)
    )


def _said(pid: int) -> _Said:
    with contextlib.suppress(OSError, IndexError, ValueError):
        with open(f"/proc/{pid}/io", encoding="ascii") as file:
            read, _, reads, writes = (int(line.split()[1]) for line in file.readlines()[:4])
        return _Said(read, reads, writes)
    return _Said(0, 0, 0)
