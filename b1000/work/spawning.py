"""Starts a process: in a session of its own, and what it prints comes through two pipes.

By posix_spawn, which a run of many instances notices: subprocess takes three times as long, and
a hundredth of a second to import.
"""

import errno
import functools
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from b1000.named import NamedTuple

_IGNORED_HERE = (signal.SIGPIPE, signal.SIGXFSZ)  # by Python, and to be so in nothing that is run


class Spawned(NamedTuple):
    """A child, and the descriptors that its output is read from, without waiting."""

    pid: int
    out: int
    err: int


def spawn(
    argv: Sequence[str], environment: Mapping[str, str], inherited: Iterable[int] = ()
) -> Spawned:
    """Start it with these variables alone; of open files it has those ``inherited``. OSError."""
    program = _found(argv[0], environment.get("PATH", os.defpath))
    _keep_to_ourselves()
    pipes: list[int] = []
    try:
        pipes += os.pipe()
        pipes += os.pipe()
        out, its_out, err, its_err = pipes
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, its_out, 1),
            (os.POSIX_SPAWN_DUP2, its_err, 2),
            # Onto itself: that alone lets the new program have it.
            *((os.POSIX_SPAWN_DUP2, each, each) for each in inherited),
        ]
        pid = os.posix_spawn(
            program,
            [*argv],
            environment,
            file_actions=actions,
            setsid=True,
            setsigdef=_IGNORED_HERE,
        )
    except BaseException:
        for each in pipes:
            os.close(each)
        raise
    os.close(its_out)
    os.close(its_err)
    os.set_blocking(out, False)
    os.set_blocking(err, False)
    return Spawned(pid, out, err)


def exit_code(pid: int, *, wait: bool) -> int | None:
    """The exit code of a child, negative for a signal; None where it goes on, or was reaped."""
    try:
        ended, status = os.waitpid(pid, 0 if wait else os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if ended else None


def _found(program: str, search: str) -> str:
    """Where a program is, as a shell finds it and remembers it; OSError where it is nowhere."""
    if "/" in program:
        return program
    path = _looked_for(program, search)
    if not os.access(path, os.X_OK):
        _looked_for.cache_clear()
        path = _looked_for(program, search)
    return path


@functools.lru_cache(maxsize=8)
def _looked_for(program: str, search: str) -> str:
    there = [
        path for each in search.split(":") if os.path.isfile(path := f"{each or '.'}/{program}")
    ]
    for path in there:
        if os.access(path, os.X_OK):
            return path
    number = errno.EACCES if there else errno.ENOENT
    raise OSError(number, os.strerror(number), program)


@functools.cache
def _keep_to_ourselves() -> None:
    """What whoever started this program has left open, nothing that it starts inherits.

    All that Python opens is closed by exec anyway.
    """
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the one that lists them
            if int(name) > 2:
                os.set_inheritable(int(name), False)
