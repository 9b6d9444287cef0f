"""Reads the ini file into checked jobs, and tells all mistakes of it at once.

An error in ``[global]``, or a file that cannot be parsed, is fatal. Any other
error takes only the jobs with it that need what is wrong: they become
:class:`~b1000.jobs.BrokenJob`, and every other job runs.
"""

import glob
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from b1000.config import allowed, grammar, references
from b1000.config.options import TABLE, VARIANT, Option
from b1000.config.sections import ConfigUnreadable as ConfigUnreadable
from b1000.config.sections import Problem as Problem
from b1000.config.sections import Section as _Section
from b1000.config.sections import parse, text_of
from b1000.errors import BadValue, BadValues, near, nearest, refuse_all
from b1000.jobs import (
    BrokenJob,
    Command,
    Destination,
    FreeSpace,
    Job,
    Limits,
    Pull,
    Reference,
    Report,
    Settings,
    Template,
    Transfer,
)


def log_defaults() -> tuple[str, str]:
    """Level and format by which errors of a configuration are logged that cannot be used."""
    table = TABLE["global"]
    return str(table["log_level"].default), str(table["log_format"].default)


class Config(NamedTuple):
    """A file that was read: what can be run, and what is wrong.

    ``stray`` is set where an error belongs to no job that could be told of as
    FAILED, such as a section whose heading is not known. ``lines`` are those of
    sections and options, a section's own under the option "".
    """

    file: str
    settings: Settings
    jobs: Mapping[str, Job | BrokenJob]
    destinations: Mapping[str, Destination]
    reports: Mapping[str, Report]
    problems: tuple[Problem, ...]
    stray: bool = False
    lines: Mapping[tuple[str, str], int] = {}

    def line(self, section: str, option: str) -> int:
        """Where an option stands, or its section where it does not; 0 where neither does."""
        return self.lines.get((section, option)) or self.lines.get((section, ""), 0)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that are no mere warnings."""
        return tuple(problem for problem in self.problems if not problem.warning)


# --- values ----------------------------------------------------------------------------------


_SAMPLES = {
    "instance": "instance",
    "start_time": "2026-11-22-10-11-12",
    "data_age": "0",
    "master_host": "master",
    "master_instance": "master",
}
"""Stand-ins that show at load whether a value will be well formed once a run fills it in."""


class _Reader:
    """Settles the values of the sections of one file."""

    def __init__(self, sections: list[_Section], node: str) -> None:
        written = [section for section in sections if section.kind == "global"]
        self.globals = written[0] if written else _Section("global", "global", "", 1)
        self.node = node
        self._sections = sections

    def trouble(self, kind: str, name: str) -> tuple[int, str]:
        """The first mistake of a section, and its line."""
        errors = [
            error
            for section in self._sections
            if (section.kind, section.name) == (kind, name)
            for error in section.errors
        ]
        assert errors
        line, _, option, text, *_ = min(errors, key=lambda error: error.line)
        return line, f"{option}: {text}" if option else text

    # What an option's value is, before its references are looked up.
    def _written(self, section: _Section, option: Option) -> str | None:
        if option.name in section.values:
            return section.values[option.name].text
        if section.kind == "job" and option.name in self.globals.values:
            return self.globals.values[option.name].text if "global" in option.sections else None
        if section.kind == "global" and option.name == "host":
            return self.node.replace("$", "$$")
        return option.defaults.get(section.variant, option.default)

    def _home(self, section: _Section, name: str) -> tuple[_Section, Option] | None:
        """Where ``$name`` of a section is found: in the section itself, then in [global]."""
        for place in (section, self.globals):
            option = TABLE[place.kind].get(name)
            if option and self._written(place, option) is not None:
                return place, option
        return None

    def template(
        self, section: _Section, option: Option, above: tuple[str, ...] = ()
    ) -> Template | None:
        """The value with all references looked up but those that only a run knows.

        None where the option has no value. BadValue tells of unknown references
        and of cycles.
        """
        text = self._written(section, option)
        if text is None:
            return None
        if option.literal:
            return (text,)
        # A starred option that a job takes over from [global] still sees the job's options.
        path = (*above, f"{section.heading}:{option.name}")
        return references.resolve(text, lambda name: self._look_up(section, name, path))

    def _look_up(self, section: _Section, name: str, path: tuple[str, ...]) -> Template:
        if section.kind == "job" and name in references.RUN_TIME:
            if name == "host":
                return self.template(self.globals, TABLE["global"]["host"]) or ()
            return (Reference(name),)
        home = self._home(section, name)
        if home is None:
            known = [*TABLE[section.kind], *TABLE["global"]]
            known += references.RUN_TIME if section.kind == "job" else ()
            if name in TABLE["global"]:
                mend = "; set it in [global]"
            elif name in references.RUN_TIME:
                mend = "; only a job has it"
            else:
                mend = near(name, (each for each in known if each != name))
            raise BadValue(
                f"${name} is not an option that has a value here{mend}", references.SHELL_HINT
            )
        place, option = home
        if option.secret:
            raise BadValue(
                f"${name} would put it where it is shown, as in logs and errors",
                "nothing can refer to it",
            )
        if f"{place.heading}:{option.name}" in path:
            circle = " → ".join(f"${step.rpartition(':')[2]}" for step in (*path, f":{name}"))
            raise BadValue(
                f"it refers to itself: {circle}",
                f"give one of them a value of its own, or {references.SHELL_HINT}",
            )
        found = self.template(place, option, path) or ()
        if option.dynamic and _command(found):
            if option.name == "instances":
                raise BadValue("the list of instances is not known to a run", "use $instance")
            return (Reference(name),)
        return found

    def settle(self, section: _Section, option: Option) -> Any:
        """The value of an option, parsed; a Template or Command where only a run can settle it.

        A mistake is told to the section, and the value is then None.
        """
        try:
            value = self._settle(section, option)
            if option.name in ("include", "exclude") and option.name in section.values:
                _tell_commas(section, option.name)
            return value
        except BadValue as error:
            if not self._told_elsewhere(section, option):
                taken_over = section.heading != "global" and option.name not in section.values
                origin = "(from [global]) " if taken_over and "global" in option.sections else ""
                for each in error.each:
                    section.tell(option.name, f"{origin}{each}")
            return None

    def _told_elsewhere(self, section: _Section, option: Option) -> bool:
        """Whether a mistake is not this section's own: in [global], or in what a default names."""
        if option.name in section.values:
            return False
        in_global = "global" in option.sections
        if in_global and section.heading != "global":
            return any(problem.option == option.name for problem in self.globals.errors)
        return option.default is not None

    def _mistakes_beside(self, section: _Section, option: Option) -> tuple[BadValue, ...]:
        """Those of a list in its words whose references are known; words in quotes are left."""
        text = self._written(section, option) or ""
        if not (option.kind.listed or option.kind.quotes) or re.search(r"[\"'\\]|^!", text):
            return ()
        known = [
            references.fill(template, _SAMPLES)
            for word in text.split()
            if (template := self._known(section, option, word)) is not None
        ]
        try:
            if known:
                option.kind.parse(" ".join(known))
        except BadValue as error:
            return error.each
        return ()

    def _known(self, section: _Section, option: Option, word: str) -> Template | None:
        path = (f"{section.heading}:{option.name}",)
        try:
            return references.resolve(word, lambda name: self._look_up(section, name, path))
        except BadValue:
            return None

    def _settle(self, section: _Section, option: Option) -> Any:
        try:
            template = self.template(section, option)
        except BadValue as error:
            raise BadValues([*error.each, *self._mistakes_beside(section, option)]) from None
        if template is None:
            if option.required and option.unless not in section.values:
                instead = f", or give {option.unless}" if option.unless else ""
                raise BadValue("it is missing", f"it takes {option.kind.words}{instead}")
            return None
        if not template:
            raise BadValue("it is empty", "remove the line, or give it a value")
        open_names = references.names(template)
        command = _command(template) if option.dynamic else None
        if command:
            if not references.fill(command.template, _SAMPLES).strip():
                raise BadValue("no command follows the !", "a command for /bin/sh")
            if option.name == "instances":
                refuse_all(
                    BadValue(f"${refused} is not known before the list is", "leave it out")
                    for refused in sorted(open_names)
                )
            return command
        if option.dynamic:
            self._refuse_comments(references.fill(template, _SAMPLES))
        if option.late:
            option.kind.parse(references.fill(template, _SAMPLES))
            return template
        refuse_all(
            BadValue(
                f"${name} is known only when a run has begun",
                "only scripts, include, exclude and masters can refer to it",
            )
            for name in sorted(open_names)
        )
        return option.kind.parse(references.fill(template, {}))

    @staticmethod
    def _refuse_comments(text: str) -> None:
        """What began with a reference could have been a command, and was not looked at before."""
        refuse_all(grammar.refused_comment(text[begin]) for begin in grammar.comments(text))

    def check_names(self, section: _Section) -> None:
        """Tell of every option that a section of this kind does not have."""
        table = TABLE[section.kind]
        for name in section.values:
            if name in table:
                if not self._belongs(section, table[name]):
                    whose = f"{VARIANT[section.kind]} = {' or '.join(table[name].of)}"
                    section.tell(name, f"it is for {whose}; this is {section.variant}")
            else:
                elsewhere = [kind for kind in TABLE if name in TABLE[kind]]
                belongs = f"; it belongs into [{elsewhere[0]}]" if elsewhere else ""
                # Who writes password into a destination may well mean its password_file.
                section.tell(name, f"no such option here{belongs}{near(name, table)}")

    def values(self, section: _Section) -> dict[str, Any]:
        """All options of a section that have a value, by name."""
        self.check_names(section)
        # What [global] says for all jobs sees what a job sees: instance, start_time.
        as_job = replace(section, kind="job")
        found = {
            option.name: self.settle(as_job if option.late else section, option)
            for option in TABLE[section.kind].values()
            if self._belongs(section, option)
        }
        return {name: value for name, value in found.items() if value is not None}

    @staticmethod
    def _belongs(section: _Section, option: Option) -> bool:
        """Whether a section has the option; one of no known direction or type has all."""
        variant = section.variant
        known = any(variant in row.of for row in TABLE[section.kind].values())
        if not known:
            return not option.of or option.name in section.values
        return option.belongs(variant)


