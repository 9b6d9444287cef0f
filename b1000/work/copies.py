"""The copies of one run: their order, the background, rounds of retry.

Groups go in order, one copy after another; those with ``&`` run beside them.
All destinations are tried once before the first is tried again, so that one
that is down delays no other.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

from b1000.jobs import Destination, DestinationChoice, Job
from b1000.rsync import paths
from b1000.rsync.outcome import Outcome
from b1000.rsync.verdicts import Retry
from b1000.runs.events import AttemptBegan, AttemptEnded, CopyMoved, Message
from b1000.runs.run import Copy, Snapshot
from b1000.runs.states import COMPLETE, CopyStatus, Status, status_of_copies
from b1000.storage import mounts
from b1000.work import linking, retries
from b1000.work.assignment import NO_DESTINATION, Assignment
from b1000.work.copying import Copying, begin
from b1000.work.executor import Executor
from b1000.work.waiting import Event, Group, Lock, sleep


def planned(
    assignment: Assignment, job: Job, whose: tuple[str, str, str, str]
) -> tuple[tuple[Copy, ...], Mapping[str, str]]:
    """The copies of a new run in their order, and into which earlier full each links.

    ``whose`` data it is: host, instance, master host and master instance.
    """
    directory = paths.subject(*whose)
    copies = tuple(
        Copy(
            choice.name,
            paths.directory(
                job.destinations[choice.name].path,
                job.name,
                job.type,
                directory,
                assignment.subject.start_time,
            ),
            choice.background,
            marked=job.destinations[choice.name].mark,
        )
        for group in job.dest
        for choice in _shuffled(group)
    )
    if job.type == "sync":
        return copies, {}
    bases, now = assignment.known.bases, assignment.clock()
    return copies, linking.settled(bases, whose, copies, job.destinations, now)


def _shuffled(group: Sequence[DestinationChoice]) -> Sequence[DestinationChoice]:
    if len(group) < 2:
        return group

    import random  # with hashes and mathematics, for a few jobs

    return random.sample(group, len(group))


class Copies:
    """Makes the copies of a run that are not complete yet."""

    def __init__(
        self, assignment: Assignment, snapshot: Snapshot, sync: bool, executor: Executor
    ) -> None:
        self._assignment = assignment
        self._executor = executor
        self._snapshot = snapshot
        self._sync = sync
        self._limits = assignment.limits
        # Foreground copies and their retries, one at a time, in the order in which they ask.
        self._lane = Lock()
        self._all_begun = Event()

    async def carry_out(
        self, copies: Sequence[Copy], destinations: Mapping[str, Destination]
    ) -> tuple[Status, str]:
        """Copy to each destination; gives, when all have ended, how the run stands, and why."""
        known = [copy for copy in copies if copy.destination in destinations]
        ended = await self._to_their_ends(known, destinations)
        ended += [
            (copy, await self._without_destination(copy))
            for copy in copies
            if copy.destination not in destinations
        ]
        reasons = [
            f"{copy.destination}: {result.reason}" for copy, result in ended if result.reason
        ]
        return status_of_copies(result.status for _, result in ended), "; ".join(reasons)

    async def _to_their_ends(
        self, copies: Sequence[Copy], destinations: Mapping[str, Destination]
    ) -> list[tuple[Copy, Outcome]]:
        async with Group() as group:
            tasks = []
            for copy in copies:
                copying = begin(
                    self._assignment, self._snapshot, copy, destinations, shared=self._sync
                )
                tried = Event()
                tasks.append(group.begin(self._copy(copying, tried)))
                if not copy.background:
                    await tried.wait()
            self._all_begun.set()
        return [(copy, task.result()) for copy, task in zip(copies, tasks, strict=True)]

    async def _without_destination(self, copy: Copy) -> Outcome:
        """A copy that is resumed although its destination is no longer configured."""
        reason = NO_DESTINATION
        now = self._assignment.clock()
        await self._assignment.commit(CopyMoved(now, copy.destination, CopyStatus.FAILED, reason))
        return Outcome(CopyStatus.FAILED, reason=reason)

    async def _copy(self, copying: Copying, tried: Event) -> Outcome:
        """One copy to its end; ``tried`` is set after its first attempt."""
        result = await self._all_attempts(copying, tried)
        if result.status in COMPLETE and (doubt := await self._executor.origin.verify()):
            result = Outcome(CopyStatus.FAILED, reason=doubt, exit_code=result.exit_code)
        result = copying.told(result)
        now = self._assignment.clock()
        # What follows, a post or the end, makes it durable together with its own beginning.
        self._assignment.channel.send(
            _attempt_ended(copying, result, now),
            CopyMoved(
                now,
                copying.copy.destination,
                result.status,
                result.reason,
                copying.totals.bytes,
                copying.totals.files,
                copying.totals.sent,
                result.exit_code,
                copying.totals.directories,
                copying.totals.links,
                copying.totals.others,
                copying.totals.vanished,
                copying.took,
                copying.target.linking.linked,
            ),
        )
        return result

    async def _all_attempts(self, copying: Copying, tried: Event) -> Outcome:
        """The outcome of the last one."""

        async def attempt() -> Outcome:
            try:
                async with self._turn(copying.copy):
                    return await self._attempt(copying)
            finally:
                copying.target.progress.end()
                tried.set()

        async def rest(seconds: float) -> None:
            await sleep(seconds)
            await self._all_begun.wait()

        def report(result: Outcome, seconds: float) -> None:
            now = self._assignment.clock()
            ended = _attempt_ended(copying, result, now, now + seconds)
            self._assignment.channel.send(ended)

        return await retries.last_of(attempt, copying.again, self._limits, rest, report)

    @contextlib.asynccontextmanager
    async def _turn(self, copy: Copy) -> AsyncIterator[None]:
        if copy.background:
            yield
            return
        async with self._lane:
            yield

    # --- one attempt

    async def _attempt(self, copying: Copying) -> Outcome:
        await self._begin(copying)
        # Before a lock makes the directory. A disk may be mounted until the next attempt.
        target = copying.destination
        if target.must_be_mounted and (unmounted := mounts.unmounted(target.path)):
            return Outcome(CopyStatus.FAILED, Retry.YES, unmounted)
        transfer = self._snapshot.transfer
        origin = self._executor.origin
        found = await origin.find(self._snapshot.include, transfer.relative, transfer.delete)
        if found.unusable:
            retry = Retry.YES if found.passing else Retry.NEVER
            return Outcome(CopyStatus.FAILED, retry, found.trouble)
        result, ours = await self._executor.transfer(
            self._assignment, self._snapshot, copying, found
        )
        if result.status not in COMPLETE:
            return result
        if found.trouble:
            return Outcome(CopyStatus.FAILED, reason=found.trouble, exit_code=result.exit_code)
        empty = "" if copying.totals.files else "there was no file at the source, nothing to copy"
        if warning := "; ".join(filter(None, (found.warning or empty, ours))):
            reason = "; ".join(filter(None, (result.reason, warning)))
            return Outcome(CopyStatus.WARNING, reason=reason, exit_code=result.exit_code)
        return result

    async def _begin(self, copying: Copying) -> None:
        """Make it durable that an attempt begins."""
        copying.number += 1
        copy, doubt = copying.copy, copying.standing.doubt
        now = self._assignment.clock()
        begins: list[Message] = [AttemptBegan(now, copy.destination, copying.number, doubt)]
        if copying.number == copy.attempts + 1:
            begins.insert(0, CopyMoved(now, copy.destination, CopyStatus.COPYING))
            if copying.destination.link_dest and not self._sync:
                copying.target.linking.log_absence()
        await self._assignment.commit(*begins)


def _attempt_ended(
    copying: Copying, result: Outcome, now: float, again_at: float | None = None
) -> AttemptEnded:
    """That the attempt under way ended so; ``again_at``: when the next begins, if there is one."""
    return AttemptEnded(
        now,
        copying.copy.destination,
        copying.number,
        result.exit_code,
        result.reason,
        again_at,
        copying.unsettled(result),
        copying.standing.claimed,
    )
