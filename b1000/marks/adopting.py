"""Marks for backups at local destinations and stores that were made before there were marks.

What is complete the journal says, and of what others pushed a database.
"""

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from b1000.b1k import root_id
from b1000.b1k.mark import SUFFIX
from b1000.config.loader import Config
from b1000.errors import BadValue, StorageAway, message_of
from b1000.identity import new_uid
from b1000.jobs import Destination
from b1000.marks import marking, placing
from b1000.marks.marking import Whose, Written
from b1000.named import NamedTuple
from b1000.rsync import paths
from b1000.runs.run import Copy, Run, Snapshot
from b1000.runs.states import COMPLETE, CopyStatus, Status, Step
from b1000.state.queries import Reader
from b1000.storage import local, mounts
from b1000.storage.backup import Catalogue, Entry, Root
from b1000.storage.layout import Place


class Adopted(NamedTuple):
    """A backup that has got its mark, or ``trouble``: why it has none.

    ``instead`` says what was done that is no mark.
    """

    path: str
    trouble: str = ""
    instead: str = ""


class Told(NamedTuple):
    """A copy as a database has it; ``start_time`` as in names, times in seconds."""

    host: str
    instance: str
    master_host: str
    master_instance: str
    direction: str
    start_time: str
    started: float
    data_age: float | None
    destination: str
    path: str
    status: CopyStatus
    ended: float | None
    bytes: int | None
    files: int | None


Ask = Callable[[str, Sequence[Place]], Iterable[Told]]
"""Gives all copies of runs of a job of which some places may be, those of later runs first."""


# --- by the journal


def adopt(config: Config, reader: Reader, jobs: Collection[str], now: float) -> Iterator[Adopted]:
    """Write the marks that are missing, and then the ids of roots; ``jobs``: () for all."""
    roots: set[str] = set()
    for run in reader.complete_runs():
        if jobs and run.job not in jobs:
            continue
        for copy in run.copies:
            mark = _wanted(config, reader, run, copy)
            if mark:
                yield _put(mark)
                roots.add(mark.root)
    for root in sorted(roots):
        yield from identified(root, now)


def identified_by_marks(catalogue: Catalogue, now: float, adopting: str) -> Iterator[Adopted]:
    """The same for a root of which a catalogue was made: its id is as old as the oldest mark.

    What has no mark and is older, was made before there were any. ``adopting`` is the command
    that writes a damaged one anew.
    """
    root = catalogue.root
    if not catalogue.marks or root.identity or root.remote:
        return
    if root.damage:
        # It never changes by itself: by its time it is told what is unfinished, and may go.
        yield Adopted(root.path, root.damaged(adopting))
        return
    marked = (each for group in catalogue.groups for each in group.backups if each.mark)
    first = min((each.started for each in marked if each.started is not None), default=now)
    yield from identified(root.address, min(first, now))


def identified(root: str, now: float) -> Iterator[Adopted]:
    """A root below which a mark lies gets its id, where it has none; gives what is in the way."""
    try:
        placing.identify(root, new_uid(), now)
        placing.sync(root)
    except OSError as error:
        yield Adopted(root, message_of(error))


def mended(root: Root, since: float | None, adopting: str) -> Iterator[Adopted]:
    """An id file that is damaged is written anew below which a mark lies: it is no mount point.

    ``since`` is when the first mark was put there, None where none was. ``adopting`` is the
    command that does all this.
    """
    if since is None:
        text = "and no backup there has a mark; is its disk mounted?"
        yield Adopted(root.path, f"its {root_id.FILE} {root.damage}, {text}")
        return
    if root.damage not in (root_id.EMPTY, root_id.GARBLED):
        yield Adopted(root.path, root.damaged(adopting))
        return
    try:
        if placing.identify_anew(root.path, new_uid(), since):
            placing.sync(root.path)
            yield Adopted(root.whole(root_id.FILE), instead="was damaged, and is written anew")
    except OSError as error:
        yield Adopted(root.path, message_of(error))


