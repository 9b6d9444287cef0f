"""What a worker does for each kind of task."""

from collections.abc import Mapping
from typing import Protocol, assert_never

from b1000.config import references
from b1000.errors import B1000Error, BadValue, RunFailed
from b1000.jobs import BrokenJob, Job, Limits
from b1000.locks import Locks
from b1000.logstyle import ERROR, WARNING
from b1000.runs.events import Closed, InstancesListed, RunMoved
from b1000.runs.protocol import Assigned
from b1000.runs.run import Run, end_option
from b1000.runs.states import Status
from b1000.runs.task import TaskKind
from b1000.work.assignment import Assignment
from b1000.work.channel import Channel


async def carry_out(
    assigned: Assigned,
    jobs: Mapping[str, Job | BrokenJob],
    locks: Locks,
    lock: int | None,
    channel: Channel,
) -> bool:
    """Do a task; gives whether it ended well, so that its process may be given another."""
    job, run = jobs.get(assigned.subject.job), assigned.run
    limits = job.limits if job else Limits()
    assignment = Assignment(
        assigned.subject,
        limits,
        channel,
        locks,
        lock,
        run_id=assigned.run_id,
        known=assigned.known,
        marks_at=assigned.marks_at,
        alone=assigned.alone,
    )
    match assigned.kind:
        case TaskKind.RUN | TaskKind.RESUME:
            assert isinstance(job, Job)
            return await _carry_out_run(assignment, job, run)
        case TaskKind.FORGET_WITH_POST:
            assert run
            return await _post(assignment, run)
        case TaskKind.LISTING:
            assert isinstance(job, Job)
            return await _list(assignment, job)
        case TaskKind.ON_END:
            assert run
            assert job
            return await _on_end(assignment, job, run)
        case TaskKind.FORGET:
            raise AssertionError("nothing of it is a worker's")
        case _:
            assert_never(assigned.kind)


class Direction(Protocol):
    """What a direction does in each step; RunFailed ends a run at the step where it stands."""

    async def carry_out(self, assignment: Assignment, job: Job) -> None:
        """Run all steps of a run."""

    async def resume(self, assignment: Assignment, job: Job, run: Run) -> None:
        """Go on with a run that failed or died."""


def direction(name: str) -> Direction:
    """What only one direction needs is imported only for it."""
    match name:
        case "passive":
            from b1000.exchange import passive

            return passive
        case "pull":
            from b1000.exchange import pull

            return pull
        case _:
            from b1000.work import push

            return push


async def _carry_out_run(assignment: Assignment, job: Job, past: Run | None) -> bool:
    """A new run, or one of the past that is resumed."""
    try:
        if past:
            steps = direction(past.direction)
            await steps.resume(assignment, job._replace(type=past.type), past)
        else:
            await direction(job.direction).carry_out(assignment, job)
    except (RunFailed, BadValue) as error:
        reasons = "; ".join([str(error), *assignment.reasons])
        failed = RunMoved(assignment.clock(), assignment.step, Status.FAILED, reasons)
        assignment.channel.end(failed)
        return False
    return True


async def _post(assignment: Assignment, run: Run) -> bool:
    """The post of a run that is given up, which closes it."""
    post = run.snapshot.post
    try:
        if post:
            await assignment.script("post", post, assignment.limits.script_timeout)
    except RunFailed as error:
        assignment.log.error("not forgotten: %s", error)
        return False
    after = ", after its post" if post else "; it has no post"
    assignment.channel.end(Closed(assignment.clock(), f"forgotten by hand{after}"))
    return True


async def _list(assignment: Assignment, job: Job) -> bool:
    """Ask the ``instances`` command of a job for its list."""
    from b1000.work import push

    try:
        instances = await push.listed(assignment, job)
    except BadValue as error:
        assignment.channel.end(InstancesListed(assignment.clock(), error=str(error)))
        return False
    assignment.channel.end(InstancesListed(assignment.clock(), instances))
    return True


async def _on_end(assignment: Assignment, job: Job | BrokenJob, run: Run) -> bool:
    """Run ``on_failure`` or ``on_success`` for a run that has ended."""
    option = end_option(run)
    command = job.end_command(option)
    assert command is not None
    values: Mapping[str, str] = {
        "instance": run.instance,
        "start_time": run.start_time,
        "master_host": run.snapshot.master_host,
        "master_instance": run.snapshot.master_instance,
        "data_age": "" if run.snapshot.data_age is None else f"{run.snapshot.data_age:g}",
    }
    try:
        limit = assignment.limits.dynamic_timeout
        text = references.fill(command, values)
        await assignment.script(option, text, limit, _told_at_the_end(run))
    except B1000Error as error:
        # That nobody hears of a failure is one; a ping that got lost is soon followed by another.
        level = ERROR if run.status is Status.FAILED else WARNING
        assignment.log.log(level, "%s", error)
        return False
    return True


def _told_at_the_end(run: Run) -> Mapping[str, str]:
    """What the environment of such a command tells: whole seconds, "" for what is not known."""
    sizes = [copy.bytes for copy in run.copies if copy.bytes is not None]
    ended = run.changed if run.ended is None else run.ended
    return {
        "B1000_STEP": run.step,
        "B1000_STATUS": run.status,
        "B1000_ERROR": run.error,
        "B1000_BYTES": str(max(sizes)) if sizes else "",
        "B1000_DURATION": str(int(max(0.0, ended - (run.began or run.started)))),
    }
