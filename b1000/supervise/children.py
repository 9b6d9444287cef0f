"""Forked children: how they begin, how they are heard, how they end."""

import contextlib
import functools
import os
import resource
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from b1000 import jobs, templates
from b1000.errors import counted
from b1000.identity import identify_child
from b1000.locks import Locks
from b1000.named import NamedTuple
from b1000.runs import events, protocol, run, states, task
from b1000.runs.run import ProcessIdentity
from b1000.stopping import STOPPING
from b1000.wire import Wire, pair, send_by_number
from b1000.work.forked import BROKEN, Closable, leave_parent

send_by_number((events, jobs, protocol, run, states, task, templates))

Serve = Callable[[Mapping[str, jobs.Job | jobs.BrokenJob], Locks, Wire], int]

_SHORTEST, _LONGEST = 0.0002, 0.05  # seconds between looks whether a child has ended


class Child:
    """A forked process and our end of the wire to it."""

    def __init__(self, pid: int, wire: Wire) -> None:
        self.pid = pid
        self.wire = wire
        self.exit_code: int | None = None

    @functools.cached_property
    def identity(self) -> ProcessIdentity | None:
        """Its identity; None where it has ended already."""
        return identify_child(self.pid)

    def fileno(self) -> int:
        """What can be read where it has said something, or has ended."""
        return self.wire.fileno()

    def send(self, order: object, *descriptors: int) -> bool:
        """Send an order; False for a child that is gone, which will be reaped soon."""
        try:
            self.wire.send(order, *descriptors)
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL it."""
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def reap(self, seconds: float) -> bool:
        """Take its exit code, negative for a signal; False where it has not ended in time."""
        until, pause = time.monotonic() + seconds, _SHORTEST
        while self.exit_code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() >= until:
                return False
            else:
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST)
        return True


class Watched(Protocol):
    """Something with a descriptor that can be waited for."""

    def fileno(self) -> int:
        """The descriptor."""


class Watch:
    """What the supervisor waits for: children, and whatever else has a descriptor."""

    @functools.cached_property
    def _selector(self) -> selectors.BaseSelector:
        # Not before it is needed: that too few descriptors are left is told first.
        return selectors.DefaultSelector()

    def add(self, watched: Watched) -> None:
        """Wait for it too, from now on."""
        self._selector.register(watched, selectors.EVENT_READ)

    def remove(self, watched: Watched) -> None:
        """Wait for it no more; it is still open."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(watched)

    def let_go(self, child: Child, seconds: float) -> None:
        """Reap a child that is to end in some seconds, else by SIGKILL; its wire is closed."""
        self.remove(child)
        if not child.reap(seconds):
            child.kill()
            child.reap(seconds)
        child.wire.close()

    def wait(self, timeout: float | None) -> set[object]:
        """Those of them that have something to say, or have ended; none after some seconds."""
        return {key.fileobj for key, _ in self._selector.select(timeout)}

    def close(self) -> None:
        """Wait for nothing any more."""
        self._selector.close()


class Descriptor(NamedTuple):
    """An open descriptor, as something that a child can close."""

    number: int

    def close(self) -> None:
        """Close it."""
        os.close(self.number)


def fork(main: Callable[[Wire], int], inherited: Iterable[Closable]) -> Child:
    """Fork a child that closes what is ``inherited`` and ends with what ``main`` gives.

    Raises OSError.
    """
    ours, theirs = pair()
    _flush()
    # Until the child has handlers of its own, a signal would be taken for one of the parent's.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        pid = os.fork()
        if not pid:
            _be(main, theirs, [*inherited, ours])
    except OSError:
        ours.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
    return Child(pid, ours)


def worker_for(*directions: str) -> Serve:
    """What a worker does, with all that jobs of these directions need imported."""
    from b1000.work import tasks
    from b1000.work.worker import serve

    for each in directions:
        tasks.direction(each)
    return serve


def _be(main: Callable[[Wire], int], wire: Wire, inherited: Iterable[Closable]) -> None:
    """The life of a child, which never returns."""
    code = BROKEN
    try:
        leave_parent(inherited)
        resource.setrlimit(resource.RLIMIT_NOFILE, _files())
        code = main(wire)
        _flush()
    except BaseException:
        import traceback  # with all that shows source text

        with contextlib.suppress(OSError):
            traceback.print_exc()
    finally:
        os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()


@functools.cache
def _files() -> tuple[int, int]:
    """The limits of open files with which the program began."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)


_OWN_FILES, _OF_A_WORKER, _OF_A_REPORT = 24, 6, 3


def allow_many_files(workers: int, reports: int) -> str:
    """Raise the limit of open files for this process; children get the old one back.

    Gives a sentence where so many workers and reporters may need more; "" where they do not.
    """
    _, most = _files()
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    needed = _OWN_FILES + _OF_A_WORKER * workers + _OF_A_REPORT * reports
    if most == resource.RLIM_INFINITY or most >= needed:
        return ""
    return (
        f"the limit of open files is {most} (ulimit -n), and {counted(workers, 'worker')} with "
        f"{counted(reports, 'report')} may need {needed}: runs that find none left will fail; "
        "allow more, or lower workers"
    )
