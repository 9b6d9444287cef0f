"""What stands in the way of a task, or that nothing does."""

from collections.abc import Sequence

from b1000.named import NamedTuple
from b1000.runs.run import Orphans, Run


class Ready(NamedTuple):
    """A task can begin: its lock is taken, and what ``dead`` runs left has been ended."""

    lock: int | None
    dead: Sequence[Run] = ()


class NameTaken(NamedTuple):
    """An earlier run has the name of this second; a new one waits until that time."""

    until: float


class LeftRunning(NamedTuple):
    """Something of dead runs may still run: it has to be ended before."""

    uids: frozenset[str]
    orphans: tuple[Orphans, ...]


class Busy(NamedTuple):
    """Another run of the job/instance is under way."""

    behind: str


class Unlocked(NamedTuple):
    """The lock cannot be taken, for a reason of the system's."""

    reason: str


Prepared = Ready | NameTaken | LeftRunning | Busy | Unlocked
