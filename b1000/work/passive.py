"""What a passive job does in each step: it prepares data, and waits until others have pulled it.

It meets them in the directories of its file reports. The reporter writes the
report there, from the journal; here it is only looked for. Of what others write
there nothing but the name of a notification counts: no file of theirs is opened.
"""

import asyncio
import contextlib
import os
import random
import re
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from b1000.errors import RunFailed
from b1000.files import write_atomically
from b1000.jobs import Destination, Job
from b1000.meeting import names
from b1000.runs.events import AttemptBegan, AttemptEnded, CopyMoved, PlaceWanted, Resolved, Waiting
from b1000.runs.run import Copy, Frozen, Run
from b1000.runs.states import CopyStatus, Status, Step, status_of_copies
from b1000.work.assignment import NO_DESTINATION, Assignment
from b1000.work.push import Values

_POLL = 0.5  # seconds between looks for a notification
_WRITTEN = 20.0  # seconds that the reporter has to write a report
_NEXT_LOOK = 0.05  # seconds between looks for the report


async def carry_out(assignment: Assignment, job: Job) -> None:
    """Run all steps of a passive run. RunFailed ends it at the step where it stands."""
    meeting = _Meeting(assignment, job)
    meeting.clear()
    values = await Values(assignment, job).settle()
    frozen = Frozen(pre=values.get("pre", ""), post=values.get("post", ""))
    copies = tuple(
        Copy(
            choice.name,
            f"pull://{job.destinations[choice.name].host}",
            choice.background,
            type="passive",
        )
        for group in job.dest
        for choice in random.sample(group, len(group))
    )
    await assignment.commit(Resolved(assignment.clock(), frozen, copies))
    # Data is rewritten only when everybody can see that an older report is out of date.
    await meeting.written(Step.INIT)
    if frozen.pre:
        await assignment.commit(assignment.moved(Step.PRE))
        await assignment.script("pre", frozen.pre, job.limits.script_timeout)
    await _offer(assignment, job, meeting, copies)
    await _post(assignment, frozen)


async def resume(assignment: Assignment, job: Job, run: Run) -> None:
    """Go on with a run that failed or died: whoever has not pulled yet may do so."""
    assignment.step = Step.COPYING
    meeting = _Meeting(assignment, job)
    missing = tuple(copy for copy in run.copies if not copy.complete)
    await _offer(assignment, job, meeting, missing)
    await _post(assignment, run.frozen)


async def _post(assignment: Assignment, frozen: Frozen) -> None:
    if frozen.post:
        await assignment.commit(assignment.moved(Step.POST))
        await assignment.script("post", frozen.post, assignment.limits.script_timeout)
    await assignment.commit(assignment.moved(Step.DONE))


# --- COPYING


async def _offer(
    assignment: Assignment, job: Job, meeting: "_Meeting", copies: tuple[Copy, ...]
) -> None:
    """Wait until each copy has been pulled; the run has no place meanwhile."""
    for copy in copies:
        destination = job.destinations.get(copy.destination)
        if destination and destination.host:
            meeting.forget(destination.host)
    hosts = ", ".join(copy.path.removeprefix("pull://") for copy in copies)
    assignment.channel.tell(assignment.moved(Step.COPYING))
    await assignment.commit(Waiting(assignment.clock(), f"{hosts} to pull"))
    ended: list[tuple[Copy, str]] = []
    async with asyncio.TaskGroup() as group:
        tasks = []
        for copy in copies:
            task = group.create_task(_await_pull(assignment, job, meeting, copy))
            tasks.append((copy, task))
            if not copy.background:
                await asyncio.wait([task])
    ended = [(copy, task.result()) for copy, task in tasks]
    told = [f"{copy.destination}: {reason}" for copy, reason in ended if reason]
    outcome = status_of_copies(
        CopyStatus.FAILED if reason else CopyStatus.DONE for _, reason in ended
    )
    if outcome is Status.FAILED:
        raise RunFailed("; ".join(told))
    await assignment.commit(PlaceWanted(assignment.clock()))


