"""What becomes of processes that the tests watch."""

import contextlib
from collections.abc import Callable, Iterable

import psutil

from b1000.work.tree import every_process


def gone(process: psutil.Process) -> bool:
    """Whether it has ended, also if nobody has waited for it yet."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True


def living(
    belongs: Callable[[psutil.Process], bool], among: Iterable[psutil.Process] | None = None
) -> list[psutil.Process]:
    """Those that belong, among all of this machine; who ends while it is asked does not."""
    found = []
    for process in every_process() if among is None else among:
        with contextlib.suppress(psutil.Error, OSError):
            if belongs(process) and not gone(process):
                found.append(process)
    return found


def kill(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL each that is still there."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
