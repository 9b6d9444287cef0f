"""What is to be done about a job/instance: one value from the command line to the worker."""

from collections.abc import Mapping, Sequence
from enum import Enum

from b1000.jobs import BrokenJob, Job
from b1000.named import NamedTuple
from b1000.runs.run import Bases, Client, Run, Unsettled, label


class TaskKind(Enum):
    """What is to be done."""

    RUN = "run"
    RESUME = "resume"
    FORGET = "forget"
    FORGET_WITH_POST = "forget with post"
    LISTING = "listing"
    ON_END = "on_end"

    @property
    def forgets(self) -> bool:
        """Whether a run of the past is given up."""
        return self in (TaskKind.FORGET, TaskKind.FORGET_WITH_POST)

    @property
    def is_afterwards(self) -> bool:
        """Whether a worker does it for a run that is over."""
        return self in (TaskKind.ON_END, TaskKind.FORGET_WITH_POST)


class Taken(NamedTuple):
    """A run of a client that a pull copied, or began to copy; ``at`` is when, by this host's clock.

    None where that is not known.
    """

    client: Client
    at: float | None = None


class JournalFacts(NamedTuple):
    """What the journal knows that a run has to know.

    ``bases`` are the earlier fulls that it may link to, ``unsettled`` the directories at
    destinations that no attempt has finished, by path, ``taken`` the runs of clients that
    earlier pulls of its job copied, the last pull first. ``reserved``: no other b1000, here or
    elsewhere, makes a backup of the run's name. ``first_uid`` and ``started`` are those of the
    run. ``sealed`` are the trees of its sync that a mark calls complete, although their
    destination has marks no more.
    """

    bases: Bases = Bases()
    unsettled: Mapping[str, Unsettled] = {}
    taken: Sequence[Taken] = ()
    reserved: bool = False
    first_uid: str = ""
    started: float = 0.0
    sealed: frozenset[str] = frozenset()


class Task(NamedTuple):
    """Something that is to be done about a job/instance.

    ``run`` is the run that it is about: one of the past, or the new one once it has begun.
    ``uid`` is the mark of all that is started for it, "" until it has begun. With a
    ``refusal`` a new run FAILS at INIT. ``cleared`` are the uids of dead runs of the
    job/instance of which nothing runs any more.
    """

    kind: TaskKind
    job: Job | BrokenJob
    instance: str = ""
    run: Run | None = None
    uid: str = ""
    refusal: str = ""
    cleared: frozenset[str] = frozenset()
    known: JournalFacts = JournalFacts()

    @property
    def subject(self) -> tuple[str, str]:
        """Job and instance."""
        return self.job.name, self.instance

    @property
    def run_id(self) -> int | None:
        """The number of the run that it is about, once it has one."""
        return self.run.run_id if self.run else None

    @property
    def label(self) -> str:
        """``job`` or ``job/instance``."""
        return label(self.job.name, self.instance)
