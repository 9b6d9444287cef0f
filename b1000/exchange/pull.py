"""What a pull job does in each step.

It waits without a slot for a client's report, copies what the client offers,
tells it with an empty file, and follows it to its end. Each state of the
client's run that it sees it relays.
"""

from collections.abc import Sequence

from b1000.b1k import names
from b1000.errors import B1000Error, RunFailed
from b1000.exchange import offers
from b1000.exchange.directory import ReportDirectory
from b1000.exchange.finding import Finder
from b1000.exchange.following import ClientGone, Follower
from b1000.exchange.heartbeat import TIMEOUTS, Timeouts
from b1000.exchange.offered import Offered
from b1000.exchange.peer import Peer
from b1000.exchange.polling import Polling
from b1000.jobs import Job, Pull
from b1000.runs.events import Closed, Resolved, RunMoved, SlotWanted, Waiting
from b1000.runs.run import Client, Copy, Run, Snapshot, label
from b1000.runs.states import CopyStatus, Status, Step
from b1000.work import run_values
from b1000.work.assignment import Assignment
from b1000.work.copies import Copies, planned
from b1000.work.executor import Acting
from b1000.work.run_values import RunValues


async def carry_out(assignment: Assignment, job: Job, timeouts: Timeouts = TIMEOUTS) -> None:
    """Run all steps of a pull run. RunFailed ends it at the step where it stands."""
    await _Pulling(assignment, job, _pull_of(job), timeouts).carry_out()


async def resume(assignment: Assignment, job: Job, run: Run, timeouts: Timeouts = TIMEOUTS) -> None:
    """Go on with a run that failed or died, if the client still offers the same data."""
    assignment.step = Step.COPYING
    if job.pull is None:
        raise RunFailed(f"[job:{job.name}] is no longer a pull job")
    await _Pulling(assignment, job, _pull_of(job), timeouts).resume(run)


def _pull_of(job: Job) -> Pull:
    """Where to look, with the password of the job or else that of a destination."""
    assert job.pull
    files = [job.destinations[choice.name].password_file for group in job.dest for choice in group]
    password_file = job.pull.password_file or next(filter(None, files), None)
    return job.pull._replace(password_file=password_file)


