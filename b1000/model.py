"""The values that travel between the rooms, all frozen.

Times are seconds since the epoch, UTC; durations are seconds; sizes are bytes.
A name that is absent is ``""``.
"""

from collections.abc import Mapping
from typing import NamedTuple

from b1000.steps import COMPLETE, CopyStatus, Ending, Status, Step

# --- what the user wrote -------------------------------------------------------------------


class Reference(NamedTuple):
    """``$name`` in a value: what only a run knows."""

    name: str


Template = tuple[str | Reference, ...]
"""A value in parts: text as it is, and references that are filled in for each run."""


class Command(NamedTuple):
    """A command for /bin/sh whose output is the value of a dynamic option."""

    template: Template


class FreeSpace(NamedTuple):
    """An amount of free disk space: bytes, or a percentage of the file system."""

    amount: float
    percent: bool = False

    def bytes_of(self, total: int) -> int:
        """The bytes that must stay free on a file system of ``total`` bytes."""
        return int(total * self.amount / 100 if self.percent else self.amount)


class Destination(NamedTuple):
    """One ``[dest:NAME]``.

    An ``active`` one is a local directory or an rsync:// address. For a
    ``passive`` one ``host`` pulls, within ``timeout`` seconds.
    """

    name: str
    path: str = ""
    exclude: tuple[str, ...] = ()
    verbosity: int = 1
    compress: bool = False
    bwlimit: str | None = None
    max_copies: int = 0
    min_free: FreeSpace | None = None
    password_file: str | None = None
    rsync_options: tuple[str, ...] = ()
    link_dest: bool = False
    streams: int = 1
    must_be_mounted: bool = False
    type: str = "active"
    host: str = ""
    timeout: int = 0

    def as_at(self, path: str, exclude: tuple[str, ...]) -> "Destination":
        """The destination as a run found it, whose directory there is ``path``."""
        if path.startswith(f"{self.path.rstrip('/')}/"):
            return self._replace(exclude=exclude)
        moved = self._replace(path=path, exclude=exclude)
        if moved.remote:
            return moved._replace(min_free=None, must_be_mounted=False)
        return moved

    @property
    def remote(self) -> bool:
        """Whether an rsync daemon stands behind the path."""
        return self.path.startswith("rsync://")


class Report(NamedTuple):
    """One ``[report:NAME]``: where each state of each run is told.

    ``path`` is the directory of a ``file`` report, the file of an ``sqlite``
    one. ``server`` is a host, an address, or the absolute path of a socket.
    """

    name: str
    type: str
    path: str = ""
    keep: int = 30
    server: str = ""
    port: int = 3306
    db: str = ""
    user: str = ""
    password: str = ""
    password_file: str | None = None
    ssl_ca: str | None = None

    def __repr__(self) -> str:
        """Without the password: a traceback may be anywhere."""
        return f"Report(name={self.name!r}, type={self.type!r})"


class DestinationChoice(NamedTuple):
    """One name of a ``dest`` list; ``background`` where ``&`` follows it."""

    name: str
    background: bool = False


DestinationGroup = tuple[DestinationChoice, ...]
"""Destinations joined by ``/``: they are tried in an order shuffled for each run."""


class Limits(NamedTuple):
    """How long things may take, in seconds (0: no limit), and how often a copy is retried."""

    dynamic_timeout: int = 60
    script_timeout: int = 0
    copy_timeout: int = 0
    io_timeout: int = 300
    connect_timeout: int = 20
    copy_retries: int = 3
    copy_retry_min_sleep: int = 60


class Transfer(NamedTuple):
    """What rsync is to do with the tree, the same for all destinations of a job."""

    delete: bool = False
    relative: bool = False
    hard_links: bool = False
    acls: bool = False
    xattrs: bool = False
    sparse: bool = False


class Pull(NamedTuple):
    """Where a pull job looks for what it is to pull, and for how long.

    ``source`` is the rsync address of a client's report directory, without a
    slash at its end; ``job`` the passive job that is wanted there. ``claimed``
    are the names that other pull jobs with the same source have or want. ``poll_wait``
    and ``wait`` are seconds.
    """

    source: str
    job: str
    poll_wait: int
    poll_retries: int
    wait: int = 86400
    claimed: frozenset[str] = frozenset()
    password_file: str | None = None
    hosts: tuple[str, ...] = ()
    """The host names that a report may bear; () for that of ``source``."""


