"""What a push job does in each step."""

from b1000.config import grammar, references
from b1000.errors import BadValue, RunFailed
from b1000.jobs import Job
from b1000.runs.events import Message, Resolved, RunMoved
from b1000.runs.run import Copy, Run, Snapshot
from b1000.runs.states import CopyStatus, Status, Step
from b1000.templates import ScriptTemplate
from b1000.work import run_values
from b1000.work.assignment import Assignment, output_of
from b1000.work.copies import Copies, planned
from b1000.work.executor import Acting, Executor
from b1000.work.run_values import RunValues

ACTING = Acting()
"""Does what a run of this host's data asks for."""


async def carry_out(assignment: Assignment, job: Job, executor: Executor = ACTING) -> None:
    """Run all steps of a push run. RunFailed ends it at the step where it stands."""
    snapshot, copies = await _init(assignment, job)
    await prepare(assignment, snapshot, executor)
    # The first copy makes it durable together with its own beginning.
    assignment.channel.send(assignment.moved(Step.COPYING))
    await _copying(assignment, job, snapshot, copies, executor)
    await finish(assignment, snapshot, executor)


async def resume(assignment: Assignment, job: Job, run: Run) -> None:
    """Go on with a run that failed or died: only what is not complete, then post."""
    assignment.step = Step.COPYING
    if run.snapshot.data_age is None:
        assignment.warn("the age of the data is unknown")
    for copy in run.copies:
        if copy.status is CopyStatus.WARNING:
            assignment.warn(f"{copy.destination}: {copy.error}")
    missing = [copy for copy in run.copies if not copy.complete]
    await _copying(assignment, job, run.snapshot, tuple(missing), ACTING)
    await finish(assignment, run.snapshot, ACTING)


async def prepare(assignment: Assignment, snapshot: Snapshot, executor: Executor) -> None:
    """The step PRE, where the job has a pre."""
    if snapshot.pre:
        await assignment.commit(assignment.moved(Step.PRE))
        await executor.script(assignment, "pre", snapshot.pre)


async def finish(assignment: Assignment, snapshot: Snapshot, executor: Executor) -> None:
    """The step POST, where the job has a post, and DONE."""
    if snapshot.post:
        await assignment.commit(assignment.moved(Step.POST))
        await executor.script(assignment, "post", snapshot.post)
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


async def _init(assignment: Assignment, job: Job) -> tuple[Snapshot, tuple[Copy, ...]]:
    """Settle what only this run knows; durable before PRE or the first copy is."""
    snapshot, copies = await settle(assignment, job)
    now = assignment.clock()
    messages: list[Message] = [Resolved(now, snapshot, copies)]
    if assignment.reasons:
        warning = RunMoved(now, Step.INIT, Status.WARNING, "; ".join(assignment.reasons))
        messages.append(warning)
    if assignment.alone:
        assignment.channel.send(*messages)
    else:
        await assignment.commit(*messages)
    return snapshot, copies


async def settle(assignment: Assignment, job: Job) -> tuple[Snapshot, tuple[Copy, ...]]:
    """What only this run knows: values of deferred options, and its copies in their order."""
    subject = assignment.subject
    settled = await RunValues(assignment, job).settle()
    include = run_values.include(job, settled)
    for name in ("master_host", "master_instance"):
        if settled.get(name):
            grammar.host(settled[name], name)
    age = settled.get("data_age", "0")
    snapshot = Snapshot(
        master_host=settled.get("master_host", ""),
        master_instance=settled.get("master_instance", ""),
        data_age=float(age) if age else None,
        include=include,
        exclude=run_values.exclude(job, settled),
        pre=settled.get("pre", ""),
        post=settled.get("post", ""),
        transfer=job.transfer,
        destination_excludes=job.destination_excludes,
        own_dump=job.type == "full" and all(subject.start_time in word.text for word in include),
    )
    masters = (snapshot.master_host, snapshot.master_instance)
    copies, bases = planned(assignment, job, (subject.host, subject.instance, *masters))
    return snapshot._replace(bases=bases), copies


# --- COPYING


async def _copying(
    assignment: Assignment,
    job: Job,
    snapshot: Snapshot,
    copies: tuple[Copy, ...],
    executor: Executor,
) -> None:
    carrying = Copies(assignment, snapshot, job.type == "sync", executor)
    status, reasons = await carrying.carry_out(copies, job.destinations)
    if status is Status.FAILED:
        raise RunFailed(reasons)
    if status is Status.WARNING:
        assignment.warn(reasons)
