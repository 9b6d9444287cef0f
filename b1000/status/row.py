"""One run as it is shown, and what is computed of it."""

from collections.abc import Mapping, Sequence

from b1000.config import DEFAULT_FILE
from b1000.config.commandline import commandline
from b1000.config.loader import Config
from b1000.config.selectors import selecting
from b1000.named import NamedTuple
from b1000.progress_files import Progress
from b1000.runs.run import Copy, Run, label
from b1000.runs.states import CopyStatus, Status, Step, can_be_retried

RESTORE = "restore"
"""The direction of what brings a backup back."""


class StatusRow(NamedTuple):
    """One run of a job/instance; ``run`` is None where it never ran.

    ``died``: its supervisor is gone. ``last``: there is no later run. ``waits``
    says for what it waits, ``notes`` what else there is to know of its copies, ``progress`` how
    far they are, by destination.
    """

    job: str
    instance: str
    direction: str
    type: str
    host: str
    run: Run | None
    died: bool = False
    last: bool = True
    waits: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    progress: Mapping[str, Progress] = {}
    config_path: str = DEFAULT_FILE

    @property
    def label(self) -> str:
        """``job`` or ``job/instance``."""
        return label(self.job, self.instance)

    @property
    def step(self) -> Step | None:
        """Where the run stands."""
        return self.run.step if self.run else None

    @property
    def status(self) -> Status | None:
        """How the run fares; one whose supervisor died has FAILED."""
        if not self.run:
            return None
        return Status.FAILED if self.died else self.run.status

    @property
    def error(self) -> str:
        """Why it is not OK."""
        if not self.run:
            return ""
        return "interrupted" if self.died else self.run.error

    @property
    def live(self) -> bool:
        """Whether it is under way."""
        return self.run is not None and self.run.ending is None and not self.died

    @property
    def resumable(self) -> bool:
        """Whether ``--copy`` would go on with it."""
        run = self.run
        if not run or run.superseded or self.direction == RESTORE:
            return False
        return can_be_retried(run.step, run.status, run.ending, self.died)

    @property
    def way_out(self) -> str:
        """How it is resumed, or given up where that is no use; "" where it is left alone."""
        if not self.resumable:
            return ""
        word = selecting(self.job, self.instance)
        if self.run and self.run.hopeless:
            return f"{commandline(self.config_path, 'forget', word)} gives it up"
        return f"{commandline(self.config_path, '--copy', word)} resumes it"

    def duration(self, now: float) -> float | None:
        """Seconds from start to end, or until now; None where the end is not known."""
        if not self.run or self.died:
            return None
        end = self.run.ended if self.run.ended is not None else now
        return round(max(0.0, end - self.run.began), 3)

    def status_of(self, copy: Copy) -> CopyStatus:
        """How a copy fares; one that a dead run was making has FAILED."""
        died = self.died and copy.status is CopyStatus.COPYING
        return CopyStatus.FAILED if died else copy.status

    def bytes_of(self, copy: Copy) -> int | None:
        """Its bytes, or how many have been copied so far; None where nothing is known."""
        current = self.progress.get(copy.destination)
        return copy.bytes if copy.bytes is not None or not current else current.bytes


def never(config: Config, job: str, instance: str) -> StatusRow:
    """That of one that never ran."""
    configured = config.jobs[job]
    return StatusRow(
        job, instance, configured.direction, configured.type, config.settings.host, None
    )


def exit_code(rows: Sequence[StatusRow]) -> int:
    """1 where a last run that is shown FAILED."""
    return int(any(row.last and row.status is Status.FAILED for row in rows))
