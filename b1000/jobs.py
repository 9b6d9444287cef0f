"""What the user wrote, checked and frozen.

Durations are seconds; sizes are bytes. A name that is absent is ``""``.
"""

from collections.abc import Mapping

from b1000.drill import Drill
from b1000.keep import Line
from b1000.named import NamedTuple
from b1000.templates import ScriptTemplate, Template, WordTemplate


class FreeSpace(NamedTuple):
    """An amount of free disk space: bytes, or a percentage of the file system."""

    amount: float
    percent: bool = False

    def bytes_of(self, total: int) -> int:
        """The bytes that must stay free on a file system of ``total`` bytes."""
        return int(total * self.amount / 100 if self.percent else self.amount)


class Transport(NamedTuple):
    """How an rsync daemon is reached: ``kind`` is plain, tls or ssh.

    ``tls_ca`` is the file with the authorities that are believed, None for those of the system.
    """

    kind: str = "plain"
    tls_ca: str | None = None
    ssh_options: tuple[str, ...] = ()


PLAIN = Transport()


class Destination(NamedTuple):
    """One ``[dest:NAME]``.

    An ``active`` one is a local directory or an rsync:// address. For a
    ``passive`` one ``host`` pulls, within ``timeout`` seconds. A ``store`` is a local
    tree that other hosts push into; one ``*`` in its path stands for their directories.

    From ``keep`` on: how a storage is kept. ``keep_unfinished`` and ``verify`` (None: files are
    only counted) are seconds, ``prune_most`` is a share of 1. ``report`` are the databases that
    are told; ``drill`` is a command of a store, run every ``drill_every`` seconds. ``flaws`` say
    what of all that is wrong: nothing is removed or verified then.
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
    keep: tuple[Line, ...] = ()
    keep_least: int = 3
    keep_unfinished: int = 14 * 86400
    prune_most: float = 0.25
    verify: int | None = None
    verify_rate: str | None = None
    quarantine: bool = True
    report: tuple[str, ...] = ()
    drill: str | None = None
    drill_every: int = 30 * 86400
    mark: bool = True
    mark_path: str | None = None
    restore_path: str | None = None
    restore_password_file: str | None = None
    transport: Transport = PLAIN
    flaws: tuple[str, ...] = ()

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


DATABASES = frozenset({"mysql", "sqlite"})
"""Types of reports that are databases."""


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

    @property
    def is_database(self) -> bool:
        """Whether it has the tables of the central database, and can be asked."""
        return self.type in DATABASES

    def __repr__(self) -> str:
        """Without the password: a traceback may be anywhere."""
        return f"Report(name={self.name!r}, type={self.type!r})"


ON_END = ("on_failure", "on_success")
"""Options with commands for when a run has ended."""


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
    transport: Transport = PLAIN


class Job(NamedTuple):
    """One ``[job:NAME]``, checked.

    ``instances`` is None for a job without instances, a tuple for a fixed list
    and a ScriptTemplate for one that is asked for at each start. ``deferred`` holds the
    values that only a run can settle: scripts, include, exclude, masters, data_age.
    ``include`` and ``exclude`` are the words of these two, split when they were read.
    """

    name: str
    direction: str
    type: str
    dest: tuple[DestinationGroup, ...]
    reports: tuple[str, ...]
    destinations: Mapping[str, Destination]
    instances: tuple[str, ...] | ScriptTemplate | None = None
    allow_no_instances: bool = False
    deferred: Mapping[str, Template | ScriptTemplate] = {}
    include: tuple[WordTemplate, ...] = ()
    exclude: tuple[WordTemplate, ...] = ()
    transfer: Transfer = Transfer()
    limits: Limits = Limits()
    pull: Pull | None = None
    drill: Drill | None = None
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
        return None if isinstance(self.instances, ScriptTemplate) else self.instances

    def end_command(self, option: str) -> Template | None:
        """The command that is run when a run has ended: ``on_failure`` or ``on_success``."""
        command = self.deferred.get(option)
        assert not isinstance(command, ScriptTemplate)
        return command


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

    def end_command(self, option: str) -> Template | None:
        """The command that is run when a run has ended; here each FAILS."""
        return self.on_failure if option == "on_failure" else None


class Settings(NamedTuple):
    """The ``[global]`` section with its defaults."""

    host: str
    log_format: str
    log_style: str
    log_level: str
    log_file: str
    status_dir: str
    journal: str
    journal_keep: int
    workers: int
    report_wait_end: int
    mark_wait: int
    drill_dir: str
    script_timeout: int = 0
    backup_dir: str | None = None
    limits: Limits = Limits()
