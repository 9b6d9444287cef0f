"""Where lines of the log go: a file that may be rotated away, a stream, a terminal.

Each line is one write(2), so that lines of several processes never mix: to a file in append
mode, or to a pipe, where a line that is too long for that becomes several.
"""

import contextlib
import os
import select
import stat
from collections.abc import Iterator

from b1000.logstyle import DEBUG, ERROR, INFO, WARNING, ClockLines, Line, Lines

_WRITE_TIMEOUT = 1000  # milliseconds that a reader of the log may keep a line waiting


def _encoded(line: str) -> bytes:
    return (line + "\n").encode("utf-8", "backslashreplace")


class Descriptor:
    """Writes whole lines of at ``least`` some level to an open descriptor.

    ``silent``: not that nothing was done.
    """

    least = DEBUG
    silent = False
    style = Lines()

    def __init__(self, descriptor: int, place: str = "standard output") -> None:
        self.descriptor = descriptor
        self.place = place
        self.elsewhere = True
        self.before = b""
        self._stuck = False
        self._told = False

    def wants(self, line: Line) -> bool:
        """Whether it takes this line."""
        return line.level >= self.least and not (line.idle and self.silent)

    def take(self, line: Line) -> None:
        """Write it, whatever the level."""
        try:
            for each in self._whole(line):
                self.write(self.before + each)
        except BrokenPipeError:
            pass  # A reader that went away must not end a backup.
        except OSError as error:
            self._write_elsewhere(line, error)

    def write(self, line: bytes) -> None:
        while line and self._is_writable():
            line = line[os.write(self.descriptor, line) :]

    def _whole(self, line: Line) -> Iterator[bytes]:
        """The line, or several with parts of the message where one would not be written whole."""
        whole = _encoded(self.style.format(line))
        if len(whole) <= select.PIPE_BUF or not self._is_a_pipe():
            yield whole
            return

        def encoded(message: str) -> bytes:
            return _encoded(self.style.format(line._replace(text=message, trace="")))

        message = self.style.message(line)
        step = max((select.PIPE_BUF - len(encoded(""))) // self.style.widest, 1)
        for start in range(0, len(message), step):
            yield encoded(message[start : start + step])

    def _is_a_pipe(self) -> bool:
        """Whether only PIPE_BUF bytes at once arrive in one piece, and without waiting."""
        mode = os.fstat(self.descriptor).st_mode
        return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)

    def _is_writable(self) -> bool:
        """Whether a write will not block: a reader that does not read must not stop backups."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLOUT)
        ready = bool(poll.poll(0 if self._stuck else _WRITE_TIMEOUT))
        self._stuck = not ready
        return ready

    def _write_elsewhere(self, line: Line, error: OSError) -> None:
        """Standard error gets the line, where it does not get it anyway; backups go on."""
        beside = next((each for each in outputs if isinstance(each, Errors)), None)
        repeated = beside and beside.wants(line)
        missing = [line] if self.elsewhere and not repeated else []
        if not self._told:
            self._told = True
            text = f"{self.place} cannot be written ({error.strerror})"
            text += "; logging here" if self.elsewhere else ""
            missing.insert(0, Line(ERROR, text, line.time))
        for each in missing:
            with contextlib.suppress(OSError):
                os.write(2, _encoded((beside or self).style.format(each)))


class File(Descriptor):
    """A log file that is opened anew once it has been rotated away."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(self._open(), f"the log file {path}")
        self._opened = os.fstat(self.descriptor)

    def _open(self) -> int:
        # Not to be waited for: a fifo that nobody reads would hold everything up.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(self.path, flags | os.O_EXCL, 0o640)
        except FileExistsError:
            return os.open(self.path, flags, 0o640)
        os.fchmod(descriptor, 0o640)  # whatever the umask; one that is there keeps its own
        return descriptor

    def write(self, line: bytes) -> None:
        self._follow()
        super().write(line)

    def _is_writable(self) -> bool:
        # Only what may stand in its place, a fifo, keeps a line waiting.
        return stat.S_ISREG(self._opened.st_mode) or super()._is_writable()

    def _follow(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(self.path), self._opened):
                return
        renewed = self._open()
        os.dup2(renewed, self.descriptor, inheritable=False)
        os.close(renewed)
        self._opened = os.fstat(self.descriptor)


class Beside(Descriptor):
    """Repeats some lines beside the log."""


class Terminal(Beside):
    """Shows what is under way to whoever is at the terminal, while the log goes elsewhere."""

    least = INFO
    style = ClockLines()

    def __init__(self, log: str) -> None:
        super().__init__(1)
        self.log = log

    def wants(self, line: Line) -> bool:
        on_standard_error = line.level >= ERROR and os.isatty(2)
        return line.shown and super().wants(line) and not on_standard_error


class Errors(Beside):
    """Repeats on standard error what is an ERROR."""

    least = ERROR


class Plain(Descriptor):
    """Standard error as long as nobody has said where the log is: warnings, without more."""

    least = WARNING


outputs: list[Descriptor] = [Plain(2)]
"""Of this process; :func:`b1000.logs.set_up` says which."""
