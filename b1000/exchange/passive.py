"""What a passive job does in each step: it prepares data, and waits until others have pulled it.

It meets them in the directories of its file reports. The reporter writes the
report there, from the journal; here it is only looked for. Of what others write
there nothing but the name of a notification counts: no file of theirs is opened.
"""

import random
from typing import Protocol

from b1000.errors import RunFailed
from b1000.exchange.notices import Notices
from b1000.jobs import Destination, Job
from b1000.runs.events import AttemptBegan, AttemptEnded, CopyMoved, Resolved, SlotWanted, Waiting
from b1000.runs.run import Copy, Run, Snapshot
from b1000.runs.states import CopyStatus, Status, Step, status_of_copies
from b1000.work.assignment import NO_DESTINATION, Assignment
from b1000.work.executor import Executor
from b1000.work.push import ACTING, finish, prepare
from b1000.work.run_values import RunValues
from b1000.work.waiting import Group, first


class Notifications(Protocol):
    """How a run and those who pull from it meet."""

    def clear(self) -> None:
        """Remove what was notified of earlier runs of this job."""

    def forget(self, host: str) -> None:
        """Remove what a host has notified of this run."""

    async def written(self, step: Step, destination: str = "") -> None:
        """Wait until all reports tell of the step, and that a destination is COPYING."""

    async def notified(self, destination: Destination) -> str:
        """Wait for what a host says of its pull; gives why it FAILED, or ""."""


async def carry_out(
    assignment: Assignment,
    job: Job,
    executor: Executor = ACTING,
    notifications: Notifications | None = None,
) -> None:
    """Run all steps of a passive run. RunFailed ends it at the step where it stands."""
    notices = notifications or Notices(assignment, job)
    notices.clear()
    values = await RunValues(assignment, job).settle()
    snapshot = Snapshot(pre=values.get("pre", ""), post=values.get("post", ""))
    copies = tuple(
        Copy(
            choice.name,
            f"pull://{job.destinations[choice.name].host}",
            choice.background,
            type="passive",
        )
        for group in job.dest
        for choice in random.sample(group, len(group))
    )
    await assignment.commit(Resolved(assignment.clock(), snapshot, copies))
    # Data is rewritten only when everybody can see that an older report is out of date.
    await notices.written(Step.INIT)
    await prepare(assignment, snapshot, executor)
    await _offer(assignment, job, notices, copies)
    await finish(assignment, snapshot, executor)


async def resume(assignment: Assignment, job: Job, run: Run) -> None:
    """Go on with a run that failed or died: whoever has not pulled yet may do so."""
    assignment.step = Step.COPYING
    notices = Notices(assignment, job)
    missing = tuple(copy for copy in run.copies if not copy.complete)
    await _offer(assignment, job, notices, missing)
    await finish(assignment, run.snapshot, ACTING)


# --- COPYING


async def _offer(
    assignment: Assignment, job: Job, notices: Notifications, copies: tuple[Copy, ...]
) -> None:
    """Wait until each copy has been pulled; the run has no slot meanwhile."""
    for copy in copies:
        destination = job.destinations.get(copy.destination)
        if destination and destination.host:
            notices.forget(destination.host)
    hosts = ", ".join(copy.path.removeprefix("pull://") for copy in copies)
    assignment.channel.send(assignment.moved(Step.COPYING))
    await assignment.commit(Waiting(assignment.clock(), f"{hosts} to pull"))
    ended: list[tuple[Copy, str]] = []
    async with Group() as group:
        tasks = []
        for copy in copies:
            task = group.begin(_await_pull(assignment, job, notices, copy))
            tasks.append((copy, task))
            if not copy.background:
                await first((task,))
    ended = [(copy, task.result()) for copy, task in tasks]
    failed = [f"{copy.destination}: {reason}" for copy, reason in ended if reason]
    outcome = status_of_copies(
        CopyStatus.FAILED if reason else CopyStatus.DONE for _, reason in ended
    )
    if outcome is Status.FAILED:
        raise RunFailed("; ".join(failed))
    await assignment.commit(SlotWanted(assignment.clock()))


async def _await_pull(assignment: Assignment, job: Job, notices: Notifications, copy: Copy) -> str:
    """Wait for the notification of one host; gives why the copy FAILED, or ""."""
    number = copy.attempts + 1
    now = assignment.clock()
    destination = job.destinations.get(copy.destination)
    if destination is None or not destination.host:
        reason = NO_DESTINATION
        await assignment.commit(CopyMoved(now, copy.destination, CopyStatus.FAILED, reason))
        return reason
    await assignment.commit(
        CopyMoved(now, copy.destination, CopyStatus.COPYING),
        AttemptBegan(now, copy.destination, number),
    )
    try:
        await notices.written(Step.COPYING, copy.destination)
        reason = await notices.notified(destination)
    except RunFailed as error:
        reason = str(error)
    status = CopyStatus.FAILED if reason else CopyStatus.DONE
    now = assignment.clock()
    await assignment.commit(
        AttemptEnded(now, copy.destination, number, None, reason),
        CopyMoved(now, copy.destination, status, reason),
    )
    return reason