class Job(NamedTuple):
    """One ``[job:NAME]``, checked.

    ``instances`` is None for a job without instances, a tuple for a fixed list
    and a Command for one that is asked for at each start. ``late`` holds the
    values that only a run can settle: scripts, include, exclude, masters, data_age.
    """

    name: str
    direction: str
    type: str
    dest: tuple[DestinationGroup, ...]
    reports: tuple[str, ...]
    destinations: Mapping[str, Destination]
    instances: tuple[str, ...] | Command | None = None
    allow_no_instances: bool = False
    late: Mapping[str, Template | Command] = {}
    transfer: Transfer = Transfer()
    limits: Limits = Limits()
    pull: Pull | None = None
    report_directories: tuple[str, ...] = ()
    """Where a passive job and those who pull from it meet: the paths of its file reports."""

    @property
    def destination_excludes(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The destinations that have patterns of their own, with them."""
        return tuple(
            (each.name, each.exclude) for each in self.destinations.values() if each.exclude
        )

    @property
    def fixed_instances(self) -> tuple[str, ...] | None:
        """The instances that the configuration itself lists; None where it lists none."""
        return None if isinstance(self.instances, Command) else self.instances

    @property
    def has_instances(self) -> bool:
        """Whether the job spawns one run for each instance."""
        return self.instances is not None


class BrokenJob(NamedTuple):
    """A ``[job:NAME]`` that cannot be run: it counts as FAILED at INIT, with these reasons.

    ``reports`` are those of its reports that have a section, wrong or not.
    ``on_failure`` is None where it is absent or itself wrong. ``configured`` is
    whether there is such a job at all: runs of the past may be of one that there
    is no more. ``report_job`` is what a pull job wants of its client, all the same.
    """

    name: str
    direction: str
    type: str
    reports: tuple[str, ...]
    reasons: tuple[str, ...]
    on_failure: Template | None = None
    limits: Limits = Limits()
    configured: bool = True
    report_job: str = ""


class Settings(NamedTuple):
    """The ``[global]`` section with its defaults."""

    host: str
    log_format: str
    log_level: str
    log_file: str
    status_dir: str
    journal: str
    journal_keep: int
    workers: int
    report_wait_end: int
    backup_dir: str | None = None


# --- one run -------------------------------------------------------------------------------


class ProcessIdentity(NamedTuple):
    """A process that cannot be taken for another one: its id, and when it was created.

    ``ticks`` is the creation time in clock ticks since the boot named by
    ``boot`` (proc(5), field 22), which no change of the clock can move.
    """

    pid: int
    boot: str
    ticks: int


class Frozen(NamedTuple):
    """What a run decided at INIT and every later attempt of it sees unchanged."""

    master_host: str = ""
    master_instance: str = ""
    data_age: float | None = 0.0
    include: str = ""
    exclude: str = ""
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

    @property
    def complete(self) -> bool:
        """Whether all data is at the destination."""
        return self.status in COMPLETE


class Base(NamedTuple):
    """A complete full at a destination, which a newer one of the same data may link to."""

    destination: str
    path: str
    host: str
    instance: str
    master_host: str
    master_instance: str


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
    frozen: Frozen = Frozen()
    copies: tuple[Copy, ...] = ()
    clients: tuple[Client, ...] = ()
    """The runs of clients that a pull run took, in that order."""
    relayed: int = 0
    """The number of the last state of a client or a copy that a pull run saw."""
    waiting: str = ""
    """What a run waits for that has given its place up."""
    began: float = 0.0

    @property
    def label(self) -> str:
        """``job`` or ``job/instance``, as it is written on the command line."""
        return label(self.job, self.instance)

    @property
    def finished(self) -> float | None:
        """When it ended, for readers who compare with ``started``: never before that."""
        return None if self.ended is None else max(self.ended, self.started)


def label(job: str, instance: str) -> str:
    """``job``, or ``job/instance`` where there is an instance."""
    return f"{job}/{instance}" if instance else job


class Leftovers(NamedTuple):
    """What a run or a listing may have left running when it died.

    ``ended`` are its commands that had ended by themselves: what these left
    running is a service and is not touched. ``processes`` are the others.
    """

    uid: str
    ended: frozenset[str] = frozenset()
    processes: tuple[ProcessIdentity, ...] = ()


# --- what a worker tells its supervisor ----------------------------------------------------


class Resolved(NamedTuple):
    """INIT is over: the frozen values, and the copies in their shuffled order."""

    time: float
    frozen: Frozen
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
    """The status of one copy changed."""

    time: float
    destination: str
    status: CopyStatus
    error: str = ""
    bytes: int | None = None
    files: int | None = None
    sent: int | None = None
    exit_code: int | None = None


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


class Listed(NamedTuple):
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
    """The run gives its place up while it waits for something."""

    time: float
    reason: str


class PlaceWanted(NamedTuple):
    """What the run waited for has come: this is acknowledged once it has a place again."""

    time: float


class Relayed(NamedTuple):
    """A pull run saw this state of the client's run."""

    time: float
    client: Client


class Closed(NamedTuple):
    """A failed run that nobody will retry: superseded, or forgotten by hand."""

    time: float
    reason: str


class Delivered(NamedTuple):
    """What a reporter says has arrived: run_id and the transition that was told.

    ``trouble`` says why nothing more arrives for now; without states and trouble,
    all has arrived. ``trying``: the reporter goes on by itself, so that this is
    no answer to an order.
    """

    report: str
    states: tuple[tuple[int, int], ...]
    trouble: str = ""
    trying: bool = False


Message = (
    Resolved
    | RunMoved
    | CopyMoved
    | AttemptBegan
    | AttemptEnded
    | ProcessBegan
    | ProcessEnded
    | Listed
    | Died
    | Swept
    | Waiting
    | PlaceWanted
    | Relayed
    | Closed
)


class Batch(NamedTuple):
    """Messages of one worker that become durable together; ``number`` is acknowledged."""

    number: int
    messages: tuple[Message, ...]


class Acknowledged(NamedTuple):
    """All batches of the worker up to this number are durable: it may act on them."""

    number: int


class Refused(NamedTuple):
    """The run may not go on past INIT, for this reason."""

    reason: str


class Stop(NamedTuple):
    """The worker is to end what it started, and itself."""

    reason: str


class Look(NamedTuple):
    """To a reporter: the journal owes something. ``last``: end when nothing is owed any more."""

    last: bool = False


Order = Acknowledged | Refused | Stop


def moved(copy: Copy, message: CopyMoved) -> Copy:
    """The copy after the message."""
    return copy._replace(
        status=message.status,
        error=message.error,
        bytes=copy.bytes if message.bytes is None else message.bytes,
        files=copy.files if message.files is None else message.files,
        sent=copy.sent if message.sent is None else message.sent,
        exit_code=copy.exit_code if message.exit_code is None else message.exit_code,
        started=message.time if message.status is CopyStatus.COPYING else copy.started,
    )
