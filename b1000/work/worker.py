"""The main of a forked worker: its own session, default signals, one task, the last message."""

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import NamedTuple, Protocol

from b1000.config import references
from b1000.errors import B1000Error, BadValue, RunFailed
from b1000.jobs import Job, Limits, Template
from b1000.locks import Locks
from b1000.logs import for_run
from b1000.runs.events import Closed, Died, Listed, RunMoved, Swept
from b1000.runs.run import Base, Client, Leftovers, Run, Unsettled
from b1000.runs.states import Status
from b1000.stopping import be_as_if_begun_anew
from b1000.work import process
from b1000.work.assignment import Assignment, Subject
from b1000.work.channel import Channel

_LAST_SECONDS = 16.0  # more than a worker takes to end its tree: SIGTERM, 10 s, SIGKILL
_POLL = 0.1  # seconds between looks at a lock

STOPPED = 143  # exit code of a worker that ended because it was told to
BROKEN = 70  # EX_SOFTWARE: a mistake in this program

Task = Callable[[Channel], Awaitable[None]]


class Closable(Protocol):
    """Something of the supervisor's that a child must not keep open."""

    def close(self) -> None:
        """Close it."""


def leave_parent(inherited: Iterable[Closable]) -> None:
    """Make a forked child stand on its own: session, default signals, nothing inherited."""
    be_as_if_begun_anew()
    os.setsid()
    for each in inherited:
        each.close()
    try:
        os.getcwd()
    except FileNotFoundError:
        os.chdir("/")  # rsync does not start in a directory that was removed
    gc.disable()  # Short-lived; a collection would copy the pages shared with the supervisor.


def enter(
    task: Task,
    label: str,
    connection: "Connection[object, object]",
    inherited: Iterable[Closable],
) -> None:
    """Run a task for a job/instance in this forked process, and end with an exit code."""
    leave_parent(inherited)
    sys.exit(asyncio.run(_until_told(task, label, connection)))


async def _until_told(task: Task, label: str, connection: "Connection[object, object]") -> int:
    """Do the task; 0 when it is done, STOPPED when somebody ended it."""
    loop = asyncio.get_running_loop()
    stopped = False
    doing: asyncio.Task[None] | None = None

    def stop() -> None:
        nonlocal stopped
        if not stopped and doing:
            stopped = True
            doing.cancel()

    loop.add_signal_handler(signal.SIGTERM, stop)
    channel = Channel(connection, stop)
    doing = asyncio.ensure_future(task(channel))
    try:
        await doing
    except asyncio.CancelledError:
        return STOPPED
    except Exception:
        for_run(label).exception("its worker failed by a mistake in this program; please report")
        return BROKEN
    finally:
        channel.flush()
    return 0


class Direction(Protocol):
    """What a direction does in each step; RunFailed ends a run at the step where it stands."""

    async def carry_out(self, assignment: Assignment, job: Job) -> None:
        """Run all steps of a run."""

    async def resume(self, assignment: Assignment, job: Job, run: Run) -> None:
        """Go on with a run that failed or died."""


def _direction(name: str) -> Direction:
    """What only one direction needs is imported only for it, and once: before the fork."""
    match name:
        case "passive":
            from b1000.work import passive

            return passive
        case "pull":
            from b1000.work import pull

            return pull
        case _:
            from b1000.work import push

            return push


class Known(NamedTuple):
    """What the journal knows that a run has to know: ``bases``, ``unsettled`` and ``taken`` are
    those of its Assignment.
    """

    bases: Sequence[Base] = ()
    unsettled: Mapping[str, Unsettled] = {}
    taken: Sequence[Client] = ()


def run_task(run: Run, job: Job, locks: Locks, lock: int, known: Known) -> Task:
    """The task that carries out one run."""
    direction = _direction(job.direction)
    return _steps(
        run, job, locks, lock, lambda assignment: direction.carry_out(assignment, job), known
    )


def resume_task(run: Run, job: Job, locks: Locks, lock: int, known: Known) -> Task:
    """The task that goes on with a run that failed or died."""
    direction = _direction(run.direction)
    return _steps(
        run, job, locks, lock, lambda assignment: direction.resume(assignment, job, run), known
    )


