"""Values that are split into words as a shell splits them, and comments that are none. Pure."""

import glob
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from b1000.config import references
from b1000.errors import BadValue
from b1000.expressions import expression
from b1000.templates import Reference, Template, Word, WordTemplate

_COMMENT = expression(r"(?:(?<=\s)|^)[#;]", re.MULTILINE)
_WORD = expression(r"\S+")
_COMMA = expression(r",(?=$|[*/.])")


def masked(text: str) -> str:
    """The text with an x in place of each character that is quoted as in :func:`split`."""
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

    With ``quotes`` those are none that are quoted as in :func:`split`.
    """
    first: dict[int, int] = {}
    for found in _COMMENT.finditer(masked(text) if quotes else text):
        first.setdefault(text.count("\n", 0, found.start()), found.start())
    return tuple(first.values())


def refused_comment(mark: str, quotes: bool = False) -> BadValue:
    """The mistake that a comment stands behind a value, and not on a line of its own."""
    hint = "comments have lines of their own"
    hint += "; in quotes it is part of the value" if quotes else ""
    return BadValue(f"{mark!r} begins no comment here", hint)


def with_commas(text: str) -> tuple[str, ...]:
    """The words of a list, split as :func:`split` does, that hold a comma as if it divided."""
    return tuple(
        text[found.start() : found.end()]
        for found in _WORD.finditer(masked(text))
        if _COMMA.search(found[0])
    )


def split_template(template: Template, what: str = "the list") -> tuple[WordTemplate, ...]:
    """Split as a POSIX shell does: quotes and backslashes keep blanks, newlines are blanks.

    A backslash at the end of a line joins the next one to it. A reference is a part of its word,
    and stays one whatever a run puts in its place.
    """
    source: list[str | Reference] = []
    for part in template:
        source += part if isinstance(part, str) else (part,)
    found: list[WordTemplate] = []
    word = _Word()
    position = 0
    while position < len(source):
        character = source[position]
        position += 1
        if character == "\\" and source[position : position + 1] == ["\n"]:
            position += 1
        elif character in (" ", "\t", "\n"):
            found += word.ended()
            word = _Word()
        elif character == "\\":
            if position == len(source):
                raise BadValue(f"{what} ends in a backslash", "write \\\\ for a backslash")
            word.add_quoted(source[position : position + 1])
            position += 1
        elif character in ("'", '"'):
            quoted, position = _quoted(source, position, what)
            word.add_quoted(quoted)
        else:
            word.add(character)
    return (*found, *word.ended())


class _Word:
    """A word that is being read."""

    def __init__(self) -> None:
        self._text: list[str | Reference] = []
        self._pattern: list[str | Reference] = []
        self._quoted = False

    def add(self, part: str | Reference) -> None:
        self._text.append(part)
        self._pattern.append(part)

    def add_quoted(self, parts: Sequence[str | Reference]) -> None:
        """What stands for itself, also in a glob."""
        self._quoted = True
        self._text += parts
        self._pattern += (glob.escape(part) if isinstance(part, str) else part for part in parts)

    def ended(self) -> Iterator[WordTemplate]:
        """The word, where there is one."""
        if self._text or self._quoted:
            text, pattern = references.join(self._text), references.join(self._pattern)
            yield WordTemplate(text, pattern, self._quoted)


def fill(words: Iterable[WordTemplate], values: Mapping[str, str]) -> tuple[Word, ...]:
    """The words of one run. In a glob a value stands for itself."""
    found = ((_filled(each, values), each) for each in words)
    return tuple(word for word, template in found if word.text or template.quoted)


def _filled(word: WordTemplate, values: Mapping[str, str]) -> Word:
    literal = {name: glob.escape(values[name]) for name in references.names(word.pattern)}
    return Word(references.fill(word.text, values), references.fill(word.pattern, literal))


def known(words: Iterable[WordTemplate]) -> tuple[Word, ...]:
    """Those words that are the same in every run."""
    return fill((word for word in words if not references.names(word.text)), {})


def split(text: str, what: str = "the list") -> tuple[Word, ...]:
    """The words of a text in which nothing has to be filled in."""
    return fill(split_template((text,), what), {})


def texts(words: Iterable[Word]) -> tuple[str, ...]:
    """The same words, where quotes do no more than to keep blanks."""
    return tuple(word.text for word in words)


def _quoted(
    source: Sequence[str | Reference], start: int, what: str
) -> tuple[list[str | Reference], int]:
    """What stands in quotes from ``start`` (behind the opening quote) on, and where they end."""
    quote = source[start - 1]
    taken: list[str | Reference] = []
    position = start
    while position < len(source):
        character = source[position]
        position += 1
        if character == quote:
            return taken, position
        following = source[position] if position < len(source) else ""
        if character == "\\" and quote == '"' and following in ("\n", '"', "\\", "$", "`"):
            taken += [] if following == "\n" else [following]
            position += 1
        else:
            taken.append(character)
    raise BadValue(f"{what} has a {quote} at position {start} that is not closed", "close it")
