"""The report files of one passive run, and what the hosts that pull say beside them."""

import contextlib
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

from b1000.b1k import form, names, report_file
from b1000.errors import BadValue, RunFailed
from b1000.files import read_file, write_atomically
from b1000.jobs import Destination, Job
from b1000.runs.states import CopyStatus, Status, Step
from b1000.work.assignment import Assignment
from b1000.work.waiting import sleep

_POLL = 0.5  # seconds between looks for a notification
_WRITTEN = 20.0  # seconds that the reporter has to write a report
_NEXT_LOOK = 0.05  # seconds between looks for the report


class Notices:
    """The report files of one run, and the notifications beside them."""

    def __init__(self, assignment: Assignment, job: Job) -> None:
        self.assignment = assignment
        self.job = job

    @property
    def _report(self) -> str:
        subject = self.assignment.subject
        return names.file_name(subject.job, subject.instance, subject.start_time)

    @property
    def _directories(self) -> Iterable[Path]:
        return map(Path, self.job.report_directories)

    def clear(self) -> None:
        """Remove what was notified of earlier runs of this job; what resists means nothing now."""
        subject = self.assignment.subject
        stem = re.escape(f"{subject.job}-{subject.instance}-")
        stale = re.compile(
            rf"{stem}\d{{4}}(-\d\d){{5}}{re.escape(names.SUFFIX)}\..+"
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
        until = time.monotonic() + _WRITTEN
        for directory in self._directories:
            path = directory / self._report
            while not _says(path, step, destination):
                if time.monotonic() > until:
                    raise RunFailed(
                        f"the report {path} was not written within {_WRITTEN:.0f} s, and no host "
                        f"can pull what it cannot see: {_in_the_way(path)}"
                    )
                await sleep(_NEXT_LOOK)

    async def notified(self, destination: Destination) -> str:
        """Wait for what a host says of its pull; gives why it FAILED, or ""."""
        until = time.monotonic() + destination.timeout
        host = destination.host
        while True:
            if self._is_there(host, names.ERROR):
                return f"{host} could not copy it; b1000 status on {host} tells why"
            if self._is_there(host, names.DONE):
                return ""
            if time.monotonic() > until:
                return f"{host} did not pull it within {destination.timeout} s (timeout)"
            await sleep(_POLL)

    def _is_there(self, host: str, ending: str) -> bool:
        file = names.notification(self._report, host, ending)
        return any(os.path.lexists(directory / file) for directory in self._directories)


def _says(path: Path, step: Step, destination: str) -> bool:
    """Whether a report tells of the step, and that the destination, if one is named, is COPYING."""
    try:
        data = read_file(path, form.LARGEST + 1, follow=False)
        report = report_file.parse(data, path.name)
    except (BadValue, OSError):
        return False
    copying = {each.name for each in report.targets if each.status is CopyStatus.COPYING}
    here = report.step is step and report.status is not Status.FAILED
    return here and (not destination or destination in copying)


def _in_the_way(path: Path) -> str:
    """What keeps a report from being written, as far as trying tells."""
    if path.is_dir():
        return f"{path} is a directory"
    trial = path.with_name(f".b1000-{os.urandom(8).hex()}")
    try:
        write_atomically(trial, "x" * form.LARGEST, 0o600, durable=False)
        trial.unlink()
    except OSError as error:
        return f"{path.parent}: {error.strerror}"
    return "its reporter did not answer in time"