def _tell_commas(section: _Section, option: str) -> None:
    for word in grammar.with_commas(section.values[option].text):
        section.tell(
            option,
            f"the comma in {word!r} is a part of it: what is listed is divided by blanks",
            warning=True,
        )


def _command(template: Template) -> Command | None:
    """The command that gives a dynamic option its value: such a value begins with ! or /."""
    first = template[0] if template else ""
    if not isinstance(first, str) or not first.startswith(("!", "/")):
        return None
    return Command(references.join([first.removeprefix("!"), *template[1:]]))


def _only(values: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
    """Of the values those with one of these names."""
    return {name: values[name] for name in wanted if name in values}


# --- sections --------------------------------------------------------------------------------


def load(file: str) -> Config:
    """Read and check a configuration file.

    Raises :class:`ConfigUnreadable` with all problems where nothing can be run.
    """
    sections, unparsed = parse(text_of(file))
    fatal = bool(unparsed)
    for section in sections:
        if not section.kind:
            # What was meant for [global] would silently be replaced by defaults.
            fatal = _tell_unknown(section) == "global" or fatal
    known = [section for section in sections if section.kind]
    _tell_twice(known)
    reader = _Reader(known, os.uname().nodename)

    settings = reader.values(reader.globals)
    named = {
        kind: [section for section in known if section.kind == kind]
        for kind in ("job", "dest", "report")
    }
    unnamed: set[str] = set()  # what cannot be told of as a job: no file and no column takes it
    for section in (*named["job"], *named["dest"], *named["report"]):
        try:
            grammar.name(section.name, "the name")
        except BadValue as error:
            section.tell("", str(error))
            unnamed.add(section.name)
    # Of sections with one heading the first counts: it is the one that was told to be wrong.
    destinations = {
        section.name: _destination(reader, section) for section in reversed(named["dest"])
    }
    reports = {
        section.name: _report(reader, section, settings.get("journal"))
        for section in reversed(named["report"])
    }
    found = {
        section.name: _job(file, reader, section, settings, destinations, reports)
        for section in reversed(named["job"])
    }
    jobs = {
        section.name: found[section.name] for section in named["job"] if section.name not in unnamed
    }
    jobs = {name: _claimed(name, job, jobs) for name, job in jobs.items()}
    problems = sorted(
        (
            *unparsed,
            *(
                problem
                for section in {id(each): each for each in (reader.globals, *sections)}.values()
                for problem in section.problems
            ),
        ),
        key=lambda problem: problem.line,
    )
    if fatal or reader.globals.broken:
        raise ConfigUnreadable(file, problems, settings.get("log_file"))
    return Config(
        file,
        Settings(**_only(settings, Settings._fields)),
        jobs,
        {name: each for name, each in destinations.items() if each},
        {name: each for name, each in reports.items() if each},
        tuple(problems),
        stray=any(section.name not in jobs for section in named["job"])
        or any(not section.kind for section in sections),
        lines=_lines_of(reversed([reader.globals, *sections])),
    )


def _lines_of(sections: Iterable[_Section]) -> dict[tuple[str, str], int]:
    lines: dict[tuple[str, str], int] = {}
    for section in sections:
        lines[section.heading, ""] = section.line
        lines |= {(section.heading, name): each.line for name, each in section.values.items()}
    return lines


def _tell_unknown(section: _Section) -> str:
    """Tell that nobody knows such a section; gives the kind that was probably meant, or ""."""
    kind = re.split(r"[:\]\s]", section.heading.strip(), maxsplit=1)[0]
    section.tell(
        "",
        f"no such section{near(kind, TABLE)}; "
        "there are [global], [job:NAME], [dest:NAME] and [report:NAME]",
    )
    # One that is not shown may be the [global] of somebody.
    return nearest(kind, TABLE) if section.heading else "global"


def _tell_twice(sections: list[_Section]) -> None:
    """A section that stands twice is wrong as a whole: nobody knows which one was meant."""
    first: dict[tuple[str, str], _Section] = {}
    for section in sections:
        earlier = first.setdefault((section.kind, section.name), section)
        if earlier is not section:
            text = f"stands on lines {earlier.line} and {section.line}; make one of both"
            earlier.tell("", text, line=section.line)


def _destination(reader: _Reader, section: _Section) -> Destination | None:
    values = reader.values(section)
    path = values.get("path", "")
    remote = path.startswith("rsync://")
    if path and remote and "min_free" in values:
        section.tell("min_free", "it is for local paths; free space at a daemon cannot be seen")
    if remote and values.get("must_be_mounted"):
        section.tell("must_be_mounted", "it is for local paths; a daemon sees to its own disks")
    if path and not remote and "--copy-as" in allowed.spellings(values.get("rsync_options", ())):
        text = "'--copy-as' is for daemons; here B1000 makes the directories as who runs it"
        section.tell("rsync_options", text)
    if values.get("link_dest"):
        _check_link_dest(section, values.get("rsync_options", ()))
    return (
        None if section.broken else Destination(section.name, **_only(values, Destination._fields))
    )


def _check_link_dest(section: _Section, options: Sequence[str]) -> None:
    """Options with which links into an older backup would change it, or never come to be."""
    for option in dict.fromkeys(allowed.spellings(options)):
        if option in ("--atimes", "-U"):
            section.tell(
                "rsync_options",
                f"{option!r} with link_dest would change the times of files in older backups",
            )
        elif option in ("--ignore-times", "-I", "--no-times", "--no-t"):
            section.tell(
                "rsync_options",
                f"with {option!r} no file counts as unchanged, so that link_dest links none",
                warning=True,
            )


def _report(reader: _Reader, section: _Section, journal: str | None) -> Report | None:
    values = reader.values(section)
    if section.variant == "sqlite" and values.get("path") == journal:
        section.tell("path", f"{journal} is the journal; a report takes a file of its own")
    if "password" in values and "password_file" in values:
        section.tell("password", "password_file gives it too; remove one of both")
    return None if section.broken else Report(section.name, **_only(values, Report._fields))


def _job(
    file: str,
    reader: _Reader,
    section: _Section,
    settings: Mapping[str, Any],
    destinations: Mapping[str, Destination | None],
    reports: Mapping[str, Report | None],
) -> Job | BrokenJob:
    values = reader.values(section)
    groups = values.get("dest", ())
    used = [choice.name for group in groups for choice in group]
    _check_used(reader, section, "dest", used, destinations)
    _check_used(reader, section, "report", values.get("report", ()), reports)
    chosen = {name: found for name in used if (found := destinations.get(name))}
    # One that is wrong is owed all the same, and told once it has been mended.
    owed = tuple(name for name in values.get("report", ()) if name in reports)
    _check_destinations(section, chosen.values())
    match section.variant:
        case "passive":
            _check_passive(section, values, reports)
        case "pull":
            chosen = {name: _for_pulling(each) for name, each in chosen.items()}
            _check_pull(section, values, chosen.values())
            _check_transfer(section, values)
        case _:
            _check_push(section, values, chosen.values())
            _check_transfer(section, values)
            _check_inside(section, values, chosen.values())
    limits = Limits(**_only({**settings, **values}, Limits._fields))
    if section.broken:
        return BrokenJob(
            section.name,
            values.get("direction", ""),
            values.get("type", ""),
            owed,
            tuple(
                problem.alone(file)
                for problem in sorted(section.errors, key=lambda problem: problem.line)
            ),
            on_failure=values.get("on_failure"),
            limits=limits,
            report_job=values.get("report_job", ""),
        )
    return Job(
        name=section.name,
        direction=values["direction"],
        type=values.get("type", ""),
        dest=groups,
        reports=owed,
        destinations=chosen,
        instances=values.get("instances"),
        allow_no_instances=values.get("allow_no_instances", False),
        late={
            name: values[name]
            for name, option in TABLE["job"].items()
            if option.late and name in values
        },
        transfer=Transfer(**_only(values, Transfer._fields)),
        limits=limits,
        pull=_pull(section, values) if section.variant == "pull" else None,
        report_directories=tuple(
            report.path
            for name in owed
            if section.variant == "passive" and (report := reports[name]) and report.type == "file"
        ),
    )


def _pull(section: _Section, values: Mapping[str, Any]) -> Pull:
    source = grammar.host_of(values["report_source"])
    if "report_host" not in values and grammar.names_no_host(source):
        section.tell(
            "report_source",
            f"{source} names no host, so that no report is believed: report_host says whose are",
            warning=True,
        )
    return Pull(
        values["report_source"],
        values.get("report_job", section.name),
        values["report_poll_wait"],
        values["report_poll_retries"],
        values["report_wait"],
        hosts=values.get("report_host", ()),
        password_file=values.get("password_file"),
    )


def _claimed(
    name: str, job: Job | BrokenJob, jobs: Mapping[str, Job | BrokenJob]
) -> Job | BrokenJob:
    """The job; a pull job with the names that others have or want of the same client.

    One that is wrong leaves its report to itself all the same.
    """
    if isinstance(job, BrokenJob) or not job.pull:
        return job
    source = grammar.one_spelling(job.pull.source)
    others: set[str] = set()
    for each, other in jobs.items():
        if each == name:
            continue
        if isinstance(other, BrokenJob):
            others |= {each, other.report_job} if other.direction == "pull" else set()
        elif other.pull and grammar.one_spelling(other.pull.source) == source:
            others |= {each, other.pull.job}
    return job._replace(pull=job.pull._replace(claimed=frozenset(filter(None, others))))


def _check_used(
    reader: _Reader,
    section: _Section,
    option: str,
    names: Iterable[str],
    known: Mapping[str, object],
) -> None:
    for name in names:
        if name not in known:
            there = ", ".join(known) or "none; it takes a section of that name"
            hint = near(name, known) or f"; there are: {there}"
            section.tell(option, f"there is no [{option}:{name}]{hint}")
        elif known[name] is None:
            line, trouble = reader.trouble(option, name)
            text = f"[{option}:{name}] is wrong, see line {line}"
            section.tell(option, text, cause=trouble)


_WRITTEN_BY = {"active": "push and pull", "passive": "passive"}


def _check_destinations(section: _Section, chosen: Iterable[Destination]) -> None:
    """They are of the type that the direction takes, and no two of them are one place."""
    wanted = "passive" if section.variant == "passive" else "active"
    first: dict[str, Destination] = {}
    for destination in chosen:
        if destination.type != wanted:
            section.tell(
                "dest",
                f"[dest:{destination.name}] is {destination.type}, "
                f"for {_WRITTEN_BY[destination.type]} jobs; this job takes type = {wanted}",
            )
            continue
        other = first.setdefault(destination.path or destination.host, destination)
        if other is not destination and wanted == "active":
            section.tell(
                "dest",
                f"{other.name} and {destination.name} have the same path; "
                "two copies would be written into one directory",
            )
        elif other is not destination:
            section.tell(
                "dest",
                f"{other.name} and {destination.name} have the same host; "
                "nobody could tell which of both it has pulled for",
            )


def _check_push(
    section: _Section, values: Mapping[str, Any], chosen: Iterable[Destination]
) -> None:
    for word in _include(values):
        if word.startswith("rsync://"):
            section.tell("include", f"{word} is not on this host; direction = pull fetches it")
    for destination in chosen:
        if destination.password_file and not destination.remote:
            section.tell(
                "dest",
                f"[dest:{destination.name}] is a local path, which takes no password_file",
            )


def _check_passive(
    section: _Section, values: Mapping[str, Any], reports: Mapping[str, Report | None]
) -> None:
    found = [reports.get(name) for name in values.get("report", ())]
    if all(found) and not any(report and report.type == "file" for report in found):
        section.tell("report", "a passive job needs one of type = file; others read it and come")


def _check_pull(
    section: _Section, values: Mapping[str, Any], chosen: Iterable[Destination]
) -> None:
    for destination in chosen:
        if destination.remote:
            section.tell(
                "dest",
                f"[dest:{destination.name}] is at another host; "
                "rsync copies from one host to this one, into a local path",
            )
    words = _include(values)
    machines = {word.split("/")[2] for word in words if word.startswith("rsync://")}
    for word in words:
        if not word.startswith("rsync://"):
            section.tell("include", f"{word} is not at a client; a pull fetches from rsync://")
    if len(machines) > 1:
        section.tell("include", "all must be at one host; rsync fetches from one at a time")
    # rsync takes the content of a bare module, as if a slash stood at its end.
    bare = [word for word in words if word.startswith("rsync://") and word.count("/") == 3]
    if bare and len(words) > 1:
        section.tell(
            "include",
            f"{bare[0]} is a whole module, whose content would be mixed with the others; "
            "give it a job of its own",
        )


def _for_pulling(destination: Destination) -> Destination:
    """The client could fill the disk, unless there is a limit."""
    if destination.min_free is None and not destination.remote:
        return destination._replace(min_free=FreeSpace(5, percent=True))
    return destination


def _include(values: Mapping[str, Any]) -> list[str]:
    if "include" not in values:
        return []
    return [word.text for word in grammar.words(references.fill(values["include"], _SAMPLES))]


def _check_inside(
    section: _Section, values: Mapping[str, Any], chosen: Iterable[Destination]
) -> None:
    """A backup that is stored in its own source holds all earlier ones, and grows and grows."""
    if "exclude" in values:
        return
    for word in _include(values):
        for destination in chosen:
            inside = f"{destination.path}/".startswith(f"{word.rstrip('/')}/")
            if inside and not destination.remote and not destination.exclude:
                section.tell(
                    "include",
                    f"{word} holds the destination {destination.name} "
                    f"({destination.path}); exclude it",
                    warning=True,
                )


def _check_transfer(section: _Section, values: Mapping[str, Any]) -> None:
    if values.get("delete") and values.get("type") == "full":
        section.tell("delete", "it is for type = sync; a full backup has nothing to delete")
    if "include" in values:
        # What only a run knows stands for itself, and is equal to nothing else.
        own = {name: f"${name}" for name in _SAMPLES}
        words = grammar.words(references.fill(values["include"], own))
        plain = [word.text for word in words if not glob.has_magic(word.pattern)]
        try:
            refuse = grammar.refuse_meeting if values.get("relative") else grammar.refuse_merging
            refuse(plain)
        except BadValue as error:
            for each in error.each:
                section.tell("include", str(each))
