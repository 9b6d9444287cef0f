"""What becomes of all that a program does: its last line and its exit code. Pure."""

from collections.abc import Sequence

from b1000 import figures
from b1000.runs.states import Status

_SUCCESS, _FAILED, _SKIPPED = 0, 1, 3


class Tally:
    """How many runs ended in which way; ``unwritten``: states that the journal never got."""

    def __init__(self) -> None:
        self.failed = self.warning = self.skipped = self.well = 0
        self.unwritten = 0

    def count(self, status: Status) -> None:
        """A run has ended; those that FAILED are counted where that is noted."""
        self.warning += status is Status.WARNING
        self.well += status is Status.OK

    def closing(self, seconds: float, wrong_sections: Sequence[str] = ()) -> str:
        """The last line of a program: what became of all that it did; "" where that is nothing.

        ``wrong_sections`` may have been meant as jobs.
        """
        counts = {
            "FAILED": self.failed,
            "WARNING": self.warning,
            "skipped": self.skipped,
            "OK": self.well,
        }
        parts = [f"{number} {word}" for word, number in counts.items() if number]
        also = f"; not run: {', '.join(wrong_sections)}" if wrong_sections else ""
        return f"ended in {figures.span(seconds)}: {', '.join(parts)}{also}" if parts else ""

    def exit_code(self, signal: int | None, wrong_sections: Sequence[str] = ()) -> int:
        """Of the program; ``wrong_sections`` are as in its last line."""
        if signal:
            return 128 + signal
        if self.failed or self.unwritten or wrong_sections:
            return _FAILED
        return _SKIPPED if self.skipped else _SUCCESS
