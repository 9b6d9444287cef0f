"""The values of the options of a file: defaults, references and what each kind makes of a text."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from b1000.config import references, shellwords
from b1000.config.options import TABLE, VARIANT, Option
from b1000.config.sections import Problem, Section
from b1000.errors import BadValue, BadValues, near, nearest, refuse_all
from b1000.named import NamedTuple
from b1000.templates import Reference, ScriptTemplate, Template, WordTemplate

SAMPLES = {
    "instance": "instance",
    "start_time": "2026-11-22-10-11-12",
    "data_age": "0",
    "master_host": "master",
    "master_instance": "master",
}
"""Stand-ins that show at load whether a value will be well formed once a run fills it in."""


class WordList(NamedTuple):
    """The value of an option that is split into words: as it is written, and split."""

    written: Template
    words: tuple[WordTemplate, ...]


class Values:
    """Settles the values of the sections of one configuration."""

    def __init__(self, sections: list[Section], node: str, file: str) -> None:
        written = [section for section in sections if section.kind == "global"]
        self.globals = written[0] if written else Section("global", "global", "", 1)
        self.node = node
        self.file = file
        self._sections = sections

    def trouble(self, kind: str, name: str) -> Problem:
        """The first mistake of a section."""
        errors = [
            error
            for section in self._sections
            if (section.kind, section.name) == (kind, name)
            for error in section.errors
        ]
        assert errors
        return min(errors, key=lambda error: error.place)

    # What an option's value is, before its references are looked up.
    def _written(self, section: Section, option: Option) -> str | None:
        if option.name in section.values:
            return section.values[option.name].text
        if section.kind == "job" and option.name in self.globals.values:
            return self.globals.values[option.name].text if "global" in option.sections else None
        if section.kind == "global" and option.name == "host":
            return self.node.replace("$", "$$")
        return option.defaults.get(section.variant, option.default)

    def _home(self, section: Section, name: str) -> tuple[Section, Option] | None:
        """Where ``$name`` of a section is found: in the section itself, then in [global]."""
        for owner in (section, self.globals):
            option = TABLE[owner.kind].get(name)
            if option and self._written(owner, option) is not None:
                return owner, option
        return None

    def template(
        self, section: Section, option: Option, above: tuple[str, ...] = ()
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

    def _look_up(self, section: Section, name: str, path: tuple[str, ...]) -> Template:
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
        owner, option = home
        if option.secret:
            raise BadValue(
                f"${name} would put it where it is shown, as in logs and errors",
                "nothing can refer to it",
            )
        if f"{owner.heading}:{option.name}" in path:
            circle = " → ".join(f"${step.rpartition(':')[2]}" for step in (*path, f":{name}"))
            raise BadValue(
                f"it refers to itself: {circle}",
                f"give one of them a value of its own, or {references.SHELL_HINT}",
            )
        found = self.template(owner, option, path) or ()
        if option.dynamic and _command(found):
            if option.name == "instances":
                raise BadValue("the list of instances is not known to a run", "use $instance")
            return (Reference(name),)
        return found

    def settle(self, section: Section, option: Option) -> Any:
        """The value of an option, parsed.

        A Template, WordList or ScriptTemplate where only a run can settle it.

        A mistake is told to the section, and the value is then None.
        """
        try:
            value = self._settle(section, option)
            if option.name in ("include", "exclude") and option.name in section.values:
                _report_commas(section, option.name)
            return value
        except BadValue as error:
            if not self._reported_elsewhere(section, option):
                taken_over = section.heading != "global" and option.name not in section.values
                origin = "(from [global]) " if taken_over and "global" in option.sections else ""
                for each in error.each:
                    section.add_problem(option.name, f"{origin}{each}")
            return None

    def _reported_elsewhere(self, section: Section, option: Option) -> bool:
        """Whether a mistake is not this section's own: in [global], or in what a default names."""
        if option.name in section.values:
            return False
        in_global = "global" in option.sections
        if in_global and section.heading != "global":
            return any(problem.option == option.name for problem in self.globals.errors)
        return option.default is not None

    def _mistakes_beside(self, section: Section, option: Option) -> tuple[BadValue, ...]:
        """Those of a list in its words whose references are known; words in quotes are left."""
        text = self._written(section, option) or ""
        if not (option.kind.listed or option.kind.quotes) or re.search(r"[\"'\\]|^!", text):
            return ()
        known = [
            references.fill(template, SAMPLES)
            for word in text.split()
            if (template := self._known(section, option, word)) is not None
        ]
        try:
            if known:
                option.kind.parse(" ".join(known))
        except BadValue as error:
            return error.each
        return ()

    def _known(self, section: Section, option: Option, word: str) -> Template | None:
        path = (f"{section.heading}:{option.name}",)
        try:
            return references.resolve(word, lambda name: self._look_up(section, name, path))
        except BadValue:
            return None

    def _settle(self, section: Section, option: Option) -> Any:
        try:
            template = self.template(section, option)
        except BadValue as error:
            raise BadValues([*error.each, *self._mistakes_beside(section, option)]) from None
        if template is None:
            if _is_misspelt(section, option.name):
                return None  # which is told, and is the only mistake
            if option.required and option.unless not in section.values:
                instead = f", or give {option.unless}" if option.unless else ""
                raise BadValue("it is missing", f"it takes {option.kind.description}{instead}")
            return None
        if not template:
            raise BadValue("it is empty", "remove the line, or give it a value")
        open_names = references.names(template)
        command = _command(template) if option.dynamic else None
        if command:
            if not references.fill(command.template, SAMPLES).strip():
                raise BadValue("no command follows the !", "a command for /bin/sh")
            if option.name == "instances":
                refuse_all(
                    BadValue(f"${refused} is not known before the list is", "leave it out")
                    for refused in sorted(open_names)
                )
            return command
        if option.dynamic:
            self._refuse_comments(references.fill(template, SAMPLES))
        if option.kind.check_words and option.deferred:
            words = shellwords.split_template(template)
            option.kind.check_words(shellwords.fill(words, SAMPLES))
            return WordList(template, words)
        if option.deferred:
            option.kind.parse(references.fill(template, SAMPLES))
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
        refuse_all(shellwords.refused_comment(text[begin]) for begin in shellwords.comments(text))

    def check_names(self, section: Section) -> None:
        """Tell of every option that a section of this kind does not have."""
        table = TABLE[section.kind]
        for name in section.values:
            if name in table:
                if not self._belongs(section, table[name]):
                    whose = f"{VARIANT[section.kind]} = {' or '.join(table[name].of)}"
                    section.add_problem(name, f"it is for {whose}; this is {section.variant}")
            else:
                elsewhere = [kind for kind in TABLE if name in TABLE[kind]]
                belongs = f"; it belongs in [{elsewhere[0]}]" if elsewhere else ""
                # Who writes password into a destination may well mean its password_file.
                section.add_problem(name, f"no such option here{belongs}{near(name, table)}")

    def values(self, section: Section) -> dict[str, Any]:
        """All options of a section that have a value, by name."""
        self.check_names(section)
        # What [global] says for all jobs sees what a job sees: instance, start_time.
        as_job = section.as_kind("job")
        found = {
            option.name: self.settle(as_job if option.deferred else section, option)
            for option in TABLE[section.kind].values()
            if self._belongs(section, option)
        }
        return {name: value for name, value in found.items() if value is not None}

    @staticmethod
    def _belongs(section: Section, option: Option) -> bool:
        """Whether a section has the option; one of no known direction or type has all."""
        variant = section.variant
        known = any(variant in row.of for row in TABLE[section.kind].values())
        if not known:
            return not option.of or option.name in section.values
        return option.belongs(variant)


def _is_misspelt(section: Section, option: str) -> bool:
    """Whether a name that no option has was probably meant to be this one."""
    table = TABLE[section.kind]
    # What [global] says for jobs is settled as if it stood in one: its own names are right, too.
    strange = [name for name in section.values if name not in table and name not in TABLE["global"]]
    return any(nearest(name, table) == option for name in strange)


def _report_commas(section: Section, option: str) -> None:
    for word in shellwords.with_commas(section.values[option].text):
        section.add_problem(
            option,
            f"the comma in {word!r} is a part of it: what is listed is divided by blanks",
            warning=True,
        )


def _command(template: Template) -> ScriptTemplate | None:
    """The command that gives a dynamic option its value: such a value begins with ! or /."""
    first = template[0] if template else ""
    if not isinstance(first, str) or not first.startswith(("!", "/")):
        return None
    return ScriptTemplate(references.join([first.removeprefix("!"), *template[1:]]))


def only(values: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
    """Of the values those with one of these names."""
    return {name: values[name] for name in wanted if name in values}
