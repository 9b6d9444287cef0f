"""One line of the log for each transition. Pure."""

import logging
from datetime import datetime

from b1000.model import (
    AttemptBegan,
    AttemptEnded,
    Closed,
    CopyMoved,
    Died,
    Message,
    Relayed,
    Resolved,
    Run,
    RunMoved,
    Waiting,
)
from b1000.steps import CopyStatus, Status, Step


def line(message: Message) -> tuple[int, str] | None:
    """The level and the text for a message; None where there is nothing to say."""
    match message:
        case Resolved():
            copies = ", ".join(f"{copy.destination} {copy.path}" for copy in message.copies)
            return logging.INFO, f"to be copied to {copies}"
        case RunMoved(status=Status.FAILED, step=Step.COPYING):
            return (
                logging.ERROR,
                f"FAILED at COPYING: {message.error}; b1000 --copy goes on with it",
            )
        case RunMoved(status=Status.FAILED):
            return logging.ERROR, f"FAILED at {message.step}: {message.error}"
        case RunMoved(step=Step.INIT, status=Status.WARNING):
            return logging.WARNING, message.error
        case RunMoved(step=Step.DONE, status=Status.WARNING):
            return logging.WARNING, f"DONE with a WARNING: {message.error}"
        case RunMoved():
            return logging.INFO, str(message.step)
        case Closed():
            return logging.WARNING, message.reason
        case Waiting():
            return logging.INFO, f"waiting, its place is free for others: {message.reason}"
        case Relayed(client=client):
            return logging.INFO, f"{client.host}: {client.job} is {client.status} at {client.step}"
        case Died():
            return logging.ERROR, f"FAILED: {message.error}"
        case CopyMoved(status=CopyStatus.DONE):
            counted = message.bytes is not None
            size = f" ({message.files} files, {message.bytes} bytes)" if counted else ""
            return logging.INFO, f"{message.destination}: DONE{size}"
        case CopyMoved(status=CopyStatus.COPYING):
            return logging.INFO, f"{message.destination}: COPYING"
        case CopyMoved():
            return logging.WARNING, f"{message.destination}: {message.status}: {message.error}"
        case AttemptBegan(number=number) if number > 1:
            return logging.INFO, f"{message.destination}: attempt {number}"
        case AttemptEnded(retry_at=float(retry_at)):
            return logging.WARNING, (
                f"{message.destination}: attempt {message.number} failed: {message.reason}; "
                f"next in {retry_at - message.time:.0f} s"
            )
        case _:
            return None


def still_at_work(run: Run) -> str:
    """A run that another one would have to wait for."""
    began = datetime.fromtimestamp(run.started).strftime("%Y-%m-%d %H:%M:%S")
    return f"run {run.run_id} of {began} (at {run.step}, process {run.supervisor.pid})"