async def _await_pull(assignment: Assignment, job: Job, meeting: "_Meeting", copy: Copy) -> str:
    """Wait for the notification of one host; gives why the copy FAILED, or ""."""
    number = copy.attempts + 1
    now = assignment.clock()
    destination = job.destinations.get(copy.destination)
    if destination is None or not destination.host:
        reason = NO_DESTINATION
        await assignment.commit(CopyMoved(now, copy.destination, CopyStatus.FAILED, reason))
        return reason
    await assignment.commit(
        CopyMoved(now, copy.destination, CopyStatus.COPYING),
        AttemptBegan(now, copy.destination, number),
    )
    try:
        await meeting.written(Step.COPYING, copy.destination)
        reason = await meeting.notified(destination)
    except RunFailed as error:
        reason = str(error)
    status = CopyStatus.FAILED if reason else CopyStatus.DONE
    now = assignment.clock()
    await assignment.commit(
        AttemptEnded(now, copy.destination, number, None, reason),
        CopyMoved(now, copy.destination, status, reason),
    )
    return reason


@dataclass
class _Meeting:
    """The report files of one run, and the notifications beside them."""

    assignment: Assignment
    job: Job
    clock: Callable[[], float] = time.monotonic

    @property
    def _report(self) -> str:
        subject = self.assignment.subject
        return names.report_file(subject.job, subject.instance, subject.start_time)

    @property
    def _directories(self) -> Iterable[Path]:
        return map(Path, self.job.report_directories)

    def clear(self) -> None:
        """Remove what was notified of earlier runs of this job; what resists means nothing now."""
        subject = self.assignment.subject
        stem = re.escape(f"{subject.job}-{subject.instance}-")
        stale = re.compile(
            rf"{stem}\d{{4}}(-\d\d){{5}}{re.escape(names.REPORT_SUFFIX)}\..+"
            rf"\.({names.DONE}|{names.ERROR})"
        )
        for directory in self._directories:
            with contextlib.suppress(OSError):
                for file in filter(stale.fullmatch, os.listdir(directory)):
                    with contextlib.suppress(OSError):
                        (directory / file).unlink()

    def forget(self, host: str) -> None:
        """Remove what a host has notified of this run."""
        for directory in self._directories:
            for ending in (names.DONE, names.ERROR):
                self._remove(directory / names.notification(self._report, host, ending))

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except IsADirectoryError:
            raise RunFailed(f"{path} is a directory; remove it") from None
        except OSError as error:
            raise RunFailed(f"{path} cannot be removed: {error.strerror}") from None

    async def written(self, step: Step, destination: str = "") -> None:
        """Wait until all reports tell of the step, and that a destination is COPYING."""
        until = self.clock() + _WRITTEN
        shows = re.compile(rf"^step = {step}\nstatus = (?!{Status.FAILED})", re.MULTILINE)
        copying = re.compile(
            rf"^\[dest:{re.escape(destination)}\]\n(?:[^\[\n].*\n)*?status = {CopyStatus.COPYING}$",
            re.MULTILINE,
        )
        for directory in self._directories:
            path = directory / self._report
            while True:
                text = _content(path)
                if shows.search(text) and (not destination or copying.search(text)):
                    break
                if self.clock() > until:
                    raise RunFailed(
                        f"the report {path} was not written within {_WRITTEN:.0f} s, and nobody "
                        f"pulls what he cannot see: {_in_the_way(path)}"
                    )
                await asyncio.sleep(_NEXT_LOOK)

    async def notified(self, destination: Destination) -> str:
        """Wait for what a host says of its pull; gives why it FAILED, or ""."""
        until = self.clock() + destination.timeout
        host = destination.host
        while True:
            if self._says(host, names.ERROR):
                return f"{host} could not copy it; b1000 status on {host} tells why"
            if self._says(host, names.DONE):
                return ""
            if self.clock() > until:
                return f"{host} did not pull it within {destination.timeout} s (timeout)"
            await asyncio.sleep(_POLL)

    def _says(self, host: str, ending: str) -> bool:
        file = names.notification(self._report, host, ending)
        return any(os.path.lexists(directory / file) for directory in self._directories)


def _in_the_way(path: Path) -> str:
    """What keeps a report from being written, as far as trying tells."""
    if path.is_dir():
        return f"{path} is a directory"
    trial = path.with_name(f".b1000-{os.urandom(8).hex()}")
    try:
        write_atomically(trial, "x" * names.LARGEST_REPORT, 0o600, durable=False)
        trial.unlink()
    except OSError as error:
        return f"{path.parent}: {error.strerror}"
    return "its reporter did not answer in time"


def _content(path: Path) -> str:
    """The text of a report; "" where there is none, or something else in its place."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        text = os.read(descriptor, names.LARGEST_REPORT) if regular else b""
    finally:
        os.close(descriptor)
    return text.decode("utf-8", "replace")
