"""What ``b1000 check --connect`` asks of rsync daemons, with rsyncs that change nothing there."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from b1000.check.finding import Finding
from b1000.config.loader import Config
from b1000.errors import B1000Error, BadValue, StorageAway
from b1000.files import private_directory
from b1000.jobs import Destination, Job, Limits
from b1000.logs import printable
from b1000.marks import marking
from b1000.named import NamedTuple
from b1000.rsync import command, outcome, paths, surveys
from b1000.rsync.source import Source
from b1000.state import queries
from b1000.state.queries import Reader
from b1000.storage import session, survey
from b1000.storage.session import Session
from b1000.work import claiming

TIMEOUT = 60  # seconds for a daemon, whatever the configuration allows a copy
_READ = frozenset({0, 23, 24})  # exit codes of an rsync that was let in to read, and found nothing

REFUSED = (
    "refuse options = delete* force inplace append* backup* suffix temp-dir keep-dirlinks "
    "delay-updates remove-source-files write-devices copy-devices"
)
GATE = "pre-xfer exec = /usr/local/lib/b1000/scripts/b1000-gate"
WRITE_ONLY = "write only = yes"
USERS = "auth users = "
"""Lines of a storage's rsyncd.conf, as the one that is shipped has them."""
MARKS = (
    "until it does, a client may change that backup, and the storage calls it unfinished: see "
    "there whether b1000-marks, the post-xfer exec of the module for marks, can be run, and its "
    "words in .b1000/marks.log and the daemon's log"
)
_SHIPPED = "see etc/rsyncd-storage.conf"


class Place(NamedTuple):
    """A destination at a daemon, and directories there.

    ``absent``: one of a full that a run of this moment would make; ``absent_sync``: one of a sync
    that is not there. ``complete``: the last full that is
    complete and whose mark has arrived, since until then a storage takes more; "" where none is
    known.
    """

    destination: Destination
    limits: Limits
    absent: str
    absent_sync: str = ""
    complete: str = ""


def storage(config: Config, destination: Destination) -> Iterator[Finding]:
    """Whether a daemon takes data, and what else it lets its client do."""
    section, address = f"dest:{destination.name}", destination.path
    try:
        place = _place(config, destination)
    except BadValue as error:
        yield Finding(section, "path", str(error))
        return
    with private_directory("b1000-empty-") as empty:
        argv = command.probe(empty, place.absent, destination, place.limits)
        if trouble := tried(section, "path", argv, address, place.limits):
            yield from trouble
            return
        yield from _options_refused(config, place, empty)
        yield from _deletion_refused(config, place, empty)
        for what, mend in _allowed(place, empty):
            text = f"{address}: {what}; {mend} ({_SHIPPED})"
            yield Finding(section, "path", text, warning=True)
        if destination.mark:
            yield from _marks_refused(config, place, empty)


def marks_of_tree(config: Config, destination: Destination) -> Iterator[Finding]:
    """Whether a daemon takes the marks of a local destination."""
    place = Place(destination, survey.limits(config, destination), "")
    with private_directory("b1000-empty-") as empty:
        yield from _marks_refused(config, place, empty)


def _options_refused(config: Config, place: Place, empty: str) -> Iterator[Finding]:
    """Whether copies of its jobs are let in with their options: else each run would fail."""
    destination = place.destination
    section = f"dest:{destination.name}"
    option = "rsync_options" if destination.rsync_options else "path"
    # Whether something may be deleted depends on where.
    transfers = (job.transfer._replace(delete=False) for job in _jobs_of(config, destination))
    for transfer in dict.fromkeys(transfers):
        source = Source((f"{empty}/",), (), transfer)
        argv = command.rehearsed(command.copy(source, place.absent, destination, place.limits))
        yield from tried(section, option, argv, destination.path, place.limits)


def _deletion_refused(config: Config, place: Place, empty: str) -> Iterator[Finding]:
    """Whether a job with ``delete = yes`` may delete in its tree: else each run would fail."""
    destination, address = place.destination, place.destination.path
    job = next((job for job in _jobs_of(config, destination) if job.transfer.delete), None)
    if not job:
        return
    argv = command.probe(empty, place.absent_sync, destination, place.limits, "--delete")
    module = f"path = {paths.parted(address)[0].rpartition('/')[0]}/b1000-sync"
    also = marking.module_for(address, destination.mark_path).rpartition("such as ")[2]
    hint = " and ".join(filter(None, (module, also)))
    for each in tried(f"dest:{destination.name}", "path", argv, address, place.limits):
        text = f"{each.text}; job {job.name} has delete = yes: name a module that lets it, such as"
        yield each._replace(text=f"{text} {hint}")


def _jobs_of(config: Config, destination: Destination) -> Iterator[Job]:
    jobs = (job for job in config.jobs.values() if isinstance(job, Job))
    return (job for job in jobs if destination.name in job.destinations)


def _marks_refused(config: Config, place: Place, empty: str) -> Iterator[Finding]:
    """Whether the storage takes marks: where it refuses them, no sync is begun there."""
    destination = place.destination
    needed = any(job.type == "sync" for job in _jobs_of(config, destination))
    hint = marking.module_for(destination.path, destination.mark_path)
    target = _where_marks_go(destination, place.limits)
    section, option = f"dest:{destination.name}", "mark_path"
    argv = command.rehearsed(command.marks(empty, target, destination, place.limits))
    for each in tried(section, option, argv, target, place.limits):
        yield each._replace(text=f"{each.text}{hint}", warning=not needed)


