"""A program that leaves the processor and the disks to all others."""

import os
import subprocess
from contextlib import suppress

_LEAST = 19
_IDLE = "3"  # the class of ionice(1)
_AUTOGROUP = "/proc/self/autogroup"


def be_idle() -> None:
    """Run this process, and those that it starts, when nobody else needs what they need.

    It is not idle to the scheduler, as readers are: what holds the lock of a journal that others
    wait for has to get on.
    """
    os.setpriority(os.PRIO_PROCESS, 0, _LEAST)
    with suppress(OSError):  # ionice is in util-linux; without it nice alone applies
        subprocess.run(
            ["ionice", "-c", _IDLE, "-p", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )


def yield_to_all() -> None:
    """Let this process of an idle program, which holds no lock, run on idle processors alone.

    Where Linux groups processes by their sessions (autogroup), nice(1) says nothing to those
    of another one. The session becomes its own, so that what is said of the group is said of it.
    """
    os.setsid()
    with suppress(OSError), open(_AUTOGROUP, "w") as group:
        group.write(f"{_LEAST}\n")
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
