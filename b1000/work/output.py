"""What a process prints: its last lines for an error text, and what of it goes to the log."""

import math
from collections import deque
from collections.abc import Callable

from b1000 import figures
from b1000.logs import parts, printable
from b1000.work.sinks import Lines, Sink

# Together at most 10,000 lines and 2**20 characters of one process, as they are printed.
MOST_LINES = 9_000
_FIRST = 5 * 2**17  # characters of them; the last line may take four times its 2**14 bytes more
_LAST_LINES = 500  # of each of its two streams
_LAST = 2**15  # bytes of each, of which one may take four characters

_REMEMBERED = 20  # lines
_OWN_WORDS = 5  # of them in an error text
_OWN_LENGTH = 500  # characters

Log = Callable[[str], None]


class Tail:
    """The last lines that a process printed; each is also logged, or ``most_logged`` of them.

    ``when_full`` is logged when no more will be.
    """

    def __init__(
        self,
        log: Log | None = None,
        most_logged: float = math.inf,
        when_full: str = "(the rest of its output is not logged)",
    ) -> None:
        self._log = log
        self._lines_left = most_logged
        self._left = math.inf if most_logged == math.inf else _FIRST
        self._when_full = when_full
        self.lines: deque[str] = deque(maxlen=_REMEMBERED)

    @property
    def full(self) -> bool:
        """Whether nothing more is logged."""
        return self._lines_left <= 0 or self._left <= 0

    def sink(self) -> Lines:
        """A sink for one stream of the process; both may have one."""
        return Lines(self.take)

    def take(self, line: str) -> None:
        """One line of a stream."""
        self.lines.append(line)
        # rsync ends a line of its progress before an error, on standard error.
        if not self._log or self.full:
            return
        self._lines_left -= 1
        if line.strip():
            for part in parts(line):
                self._log(part)
                self._left -= len(part)
        if self.full:
            self._log(self._when_full)

    def message(self) -> str:
        """The last of them as the end of an error text; "" where there are none."""
        text = " | ".join(printable(line).strip() for line in list(self.lines)[-_OWN_WORDS:])
        return f": {text[-_OWN_LENGTH:]}" if text else ""


class Output:
    """What a script prints goes to the log; of too much the beginning and the end."""

    def __init__(self, log: Log) -> None:
        self.tail = Tail(log, MOST_LINES, "(of what else it prints only the end is logged)")
        self.log = log

    def sink(self) -> Sink:
        """A sink for one stream of the script; both have one."""
        return _Stream(self.tail, self.log)


class _Stream:
    """One stream: line by line into the tail, until that is full; then only its end is kept."""

    gathers = False

    def __init__(self, tail: Tail, log: Log) -> None:
        self._tail = tail
        self._log = log
        self._lines = tail.sink()
        self._end = b""
        self._unlogged = 0

    def feed(self, data: bytes) -> None:
        start = 0
        while not self._tail.full and start < len(data):
            end = data.find(b"\n", start) + 1 or len(data)
            self._lines.feed(data[start:end])
            start = end
        if self._tail.full:
            # A script that prints without end must not cost more than the reading of it.
            more = self._lines.hand_over() + data[start:]
            self._unlogged += len(more)
            self._end = (self._end + more)[-_LAST:]

    def close(self) -> None:
        if self._tail.full:
            self.feed(b"")
        self._lines.close()
        lines = self._end.split(b"\n")
        cut = self._unlogged > len(self._end) and len(lines) > 1
        shown = b"\n".join(lines[cut:][-_LAST_LINES:])
        skipped = self._unlogged - len(shown)
        if skipped:
            self._log(f"({figures.size(skipped)} of output skipped)")
        last = Lines(self._take)
        last.feed(shown)
        last.close()

    def _take(self, line: str) -> None:
        self._tail.lines.append(line)
        if line.strip():
            for part in parts(line):
                self._log(part)
