"""A configuration file as sections with their options, and what is wrong with its lines.

What people bring along from other tools is recognised here, and answered with the way that
works: a comment behind a value, ``key: value``, an option that is indented.
"""

import re
from collections.abc import Iterable, Iterator

from b1000.config import ini, shellwords
from b1000.config.kinds import COMMAND
from b1000.config.options import TABLE, VARIANT, Option
from b1000.errors import B1000Error, near
from b1000.named import NamedTuple


class Problem(NamedTuple):
    """One mistake in the file; ``section`` and ``option`` are "" where it concerns none.

    ``line`` is 0 where the file could not be read at all, or says nothing of it. ``cause`` is
    what else belongs to it where it is told alone: as the reason of a run, not among all others.
    ``file`` is the file of ``conf.d`` that holds the line, "" for the configuration itself.
    """

    line: int
    section: str
    option: str
    text: str
    warning: bool = False
    cause: str = ""
    file: str = ""

    @property
    def place(self) -> tuple[str, int]:
        """By this, problems stand in the order of files and lines."""
        return self.file, self.line

    def shown(self, file: str) -> str:
        """The line for the operator: ``FILE:LINE: [section] option: text``."""
        prefix = " ".join(
            part for part in (f"[{self.section}]" if self.section else "", self.option) if part
        )
        kind = "warning: " if self.warning else ""
        file = self.file or file
        where = f"{file}:{self.line}" if self.line else file
        return f"{where}: {prefix + ': ' if prefix else ''}{kind}{self.text}"

    def alone(self, file: str) -> str:
        """The same where no other problem is told beside it."""
        return f"{self.shown(file)}{': ' if self.cause else ''}{self.cause}"


class ConfigUnreadable(B1000Error):
    """The configuration as a whole cannot be used: exit code 2, nothing was run.

    ``log_file``, ``log_style`` and ``host`` are what the file says, where that much could be read.
    """

    def __init__(
        self,
        file: str,
        problems: Iterable[Problem],
        log_file: str | None = None,
        log_style: str = "text",
        host: str = "",
    ) -> None:
        self.problems = tuple(problems)
        self.lines = tuple(problem.shown(file) for problem in self.problems)
        self.log_file = log_file
        self.log_style = log_style
        self.host = host
        super().__init__("\n".join(self.lines))

    def full_message(self) -> str:
        """The lines as they are: each begins with file and line."""
        return "\n".join(self.lines)


class NoText(ConfigUnreadable):
    """A file holds what is no text; ``rest`` is what else it holds."""

    def __init__(self, file: str, problems: Iterable[Problem], rest: str) -> None:
        self.rest = rest
        super().__init__(file, problems)


class WrittenValue(NamedTuple):
    """A value and the line on which its option stands."""

    text: str
    line: int


class Section:
    """A section of the file; ``kind`` is "" where the heading is not known.

    ``heading`` is "" where it must not be shown. ``file`` is as in :class:`Problem`.
    """

    def __init__(self, heading: str, kind: str, name: str, line: int, file: str = "") -> None:
        self.heading = heading
        self.kind = kind
        self.name = name
        self.line = line
        self.file = file
        self.values: dict[str, WrittenValue] = {}
        self.problems: list[Problem] = []

    def as_kind(self, kind: str) -> "Section":
        """The same section as one of another kind; it has the same values and problems."""
        other = Section(self.heading, kind, self.name, self.line, self.file)
        other.values, other.problems = self.values, self.problems
        return other

    def add_problem(
        self,
        option: str,
        text: str,
        line: int | None = None,
        warning: bool = False,
        cause: str = "",
    ) -> None:
        """Note a problem; it stands where the option does, or the section where that is not."""
        if line is None:
            line = self.values[option].line if option in self.values else self.line
        self.problems.append(Problem(line, self.heading, option, text, warning, cause, self.file))

    @property
    def errors(self) -> list[Problem]:
        """The problems that are no mere warnings."""
        return [problem for problem in self.problems if not problem.warning]

    @property
    def broken(self) -> bool:
        """Whether there is an error."""
        return bool(self.errors)

    @property
    def variant(self) -> str:
        """The direction or type that is written in the section; "" where there is none."""
        written = self.values.get(VARIANT.get(self.kind, ""))
        return written.text if written else ""


# --- the lines


_NAMES = frozenset(name for table in TABLE.values() for name in table)
_SECRET = frozenset(name for table in TABLE.values() for name in table if table[name].secret)


