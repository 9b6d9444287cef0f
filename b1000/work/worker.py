"""The main of a forked worker: one task after the other."""

import contextlib
import os
import signal
from collections.abc import Mapping

from b1000.jobs import BrokenJob, Job
from b1000.locks import Locks
from b1000.logs import for_run
from b1000.runs.protocol import Assigned, Stop
from b1000.runs.run import label
from b1000.wire import Wire
from b1000.work import loop, tasks
from b1000.work.channel import Channel
from b1000.work.condition import condition, is_as, size
from b1000.work.forked import BROKEN, STOPPED
from b1000.work.loop import Cancelled

_MOST_TASKS = 100  # of one worker


def serve(jobs: Mapping[str, Job | BrokenJob], locks: Locks, wire: Wire) -> int:
    """Do one task after the other in this forked process; gives its exit code.

    A task that failed or was stopped is its last, and so is one that did not leave the process
    as it was: nothing of a task reaches the next.
    """
    before, began_with = condition(), size()
    for number in range(1, _MOST_TASKS + 1):
        assigned = _next(wire)
        if assigned is None:
            return STOPPED
        (*_, lock) = (None, *wire.take_descriptors())
        code, good, channel = loop.run(_carry_out(assigned, jobs, locks, lock, wire))
        if lock is not None:
            with contextlib.suppress(OSError):
                os.close(lock)
        fit = good and number < _MOST_TASKS and is_as(before, began_with)
        channel.flush(idle=fit)
        if not fit:
            return code
    return 0


def _next(wire: Wire) -> Assigned | None:
    """Wait for a task; None where none comes.

    What is acknowledged of the last one may still arrive: it did not have to be waited for.
    """
    try:
        while not isinstance(order := wire.recv(), Assigned):
            if isinstance(order, Stop):
                return None
    except EOFError:
        return None
    return order


async def _carry_out(
    assigned: Assigned,
    jobs: Mapping[str, Job | BrokenJob],
    locks: Locks,
    lock: int | None,
    wire: Wire,
) -> tuple[int, bool, Channel]:
    """Carry out a task; gives the exit code if it is the last, whether it was well, its channel.

    The code is 0 when the task is done, STOPPED when it was ended.
    """
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            doing.cancel()

    channel = Channel(wire, stop)
    doing = loop.begin(tasks.carry_out(assigned, jobs, locks, lock, channel))
    try:
        with loop.running().calling_on(signal.SIGTERM, stop):
            return 0, await doing and not stopped, channel
    except Cancelled:
        return STOPPED, False, channel
    except Exception:
        name = label(assigned.subject.job, assigned.subject.instance)
        for_run(name, assigned.run_id or None).exception(
            "its worker failed by an internal error; please report it"
        )
        return BROKEN, False, channel
