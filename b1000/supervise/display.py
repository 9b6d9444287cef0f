"""Whoever shows on a terminal what is under way, as the supervisor knows it."""

from collections.abc import Sequence
from typing import Protocol

from b1000.runs.run import Run

INTERVAL = 0.5  # seconds between looks while something is copied


class Display(Protocol):
    """Called from the supervisor's loop; it must neither wait nor fail."""

    def show(self, runs: Sequence[Run]) -> None:
        """Show the copies that are under way in these runs."""

    def clear(self) -> None:
        """Leave the terminal as if nothing had been shown."""
