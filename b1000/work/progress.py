"""How far a copy is, from what its rsync prints, for whoever looks."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from b1000.progress import Progress, remove, write
from b1000.rsync import progress
from b1000.work.process import Lines, Sink

_EVERY = 1.0  # seconds between writes at least; a copy that is shorter is not told of
_WINDOW = 10  # writes over which the rate is measured
_LONGEST_REST = 16384  # bytes without any end of line


class Told:
    """What is told of one copy, in a file that is there while the copy is under way."""

    # rsync tells of each file: waking up for each would cost more than copying small ones.
    pause = 0.02

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._written = False
        self._begin()

    def _begin(self) -> None:
        self._rest = b""
        self._figures: progress.Figures | None = None
        self._whole = True
        self._seen: deque[tuple[float, int]] = deque(maxlen=_WINDOW)
        self._lines: Sink | None = None

    def waits(self, reason: str) -> None:
        """It waits for something before it begins."""
        self._write(Progress(waiting=reason))

    def sink(self, take: Callable[[str], None]) -> "Told":
        """An rsync begins: a sink for its standard output; ``take`` gets all other lines."""
        self._begin()
        self._seen.append((self._clock(), 0))
        self._lines = Lines(take)
        self._schedule()
        return self

    def end(self) -> None:
        """Nothing is under way any more."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._written:
            remove(self._path)
            self._written = False

    # --- what rsync prints

    def feed(self, data: bytes) -> None:
        """Take what rsync printed: of its progress the last word, of all else each line."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line, b"\n")
        at = self._rest.rfind(b"\r")
        if at > 0:
            self._take(self._rest[:at], b"")
            self._rest = self._rest[at:]
        if at < 0 and len(self._rest) > _LONGEST_REST:
            self._take(self._rest, b"")
            self._rest = b""

    def close(self) -> None:
        """There is no more."""
        self._take(self._rest, b"")
        self._rest = b""
        assert self._lines
        self._lines.close()

    def _take(self, text: bytes, end: bytes) -> None:
        """One line up to its ``end``, or as much of it as cannot be progress any more."""
        assert self._lines
        before, mark, last = text.rpartition(b"\r")
        if not mark:
            self._lines.feed(text + end)
            return
        figures, rest = progress.split(last)
        if figures:
            self._note(figures)
            last = rest
        # Of several pieces all but the last are older progress; nothing else stands before it.
        plain = before if b"\r" not in before and not progress.split(before)[0] else b""
        if plain or last.strip():
            self._lines.feed(plain + last + end)

    def _note(self, figures: progress.Figures) -> None:
        self._figures = figures
        if figures.whole is not None:
            self._whole = figures.whole

    # --- what is told

    def _schedule(self) -> None:
        if not self._timer:
            self._timer = asyncio.get_running_loop().call_later(_EVERY, self._tell)

    def _tell(self) -> None:
        self._timer = None
        # What rsync printed last may have no end yet.
        figures, _ = progress.split(self._rest.lstrip(b"\r"))
        if figures:
            self._note(figures)
        self._write(self._progress())
        self._schedule()

    def _progress(self) -> Progress:
        figures = self._figures
        if figures is None:
            return Progress()
        now = self._clock()
        self._seen.append((now, figures.bytes))
        since, before = self._seen[0]
        rate = (figures.bytes - before) / (now - since) if now > since else None
        if not self._whole:
            return Progress(figures.bytes, rate=rate)
        left = None
        if rate and figures.percent:
            left = figures.bytes * (100 - figures.percent) / figures.percent / rate
        return Progress(figures.bytes, figures.percent, rate, left)

    def _write(self, told: Progress) -> None:
        write(self._path, told)
        self._written = True
