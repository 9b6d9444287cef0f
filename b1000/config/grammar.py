"""The small languages inside option values and script output. Pure.

Whatever does not fit raises :class:`~b1000.errors.BadValue` and is refused as a
whole: nothing is skipped, cleaned or partly used. The character sets hold
nothing that means anything to a shell or in a path, so that a value that passed
can be inserted into both as plain text.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from b1000.errors import BadValue, refuse_all
from b1000.expressions import expression
from b1000.jobs import DestinationChoice, DestinationGroup

NAME = expression(r"[A-Za-z0-9][A-Za-z0-9._-]*")
HOST = expression(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
_NUMBER = expression(r"[0-9]{1,12}(\.[0-9]{1,9})?")
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
    refuse_all(_too_long([text], what))
    return text


def host(text: str, what: str = "the host") -> str:
    """The text, if it can name a host, a master host or a master's instance."""
    _fits(text, HOST, what, f"a host is {HOST_RULE}")
    if ".." in text:
        raise BadValue(
            f"{what} has '..' at position {text.index('..') + 1}", f"a host is {HOST_RULE}"
        )
    refuse_all(_like_a_file_beside([text], what))
    return text


BESIDE = (".b1k", ".keep", ".gz")


def _like_a_file_beside(names: Iterable[str], what: str) -> Iterator[BadValue]:
    """Directories of backups end in these names, and so do files beside them."""
    for each in names:
        if each.endswith(BESIDE):
            yield BadValue(
                f"{what} has {each[-40:]!r}, which ends as files beside a backup do",
                f"no instance, host or master ends in {', '.join(BESIDE)}",
            )


def own_host(text: str, what: str = "the host") -> str:
    """The text, if it can name this host: no longer than Linux lets a node's name be."""
    if len(host(text, what)) > LONGEST_HOST:
        raise BadValue(f"{what} has {len(text)} characters", f"at most {LONGEST_HOST}")
    return text


def is_same_host(one: str, other: str) -> bool:
    """Compared as written; a short against a full name only where one of both has no dot."""
    if "." in one and "." not in other:
        one, other = other, one
    return one == other or ("." not in one and other.startswith(f"{one}."))


def hosts(text: str, what: str = "the list") -> tuple[str, ...]:
    """A list of names that hosts may bear; at least one, none twice."""
    found = [word for word in re.split(f"[{_SEPARATORS}]+", text) if word]
    if not found:
        raise BadValue(f"{what} is empty", "name at least one host")
    refuse_all([*_no_hosts(found), *_twice(found, what)])
    return tuple(found)


def _no_hosts(words: Iterable[str]) -> Iterator[BadValue]:
    for each in words:
        try:
            own_host(each, f"the host {each[:20]}")
        except BadValue as error:
            yield error


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


Value = TypeVar("Value")


_JOINED = "; / joins two without blanks, & stands right behind one"


class _Scanner:
    """Reads a text from left to right; ``signs`` are what may stand at names."""

    def __init__(self, text: str, what: str, signs: str = "") -> None:
        self.text = text
        self.what = what
        self.signs = signs
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

    def elements(self, element: Callable[[], Value]) -> tuple[list[Value], list[BadValue]]:
        """What stands between separators, and the mistake of each that is none."""
        found: list[Value] = []
        mistakes: list[BadValue] = []
        self.skip_separators()
        while not self.ended:
            try:
                found.append(element())
                if not self.ended and not self.at_separator:
                    raise self.unexpected()
            except BadValue as error:
                mistakes.append(error)
                while not self.ended and not self.at_separator:
                    self.at += 1
            self.skip_separators()
        return found, mistakes

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
        joined = _JOINED if any(sign in self.text for sign in self.signs) else ""
        return BadValue(
            f"{self.what} has {shown(self.text[self.at])} at position {self.at + 1}",
            f"names are separated by spaces or commas{joined}, and a name is {NAME_RULE}",
        )


def _too_long(names: Iterable[str], what: str) -> Iterator[BadValue]:
    for each in names:
        if len(each) > LONGEST_NAME:
            yield BadValue(
                f"{what} has a name of {len(each)} characters ({each[:20]}...)",
                f"at most {LONGEST_NAME}",
            )


def _twice(names: Sequence[str], what: str) -> Iterator[BadValue]:
    for each, count in Counter(names).items():
        if count > 1:
            yield BadValue(f"{what} has {each!r} twice", "name it once")


def names(text: str, what: str = "the list") -> tuple[str, ...]:
    """A list of names, separated by spaces, newlines and commas; at least one, none twice."""
    found = names_or_none(text, what)
    if not found:
        raise BadValue(f"{what} is empty", "name at least one")
    return found


def names_or_none(text: str, what: str = "the list") -> tuple[str, ...]:
    """A list of names that may be empty."""
    scanner = _Scanner(text, what)
    found, mistakes = scanner.elements(scanner.name)
    refuse_all([*mistakes, *_too_long(found, what), *_twice(found, what)])
    return tuple(found)


def instances(text: str, what: str = "the list") -> tuple[str, ...]:
    """A list of instances; at least one, none twice."""
    found = names(text, what)
    refuse_all(_like_a_file_beside(found, what))
    return found


def instances_or_none(text: str, what: str = "the list") -> tuple[str, ...]:
    """A list of instances that may be empty."""
    found = names_or_none(text, what)
    refuse_all(_like_a_file_beside(found, what))
    return found


def destinations(text: str, what: str = "the list") -> tuple[DestinationGroup, ...]:
    """A ``dest`` list.

    ``SEQ := GROUP (SEP GROUP)*`` and ``GROUP := NAME['&'] ('/' NAME['&'])*``.
    """
    scanner = _Scanner(text, what, "/&")

    def group() -> DestinationGroup:
        members = [DestinationChoice(scanner.name(), scanner.take("&"))]
        while scanner.take("/"):
            members.append(DestinationChoice(scanner.name(), scanner.take("&")))
        return tuple(members)

    groups, mistakes = scanner.elements(group)
    if not groups and not mistakes:
        raise BadValue(f"{what} is empty", "name at least one destination")
    refuse_all([*mistakes, *_twice([choice.name for each in groups for choice in each], what)])
    return tuple(groups)
