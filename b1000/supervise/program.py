"""What the parts of one supervisor share: its journal, its workers, and what is to be done."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from b1000.config.loader import Config
from b1000.errors import message_of
from b1000.identity import myself
from b1000.jobs import BrokenJob, Job
from b1000.locks import Locks
from b1000.logs import for_all, for_run
from b1000.runs.events import InstancesListed
from b1000.runs.protocol import Delivered, MarksTaken
from b1000.runs.run import Run, end_option
from b1000.runs.task import Task, TaskKind
from b1000.state.journal import Journal
from b1000.supervise.cleanup import Cleanup
from b1000.supervise.decisions import Action, DirectoryResolved, Event, Start, TasksAdded
from b1000.supervise.launch import Launch
from b1000.supervise.plan import Plan
from b1000.supervise.pool import Pool
from b1000.supervise.recorder import Entry
from b1000.supervise.records import Records
from b1000.supervise.reporting import Reporting
from b1000.supervise.schedule import Schedule
from b1000.supervise.tally import Tally


class Program:
    """One run of the program; ``signal`` is what stops it, once something does."""

    pool: Pool
    records: Records
    launch: Launch

    def __init__(
        self,
        config: Config,
        locks: Locks,
        plan: Plan,
        reporting: Reporting,
    ) -> None:
        self.config = config
        self.locks = locks
        self.plan = plan
        self.reporting = reporting
        self.clock = time.time
        self.me = myself()
        self.tally = Tally()
        self.actions: list[Action] = []
        self.cleanups: list[Cleanup] = []
        self.signal: int | None = None
        self.marks_at: dict[str, str] = {}  # root → where its marks are taken
        self.schedule = Schedule(config.settings.workers, self._owner)

    def _owner(self, job: str, instances: Iterable[str], directory: str) -> str | None:
        return self.launch.owner_of_directory(job, tuple(instances), directory)

    def decide(self, event: Event) -> None:
        """Tell the schedule; what is to be done because of it is done later in the loop."""
        self.actions += self.schedule.decide(event, self.clock())

    def take_starts(self) -> list[Start]:
        """The tasks that may begin now, but for commands that follow the end of a run."""
        found: list[Start] = []
        left: list[Action] = []
        for each in self.actions:
            if isinstance(each, Start) and each.task.kind is not TaskKind.ON_END:
                found.append(each)
            else:
                left.append(each)
        self.actions = left
        return found

    @contextmanager
    def transaction(self) -> Iterator[Journal]:
        """One commit for what is begun within and all that is to be recorded, and a look of the
        reporters at both. JournalFailed.
        """
        with self.records.recorder.transaction() as journal:
            yield journal
        self.reporting.look_soon()

    def write(self, entries: Iterable[Entry] = (), delivered: Iterable[Delivered] = ()) -> None:
        """Make something durable, or keep it until that is possible."""
        if self.records.recorder.write(entries, delivered):
            self.reporting.look_soon()

    def note_marks_taken(self, where: MarksTaken) -> None:
        """A daemon was asked where it takes marks: neither runs nor the reporter need ask again."""
        if self.marks_at.get(where.root) != where.target:
            self.marks_at[where.root] = where.target
            self.reporting.note_marks_taken(where)

    def listed(self, job: Job | BrokenJob, listed: InstancesListed) -> None:
        """The ``instances`` command of a job gave this, or failed."""
        if listed.error:
            self.plan.know_failed(job.name)
            self.decide(TasksAdded((Task(TaskKind.RUN, job, refusal=listed.error),)))
        else:
            for_run(job.name).info("instances: %s", ", ".join(listed.instances) or "none")
            self.plan.know(job.name, listed.instances)

    def resolve_without_directory(self, task: Task) -> None:
        """Nobody need wait at the gate for the directory of this job/instance."""
        self.decide(DirectoryResolved(*task.subject, None))

    def note_failure(self, run: Run) -> None:
        """A run has FAILED: count it, and run what is to be run then."""
        self.tally.failed += 1
        self.follow_end(run)

    def following(self, run: Run) -> Job | BrokenJob | None:
        """The job, if it has an ``on_failure`` or ``on_success`` for how a run ended."""
        job = self.config.jobs.get(run.job)
        return job if job and job.end_command(end_option(run)) else None

    def follow_end(self, run: Run) -> None:
        """Run ``on_failure`` or ``on_success``, where the job has it."""
        job = self.following(run)
        if job and not self.signal:
            self.decide(TasksAdded((Task(TaskKind.ON_END, job, run.instance, run),)))

    def make_backup_dir(self) -> None:
        """Scripts prepare data there; where that fails they have words of their own for it."""
        directory = self.config.settings.backup_dir
        if not directory:
            return
        try:
            Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            for_all().warning("backup_dir cannot be made: %s", message_of(error))