def _wanted(config: Config, reader: Reader, run: Run, copy: Copy) -> Written | None:
    """The mark of a copy that is there and has none; None for all others."""
    destination = config.destinations.get(copy.destination)
    if not copy.complete or copy.type != "active" or copy.path.startswith("rsync://"):
        return None
    if destination and not destination.mark:
        return None
    if reader.left_by_marks(copy.destination, [run.run_id]):
        return None
    try:
        leftovers = bool(reader.with_leftovers([copy.path]))
        mark = marking.of_run(run, copy, leftovers=leftovers)
    except BadValue:
        return None
    has_one = Path(mark.root, mark.file).is_file()
    return mark if not has_one and placing.is_there(mark) else None


def _put(mark: Written) -> Adopted:
    path = f"{mark.root}/{mark.place}"
    try:
        placing.put(mark, mark.root, durable=True)
    except OSError as error:
        return Adopted(path, message_of(error))
    return Adopted(path)


# --- by a database


class Lying(NamedTuple):
    """What lies at a root: the backups without a mark, by job.

    ``since`` is when the first of the marks there was put there, None where none lies there.
    """

    root: Root
    unmarked: dict[str, list[Place]]
    since: float | None


def lying(destination: Destination, now: float) -> Iterator[Lying]:
    """That of each root of a local destination or a store. Raises StorageAway."""
    if destination.must_be_mounted and (trouble := mounts.unmounted(destination.path)):
        raise StorageAway(trouble)
    for root in local.roots(destination.name, destination.path):
        unmarked: dict[str, list[Place]] = {}
        since: float | None = None
        for entry in local.entries(root):
            if not isinstance(entry, Entry) or not entry.is_there:
                continue
            if entry.mark:
                since = min(_put_at(root, entry.place, entry.mark.started, now), since or now)
            elif not entry.flaw:
                unmarked.setdefault(entry.place.job, []).append(entry.place)
        yield Lying(root, unmarked, since)


def _put_at(root: Root, place: Place, started: float, now: float) -> float:
    """When a mark was put there, which of an adopted one is long after its run.

    No clock that was behind then makes it older: that would call unfinished what is legacy.
    """
    try:
        return max(started, os.lstat(root.whole(place.path) + SUFFIX).st_ctime)
    except OSError:
        return now


def adopt_told(root: Root, job: str, places: Sequence[Place], ask: Ask) -> Iterator[Adopted]:
    """Write the marks of those places of a job that a database calls complete."""
    wanted = {place.path: place for place in places}
    known: dict[str, list[Told]] = {}
    for told in ask(job, places):
        whose = (told.host, told.instance, told.master_host, told.master_instance)
        for kind in ("full", "sync"):
            name = _directory(job, kind, whose, told.start_time)
            if name in wanted and told.path.endswith(f"/{name}"):
                known.setdefault(name, []).append(told)
    for name, copies in known.items():
        if found := _which(root, name, copies):
            yield _put(_mark(root, wanted[name], found))


def _which(root: Root, name: str, copies: Sequence[Told]) -> Told | None:
    """The copy that lies there, if it is complete.

    Of a sync the last run alone says what is there. Which of several destinations the root is,
    only its own host's names tell: where that is not known, all copies must be complete.
    """
    last = [each for each in copies if each.start_time == copies[0].start_time]
    here = [each for each in last if each.path == root.whole(name)] or last
    return here[0] if all(each.status in COMPLETE for each in here) else None


def _directory(job: str, kind: str, whose: tuple[str, str, str, str], start_time: str) -> str:
    try:
        return paths.directory("", job, kind, paths.subject(*whose), start_time)[1:]
    except BadValue:
        return ""


def _mark(root: Root, place: Place, told: Told) -> Written:
    # The same wherever another copy of that run is adopted.
    known = "/".join((told.host, place.job, told.instance, told.start_time))
    run = f"adopted-{hashlib.sha256(known.encode()).hexdigest()[:32]}"
    names = (run, place.job, told.host, told.instance, told.direction, place.type)
    snapshot = Snapshot(told.master_host, told.master_instance, told.data_age)
    copy = Copy(
        told.destination,
        root.whole(place.path),
        status=told.status,
        bytes=told.bytes,
        files=told.files,
        ended=told.ended,
    )
    who = Whose(*names, told.start_time, told.started)
    return marking.written(who, snapshot, copy, step=Step.DONE, status=Status.OK)
