"""The small languages inside option values and script output. Pure.

Whatever does not fit raises :class:`~b1000.errors.BadValue` and is refused as a
whole: nothing is skipped, cleaned or partly used. The character sets hold
nothing that means anything to a shell or in a path, so that a value that passed
can be inserted into both as plain text.
"""

import glob
import ipaddress
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from b1000.errors import BadValue, UsageError, in_order, near, refuse_all
from b1000.jobs import DestinationChoice, DestinationGroup
from b1000.runs.run import label

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
    refuse_all(_too_long([text], what))
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


def host_of(address: str) -> str:
    """The host in an rsync:// address, without user, port and brackets."""
    found = re.match(r"rsync://(?:[^/]*@)?(?:\[([^]]*)\]|([^/:]*))", address)
    return (found[1] or found[2]) if found else ""


def names_no_host(host: str) -> bool:
    """Whether it is an address, or a name that each host has for itself."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.lower() in ("localhost", "localhost.localdomain")
    return True


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
        return BadValue(
            f"{self.what} has {shown(self.text[self.at])} at position {self.at + 1}",
            f"names are separated by spaces or commas, and a name is {NAME_RULE}",
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


def destinations(text: str, what: str = "the list") -> tuple[DestinationGroup, ...]:
    """A ``dest`` list.

    ``SEQ := GROUP (SEP GROUP)*`` and ``GROUP := NAME['&'] ('/' NAME['&'])*``.
    """
    scanner = _Scanner(text, what)

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


class Word(NamedTuple):
    """One word of a line that is split as a shell splits it.

    ``text`` is the word without its quotes; ``pattern`` the same as a glob in
    which what was quoted stands for itself.
    """

    text: str
    pattern: str


_COMMENT = re.compile(r"(?:(?<=\s)|^)[#;]", re.MULTILINE)
_WORD = re.compile(r"\S+")
_COMMA = re.compile(r",(?=$|[*/.])")


def bare(text: str) -> str:
    """The text with an x in place of each character that is quoted as in :func:`words`."""
    kept = ""
    quote = ""
    position = 0
    while position < len(text):
        character = text[position]
        escaped = character == "\\" and quote != "'"
        if escaped:
            kept += "xx"[: len(text) - position]
            position += 2
            continue
        if quote:
            quote = "" if character == quote else quote
            kept += "x"
        else:
            quote = character if character in "'\"" else ""
            kept += "x" if quote else character
        position += 1
    return kept


def comments(text: str, quotes: bool = False) -> tuple[int, ...]:
    """Where a ``#`` or ``;`` begins what looks like a comment, once for each line at most.

    With ``quotes`` those are none that are quoted as in :func:`words`.
    """
    first: dict[int, int] = {}
    for found in _COMMENT.finditer(bare(text) if quotes else text):
        first.setdefault(text.count("\n", 0, found.start()), found.start())
    return tuple(first.values())


def refused_comment(mark: str, quotes: bool = False) -> BadValue:
    """The mistake that a comment stands behind a value, and not on a line of its own."""
    hint = "comments have lines of their own"
    hint += "; in quotes it is part of the value" if quotes else ""
    return BadValue(f"{mark!r} begins no comment here", hint)


def with_commas(text: str) -> tuple[str, ...]:
    """The words of a list, split as :func:`words` does, that hold a comma as if it divided."""
    return tuple(
        text[found.start() : found.end()]
        for found in _WORD.finditer(bare(text))
        if _COMMA.search(found[0])
    )


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
    refuse_all(
        BadValue(
            f"{other} and {path} would become one at the destination",
            "relative = yes keeps their full paths",
        )
        for path in paths
        if not path.endswith("/")
        and (other := first.setdefault(path.rpartition("/")[2], path)) != path
    )


def relative_name(path: str) -> tuple[str, str]:
    """Below what a path begins that ``relative`` keeps, and that path without slashes around it.

    All of it is kept of what is on this host, all below the module of an address; or what
    stands behind the first ``/./``.
    """
    root, anchored, name = path.partition("/./")
    if not anchored:
        module = _MODULE.match(path)
        root = module[0] if module else ""
        name = path.removeprefix(root)
    if not _MODULE.match(root):
        root = posixpath.normpath(f"/{root.lstrip('/')}")
    return root, "/".join(part for part in name.split("/") if part not in ("", "."))


_MODULE = re.compile(r"rsync://[^/]*/[^/]*")


def refuse_meeting(paths: Sequence[str]) -> None:
    """Refuse sources that have one name although ``relative`` keeps what stands behind ``/./``."""
    first: dict[str, tuple[str, str]] = {}
    mistakes = []
    for path in paths:
        root, name = relative_name(path)
        other, there = first.setdefault(name, (path, root))
        if name and there != root:
            hint = f"each in a job of its own, or with more of its path behind /./ than {name}"
            text = f"{other} and {path} would become one at the destination: both are {name} there"
            mistakes.append(BadValue(text, hint))
    refuse_all(mistakes)


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


def unknown_job(job: str, known: Iterable[str]) -> UsageError:
    """Neither a job nor a command has this name, of which one may have been meant."""
    known = tuple(known)
    return UsageError(
        f"there is no job {job!r}, and no command{near(job, (*known, *COMMANDS))}",
        f"known jobs: {in_order(known)}; commands: {in_order(COMMANDS)}; see b1000 --help",
    )


def selecting(job: str, instance: str) -> str:
    """The word that selects a job/instance, wherever it stands: ``[job:]JOB[/INSTANCE]``."""
    return f"job:{label(job, instance)}" if job in COMMANDS else label(job, instance)


def selector(word: str) -> Selector:
    """One word of the command line: ``[job:]JOB[/INSTANCE]``."""
    job, slash, instance = word.removeprefix("job:").partition("/")
    job = name(job, f"the job in {word!r}")
    return Selector(job, name(instance, f"the instance in {word!r}") if slash else None)
