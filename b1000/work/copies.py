"""The copies of one run: their order, the background, rounds of retry.

Groups go in order, one copy after another; those with ``&`` run beside them.
All destinations are tried once before the first is tried again, so that one
that is down delays no other.
"""

import asyncio
import contextlib
import hashlib
import os
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import tenacity

from b1000.config import shellwords
from b1000.errors import B1000Error, words
from b1000.jobs import Destination, Job, Pull
from b1000.locks import take_directory
from b1000.progress import DIRECTORY, path_of
from b1000.rsync import names, paths
from b1000.rsync.outcome import Outcome, Retry, Totals
from b1000.runs.events import AttemptBegan, AttemptEnded, CopyMoved, Message
from b1000.runs.run import Copy, Frozen, Unsettled
from b1000.runs.states import COMPLETE, CopyStatus, Status, status_of_copies
from b1000.work import inventory, leftovers, linking, merging, mounts, sources
from b1000.work.assignment import NO_DESTINATION, Assignment
from b1000.work.attempt import Attempt, spoilt
from b1000.work.inventory import Source
from b1000.work.linking import Linking
from b1000.work.progress import Told
from b1000.work.sources import Sources

_POLL = 0.2  # seconds between looks at a lock that somebody else holds


@dataclass
class _Copying:
    """One copy on its way."""

    copy: Copy
    destination: Destination
    number: int
    told: Told
    linking: Linking
    since: float
    """When the first attempt began that did not end well there."""
    totals: Totals = field(default_factory=Totals)
    retried_once: bool = False
    leftovers: bool = False
    """An attempt before the last may have left temporary files at the destination."""
    doubt: str = ""
    """Why what is there is not believed by size and time, as in Unsettled."""
    spoilt: bool = False
    claimed: bool = True
    """The directory is this run's own; one of a sync is everybody's who has its lock."""

    def unsettled(self, result: Outcome) -> Unsettled | None:
        """What the journal is to know of the directory after an attempt."""
        if result.status in COMPLETE or not (self.doubt or self.leftovers) or not self.claimed:
            return None
        return Unsettled(self.since, self.doubt, self.spoilt)


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
        )
        for group in job.dest
        for choice in random.sample(group, len(group))
    )
    return copies, linking.settled(assignment.bases, whose, copies)


class Origin(Protocol):
    """Where the data of a run is; ``pull`` is set where that is another host."""

    pull: Pull | None

    async def find(self, include: str, relative: bool, delete: bool) -> Sources:
        """What is to be copied, looked for anew by each attempt."""

    async def verify(self) -> str:
        """After a copy: why it cannot be relied on, or ""."""


class _Here:
    """The data is on this host."""

    pull: Pull | None = None

    async def find(self, include: str, relative: bool, delete: bool) -> Sources:
        return sources.find(include, relative, delete)

    async def verify(self) -> str:
        return ""


