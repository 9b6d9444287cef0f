"""One script or rsync: its own session, its output, its time limit."""

import contextlib
import functools
import math
import os
import resource
import time
from collections.abc import Callable, Mapping, Sequence

from b1000.errors import B1000Error
from b1000.files import enlarge_pipe
from b1000.named import NamedTuple
from b1000.work import loop, spawning
from b1000.work.loop import Future
from b1000.work.sinks import Sink
from b1000.work.spawning import Spawned
from b1000.work.tree import end_tree
from b1000.work.waiting import first, shielded

_GUARD = 1.0  # seconds between questions to a guard
_CHUNK = 65536
_GATHERED = 2**18  # bytes that a pipe holds whose sink lets more gather
_FASTEST = 5 * 2**20  # bytes a second: what rsync says of 70,000 files that it copies
_REST = 16 * 2**20  # bytes read of what is still in a pipe when its process has ended

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class TimedOut(B1000Error):
    """The process reached its time limit and was ended."""


class Ended(B1000Error):
    """The process was ended because its guard said so."""


class Command(NamedTuple):
    """What is to be started.

    ``mark`` are the variables by which every descendant is known, wherever it
    has gone. ``guard`` is asked every second, with the process id, and ends the
    process by giving a reason. Only ``pass_fds`` are inherited. A ``limit`` of 0 seconds is none.
    ``bounds`` are limits of the system (RLIMIT_...) for the process and its children.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    mark: Mapping[str, str]
    out: Sink
    err: Sink
    limit: float = 0
    pass_fds: tuple[int, ...] = ()
    guard: Callable[[int], str | None] | None = None
    began: Callable[[int], None] | None = None
    bounds: Mapping[int, int] = {}


def search_path() -> str:
    """Where programs are looked for; cron leaves little, and there is one where that has none."""
    return os.environ.get("PATH", DEFAULT_PATH)


@functools.cache
def base_environment() -> Mapping[str, str]:
    """What scripts inherit: no process that runs any changes its own (work/condition.py)."""
    return {**os.environ, "PATH": search_path()}


async def run(command: Command) -> int:
    """Run it to its end; gives the exit code, negative for the signal that killed it.

    Raises OSError where it cannot be started, TimedOut and Ended. When it is
    ended early, also by cancellation, its whole tree is gone before this returns.
    """
    process = spawning.spawn(
        command.argv, {**command.environment, **command.mark}, command.pass_fds
    )
    streams = (_Stream(process.out, command.out), _Stream(process.err, command.err))
    try:
        _bound(process.pid, command.bounds)
        if command.began:
            command.began(process.pid)
        for stream in streams:
            stream.listen()
        return await _wait(process, command)
    except BaseException:
        await shielded(end_tree(command.mark, child=process.pid))
        # No wait: what even SIGKILL does not end must not hold the worker.
        spawning.exit_code(process.pid, wait=False)
        raise
    finally:
        for stream in streams:
            stream.end()


def _bound(pid: int, bounds: Mapping[int, int]) -> None:
    for which, value in bounds.items():
        with contextlib.suppress(ProcessLookupError):
            _, most = resource.prlimit(pid, which)
            least = value if most == resource.RLIM_INFINITY else min(value, most)
            resource.prlimit(pid, which, (least, least))


async def _wait(process: Spawned, command: Command) -> int:
    running = loop.running()
    exited: Future[None] = Future()
    descriptor = os.pidfd_open(process.pid)
    running.add_reader(descriptor, lambda: exited.set_result(None))
    until = time.monotonic() + command.limit if command.limit else math.inf
    pause = _GUARD if command.guard else math.inf
    try:
        while not exited.done():
            wait = min(pause, until - time.monotonic())
            if wait <= 0:
                raise TimedOut(f"it was ended after {command.limit:g} s, its time limit")
            await first((exited,), wait if wait < math.inf else None)
            if command.guard and not exited.done() and (reason := command.guard(process.pid)):
                raise Ended(reason)
    finally:
        running.remove_reader(descriptor)
        os.close(descriptor)
    code = spawning.exit_code(process.pid, wait=True)
    assert code is not None, "somebody else has reaped it"
    return code


class _Stream:
    """One of the two pipes of a process, read into a sink."""

    def __init__(self, pipe: int, sink: Sink) -> None:
        self._pipe = pipe
        self._sink = sink
        self._loop = loop.running()
        self._open = True
        # To be woken up for each file of which rsync tells would cost more than small ones do.
        self._most = enlarge_pipe(pipe, _GATHERED) if sink.gathers else _CHUNK
        self._pause = self._most / _FASTEST if sink.gathers else 0.0

    def listen(self) -> None:
        """Read along from now on."""
        if self._open:
            self._loop.add_reader(self._pipe, self._read)

    def _read(self) -> None:
        taken = self._take(self._most)
        if taken is None:
            self._loop.remove_reader(self._pipe)
        elif self._pause and taken < self._most:  # a pipe that was full has a writer who waits
            self._loop.remove_reader(self._pipe)
            self._loop.later(self._pause, self.listen)

    def _take(self, most: int) -> int | None:
        """Give the sink what is there, about so many bytes at most; how many, None at its end."""
        taken = 0
        with contextlib.suppress(BlockingIOError):
            while taken < most:
                data = os.read(self._pipe, _CHUNK)
                if not data:
                    return None
                self._sink.feed(data)
                taken += len(data)
        return taken

    def end(self) -> None:
        """Read what is there now; a service that holds the other end is not waited for."""
        self._loop.remove_reader(self._pipe)
        self._take(_REST)
        self._sink.close()
        self._open = False
        os.close(self._pipe)
