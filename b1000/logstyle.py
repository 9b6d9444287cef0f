"""How a line of the log looks: as text, as a JSON object, or as systemd's journal takes it."""

import functools
import logging
from collections.abc import Callable, Iterator
from datetime import datetime

from b1000.expressions import expression

LONGEST = 16384
"""Characters of a message as it is printed; of a longer one the rest is left out, which is told."""

DEFAULT_FORMAT = "%(asctime)s%(offset)s %(levelname)-7s %(run)5s [%(threadName)-10s] %(message)s"
"""``offset`` is that from UTC and ``run`` the number of the run, "-" where a line is of none."""

STYLES = ("text", "json", "journal")

_JOURNAL_FORMAT = "%(run)s [%(threadName)s] %(message)s"  # the journal has time and level itself
_PART = LONGEST - 384  # of a text that is logged in parts; the rest is for what stands before it
_CONTROL = expression(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text on one line, with control characters and undecodable bytes escaped."""
    return unprintable(text, lambda character: character.encode("unicode_escape").decode())


def unprintable(text: str, escaped: Callable[[str], str]) -> str:
    """The text with each such character as ``escaped`` writes it."""
    return _CONTROL.sub(lambda found: escaped(found[0]), text)


def inert(text: str) -> str:
    """JSON in which what could steer a terminal is escaped; line breaks between values stay."""
    return unprintable(text, lambda sign: sign if sign == "\n" else f"\\u{ord(sign):04x}")


def parts(text: str) -> Iterator[str]:
    """A text as it is printed, in parts of which each has room in one line of the log."""
    text = printable(text)
    for start in range(0, len(text), _PART):
        yield text[start : start + _PART]


def _bounded(text: str) -> str:
    """Whatever others made us say, a line has an end."""
    more = len(text) - LONGEST
    return text if more <= 0 else f"{text[:LONGEST]}... ({more} more characters)"


@functools.lru_cache(maxsize=8)
def _offset(second: int) -> str:
    """That of local time from UTC, at a time."""
    return datetime.fromtimestamp(second).astimezone().isoformat()[-6:]


class Lines(logging.Formatter):
    """Lines of text; ``widest`` is how many bytes a character of a message takes at most."""

    widest = 4

    def message(self, record: logging.LogRecord) -> str:
        """The message as it stands in the line."""
        return _bounded(printable(record.getMessage()))

    def format(self, record: logging.LogRecord) -> str:
        # Others write the same record in their own way. copy.copy takes ten times as long.
        line = logging.LogRecord.__new__(logging.LogRecord)
        line.__dict__.update(record.__dict__)
        line.threadName = getattr(record, "subject", "") or "b1000"
        line.run = getattr(record, "run_id", None) or "-"
        line.offset = _offset(int(record.created))
        line.msg, line.args = self.message(record), None
        return super().format(line)


class _JournalLines(Lines):
    """Each line begins with its priority, as sd-daemon(3) has it."""

    def format(self, record: logging.LogRecord) -> str:
        priority = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(priority + line for line in super().format(record).split("\n"))


_PRIORITIES = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}


class _JsonLines(Lines):
    """An object a line. Absent strings are "", and ``run`` is null where a line is of none."""

    widest = 6  # \u001b

    def message(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            text += f"\n{self.formatException(record.exc_info)}"
        return _bounded(text)

    def __init__(self, host: str) -> None:
        super().__init__()
        self._host = host

    def format(self, record: logging.LogRecord) -> str:
        import json  # where it is wanted

        job, _, instance = getattr(record, "subject", "").partition("/")
        when = datetime.fromtimestamp(record.created).astimezone()
        line = {
            "time": when.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "job": job,
            "instance": instance,
            "run": getattr(record, "run_id", None) or None,
            "host": self._host,
            "message": self.message(record),
        }
        return inert(json.dumps(line, ensure_ascii=False))


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
