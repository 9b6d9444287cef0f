"""One script or rsync: its own session, its output, its time limit, the end of its whole tree."""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, NamedTuple, Protocol

from b1000.errors import B1000Error
from b1000.identity import is_alive
from b1000.runs.run import ProcessIdentity

if TYPE_CHECKING:
    import psutil

GRACE = 10.0  # seconds between SIGTERM and SIGKILL
_DRAIN = 1.0  # seconds in which the other processes of a killed rsync may save a partial file
_LOOK = 0.1  # seconds between looks at what is still alive
_KILL_TIME = 5.0  # seconds after which what survives SIGKILL (a hung disk) is given up
_GUARD = 1.0  # seconds between questions to a guard
_CHUNK = 65536
_LONGEST_LINE = 16384  # bytes; a longer line is cut into several
_REST = 16 * 2**20  # bytes read of what is still in a pipe when its process has ended

RSYNC = "rsync-"
"""How ``B1000_COMMAND`` begins in an rsync of ours.

A sender that handles SIGTERM, SIGINT or SIGHUP may write wrong files (docs/decisions/11): such a
process is ended by SIGKILL alone.
"""

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class TimedOut(B1000Error):
    """The process reached its time limit and was ended."""


class Ended(B1000Error):
    """The process was ended because its guard said so."""


class Sink(Protocol):
    """Takes what a process prints.

    ``pause`` are the seconds after each read in which more may gather.
    """

    @property
    def pause(self) -> float:
        """0 where all is taken at once."""

    def feed(self, data: bytes) -> None:
        """Take some bytes."""

    def close(self) -> None:
        """There are no more."""


class Lines:
    """Gives each line, decoded, to a function."""

    pause = 0.0

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._give(line)
        while len(self._rest) > _LONGEST_LINE:
            self._give(self._rest[:_LONGEST_LINE])
            self._rest = self._rest[_LONGEST_LINE:]

    def close(self) -> None:
        if self._rest:
            self._give(self._rest)
            self._rest = b""

    def hand_over(self) -> bytes:
        """What has no newline yet, for another to take."""
        rest, self._rest = self._rest, b""
        return rest

    def _give(self, line: bytes) -> None:
        self._take(line.rstrip(b"\r").decode("utf-8", "backslashreplace"))


class RawLines:
    """Gives each line as bytes to a function; what is no line at all is left out."""

    pause = 0.02
    _longest = 65536

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)
        self._rest = self._rest[: self._longest]

    def close(self) -> None:
        self._rest = b""


class Captured:
    """Keeps all bytes up to a limit; ``too_much`` once there were more."""

    pause = 0.0

    def __init__(self, limit: int) -> None:
        self.data = b""
        self.too_much = False
        self._limit = limit

    def feed(self, data: bytes) -> None:
        self.too_much = self.too_much or len(self.data) + len(data) > self._limit
        if not self.too_much:
            self.data += data

    def close(self) -> None:
        pass


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


def base_environment() -> dict[str, str]:
    """What scripts inherit; cron leaves little, so that a PATH is added where there is none."""
    return {"PATH": DEFAULT_PATH, **os.environ}


