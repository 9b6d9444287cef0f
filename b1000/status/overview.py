"""What ``b1000 status`` knows: runs, what they wait for, what is owed and was left out."""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from b1000 import figures
from b1000.config.loader import Config
from b1000.config.selectors import Selector, selecting
from b1000.errors import UsageError, in_order, near
from b1000.figures import iso
from b1000.identity import is_alive
from b1000.jobs import BrokenJob, Command
from b1000.progress import Progress, directory_of, path_of, read
from b1000.runs.run import Copy, Run, label
from b1000.runs.states import CopyStatus, Status, Step, can_be_retried
from b1000.state.detail_queries import Attempt, PastTransition, Skipped, Started
from b1000.state.outbox_queries import Backlog
from b1000.state.queries import Reader, may_exist

_SOON = 10.0  # seconds within which a report may lack a state without being behind


class Row(NamedTuple):
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

    @property
    def label(self) -> str:
        """``job`` or ``job/instance``."""
        return label(self.job, self.instance)

    @property
    def selecting(self) -> str:
        """The same as a word of the command line."""
        return selecting(self.job, self.instance)

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
        if not run or run.superseded:
            return False
        return can_be_retried(run.step, run.status, run.ending, self.died)

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

    def bytes_of(self, copy: Copy) -> int:
        """Its bytes, or how many have been copied so far; 0 where nothing is known."""
        told = self.progress.get(copy.destination)
        return copy.bytes or (told.bytes if told else None) or 0


class Question(NamedTuple):
    """What is asked for: of which job/instances (all, without ``words``), and which runs.

    ``everything``: also jobs and instances that are not configured any more.
    ``failed``: only runs that FAILED. ``last``: how many runs of each.
    """

    words: tuple[Selector, ...] = ()
    everything: bool = False
    failed: bool = False
    last: int = 1


class Overview(NamedTuple):
    """The answer: rows by name, the newest run first, and what else there is to know.

    ``damaged`` says which rows of the journal could not be read.
    """

    rows: list[Row]
    debts: Sequence[Backlog] = ()
    left_out: Sequence[Skipped] = ()
    damaged: str = ""


def collect(
    config: Config,
    question: Question,
    alive: Callable[..., bool] = is_alive,
    clock: Callable[[], float] = time.time,
) -> Overview:
    """Ask the journal. UsageError for a job or instance that nobody knows."""
    journal = Path(config.settings.journal)
    if not may_exist(journal):
        shown = _shown(config, question, {}, {})
        return Overview([] if question.failed else [_never(config, *each) for each in shown])
    with Reader(journal) as reader:
        answer = _Collector(config, reader, alive, clock()).answer(question)
        return answer._replace(damaged=damage(reader))


def damage(reader: Reader) -> str:
    """What could not be read in the journal, in a sentence; "" where all could be."""
    if not reader.damaged:
        return ""
    columns = ", ".join(sorted(reader.damaged))
    return f"the journal {reader.path} has damaged rows ({columns}); the next b1000 closes them"


def look_at(
    config: Config, run_id: int, alive: Callable[..., bool] = is_alive
) -> "tuple[Row, Story, str]":
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
        "b1000 status --last 10 shows the numbers of the last runs",
    )


class Story(NamedTuple):
    """Everything that the journal noted of one run."""

    transitions: list[PastTransition]
    attempts: list[Attempt]
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

    def answer(self, question: Question) -> Overview:
        """Everything that was asked for."""
        runs = {(run.job, run.instance): run for run in self._reader.last_runs()}
        listed = self._reader.listed_instances()
        subjects = _shown(self._config, question, runs, listed)
        rows: list[Row] = []
        for subject in subjects:
            known = [runs[subject]] if subject in runs else []
            if known and question.last > 1:
                # Of a run whose name cannot be read nothing else is known.
                known = self._reader.history(*subject, question.last) or known
            rows += [
                self.row(run) if position == 0 else self.row(run)._replace(last=False, notes=())
                for position, run in enumerate(known)
            ] or [_never(self._config, *subject)]
        if question.failed:
            rows = [row for row in rows if row.status is Status.FAILED]
        return Overview(
            rows,
            [
                debt
                for debt in map(self._as_configured, self._reader.backlogs())
                if debt.trouble or debt.since < self._now - _SOON
            ],
            [each for each in self._reader.skipped() if each[:2] in subjects],
        )

    def _as_configured(self, debt: Backlog) -> Backlog:
        """What its reporter said last explains no debt to a report that has none now."""
        if debt.report in self._config.reports:
            return debt
        heading = f"report:{debt.report}"
        wrong = (heading, "") in self._config.lines
        why = "is wrong" if wrong else "is not in the configuration any more"
        return debt._replace(trouble=f"[{heading}] {why}")

    def row(self, run: Run) -> Row:
        """One run."""
        died = run.ending is None and not self._alive(run.supervisor)
        row = Row(run.job, run.instance, run.direction, run.type, run.host, run, died)
        if not row.live:
            return row._replace(notes=tuple(self._doubts(run)))
        progress = {}
        for copy in run.copies:
            if copy.status is CopyStatus.COPYING:
                told = read(path_of(self._progress, run.run_id, copy.destination))
                if told:
                    progress[copy.destination] = told
        waits = tuple(self._waits(run, progress))
        return row._replace(
            waits=waits,
            notes=tuple(self._comparing(run)),
            progress={name: told for name, told in progress.items() if not told.waiting},
        )

    def _doubts(self, run: Run) -> Iterable[str]:
        """Of which copies the next attempt will not believe what is there."""
        for copy in run.copies:
            known = self._unsettled.get(copy.path)
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
            yield "a place among the workers, or other instances that may share its directory"
        if not any(copy.status is CopyStatus.COPYING for copy in run.copies):
            return
        attempts = {each.destination: each for each in self._reader.attempts(run.run_id)}
        for copy in run.copies:
            if copy.status is not CopyStatus.COPYING:
                continue
            told = progress.get(copy.destination)
            last = attempts.get(copy.destination)
            if told and told.waiting:
                yield f"{copy.destination}: {told.waiting}"
            elif last and last.ended is not None and last.retry_at is not None:
                at = max(0.0, last.retry_at - self._now)
                when = f"in {at:.0f} s" if at else "once another copy has ended"
                yield (
                    f"{copy.destination}: attempt {last.number + 1} {when}; "
                    f"attempt {last.number} failed: {last.reason}"
                )