def parse(text: str, file: str = "") -> tuple[list[Section], list[Problem]]:
    """The sections in their order, and what is so wrong that nothing of the file can be run.

    A line is never shown: it may hold a password.
    """
    written = ini.read(text, _NAMES)
    wrong = [
        Problem(line.number, "", "", "this is neither a [section] nor an option = value")
        for line in written.stray
    ]
    if written.early:
        wrong.append(
            Problem(written.early.number, "", "", "a section such as [global] must come first")
        )
    colons = [entry.line for each in written.sections for entry in each.entries if entry.colon]
    if colons:
        text = f"a value stands behind =, not behind a colon: option = value{_also_on(colons)}"
        wrong.append(Problem(colons[0], "", "", text))
    sections = [_section(each, file) for each in written.sections]
    return sections, [each._replace(file=file) for each in wrong]


def _also_on(lines: list[int]) -> str:
    if len(lines) == 1:
        return ""
    *most, last = map(str, lines)
    return f" (lines {', '.join(most)} and {last})"


def _section(read: ini.RawSection, file: str) -> Section:
    heading, behind, _ = read.heading.partition("]")
    kind, colon, name = heading.partition(":")
    known = kind in TABLE and bool(colon) == (kind != "global")
    # What continues a password could look like a heading.
    shown = heading if known or read.above not in _SECRET else ""
    section = Section(shown, kind if known else "", name, read.line, file)
    if behind:
        section.add_problem(
            "", "nothing stands behind ]: options and comments have lines of their own"
        )
    above = ""
    for entry in read.entries:
        for each in _apart(section, entry):
            if _is_name(each.option, above):
                _add(section, each)
                above = each.option
            else:
                hint = near(each.option, TABLE.get(section.kind, ()))
                text = f"no such option here{hint}; it may be part of a password, and is not shown"
                section.add_problem("", text, line=each.line)
    return section


def _is_name(option: str, above: str) -> bool:
    """Whether it can be told as an option; else it may be a part of a password."""
    return option in _NAMES or (bool(re.fullmatch(r"[\w-]+", option)) and above not in _SECRET)


def _apart(section: Section, entry: ini.RawOption) -> Iterator[ini.RawOption]:
    """The entry, and behind it the options that stand among its lines because of their indent."""
    option = TABLE.get(section.kind, {}).get(entry.option)
    shell = option is not None and _is_command(option, entry.text)
    within = list(ini.indented(entry, _NAMES, shell))
    begins = [entry.lines.index(each.line) for each in within]
    yield entry if not within else entry.first_lines(begins[0])
    for each, begin, end in zip(within, begins, [*begins[1:], None], strict=False):
        section.add_problem(
            entry.option,
            f"this line, {each.option} = ..., is indented more than line {entry.line}, and so it "
            "continues that; begin both in the same column",
            line=each.line.number,
        )
        first = ini.Line(each.line.number, each.value)
        yield ini.RawOption(each.option, [first, *entry.lines[begin + 1 : end]])


def _add(section: Section, entry: ini.RawOption) -> None:
    earlier = section.values.get(entry.option)
    if earlier:
        text = f"stands on line {earlier.line} too; this one counts"
        section.add_problem(entry.option, text, line=entry.line, warning=True)
    option = TABLE.get(section.kind, {}).get(entry.option)
    text = _without_comments(section, option, entry) if option else entry.text
    section.values[entry.option] = WrittenValue(text, entry.line)


# --- comments that are none


def _without_comments(section: Section, option: Option, entry: ini.RawOption) -> str:
    """The value without what was meant as a comment behind it, of which is told."""
    if option.literal or _is_command(option, entry.text):
        _report_lost_lines(section, entry)
        if option.secret and shellwords.comments(entry.text):
            text = "what begins with ' #' or ' ;' is part of it: comments have lines of their own"
            section.add_problem(entry.option, text, line=entry.line, warning=True)
        return entry.text
    value = "\n".join(line.text for line in entry.lines)
    for begin in reversed(shellwords.comments(value, option.kind.quotes)):
        end = value.find("\n", begin)
        line = entry.lines[value.count("\n", 0, begin)].number
        mistake = shellwords.refused_comment(value[begin], option.kind.quotes)
        section.add_problem(entry.option, str(mistake), line=line)
        value = value[:begin].rstrip(" \t") + (value[end:] if end >= 0 else "")
    return value.strip("\n")


def _report_lost_lines(section: Section, entry: ini.RawOption) -> None:
    """A line of a command that begins with ; is a comment of the file, and not the shell's."""
    for line in entry.comments:
        if line.text.startswith(";"):
            section.add_problem(
                entry.option,
                "a line that begins with ';' is a comment, and no part of the value; "
                "end the line above in ';' instead",
                line=line.number,
                warning=True,
            )


def _is_command(option: Option, text: str) -> bool:
    """Whether the value is the shell's; what a dynamic option refers to may be."""
    return option.kind is COMMAND or (option.dynamic and text.startswith(("!", "/", "$")))
