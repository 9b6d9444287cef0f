"""What a run does to the world once all is decided: done here, and only told of in a rehearsal."""

from typing import Protocol

from b1000.errors import message_of
from b1000.rsync.outcome import Outcome
from b1000.rsync.source import Source
from b1000.runs.run import Snapshot
from b1000.runs.states import COMPLETE, CopyStatus
from b1000.work import merging, sweeping
from b1000.work.announcing import announce
from b1000.work.assignment import Assignment
from b1000.work.attempt import Attempt
from b1000.work.copying import Copying
from b1000.work.origin import HERE, Origin
from b1000.work.permits import held
from b1000.work.sources import Sources


class Executor(Protocol):
    """Carries out what the steps of a run ask for."""

    @property
    def origin(self) -> Origin:
        """Where the data of the run is."""

    async def script(self, assignment: Assignment, purpose: str, command: str) -> None:
        """A pre or post. Raises RunFailed."""

    async def transfer(
        self, assignment: Assignment, snapshot: Snapshot, copying: Copying, found: Sources
    ) -> tuple[Outcome, str]:
        """One attempt of a copy; also gives a warning about names that were not copied, or ""."""


class Acting:
    """Does it; the data is at ``origin``."""

    def __init__(self, origin: Origin = HERE) -> None:
        self.origin = origin

    async def script(self, assignment: Assignment, purpose: str, command: str) -> None:
        """Run it."""
        await assignment.script(purpose, command, assignment.limits.script_timeout)

    async def transfer(
        self, assignment: Assignment, snapshot: Snapshot, copying: Copying, found: Sources
    ) -> tuple[Outcome, str]:
        """Copy, as soon as all locks are there."""
        try:
            async with held(assignment, copying.target) as descriptors:
                client = self.origin.client
                if announced := await announce(assignment, snapshot, copying, client):
                    return announced, ""
                source = source_of(snapshot, found, self.origin)
                began = assignment.clock()
                result = await _rsync(assignment, source, copying, found, descriptors)
                copying.took = assignment.clock() - began
                return result
        except OSError as error:
            reason = f"a lock cannot be taken: {message_of(error)}"
            return Outcome(CopyStatus.FAILED, reason=reason), ""


def source_of(snapshot: Snapshot, found: Sources, origin: Origin) -> Source:
    """What rsync is to copy."""
    same = found.overlaps.same
    return Source(found.paths, snapshot.exclude, snapshot.transfer, origin.pull, same)


async def _rsync(
    assignment: Assignment,
    source: Source,
    copying: Copying,
    found: Sources,
    descriptors: tuple[int, ...],
) -> tuple[Outcome, str]:
    clash = await merging.clash(assignment, source, copying.destination, found.overlaps)
    if trouble := clash or await sweeping.prepare(assignment, copying):
        return Outcome(CopyStatus.FAILED, reason=trouble), ""
    attempt = Attempt(assignment, source, copying.target, copying.standing, descriptors)
    result = await attempt.carry_out()
    copying.totals, copying.standing = attempt.totals, attempt.standing
    if result.status in COMPLETE and copying.standing.leftovers:
        await sweeping.sweep(assignment, copying, source)
    ours = f"never copied, since such names are B1000's own: {attempt.ours}"
    return result, ours if attempt.ours.count else ""
