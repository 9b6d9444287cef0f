"""What a push job does in each step."""

from collections.abc import Mapping

from b1000.config import grammar, references, shellwords
from b1000.config.options import TABLE
from b1000.errors import BadValue, RunFailed
from b1000.jobs import ON_END, Job, Reference, ScriptTemplate, Template
from b1000.runs.events import Resolved, RunMoved
from b1000.runs.run import Copy, Frozen, Run
from b1000.runs.states import CopyStatus, Status, Step
from b1000.work.assignment import Assignment, output_of
from b1000.work.copies import Copies, planned


async def carry_out(assignment: Assignment, job: Job) -> None:
    """Run all steps of a push run. RunFailed ends it at the step where it stands."""
    frozen, copies = await _init(assignment, job)
    await prepare(assignment, frozen)
    # The first copy makes it durable together with its own beginning.
    assignment.channel.send(assignment.moved(Step.COPYING))
    await _copying(assignment, job, frozen, copies)
    await finish(assignment, frozen)


async def resume(assignment: Assignment, job: Job, run: Run) -> None:
    """Go on with a run that failed or died: only what is not complete, then post."""
    assignment.step = Step.COPYING
    if run.frozen.data_age is None:
        assignment.warn("the age of the data is unknown")
    for copy in run.copies:
        if copy.status is CopyStatus.WARNING:
            assignment.warn(f"{copy.destination}: {copy.error}")
    missing = [copy for copy in run.copies if not copy.complete]
    await _copying(assignment, job, run.frozen, tuple(missing))
    await finish(assignment, run.frozen)


async def prepare(assignment: Assignment, frozen: Frozen) -> None:
    """The step PRE, where the job has a pre."""
    if frozen.pre:
        await assignment.commit(assignment.moved(Step.PRE))
        await assignment.script("pre", frozen.pre, assignment.limits.script_timeout)


async def finish(assignment: Assignment, frozen: Frozen) -> None:
    """The step POST, where the job has a post, and DONE."""
    if frozen.post:
        await assignment.commit(assignment.moved(Step.POST))
        await assignment.script("post", frozen.post, assignment.limits.script_timeout)
    assignment.channel.end(assignment.moved(Step.DONE))


# --- INIT


async def listed(assignment: Assignment, job: Job) -> tuple[str, ...]:
    """The instances that the job's command lists now. BadValue where it gives no list."""
    assert isinstance(job.instances, ScriptTemplate)

    def check(text: str) -> tuple[str, ...]:
        found = grammar.instances_or_none(text, output_of("instances"))
        if not found and not job.allow_no_instances:
            raise BadValue(
                f"{output_of('instances')} is empty",
                "its usual cause is a query that failed; allow_no_instances = yes allows it",
            )
        return found

    command = references.fill(job.instances.template, {})
    return await assignment.value("instances", command, check)


async def _init(assignment: Assignment, job: Job) -> tuple[Frozen, tuple[Copy, ...]]:
    """Settle what only this run knows, and make it durable."""
    frozen, copies = await settle(assignment, job)
    now = assignment.clock()
    messages = [Resolved(now, frozen, copies)]
    if assignment.reasons:
        warning = RunMoved(now, Step.INIT, Status.WARNING, "; ".join(assignment.reasons))
        await assignment.commit(*messages, warning)
    else:
        await assignment.commit(*messages)
    return frozen, copies


async def settle(assignment: Assignment, job: Job) -> tuple[Frozen, tuple[Copy, ...]]:
    """What only this run knows: the values of its late options, and its copies in their order."""
    subject = assignment.subject
    settled = await RunValues(assignment, job).settle()
    include = shellwords.split(settled.get("include", ""))
    # An absent instance may have left less than the configuration promised.
    TABLE["job"]["include"].kind.parse(settled.get("include", ""))
    for name in ("master_host", "master_instance"):
        if settled.get(name):
            grammar.host(settled[name], name)
    age = settled.get("data_age", "0")
    frozen = Frozen(
        master_host=settled.get("master_host", ""),
        master_instance=settled.get("master_instance", ""),
        data_age=float(age) if age else None,
        include=include,
        exclude=shellwords.texts(settled.get("exclude", "")),
        pre=settled.get("pre", ""),
        post=settled.get("post", ""),
        transfer=job.transfer,
        destination_excludes=job.destination_excludes,
        own_dump=job.type == "full" and all(subject.start_time in word.text for word in include),
    )
    masters = (frozen.master_host, frozen.master_instance)
    copies, bases = planned(assignment, job, (subject.host, subject.instance, *masters))
    return frozen._replace(bases=bases), copies


class RunValues:
    """The late options of a job, settled once for this run."""

    def __init__(self, assignment: Assignment, job: Job) -> None:
        self._assignment = assignment
        self._job = job
        self._settled = {
            "instance": assignment.subject.instance,
            "start_time": assignment.subject.start_time,
        }

    async def settle(self) -> Mapping[str, str]:
        """All values by option; a script runs once, whoever refers to it."""
        for name in self._job.deferred:
            if name not in ON_END:
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
    check = {"data_age": grammar.age}.get(name, grammar.host)
    check(text, output_of(name))
    return text


# --- COPYING


async def _copying(
    assignment: Assignment, job: Job, frozen: Frozen, copies: tuple[Copy, ...]
) -> None:
    carrying = Copies(assignment, frozen, job.type == "sync")
    status, reasons = await carrying.carry_out(copies, job.destinations)
    if status is Status.FAILED:
        raise RunFailed(reasons)
    if status is Status.WARNING:
        assignment.warn(reasons)