async def run(command: Command) -> int:
    """Run it to its end; gives the exit code, negative for the signal that killed it.

    Raises OSError where it cannot be started, TimedOut and Ended. When it is
    ended early, also by cancellation, its whole tree is gone before this returns.
    """
    process = subprocess.Popen(
        command.argv,
        env={**command.environment, **command.mark},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        pass_fds=command.pass_fds,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    pipes = {process.stdout: command.out, process.stderr: command.err}
    try:
        _bound(process.pid, command.bounds)
        if command.began:
            command.began(process.pid)
        for pipe, sink in pipes.items():
            _read_along(pipe, sink)
        return await _wait(process, command)
    except BaseException:
        await to_its_end(end_tree(command.mark, child=process.pid))
        process.poll()  # no wait: what even SIGKILL does not end must not hold the worker
        raise
    finally:
        for pipe, sink in pipes.items():
            asyncio.get_running_loop().remove_reader(pipe)
            _read_rest(pipe, sink)
            sink.close()
            pipe.close()


def _bound(pid: int, bounds: Mapping[int, int]) -> None:
    for which, value in bounds.items():
        with contextlib.suppress(ProcessLookupError):
            _, most = resource.prlimit(pid, which)
            least = value if most == resource.RLIM_INFINITY else min(value, most)
            resource.prlimit(pid, which, (least, least))


async def to_its_end(ending: Coroutine[None, None, None]) -> None:
    """Wait for something that must not be left half done; a cancellation counts afterwards."""
    task = asyncio.ensure_future(ending)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled:
        raise cancelled


async def _wait(process: subprocess.Popen[bytes], command: Command) -> int:
    loop = asyncio.get_running_loop()
    exited: asyncio.Future[None] = loop.create_future()
    descriptor = os.pidfd_open(process.pid)

    def note() -> None:
        loop.remove_reader(descriptor)
        exited.set_result(None)

    loop.add_reader(descriptor, note)
    try:
        async with asyncio.timeout(command.limit or None):
            while not exited.done():
                # Not wait_for: it would swallow a cancellation that comes as the process ends.
                await asyncio.wait([exited], timeout=_GUARD if command.guard else None)
                if command.guard and not exited.done() and (reason := command.guard(process.pid)):
                    raise Ended(reason)
    except TimeoutError:
        raise TimedOut(f"it was ended after {command.limit:g} s, its time limit") from None
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return process.wait()


def _read_along(pipe: IO[bytes], sink: Sink) -> None:
    os.set_blocking(pipe.fileno(), False)
    loop = asyncio.get_running_loop()

    def read() -> None:
        data = os.read(pipe.fileno(), _CHUNK)
        if not data or sink.pause:
            loop.remove_reader(pipe)
        if data:
            sink.feed(data)
            if sink.pause:
                loop.call_later(sink.pause, listen)

    def listen() -> None:
        if not pipe.closed:
            loop.add_reader(pipe, read)

    loop.add_reader(pipe, read)


def _read_rest(pipe: IO[bytes], sink: Sink) -> None:
    """What is in the pipe now; a service that holds its other end is not waited for."""
    left = _REST
    with contextlib.suppress(BlockingIOError):
        while left > 0 and (data := os.read(pipe.fileno(), _CHUNK)):
            left -= len(data)
            sink.feed(data)


async def end_tree(
    mark: Mapping[str, str],
    roots: Collection[ProcessIdentity] = (),
    spared: Collection[str] = (),
    child: int | None = None,
) -> None:
    """End the processes ``roots``, their sessions and descendants, and all that carry the mark.

    ``child`` is a root too: one of this process's own that was not waited for,
    whose id nobody else can have.

    SIGTERM first; what is still there after :data:`GRACE` seconds gets SIGKILL. An rsync of
    ours gets no other signal than that: its first process at once, the others, who see their
    connection end by that, a moment later. What carries a ``B1000_COMMAND`` that is ``spared``
    is left alone.
    """
    ending = TreeEnding(mark, roots, spared, child)
    while (pause := ending.step()) is not None:
        await asyncio.sleep(pause)


class TreeEnding:
    """What :func:`end_tree` does, a step at a time."""

    def __init__(
        self,
        mark: Mapping[str, str],
        roots: Collection[ProcessIdentity] = (),
        spared: Collection[str] = (),
        child: int | None = None,
    ) -> None:
        self._tree = _Tree(mark, roots, spared, child)
        self._began = time.monotonic()

    def step(self) -> float | None:
        """Seconds until the next step; None when nothing is alive any more, or is given up."""
        since = time.monotonic() - self._began
        if not self._tree.look() or since >= GRACE + _KILL_TIME:
            return None
        self._tree.kill_rsyncs(whole=since >= _DRAIN)
        self._tree.signal(signal.SIGTERM if since < GRACE else signal.SIGKILL)
        return _LOOK


def every_process() -> Iterator["psutil.Process"]:
    """All processes, each as it is now.

    psutil.process_iter remembers earlier looks, and since psutil 6 takes a new
    process under an id that it knows for the old one, to which it sends no signal.
    """
    import psutil

    try:
        pids = psutil.pids()
    except OSError:  # no descriptor is left to look with
        return
    for pid in pids:
        with contextlib.suppress(psutil.Error, OSError):
            yield psutil.Process(pid)


class _Tree:
    """Who belongs to a process: by session, by mark, by a parent that belongs to it.

    Who was once seen to belong to it does so until it ends.
    """

    def __init__(
        self,
        mark: Mapping[str, str],
        roots: Collection[ProcessIdentity],
        spared: Collection[str],
        child: int | None,
    ) -> None:
        import psutil  # here: most runs never end a tree, and it takes time to import

        self._psutil = psutil
        self._mark = mark
        self._roots = roots
        self._child = child
        self._spared = spared
        self._members: set[psutil.Process] = set()
        self._rsyncs: set[psutil.Process] = set()
        self._told: set[psutil.Process] = set()

    def look(self) -> bool:
        """Look for members; gives whether any is alive."""
        # The id of a root that has ended may be a stranger's by now.
        sessions = {root.pid for root in self._roots if is_alive(root)}
        if self._child is not None:
            sessions.add(self._child)
        found = {m for m in every_process() if self._belongs(m, sessions)}
        for member in tuple(found):
            with contextlib.suppress(self._psutil.Error, OSError):
                found.update(member.children(recursive=True))
        self._members = {member for member in self._members | found if self._lives(member)}
        self._rsyncs = {m for m in self._members if m in self._rsyncs or self._is_rsync(m)}
        return bool(self._members)

    def kill_rsyncs(self, whole: bool) -> None:
        """SIGKILL each rsync of ours: its first process, or with ``whole`` all of them."""
        for member in self._rsyncs:
            with contextlib.suppress(self._psutil.Error, ProcessLookupError):
                if whole or os.getsid(member.pid) == member.pid:
                    member.kill()

    def signal(self, number: signal.Signals) -> None:
        """Signal all others: by SIGTERM each once, by SIGKILL as often as it is asked for."""
        members = self._members - self._rsyncs
        if number is signal.SIGTERM:
            members = members - self._told
            self._told |= members
        for member in members:
            # psutil compares creation times first: a stranger under the same id gets nothing.
            with contextlib.suppress(self._psutil.Error):
                member.send_signal(number)
                if number is signal.SIGTERM:
                    member.send_signal(signal.SIGCONT)  # a stopped process would not hear it

    def _is_rsync(self, member: "psutil.Process") -> bool:
        if self._mark.get("B1000_COMMAND", "").startswith(RSYNC):
            return True
        try:
            return member.environ().get("B1000_COMMAND", "").startswith(RSYNC)
        except (self._psutil.Error, OSError):
            return False

    def _lives(self, member: "psutil.Process") -> bool:
        try:
            return bool(member.is_running() and member.status() != self._psutil.STATUS_ZOMBIE)
        except (self._psutil.NoSuchProcess, OSError):
            return False

    def _belongs(self, member: "psutil.Process", sessions: Collection[int]) -> bool:
        try:
            if os.getsid(member.pid) in sessions:
                return True
            environment = member.environ()
            if environment.get("B1000_COMMAND") in self._spared:
                return False
            return self._mark.items() <= environment.items()
        # OSError: of files in /proc that go while they are read, and which psutil does not explain.
        except (self._psutil.Error, OSError):
            return False