def _steps(
    run: Run,
    job: Job,
    locks: Locks,
    lock: int,
    carry_out: Callable[[Assignment], Awaitable[None]],
    known: Known,
) -> Task:
    async def task(channel: Channel) -> None:
        assignment = Assignment(
            _subject(run),
            job.limits,
            channel,
            locks,
            lock,
            run_id=run.run_id,
            bases=known.bases,
            unsettled=known.unsettled,
            taken=known.taken,
        )
        try:
            await carry_out(assignment)
        except (RunFailed, BadValue) as error:
            reasons = "; ".join([str(error), *assignment.reasons])
            await assignment.commit(
                RunMoved(assignment.clock(), assignment.step, Status.FAILED, reasons)
            )

    return task


def _subject(run: Run) -> Subject:
    return Subject(run.uid, run.job, run.instance, run.host, run.direction, run.start_time)


def post_task(run: Run, limits: Limits, locks: Locks, lock: int) -> Task:
    """The task that runs the post of a run that is given up, and closes it."""

    async def task(channel: Channel) -> None:
        assignment = Assignment(_subject(run), limits, channel, locks, lock)
        try:
            if run.frozen.post:
                await assignment.script("post", run.frozen.post, limits.script_timeout)
            after = ", after its post" if run.frozen.post else "; it has no post"
            await assignment.commit(Closed(assignment.clock(), f"forgotten by hand{after}"))
        except RunFailed as error:
            assignment.log.error("not forgotten: %s", error)

    return task


def listing_task(
    subject: Subject, job: Job, locks: Locks, leftovers: Iterable[Leftovers] = ()
) -> Task:
    """The task that asks the ``instances`` command of a job for its list.

    What earlier attempts left running when their supervisor died is ended first.
    """

    from b1000.work import push  # before the fork, and not where there is only another direction

    async def task(channel: Channel) -> None:
        await _end(leftovers)
        assignment = Assignment(subject, job.limits, channel, locks)
        try:
            instances = await push.listed(assignment, job)
            listed = Listed(assignment.clock(), instances)
        except BadValue as error:
            listed = Listed(assignment.clock(), error=str(error))
        await assignment.commit(listed)

    return task


def failure_task(run: Run, on_failure: Template, limits: Limits, locks: Locks) -> Task:
    """The task that runs ``on_failure`` for a run that FAILED."""

    async def task(channel: Channel) -> None:
        assignment = Assignment(_subject(run), limits, channel, locks)
        values: Mapping[str, str] = {
            "instance": run.instance,
            "start_time": run.start_time,
            "master_host": run.frozen.master_host,
            "master_instance": run.frozen.master_instance,
            "data_age": "" if run.frozen.data_age is None else f"{run.frozen.data_age:g}",
        }
        told = {"B1000_STEP": run.step, "B1000_STATUS": run.status, "B1000_ERROR": run.error}
        try:
            await assignment.script(
                "on_failure", references.fill(on_failure, values), limits.dynamic_timeout, told
            )
        except B1000Error as error:
            assignment.log.error("%s", error)

    return task


def sweeping_task(leftovers: Iterable[Leftovers], last_word: Died | Swept) -> Task:
    """The task that ends what a dead worker left, then says what became of its run."""

    async def task(channel: Channel) -> None:
        await _end(leftovers)
        await channel.commit(last_word._replace(time=time.time()))

    return task


def clearing_task(leftovers: Iterable[Leftovers], locks: Locks, lock: str) -> Task:
    """The task that ends what dead runs left, and waits until none of it holds the lock.

    A worker whose supervisor died ends by itself, which takes it some seconds.
    """

    async def task(channel: Channel) -> None:
        await _end(leftovers)
        until = time.monotonic() + _LAST_SECONDS
        while (descriptor := locks.take(lock)) is None and time.monotonic() < until:
            await asyncio.sleep(_POLL)
        if descriptor is not None:
            os.close(descriptor)
        channel.flush()

    return task


async def _end(leftovers: Iterable[Leftovers]) -> None:
    for each in leftovers:
        await process.end_tree({"B1000_RUN": each.uid}, each.processes, each.ended)
