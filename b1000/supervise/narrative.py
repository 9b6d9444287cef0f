"""One line of the log for each transition. Pure."""

import errno
from datetime import datetime
from typing import assert_never

from b1000 import figures
from b1000.config import DEFAULT_FILE
from b1000.config.commandline import ways_out
from b1000.errors import counted
from b1000.logstyle import ERROR, INFO, WARNING
from b1000.runs.events import (
    AttemptBegan,
    AttemptEnded,
    Closed,
    CopyMoved,
    Died,
    Relayed,
    Resolved,
    Resumed,
    RunEvent,
    RunMoved,
    SlotWanted,
    Waiting,
)
from b1000.runs.lifecycle import Change
from b1000.runs.run import Run
from b1000.runs.states import RESUMED_WHEN_DIED, CopyStatus, Status, Step
from b1000.runs.task import TaskKind

_LIMITS = {
    errno.EAGAIN: "the limit of processes is reached (ulimit -u, TasksMax of the service)",
    errno.ENOMEM: "there is not enough memory",
    errno.EMFILE: "the limit of open files is reached (ulimit -n)",
    errno.ENFILE: "the system's limit of open files is reached (fs.file-max)",
}


def line(
    change: Change, closed: bool = False, config_path: str = DEFAULT_FILE
) -> tuple[int, str] | None:
    """The level and the text for what happened to a run; None for nothing to say.

    ``closed``: the run is closed together with it, so that nobody goes on with it.
    """
    before, event, after = change
    match event:
        case Resolved():
            copies = ", ".join(f"{copy.destination} {copy.path}" for copy in after.copies)
            return INFO, f"to be copied to {copies}"
        case RunMoved(status=Status.FAILED, step=Step.COPYING) if not closed:
            return ERROR, f"FAILED at COPYING: {event.error}; {ways_out(config_path, after)}"
        case RunMoved(status=Status.FAILED):
            return ERROR, f"FAILED at {event.step}: {event.error}"
        case RunMoved(step=Step.INIT, status=Status.WARNING):
            return WARNING, event.error
        case RunMoved(step=Step.DONE, status=Status.WARNING):
            return WARNING, f"DONE{_took(after)} with a WARNING: {event.error}"
        case RunMoved(step=Step.DONE):
            return INFO, f"DONE{_took(after)}"
        case RunMoved():
            return INFO, str(event.step)
        case Closed():
            return WARNING, event.reason
        case Waiting():
            return INFO, f"waiting, its slot is free for others: {event.reason}"
        case Relayed(client=client):
            return INFO, f"{client.host}: {client.job} is {client.status} at {client.step}"
        case Died():
            more = f"; {ways_out(config_path, after)}" if before.step in RESUMED_WHEN_DIED else ""
            return ERROR, f"FAILED at {before.step}: {event.error}{more}"
        case CopyMoved(status=CopyStatus.DONE):
            return INFO, f"{event.destination}: DONE{_copied(event)}"
        case CopyMoved(status=CopyStatus.COPYING):
            return INFO, f"{event.destination}: COPYING"
        case CopyMoved():
            return WARNING, f"{event.destination}: {event.status}: {event.error}"
        case AttemptBegan():
            again = f"{event.destination}: attempt {event.number}"
            return (INFO, again) if event.number > 1 else None
        case AttemptEnded():
            return _next_attempt(event)
        case SlotWanted() | Resumed():
            return None
        case _:
            assert_never(event)


def _next_attempt(event: AttemptEnded) -> tuple[int, str] | None:
    if event.retry_at is None:
        return None
    return WARNING, (
        f"{event.destination}: attempt {event.number} failed: {event.reason}; "
        f"next in {event.retry_at - event.time:.0f} s, "
        f"at {datetime.fromtimestamp(event.retry_at):%H:%M:%S}"
    )


def is_shown(event: RunEvent) -> bool:
    """Whether somebody at a terminal is to see it, wherever the log goes."""
    return not isinstance(event, Resolved | Relayed)


def _took(run: Run) -> str:
    ended = run.began if run.ended is None else run.ended
    return f" in {figures.span(max(0.0, ended - (run.began or run.started)))}"


def _copied(message: CopyMoved) -> str:
    """The size of a copy, what its last attempt sent, in which time, and that in a second."""
    if message.files is None or message.bytes is None:
        return ""
    amount = f"{counted(message.files, 'file')}, {figures.size(message.bytes)}"
    if message.seconds is None:
        return f" ({amount})"
    seconds = max(0.0, message.seconds)
    if message.sent is None:
        return f" ({amount} in {figures.span(seconds)})"
    rate = f", {figures.size(message.sent / seconds)}/s" if seconds else ""
    return f" ({amount}; {figures.size(message.sent)} sent in {figures.span(seconds)}{rate})"


def still_at_work(run: Run) -> str:
    """A run that another one would have to wait for."""
    began = datetime.fromtimestamp(run.started).strftime("%Y-%m-%d %H:%M:%S")
    return f"run {run.run_id} of {began} (at {run.step}, process {run.supervisor.pid})"


def behind(whom: str, kind: TaskKind) -> tuple[int, str]:
    """The level and the text where something is not done since another run is at work."""
    if kind.forgets:
        # Whoever asks for it waits for an answer, wherever the log goes.
        return ERROR, f"not forgotten: {whom} is still running"
    return WARNING, f"skipped: {whom} is still running"


def no_worker(error: OSError) -> str:
    """Why a worker could not be forked, and what would help."""
    limit = _LIMITS.get(error.errno or 0)
    hint = f": {limit}; allow more, or lower workers" if limit else ""
    return f"no worker can be started: {error.strerror}{hint}"
