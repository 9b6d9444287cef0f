"""What the reporter needs of a place where reports go."""

from collections.abc import Collection, Sequence
from typing import Protocol, runtime_checkable

from b1000.errors import B1000Error
from b1000.runs.protocol import MarksTaken
from b1000.runs.run import Run
from b1000.runs.stored import Told


class NotDelivered(B1000Error):
    """A report takes nothing now."""


class RunsRefused(B1000Error):
    """A report takes all but these runs, and would refuse them again."""

    def __init__(self, run_ids: Collection[int], message: str) -> None:
        super().__init__(message)
        self.run_ids = frozenset(run_ids)


class StoredRefused(B1000Error):
    """A report takes all but some backups, and would refuse them again."""


class ReportTarget(Protocol):
    """One report, open or not.

    ``settle`` is for how many seconds states that follow each other quickly are
    gathered; ``linger`` for how many it stays open when there is no more work.
    """

    settle: float
    linger: float

    def deliver(self, runs: Sequence[Run]) -> tuple[set[int], Exception | None]:
        """Deliver the state of each run; gives the run_ids that arrived, and what was in the way.

        What arrived is durable there. Raises OSError or NotDelivered where
        nothing could be delivered.
        """

    def close(self) -> None:
        """Let go of what is open; the next delivery opens it again."""


@runtime_checkable
class StoredTarget(Protocol):
    """A report that is told of backups at storages too."""

    def deliver_stored(self, told: Sequence[Told]) -> tuple[list[Told], Exception | None]:
        """Deliver the state of each backup; gives those that arrived, and what was in the way.

        Raises NotDelivered where nothing could be delivered.
        """


@runtime_checkable
class Marks(Protocol):
    """Marks, of which others may have found where they are taken."""

    def note_taken(self, where: MarksTaken) -> None:
        """Send them there."""
