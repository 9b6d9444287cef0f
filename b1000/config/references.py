"""``$key`` and ``${key}`` in values. Pure.

A reference is inserted as text, before the option's own syntax is read. ``$$``
is a literal ``$``; ``$`` before anything but a letter, ``_`` or ``{`` is left
alone, for it is the shell's.
"""

import re
from collections.abc import Callable, Mapping

from b1000.errors import BadValue, refuse_all
from b1000.expressions import expression
from b1000.templates import Reference, Template

RUN_TIME = ("instance", "host", "start_time")
"""Options that every run of a job sets by itself."""

_DOLLAR = expression(r"\$(?:(?P<literal>\$)|(?P<name>[A-Za-z_]\w*)|(?P<brace>\{))", re.ASCII)
_BRACED = expression(r"([A-Za-z_]\w*)\}", re.ASCII)

SHELL_HINT = "write $$ for a $ that the shell is to see"


def parse(text: str) -> Template:
    """The text in parts, each reference still to be looked up."""
    parts, mistakes = _parts(text)
    refuse_all(mistakes)
    return join(parts)


def _parts(text: str) -> "tuple[list[str | Reference], list[BadValue]]":
    parts: list[str | Reference] = []
    mistakes: list[BadValue] = []
    position = 0
    while found := _DOLLAR.search(text, position):
        parts.append(text[position : found.start()])
        position = found.end()
        if found["literal"]:
            parts.append("$")
        elif found["name"]:
            parts.append(Reference(found["name"]))
        elif braced := _BRACED.match(text, position):
            parts.append(Reference(braced[1]))
            position = braced.end()
        else:
            shown = text[found.start() : found.start() + 12].split("\n")[0]
            mistakes.append(
                BadValue(f"{shown!r} is not a reference of the form ${{key}}", SHELL_HINT)
            )
    parts.append(text[position:])
    return parts, mistakes


def resolve(text: str, look_up: Callable[[str], Template]) -> Template:
    """The text with each reference replaced by what ``look_up`` says of it.

    BadValue tells of all that are wrong.
    """
    parts, mistakes = _parts(text)
    resolved: list[str | Reference] = []
    for part in parts:
        try:
            resolved.extend(look_up(part.name) if isinstance(part, Reference) else (part,))
        except BadValue as error:
            mistakes.append(error)
    refuse_all(mistakes)
    return join(resolved)


def join(parts: "list[str | Reference]") -> Template:
    """The same parts, with texts that stand side by side in one."""
    joined: list[str | Reference] = []
    texts: list[str] = []
    for part in (*parts, None):
        if isinstance(part, str):
            texts.append(part)
            continue
        if text := "".join(texts):
            joined.append(text)
        texts.clear()
        if part is not None:
            joined.append(part)
    return tuple(joined)


def names(template: Template) -> frozenset[str]:
    """The references that are still open."""
    return frozenset(part.name for part in template if isinstance(part, Reference))


def fill(template: Template, values: Mapping[str, str]) -> str:
    """The text, with all references filled in from ``values``."""
    return "".join(values[part.name] if isinstance(part, Reference) else part for part in template)
