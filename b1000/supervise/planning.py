"""Jobs become runs: their instances are asked for, and what each may meet is settled."""

from collections.abc import Iterable

from b1000.errors import JournalFailed
from b1000.jobs import Job
from b1000.logs import for_run
from b1000.runs.task import Task, TaskKind
from b1000.supervise.decisions import DirectoryResolved, Gated, TasksAdded
from b1000.supervise.launch import subject_of
from b1000.supervise.program import Program


class Planning:
    """Plans the jobs of one program that were selected."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._begun = False  # not before all that was named is known to exist

    def list_named(self) -> None:
        """Ask for the instances of jobs of which some were named: the names may be wrong."""
        self._list(self._program.plan.to_list_first())

    def begin(self) -> None:
        """What was named exists: ask for the instances of all others, and plan what can be."""
        program = self._program
        program.plan.know_unselected(program.records.reader.listed_instances())
        self._list(program.plan.to_list())
        self._begun = True

    def _list(self, jobs: Iterable[Job]) -> None:
        self._program.decide(TasksAdded(tuple(Task(TaskKind.LISTING, job) for job in jobs)))

    @property
    def waits(self) -> bool:
        """Whether there is a job that can be planned."""
        return self._begun and not self._program.signal and bool(self._program.plan.ready())

    def go_on(self) -> None:
        """Plan the jobs of which all is known; where the journal fails, that is done later."""
        if not self.waits:
            return
        program = self._program
        try:
            for name in program.plan.ready():
                tasks = program.plan.plan(name, program.records.reader.owners_of_names)
                self._know_directories(name)
                program.plan.strike_off(name)
                program.decide(TasksAdded(tuple(tasks)))
        except JournalFailed as error:
            program.records.recorder.mark_failed(error)

    def _know_directories(self, job: str) -> None:
        """Instances that were not asked for have the directories that they had last."""
        program = self._program
        gate = program.plan.gate(job)
        if not gate:
            return
        program.decide(Gated(job, gate))
        for instance in gate.elsewhere:
            run = program.records.reader.last_run(job, instance)
            directory = subject_of(run) if run and run.copies else None
            program.decide(DirectoryResolved(job, instance, directory))

    def give_up(self) -> None:
        """Nothing can be begun without a journal: say so for each, once patience has ended."""
        program = self._program
        tasks = program.schedule.give_up()
        for task in tasks:
            if task.kind is TaskKind.LISTING:
                program.plan.know_failed(task.job.name)
        for name in program.plan.ready() if self._begun else []:
            tasks += program.plan.plan(name)
            program.plan.strike_off(name)
        for task in tasks:
            program.resolve_without_directory(task)
            program.tally.failed += 1
            for_run(task.label).error("FAILED: not begun: %s", program.records.recorder.why)
