"""``--dry-run``: what a run would do, found out without a change to anything.

The steps are those of a real run; what they would do is recorded (recording.py). Dynamic scripts
run, since nothing could be told without their values; pre, post and on_failure do not.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from b1000.config.selectors import JobSelection, check_instances
from b1000.errors import B1000Error, BadValue, RunFailed
from b1000.exchange import passive
from b1000.jobs import BrokenJob, Job
from b1000.locks import Locks
from b1000.logs import printable
from b1000.named import NamedTuple
from b1000.rsync import paths
from b1000.runs.events import Resolved
from b1000.runs.run import Bases, Copy, RunIdentity, Snapshot, Unsettled, label
from b1000.runs.task import JournalFacts
from b1000.templates import ScriptTemplate
from b1000.work import loop, push
from b1000.work.assignment import Assignment
from b1000.work.recording import Recording


class JournalLookups(NamedTuple):
    """What is known of earlier runs."""

    bases: Callable[[Job, str], Bases]
    """Gives the earlier fulls of a job and instance to which a new one may link."""
    owner: Callable[[str, Sequence[str], str], str | None]
    """Which of a job's instances wrote last into the directory of that subject."""
    unsettled: Callable[[], Mapping[str, Unsettled]]
    """Gives the directories that no attempt has finished, by their one_place."""
    name_free_at: Callable[[str, str, float], float]
    """When a new run of the job and instance may begin, since its name is that of its second."""


_NOWHERE = Locks(Path("/nonexistent"))  # a rehearsal holds no locks
_UID = "rehearsal"


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
            lines, failed = await rehearsal.lines(job, instance)
            yield "\n".join(lines), failed


class Rehearsal:
    """What one program would run at this moment."""

    def __init__(self, host: str, past: JournalLookups) -> None:
        self._host = host
        self._past = past
        self._now = time.time()
        self._directories: dict[str, str] = {}  # to whom each belongs
        self._instances: tuple[str, ...] = ()  # of the job that is told of

    def _assignment(self, job: Job, instance: str, recording: Recording) -> Assignment:
        # A name that a run of this second has is not that of another one.
        began = self._past.name_free_at(job.name, instance, self._now)
        start_time = datetime.fromtimestamp(began).strftime(paths.START_TIME)
        subject = RunIdentity(_UID, job.name, instance, self._host, job.direction, start_time)
        known = JournalFacts(self._past.bases(job, instance), self._past.unsettled())
        limits = job.limits._replace(copy_retries=0)
        return Assignment(subject, limits, recording, _NOWHERE, known=known)

    async def instances(self, job: Job) -> tuple[str, ...]:
        """The instances that the job would have now; ("",) where it has none at all."""
        self._instances = ("",)
        if isinstance(job.instances, ScriptTemplate):
            assignment = self._assignment(job, "", Recording(job, lambda _: ()))
            self._instances = await push.listed(assignment, job)
        elif job.instances is not None:
            self._instances = job.instances
        return self._instances

    async def lines(self, job: Job, instance: str) -> tuple[list[str], bool]:
        """What one run would do, in its order, and whether it would fail."""
        kind = f", {job.type}" if job.type else ""
        heading = f"{label(job.name, instance)} ({job.direction}{kind})"
        recording = Recording(job, lambda event: self._resolved(job, assignment, event))
        assignment = self._assignment(job, instance, recording)
        try:
            if job.direction == "passive":
                await passive.carry_out(assignment, job, recording, recording)
            else:
                # Of what a pull asks its client first, nothing is known before that.
                await push.carry_out(assignment, job, recording)
        except B1000Error as error:
            if not recording.failed:
                why = f"  would FAIL at {assignment.step}: {printable(str(error))}"
                return [heading, *recording.lines, why], True
        return [heading, *recording.lines], recording.failed

    def _resolved(self, job: Job, assignment: Assignment, event: Resolved) -> list[str]:
        """What a run would have settled at INIT. RunFailed where it may not go on."""
        if job.direction == "passive":
            return []
        snapshot = event.snapshot
        if met := self._met(job.name, assignment.subject.instance, snapshot, event.copies):
            raise RunFailed(met)
        said = []
        if snapshot.master_host or snapshot.master_instance:
            said.append(f"  master: {snapshot.master_host} {snapshot.master_instance}".rstrip())
        if snapshot.data_age:
            said.append(f"  age of the data: {snapshot.data_age:g} s")
        said += [f"  warning: {why}" for why in assignment.reasons]
        if job.pull:
            said.append(
                f"  poll {job.pull.source} every {job.pull.poll_wait} s "
                f"for a report of {job.pull.job}, meant for {self._host}; "
                "the directory then bears the client's names"
            )
        return said

    def _met(self, job: str, instance: str, snapshot: Snapshot, copies: Iterable[Copy]) -> str:
        """Why a run may not have its directories, which are others' as well; "" if it may.

        Those who had them last keep them; among others it is told with the second.
        """
        whose = paths.subject(self._host, instance, snapshot.master_host, snapshot.master_instance)
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
