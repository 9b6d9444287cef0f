"""A bar for each copy that is under way."""

import contextlib
import os
import select
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from b1000 import figures
from b1000.logs import printable
from b1000.named import NamedTuple
from b1000.progress_files import Progress, path_of, read
from b1000.runs.run import Run
from b1000.runs.states import CopyStatus
from b1000.terminal.screen import STYLES, Screen, screen_of

if TYPE_CHECKING:
    from rich.console import RenderableType

_EVERY = 0.4  # seconds between drawings at least
_NAME = 28  # columns for the name of a copy
_LEAST_NAME = 16
_BAR = 10  # columns for its bar at least
_ROOMY = 70  # columns of a terminal that has room for a bar and all figures

ERASE = "\r\x1b[J"
"""Erases the line of the cursor and everything below it."""


class UnderWay(NamedTuple):
    """One copy under way: of which job/instance, where to, and how far it is."""

    label: str
    destination: str
    progress: Progress


def bars(copies: Sequence[UnderWay], width: int) -> "Iterable[RenderableType]":
    """A line for each copy, none wider than ``width``; narrow ones have neither bar nor rate."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    roomy = width >= _ROOMY
    # Percentage, bytes, rate and time left are never wider than this.
    figures_wide = (4, 10, 12, 13) if roomy else (4, 13)
    figured = sum(figures_wide) + len(figures_wide) + 1
    wide = max(min(_NAME, width - figured - (_BAR if roomy else 0)), _LEAST_NAME)
    names = [_name(each, wide) for each in copies]
    widest = min(max(map(len, names), default=0), wide)
    grid = Table.grid(padding=(0, 1, 0, 0), expand=roomy)
    grid.add_column(width=widest, no_wrap=True, overflow="crop")
    if roomy:
        grid.add_column(ratio=1, no_wrap=True, overflow="crop")
    for columns in figures_wide:
        grid.add_column(width=columns, justify="right", no_wrap=True, overflow="crop")
    waiting = []
    for name, each in zip(names, copies, strict=True):
        current = each.progress
        if current.waiting:
            waiting.append(Text(printable(f"{name} waits for {current.waiting}")[:width]))
            continue
        percent = "" if current.percent is None else f"{current.percent}%"
        size = "" if current.bytes is None else figures.size(current.bytes)
        rate = "" if current.rate is None else f"{figures.size(current.rate)}/s"
        left = "" if current.left is None else f"{figures.clock(current.left)} left"
        if roomy:
            share = None if current.percent is None else float(current.percent)
            bar = ProgressBar(
                total=100,
                completed=share or 0.0,
                complete_style=STYLES["COPYING"],
                finished_style=STYLES["DONE"],
            )
            shown = Text("listing") if current.bytes is None else bar
            grid.add_row(name, shown, percent, size, rate, left)
        else:
            grid.add_row(name, percent, left or size or "listing")
    if grid.row_count:
        yield grid
    yield from waiting


def _name(copy: UnderWay, width: int) -> str:
    """Job/instance and destination; of a job/instance that is too long the beginning."""
    left = width - len(copy.destination) - 1
    whose = copy.label if len(copy.label) <= left else f"{copy.label[: max(left - 2, 1)]}.."
    return printable(f"{whose} {copy.destination}")


class Bars:
    """Bars below the log of a program that runs on a terminal.

    The cursor stays on their first line: whoever writes a line of the log
    erases them with it, and they are drawn anew below. No thread: a process
    that forks has none.
    """

    def __init__(self, screen: Screen, directory: Path) -> None:
        self._screen = screen
        self._directory = directory
        self._drawn_at = 0.0
        self._drawn = False

    def show(self, runs: Sequence[Run]) -> None:
        """Draw a bar for each copy that is under way in these runs, if it is time."""
        self.draw(lambda: self._under_way(runs))

    def draw(self, copies: Callable[[], Sequence[UnderWay]]) -> None:
        """Draw a bar for each of these, if it is time."""
        if time.monotonic() - self._drawn_at < _EVERY:
            return
        self._drawn_at = time.monotonic()
        # What only decorates must not end a backup, whatever is wrong with it.
        with contextlib.suppress(Exception):
            self._draw(copies())

    def _under_way(self, runs: Sequence[Run]) -> list[UnderWay]:
        return [
            UnderWay(run.label, copy.destination, current)
            for run in runs
            for copy in run.copies
            if copy.status is CopyStatus.COPYING
            and (current := read(path_of(self._directory, run.run_id, copy.destination)))
        ]

    def _draw(self, copies: Sequence[UnderWay]) -> None:
        if not copies:
            self.clear()
            return
        # Its size may have changed.
        screen = screen_of(self._screen.descriptor, os.environ, self._screen.encoding)
        if not screen or not _in_front(screen.descriptor):
            return
        lines = screen.render(bars(copies, screen.width - 1)).split("\n")[: screen.height - 1]
        back = f"\x1b[{len(lines) - 1}A" if len(lines) > 1 else ""
        self._write(ERASE + "\n".join(lines) + back + "\r")
        self._drawn = True

    def clear(self) -> None:
        """Erase what was drawn."""
        if self._drawn:
            self._write(ERASE)
            self._drawn = False

    def _write(self, text: str) -> None:
        """Write as much as can be written without waiting."""
        poll = select.poll()
        poll.register(self._screen.descriptor, select.POLLOUT)
        with contextlib.suppress(OSError):
            if poll.poll(0):
                os.write(self._screen.descriptor, text.encode(self._screen.encoding))


def _in_front(descriptor: int) -> bool:
    """Whether this program may draw: one in the background of its own terminal must not."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return True  # It is not the controlling terminal: there is no background.
