"""What is written at a destination before the first attempt of a copy.

A tree half brought up to date must not bear the mark of yesterday: a sync begins with a mark that
says ``writing``. And a local root gets its id, older than all that has marks there.
"""

import contextlib
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

from b1000.errors import BadValue, message_of
from b1000.files import make_directory
from b1000.identity import new_uid
from b1000.marks import marking, placing
from b1000.marks.marking import Whose, Written
from b1000.marks.staging import staged
from b1000.rsync import command, outcome, paths
from b1000.rsync.outcome import Outcome
from b1000.rsync.verdicts import Retry
from b1000.runs.protocol import MarksTaken
from b1000.runs.run import Client, Snapshot
from b1000.runs.states import COMPLETE, CopyStatus
from b1000.work.assignment import Assignment
from b1000.work.copying import Copying
from b1000.work.output import Tail
from b1000.work.run_rsync import Rsync, run_rsync
from b1000.work.waiting import sleep

_POLL = 0.1  # seconds between looks at a lock
_NEVER = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR})
# Only an operator can mend those.


async def announce(
    assignment: Assignment, snapshot: Snapshot, copying: Copying, client: Client | None
) -> Outcome | None:
    """Write it, once for each copy; gives why the copy has FAILED where that cannot be done.

    Where marks are not wanted any more, the one that is there is made to say so, if that is let.
    """
    marked, path = copying.copy.marked, copying.copy.path
    if copying.announced or not (marked or path in assignment.known.sealed):
        return None
    if path.startswith("rsync://") and not copying.target.shared:
        return None  # A full at a daemon gets its mark once it is complete, and that alone.
    try:
        mark = _mark(assignment, snapshot, copying, client)
    except BadValue as error:
        return Outcome(CopyStatus.FAILED, reason=str(error)) if copying.target.shared else None
    # Of a destination that has moved since, this is where it was.
    if marked and not mark.root.startswith("rsync://"):
        _identify(mark.root, assignment.known.started)
    if copying.target.shared:
        async with _alone(assignment, copying.destination.name):
            result = await _deliver(assignment, copying, mark)
        if result.status not in COMPLETE and (marked or result.retry is not Retry.NEVER):
            # A storage that is away is that, whatever it was asked for first.
            away = result.retry is Retry.YES
            reason = result.reason if away else f"its mark cannot be written: {result.reason}"
            return Outcome(CopyStatus.FAILED, result.retry, reason, result.exit_code)
    copying.announced = True
    return None


def _identify(root: str, started: float) -> None:
    """Whoever cannot do this cannot copy there either, and says why."""
    with contextlib.suppress(OSError):
        os.makedirs(root, exist_ok=True)
        placing.identify(root, new_uid(), started)


def _mark(
    assignment: Assignment, snapshot: Snapshot, copying: Copying, client: Client | None
) -> Written:
    run, known = assignment.subject, assignment.known
    first = known.first_uid or run.uid
    kind = "sync" if copying.target.shared else "full"
    who = (first, run.job, run.host, run.instance, run.direction, kind, run.start_time)
    return marking.beginning(Whose(*who, known.started).pulled_from(client), snapshot, copying.copy)


@contextlib.asynccontextmanager
async def _alone(assignment: Assignment, destination: str) -> AsyncIterator[None]:
    """While no reporter brings an older mark, which must not come behind this one."""
    while (lock := assignment.locks.take(marking.lock(destination))) is None:
        await sleep(_POLL)
    try:
        yield
    finally:
        os.close(lock)


async def _deliver(assignment: Assignment, copying: Copying, mark: Written) -> Outcome:
    destination = copying.destination
    known = assignment.marks_at.get(mark.root)
    targets = marking.targets(mark.root, destination.path, destination.mark_path, known)
    if not targets[-1].startswith("rsync://"):
        return _put(mark, targets[-1])
    result = Outcome(CopyStatus.FAILED)
    with staged([mark]) as tree:
        for target in targets:
            argv = command.marks(tree, target, destination, assignment.limits)
            purpose, place = f"{destination.name} (mark)", paths.host_or_path(target)
            timeout = assignment.limits.io_timeout
            rsync = Rsync(purpose, argv, Tail().sink(), Tail(), place, io_timeout=timeout)
            result = await run_rsync(assignment, rsync)
            if not outcome.is_without_module(result):
                break
        if target == mark.root and outcome.is_at_the_gate(result):
            hint = marking.module_for(destination.path, destination.mark_path)
            result = result._replace(reason=f"{result.reason}{hint}")
        if len(targets) > 1 and target != known and result.status in COMPLETE:
            assignment.channel.send(MarksTaken(destination.name, mark.root, target))
    return result


def _put(mark: Written, root: str) -> Outcome:
    try:
        make_directory(Path(root))
        placing.put(mark, root, durable=True)
    except OSError as error:
        retry = Retry.NEVER if error.errno in _NEVER else Retry.YES
        return Outcome(CopyStatus.FAILED, retry, message_of(error))
    return Outcome(CopyStatus.DONE)