class Copies:
    """Makes the copies of a run that are not complete yet."""

    def __init__(
        self, assignment: Assignment, frozen: Frozen, sync: bool, origin: Origin | None = None
    ) -> None:
        self._assignment = assignment
        self._origin = origin or _Here()
        self._frozen = frozen
        self._sync = sync
        self._limits = assignment.limits
        # Foreground copies and their retries, one at a time, in the order in which they ask.
        self._lane = asyncio.Lock()
        self._all_begun = asyncio.Event()

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
        excludes = dict(self._frozen.destination_excludes)
        async with asyncio.TaskGroup() as group:
            tasks = []
            for copy in copies:
                destination = destinations[copy.destination]
                began = destination.as_at(copy.path, excludes.get(copy.destination, ()))
                copying = self._copying(copy, began)
                tried = asyncio.Event()
                tasks.append(group.create_task(self._copy(copying, tried)))
                if not copy.background:
                    await tried.wait()
            self._all_begun.set()
        return [(copy, task.result()) for copy, task in zip(copies, tasks, strict=True)]

    def _copying(self, copy: Copy, destination: Destination) -> _Copying:
        """A copy as it begins, or goes on; an attempt of another run may be in its way too."""
        known = self._assignment.unsettled.get(copy.path)
        began = copy.started or self._assignment.clock()
        # An attempt of which nobody knows the end had made the directory, as far as is known.
        claimed = self._sync or copy.claimed or (copy.attempts > 0 and known is not None)
        return _Copying(
            copy,
            destination,
            copy.attempts,
            self._told(copy),
            self._linking(copy, destination),
            known.since if known else began,
            # What a copy is resumed from was interrupted, in whatever way.
            leftovers=claimed and (copy.attempts > 0 or known is not None),
            doubt=known.doubt if known else "",
            spoilt=known is not None and known.spoilt,
            claimed=claimed,
        )

    async def _without_destination(self, copy: Copy) -> Outcome:
        """A copy that is resumed although its destination is configured no more."""
        reason = NO_DESTINATION
        now = self._assignment.clock()
        await self._assignment.commit(CopyMoved(now, copy.destination, CopyStatus.FAILED, reason))
        return Outcome(CopyStatus.FAILED, reason=reason)

    def _told(self, copy: Copy) -> Told:
        locks, run_id = self._assignment.locks, self._assignment.run_id
        return Told(path_of(locks.directory.with_name(DIRECTORY), run_id, copy.destination))

    def _linking(self, copy: Copy, destination: Destination) -> Linking:
        base = self._frozen.bases.get(copy.destination)
        return Linking(self._assignment, destination, copy.path, base)

    async def _copy(self, copying: _Copying, tried: asyncio.Event) -> Outcome:
        """All attempts of one copy; ``tried`` is set after the first."""

        async def attempt() -> Outcome:
            try:
                async with self._turn(copying.copy):
                    return await self._attempt(copying)
            finally:
                copying.told.end()
                tried.set()

        async def rest(seconds: float) -> None:
            await asyncio.sleep(seconds)
            await self._all_begun.wait()

        least = self._limits.copy_retry_min_sleep
        retrying = tenacity.AsyncRetrying(
            sleep=rest,
            stop=tenacity.stop_after_attempt(1 + self._limits.copy_retries),
            wait=tenacity.wait_exponential(multiplier=least, max=9 * least)
            + tenacity.wait_random(0, least),
            retry=tenacity.retry_if_result(lambda result: self._again(copying, result)),
            before_sleep=lambda state: self._tell_retry(copying, state),
            retry_error_callback=_last_outcome,
        )
        result: Outcome = await retrying(attempt)
        if result.status in COMPLETE and (doubt := await self._origin.verify()):
            result = Outcome(CopyStatus.FAILED, reason=doubt, exit_code=result.exit_code)
        now = self._assignment.clock()
        await self._assignment.commit(
            AttemptEnded(
                now,
                copying.copy.destination,
                copying.number,
                result.exit_code,
                result.reason,
                unsettled=copying.unsettled(result),
                claimed=copying.claimed,
            ),
            CopyMoved(
                now,
                copying.copy.destination,
                result.status,
                result.reason,
                copying.totals.bytes,
                copying.totals.files,
                copying.totals.sent,
                result.exit_code,
            ),
        )
        return result

    @staticmethod
    def _again(copying: _Copying, result: Outcome) -> bool:
        if result.retry is Retry.ONCE:
            first = not copying.retried_once
            copying.retried_once = True
            return first
        return result.retry is Retry.YES

    def _tell_retry(self, copying: _Copying, state: tenacity.RetryCallState) -> None:
        result = _last_outcome(state)
        now = self._assignment.clock()
        wait = state.next_action.sleep if state.next_action else 0.0
        self._assignment.channel.tell(
            AttemptEnded(
                now,
                copying.copy.destination,
                copying.number,
                result.exit_code,
                result.reason,
                now + wait,
                copying.unsettled(result),
                copying.claimed,
            )
        )

    @contextlib.asynccontextmanager
    async def _turn(self, copy: Copy) -> AsyncIterator[None]:
        if copy.background:
            yield
            return
        async with self._lane:
            yield

    # --- one attempt

    async def _attempt(self, copying: _Copying) -> Outcome:
        copying.number += 1
        copy = copying.copy
        now = self._assignment.clock()
        begins: list[Message] = [AttemptBegan(now, copy.destination, copying.number, copying.doubt)]
        if copying.number == copy.attempts + 1:
            begins.insert(0, CopyMoved(now, copy.destination, CopyStatus.COPYING))
            if copying.destination.link_dest and not self._sync:
                copying.linking.tell_absence()
        await self._assignment.commit(*begins)
        # Before a lock makes the directory. A disk may be mounted until the next attempt.
        place = copying.destination
        if place.must_be_mounted and (unmounted := mounts.unmounted(place.path)):
            return Outcome(CopyStatus.FAILED, Retry.YES, unmounted)
        transfer = self._frozen.transfer
        found = await self._origin.find(self._frozen.include, transfer.relative, transfer.delete)
        if found.unusable:
            retry = Retry.YES if found.passing else Retry.NEVER
            return Outcome(CopyStatus.FAILED, retry, found.trouble)
        try:
            async with self._locked(copying) as descriptors:
                source = Source(
                    found.paths,
                    self._exclude(),
                    transfer,
                    self._origin.pull,
                    found.meeting.same,
                )
                trouble = await merging.clash(
                    self._assignment, source, copying.destination, found.meeting
                ) or await self._prepared(copying)
                if trouble:
                    return Outcome(CopyStatus.FAILED, reason=trouble)
                result, ours = await self._rsync(copying, source, descriptors)
                if result.status in COMPLETE and copying.leftovers:
                    await self._sweep(copying, source)
        except OSError as error:
            return Outcome(CopyStatus.FAILED, reason=f"a lock cannot be taken: {words(error)}")
        if found.trouble and result.status in COMPLETE:
            return Outcome(CopyStatus.FAILED, reason=found.trouble, exit_code=result.exit_code)
        empty = "" if copying.totals.files else "there was no file at the source, nothing to copy"
        warning = "; ".join(filter(None, (found.warning or empty, ours)))
        if warning and result.status in COMPLETE:
            reason = "; ".join(filter(None, (result.reason, warning)))
            return Outcome(CopyStatus.WARNING, reason=reason, exit_code=result.exit_code)
        return result

    async def _prepared(self, copying: _Copying) -> str:
        """Make the directory fit for an attempt; gives why that is not possible, or ""."""
        path, remote = copying.copy.path, copying.destination.remote
        if copying.spoilt:
            return spoilt("found before")
        try:
            if copying.linking and copying.leftovers and copying.claimed and not remote:
                await self._begin_anew(copying)
            elif not remote:
                return await leftovers.stranger(path)
        except OSError as error:
            return f"{path} cannot be made ready: {words(error)}"
        log, name = self._assignment.log, copying.destination.name
        if copying.linking and copying.leftovers:
            log.info("%s: what is there stays as it is: an older backup may share it", name)
        return ""

    async def _begin_anew(self, copying: _Copying) -> None:
        """What is there may share files with an older backup, and is soon made again."""
        why = f", since the attempt before {copying.doubt}" if copying.doubt else ""
        name = copying.destination.name
        self._assignment.log.info("%s: begins anew in an empty directory%s", name, why)
        await leftovers.clear(copying.copy.path)
        copying.leftovers, copying.doubt = False, ""

    @contextlib.asynccontextmanager
    async def _locked(self, copying: _Copying) -> AsyncIterator[tuple[int, ...]]:
        """The permit of the destination and the lock of a sync directory, as descriptors."""
        held: list[int] = []

        async def hold(take: Callable[[], int | None], why: str) -> None:
            held.append(await self._wait_for(copying, take, why))

        locks, destination = self._assignment.locks, copying.destination
        try:
            if most := destination.max_copies:
                permit = f"copies@{destination.name}"
                why = f"{destination.name} has its limit of {most} copies (max_copies)"
                await hold(lambda: locks.take_one_of(permit, most), why)
            if self._sync:
                path = copying.copy.path
                digest = hashlib.sha256(path.encode()).hexdigest()[:32]
                why = f"another copy writes into {path}"
                await hold(lambda: locks.take_one_of(f"directory@{digest}", 1), why)
                if not destination.remote:
                    # Where the directory cannot be used, rsync says why.
                    with contextlib.suppress(OSError):
                        await hold(lambda: take_directory(Path(path)), why)
            yield tuple(held)
        finally:
            for descriptor in held:
                os.close(descriptor)

    async def _wait_for(self, copying: _Copying, take: Callable[[], int | None], why: str) -> int:
        told = False
        while (descriptor := take()) is None:
            if not told:
                self._assignment.log.info("%s waits: %s", copying.copy.destination, why)
                copying.told.waits(why)
                told = True
            await asyncio.sleep(_POLL)
        return descriptor

    def _exclude(self) -> list[str]:
        return [word.text for word in shellwords.split(self._frozen.exclude)]

    async def _rsync(
        self, copying: _Copying, source: Source, descriptors: tuple[int, ...]
    ) -> tuple[Outcome, str]:
        """One attempt; gives a warning about names that were not copied too, or ""."""
        attempt = Attempt(
            self._assignment,
            source,
            copying.copy.path,
            copying.destination,
            copying.linking,
            copying.told,
            descriptors,
            copying.leftovers,
            copying.doubt,
            copying.claimed,
        )
        result = await attempt.carry_out()
        copying.totals, copying.doubt = attempt.totals, attempt.doubt
        copying.spoilt, copying.claimed = attempt.spoilt, attempt.claimed
        copying.leftovers = copying.leftovers or attempt.leftovers
        ours = f"never copied, since such names are B1000's own: {attempt.ours}"
        return result, ours if attempt.ours.count else ""

    async def _sweep(self, copying: _Copying, source: Source) -> None:
        """Remove what killed attempts left at a local destination; at a daemon it stays."""
        log, name, path = self._assignment.log, copying.destination.name, copying.copy.path
        told = "%s: temporary files of an interrupted attempt (.NAME.XXXXXX) may be left in %s%s"
        if copying.destination.remote:
            if not source.transfer.delete:
                log.warning(told, name, path, "")
            return
        try:
            shared = self._sync and not source.transfer.delete
            found = await leftovers.temporary(path, copying.since, shared)
            await leftovers.remove(path, await self._not_at_source(copying, source, found))
        except (B1000Error, OSError) as error:
            log.warning(told, name, path, f": {error}")

    async def _not_at_source(
        self, copying: _Copying, source: Source, found: Sequence[str]
    ) -> list[str]:
        if not found:
            return []
        there = await inventory.named(
            self._assignment, source, copying.destination, names.TEMPORARY, names.is_temporary
        )
        # Which name another one is converted to is rsync's alone to know.
        converted = any(each.startswith("--iconv") for each in copying.destination.rsync_options)
        return [
            each for each in found if each not in there and not (converted and not each.isascii())
        ]


def _last_outcome(state: tenacity.RetryCallState) -> Outcome:
    assert state.outcome is not None
    result: Outcome = state.outcome.result()
    return result
