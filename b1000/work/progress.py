"""How far a copy is, from what its rsync prints, for whoever looks."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from b1000.progress_files import Progress, remove, write
from b1000.rsync.progress import Meter, Printed
from b1000.work import loop
from b1000.work.loop import Timer
from b1000.work.sinks import Lines, Sink

_EVERY = 1.0  # seconds between writes at least; a copy that is shorter is not told of


class _Printed(Printed):
    """What one rsync prints: of its progress the last word, all other lines to a function."""

    gathers = True

    def __init__(self, take: Callable[[str], None]) -> None:
        self._lines: Sink = Lines(take)
        super().__init__(self._lines.feed)

    def close(self) -> None:
        """There is no more."""
        self.finish()
        self._lines.close()


class ProgressWriter:
    """What is told of one copy, in a file that is there while the copy is under way."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._timer: Timer | None = None
        self._written = False
        self._reset()

    def _reset(self) -> None:
        self._printed: list[_Printed] = []
        self._before = 0
        self._expected: int | None = None
        self._meter = Meter()

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
        self._meter.look(self._clock(), self._before)
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
            self._timer = loop.running().later(_EVERY, self._write_now)

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
        done = self._bytes()
        percent: int | None = all_figures[0].percent if all_figures else 0
        if self._expected is not None:
            # It is complete only when the last pass over it all has ended.
            percent = min(99, done * 100 // self._expected) if self._expected else 99
        elif not self._printed[0].whole:
            percent = None
        return self._meter.look(self._clock(), done, percent)

    def _write(self, current: Progress) -> None:
        write(self._path, current)
        self._written = True
