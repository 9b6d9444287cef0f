"""How far a copy is, from what its rsync prints, for whoever looks."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from b1000.progress_files import Progress, remove, write
from b1000.rsync import progress
from b1000.work.sinks import Lines, Sink

_EVERY = 1.0  # seconds between writes at least; a copy that is shorter is not told of
_WINDOW = 10  # writes over which the rate is measured
_LONGEST_REST = 16384  # bytes without any end of line


class _Printed:
    """What one rsync prints: of its progress the last word, all other lines to a function."""

    # rsync tells of each file: waking up for each would cost more than copying small ones.
    pause = 0.02

    def __init__(self, take: Callable[[str], None]) -> None:
        self.figures: progress.Figures | None = None
        self.whole = True
        self._rest = b""
        self._lines: Sink = Lines(take)

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
        self._lines.close()

    def _take(self, text: bytes, end: bytes) -> None:
        """One line up to its ``end``, or as much of it as cannot be progress any more."""
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
        self.figures = figures
        if figures.whole is not None:
            self.whole = figures.whole

    def look(self) -> None:
        """What rsync printed last may have no end yet."""
        figures, _ = progress.split(self._rest.lstrip(b"\r"))
        if figures:
            self._note(figures)


class ProgressWriter:
    """What is told of one copy, in a file that is there while the copy is under way."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._written = False
        self._reset()

    def _reset(self) -> None:
        self._printed: list[_Printed] = []
        self._before = 0
        self._expected: int | None = None
        self._seen: deque[tuple[float, int]] = deque(maxlen=_WINDOW)

    def waits(self, reason: str) -> None:
        """It waits for something before it begins."""
        self._write(Progress(waiting=reason))

    def streams(self, expected: int, takes: Sequence[Callable[[str], None]]) -> Sequence[Sink]:
        """Several rsyncs begin side by side, to copy ``expected`` bytes: a sink for each."""
        self._reset()
        self._expected = expected
        return self._begin(takes)

    def sink(self, take: Callable[[str], None]) -> Sink:
        """An rsync begins: a sink for its standard output; ``take`` gets all other lines.

        What it copies is added to what streams before it have copied.
        """
        before, expected = self._bytes(), self._expected
        self._reset()
        if expected is not None:
            self._before, self._expected = before, expected
        return self._begin([take])[0]

    def _begin(self, takes: Sequence[Callable[[str], None]]) -> Sequence[Sink]:
        self._printed = [_Printed(take) for take in takes]
        self._seen.append((self._clock(), self._before))
        self._schedule()
        return self._printed

    def end(self) -> None:
        """Nothing is under way any more."""
        self._reset()
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._written:
            remove(self._path)
            self._written = False

    def _schedule(self) -> None:
        if not self._timer:
            self._timer = asyncio.get_running_loop().call_later(_EVERY, self._write_now)

    def _write_now(self) -> None:
        self._timer = None
        for each in self._printed:
            each.look()
        self._write(self._progress())
        self._schedule()

    def _bytes(self) -> int:
        return self._before + sum(each.figures.bytes for each in self._printed if each.figures)

    def _progress(self) -> Progress:
        all_figures = [each.figures for each in self._printed if each.figures]
        if not all_figures and not self._before:
            return Progress()
        now, done = self._clock(), self._bytes()
        self._seen.append((now, done))
        since, before = self._seen[0]
        rate = (done - before) / (now - since) if now > since else None
        percent = all_figures[0].percent if all_figures else 0
        if self._expected is not None:
            # It is complete only when the last pass over it all has ended.
            percent = min(99, done * 100 // self._expected) if self._expected else 99
        elif not self._printed[0].whole:
            return Progress(done, rate=rate)
        left = done * (100 - percent) / percent / rate if rate and percent else None
        return Progress(done, percent, rate, left)

    def _write(self, current: Progress) -> None:
        write(self._path, current)
        self._written = True
