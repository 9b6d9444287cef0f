"""The values of a job that only a run can settle."""

from collections.abc import Mapping

from b1000.config import grammar, kinds, references, shellwords
from b1000.errors import BadValue
from b1000.jobs import ON_END, Job
from b1000.templates import Reference, ScriptTemplate, Template, Word
from b1000.work.assignment import Assignment, output_of

_NOT_SETTLED = (*ON_END, "include", "exclude")
"""Commands of the end are filled in then, and lists of words word by word."""


class RunValues:
    """The deferred options of a job, settled once for this run."""

    def __init__(self, assignment: Assignment, job: Job) -> None:
        self._assignment = assignment
        self._job = job
        self._settled = {
            "instance": assignment.subject.instance,
            "start_time": assignment.subject.start_time,
        }

    async def settle(self) -> Mapping[str, str]:
        """All values by option; a script runs once, however often it is referred to."""
        for name in self._job.deferred:
            if name not in _NOT_SETTLED:
                await self._value(name)
        return self._settled

    async def _value(self, name: str) -> str:
        if name not in self._settled:
            source = self._job.deferred[name]
            if isinstance(source, ScriptTemplate):
                self._settled[name] = await self._printed(name, source)
            else:
                self._settled[name] = await self._fill(source)
        return self._settled[name]

    async def _fill(self, template: Template) -> str:
        for part in template:
            if isinstance(part, Reference):
                await self._value(part.name)
        return references.fill(template, self._settled)

    async def _printed(self, name: str, source: ScriptTemplate) -> str:
        command = await self._fill(source.template)
        try:
            return await self._assignment.value(name, command, lambda text: _checked(name, text))
        except BadValue as error:
            if name != "data_age":
                raise
            # A backup of unknown freshness is better than none.
            self._assignment.warn(f"the age of the data is unknown: {error}")
            return ""


def _checked(name: str, text: str) -> str:
    """What a script printed, if it can be a value of the option."""
    if not text and name != "data_age":
        itself = "where there is no master, let it print the host itself, or its instance"
        raise BadValue(f"{output_of(name)} is empty", itself)
    check = {"data_age": grammar.age}.get(name, grammar.host)
    check(text, output_of(name))
    return text


def include(job: Job, values: Mapping[str, str]) -> tuple[Word, ...]:
    """The include of a run. BadValue where an absent instance or master has left too little."""
    words = shellwords.fill(job.include, values)
    try:
        kinds.check_paths(words)
    except BadValue as error:
        raise BadValue(f"include: {error}") from None
    return words


def exclude(job: Job, values: Mapping[str, str]) -> tuple[str, ...]:
    """The exclude of a run."""
    return shellwords.texts(shellwords.fill(job.exclude, values))
