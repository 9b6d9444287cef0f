"""What rsync says of its progress while it copies (``--info=progress2``). Pure.

It begins with a carriage return and stands on standard output between all else:
after each file, and every second within a large one.
"""

from collections import deque
from collections.abc import Callable

from b1000.expressions import expression
from b1000.named import NamedTuple
from b1000.progress_files import Progress

_WINDOW = 10  # looks over which the rate is measured
_LONGEST_REST = 16384  # bytes without any end of line

# As rsync 3.2.7 and 3.5.0 print it with --no-human-readable.
_PIECE = expression(
    rb" *(\d+) +(\d+)% +[\d.]+[kMGTP]?B/s +[\d:?]+ *(?:\(xfr#\d+, (ir|to)-chk=\d+/\d+\))?"
)


class Figures(NamedTuple):
    """Bytes copied, and their percentage of the tree.

    ``whole`` is False while rsync still lists what there is to copy, so that the
    percentage is one of what it has found so far; None where the piece does not tell.
    """

    bytes: int
    percent: int
    whole: bool | None


def split(text: bytes) -> tuple[Figures | None, bytes]:
    """The figures at the beginning of what follows a carriage return, and the rest of it."""
    found = _PIECE.match(text)
    if not found:
        return None, text
    whole = {b"ir": False, b"to": True}.get(found[3])
    return Figures(int(found[1]), int(found[2]), whole), text[found.end() :]


class Printed:
    """What one rsync prints: of its progress the last word, all else to a function, as it comes."""

    def __init__(self, other: Callable[[bytes], None]) -> None:
        self.figures: Figures | None = None
        self.whole = True
        self._rest = b""
        self._other = other

    def feed(self, data: bytes) -> None:
        """Take what rsync printed: of its progress the last word, of all else each line."""
        text = self._rest + data
        end = text.rfind(b"\n") + 1
        # Behind the line with the last progress all lines are others, the figures at the end.
        plain = text.find(b"\n", text.rfind(b"\r", 0, end) + 1, end) + 1
        for line in text[:plain].split(b"\n")[:-1]:
            self._take(line, b"\n")
        if plain < end:
            self._other(text[plain:end])
        self._rest = text[end:]
        at = self._rest.rfind(b"\r")
        if at > 0:
            self._take(self._rest[:at], b"")
            self._rest = self._rest[at:]
        if at < 0 and len(self._rest) > _LONGEST_REST:
            self._take(self._rest, b"")
            self._rest = b""

    def finish(self) -> None:
        """There is no more."""
        self._take(self._rest, b"")
        self._rest = b""

    def _take(self, text: bytes, end: bytes) -> None:
        """One line up to its ``end``, or as much of it as cannot be progress any more."""
        before, mark, last = text.rpartition(b"\r")
        if not mark:
            self._other(text + end)
            return
        figures, rest = split(last)
        if figures:
            self._note(figures)
            last = rest
        # Of several pieces all but the last are older progress; nothing else stands before it.
        plain = before if b"\r" not in before and not split(before)[0] else b""
        if plain or last.strip():
            self._other(plain + last + end)

    def _note(self, figures: Figures) -> None:
        self.figures = figures
        if figures.whole is not None:
            self.whole = figures.whole

    def look(self) -> None:
        """What rsync printed last may have no end yet."""
        figures, _ = split(self._rest.lstrip(b"\r"))
        if figures:
            self._note(figures)


class Meter:
    """How quickly something is copied, over the last looks."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=_WINDOW)

    def look(self, now: float, done: int, percent: int | None = None) -> Progress:
        """At a time so many bytes are copied, and that share of all; None where it is not known."""
        self._seen.append((now, done))
        since, before = self._seen[0]
        rate = (done - before) / (now - since) if now > since else None
        left = done * (100 - percent) / percent / rate if rate and percent else None
        return Progress(done, percent, rate, left)
