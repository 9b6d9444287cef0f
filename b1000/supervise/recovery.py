"""What runs of the past left to do: which are gone on with, closed, or left alone."""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum

from b1000.config.grammar import Selector
from b1000.errors import UsageError
from b1000.model import BrokenJob, Job, ProcessIdentity, Run, label
from b1000.steps import can_be_retried
from b1000.supervise.plan import Action, Planned


class Fate(Enum):
    """What becomes of a run of the past, once its job/instance is locked."""

    RESUME = "resume"
    CLOSE = "close"
    FAILED = "failed"
    NOTHING = "nothing"


def fate(run: Run) -> Fate:
    """The fate of a run that nobody is at work on.

    A run without an ending has died. Those that died before they copied have
    FAILED; those that a later run has superseded are closed.
    """
    died = run.ending is None
    if not can_be_retried(run.step, run.status, run.ending, died):
        return Fate.FAILED if died else Fate.NOTHING
    return Fate.CLOSE if run.superseded else Fate.RESUME


def is_recoverable(run: Run, alive: Callable[[ProcessIdentity], bool]) -> bool:
    """Whether there is something to do about a run; not while its supervisor lives."""
    return run.ending is not None or not alive(run.supervisor)


def plan(
    runs: Iterable[Run],
    jobs: Mapping[str, Job | BrokenJob],
    words: Iterable[Selector],
    action: Action,
) -> list[Planned]:
    """What is to be done about ``runs``, those that the words select; all without words."""
    selectors = list(words)
    return [
        Planned(jobs.get(run.job) or _configured_no_more(run), run.instance, run=run, action=action)
        for run in runs
        if not selectors or any(_selects(word, run) for word in selectors)
    ]


def _selects(word: Selector, run: Run) -> bool:
    return run.job == word.job and word.instance in (None, run.instance)


def check_words(
    words: Iterable[Selector],
    jobs: Iterable[str],
    seen: Iterable[tuple[str, str]],
) -> None:
    """UsageError for a job that is neither configured nor known of old, or a strange instance."""
    subjects = set(seen)
    names = {*jobs, *(job for job, _ in subjects)}
    for word in words:
        if word.job not in names:
            raise UsageError(
                f"there is no job {word.job!r}", f"known jobs: {', '.join(sorted(names))}"
            )
        if word.instance is not None and (word.job, word.instance) not in subjects:
            known = ", ".join(sorted(instance for job, instance in subjects if job == word.job))
            raise UsageError(
                f"{label(word.job, word.instance)} never ran", f"known instances: {known or 'none'}"
            )


def _configured_no_more(run: Run) -> BrokenJob:
    reason = (
        f"[job:{run.job}] is configured no more; configure it again, "
        f"or give the run up with b1000 forget {run.label}"
    )
    return BrokenJob(run.job, run.direction, run.type, run.reports, (reason,))


def closing_words(run: Run) -> str:
    """Why a superseded run is closed, and what it left."""
    left = [copy.destination for copy in run.copies if not copy.complete]
    what = f"never copied to {', '.join(left)}" if left else "post was not run"
    return f"closed: a later run has begun ({what})"
