"""The main of a forked worker: its own session, default signals, one task, the last message."""

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from multiprocessing.connection import Connection
from typing import Protocol

from b1000.config import grammar, references
from b1000.errors import B1000Error, BadValue, RunFailed
from b1000.locks import Locks
from b1000.logs import LOGGER
from b1000.model import Command, Died, Job, Limits, Listed, Run, RunMoved, Template
from b1000.steps import Ending, Status
from b1000.work import process, push
from b1000.work.assignment import Assignment, Subject, output_of
from b1000.work.channel import Channel

STOPPED = 143  # exit code of a worker that ended because it was told to
BROKEN = 70  # EX_SOFTWARE: a mistake in this program

Task = Callable[[Channel], Awaitable[None]]


class Closable(Protocol):
    """Something of the supervisor's that a child must not keep open."""

    def close(self) -> None:
        """Close it."""


def leave_parent(inherited: Iterable[Closable]) -> None:
    """Make a forked child stand on its own: session, default signals, nothing inherited."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    for each in inherited:
        each.close()
    gc.disable()  # Short-lived; a collection would copy the pages shared with the supervisor.


def enter(
    task: Task, connection: "Connection[object, object]", inherited: Iterable[Closable]
) -> None:
    """Run a task in this forked process, and end with an exit code."""
    leave_parent(inherited)
    sys.exit(asyncio.run(_until_told(task, connection)))


async def _until_told(task: Task, connection: "Connection[object, object]") -> int:
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
        logging.getLogger(LOGGER).exception("a worker failed by a mistake in this program")
        return BROKEN
    finally:
        channel.flush()
    return 0


def run_task(run: Run, job: Job, locks: Locks, lock: int) -> Task:
    """The task that carries out one run."""

    async def task(channel: Channel) -> None:
        subject = Subject(run.uid, run.job, run.instance, run.host, run.direction, run.start_time)
        assignment = Assignment(subject, job.limits, channel, locks, lock)
        try:
            await push.carry_out(assignment, job)
        except (RunFailed, BadValue) as error:
            reasons = "; ".join([str(error), *assignment.reasons])
            await assignment.commit(
                RunMoved(assignment.clock(), assignment.step, Status.FAILED, reasons)
            )

    return task


def listing_task(subject: Subject, job: Job, locks: Locks) -> Task:
    """The task that asks the ``instances`` command of a job for its list."""

    async def task(channel: Channel) -> None:
        assignment = Assignment(subject, job.limits, channel, locks)
        assert isinstance(job.instances, Command)
        command = references.fill(job.instances.template, {})
        try:
            text = await assignment.value("instances", command)
            instances = grammar.names_or_none(text, output_of("instances"))
            if not instances and not job.allow_no_instances:
                raise BadValue(
                    f"{output_of('instances')} is empty",
                    "its usual cause is a query that failed; allow_no_instances = yes allows it",
                )
            listed = Listed(assignment.clock(), instances)
        except BadValue as error:
            listed = Listed(assignment.clock(), error=str(error))
        await assignment.commit(listed)

    return task


def failure_task(run: Run, on_failure: Template, limits: Limits, locks: Locks) -> Task:
    """The task that runs ``on_failure`` for a run that FAILED."""

    async def task(channel: Channel) -> None:
        subject = Subject(run.uid, run.job, run.instance, run.host, run.direction, run.start_time)
        assignment = Assignment(subject, limits, channel, locks)
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


def sweeping_task(uid: str, error: str) -> Task:
    """The task that ends what a worker left when it died, then gives its run's verdict."""

    async def task(channel: Channel) -> None:
        await process.end_tree(None, {"B1000_RUN": uid})
        await channel.commit(Died(time.time(), error, Ending.FINISHED))

    return task
