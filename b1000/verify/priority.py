"""A program that leaves the processor and the disks to all others."""

import os
import subprocess
from contextlib import suppress

_LEAST = 19
_IDLE = "3"  # the class of ionice(1)


def be_idle() -> None:
    """Run this process, and those that it starts, when nobody else needs what they need."""
    os.setpriority(os.PRIO_PROCESS, 0, _LEAST)
    with suppress(OSError):  # it is in util-linux; a host without it has the other one
        subprocess.run(
            ["ionice", "-c", _IDLE, "-p", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
