"""Values that are split into words as a shell splits them, and comments that are none. Pure."""

import glob
import re

from b1000.errors import BadValue
from b1000.jobs import Word

_COMMENT = re.compile(r"(?:(?<=\s)|^)[#;]", re.MULTILINE)
_WORD = re.compile(r"\S+")
_COMMA = re.compile(r",(?=$|[*/.])")


def bare(text: str) -> str:
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
    for found in _COMMENT.finditer(bare(text) if quotes else text):
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
        for found in _WORD.finditer(bare(text))
        if _COMMA.search(found[0])
    )


def split(text: str, what: str = "the list") -> tuple[Word, ...]:
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


def texts(text: str) -> tuple[str, ...]:
    """The same words, where quotes do no more than to keep blanks."""
    return tuple(word.text for word in split(text))


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
