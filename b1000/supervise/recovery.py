"""What runs of the past left to do: which are gone on with, closed, or left alone."""

from collections.abc import Callable, Collection, Iterable, Mapping
from enum import Enum
from pathlib import Path

from b1000.config.commandline import commandline
from b1000.config.loader import Config
from b1000.config.selectors import (
    TO_RESUME,
    Selection,
    Selector,
    Wording,
    ever_known,
    includes,
    resolve,
    selecting,
)
from b1000.identity import is_alive
from b1000.jobs import BrokenJob, Job
from b1000.logs import printable
from b1000.named import NamedTuple
from b1000.runs.run import Copy, ProcessIdentity, Run
from b1000.runs.states import Ending, Status, Step, can_be_retried
from b1000.runs.task import Task, TaskKind
from b1000.state.queries import Reader, may_exist


class Fate(Enum):
    """What becomes of a run of the past, once its job/instance is locked."""

    RESUME = "resume"
    CLOSE = "close"
    FAILED = "failed"
    NOTHING = "nothing"


def fate(run: Run, alive: Callable[[ProcessIdentity], bool]) -> Fate:
    """The fate of a run.

    A run without an ending, whose supervisor is gone, has died. Those that died
    before they copied have FAILED; those that a later run has superseded are closed.
    """
    if not is_recoverable(run, alive):
        return Fate.NOTHING
    died = run.ending is None
    if not can_be_retried(run.step, run.status, run.ending, died):
        return Fate.FAILED if died else Fate.NOTHING
    return Fate.CLOSE if run.superseded else Fate.RESUME


def is_recoverable(run: Run, alive: Callable[[ProcessIdentity], bool]) -> bool:
    """Whether there is something to do about a run; not while its supervisor lives."""
    return run.ending is not None or not alive(run.supervisor)


def plan(runs: Iterable[Run], jobs: Mapping[str, Job | BrokenJob], kind: TaskKind) -> list[Task]:
    """What is to be done about ``runs``."""
    return [
        Task(kind, jobs.get(run.job) or _no_longer_configured(run), run.instance, run)
        for run in runs
    ]


def is_selected(run: Run, selection: Selection) -> bool:
    """Whether words mean a run."""
    return includes(selection, run.job, run.instance)


def has_post_left(run: Run) -> bool:
    """Whether only the post of a run FAILED: all is copied, and ``forget --post`` runs it again."""
    return (
        run.status is Status.FAILED
        and run.ending is Ending.FINISHED
        and run.step is Step.POST
        and not run.superseded
    )


def left_alone(run: Run, with_post: bool, config_path: str) -> str:
    """What ``forget`` has to say of a last run that nothing retries; "" where it is well."""
    if run.status is not Status.FAILED:
        return ""
    which = f"there is nothing to forget: run {run.run_id} of {run.start_time}"
    if run.ending is Ending.CLOSED:
        return f"{which} is closed already"
    what = f"{which} FAILED at {run.step}, and nothing retries it"
    if run.step is Step.POST:
        again = commandline(config_path, "forget", "--post", selecting(run.job, run.instance))
        return f"{what}; all is copied, and {again} runs its post again"
    return f"{what}; {why_no_post(run)}" if with_post else what


def why_no_post(run: Run) -> str:
    """Why ``forget --post`` does not run the post of a run."""
    if run.superseded:
        return "its post is not run, since a later run has begun and it may be its data by now"
    if run.step is Step.PRE and not run.snapshot.post:
        return "it has no post"
    why = "its pre did not succeed" if run.step is Step.PRE else "it had not begun"
    return f"its post is not run, since {why} and nothing was copied"


def select(
    asked: Iterable[Selector],
    jobs: Mapping[str, Job | BrokenJob],
    runs: Iterable[Run] = (),
    listed: Mapping[str, Iterable[str]] = {},  # it is only read
    wording: Wording = TO_RESUME,
) -> Selection:
    """What words mean of the past, of which these runs and listed instances are known.

    UsageError for a name that is not known.
    """
    seen = {(run.job, run.instance) for run in runs}
    return resolve(asked, ever_known(jobs, seen, listed), wording)


def _no_longer_configured(run: Run) -> BrokenJob:
    reason = f"[job:{run.job}] is no longer configured; configure it again"
    return BrokenJob(run.job, run.direction, run.type, run.reports, (reason,), configured=False)


def closing_words(run: Run) -> str:
    """Why a superseded run is closed, and what it left."""
    left = [copy.destination for copy in run.copies if not copy.complete]
    what = [f"never copied to {', '.join(left)}"] if left else []
    if run.snapshot.post:
        what.append("post did not end" if run.step is Step.POST else "post was not run")
    return f"closed: a later run has begun ({'; '.join(what) or 'all was copied'})"


class Foretold(NamedTuple):
    """What ``--copy`` would do with a run, in a line, and whether that is no failure."""

    text: str
    fine: bool


def foretell(config: Config, asked: Collection[Selector]) -> list[Foretold]:
    """Ask the journal what ``--copy`` would do now. UsageError for names that nobody knows."""
    journal = Path(config.settings.journal)
    if not may_exist(journal):
        select(asked, config.jobs)
        return []
    with Reader(journal, untouched=True) as reader:
        runs = reader.unclosed()
        known = (*reader.last_runs(), *runs)
        selection = select(asked, config.jobs, known, reader.listed_instances())
    selected = [
        run for run in runs if is_selected(run, selection) and is_recoverable(run, is_alive)
    ]
    foretold = []
    for task in plan(selected, config.jobs, TaskKind.RESUME):
        if task.run and (would := _would(task.run, task.job)).text:
            what = f"{task.run.label} of {task.run.start_time}: {would.text}"
            foretold.append(would._replace(text=what))
    return foretold


def _would(run: Run, job: Job | BrokenJob) -> Foretold:
    """What would become of a run; no words where nothing would."""
    match fate(run, is_alive):
        case Fate.RESUME if isinstance(job, BrokenJob):
            return Foretold(f"cannot be resumed: {'; '.join(job.reasons)}", fine=False)
        case Fate.RESUME:
            assert isinstance(job, Job)
            missing = [copy for copy in run.copies if not copy.complete]
            what = [f"copy to {copy.destination}: {_where(copy, job)}" for copy in missing]
            fine = all(
                copy.destination in job.destinations and not copy.hopeless for copy in missing
            )
            if fine and run.snapshot.post:
                what.append(f"post: {printable(run.snapshot.post)}")
            return Foretold(", ".join(what) or "nothing is left to be copied", fine)
        case Fate.CLOSE:
            return Foretold(f"would be {closing_words(run)}", fine=True)
        case Fate.FAILED:
            text = f"would be FAILED at {run.step}: interrupted before anything was copied"
            return Foretold(text, fine=False)
        case _:
            return Foretold("", fine=True)


def _where(copy: Copy, job: Job) -> str:
    if copy.destination not in job.destinations:
        return "cannot be made: the job no longer has this destination"
    return f"cannot be made: {copy.error}" if copy.hopeless else copy.path
