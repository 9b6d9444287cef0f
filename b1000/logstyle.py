"""How a line of the log looks: as text, as a JSON object, or as systemd's journal takes it.

Python's logging would be a quarter of what a run loads that has nothing to copy.
"""

import _thread
import functools
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from types import FrameType

from b1000.expressions import expression
from b1000.named import NamedTuple

DEBUG, INFO, WARNING, ERROR, FATAL = 10, 20, 30, 40, 50

LEVELS = {"DEBUG": DEBUG, "INFO": INFO, "WARNING": WARNING, "ERROR": ERROR, "FATAL": FATAL}
"""By the names that log_level has for them."""

LONGEST = 16384
"""Characters of a message as it is printed; of a longer one the rest is left out, which is told."""

DEFAULT_FORMAT = "%(asctime)s%(offset)s %(levelname)-7s %(run)5s [%(threadName)-10s] %(message)s"
"""``offset`` is that from UTC and ``run`` the number of the run, "-" where a line is of none."""

STYLES = ("text", "json", "journal")

_JOURNAL_FORMAT = "%(run)s [%(threadName)s] %(message)s"  # the journal has time and level itself
_PART = LONGEST - 384  # of a text that is logged in parts; the rest is for what stands before it
_ALWAYS = r"\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_CONTROL, _BUT_BREAKS = (expression(rf"[\x00-\x08{each}{_ALWAYS}]") for each in (r"\x0a", ""))


def printable(text: str) -> str:
    """The text on one line, with control characters and undecodable bytes escaped."""
    return unprintable(text, lambda character: character.encode("unicode_escape").decode())


def unprintable(text: str, escaped: Callable[[str], str]) -> str:
    """The text with each such character as ``escaped`` writes it."""
    if text.isprintable():
        return text  # as nearly all are; all such characters are not
    return _CONTROL.sub(lambda found: escaped(found[0]), text)


def inert(text: str) -> str:
    """JSON in which what could steer a terminal is escaped; line breaks between values stay."""
    return _BUT_BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def parts(text: str) -> Iterator[str]:
    """A text as it is printed, in parts of which each has room in one line of the log."""
    text = printable(text)
    for start in range(0, len(text), _PART):
        yield text[start : start + _PART]


def _bounded(text: str) -> str:
    """Whatever others made us say, a line has an end."""
    more = len(text) - LONGEST
    return text if more <= 0 else f"{text[:LONGEST]}... ({more} more characters)"


class Line(NamedTuple):
    """What is to be logged. ``text`` may hold anything, ``trace`` is that of an exception, or "".

    ``subject`` is the job/instance that it is about. ``shown`` and ``idle``: see
    :func:`b1000.logs.for_run` and :func:`b1000.logs.that_nothing_was_done`.
    """

    level: int
    text: str
    time: float
    subject: str = ""
    run_id: int | None = None
    shown: bool = False
    idle: bool = False
    trace: str = ""

    @property
    def milliseconds(self) -> int:
        """Those of its time, beyond whole seconds."""
        return int(self.time % 1 * 1000)


# --- what a format may ask for

_BEGAN = time.time()
_NAMES = {DEBUG: "DEBUG", INFO: "INFO", WARNING: "WARNING", ERROR: "ERROR", FATAL: "CRITICAL"}
_OWN = ("b1000.logs", "b1000.logoutputs", "b1000.logstyle")
_DATE = "%Y-%m-%d %H:%M:%S"


@functools.lru_cache(maxsize=8)
def _clock(second: int, clock_format: str) -> str:
    return time.strftime(clock_format, time.localtime(second))


@functools.lru_cache(maxsize=8)
def _offset(second: int) -> str:
    """That of local time from UTC, at a time."""
    minutes = time.localtime(second).tm_gmtoff // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _caller() -> FrameType:
    """Where the program logs the line that is being made."""
    frame = sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__") in _OWN:
        frame = frame.f_back
    return frame


