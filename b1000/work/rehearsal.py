"""``--dry-run``: what a run would do, found out without a change to anything.

Dynamic scripts run, since nothing could be told without their values; pre, post
and on_failure do not.
"""

import shlex
import time
from collections.abc import (
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from datetime import datetime
from pathlib import Path

from b1000.config.addresses import one_place
from b1000.config.selectors import JobSelection, check_instances
from b1000.errors import B1000Error, BadValue
from b1000.jobs import BrokenJob, Job
from b1000.locks import Locks
from b1000.logs import printable
from b1000.named import NamedTuple
from b1000.rsync import command, paths
from b1000.rsync.source import Source
from b1000.runs.events import Message
from b1000.runs.run import Bases, Copy, Frozen, RunIdentity, Unsettled, label
from b1000.runs.task import JournalFacts
from b1000.storage import mounts
from b1000.templates import ScriptTemplate
from b1000.work import keeping, loop, merging, push, sources
from b1000.work.assignment import Assignment
from b1000.work.channel import Channel
from b1000.work.forecast import forecast
from b1000.work.linking import Linking
from b1000.work.run_values import RunValues


class JournalLookups(NamedTuple):
    """What is known of earlier runs."""

    bases: Callable[[Job, str], Bases]
    """Gives the earlier fulls of a job and instance to which a new one may link."""
    owner: Callable[[str, Sequence[str], str], str | None]
    """Which of a job's instances wrote last into the directory of that subject."""
    unsettled: Callable[[], Mapping[str, Unsettled]]
    """Gives the directories that no attempt has finished, by their one_place."""


_NOWHERE = Locks(Path("/nonexistent"))  # a rehearsal holds no locks
_UID = "rehearsal"


class _NoSupervisor(Channel):
    """A channel behind which no supervisor stands."""

    def __init__(self) -> None:
        """Nothing is connected."""

    def send(self, *messages: Message) -> None:
        """Nobody is told."""

    async def commit(self, *messages: Message) -> None:
        """Nothing becomes durable."""


def rehearse(
    jobs: Mapping[str, Job | BrokenJob],
    selection: Mapping[str, JobSelection],
    host: str,
    say: Callable[[str, bool], None],
    past: JournalLookups,
) -> bool:
    """Tell of all that was selected, each as soon as it is known; gives whether all would go well.

    ``say`` takes a text, and whether what it tells of would fail. ``past``
    knows what earlier runs have left. UsageError for an
    instance that its job does not have now.
    """
    return loop.run(_rehearse(jobs, selection, Rehearsal(host, past), say))


async def _rehearse(
    jobs: Mapping[str, Job | BrokenJob],
    selection: Mapping[str, JobSelection],
    rehearsal: "Rehearsal",
    say: Callable[[str, bool], None],
) -> bool:
    well = True
    for name, asked in selection.items():
        async for text, failed in _lines_of(rehearsal, name, jobs[name], asked):
            say(text, failed)
            well = well and not failed
    return well


async def _lines_of(
    rehearsal: "Rehearsal", name: str, job: Job | BrokenJob, asked: JobSelection
) -> AsyncIterator[tuple[str, bool]]:
    """What there is to tell of one job, and whether each would fail."""
    if isinstance(job, BrokenJob):
        yield "\n".join([name, *(f"  would FAIL at INIT: {why}" for why in job.reasons)]), True
        return
    try:
        instances = await rehearsal.instances(job)
    except BadValue as error:
        yield f"{name}\n  would FAIL at INIT: {printable(str(error))}", True
        return
    check_instances(name, asked.named, instances)
    if not instances:
        yield f"{name}\n  no instances", False
    for instance in instances:
        if asked.includes(instance):
            rehearsal.failed = False
            lines = await rehearsal.lines(job, instance)
            yield "\n".join(lines), rehearsal.failed


class Rehearsal:
    """What one program would run at this moment; ``failed`` where what was told last would fail."""

    def __init__(self, host: str, past: JournalLookups) -> None:
        self._host = host
        self._past = past
        self._start_time = datetime.fromtimestamp(time.time()).strftime(paths.START_TIME)
        self._directories: dict[str, str] = {}  # to whom each belongs
        self._instances: tuple[str, ...] = ()  # of the job that is told of
        self.failed = False

    def _assignment(self, job: Job, instance: str) -> Assignment:
        subject = RunIdentity(_UID, job.name, instance, self._host, job.direction, self._start_time)
        bases = self._past.bases(job, instance)
        return Assignment(subject, job.limits, _NoSupervisor(), _NOWHERE, known=JournalFacts(bases))

    async def instances(self, job: Job) -> tuple[str, ...]:
        """The instances that the job would have now; ("",) where it has none at all."""
        self._instances = ("",)
        if isinstance(job.instances, ScriptTemplate):
            self._instances = await push.listed(self._assignment(job, ""), job)
        elif job.instances is not None:
            self._instances = job.instances
        return self._instances

    async def lines(self, job: Job, instance: str) -> list[str]:
        """What one run would do, in its order."""
        kind = f", {job.type}" if job.type else ""
        heading = f"{label(job.name, instance)} ({job.direction}{kind})"
        assignment = self._assignment(job, instance)
        try:
            if job.direction == "passive":
                return [heading, *await self._passive(assignment, job)]
            frozen, copies = await push.settle(assignment, job)
        except B1000Error as error:
            self.failed = True
            return [heading, f"  would FAIL at INIT: {printable(str(error))}"]
        if met := self._met(job.name, instance, frozen, copies):
            self.failed = True
            return [heading, f"  would FAIL at INIT: {met}"]
        said = [
            heading,
            *self._settled(frozen),
            *(f"  warning: {why}" for why in assignment.reasons),
        ]
        if job.pull:
            said.append(
                f"  poll {job.pull.source} every {job.pull.poll_wait} s "
                f"for a report of {job.pull.job}, meant for {self._host}; "
                "the directory then bears the client's names"
            )
        if frozen.pre:
            said.append(f"  pre: {printable(frozen.pre)}")
        for copy in copies:
            said += await self._copy(assignment, job, frozen, copy)
        if frozen.post:
            said.append(f"  post: {printable(frozen.post)}")
        return said

    def _met(self, job: str, instance: str, frozen: Frozen, copies: Iterable[Copy]) -> str:
        """Why a run may not have its directories, which are others' as well; "" if it may.

        Those who had them last keep them; among others it is told with the second.
        """
        whose = paths.subject(self._host, instance, frozen.master_host, frozen.master_instance)
        owner = self._past.owner(job, self._instances, whose)
        if owner not in (None, instance):
            return f"{whose} is the directory of {label(job, owner or '')}"
        mine = label(job, instance)
        for copy in copies:
            other = self._directories.setdefault(copy.path, mine)
            if other != mine and owner is None:
                path = printable(copy.path)
                return f"{other} and {mine} would both be copied into {path}, so both are refused"
        return ""

    @staticmethod
    def _settled(frozen: Frozen) -> Iterator[str]:
        if frozen.master_host or frozen.master_instance:
            yield f"  master: {frozen.master_host} {frozen.master_instance}".rstrip()
        if frozen.data_age:
            yield f"  age of the data: {frozen.data_age:g} s"

    async def _passive(self, assignment: Assignment, job: Job) -> list[str]:
        values = await RunValues(assignment, job).settle()
        said = [f"  pre: {printable(values['pre'])}"] if "pre" in values else []
        said += [
            f"  wait for {destination.host}, {destination.timeout} s at most"
            + (" (in the background)" if choice.background else "")
            for group in job.dest
            for choice in group
            for destination in [job.destinations[choice.name]]
        ]
        return said + ([f"  post: {printable(values['post'])}"] if "post" in values else [])

    async def _copy(
        self, assignment: Assignment, job: Job, frozen: Frozen, copy: Copy
    ) -> list[str]:
        destination = job.destinations[copy.destination]
        beside = " in the background" if copy.background else ""
        said = [f"  copy to {copy.destination}{beside}: {printable(copy.path)}"]
        if destination.must_be_mounted and (trouble := mounts.unmounted(destination.path)):
            return [*said, self._fails(trouble)]
        found = _found(job, frozen)
        if found.unusable and not frozen.pre:
            return [*said, self._fails(found.trouble)]
        # What pre is yet to make is named as it is configured.
        given = found.paths or [word.text for word in frozen.include]
        source = Source(given, frozen.exclude, frozen.transfer, job.pull)
        keeps = destination.remote and job.type == "full"
        known = self._past.unsettled().get(one_place(copy.path))
        doubt = known.doubt if known and not keeps else ""
        if doubt:
            said.append(f"    compares by content, since the attempt before {doubt}")

        def argv(bases: Sequence[str]) -> list[str]:
            manner = command.Manner(bases, keep_existing=keeps, by_content=bool(doubt))
            return command.copy(source, copy.path, destination, assignment.limits, manner=manner)

        base = frozen.bases.get(copy.destination)
        linking = Linking(assignment, destination, copy.path, base)
        undivided = keeping.is_undivided(bool(linking), keeps, frozen.transfer.hard_links)
        if destination.streams > 1 and not undivided:
            said.append(f"    in {destination.streams} streams, then once over the whole:")
        said.append(f"    {printable(shlex.join(argv(linking.directories)))}")
        if found.unusable or (found.trouble and frozen.pre):
            said.append(f"    {found.trouble}; pre may make it")
        elif found.trouble:
            said.append(self._fails(f"{found.trouble}; the rest would be copied"))
        if found.unusable:
            return said
        if twice := await merging.clash(assignment, source, destination, found.meeting):
            return [*said, self._fails(twice)]
        # In a directory that is not there yet, rsync -n finds only bases with a whole path.
        trials = [argv([paths.inside(base)] if base else []), argv([])]
        would = await forecast(assignment, source, destination, trials, linking)
        return [*said, self._fails(would.trouble) if would.trouble else f"    {would.text}"]

    def _fails(self, why: str) -> str:
        """The line which says that a copy would fail; what is shown then fails as a whole."""
        self.failed = True
        return f"    would FAIL: {why}"


def _found(job: Job, frozen: Frozen) -> sources.Sources:
    """What there is to copy; of a pull, only the client's report says its name and masters."""
    if job.pull:
        return sources.Sources(tuple(word.text for word in frozen.include))
    return sources.find(frozen.include, frozen.transfer.relative, frozen.transfer.delete)
