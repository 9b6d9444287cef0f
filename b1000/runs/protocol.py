"""What a supervisor and its children say to each other."""

from collections.abc import Mapping

from b1000.named import NamedTuple
from b1000.runs.events import Message
from b1000.runs.run import Run, RunIdentity
from b1000.runs.task import JournalFacts, TaskKind

# --- a supervisor and its workers


class Assigned(NamedTuple):
    """To a worker that is idle: what it does next; the lock of the job/instance comes with it.

    ``run_id`` is the number of its run, and ``run`` all that is known of one of the past. Workers
    know the jobs from their fork, by name. ``marks_at`` is what others have found: where the marks
    of each root are taken. ``alone``: no other instance can turn out to have the directory of the
    run, so that nothing holds it at INIT.
    """

    kind: TaskKind
    subject: RunIdentity
    run_id: int = 0
    run: Run | None = None
    known: JournalFacts = JournalFacts()
    marks_at: Mapping[str, str] = {}
    alone: bool = False


class MarksTaken(NamedTuple):
    """Where a daemon takes the marks of a root, so that nobody else has to ask it.

    From a worker, and then to the reporter of the destination's marks. It is not kept.
    """

    destination: str
    root: str
    target: str


class Batch(NamedTuple):
    """Messages of one worker that become durable together; ``number`` is acknowledged.

    ``idle``: it is the last of its task, and the worker waits for another one.
    """

    number: int
    messages: tuple[Message | MarksTaken, ...]
    idle: bool = False


class Acknowledged(NamedTuple):
    """All batches of the worker up to this number are durable: it may act on them."""

    number: int


class Refused(NamedTuple):
    """The run may not go on past INIT, for this reason."""

    reason: str


class Stop(NamedTuple):
    """The worker is to end what it started, and itself."""

    reason: str


Order = Acknowledged | Refused | Stop

# --- a supervisor and its reporters


class Delivered(NamedTuple):
    """What a reporter says has arrived: run_id and the transition that was told.

    ``stored`` are backups of storages: root, place and transition.

    ``trouble`` says why nothing more arrives for now; without states and trouble,
    all has arrived. ``trying``: the reporter goes on by itself, so that this is
    no answer to an order.
    """

    report: str
    states: tuple[tuple[int, int], ...]
    trouble: str = ""
    trying: bool = False
    stored: tuple[tuple[str, str, int], ...] = ()


class Deliver(NamedTuple):
    """To a reporter: something is pending. ``last``: end when nothing is any more."""

    last: bool = False
