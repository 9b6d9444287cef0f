"""Sections and keys of a `.b1k` file as text, and back. Pure.

What is read is trusted in nothing, and refused as a whole where it does not fit.
"""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from b1000.config import grammar, ini
from b1000.errors import BadValue
from b1000.expressions import expression

LARGEST = 65536
"""Bytes of a file beyond which nobody reads it."""

RUN, DESTINATION, BACKUP = "jobstatus", "dest", "backup"
_PLACES = f"[{RUN}:JOB], [{DESTINATION}:NAME] or [{BACKUP}]"

_CONTROL = expression(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_MOST_LINES = 2000

_Value = TypeVar("_Value")

Sections = dict[tuple[str, str], dict[str, str]]
"""The keys of each section by its kind and name; the name of a [backup] is ""."""


def text(sections: Mapping[tuple[str, str], Mapping[str, str]]) -> str:
    """The text of these sections. Values hold no control characters."""
    return "\n".join(
        f"[{':'.join(filter(None, heading))}]\n"
        + "".join(f"{key} = {value}".rstrip() + "\n" for key, value in values.items())
        for heading, values in sections.items()
    )


def read(data: bytes) -> Sections:
    """The sections of a file; no key and no section stands twice. Raises BadValue."""
    content = _text(data)
    for number, line in enumerate(content.split("\n"), 1):
        # What people may write in a configuration no program writes here.
        if line.strip() and (line[0].isspace() or line[0] in "#;"):
            raise _no_option(number)
    written = ini.read(content, ())
    for stray in filter(None, (written.early, *written.stray)):
        raise _no_option(stray.number)
    sections: Sections = {}
    for section in written.sections:
        heading = _heading(section)
        if heading in sections:
            raise BadValue(f"[{':'.join(filter(None, heading))}] stands twice")
        sections[heading] = _options(section)
    return sections


def _text(data: bytes) -> str:
    if len(data) > LARGEST:
        raise BadValue(f"it has more than {LARGEST} bytes")
    content = grammar.from_outside(data, "it")
    found = _CONTROL.search(content)
    if found:
        line = content.count("\n", 0, found.start()) + 1
        raise BadValue(f"it has {grammar.shown(found[0])} on line {line}")
    if content.count("\n") >= _MOST_LINES:
        raise BadValue(f"it has more than {_MOST_LINES} lines")
    return content


def _heading(section: ini.RawSection) -> tuple[str, str]:
    if section.heading == BACKUP:
        return BACKUP, ""
    kind, colon, name = section.heading.partition(":")
    if not colon or kind not in (RUN, DESTINATION):
        raise BadValue(f"line {section.line} is no {_PLACES}")
    return kind, grammar.name(name, f"the name on line {section.line}")


def _options(section: ini.RawSection) -> dict[str, str]:
    options: dict[str, str] = {}
    for entry in section.entries:
        if entry.colon or not re.fullmatch("[a-z_]+", entry.option):
            raise _no_option(entry.line)
        if entry.option in options:
            raise BadValue(f"{entry.option} stands twice, the second time on line {entry.line}")
        options[entry.option] = entry.text
    return options


def _no_option(line: int) -> BadValue:
    return BadValue(f"line {line} is no KEY = VALUE of a section")


class Keys:
    """The keys of one section, each checked as it is taken."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def take(
        self, key: str, check: Callable[[str, str], _Value], default: str | None = None
    ) -> _Value:
        """The checked value; a key without a ``default`` must be there."""
        value = self._values.get(key, default)
        if value is None:
            raise BadValue(f"it has no {key}")
        return check(value, key)
