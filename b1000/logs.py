"""The log: whole lines, each with the job/instance it is about.

Every process writes for itself, each line with one write(2), so that lines of
several processes never mix: to a file in append mode, or to a pipe, where a line
that is too long for that becomes several. A log file that has been rotated away
is opened anew by whoever writes the next line, also by a run that is under way.
"""

import contextlib
import logging
import os
import select
import stat
import sys
from collections.abc import Iterator

from b1000.logstyle import Lines, lines
from b1000.logstyle import parts as parts
from b1000.logstyle import printable as printable
from b1000.logstyle import unprintable as unprintable

LOGGER = "b1000"
_SOURCE = logging._srcfile
_PLACES = ("pathname", "filename", "module", "lineno", "funcName")

_WRITE_TIMEOUT = 1000  # milliseconds that a reader of the log may keep a line waiting


def for_run(
    label: str, run_id: int | None = None, shown: bool = False
) -> logging.LoggerAdapter[logging.Logger]:
    """A logger whose lines bear the label of a job/instance as their threadName, and its run.

    Whoever is at a terminal also sees those that are ``shown``, wherever the log goes.
    """
    about = {"subject": label, "run_id": run_id, "shown": shown}
    return logging.LoggerAdapter(logging.getLogger(LOGGER), about)


def for_all(shown: bool = False) -> logging.LoggerAdapter[logging.Logger]:
    """A logger of what is about no job/instance alone."""
    return for_run("", shown=shown)


def that_nothing_was_done(text: str) -> None:
    """Log and show it; but a cron job whose log is its output stays silent."""
    logging.getLogger(LOGGER).info("%s", text, extra={"shown": True, "idle": True})


def _encoded(line: str) -> bytes:
    return (line + "\n").encode("utf-8", "backslashreplace")


class _Descriptor(logging.Handler):
    """Writes whole lines to an open descriptor."""

    def __init__(self, descriptor: int, place: str = "standard output") -> None:
        super().__init__()
        self.descriptor = descriptor
        self.place = place
        self.elsewhere = True
        self.before = b""
        self._stuck = False
        self._told = False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            for line in self._lines(record):
                self.write(self.before + line)
        except BrokenPipeError:
            pass  # A reader that went away must not end a backup.
        except OSError as error:
            self._write_elsewhere(record, error)

    def write(self, line: bytes) -> None:
        while line and self._is_writable():
            line = line[os.write(self.descriptor, line) :]

    def _lines(self, record: logging.LogRecord) -> Iterator[bytes]:
        """The line, or several with parts of the message where one would not be written whole."""
        line = _encoded(self.format(record))
        lines = self.formatter
        if len(line) <= select.PIPE_BUF or not self._is_a_pipe() or not isinstance(lines, Lines):
            yield line
            return

        def encoded(message: str) -> bytes:
            without = {"msg": message, "args": None, "exc_info": None, "exc_text": None}
            return _encoded(self.format(logging.makeLogRecord(record.__dict__ | without)))

        message = lines.message(record)
        step = max((select.PIPE_BUF - len(encoded(""))) // lines.widest, 1)
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

    def _write_elsewhere(self, record: logging.LogRecord, error: OSError) -> None:
        """Standard error gets the line, where it does not get it anyway; backups go on."""
        logger = logging.getLogger(LOGGER)
        beside = next((each for each in logger.handlers if isinstance(each, _Errors)), None)
        repeated = beside and record.levelno >= beside.level
        records = [record] if self.elsewhere and not repeated else []
        if not self._told:
            self._told = True
            text = f"{self.place} cannot be written ({error.strerror})"
            text += "; logging here" if self.elsewhere else ""
            records.insert(0, logger.makeRecord(LOGGER, logging.ERROR, "", 0, text, (), None))
        for each in records:
            with contextlib.suppress(OSError):
                os.write(2, _encoded((beside or self).format(each)))


class _File(_Descriptor):
    """A log file that is opened anew once it has been rotated away."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(self._open(), f"the log file {path}")

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

    def _follow(self) -> None:
        try:
            there = os.stat(self.path)
            here = os.fstat(self.descriptor)
            if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
                return
        except FileNotFoundError:
            pass
        renewed = self._open()
        os.dup2(renewed, self.descriptor, inheritable=False)
        os.close(renewed)


class _Beside(_Descriptor):
    """Repeats some lines beside the log."""


class _Terminal(_Beside):
    """Shows what is under way to whoever is at the terminal, while the log goes elsewhere."""

    def __init__(self, log: str) -> None:
        super().__init__(1)
        self.log = log
        self.setLevel(logging.INFO)
        self.setFormatter(Lines("%(asctime)s [%(threadName)s] %(message)s", "%H:%M:%S"))
        self.addFilter(_is_to_be_shown)


def _is_to_be_shown(record: logging.LogRecord) -> bool:
    on_standard_error = record.levelno >= logging.ERROR and os.isatty(2)
    return getattr(record, "shown", False) and not on_standard_error


def _is_no_idleness(record: logging.LogRecord) -> bool:
    return not getattr(record, "idle", False)


class _Errors(_Beside):
    """Repeats on standard error what is an ERROR."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self.setLevel(logging.ERROR)


def _look_up_only_what_is_shown(line_format: str) -> None:
    """As logging's own documentation has it: a third of a line is what no format asks for."""
    shown = any(f"%({place})" in line_format for place in _PLACES)
    logging._srcfile = _SOURCE if shown else None
    logging.logThreads = "%(thread)" in line_format
    logging.logProcesses = "%(process" in line_format
    logging.logMultiprocessing = "%(processName)" in line_format


STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}
"""Log files that mean a stream that is open."""


