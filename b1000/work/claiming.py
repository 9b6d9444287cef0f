"""The directory of a full is claimed before anything is copied into it: whoever makes it, has it.

Another b1000 with a journal of its own may begin a run of the same job in the same second.
Which of both made the directory is known at the destination alone.
"""

import os
from collections.abc import Iterable

from b1000.expressions import expression
from b1000.files import private_directory
from b1000.rsync import command
from b1000.rsync.outcome import Outcome
from b1000.runs.run import ONLY_FORGET
from b1000.runs.states import COMPLETE
from b1000.work.guarded import Guarded
from b1000.work.output import Tail

# "created directory X" of older ones; rsync says so after it has made the last directory.
_MADE = expression(r"created (?:directory|\d+ director(?:y|ies) for) ")


def make(directory: str) -> bool:
    """Make a local directory, and those above it; whether it was not there. Raises OSError."""
    os.makedirs(os.path.dirname(directory), exist_ok=True)
    try:
        os.mkdir(directory)
    except FileExistsError:
        return False
    return True


async def make_remote(rsyncs: Guarded) -> tuple[bool, Outcome]:
    """The same at a daemon; also gives how its rsync ended. Raises OSError."""
    destination = rsyncs.target.destination
    out = Tail()
    with private_directory("b1000-empty-") as empty:
        argv = command.claim(empty, rsyncs.target.directory, destination, rsyncs.limits)
        result = await rsyncs.run(f"{destination.name} (claim)", argv, out.sink())
    # One that broke off may have made it.
    made = is_made(out.lines) if result.status in COMPLETE else result.leftovers
    return made, result


def is_made(lines: Iterable[str]) -> bool:
    """Whether an rsync that was told to make the directory says that it did."""
    return any(_MADE.match(line) for line in lines)


def taken(directory: str) -> str:
    """Why nothing is copied into a directory that is not this run's."""
    return (
        f"{directory} is there already and this run did not make it: another b1000, with another "
        "journal, has begun a run of this job in the same second; the next run makes a directory "
        f"of its own, {ONLY_FORGET}"
    )
