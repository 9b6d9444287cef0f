"""The small languages inside option values and script output. Pure.

Whatever does not fit raises :class:`~b1000.errors.BadValue` and is refused as a
whole: nothing is skipped, cleaned or partly used. The character sets hold
nothing that means anything to a shell or in a path, so that a value that passed
can be inserted into both as plain text.
"""

import glob
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from b1000.errors import BadValue, UsageError, in_order
from b1000.model import DestinationChoice, DestinationGroup, label

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_SEPARATORS = " \n,"

# Host, job, instance and start time together name files, which have at most 255 bytes.
LONGEST_NAME = 80
LONGEST_HOST = 64

NAME_RULE = "a letter or digit, then letters, digits, '.', '_' and '-'"
HOST_RULE = "a letter or digit, then letters, digits, '.', '_', '-' and ':', without '..'"


def shown(character: str) -> str:
    """A character as an error text names it."""
    if character.isprintable():
        return f"{character!r}"
    if "\udc80" <= character <= "\udcff":  # how Python keeps a byte that is not UTF-8
        return f"the byte 0x{ord(character) - 0xDC00:02x}"
    return f"U+{ord(character):04X}"


def _fits(text: str, pattern: re.Pattern[str], what: str, rule: str) -> str:
    found = pattern.match(text)
    length = found.end() if found else 0
    if not text:
        raise BadValue(f"{what} is empty", rule)
    if length < len(text):
        raise BadValue(f"{what} has {shown(text[length])} at position {length + 1}", rule)
    return text


def name(text: str, what: str = "the name") -> str:
    """The text, if it can name a job, destination, report or instance."""
    _fits(text, NAME, what, f"a name is {NAME_RULE}")
    _refuse_long([text], what)
    return text


def host(text: str, what: str = "the host") -> str:
    """The text, if it can name a host, a master host or a master's instance."""
    _fits(text, HOST, what, f"a host is {HOST_RULE}")
    if ".." in text:
        raise BadValue(
            f"{what} has '..' at position {text.index('..') + 1}", f"a host is {HOST_RULE}"
        )
    return text


def own_host(text: str, what: str = "the host") -> str:
    """The text, if it can name this host: no longer than Linux lets a node's name be."""
    if len(host(text, what)) > LONGEST_HOST:
        raise BadValue(f"{what} has {len(text)} characters", f"at most {LONGEST_HOST}")
    return text


def age(text: str, what: str = "the age") -> float:
    """An age in seconds."""
    rule = "a number of seconds such as 0 or 12.5"
    return float(_fits(text, _NUMBER, what, rule))


def from_outside(raw: bytes, what: str) -> str:
    """Bytes that a program printed, as text without the newlines at its end."""
    try:
        return raw.decode("utf-8").rstrip("\n")
    except UnicodeDecodeError as error:
        byte = raw[error.start]
        raise BadValue(
            f"{what} has the byte 0x{byte:02x} at position {error.start + 1}", "it must be UTF-8"
        ) from None


