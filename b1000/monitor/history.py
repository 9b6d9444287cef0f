"""What the monitor knows of a subject: its runs, and what is planned for it. Pure.

A subject is what is backed up: a host, a job and an instance, those of the
master where there is one, wherever the backup was made. All times are seconds
since the epoch, all ages seconds.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter, itemgetter, lt

from b1000.named import NamedTuple
from b1000.runs.states import Status, Step

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
_CENTURIES = 200 * 365 * DAY  # of what is as long no figure says more

_DONE, _FAILED = Step.DONE.value, Status.FAILED.value  # looked up once, and not for each run


class Subject(NamedTuple):
    """What is backed up; ``host`` and ``instance`` are the master's where there is one."""

    host: str
    job: str
    instance: str

    @property
    def label(self) -> str:
        """How people are told of it."""
        return f"{self.host} {self.job}" + (f"/{self.instance}" if self.instance else "")


class PastRun(NamedTuple):
    """One run of the history, as the database tells of it; a tuple, for there are many.

    ``done`` counts copies that are DONE, ``vanished`` those that ended with a
    WARNING since files vanished meanwhile, ``total`` all. ``data_age`` is None
    where it could not be found out, 0 where nobody asked. ``made_on`` and
    ``listed_as`` are the host and instance that did the work, ``master_host`` and
    ``master_instance`` those it was done for, where they are others. ``missing``
    names destinations without a copy. ``relayed_by`` names the storages that told it for
    their client, ``also`` are the numbers of the rows by which others of them did. ``offset`` is
    how far the host's local time is ahead of UTC, ``kind`` full or incremental. ``places`` are
    the destinations that have it and ``lacking`` those that do not, as far as both are known; of a
    run before the last good one perhaps those alone that this one has not.
    """

    started: float
    # What differs from run to run,
    data_age: float | None = 0.0
    bytes: int | None = None
    duration: float | None = None
    files: int | None = None
    job_id: int = 0
    offset: float = 0.0
    # what its copies came to, as CopyCounts,
    done: int = 0
    vanished: int = 0
    total: int = 0
    copying_since: float | None = None
    missing: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    # and what nearly all runs of an instance have in common.
    step: str = Step.DONE
    status: str = Status.OK
    acknowledged: bool = False
    made_on: str = ""
    listed_as: str = ""
    master_host: str = ""
    master_instance: str = ""
    direction: str = ""
    error: str = ""
    relayed_by: str = ""
    also: tuple[int, ...] = ()
    kind: str = ""
    attempts: int = 0

    @property
    def good(self) -> bool:
        """At least one destination has it, and there is something in it."""
        return self.done + self.vanished > 0 and self.bytes != 0 and self.files != 0

    @property
    def empty(self) -> bool:
        """It was copied, and nothing is in it."""
        return self.done + self.vanished > 0 and not self.good

    @property
    def local(self) -> float:
        """When it began by the clock on its host's wall, as seconds."""
        return self.started + self.offset

    @property
    def complete(self) -> bool:
        """Every destination has it, and the run came to its end."""
        return 0 < self.total == self.done and self.step == _DONE

    @property
    def ended(self) -> bool:
        """Nothing more is to be expected of it, unless it is retried."""
        return self.step == _DONE or self.status == _FAILED


class Columns(NamedTuple):
    """Runs field by field, as rules look at many: a question less for each of them."""

    started: tuple[float, ...] = ()
    bytes: tuple[int | None, ...] = ()
    duration: tuple[float | None, ...] = ()
    files: tuple[int | None, ...] = ()
    offset: tuple[float, ...] = ()
    done: tuple[int, ...] = ()
    places: tuple[tuple[str, ...], ...] = ()
    step: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()

    @property
    def all_good(self) -> bool:
        """Whether each has a copy that is DONE, and something in it."""
        return 0 not in self.done and 0 not in self.bytes and 0 not in self.files

    def last(self, count: int) -> "Columns":
        """Those of the last ones."""
        return Columns._make([column[-count:] for column in self])


_picked = itemgetter(*map(PastRun._fields.index, Columns._fields))


def columns_of(runs: Sequence[PastRun]) -> Columns:
    """The fields of these."""
    return Columns._make(_picked([*zip(*runs, strict=True)])) if runs else Columns()


def good_ones(runs: Sequence[PastRun]) -> list[PastRun]:
    """Those that are good, as ``PastRun.good`` says; a question less for each of many."""
    return [run for run in runs if (run.done or run.vanished) and run.bytes != 0 and run.files != 0]


def bad_ones(runs: Sequence[PastRun]) -> list[PastRun]:
    """The others."""
    return [
        run for run in runs if not (run.done or run.vanished) or run.bytes == 0 or run.files == 0
    ]


def in_order(runs: Iterable[PastRun]) -> list[PastRun]:
    """The same by time; most have come so."""
    some = list(runs)
    starts = [run.started for run in some]
    if not all(map(lt, starts, starts[1:])):
        some.sort(key=_by_time)
    return some


_by_time = attrgetter("started", "job_id")


class PlanRow(NamedTuple):
    """What people expect of a subject; None or 0: they did not say."""

    max_backup_age: float | None = None
    max_data_age: float | None = None
    max_copy_time: float | None = None
    ignored: bool = False
    note: str = ""


NO_PLAN = PlanRow()


def span(seconds: float) -> str:
    """A length of time in at most two units."""
    left = max(0, int(seconds))
    if left < MINUTE:
        return f"{left} s"
    if left > _CENTURIES:
        return "centuries"
    days, left = divmod(left, int(DAY))
    hours, left = divmod(left, int(HOUR))
    minutes = left // int(MINUTE)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"))
    first = next(index for index, (number, _) in enumerate(parts) if number)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number)
