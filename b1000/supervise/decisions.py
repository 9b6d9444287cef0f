"""What the schedule is told, and what it decides: frozen values.

Each task has a number from :class:`Start` on, by which later events name it.
"""

from b1000.named import NamedTuple
from b1000.runs.task import Task
from b1000.supervise.gate import Gate

# --- events


class TasksAdded(NamedTuple):
    """Tasks are to be done, in this order, behind what waits already.

    ``first``: before it, since they had their turn once.
    """

    tasks: tuple[Task, ...]
    first: bool = False


class Gated(NamedTuple):
    """The instances of a job are known: they are held at INIT by this gate."""

    job: str
    gate: Gate


class NotYet(NamedTuple):
    """A task that was to start cannot before some time; it keeps its turn."""

    number: int
    until: float


class Clearing(NamedTuple):
    """Before a task can start, what dead runs of its job/instance left is ended."""

    number: int


class HeldAtInit(NamedTuple):
    """A run at INIT knows its directory, and waits until it may go on."""

    number: int
    directory: str


class DirectoryResolved(NamedTuple):
    """The directory of an instance is known, or with None that it will have none."""

    job: str
    instance: str
    directory: str | None


class SlotReleased(NamedTuple):
    """A run gives its slot up while it waits for something."""

    number: int


class SlotRequested(NamedTuple):
    """What such a run waited for has come."""

    number: int


class Over(NamedTuple):
    """Nothing more is done for a task."""

    number: int


class Stopped(NamedTuple):
    """The program is to end: nothing new is begun."""


class Ticked(NamedTuple):
    """Time has passed."""


Event = (
    TasksAdded
    | Gated
    | NotYet
    | Clearing
    | HeldAtInit
    | DirectoryResolved
    | SlotReleased
    | SlotRequested
    | Over
    | Stopped
    | Ticked
)

# --- actions


class Start(NamedTuple):
    """Begin a task; it has a slot."""

    number: int
    task: Task


class Fail(NamedTuple):
    """A run that is refused is to begin and to FAIL at INIT; it needs no slot."""

    number: int
    task: Task


class Release(NamedTuple):
    """A run that waited goes on; it has a slot."""

    number: int


class Refuse(NamedTuple):
    """A run at INIT must not go on."""

    number: int
    why: str


Action = Start | Fail | Release | Refuse
