"""From a run and its copy to the mark beside that, and where this goes. Pure."""

import shlex

from b1000.b1k import mark
from b1000.b1k.mark import Counts, Mark
from b1000.b1k.report_file import DestinationSection, ReportFile
from b1000.errors import BadValue
from b1000.expressions import expression
from b1000.named import NamedTuple
from b1000.rsync import paths
from b1000.runs.run import Client, Copy, Run, Snapshot
from b1000.runs.states import CopyStatus, Status, Step


class Whose(NamedTuple):
    """A run as its marks name it: host and instance are the client's where it was pulled.

    ``run`` is the first uid of the run.
    """

    run: str
    job: str
    host: str
    instance: str
    direction: str
    type: str
    start_time: str
    started: float

    def pulled_from(self, client: Client | None) -> "Whose":
        """The same, of the data of a client."""
        return self._replace(host=client.host, instance=client.instance) if client else self


class Written(NamedTuple):
    """A mark as it is to be: its text, for ``place`` + ".b1k" below the ``root``."""

    root: str
    place: str
    text: str

    @property
    def file(self) -> str:
        """Where it lies below the root."""
        return self.place + mark.SUFFIX


class Included(NamedTuple):
    """What a restore has to know of a run, as its mark has it."""

    options: tuple[str, ...]
    relative: bool
    include: str


def included(snapshot: Snapshot) -> Included:
    """That of a run."""
    return Included(
        tuple(option for option in mark.OPTIONS if getattr(snapshot.transfer, option)),
        snapshot.transfer.relative,
        " ".join(_quoted(word.text) for word in snapshot.include),
    )


def written(
    who: Whose,
    snapshot: Snapshot,
    copy: Copy,
    *,
    step: Step = Step.COPYING,
    status: Status = Status.OK,
    leftovers: bool = False,
) -> Written:
    """The mark of a copy: complete where that is, else ``writing``. BadValue: it has no place."""
    report = ReportFile(
        who.host,
        who.job,
        who.instance,
        who.direction,
        who.start_time,
        step,
        status,
        (DestinationSection(copy.destination, copy.type, copy.path, copy.status),),
        snapshot.master_host,
        snapshot.master_instance,
        snapshot.data_age,
    )
    counts = Counts(*(getattr(copy, name) for name in Counts._fields))
    value = Mark(
        report,
        who.run,
        who.type,
        mark.COMPLETE if copy.complete else mark.WRITING,
        who.started,
        copy.ended if copy.complete else None,
        counts if copy.complete else Counts(),
        leftovers,
        _base(copy, snapshot),
        *included(snapshot),
    )
    place = value.directory
    if not copy.path.endswith(f"/{place}"):
        raise BadValue(f"{copy.path} is no directory of such a backup, which has no place then")
    return Written(copy.path.removesuffix(f"/{place}"), place, mark.render(value))


def of_run(run: Run, copy: Copy, *, leftovers: bool) -> Written:
    """The mark of a copy of a run, as the journal knows both. BadValue."""
    client = run.clients[-1] if run.clients else None
    first = run.first_uid or run.uid
    names = (first, run.job, run.host, run.instance, run.direction, run.type)
    who = Whose(*names, run.start_time, run.started).pulled_from(client)
    return written(who, run.snapshot, copy, step=run.step, status=run.status, leftovers=leftovers)


def beginning(who: Whose, snapshot: Snapshot, copy: Copy) -> Written:
    """The mark of a copy that is about to write into its directory. BadValue."""
    return written(who, snapshot, copy._replace(status=CopyStatus.COPYING))


def lock(destination: str) -> str:
    """The lock of whoever writes marks there of which an older must not replace a newer one."""
    return f"marking@{destination}"


def _base(copy: Copy, snapshot: Snapshot) -> str:
    base = snapshot.bases.get(copy.destination)
    if not base or copy.linked is False or not paths.between(copy.path, base):
        return ""
    return "/".join(["..", *base.rsplit("/", 2)[1:]])


def targets(
    root: str, path: str, mark_path: str | None, known: str | None = None
) -> tuple[str, ...]:
    """Where the marks of backups below ``root`` go: into the first of these that there is.

    ``path`` and ``mark_path`` are those of the destination. Backups that lie elsewhere, since
    the path was another one then, have their marks beside them. ``known`` has taken some before.
    """
    if mark_path and root == path.rstrip("/"):
        return (mark_path.rstrip("/"),)
    if not root.startswith("rsync://"):
        return (root,)
    module, below = paths.parted(root)
    found = (f"{module}-marks/{below}".rstrip("/"), root)
    return found[::-1] if known == root else found


def module_for(path: str, mark_path: str | None) -> str:
    """What an operator does where no mark is taken beside the backups below a daemon's ``path``.

    "" where the destination says already where marks go.
    """
    if mark_path or not path.startswith("rsync://"):
        return ""
    first, beside = targets(path.rstrip("/"), path, None)
    host = paths.parted(beside)[0].rpartition("/")[0]
    return (
        f"; {first} is not there, and beside the backups no mark is taken: "
        f"name the module for marks, such as mark_path = {host}/b1000-marks"
    )


def _quoted(word: str) -> str:
    """A word of an include as a shell reads it; one that needs no quotes is as it was written."""
    return shlex.quote(word) if not word or _NEEDS_QUOTES.search(word) else word


_NEEDS_QUOTES = expression(r"[\s\\'\"]")
