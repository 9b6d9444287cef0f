"""The lines of an ini file as sections and options, each with its line. Pure.

Nothing is merged, looked up or judged here; what is written twice stands twice. `=` divides an
option from its value, a line that is indented more than the option above continues it, and a
comment has a line of its own. A line of the form `key: value` is read too, and marked.
"""

import re
from collections.abc import Collection, Iterator

from b1000.expressions import expression
from b1000.named import NamedTuple


class Line(NamedTuple):
    """A line by its number, without the blanks around it."""

    number: int
    text: str


class RawOption:
    """An option; the first of ``lines`` is what stands behind its ``=``.

    ``comments`` are the lines of comment that are indented as its continuation would be.
    """

    def __init__(self, option: str, lines: list[Line], colon: bool = False) -> None:
        self.option = option
        self.lines = lines
        self.colon = colon
        self.comments: list[Line] = []

    def first_lines(self, count: int) -> "RawOption":
        """The same with so many of its lines alone."""
        first = RawOption(self.option, self.lines[:count], self.colon)
        first.comments = self.comments
        return first

    @property
    def line(self) -> int:
        """Where the option stands."""
        return self.lines[0].number

    @property
    def text(self) -> str:
        """The value; it may begin on the line below its option."""
        return "\n".join(line.text for line in self.lines).rstrip().lstrip("\n")


class RawSection:
    """A section as it stands; ``above`` is the option of which its heading follows at once."""

    def __init__(self, heading: str, line: int, above: str = "") -> None:
        self.heading = heading
        self.line = line
        self.above = above
        self.entries: list[RawOption] = []


class ParsedFile:
    """A file as it stands; ``stray`` lines are neither headings nor options.

    ``early`` is the first line that stands before any section.
    """

    def __init__(self) -> None:
        self.sections: list[RawSection] = []
        self.stray: list[Line] = []
        self.early: Line | None = None


# A heading begins a section however far it is indented: below a line that is less indented it
# would else be that option's continuation, and a job would silently become part of a script.
_KNOWN_HEADING = expression(r"\[(?:global|(?:job|dest|report):[^\]]*)\]")
# All of the line, so that what follows the bracket is told as part of a bad name.
_HEADING = expression(r"\[(.*?)\]?", re.DOTALL)
_COLON = expression(r"([A-Za-z_][\w-]*)\s*:(\s|$)?\s*(.*)", re.ASCII | re.DOTALL)


def read(text: str, known: Collection[str]) -> ParsedFile:
    """The file; ``known`` are the names by which a ``key:value`` without a blank is known."""
    reader = _Reader(known)
    # Not splitlines: it would also split at characters that are no ends of line.
    for number, line in enumerate(text.split("\n"), start=1):
        reader.take(number, line)
    return reader.written


class _Reader:
    """Takes a line after the other; ``_entry`` is what an indented line continues."""

    def __init__(self, known: Collection[str]) -> None:
        self.written = ParsedFile()
        self._known = known
        self._entry: RawOption | None = None
        self._indent = 0

    def take(self, number: int, raw: str) -> None:
        line = Line(number, raw.strip())
        indent = len(raw) - len(raw.lstrip())
        continued = self._entry if indent > self._indent else None
        if line.text.startswith(("#", ";")):
            if continued:
                continued.comments.append(line)
        elif not line.text:
            if self._entry:
                self._entry.lines.append(line)
        elif _KNOWN_HEADING.match(line.text):
            self._begin(line, 0)
        elif continued:
            continued.lines.append(line)
        elif "]" in line.text and (_HEADING.fullmatch(line.text)):
            self._begin(line, indent)
        else:
            self._option(line, indent)

    def _begin(self, line: Line, indent: int) -> None:
        found = _HEADING.fullmatch(line.text)
        assert found
        above = self._entry if self._entry and self._entry.lines[-1].text else None
        self._entry, self._indent = None, indent
        self.written.sections.append(
            RawSection(found[1], line.number, above=above.option if above else "")
        )

    def _option(self, line: Line, indent: int) -> None:
        # What continues a line that is nothing is nothing either.
        self._entry, self._indent = _entry(line, self._known), indent
        if not self.written.sections:
            self.written.early = self.written.early or line
        elif self._entry:
            self.written.sections[-1].entries.append(self._entry)
        else:
            self.written.stray.append(line)
            self._entry = RawOption("", [line])


def _entry(line: Line, known: Collection[str]) -> RawOption | None:
    colon = _COLON.match(line.text)
    if colon and (colon[2] is not None or colon[1] in known):
        return RawOption(colon[1], [Line(line.number, colon[3])], colon=True)
    option, equals, value = line.text.partition("=")
    if not equals or not option.strip():
        return None
    return RawOption(option.strip(), [Line(line.number, value.strip())])


class Indented(NamedTuple):
    """A line of a value that was probably meant as an option of its own."""

    line: Line
    option: str
    value: str


_ASSIGNMENT = expression(r"([A-Za-z_]\w*)(\s*)=(\s*)(.*)", re.ASCII | re.DOTALL)


def indented(entry: RawOption, known: Collection[str], shell: bool) -> Iterator[Indented]:
    """The options among the lines that continue one; in a ``shell`` ``key=value`` is none."""
    for line in entry.lines[1:]:
        found = _ASSIGNMENT.fullmatch(line.text)
        if found and found[1] in known and (not shell or (found[2] and found[3])):
            yield Indented(line, found[1], found[4])
