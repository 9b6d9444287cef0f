"""One rsync with a daemon which nobody trusts: its time and its output end."""

import os
import resource
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from b1000.errors import StorageAway, message_of
from b1000.files import refuse_special_password_file
from b1000.logs import printable
from b1000.named import NamedTuple
from b1000.rsync import outcome, transport
from b1000.storage import greeting, stalling

_CHUNK = 65536
_MOST_BYTES = 256 * 2**20  # of a listing
_MEMORY = 2 * 2**30  # bytes of address space
_LAST_LINES = 20  # of what it complains
_LONGEST_LINE = 16384
_LAST_LINE = 200  # bytes in which the last line is
_GLANCE = 1.0  # seconds between looks at an rsync: has it been let in, has it ended
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Take = Callable[[bytes], None]


class Feed(Protocol):
    """Cuts what is printed into lines."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""


Cut = Callable[[Take], Feed]


class Session(NamedTuple):
    """What is run: for at most ``seconds``, with files of at most ``largest`` bytes. ``host`` is
    what errors call the other end; it has ``connect_timeout`` seconds for its first word. It may
    take ``memory`` bytes of address space, inherits ``descriptors`` and has ``marks`` in its
    environment. It is ended where it does nothing for ``io_timeout`` seconds; 0: its time ends it.
    Where ``last`` begins the last line of one that has not complained, all is well, and nobody
    waits for its end.
    """

    argv: Sequence[str]
    host: str
    seconds: float
    largest: int
    connect_timeout: int = 0
    memory: int = _MEMORY
    descriptors: tuple[int, ...] = ()
    marks: Mapping[str, str] = {}
    io_timeout: int = 0
    last: bytes = b""


class Ended(NamedTuple):
    """How it ended: rsync's exit code, and the last lines of its standard error."""

    code: int
    errors: tuple[str, ...]

    def trouble(self, host: str) -> str:
        """What is wrong, in words; "" where all is well."""
        judged = outcome.judge(self.code, self.errors, host)
        return "" if self.code == 0 else printable(judged.reason)


def run(session: Session, take: Take, cut: Cut | None = None) -> Ended:
    """Run it to its end; ``take`` gets each line that it prints. Raises StorageAway.

    ``cut`` makes what cuts its output into lines.
    """
    with Running(session) as running:
        return running.ended(take, cut)


class Running:
    """An rsync that has begun, and is read later; the end of a ``with`` is its own, too."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._until = time.monotonic() + session.seconds
        self._first_word = greeting.watched(session.argv, session.connect_timeout)
        self._progress = stalling.watched(session.argv, session.io_timeout)
        self._process: subprocess.Popen[bytes] | None = None
        self._trouble = ""
        try:
            self._process = _begun(session)
            _bound(self._process.pid, session)
        except OSError as error:
            self._trouble = f"rsync cannot be run: {message_of(error)}"
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End it with all that it has started."""
        process, self._process = self._process, None
        if process:
            with process, suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def ended(self, take: Take, cut: Cut | None = None) -> Ended:
        """Read it to its end, as :func:`run` does. Raises StorageAway."""
        process = self._process
        if not process:
            raise StorageAway(self._trouble)
        try:
            errors = self._read(process, (cut or Lines)(take))
            if errors is None:
                return Ended(0, ())
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, self._until - time.monotonic()))
        finally:
            self.end()
        return Ended(process.returncode, errors)

    def _read(self, process: "subprocess.Popen[bytes]", lines: Feed) -> tuple[str, ...] | None:
        """The last of what it complains; None where it has said its last line, and nothing else."""
        session = self._session
        complained: deque[bytes] = deque(maxlen=_LAST_LINES)
        assert process.stdout is not None
        assert process.stderr is not None
        takers: dict[object, Feed] = {
            process.stdout: lines,
            process.stderr: Lines(complained.append),
        }
        left = _MOST_BYTES
        said = complaint = b""
        helped = transport.has_helper(session.argv)
        with selectors.DefaultSelector() as ready:
            for pipe in (process.stdout, process.stderr):
                ready.register(pipe, selectors.EVENT_READ)
            while ready.get_map():
                wait = self._time_left(process.pid)
                glances = self._first_word or self._progress
                found = ready.select(min(wait, _GLANCE) if glances else wait)
                if not found and helped and process.poll() is not None:
                    break  # what led it to the daemon lives on, and says no more
                for key, _ in found:
                    data = os.read(key.fd, _CHUNK)
                    left -= len(data)
                    if left < 0:
                        raise StorageAway(f"{session.host} lists more than {_MOST_BYTES} bytes")
                    if data:
                        takers[key.fileobj].feed(data)
                    else:
                        ready.unregister(key.fileobj)
                    if key.fileobj is process.stdout:
                        said = (said + data)[-_LAST_LINE:]
                    else:
                        complaint += data[:1]
                if _is_last(said, session.last) and not complaint and not ready.select(0):
                    return None
        return tuple(line.decode("utf-8", "backslashreplace") for line in complained)

    def _time_left(self, pid: int) -> float:
        """How many seconds it may still take. Raises StorageAway where that is none."""
        session = self._session
        wait = self._until - time.monotonic()
        if wait <= 0:
            text = f"{session.host} did not end its answer within {session.seconds:g} s"
            raise StorageAway(text)
        if self._first_word and (trouble := self._first_word.trouble(pid)):
            raise StorageAway(trouble.format(session.host))
        if self._progress and self._progress.stalled(pid):
            raise StorageAway(f"{session.host} does nothing any more (io_timeout)")
        return wait


def _is_last(said: bytes, last: bytes) -> bool:
    """Whether what was said ends with the line that so begins."""
    line = said.rpartition(b"\n")[0].rpartition(b"\n")[2]
    return bool(last) and said.endswith(b"\n") and line.startswith(last)


def _begun(session: Session) -> "subprocess.Popen[bytes]":
    """Start it. Raises OSError."""
    refuse_special_password_file(session.argv)
    environment = {
        "PATH": _PATH,
        **transport.environment(os.environ),
        "LC_ALL": "C",
        "TZ": "UTC0",  # of the times that it prints
        "HOME": "/nonexistent",
        **session.marks,
    }
    return subprocess.Popen(
        session.argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        pass_fds=session.descriptors,
        start_new_session=True,  # with no terminal rsync cannot ask for a password there
    )


def _bound(pid: int, session: Session) -> None:
    for what, most in (
        (resource.RLIMIT_AS, session.memory),
        (resource.RLIMIT_FSIZE, session.largest),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(OSError):
            resource.prlimit(pid, what, (most, most))


class Lines:
    """Cuts bytes into lines; of a longer one than rsync prints the rest is lost."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)
        self._rest = rest[:_LONGEST_LINE]
