"""Runs of the past that are named on the command line: which tasks they are, and what is said."""

from collections.abc import Sequence

from b1000.config.selectors import TO_FORGET, TO_RESUME, Selector
from b1000.identity import is_alive
from b1000.logs import for_run
from b1000.runs.run import Run, label
from b1000.runs.task import Task, TaskKind
from b1000.state import outbox
from b1000.supervise import narrative, recovery
from b1000.supervise.program import Program


class EarlierRuns:
    """What ``--copy`` and ``forget`` find to be done."""

    def __init__(self, program: Program, asked: Sequence[Selector], kind: TaskKind) -> None:
        """Raises UsageError for names that are not known, JournalFailed."""
        self._program = program
        self._selectors = asked
        self._kind = kind
        reader = program.records.reader
        unclosed, lasts = reader.unclosed(), reader.last_runs()
        known = (program.config.jobs, (*lasts, *unclosed), reader.listed_instances())
        wording = TO_FORGET if kind.forgets else TO_RESUME
        selection = recovery.select(asked, *known, wording)
        self._runs = [run for run in unclosed if recovery.is_selected(run, selection)]
        self._lasts = [run for run in lasts if recovery.is_selected(run, selection)]
        if kind is TaskKind.FORGET_WITH_POST:
            self._runs += filter(recovery.has_post_left, self._lasts)
        self._of_dead = [run for run in self._runs if recovery.is_recoverable(run, is_alive)]

    @property
    def reports(self) -> set[str]:
        """The reports that these runs have."""
        marks = {
            outbox.of_marks(copy.destination)
            for run in self._of_dead
            for copy in run.copies
            if copy.marked
        }
        return marks | {name for run in self._of_dead for name in run.reports}

    def tasks(self) -> tuple[Task, ...]:
        """What is to be done."""
        return tuple(recovery.plan(self._of_dead, self._program.config.jobs, self._kind))

    def log_all(self) -> None:
        """Say what is not done, and why."""
        self._skip_live()
        if self._kind.forgets:
            self._log_nothing()

    def _skip_live(self) -> None:
        """What another program is at work on can neither be resumed nor given up."""
        planned = {(run.job, run.instance) for run in self._of_dead}
        reader = self._program.records.reader
        for run in self._runs:
            live = not recovery.is_recoverable(run, is_alive)
            meant = self._kind is not TaskKind.RESUME or reader.is_resumed(run.run_id)
            if live and meant and (run.job, run.instance) not in planned:
                self._program.tally.skipped += 1
                spoken = narrative.behind(narrative.still_at_work(run), self._kind)
                for_run(run.label, run.run_id, shown=True).log(*spoken)

    def _log_nothing(self) -> None:
        """Say of each word what there is not to be forgotten."""
        runs: list[Run] = list(self._runs)
        known = {(run.job, run.instance) for run in runs}
        with_post = self._kind is TaskKind.FORGET_WITH_POST
        for run in self._lasts:
            text = recovery.left_alone(run, with_post, self._program.config.path)
            if text and (run.job, run.instance) not in known:
                runs.append(run)
                for_run(run.label, run.run_id, shown=True).info("%s", text)
        for job, instance in self._selectors:
            if not any(run.job == job and instance in (None, run.instance) for run in runs):
                subject = label(job, instance or "")
                for_run(subject, shown=True).info("there is nothing to forget")
