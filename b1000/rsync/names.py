"""Names that are B1000's own or of rsync's making, and what rsync says of names. Pure."""

import calendar
import re

from b1000.expressions import expression
from b1000.named import NamedTuple

OURS = ".b1000"
"""How names begin that are B1000's own: none is ever copied from a source."""

PATTERN = f"{OURS}*"
"""The same as a pattern of rsync, at any depth."""

PARTIAL_DIRECTORY = f"{OURS}-partial"
"""Where a receiver keeps what arrived of a file when it is interrupted."""

TEMPORARY = ".*.[a-zA-Z0-9][a-zA-Z0-9][a-zA-Z0-9][a-zA-Z0-9][a-zA-Z0-9][a-zA-Z0-9]"
"""How a receiver calls a file until it is complete, as a pattern of rsync."""

_TEMPORARY = expression(r"\.(?P<name>.+)\.[a-zA-Z0-9]{6}", re.DOTALL)
_CUT = 240  # bytes of a name beyond which rsync may have cut it


_MAGIC = expression(rb"[*?[]")


def pattern(path: bytes) -> bytes:
    """A path as a pattern of its own; only where one has magic does a backslash mean anything."""
    return wild(path) if _MAGIC.search(path) else path


def wild(path: bytes) -> bytes:
    """A path as the beginning of a pattern that has magic."""
    return re.sub(rb"[*?[\\]", rb"\\\g<0>", path)


def is_temporary(name: str) -> bool:
    """Whether a receiver may have called a file so until it was complete."""
    return bool(_TEMPORARY.fullmatch(name))


def wanted(temporary: str) -> tuple[str, ...]:
    """What a file of such a name may be to be called; nothing where rsync may have cut it."""
    found = _TEMPORARY.fullmatch(temporary)
    if not found or len(temporary.encode("utf-8", "surrogateescape")) > _CUT:
        return ()
    return found["name"], f".{found['name']}"


class ListedFile(NamedTuple):
    """One line of ``rsync --list-only``; ``kind`` as in the first letter of ls -l.

    ``written`` is its time as rsync prints it.
    """

    kind: bytes
    size: int
    path: bytes
    written: bytes = b""

    @property
    def time(self) -> float:
        """Seconds since the epoch, where the rsync ran in UTC; 0 where there is no such time."""
        try:
            year, month, day, hour, minute, second = map(int, re.split(rb"[/ :]", self.written))
            return float(calendar.timegm((year, month, day, hour, minute, second)))
        except (ValueError, OverflowError):
            return 0.0


_LISTED = expression(
    rb"(?P<kind>[-dlpscb])[A-Za-z?.+-]{9,10} +(?P<size>\d{1,18}) (?P<written>\S{10} \S{8}) "
    rb"(?P<name>.+)",
    re.DOTALL,
)
_SUMMED = expression(
    rb">f\S{9} (?P<digest>[0-9a-f]{32}) (?P<size>\d{1,18}) (?P<time>[0-9/:-]{19}) (?P<name>.+)",
    re.DOTALL,
)
_ESCAPED = expression(rb"\\#([0-7]{3})")


def listed(line: bytes) -> ListedFile | None:
    """What a line of a listing says, without its end; None where it is another line."""
    found = _LISTED.fullmatch(line)
    if not found:
        return None
    name = found["name"].partition(b" -> ")[0] if found["kind"] == b"l" else found["name"]
    return ListedFile(found["kind"], int(found["size"]), unescaped(name), found["written"])


class SummedFile(NamedTuple):
    """A regular file that rsync has summed; ``time`` is its mtime as digits, year first.

    ``digest`` is "" of one that could not be read: rsync 3.5.0 says zeros then, and ends with 0.
    """

    name: bytes
    digest: str
    size: int
    time: int


SUMMED = "%i %C %l %M %n"
"""The ``--out-format`` of which :func:`summed` reads the lines."""


def summed(line: bytes) -> SummedFile | None:
    """What such a line says; None where it is another line."""
    found = _SUMMED.fullmatch(line)
    if not found:
        return None
    time = int(re.sub(rb"\D", b"", found["time"]))
    digest = found["digest"].decode() if found["digest"].strip(b"0") else ""
    return SummedFile(unescaped(found["name"]), digest, int(found["size"]), time)


def unescaped(name: bytes) -> bytes:
    """A name as it is, of what rsync prints of it."""
    return _ESCAPED.sub(lambda digits: bytes([int(digits[1], 8) & 255]), name)


REMARKS = ("removing duplicate name ", "[")
"""How what rsync says of names that it leaves out begins."""

_DUPLICATE = expression(r"removing duplicate name (?P<name>.+) from file list \(\d+\)", re.DOTALL)


def duplicate(line: str) -> str | None:
    """The name that a line says several sources have (``--debug=DUP``): one of them is copied."""
    found = _DUPLICATE.fullmatch(line)
    return found["name"] if found and found["name"] != "." else None


_RULED = expression(r"\[\w+\] \w+ (?:file|directory) (?P<name>.+) because of pattern ", re.DOTALL)


def is_about_rules(line: str) -> bool:
    """Whether a line tells what a rule left out (``--debug=FILTER``)."""
    return bool(_RULED.match(line))


def hidden(line: str) -> str | None:
    """The name that such a line says was left out since it is B1000's own."""
    at = line.rfind(_OURS_RULED)
    found = _RULED.fullmatch(line[: at + len(_OURS_RULED) - len(PATTERN)]) if at > 0 else None
    return found["name"] if found else None


_OURS_RULED = f" because of pattern {PATTERN}"

_DIFFERS = expression(r"(?:[<>]f(?!\+)\S{9}|[<>ch.][LDS]c\S{8}) (?P<name>.+)", re.DOTALL)


def differing(line: str) -> str | None:
    """The name in a line of ``--itemize-changes --checksum`` whose content is not the source's.

    What is only missing or has other attributes is none.
    """
    found = _DIFFERS.fullmatch(line)
    return found["name"] if found else None
