"""What is asked of the status, and of which job/instances that is."""

from collections.abc import Mapping

from b1000.config.loader import Config
from b1000.config.selectors import TO_SEE, Selector, resolve
from b1000.jobs import BrokenJob
from b1000.named import NamedTuple
from b1000.runs.run import Run
from b1000.templates import ScriptTemplate


class StatusQuestion(NamedTuple):
    """What is asked for: of which job/instances (all, without ``asked``), and which runs.

    ``everything``: also jobs and instances that are not configured any more.
    ``failed``: only runs that FAILED. ``last``: how many runs of each.
    """

    asked: tuple[Selector, ...] = ()
    everything: bool = False
    failed: bool = False
    last: int = 1

    def means(self, job: str, instance: str) -> bool:
        """Whether its words ask for a job/instance; without any all are meant."""
        return not self.asked or any(
            job == each and its in (None, instance) for each, its in self.asked
        )


def shown(
    config: Config,
    question: StatusQuestion,
    runs: Mapping[tuple[str, str], Run],
    listed: Mapping[str, tuple[str, ...]],
) -> list[tuple[str, str]]:
    """The job/instances that are asked for, by name."""
    configured = _configured(config, runs, listed)
    known = configured | runs.keys()
    if not question.asked:
        return sorted(known if question.everything else configured)
    by_name: dict[str, set[str]] = {}
    for job, instance in known:
        by_name.setdefault(job, set()).add(instance)
    chosen: set[tuple[str, str]] = set()
    for job, asked in resolve(question.asked, by_name, TO_SEE).items():
        of_job = {(job, instance) for instance in by_name[job]}
        # A job that is no longer configured is meant as it was.
        now = of_job & configured
        chosen |= {(job, instance) for instance in asked.named}
        if asked.whole:
            chosen |= of_job if question.everything or not now else now
    return sorted(chosen)


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
        elif isinstance(job.instances, ScriptTemplate):
            instances = set(listed.get(name, ()))
        else:
            instances = set(job.instances)
        if (name, "") in runs:
            instances |= {""}
        shown |= {(name, instance) for instance in instances or {""}}
    return shown
