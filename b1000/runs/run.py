"""One run and its copies, as the journal knows them: frozen values.

Times are seconds since the epoch, UTC; sizes are bytes. A name that is absent is ``""``.
"""

from collections.abc import Mapping

from b1000.jobs import Transfer
from b1000.named import NamedTuple
from b1000.runs.states import COMPLETE, CopyStatus, Ending, Status, Step
from b1000.templates import Word


class ProcessIdentity(NamedTuple):
    """A process that cannot be taken for another one: its id, and when it was created.

    ``ticks`` is the creation time in clock ticks since the boot named by
    ``boot`` (proc(5), field 22), which no change of the clock can move.
    """

    pid: int
    boot: str
    ticks: int


class Snapshot(NamedTuple):
    """What a run decided at INIT and every later attempt of it sees unchanged."""

    master_host: str = ""
    master_instance: str = ""
    data_age: float | None = 0.0
    include: tuple[Word, ...] = ()
    exclude: tuple[str, ...] = ()
    pre: str = ""
    post: str = ""
    transfer: Transfer = Transfer()
    destination_excludes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Names of destinations, and the patterns of each that has some of its own."""
    own_dump: bool = False
    """Every include contains the run's own start time, so that its data is its own."""
    bases: Mapping[str, str] = {}
    """Destination → the directory of an earlier full there, into which unchanged files are links.

    Every attempt has the same, whatever is configured by then: what an attempt has linked is
    shared with that backup, and the next one must know it.
    """


ONLY_FORGET = "b1000 forget gives this one up"
"""How an error of a copy ends that no retry mends."""


class Copy(NamedTuple):
    """One run's data at one destination; ``path`` is the directory there."""

    destination: str
    path: str
    background: bool = False
    type: str = "active"
    status: CopyStatus = CopyStatus.INIT
    attempts: int = 0
    bytes: int | None = None
    files: int | None = None
    sent: int | None = None
    exit_code: int | None = None
    error: str = ""
    started: float | None = None
    ended: float | None = None
    claimed: bool = False
    """Whether this run has made the directory: an attempt ended that had got beyond that."""
    marked: bool = False
    """Whether a mark is to lie beside it once it is complete."""
    directories: int | None = None
    links: int | None = None
    others: int | None = None
    vanished: int | None = None
    linked: bool | None = None
    """Whether files in it may be links into the base of the run; None where nobody has said."""

    @property
    def complete(self) -> bool:
        """Whether all data is at the destination."""
        return self.status in COMPLETE

    @property
    def hopeless(self) -> bool:
        """Whether no retry can complete it, as its error says."""
        return self.status is CopyStatus.FAILED and self.error.endswith(ONLY_FORGET)


class Base(NamedTuple):
    """A complete full at a destination, which a newer one of the same data may link to.

    ``started`` is the instant of its run.
    """

    destination: str
    path: str
    host: str
    instance: str
    master_host: str
    master_instance: str
    started: float = 0.0

    @property
    def whose(self) -> tuple[str, str, str, str]:
        """Host, instance, master host and master instance."""
        return self.host, self.instance, self.master_host, self.master_instance


class Bases(NamedTuple):
    """What the journal knows of fulls to which new ones may link, and of what is never believed.

    ``known`` are the last complete ones of each data at each destination, the newest first.
    ``bad`` are directories of which a verify found that they are wrong, by their one_place.
    """

    known: tuple[Base, ...] = ()
    bad: frozenset[str] = frozenset()


class Unsettled(NamedTuple):
    """A directory at a destination that no attempt has finished yet.

    ``since`` is when the first attempt began that did not. ``doubt`` is why what is there is not
    believed by size and time, said of that attempt ("was ended by SIGTERM"); "" where it is.
    ``spoilt``: what is there is known to be wrong and must not be mended in place.
    """

    since: float
    doubt: str = ""
    spoilt: bool = False


class Client(NamedTuple):
    """A passive run of a client, as its report file tells of it.

    ``file`` is the name of that file, ``destination`` the section that is meant
    for this host and ``pull_host`` this host as it is written there.
    ``start_time`` is written as in names; ``started`` and ``transition`` are
    None in the reports of older programs. ``alive`` is what the client renews
    while it lives. ``judged``: the state is this host's own conclusion, since
    the client has fallen silent.
    """

    file: str
    host: str
    job: str
    instance: str
    start_time: str
    step: Step
    status: Status
    destination: str
    pull_host: str
    copy_status: CopyStatus
    master_host: str = ""
    master_instance: str = ""
    data_age: float | None = 0.0
    error: str = ""
    alive: str = ""
    started: float | None = None
    transition: int | None = None
    judged: bool = False


class Run(NamedTuple):
    """One execution of one job/instance, as the journal knows it.

    ``start_time`` is the local time in names (``%Y-%m-%d-%H-%M-%S``), unique for
    the job/instance; ``started`` is the same instant. Where seconds were taken it lies
    behind ``began``, the true beginning, from which durations count. ``changed`` is the time of
    its last transition. ``uid`` is the value of ``B1000_RUN`` in everything that
    the run starts.
    """

    run_id: int
    uid: str
    job: str
    instance: str
    host: str
    direction: str
    type: str
    started: float
    start_time: str
    supervisor: ProcessIdentity
    step: Step = Step.INIT
    status: Status = Status.OK
    error: str = ""
    ending: Ending | None = None
    ended: float | None = None
    last_transition: int = 0
    changed: float = 0.0
    superseded: bool = False
    reports: tuple[str, ...] = ()
    snapshot: Snapshot = Snapshot()
    copies: tuple[Copy, ...] = ()
    clients: tuple[Client, ...] = ()
    """The runs of clients that a pull run took, in that order."""
    relayed: int = 0
    """The number of the last state of a client or a copy that a pull run saw."""
    waiting: str = ""
    """What a run waits for that has given its slot up."""
    began: float = 0.0
    first_uid: str = ""
    """The uid that it began with."""

    @property
    def label(self) -> str:
        """``job`` or ``job/instance``, as it is written on the command line."""
        return label(self.job, self.instance)

    @property
    def hopeless(self) -> bool:
        """Whether no retry can complete any of the copies that are missing."""
        missing = [copy for copy in self.copies if not copy.complete]
        return bool(missing) and all(copy.hopeless for copy in missing)

    @property
    def finished(self) -> float | None:
        """When it ended, for readers who compare with ``started``: never before that."""
        return None if self.ended is None else max(self.ended, self.started)


def label(job: str, instance: str) -> str:
    """``job``, or ``job/instance`` where there is an instance."""
    return f"{job}/{instance}" if instance else job


def end_option(run: Run) -> str:
    """The option whose command is run for a run that has ended so."""
    return "on_failure" if run.status is Status.FAILED else "on_success"


class RunIdentity(NamedTuple):
    """On whose behalf processes are started; scripts see it in their environment."""

    uid: str
    job: str
    instance: str
    host: str
    direction: str
    start_time: str

    def environment(self) -> dict[str, str]:
        """The variables that every process of the run sees."""
        return {
            "B1000_RUN": self.uid,
            "B1000_JOB": self.job,
            "B1000_INSTANCE": self.instance,
            "B1000_HOST": self.host,
            "B1000_START_TIME": self.start_time,
            "B1000_DIRECTION": self.direction,
        }


class Orphans(NamedTuple):
    """What a run or a listing may have left running when it died.

    ``ended`` are its commands that had ended by themselves: what these left
    running is a service and is not touched. ``processes`` are the others.
    """

    uid: str
    ended: frozenset[str] = frozenset()
    processes: tuple[ProcessIdentity, ...] = ()
