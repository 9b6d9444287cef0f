"""The kinds of values that options have: each makes of a text its value, or says what is wrong."""

import posixpath
import re
from collections.abc import Callable, Sequence
from typing import Any

from b1000 import keep, logstyle
from b1000.config import allowed, foreign, grammar, shellwords
from b1000.errors import BadValue, refuse_all
from b1000.expressions import expression
from b1000.jobs import DestinationGroup, FreeSpace
from b1000.named import NamedTuple
from b1000.templates import Word

Value = Any  # what a kind makes of a text; the values of jobs.py give it its type


class ValueKind(NamedTuple):
    """What values an option takes: ``parse`` gives the value or raises BadValue.

    ``quotes``: a value is split into words as a shell would, and may be quoted. ``listed``:
    it is a list of words, of which each may be wrong by itself. ``check_words`` raises BadValue
    for words that are split when they are read, and filled in by each run.
    """

    description: str
    parse: Callable[[str], Value]
    quotes: bool = False
    listed: bool = False
    check_words: Callable[[Sequence[Word]], None] | None = None


def _text(text: str) -> str:
    if "\n" in text:
        raise BadValue("it has more than one line", "write it on one line")
    return text


def choice(*values: str) -> ValueKind:
    def parse(text: str) -> str:
        if text not in values:
            raise BadValue(f"{text!r} is not known", f"one of: {', '.join(values)}")
        return text

    return ValueKind(" or ".join(values), parse)


def integer(description: str, least: int, most: int = 2**31) -> ValueKind:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,10}", text) or not least <= int(text) <= most:
            is_number = re.fullmatch(r"[0-9]+", text)
            too_much = is_number and (len(text) > 10 or int(text) > most)
            plain = most == 2**31 and not too_much
            bounds = f">= {least}" if plain else f"from {least} to {most}"
            raise BadValue(f"must be an integer {bounds}, not {text!r}")
        return int(text)

    return ValueKind(description, parse)


_ANSWERS = {"yes": True, "true": True, "on": True, "1": True} | {
    "no": False, "false": False, "off": False, "0": False,
}  # fmt: skip


def _yes_or_no(text: str) -> bool:
    if text.lower() not in _ANSWERS:
        raise BadValue(f"must be yes or no, not {text!r}")
    return _ANSWERS[text.lower()]


def _directory(text: str) -> str:
    _text(text)
    if not text.startswith("/"):
        raise foreign.other_tools_path(text) or BadValue(
            f"{text!r} is not absolute", "a path from / on"
        )
    # One spelling for one directory, so that two that are the same are seen to be.
    return "/" + posixpath.normpath(text).lstrip("/")


_ADDRESS = expression(
    r"(?:[A-Za-z0-9._-]+@)?"
    r"(?:[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
)


def destination_path(text: str) -> str:
    _text(text)
    if text.startswith("/"):
        return _directory(text)
    return rsync_address(text, "a local directory such as /srv/backup, or ")


def rsync_address(text: str, instead: str = "") -> str:
    rule = f"{instead}rsync://HOST[:PORT]/MODULE[/PATH]"
    # Never repeat the text: somebody may have written a password into it.
    if re.match(r"rsync://[^/]*:[^/]*@", text):
        raise BadValue("rsync takes no password in an address", "use password_file")
    address = re.fullmatch(r"rsync://([^/]*)/(.*[^/].*)", _text(text))
    if not address:
        neither = "neither a path from / on nor" if instead else "not"
        raise foreign.other_tools_path(text) or BadValue(f"it is {neither} an rsync address", rule)
    host = _ADDRESS.fullmatch(address[1])
    if not host:
        raise BadValue("the host in the rsync address is not valid", rule)
    if host["port"] and not 1 <= int(host["port"]) <= 65535:
        raise BadValue("the port in the rsync address is not valid", "a port is 1 to 65535")
    if not re.fullmatch(r"[^/\s-][^/]*(/.*)?", address[2]):
        raise BadValue("the module in the rsync address is not valid", rule)
    return text.rstrip("/")


def password_file(text: str) -> str:
    # Never repeat the text: somebody may have written the password itself.
    if "\n" in text or not text.startswith("/"):
        home = foreign.other_tools_path(text) if text.startswith("~/") else None
        raise home or BadValue(
            "it is not absolute", "the path from / on of a file with the password"
        )
    return text


def tls_ca(text: str) -> str:
    """rsync-ssl hands it on without quotes: the shell must find one word in it."""
    path = _directory(text)
    if re.search(r"[\s*?\[\]\\]", path):
        raise BadValue(
            f"{text!r} has blanks or one of * ? [ ] \\, which rsync-ssl does not hand on",
            "a path without them",
        )
    return path


def ssh_options(text: str) -> tuple[str, ...]:
    """Options for ssh."""
    found = tuple(word.text for word in shellwords.split(text))
    if not found or not found[0].startswith("-"):
        raise BadValue("it does not begin with an option of ssh", "such as -i /root/.ssh/b1000")
    return found