def _same(one: int, other: int) -> bool:
    try:
        a, b = os.fstat(one), os.fstat(other)
    except OSError:
        return False
    return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)


def set_up(
    file: str, level: str, line_format: str, quiet: bool, *, style: str = "text", host: str = ""
) -> None:
    """Log to ``file``; what is an ERROR also to standard error, unless it shows it already.

    ``/dev/stdout`` and ``/dev/stderr`` mean the open descriptors. ``quiet``
    leaves the standard streams to errors alone, on standard error. ``level`` is
    the log's: errors reach standard error whatever it is, and a terminal on
    standard output shows what is under way, where the log itself is on none. ``style``: how lines
    look (:mod:`b1000.logstyle`). What repeats a file of JSON on standard error is text for people.
    """
    logger = logging.getLogger(LOGGER)
    logger.handlers.clear()
    logger.propagate = False
    least = logging.getLevelNamesMapping()[level]
    logger.setLevel(min(least, logging.ERROR))
    _look_up_only_what_is_shown(line_format)
    formatter = lines(style, line_format, host)
    stream = STREAMS.get(file)
    handlers: list[_Descriptor] = []
    trouble = ""
    if stream is None:
        try:
            handlers.append(_File(file))
            handlers[-1].elsewhere = not quiet
        except OSError as error:
            trouble = f"the log file {file} cannot be written ({error.strerror}); logging here"
            stream = 2
    if stream is not None and not quiet:
        handlers.append(_Descriptor(stream))
        if not os.isatty(stream):
            handlers[-1].addFilter(_is_no_idleness)
    for handler in handlers:
        handler.setLevel(least)
    watched = not quiet and os.isatty(1) and not any(os.isatty(h.descriptor) for h in handlers)
    if least > logging.ERROR or not any(_same(handler.descriptor, 2) for handler in handlers):
        handlers.append(_Errors(2))
    for handler in handlers:
        repeats = isinstance(handler, _Errors)
        for_people = repeats and (os.isatty(2) or (stream is None and style == "json"))
        text = lines("text", line_format, host)
        handler.setFormatter(text if for_people else formatter)
        logger.addHandler(handler)
    if watched:
        logger.addHandler(_Terminal(file))
        logger.setLevel(min(least, logging.INFO))
    if trouble:
        logger.error(trouble)


def log_where() -> None:
    """Whoever saw on a terminal what was under way is told where the log is."""
    logger = logging.getLogger(LOGGER)
    for handler in logger.handlers:
        if isinstance(handler, _Terminal):
            text = f"the log is {handler.log}"
            record = logger.makeRecord(LOGGER, logging.INFO, "", 0, text, (), None)
            record.shown = True
            handler.handle(record)


def write_before_each_line(text: str) -> None:
    """On terminals each line begins with this, in the same write(2)."""
    for handler in logging.getLogger(LOGGER).handlers:
        if isinstance(handler, _Descriptor) and os.isatty(handler.descriptor):
            handler.before = text.encode()


def announce(level: int, text: str, quiet: bool = False) -> None:
    """Tell a text as it is on standard error, and log it; once where both are the same."""
    logger = logging.getLogger(LOGGER)
    shown = False
    for handler in logger.handlers:
        # The other handler is there for lines that are logged; this text is told as it is.
        if isinstance(handler, _Descriptor) and not isinstance(handler, _Beside):
            record = logger.makeRecord(LOGGER, level, "", 0, text, (), None)
            if level >= handler.level:
                handler.handle(record)
                shown = shown or _same(handler.descriptor, 2)
    if not shown and not (quiet and level < logging.ERROR):
        to_stderr(text)


def to_stderr(text: str) -> None:
    """One text to standard error, control characters other than newlines escaped."""
    with contextlib.suppress(OSError):
        print("\n".join(map(printable, text.split("\n"))), file=sys.stderr, flush=True)
