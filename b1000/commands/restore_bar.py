"""The bar that ``b1000 restore`` shows on a terminal while a backup comes."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from b1000.progress_files import Progress, write
from b1000.rsync.progress import Meter, Printed
from b1000.rsync.restoring import is_small
from b1000.runs.run import label
from b1000.storage.question import StoredRow
from b1000.storage.session import Cut, Lines, Take

if TYPE_CHECKING:
    from b1000.status.bars import UnderWay
    from b1000.terminal.screen import Screen


_EVERY = 1.0  # seconds between writings


class Bar:
    """It is there only on a ``screen`` whose cursor can be moved; None for none."""

    def __init__(self, row: StoredRow, screen: "Screen | None") -> None:
        self._label = label(row.key.job, row.key.instance)
        self._destination = row.root.destination
        self._meter = Meter()
        self._bars = None
        self._file: Path | None = None
        self._written = 0.0
        if screen and screen.moves:
            from b1000.status.bars import Bars

            self._bars = Bars(screen, Path())

    def tell(self, file: Path, size: int | None) -> None:
        """Tell others in a file how far it is, unless a small backup is there before they look."""
        self._file = None if is_small(size) else file

    def cut(self) -> Cut | None:
        """What reads an rsync that tells of its progress; None where nobody looks."""
        return self._reading if self._bars or self._file else None

    def _reading(self, take: Take) -> "_Reading":
        self._meter = Meter()
        self._meter.look(time.monotonic(), 0)
        return _Reading(self, take)

    def draw(self, printed: Printed) -> None:
        """Draw what an rsync has told last, and write it, if it is time."""
        if self._bars:
            self._bars.draw(lambda: [self._under_way(printed)])
        now = time.monotonic()
        if self._file and now - self._written >= _EVERY:
            self._written = now
            write(self._file, self._progress(printed))

    def _under_way(self, printed: Printed) -> "UnderWay":
        from b1000.status.bars import UnderWay

        return UnderWay(self._label, self._destination, self._progress(printed))

    def _progress(self, printed: Printed) -> Progress:
        printed.look()
        found = printed.figures
        progress = Progress()
        if found:
            percent = found.percent if printed.whole else None
            progress = self._meter.look(time.monotonic(), found.bytes, percent)
        return progress

    def clear(self) -> None:
        """Leave the terminal as if nothing had been shown."""
        if self._bars:
            self._bars.clear()


class _Reading(Printed):
    """Reads what one rsync prints."""

    def __init__(self, bar: Bar, take: Take) -> None:
        super().__init__(Lines(take).feed)
        self._bar = bar

    def feed(self, data: bytes) -> None:
        super().feed(data)
        self._bar.draw(self)
