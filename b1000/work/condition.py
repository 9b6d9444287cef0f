"""The condition of a worker's process: what a task must leave as it has found it."""

import gc
import os
import resource
import sys

from b1000.named import NamedTuple

_GROWTH = 32 * 2**20  # bytes that a worker may grow by
_OF_STATUS = (b"Umask:", b"Threads:", b"SigBlk:", b"SigIgn:", b"SigCgt:", b"NoNewPrivs:")


class Condition(NamedTuple):
    """What the next task of a process would find: equal conditions are equally good for it.

    ``status`` are lines of proc(5): mask of modes, threads, signals that are blocked or handled.
    """

    directory: str
    status: tuple[bytes, ...]
    environment: dict[str, str]
    descriptors: frozenset[str]
    children: bool
    priority: int
    limits: tuple[int, int]
    path: tuple[str, ...]
    collecting: bool


def condition() -> Condition:
    """How things are now."""
    return Condition(
        _directory(),
        _status(),
        dict(os.environ),
        frozenset(os.listdir("/proc/self/fd")),
        _has_children(),
        os.getpriority(os.PRIO_PROCESS, 0),
        resource.getrlimit(resource.RLIMIT_NOFILE),
        tuple(sys.path),
        gc.isenabled(),
    )


def is_as(before: Condition, began_with: int) -> bool:
    """Whether all is as it was, and not much more memory, in bytes, is in use."""
    try:
        return condition() == before and size() <= began_with + _GROWTH
    except OSError:  # a task may have left no descriptor with which to look
        return False


def size() -> int:
    """The memory of the process that is in use, in bytes."""
    return int(_read("/proc/self/statm").split()[1]) * resource.getpagesize()


def _status() -> tuple[bytes, ...]:
    lines = _read("/proc/self/status").splitlines()
    return tuple(line for line in lines if line.startswith(_OF_STATUS))


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 8192)
    finally:
        os.close(descriptor)


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
