"""One rsync, run to its end, and what that means."""

import errno
from collections.abc import Callable, Mapping, Sequence

from b1000.files import refuse_special_password_file
from b1000.logs import printable
from b1000.named import NamedTuple
from b1000.rsync import outcome
from b1000.rsync.outcome import Outcome
from b1000.rsync.verdicts import Retry
from b1000.runs.states import CopyStatus
from b1000.storage import greeting, stalling
from b1000.work import free_space, process, tree
from b1000.work.assignment import Assignment
from b1000.work.output import Tail
from b1000.work.process import Command
from b1000.work.sinks import Lines, Sink

_RACES = 5  # how often in a row others may make the same missing directory first
_STALLED = "stalled"
# English messages, and none of the user's aliases for options (popt reads ~/.popt).
_ENVIRONMENT = {"LC_ALL": "C", "HOME": "/nonexistent"}


class Limit(NamedTuple):
    """After how many seconds an rsync is ended (0: never), and as what that counts then.

    ``reason`` and ``doubt`` are as in :class:`Outcome`.
    """

    seconds: float = 0
    reason: str = ""
    doubt: str = ""


class Rsync(NamedTuple):
    """What is to be run.

    ``out`` and ``err`` take what it prints, ``err`` through what ``heard`` makes of it.
    ``place`` is where it writes, in words, ``peer`` the host at the other end where that is not
    the place. It inherits ``descriptors``. It is ended where ``space`` is short, and where it
    does nothing for longer than ``io_timeout`` seconds. One that is not ``noted`` only looks: it
    holds no lock, and the journal is spared a note of it. ``bounds`` are limits of the system.
    """

    purpose: str
    argv: Sequence[str]
    out: Sink
    err: Tail
    place: str
    peer: str | None = None
    limit: Limit = Limit()
    descriptors: tuple[int, ...] = ()
    space: free_space.Space | None = None
    io_timeout: int = 0
    bounds: Mapping[int, int] = {}
    noted: bool = True
    heard: Callable[[Callable[[str], None]], Sink] = Lines


async def run_rsync(assignment: Assignment, rsync: Rsync) -> Outcome:
    """Run one rsync of a run; ``exit_code`` is None where it did not end by itself."""
    guard = _guard(rsync, assignment.limits.connect_timeout)
    try:
        refuse_special_password_file(rsync.argv)
        for _ in range(_RACES):
            rsync.err.lines.clear()
            code = await _run(assignment, rsync, guard)
            if not outcome.lost_race(code, rsync.err.lines):
                break
    except process.TimedOut as error:
        reason = rsync.limit.reason or error.what
        return _ended(reason, rsync.limit.doubt or "was ended at its time limit", Retry.YES)
    except process.Ended as error:
        if error.what == _STALLED:
            reason = f"the copy to {rsync.place} stood still (io_timeout) and was ended"
            return _ended(reason, "stood still and was ended (io_timeout)", Retry.YES)
        if error.what in greeting.TROUBLES:
            reason = error.what.format(rsync.peer or rsync.place)
            retry = Retry.NEVER if error.what == greeting.LONG else Retry.YES
            return Outcome(CopyStatus.FAILED, retry, reason)
        return _ended(error.what, "was ended (min_free)", Retry.NEVER)
    except OSError as error:
        return Outcome(CopyStatus.FAILED, reason=_not_started(error, rsync.argv))
    lines = [printable(line) for line in rsync.err.lines]
    return outcome.judge(code, lines, rsync.place, rsync.peer)


async def _run(
    assignment: Assignment, rsync: Rsync, guard: Callable[[int], str | None] | None
) -> int:
    lock = (assignment.lock,) if assignment.lock is not None and rsync.noted else ()
    command = Command(
        rsync.argv,
        _ENVIRONMENT,
        {},
        rsync.out,
        rsync.heard(rsync.err.take),
        rsync.limit.seconds,
        (*rsync.descriptors, *lock),
        guard,
        bounds=rsync.bounds,
    )
    purpose = f"rsync {rsync.purpose}"
    return await assignment.run(purpose, command, kind=tree.RSYNC, noted=rsync.noted)


def _guard(rsync: Rsync, connect_timeout: int) -> Callable[[int], str | None] | None:
    """What is asked every second whether the process has to be ended."""
    first_word = greeting.watched(rsync.argv, connect_timeout)
    progress = stalling.watched(rsync.argv, rsync.io_timeout)
    if not progress and not rsync.space and not first_word:
        return None

    def guard(pid: int) -> str | None:
        if progress and progress.stalled(pid):
            return _STALLED
        if first_word and (trouble := first_word.trouble(pid)):
            return trouble
        return rsync.space.short() if rsync.space else None

    return guard


def _ended(reason: str, doubt: str, retry: Retry) -> Outcome:
    """The verdict on an rsync that was ended here."""
    return Outcome(CopyStatus.FAILED, retry, reason, leftovers=True, doubt=doubt)


def _not_started(error: OSError, argv: Sequence[str]) -> str:
    if isinstance(error, FileNotFoundError):
        search = process.search_path()
        return f"rsync cannot be started: it is not installed, or not in PATH={search}"
    if error.errno == errno.E2BIG:
        count = len(argv) - argv.index("--") - 2
        return (
            f"the includes are {count} paths, more than the system takes in one command line; "
            "include their directory and exclude the rest"
        )
    return f"rsync cannot be started: {error.strerror}"