def marks_go_to(config: Config) -> Iterator[tuple[str, str]]:
    """The destinations whose marks go to daemons, and where these go now."""
    for destination in config.destinations.values():
        sent = destination.remote or (destination.mark_path or "").startswith("rsync://")
        if destination.type == "active" and destination.mark and sent:
            yield destination.name, _where_marks_go(destination, survey.limits(config, destination))


def _where_marks_go(destination: Destination, limits: Limits) -> str:
    *first, last = marking.targets(destination.path, destination.path, destination.mark_path)
    with private_directory("b1000-empty-") as empty:
        for target in first:
            answer = asked(command.probe(empty, target, destination, limits), limits)
            code = 1 if answer.code is None else answer.code
            if not outcome.is_without_module(outcome.judge(code, answer.errors, target)):
                return target
    return last


def _place(config: Config, destination: Destination) -> Place:
    """Where a destination is tried: as the first of its jobs would go there now. BadValue."""
    job = next(_jobs_of(config, destination), None)
    now = datetime.now().strftime(paths.START_TIME)
    name, limits = (job.name if job else "check"), survey.limits(config, destination)
    whose = paths.subject(config.settings.host, "b1000-check", "", "")
    full, sync = (
        paths.directory(destination.path, name, kind, whose, now) for kind in ("full", "sync")
    )
    journal = Path(config.settings.journal)
    return Place(destination, limits, full, sync, _last_complete(journal, destination.path))


def _last_complete(journal: Path, path: str) -> str:
    """The last full below a path that is complete and has its mark; "" where none is known."""
    try:
        if not queries.may_exist(journal):
            return ""
        with Reader(journal, untouched=True) as reader:
            return reader.last_marked_full(path)
    except B1000Error:
        return ""


def _allowed(place: Place, empty: str) -> Iterator[tuple[str, str]]:
    """What a client may do that it should not, and what stops it in rsyncd.conf."""
    destination, limits = place.destination, place.limits
    stops = "this line in its module stops that:"
    deletes = command.probe(empty, place.absent, destination, limits, "--delete")
    if asked(deletes, limits).code == 0:
        yield "a client may delete what is in its backups", f"{stops} {REFUSED}"
    if place.complete and _takes_more(place, empty):
        if _has_gate(place, empty):
            yield f"the mark of {place.complete} was taken, and does not lie beside it", MARKS
        else:
            yield f"a client may change its complete backup {place.complete}", f"{stops} {GATE}"
    password, transport = destination.password_file, destination.transport
    reads = surveys.address(f"{place.absent}/", password, limits, transport)
    if asked(reads, limits).code in _READ:
        yield "a client may read what is there", f"{stops} {WRITE_ONLY}"
    nobody = command.probe(empty, place.absent, destination._replace(password_file=None), limits)
    if asked(nobody, limits).code == 0:
        who = f"{USERS}{_user(destination.path)}"
        yield "anybody may write there, without a password", f"{stops} {who}"


def _has_gate(place: Place, empty: str) -> bool:
    """Whether the module has one, which lets nobody in at a path that is none of a backup."""
    above = f"{place.destination.path.rstrip('/')}/check"
    answer = asked(command.probe(empty, above, place.destination, place.limits), place.limits)
    return any("b1000-gate: " in line for line in answer.errors)


def _takes_more(place: Place, empty: str) -> bool:
    """Whether a session into the complete backup is let in, and it is there."""
    claim = command.claim(empty, place.complete, place.destination, place.limits)
    answer = asked(command.rehearsed(claim), place.limits)
    return answer.code == 0 and not claiming.is_made(answer.out)


def _user(address: str) -> str:
    user, at, _ = address.removeprefix("rsync://").partition("/")[0].rpartition("@")
    return user if at else "USER"


class Answer(NamedTuple):
    """How an rsync ended; ``code`` is None where it did not in time, and ``trouble`` says that."""

    code: int | None = None
    out: Sequence[str] = ()
    errors: Sequence[str] = ()
    trouble: str = ""


def asked(argv: Sequence[str], limits: Limits) -> Answer:
    """What a daemon answers to an rsync that changes nothing."""
    out: list[str] = []

    def take(line: bytes) -> None:
        out.append(line.decode("utf-8", "backslashreplace"))

    host = paths.host_or_path(argv[-1])
    try:
        done = session.run(Session(argv, host, TIMEOUT, 0, limits.connect_timeout), take)
    except StorageAway as error:
        return Answer(trouble=str(error))
    return Answer(done.code, out, done.errors)


def tried(
    section: str, option: str, argv: Sequence[str], address: str, limits: Limits
) -> list[Finding]:
    """What is wrong with an address, as an rsync that changes nothing finds."""
    answer = asked(argv, limits)
    if answer.code is None:
        return [Finding(section, option, f"{address}: {answer.trouble}")]
    errors = [printable(line) for line in answer.errors]
    verdict = outcome.judge(answer.code, errors, paths.host_or_path(address))
    return [Finding(section, option, f"{address}: {verdict.reason}")] if verdict.reason else []
