"""What becomes of processes that the tests watch."""

import contextlib
from collections.abc import Callable

import psutil


def gone(process: psutil.Process) -> bool:
    """Whether it has ended, also if nobody has waited for it yet."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True


def living(belongs: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    """All processes of this machine that belong; those that cannot be asked do not."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if belongs(process) and not gone(process):
                found.append(process)
    return found
