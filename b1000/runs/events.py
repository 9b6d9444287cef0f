"""What can happen to a run: what a worker reports, and what its supervisor concludes.

Times are seconds since the epoch, UTC. What each makes of a run: :mod:`b1000.runs.lifecycle`.
"""

from b1000.named import NamedTuple
from b1000.runs.run import Client, Copy, ProcessIdentity, Snapshot, Unsettled
from b1000.runs.states import CopyStatus, Ending, Status, Step


class Resolved(NamedTuple):
    """INIT is over: the snapshot of what was decided, and the copies in their shuffled order."""

    time: float
    snapshot: Snapshot
    copies: tuple[Copy, ...]


class RunMoved(NamedTuple):
    """The run's step or status changed; ``error`` says why it is not OK."""

    time: float
    step: Step
    status: Status
    error: str = ""

    @property
    def final(self) -> bool:
        """Whether the run ends with it."""
        return self.status is Status.FAILED or self.step is Step.DONE


class CopyMoved(NamedTuple):
    """The status of one copy changed; ``seconds`` is how long the attempt took that ended it."""

    time: float
    destination: str
    status: CopyStatus
    error: str = ""
    bytes: int | None = None
    files: int | None = None
    sent: int | None = None
    exit_code: int | None = None
    directories: int | None = None
    links: int | None = None
    others: int | None = None
    vanished: int | None = None
    seconds: float | None = None
    linked: bool | None = None


class AttemptBegan(NamedTuple):
    """One rsync of a copy is about to be started; numbered from 1.

    ``doubt`` is why it compares by content, as in :class:`Unsettled`.
    """

    time: float
    destination: str
    number: int
    doubt: str = ""


class AttemptEnded(NamedTuple):
    """One rsync of a copy has ended; ``retry_at`` is None where no other follows.

    ``unsettled`` is what becomes of its directory; None where all there is in order.
    ``claimed`` is whether the directory is this run's own.
    """

    time: float
    destination: str
    number: int
    exit_code: int | None
    reason: str
    retry_at: float | None = None
    unsettled: Unsettled | None = None
    claimed: bool = True


class ProcessBegan(NamedTuple):
    """A script or an rsync runs; ``command`` is its value of ``B1000_COMMAND``."""

    time: float
    command: str
    purpose: str
    process: ProcessIdentity


class ProcessEnded(NamedTuple):
    """That process has ended; what it left running by itself is a service, not an orphan."""

    time: float
    command: str


class InstancesListed(NamedTuple):
    """The ``instances`` command of a job gave this list, or failed with ``error``."""

    time: float
    instances: tuple[str, ...] = ()
    error: str = ""


class Died(NamedTuple):
    """A run without a verdict: its worker died, or the program was stopped."""

    time: float
    error: str
    ending: Ending


class Swept(NamedTuple):
    """Nothing of what was started on a run's behalf runs any more; the run stays as it is."""

    time: float


class Waiting(NamedTuple):
    """The run gives its slot up while it waits for something."""

    time: float
    reason: str


class SlotWanted(NamedTuple):
    """What the run waited for has come: this is acknowledged once it has a slot again."""

    time: float


class Relayed(NamedTuple):
    """A pull run saw this state of the client's run."""

    time: float
    client: Client


class Closed(NamedTuple):
    """A failed run that nobody will retry: superseded, or forgotten by hand."""

    time: float
    reason: str


class Resumed(NamedTuple):
    """A run that failed or died is retried from COPYING, under a uid and a supervisor of its own.

    With a new uid, nothing that still looks for processes of the earlier attempt can take
    those of this one for them.
    """

    time: float
    uid: str
    supervisor: ProcessIdentity


RunEvent = (
    Resolved
    | RunMoved
    | CopyMoved
    | AttemptBegan
    | AttemptEnded
    | Died
    | Waiting
    | SlotWanted
    | Relayed
    | Closed
    | Resumed
)
"""What changes a run, or says something of it."""

ProcessEvent = ProcessBegan | ProcessEnded | Swept | InstancesListed
"""What is done on behalf of a run or of a job; the run stays as it is."""

Message = RunEvent | ProcessEvent


class Note(NamedTuple):
    """Something was done under a uid: that of a run, or of what is done for a job."""

    uid: str
    event: ProcessEvent