class _Scanner:
    """Reads a text from left to right."""

    def __init__(self, text: str, what: str) -> None:
        self.text = text
        self.what = what
        self.at = 0

    def skip_separators(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in _SEPARATORS:
            self.at += 1

    def name(self) -> str:
        found = NAME.match(self.text, self.at)
        if not found:
            raise self.unexpected()
        self.at = found.end()
        return found[0]

    def take(self, character: str) -> bool:
        taken = self.text.startswith(character, self.at)
        self.at += taken
        return taken

    @property
    def ended(self) -> bool:
        return self.at >= len(self.text)

    @property
    def at_separator(self) -> bool:
        return not self.ended and self.text[self.at] in _SEPARATORS

    def unexpected(self) -> BadValue:
        if self.ended:
            return BadValue(f"{self.what} ends where a name is expected", f"a name is {NAME_RULE}")
        return BadValue(
            f"{self.what} has {shown(self.text[self.at])} at position {self.at + 1}",
            f"names are separated by spaces or commas, and a name is {NAME_RULE}",
        )


def _refuse_long(names: Sequence[str], what: str) -> None:
    for each in names:
        if len(each) > LONGEST_NAME:
            raise BadValue(
                f"{what} has a name of {len(each)} characters ({each[:20]}...)",
                f"at most {LONGEST_NAME}",
            )


def _refuse_twice(names: Sequence[str], what: str) -> None:
    seen: set[str] = set()
    for each in names:
        if each in seen:
            raise BadValue(f"{what} has {each!r} twice", "name it once")
        seen.add(each)


def names(text: str, what: str = "the list") -> tuple[str, ...]:
    """A list of names, separated by spaces, newlines and commas; at least one, none twice."""
    found = names_or_none(text, what)
    if not found:
        raise BadValue(f"{what} is empty", "name at least one")
    return found


def names_or_none(text: str, what: str = "the list") -> tuple[str, ...]:
    """A list of names that may be empty."""
    scanner = _Scanner(text, what)
    found: list[str] = []
    scanner.skip_separators()
    while not scanner.ended:
        found.append(scanner.name())
        if not scanner.ended and not scanner.at_separator:
            raise scanner.unexpected()
        scanner.skip_separators()
    _refuse_long(found, what)
    _refuse_twice(found, what)
    return tuple(found)


def destinations(text: str, what: str = "the list") -> tuple[DestinationGroup, ...]:
    """A ``dest`` list.

    ``SEQ := GROUP (SEP GROUP)*`` and ``GROUP := NAME['&'] ('/' NAME['&'])*``.
    """
    scanner = _Scanner(text, what)
    groups: list[DestinationGroup] = []
    scanner.skip_separators()
    while not scanner.ended:
        group = [DestinationChoice(scanner.name(), scanner.take("&"))]
        while scanner.take("/"):
            group.append(DestinationChoice(scanner.name(), scanner.take("&")))
        if not scanner.ended and not scanner.at_separator:
            raise scanner.unexpected()
        groups.append(tuple(group))
        scanner.skip_separators()
    if not groups:
        raise BadValue(f"{what} is empty", "name at least one destination")
    _refuse_twice([choice.name for group in groups for choice in group], what)
    return tuple(groups)


class Word(NamedTuple):
    """One word of a line that is split as a shell splits it.

    ``text`` is the word without its quotes; ``pattern`` the same as a glob in
    which what was quoted stands for itself.
    """

    text: str
    pattern: str


def words(text: str, what: str = "the list") -> tuple[Word, ...]:
    """Split as a POSIX shell does: quotes and backslashes keep blanks, newlines are blanks.

    A backslash at the end of a line joins the next one to it.
    """
    found: list[Word] = []
    plain, pattern, within = "", "", False
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character == "\\" and text[position : position + 1] == "\n":
            position += 1
            continue
        if character in " \t\n":
            if within:
                found.append(Word(plain, pattern))
            plain, pattern, within = "", "", False
            continue
        within = True
        if character == "\\":
            if position == len(text):
                raise BadValue(f"{what} ends in a backslash", "write \\\\ for a backslash")
            quoted = text[position]
            position += 1
        elif character in "'\"":
            quoted, position = _quoted(text, position, what)
        else:
            plain += character
            pattern += character
            continue
        plain += quoted
        pattern += glob.escape(quoted)
    if within:
        found.append(Word(plain, pattern))
    return tuple(found)


def _quoted(text: str, start: int, what: str) -> tuple[str, int]:
    """What stands in quotes from ``start`` (behind the opening quote) on, and where they end."""
    quote = text[start - 1]
    taken = ""
    position = start
    while position < len(text):
        character = text[position]
        position += 1
        if character == quote:
            return taken, position
        following = text[position : position + 1]
        if character == "\\" and quote == '"' and following in ("\n", '"', "\\", "$", "`"):
            character = "" if following == "\n" else following
            position += 1
        taken += character
    raise BadValue(f"{what} has a {quote} at position {start} that is not closed", "close it")


def one_spelling(address: str) -> str:
    """An rsync address without what makes no difference: the user, rsync's own port, slashes."""
    host, _, path = address.removeprefix("rsync://").partition("/")
    host = host.rpartition("@")[2].lower().removesuffix(":873")
    return "/".join(("rsync:/", host, *filter(None, path.split("/"))))


def refuse_merging(paths: Sequence[str]) -> None:
    """Refuse sources that rsync would merge: without a trailing slash, with one base name.

    A path that is given twice in the same words is copied once and no error.
    """
    first: dict[str, str] = {}
    for path in paths:
        if path.endswith("/"):
            continue
        other = first.setdefault(path.rpartition("/")[2], path)
        if other != path:
            raise BadValue(
                f"{other} and {path} would become one at the destination",
                "relative = yes keeps their full paths",
            )


class Selector(NamedTuple):
    """``job`` or ``job/instance`` of the command line; ``instance`` is None for all."""

    job: str
    instance: str | None = None


class JobSelection(NamedTuple):
    """What the words of a command line ask for of one job: all of it, or what is ``named``.

    Both may be: then too each of the named instances has to exist.
    """

    whole: bool = True
    named: frozenset[str] = frozenset()

    def includes(self, instance: str) -> bool:
        """Whether the instance is to be run."""
        return self.whole or instance in self.named


def check_instances(job: str, asked: Iterable[str], known: Iterable[str]) -> None:
    """UsageError where an instance was asked for that the job does not list now."""
    known = tuple(known)
    for instance in sorted(asked):
        if instance not in known:
            raise UsageError(
                f"job {job!r} has no instance {instance!r} now",
                f"its instances: {in_order(known)}",
            )


COMMANDS = frozenset({"status", "check", "forget", "monitor"})
"""The words that are no job's as the first of a command line."""


def selecting(job: str, instance: str) -> str:
    """The word that selects a job/instance, wherever it stands: ``[job:]JOB[/INSTANCE]``."""
    return f"job:{label(job, instance)}" if job in COMMANDS else label(job, instance)


def selector(word: str) -> Selector:
    """One word of the command line: ``[job:]JOB[/INSTANCE]``."""
    job, slash, instance = word.removeprefix("job:").partition("/")
    job = name(job, f"the job in {word!r}")
    return Selector(job, name(instance, f"the instance in {word!r}") if slash else None)
