"""What workers and reporters, which are forked, have in common: how they begin, and how they end.

Nothing that only a worker needs is imported here, for the supervisor imports this when it starts.
"""

import gc
import os
from collections.abc import Iterable
from typing import Protocol

from b1000.stopping import be_as_if_begun_anew

STOPPED = 143  # exit code of a worker that ended because it was told to
BROKEN = 70  # EX_SOFTWARE: an internal error


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
    gc.freeze()  # No collection touches the pages that are shared with the supervisor.