class _Pulling:
    """One pull run at work."""

    def __init__(self, assignment: Assignment, job: Job, pull: Pull, timeouts: Timeouts) -> None:
        self._assignment = assignment
        self._job = job
        self._pull = pull
        self._timeouts = timeouts
        self._peer = Peer(assignment, pull)
        self._directory = ReportDirectory(assignment, pull, self._peer)
        polling = Polling(assignment, pull, self._directory, timeouts)
        self._finder = Finder(assignment, pull, polling)
        self._follower = Follower(assignment, pull, self._peer, polling, timeouts)

    async def carry_out(self) -> None:
        """All steps of a new run."""
        host = self._assignment.subject.host
        await self._wait(f"a report for {host} at {self._pull.source}")
        client = await self._offered()
        try:
            snapshot, copies = await self._settle(client)
            now = self._assignment.clock()
            await self._assignment.commit(Resolved(now, snapshot, copies), SlotWanted(now))
        except B1000Error:
            await self._peer.notify(client, names.ERROR)
            raise
        await self._copy_and_notify(client, snapshot, copies)

    async def resume(self, run: Run) -> None:
        """Go on with what is missing of a run."""
        assignment = self._assignment
        for copy in run.copies:
            if copy.status is CopyStatus.WARNING:
                assignment.warn(f"{copy.destination}: {copy.error}")
        missing = tuple(copy for copy in run.copies if not copy.complete)
        if not run.clients:
            raise RunFailed("it is not known what was pulled")
        client = run.clients[-1]
        await self._wait(f"another poll of {client.file} at {self._pull.source}")
        if not self._finder.take(client):
            raise RunFailed(f"another pull is at work on {client.file}")
        try:
            now = await self._follower.refresh_with_retries(client)
            if missing:
                now = await self._follower.until_offered(now)
        except ClientGone as lost:
            await self._follower.relay(lost.client)
            if missing:
                reason = f"{_whose(client)}: {lost}"
                await self._fail_for_good(reason, "the client no longer offers it")
            else:
                # All data is here, and was there when it was copied.
                well = lost.gone or lost.client.step is Step.DONE
                await self._end("" if well else f"{_whose(client)} did not end: {lost}")
            return
        if missing:
            await assignment.commit(SlotWanted(assignment.clock()))
            await self._copy_and_notify(now, run.snapshot, missing)
        elif offers.is_offered(now):
            await self._notify(now)
        else:
            await self._follow(now)

    async def _wait(self, reason: str) -> None:
        """Give the slot up."""
        await self._assignment.commit(Waiting(self._assignment.clock(), reason))

    # --- INIT

    async def _offered(self) -> Client:
        """The run of a client that waits for this pull."""
        while True:
            client = await self._finder.find()
            await self._follower.relay(client)
            if not offers.is_offered(client):
                await self._wait(f"{client.host} to prepare {_job_of(client)}")
            try:
                return await self._follower.until_offered(client)
            except ClientGone as lost:
                await self._follower.relay(lost.client)
                if not lost.newer:
                    raise RunFailed(f"{_whose(client)}: {lost}") from None
                self._assignment.log.warning("%s: %s", client.file, lost.what)
                self._finder.release()

    async def _settle(self, client: Client) -> tuple[Snapshot, tuple[Copy, ...]]:
        """What this run keeps, and its copies."""
        job = self._job
        values = await RunValues(self._assignment, job).settle()
        snapshot = Snapshot(
            master_host=client.master_host,
            master_instance=client.master_instance,
            data_age=client.data_age,
            include=run_values.include(job, values),
            exclude=run_values.exclude(job, values),
            transfer=job.transfer,
            destination_excludes=job.destination_excludes,
        )
        masters = (client.master_host, client.master_instance)
        copies, bases = planned(self._assignment, job, (client.host, client.instance, *masters))
        return snapshot._replace(bases=bases), copies

    # --- COPYING

    async def _copy_and_notify(
        self, client: Client, snapshot: Snapshot, copies: Sequence[Copy]
    ) -> None:
        assignment = self._assignment
        # The first copy makes it durable together with its own beginning.
        assignment.channel.send(assignment.moved(Step.COPYING))
        origin = Offered(self._pull, self._directory, self._follower, client)
        carrying = Copies(assignment, snapshot, self._job.type == "sync", Acting(origin))
        status, reasons = await carrying.carry_out(copies, self._job.destinations)
        if status is Status.FAILED:
            await self._notify_failure(client, reasons, origin.lost)
            return
        if status is Status.WARNING:
            assignment.warn(reasons)
        await self._notify(client)

    async def _notify_failure(self, client: Client, reason: str, lost: ClientGone | None) -> None:
        """Tell the client that its data was not copied; nobody then goes on with this run."""
        await self._wait("the client to hear that its data was not copied")
        if lost is None or lost.silent:
            trouble = await self._peer.notify(client, names.ERROR)
            if trouble and not lost:
                raise RunFailed(f"{reason}; the client could not be notified: {trouble}")
            if not lost:
                await self._follower.follow_to_end(
                    client, self._timeouts.ending_badly, copied=False
                )
        closing = "the client no longer offers it" if lost else "the client was notified"
        await self._fail_for_good(reason, closing)

    async def _fail_for_good(self, reason: str, closing: str) -> None:
        now = self._assignment.clock()
        reason = "; ".join([reason, *self._assignment.reasons])
        await self._assignment.commit(
            RunMoved(now, Step.COPYING, Status.FAILED, reason), Closed(now, closing)
        )

    # --- POST

    async def _notify(self, client: Client) -> None:
        """Tell the client that its data is here."""
        await self._wait("the client to hear that its data was copied")
        await self._follow(client, await self._peer.notify(client, names.DONE))

    async def _follow(self, client: Client, unnotified: str = "") -> None:
        """See the client to its end, also where it could not be notified; ``unnotified`` is why."""
        assignment = self._assignment
        waiting = Waiting(assignment.clock(), f"{client.host} to end {_job_of(client)}")
        await assignment.commit(assignment.moved(Step.POST), waiting)
        seconds = self._timeouts.ending
        await self._end(await self._follower.follow_to_end(client, seconds, True, unnotified))

    async def _end(self, warning: str) -> None:
        if warning:
            self._assignment.warn(warning)
        await self._assignment.commit(self._assignment.moved(Step.DONE))


def _job_of(client: Client) -> str:
    return label(client.job, client.instance)


def _whose(client: Client) -> str:
    return f"the client's run of {_job_of(client)}"
