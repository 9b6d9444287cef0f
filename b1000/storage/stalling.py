"""Whether an rsync still does anything at all, which it does not always notice by itself.

rsync's own --timeout misses some hangs: an rsync that was stopped, and a peer that froze after
everything was sent, while its system goes on to acknowledge what comes. To such a peer rsync
sends a few bytes now and then, and takes its own words for a sign of life.
"""

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence

from b1000.named import NamedTuple

_EVERY = 5.0  # seconds between looks
_MARGIN = 5.0  # seconds more than rsync gets to notice by itself
_CHATTER = 2048  # bytes that are no work: rsync's signs of life
_MOMENT = 20  # clock ticks (a fifth of a second) of a processor that are no work
_BY_CONTENT = 12  # times io_timeout
_HELPERS = frozenset({b"ssh", b"openssl"})  # they have words with the peer's system
_COMPARES = re.compile(r"--checksum$|-[^-]*c")


class _Work(NamedTuple):
    """What processes have done: bytes read and written, and clock ticks of a processor."""

    read: int
    written: int
    ticks: int


class StallWatch:
    """Watches an rsync, which has io_timeout seconds; a long silent checksum here is no hang: it
    reads, and uses the processor.

    What a ``remote`` peer does cannot be seen. One that is well says a word twice in io_timeout,
    but for the time in which it compares a file ``by_content``.
    """

    def __init__(
        self,
        io_timeout: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        remote: bool = False,
        by_content: bool = False,
    ) -> None:
        patience = io_timeout * (_BY_CONTENT if remote and by_content else 1)
        self._limit = patience + max(_MARGIN, io_timeout / 10)
        self._heard = 0 if remote else _CHATTER
        self._clock = clock
        self._seen: tuple[frozenset[int], _Work] = frozenset(), _Work(0, 0, 0)
        self._looked = self._moved = clock()

    def stalled(self, pid: int) -> bool:
        """Whether the process and its children have done nothing for too long."""
        now = self._clock()
        if now - self._looked < _EVERY:
            return False
        self._looked = now
        works = {each: work for each in _with_children(pid) if (work := _work_of(each))}
        done = _Work(*map(sum, zip(*works.values(), strict=True))) if works else _Work(0, 0, 0)
        if self._is_work(frozenset(works), done):
            self._seen = frozenset(works), done
            self._moved = now
        return now - self._moved > self._limit

    def _is_work(self, who: frozenset[int], done: _Work) -> bool:
        """Whether that is more than a few words since there was some last."""
        before, then = self._seen
        return (
            who != before
            or done.read - then.read > self._heard
            or done.written - then.written > _CHATTER
            or done.ticks - then.ticks > _MOMENT
        )


def watched(argv: Sequence[str], io_timeout: int) -> StallWatch | None:
    """A watch for an rsync that starts now; None where none is wanted."""
    if not io_timeout:
        return None
    end = argv.index("--") if "--" in argv else len(argv)
    remote = any(word.startswith("rsync://") for word in argv[end:])
    return StallWatch(io_timeout, remote=remote, by_content=any(map(_COMPARES.match, argv[1:end])))


def _with_children(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children") as file:
        for child in file.read().split():
            yield from _with_children(int(child))


def _work_of(pid: int) -> _Work | None:
    """What one process has done (proc(5)); None of a helper, and of one that is no more."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        with open(f"/proc/{pid}/stat", "rb") as stat:
            name, _, fields = stat.read().rpartition(b")")
        if name.partition(b"(")[2] in _HELPERS:
            return None
        user, system = map(int, fields.split()[11:13])
        with open(f"/proc/{pid}/io", encoding="ascii") as file:
            read, written = (int(line.split()[1]) for line in file.readlines()[:2])
        return _Work(read, written, user + system)
    return None
