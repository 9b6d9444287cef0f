"""The condition of a worker's process: what a run must leave as it has found it."""

import gc
import os
import resource
import signal
import sys
import threading
from typing import NamedTuple

_SIGNALS = range(1, signal.SIGRTMIN)
_GROWTH = 32 * 2**20  # bytes that a worker may grow by


class Condition(NamedTuple):
    """What the next run of a process would find: equal conditions are equally good for it."""

    directory: str
    umask: int
    environment: dict[str, str]
    descriptors: frozenset[str]
    blocked: frozenset[int]
    handlers: tuple[object, ...]
    threads: int
    children: bool
    priority: int
    limits: tuple[int, int]
    path: tuple[str, ...]
    collecting: bool


def condition() -> Condition:
    """How things are now."""
    return Condition(
        _directory(),
        _umask(),
        dict(os.environ),
        frozenset(os.listdir("/proc/self/fd")),
        frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        tuple(signal.getsignal(number) for number in _SIGNALS),
        threading.active_count(),
        _has_children(),
        os.getpriority(os.PRIO_PROCESS, 0),
        resource.getrlimit(resource.RLIMIT_NOFILE),
        tuple(sys.path),
        gc.isenabled(),
    )


def has_grown(since: int) -> bool:
    """Whether the process needs much more memory than at its beginning, in bytes."""
    return size() > since + _GROWTH


def size() -> int:
    """The memory of the process that is in use, in bytes."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
