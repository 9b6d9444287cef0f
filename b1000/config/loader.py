"""Reads the ini file into checked jobs, and tells all mistakes of it at once.

An error in ``[global]``, or a file that cannot be parsed, is fatal. Any other
error takes only the jobs with it that need what is wrong: they become
:class:`~b1000.jobs.BrokenJob`, and every other job runs.
"""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from b1000.config import grammar, job_sections, places
from b1000.config.commandline import commandline
from b1000.config.options import TABLE
from b1000.config.reading import read
from b1000.config.sections import ConfigUnreadable as ConfigUnreadable
from b1000.config.sections import NoText, Section, parse
from b1000.config.sections import Problem as Problem
from b1000.config.values import Values, only
from b1000.errors import BadValue, near, nearest
from b1000.jobs import BrokenJob, Destination, Job, Limits, Report, Settings
from b1000.named import NamedTuple


def log_defaults() -> tuple[str, str]:
    """Level and format by which errors of a configuration are logged that cannot be used."""
    table = TABLE["global"]
    return str(table["log_level"].default), str(table["log_format"].default)


class Config(NamedTuple):
    """A file that was read: what can be run, and what is wrong.

    ``file`` is as it was named, ``path`` its whole path, by which it is found from anywhere.
    ``stray`` are sections that may have been meant as jobs and cannot be told of as FAILED: their
    kind is not known, or their name is none. ``lines`` are those of
    sections and options, a section's own under the option "". ``files`` are all that were read,
    the named one first; ``others`` are those of ``conf.d`` by the sections that stand there.
    """

    file: str
    path: str
    settings: Settings
    jobs: Mapping[str, Job | BrokenJob]
    destinations: Mapping[str, Destination]
    reports: Mapping[str, Report]
    problems: tuple[Problem, ...]
    stray: tuple[str, ...] = ()
    lines: Mapping[tuple[str, str], int] = {}
    files: tuple[str, ...] = ()
    others: Mapping[str, str] = {}

    def line(self, section: str, option: str) -> int:
        """Where an option stands, or its section where it does not; 0 where neither does."""
        return self.lines.get((section, option)) or self.lines.get((section, ""), 0)

    def command(self, *words: str) -> str:
        """A command line for people to type, which acts by this configuration."""
        return commandline(self.path, *words)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that are no mere warnings."""
        return tuple(problem for problem in self.problems if not problem.warning)


def load(file: str) -> Config:
    """Read and check a configuration file.

    Raises :class:`ConfigUnreadable` with all problems where nothing can be run.
    """
    sections, unparsed, files = _read(file)
    meant = [_report_unknown(section) for section in sections if not section.kind]
    # What was meant for [global] would silently be replaced by defaults.
    fatal = bool(unparsed) or "global" in meant
    known = [section for section in sections if section.kind]
    repeated = _report_duplicates(known, file)
    reader = Values(known, os.uname().nodename, file)
    settings = reader.values(reader.globals)
    named = {
        kind: [section for section in known if section.kind == kind]
        for kind in ("job", "dest", "report")
    }
    unnamed = _report_unnamed([*named["job"], *named["dest"], *named["report"]])
    kinds = {section.name: section.variant for section in named["report"]}
    # Of sections with one heading the first counts: it is the one that was told to be wrong.
    destinations = {
        section.name: places.destination(reader, section, kinds)
        for section in reversed(named["dest"])
    }
    reports = {
        section.name: places.report(reader, section, settings.get("journal"))
        for section in reversed(named["report"])
    }
    others = job_sections.Sections(file, reader, settings, destinations, reports)
    found = {section.name: job_sections.job(section, others) for section in reversed(named["job"])}
    jobs = {
        section.name: found[section.name] for section in named["job"] if section.name not in unnamed
    }
    problems = _in_order([*unparsed, *_problems([reader.globals, *sections], repeated)])
    if fatal or reader.globals.broken:
        raise _unreadable(file, problems, settings)
    return Config(
        file,
        os.path.abspath(file),
        _settings(settings),
        {name: job_sections.claimed(name, job, jobs) for name, job in jobs.items()},
        {name: each for name, each in reversed(destinations.items()) if each},
        {name: each for name, each in reversed(reports.items()) if each},
        tuple(problems),
        stray=tuple(_stray(sections, jobs)),
        lines=_lines_of(reversed([reader.globals, *sections])),
        files=files,
        others={section.heading: section.file for section in reversed(sections) if section.file},
    )


def _read(file: str) -> tuple[list[Section], list[Problem], tuple[str, ...]]:
    try:
        return read(file)
    except NoText as error:
        rest, _ = parse(error.rest)
        reader = Values([each for each in rest if each.kind], os.uname().nodename, file)
        raise _unreadable(file, error.problems, reader.values(reader.globals)) from None


def _stray(sections: Iterable[Section], jobs: Collection[str]) -> list[str]:
    """The headings of those that are no jobs, and may have been meant as such."""
    wrong = (
        section
        for section in sections
        if not section.kind or (section.kind == "job" and section.name not in jobs)
    )
    shown = (f"[{section.heading}]" if section.heading else "a section" for section in wrong)
    return list(dict.fromkeys(shown))


def _unreadable(
    file: str, problems: Iterable[Problem], settings: Mapping[str, Any]
) -> ConfigUnreadable:
    """The error, with where it is to be logged."""
    style, host = settings.get("log_style", "text"), settings.get("host", "")
    return ConfigUnreadable(file, problems, settings.get("log_file"), style, host)


def _settings(values: Mapping[str, Any]) -> Settings:
    limits = Limits(**only(values, Limits._fields))
    return Settings(**only(values, Settings._fields), limits=limits)


def _report_unnamed(sections: Iterable[Section]) -> set[str]:
    """Tell of names that are none; gives them: no file and no column takes them."""
    unnamed: set[str] = set()
    for section in sections:
        try:
            grammar.name(section.name, "the name")
        except BadValue as error:
            section.add_problem("", str(error))
            unnamed.add(section.name)
    return unnamed


def _problems(sections: Iterable[Section], repeated: Collection[Section]) -> Iterator[Problem]:
    """Those of each section once: [global] is one of all, or stands in no file.

    What one that is ``repeated`` lacks may stand in the first of its name.
    """
    for section in {id(each): each for each in sections}.values():
        for problem in section.problems:
            lacks = problem.option and problem.option not in section.values
            if not (lacks and section in repeated):
                yield problem


def _in_order(problems: Iterable[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: problem.place)


def _lines_of(sections: Iterable[Section]) -> dict[tuple[str, str], int]:
    lines: dict[tuple[str, str], int] = {}
    for section in sections:
        lines[section.heading, ""] = section.line
        lines |= {(section.heading, name): each.line for name, each in section.values.items()}
    return lines


def _report_unknown(section: Section) -> str:
    """Tell that nobody knows such a section; gives the kind that was probably meant, or ""."""
    kind = re.split(r"[:\]\s]", section.heading.strip(), maxsplit=1)[0]
    section.add_problem(
        "",
        f"no such section{near(kind, TABLE)}; "
        "there are [global], [job:NAME], [dest:NAME] and [report:NAME]",
    )
    # One that is not shown may be the [global] of somebody.
    return nearest(kind, TABLE) if section.heading else "global"


def _report_duplicates(sections: list[Section], file: str) -> list[Section]:
    """A section that stands twice is wrong as a whole: nobody knows which one was meant.

    Gives those that are not the first of their name.
    """
    repeated = []
    first: dict[tuple[str, str], Section] = {}
    for section in sections:
        earlier = first.setdefault((section.kind, section.name), section)
        if earlier is not section:
            where = f"on lines {earlier.line} and {section.line}"
            if section.file != earlier.file:
                places = [f"{each.file or file}:{each.line}" for each in (earlier, section)]
                where = f"in {' and in '.join(places)}"
            text = f"stands {where}; merge them into one section"
            problem = Problem(section.line, earlier.heading, "", text, file=section.file)
            earlier.problems.append(problem)
            repeated.append(section)
    return repeated