_ATTRIBUTES: Mapping[str, Callable[[Line], object]] = {
    "asctime": lambda line: f"{_clock(int(line.time), _DATE)},{line.milliseconds:03}",
    "created": lambda line: line.time,
    "filename": lambda _: os.path.basename(_caller().f_code.co_filename),
    "funcName": lambda _: _caller().f_code.co_name,
    "levelname": lambda line: _NAMES[line.level],
    "levelno": lambda line: line.level,
    "lineno": lambda _: _caller().f_lineno,
    "module": lambda _: os.path.basename(_caller().f_code.co_filename).removesuffix(".py"),
    "msecs": lambda line: float(line.milliseconds),
    "msg": lambda line: printable(line.text),
    "name": lambda _: "b1000",
    "offset": lambda line: _offset(int(line.time)),
    "pathname": lambda _: _caller().f_code.co_filename,
    "process": lambda _: os.getpid(),
    "processName": lambda _: "MainProcess",
    "relativeCreated": lambda line: (line.time - _BEGAN) * 1000,
    "run": lambda line: line.run_id or "-",
    "taskName": lambda _: None,
    "thread": lambda _: _thread.get_ident(),
    "threadName": lambda line: line.subject or "b1000",
}
"""Those of Python's logging, ``run`` and ``offset``; ``message`` is the style's."""


class _Attributes(dict[str, object]):
    """Those of one line that its format asks for."""

    def __missing__(self, name: str) -> object:
        raise ValueError(f"there is no attribute {name!r}")


# --- styles


class Lines:
    """Lines of text; ``widest`` is how many bytes a character of a message takes at most."""

    widest = 4

    def __init__(self, line_format: str = "%(message)s") -> None:
        self._format = line_format
        self._asked = [each for each in _ATTRIBUTES.items() if f"%({each[0]})" in line_format]

    def message(self, line: Line) -> str:
        """The message as it stands in the line."""
        return _bounded(printable(line.text))

    def format(self, line: Line) -> str:
        """The line; ValueError, KeyError or TypeError for a format that cannot be used."""
        attributes = _Attributes((name, value_of(line)) for name, value_of in self._asked)
        attributes["message"] = self.message(line)
        text = self._format % attributes
        return f"{text}\n{line.trace}" if line.trace else text


class ClockLines(Lines):
    """Lines for whoever looks on: the time of the day, whose it is, and the message."""

    def format(self, line: Line) -> str:
        clock = _clock(int(line.time), "%H:%M:%S")
        return f"{clock} [{line.subject or 'b1000'}] {self.message(line)}"


class _JournalLines(Lines):
    """Each line begins with its priority, as sd-daemon(3) has it."""

    def format(self, line: Line) -> str:
        priority = f"<{_PRIORITIES[line.level]}>"
        return "\n".join(priority + each for each in super().format(line).split("\n"))


_PRIORITIES = {DEBUG: 7, INFO: 6, WARNING: 4, ERROR: 3, FATAL: 2}


class _JsonLines(Lines):
    """An object a line. Absent strings are "", and ``run`` is null where a line is of none."""

    widest = 6  # \u001b

    def __init__(self, host: str) -> None:
        super().__init__()
        self._host = host

    def message(self, line: Line) -> str:
        return _bounded(f"{line.text}\n{line.trace}" if line.trace else line.text)

    def format(self, line: Line) -> str:
        import json  # where it is wanted

        job, _, instance = line.subject.partition("/")
        second = int(line.time)
        clock = _clock(second, "%Y-%m-%dT%H:%M:%S")
        said = {
            "time": f"{clock}.{line.milliseconds:03}{_offset(second)}",
            "level": _NAMES[line.level],
            "job": job,
            "instance": instance,
            "run": line.run_id or None,
            "host": self._host,
            "message": self.message(line),
        }
        return inert(json.dumps(said, ensure_ascii=False))


def lines(style: str, line_format: str, host: str) -> Lines:
    """The formatter of a style; ``line_format`` is for text, and for a journal where it is set."""
    match style:
        case "json":
            return _JsonLines(host)
        case "journal":
            own = line_format != DEFAULT_FORMAT
            return _JournalLines(line_format if own else _JOURNAL_FORMAT)
        case _:
            return Lines(line_format)
