"""What ``b1000 status`` knows: runs, what they wait for, what is pending and what was skipped."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from b1000.addresses import one_place
from b1000.config.loader import Config
from b1000.errors import UsageError
from b1000.expressions import expression
from b1000.identity import is_alive
from b1000.named import NamedTuple
from b1000.progress_files import Progress, directory_of, path_of, path_of_restore, read
from b1000.runs.run import Run
from b1000.runs.states import CopyStatus, Status, Step
from b1000.state import outbox
from b1000.state.detail_queries import PastAttempt, PastTransition, Skipped, Started
from b1000.state.outbox_queries import Backlog
from b1000.state.queries import Reader, may_exist
from b1000.status import restores
from b1000.status.order import worst_first
from b1000.status.question import StatusQuestion, shown
from b1000.status.row import StatusRow, never

_BEHIND = expression(r"run ([0-9]{1,18}) of ")  # as the supervisor's narrative tells of it
_SOON = 10.0  # seconds within which a report may lack a state without being behind


class Overview(NamedTuple):
    """The answer: rows, the worst first, of each the newest run first; and what else is known.

    ``unseen`` are runs that ``--copy`` would go on with and that have no row, the newest first.
    ``damaged`` says which rows of the journal could not be read.
    """

    rows: list[StatusRow]
    unseen: Sequence[StatusRow] = ()
    pending: Sequence[Backlog] = ()
    skipped: Sequence[Skipped] = ()
    damaged: str = ""


def collect(
    config: Config,
    question: StatusQuestion,
    alive: Callable[..., bool] = is_alive,
    clock: Callable[[], float] = time.time,
) -> Overview:
    """Ask the journal. UsageError for a job or instance that nobody knows."""
    journal = Path(config.settings.journal)
    if not may_exist(journal):
        subjects = shown(config, question, {}, {})
        never_ran = [[never(config, *each)] for each in subjects]
        return Overview([] if question.failed else worst_first(never_ran))
    with Reader(journal) as reader:
        answer = _Collector(config, reader, alive, clock()).answer(question)
        return answer._replace(damaged=damage(reader))


def damage(reader: Reader) -> str:
    """What could not be read in the journal, in a sentence; "" where all could be."""
    if not reader.damaged:
        return ""
    columns = ", ".join(sorted(reader.damaged))
    return f"the journal {reader.path} has damaged rows ({columns}); the next b1000 closes them"


def story_of(
    config: Config, run_id: int, alive: Callable[..., bool] = is_alive
) -> "tuple[StatusRow, Story, str]":
    """One run, all that happened in it, and what of that could not be read.

    UsageError where there is none of that number.
    """
    journal = Path(config.settings.journal)
    if may_exist(journal):
        with Reader(journal) as reader:
            run = reader.run(run_id)
            if run:
                row = _Collector(config, reader, alive, time.time()).row(run)
                return row, Story.read(reader, run), damage(reader)
    raise UsageError(
        f"the journal {journal} has no run {run_id}",
        f"{config.command('status', '--last', '10')} shows the numbers of the last runs",
    )


class Story(NamedTuple):
    """Everything that the journal noted of one run."""

    transitions: list[PastTransition]
    attempts: list[PastAttempt]
    processes: list[Started]

    @classmethod
    def read(cls, reader: Reader, run: Run) -> "Story":
        """Ask the journal."""
        return cls(
            reader.transitions(run.run_id), reader.attempts(run.run_id), reader.started(run.run_id)
        )


class _Collector:
    """Makes rows of runs."""

    def __init__(
        self, config: Config, reader: Reader, alive: Callable[..., bool], now: float
    ) -> None:
        self._config = config
        self._reader = reader
        self._alive = alive
        self._now = now
        self._progress = directory_of(reader.path)
        self._unsettled = reader.unsettled()

    def answer(self, question: StatusQuestion) -> Overview:
        """Everything that was asked for."""
        runs = {(run.job, run.instance): run for run in self._reader.last_runs()}
        listed = self._reader.listed_instances()
        subjects = shown(self._config, question, runs, listed)
        histories: list[list[StatusRow]] = []
        for subject in subjects:
            known = [runs[subject]] if subject in runs else []
            if known and question.last > 1:
                # Of a run whose name cannot be read nothing else is known.
                known = self._reader.history(*subject, question.last) or known
            found = [
                self.row(run) if position == 0 else self.row(run)._replace(last=False, notes=())
                for position, run in enumerate(known)
            ]
            histories.append(found or [never(self._config, *subject)])
        brought_back = restores.rows(
            self._reader.last_restores(),
            question.asked,
            self._alive,
            lambda number: read(path_of_restore(self._progress, number)),
            history=question.last > 1,
        )
        histories += [[row] for row in brought_back]
        rows = worst_first(histories)
        if question.failed:
            rows = [row for row in rows if row.status is Status.FAILED]
        return Overview(
            rows,
            self._unseen(question, rows),
            [
                backlog
                for backlog in map(self._as_configured, self._reader.backlogs())
                if backlog.trouble or backlog.since < self._now - _SOON
            ],
            [each for each in self._reader.skipped() if each[:2] in subjects and self._still(each)],
        )

    def _unseen(self, question: StatusQuestion, rows: Iterable[StatusRow]) -> list[StatusRow]:
        """What ``--copy`` goes on with, of what is asked for, although no row says so."""
        shown = {row.run.run_id for row in rows if row.run}
        runs = [run for run in self._reader.retriable(self._alive) if run.run_id not in shown]
        return [self.row(run) for run in reversed(runs) if question.means(run.job, run.instance)]

    def _still(self, skipped: Skipped) -> bool:
        """Whether what it would have had to wait for is under way."""
        found = _BEHIND.match(skipped.behind)
        run = self._reader.run(int(found[1])) if found else None
        return run is None or self.row(run).live

    def _as_configured(self, backlog: Backlog) -> Backlog:
        """What its reporter said last is not why they are pending, if it has none now."""
        marked = outbox.destination_of(backlog.report)
        if backlog.report in self._config.reports or marked in self._config.destinations:
            return backlog
        heading = f"dest:{marked}" if marked else f"report:{backlog.report}"
        wrong = (heading, "") in self._config.lines
        why = "is wrong" if wrong else "is no longer configured"
        return backlog._replace(trouble=f"[{heading}] {why}")

    def row(self, run: Run) -> StatusRow:
        """One run."""
        died = run.ending is None and not self._alive(run.supervisor)
        what = (run.job, run.instance, run.direction, run.type, run.host)
        row = StatusRow(*what, run, died, config_path=self._config.path)
        if not row.live:
            return row._replace(notes=tuple(self._doubts(run)))
        progress = {}
        for copy in run.copies:
            if copy.status is CopyStatus.COPYING:
                current = read(path_of(self._progress, run.run_id, copy.destination))
                if current:
                    progress[copy.destination] = current
        waits = tuple(self._waits(run, progress))
        return row._replace(
            waits=waits,
            notes=tuple(self._comparing(run)),
            progress={name: current for name, current in progress.items() if not current.waiting},
        )

    def _doubts(self, run: Run) -> Iterable[str]:
        """Of which copies the next attempt will not believe what is there."""
        for copy in run.copies:
            known = self._unsettled.get(one_place(copy.path))
            if known and known.doubt:
                yield (
                    f"{copy.destination}: what is there is not relied on, and the next attempt "
                    f"compares by content, since the last {known.doubt}"
                )

    def _comparing(self, run: Run) -> Iterable[str]:
        """Which copies are under way so that they compare by content."""
        attempts = {each.destination: each for each in self._reader.attempts(run.run_id)}
        for each in attempts.values():
            if each.ended is None and each.doubt:
                yield f"{each.destination}: compares by content, since the one before {each.doubt}"

    def _waits(self, run: Run, progress: Mapping[str, Progress]) -> Iterable[str]:
        """For what a run that is under way waits, if it does."""
        waiting: str = run.waiting
        if waiting:
            yield waiting
        if run.step is Step.INIT and run.copies:
            yield "a slot among the workers, or other instances that may share its directory"
        if not any(copy.status is CopyStatus.COPYING for copy in run.copies):
            return
        attempts = {each.destination: each for each in self._reader.attempts(run.run_id)}
        for copy in run.copies:
            if copy.status is not CopyStatus.COPYING:
                continue
            current = progress.get(copy.destination)
            last = attempts.get(copy.destination)
            if current and current.waiting:
                yield f"{copy.destination}: {current.waiting}"
            elif last and last.ended is not None and last.retry_at is not None:
                at = max(0.0, last.retry_at - self._now)
                when = f"in {at:.0f} s" if at else "once another copy has ended"
                yield (
                    f"{copy.destination}: attempt {last.number + 1} {when}; "
                    f"attempt {last.number} failed: {last.reason}"
                )
