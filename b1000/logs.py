"""The log: whole lines, each with the job/instance it is about.

Every process writes for itself, each line with one write(2), so that lines of
several processes never mix: to a file in append mode, or to a pipe, where a line
that is too long for that becomes several. A log file that has been rotated away
is opened anew by whoever writes the next line, also by a run that is under way.
"""

import contextlib
import os
import sys
import time

from b1000.logoutputs import Beside, Descriptor, Errors, File, Plain, Terminal, outputs
from b1000.logstyle import DEBUG, ERROR, INFO, LEVELS, WARNING, Line, lines
from b1000.logstyle import parts as parts
from b1000.logstyle import printable as printable
from b1000.logstyle import unprintable as unprintable


class Log:
    """Logs texts, with arguments for their ``%``, as lines about one job/instance or all."""

    def __init__(self, subject: str = "", run_id: int | None = None, shown: bool = False) -> None:
        self._about = (subject, run_id, shown)

    def debug(self, text: str, *arguments: object) -> None:
        """What helps to find a fault."""
        self.log(DEBUG, text, *arguments)

    def info(self, text: str, *arguments: object) -> None:
        """What happens."""
        self.log(INFO, text, *arguments)

    def warning(self, text: str, *arguments: object) -> None:
        """What somebody should look at."""
        self.log(WARNING, text, *arguments)

    def error(self, text: str, *arguments: object) -> None:
        """What has failed."""
        self.log(ERROR, text, *arguments)

    def exception(self, text: str, *arguments: object) -> None:
        """What has failed, with the traceback of the exception that is handled."""
        self.log(ERROR, text, *arguments, trace=True)

    def takes(self, level: int) -> bool:
        """Whether a line of this level is written anywhere."""
        return any(level >= output.least for output in outputs)

    def log(self, level: int, text: str, *arguments: object, trace: bool = False) -> None:
        """A line of a level of :mod:`b1000.logstyle`."""
        if self.takes(level):
            text = text % arguments if arguments else text
            line = Line(level, text, time.time(), *self._about)
            _write(line._replace(trace=_trace()) if trace else line)


def for_run(label: str, run_id: int | None = None, shown: bool = False) -> Log:
    """A log whose lines bear the label of a job/instance as their threadName, and its run.

    Whoever is at a terminal also sees those that are ``shown``, wherever the log goes.
    """
    return Log(label, run_id, shown)


def for_all(shown: bool = False) -> Log:
    """A log of what is about no job/instance alone."""
    return Log(shown=shown)


def that_nothing_was_done(text: str) -> None:
    """Log and show it; but a cron job whose log is its output stays silent."""
    _write(Line(INFO, text, time.time(), shown=True, idle=True))


def _write(line: Line) -> None:
    for output in outputs:
        if output.wants(line):
            output.take(line)


def _trace() -> str:
    import traceback  # with all that shows source text

    return traceback.format_exc().rstrip("\n")


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
    least = LEVELS[level]
    own = lines(style, line_format, host)
    stream = STREAMS.get(file)
    found: list[Descriptor] = []
    trouble = ""
    if stream is None:
        try:
            found.append(File(file))
            found[-1].elsewhere = not quiet
        except OSError as error:
            trouble = f"the log file {file} cannot be written ({error.strerror}); logging here"
            stream = 2
    if stream is not None and not quiet:
        found.append(Descriptor(stream))
        found[-1].silent = not os.isatty(stream)
    for output in found:
        output.least = least
    watched = not quiet and os.isatty(1) and not any(os.isatty(o.descriptor) for o in found)
    if least > ERROR or not any(_same(output.descriptor, 2) for output in found):
        found.append(Errors(2))
    for output in found:
        repeats = isinstance(output, Errors)
        for_people = repeats and (os.isatty(2) or (stream is None and style == "json"))
        output.style = lines("text", line_format, host) if for_people else own
    if watched:
        found.append(Terminal(file))
    outputs[:] = found
    if trouble:
        for_all().error(trouble)


def log_where() -> None:
    """Whoever saw on a terminal what was under way is told where the log is."""
    for output in outputs:
        if isinstance(output, Terminal):
            output.take(Line(INFO, f"the log is {output.log}", time.time(), shown=True))


def write_before_each_line(text: str) -> None:
    """On terminals each line begins with this, in the same write(2)."""
    for output in outputs:
        if os.isatty(output.descriptor):
            output.before = text.encode()


def announce(level: int, text: str, quiet: bool = False) -> None:
    """Tell a text as it is on standard error, and log it; once where both are the same."""
    line, shown = Line(level, text, time.time()), False
    for output in outputs:
        # The other one is there for lines that are logged; this text is told as it is.
        if output.wants(line) and not isinstance(output, Beside | Plain):
            output.take(line)
            shown = shown or _same(output.descriptor, 2)
    if not shown and not (quiet and level < ERROR):
        to_stderr(text)


def to_stderr(text: str) -> None:
    """One text to standard error, control characters other than newlines escaped."""
    with contextlib.suppress(OSError):
        print("\n".join(map(printable, text.split("\n"))), file=sys.stderr, flush=True)