def _shown(
    config: Config,
    question: Question,
    runs: Mapping[tuple[str, str], Run],
    listed: Mapping[str, tuple[str, ...]],
) -> list[tuple[str, str]]:
    """The job/instances that are asked for, by name."""
    configured = _configured(config, runs, listed)
    known = configured | runs.keys()
    if not question.words:
        return sorted(known if question.everything else configured)
    shown: set[tuple[str, str]] = set()
    for word in question.words:
        of_job = {each for each in known if each[0] == word.job}
        if not of_job:
            jobs = {job for job, _ in known}
            raise UsageError(
                f"there is no job {word.job!r}{near(word.job, jobs)}",
                f"known jobs: {in_order(jobs)}",
            )
        if word.instance is None:
            # A job that is configured no more is meant as it was.
            now = of_job & configured
            shown |= of_job if question.everything or not now else now
        elif (word.job, word.instance) in of_job:
            shown.add((word.job, word.instance))
        else:
            names = in_order(instance for _, instance in of_job if instance)
            raise UsageError(
                f"job {word.job!r} has no instance {word.instance!r}", f"known instances: {names}"
            )
    return sorted(shown)


def _configured(
    config: Config,
    runs: Mapping[tuple[str, str], Run],
    listed: Mapping[str, tuple[str, ...]],
) -> set[tuple[str, str]]:
    """What the configuration has now, and failures of jobs themselves."""
    shown: set[tuple[str, str]] = set()
    for name, job in config.jobs.items():
        if isinstance(job, BrokenJob):
            # What its instances are cannot be said: those that are known stay in sight.
            instances = {instance for other, instance in runs if other == name}
        elif job.instances is None:
            instances = {""}
        elif isinstance(job.instances, Command):
            instances = set(listed.get(name, ()))
        else:
            instances = set(job.instances)
        if (name, "") in runs:
            instances |= {""}
        shown |= {(name, instance) for instance in instances or {""}}
    return shown


def _never(config: Config, job: str, instance: str) -> Row:
    configured = config.jobs[job]
    return Row(job, instance, configured.direction, configured.type, config.settings.host, None)


def exit_code(rows: Sequence[Row]) -> int:
    """1 where a last run that is shown FAILED."""
    return int(any(row.last and row.status is Status.FAILED for row in rows))


# --- for programs


def as_json(rows: Sequence[Row], now: float | None = None) -> str:
    """The rows as a list of objects; times are ISO 8601 with offset."""
    moment = time.time() if now is None else now
    return _json([_object(row, moment) for row in rows])


def story_as_json(row: Row, story: Story) -> str:
    """One run as the only object of a list, with all that happened in it."""
    return _json(
        [
            {
                **_object(row, time.time()),
                "transitions": [
                    {**each._asdict(), "time": iso(each.time)} for each in story.transitions
                ],
                "attempts": [
                    {
                        **each._asdict(),
                        "began": iso(each.began),
                        "ended": _iso(each.ended),
                        "retry_at": _iso(each.retry_at),
                    }
                    for each in story.attempts
                ],
                "processes": [
                    {**each._asdict(), "began": iso(each.began), "ended": _iso(each.ended)}
                    for each in story.processes
                ],
            }
        ]
    )


def _json(found: list[dict[str, object]]) -> str:
    return figures.inert(json.dumps(found, indent=2, ensure_ascii=False))


def _iso(when: float | None) -> str | None:
    return None if when is None else iso(when)


def _object(row: Row, now: float) -> dict[str, object]:
    run = row.run
    return {
        "run_id": run.run_id if run else None,
        "job": row.job,
        "instance": row.instance,
        "host": row.host,
        "direction": row.direction,
        "type": row.type,
        "start_time": iso(run.started) if run else None,
        "step": row.step,
        "status": row.status,
        "finished": _iso(run.finished) if run else None,
        "duration": row.duration(now),
        "master_host": run.frozen.master_host if run else "",
        "master_instance": run.frozen.master_instance if run else "",
        "data_age": run.frozen.data_age if run else None,
        "error": row.error,
        "resumable": row.resumable,
        "copies": [
            {
                "destination": copy.destination,
                "path": copy.path,
                "status": row.status_of(copy),
                "attempts": copy.attempts,
                "bytes": row.bytes_of(copy),
                "files": copy.files or 0,
                "error": copy.error,
            }
            for copy in (run.copies if run else ())
        ],
    }