def server(text: str) -> str:
    if text.startswith("/"):
        return _text(text)
    if re.fullmatch(r"[^:]+:[0-9]+", text):
        raise BadValue(f"{text!r} ends in a port", "the host alone; its port goes into port")
    return grammar.host(text.removeprefix("[").removesuffix("]"), "the server")


def patterns(text: str) -> tuple[str, ...]:
    words = shellwords.split(text)
    check_patterns(words)
    return shellwords.texts(words)


def check_patterns(words: Sequence[Word]) -> None:
    """BadValue where rsync cannot take them as patterns."""
    if not words:
        raise BadValue("it is empty", "name at least one pattern")
    if allowed.CLEARS in shellwords.texts(words):
        raise BadValue(f"{allowed.CLEARS!r} is no pattern", allowed.CLEARING)


def rsync_options(text: str) -> tuple[str, ...]:
    """More options for rsync; those that would undo a promise of B1000 are refused."""
    words = shellwords.texts(shellwords.split(text))
    if not words:
        raise BadValue("it is empty", "name at least one option")
    return allowed.check(words)


def rate(text: str) -> str:
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)([kKmMgG]?)", text)
    if not found:
        raise BadValue(f"{text!r} is not a rate", "KiB a second such as 5000, or 10m")
    rate = float(found[1]) * _UNITS[found[2].lower() or "k"]
    if 0 < rate < _LEAST_RATE:
        raise BadValue(f"{text!r} is less than rsync takes", "0.5 KiB a second, or 0 for no limit")
    return text


_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_LEAST_RATE = 512  # bytes a second; rsync refuses less


def free_space(text: str) -> FreeSpace:
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]+)?)\s*([kKmMgGtT]?|%)", text)
    if not found or (found[2] == "%" and float(found[1]) >= 100):
        raise BadValue(f"{text!r} is not an amount of space", "bytes, 20g, or 5%")
    if found[2] == "%":
        return FreeSpace(float(found[1]), percent=True)
    return FreeSpace(float(found[1]) * _UNITS[found[2].lower()])


def share(text: str) -> float:
    """A percentage, as a share of 1."""
    found = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)\s*%", text)
    if not found or float(found[1]) > 100:
        raise BadValue(f"{text!r} is no percentage", "0% to 100%, such as 25%")
    return float(found[1]) / 100


_SPANS = {"h": 3600, "d": 86400, "w": 7 * 86400, "m": 30 * 86400, "y": 365 * 86400}


def span(text: str) -> int:
    """A span of time, in seconds: a month has 30 days, a year 365."""
    found = re.fullmatch(r"([1-9][0-9]{0,4})([hdwmy])", text)
    if not found:
        raise BadValue(f"{text!r} is no span", "a number with h, d, w, m or y, such as 14d")
    return int(found[1]) * _SPANS[found[2]]


def log_format(text: str) -> str:
    try:
        if "%(" not in text:
            raise ValueError("it names no attribute")
        logstyle.Lines(text).format(logstyle.Line(logstyle.INFO, "", 0.0))
    except (ValueError, KeyError, TypeError) as error:
        raise BadValue(
            f"it cannot format a line: {error}", "attributes such as %(asctime)s and %(message)s"
        ) from None
    return _text(text)


def _command(text: str) -> str:
    if not text.strip():
        raise BadValue("it is empty", "a command for /bin/sh")
    if re.match(r"!\S", text):  # "! false" is the shell's
        raise BadValue("it begins with '!', and is a command anyway", "the command alone")
    return text


def include(text: str) -> str:
    """Checked here and kept as text: globs are expanded when the copy begins."""
    check_paths(shellwords.split(text))
    return text


def check_paths(words: Sequence[Word]) -> None:
    """BadValue where they cannot be what is to be copied."""
    if not words:
        raise BadValue("it is empty", "name at least one path")
    refuse_all(filter(None, (_mistake(word.text) for word in words)))


def _mistake(path: str) -> BadValue | None:
    """What is wrong with a path of an include."""
    if path.startswith("/"):
        return None
    if not path.startswith("rsync://"):
        return foreign.other_tools_path(path) or BadValue(
            f"{path!r} is not absolute", "a path from / on"
        )
    try:
        rsync_address(path)
    except BadValue as error:
        return error
    return None


def exclude(text: str) -> str:
    patterns(text)
    return text


def _destinations(text: str) -> tuple[DestinationGroup, ...]:
    if place := foreign.place_in_list(text):
        raise place
    return grammar.destinations(text)


TEXT = ValueKind("text", _text)
NAMES = ValueKind("names", grammar.names, listed=True)
INSTANCES = ValueKind("names", grammar.instances, listed=True)
DESTINATIONS = ValueKind("names, with / and &", _destinations, listed=True)
SECONDS = integer("seconds", 0)
YES_NO = ValueKind("yes or no", _yes_or_no)
PATH = ValueKind("absolute path", _directory)
COMMAND = ValueKind("command", _command)
SPAN = ValueKind("span such as 14d", span)
KEEP = ValueKind("rules such as all 7d, daily 5w", keep.parse)
HOST = ValueKind("host name", grammar.host)
