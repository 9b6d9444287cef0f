"""Which jobs and instances the command line asks for."""

from collections.abc import Iterable, Mapping

from b1000.config.selectors import JobSelection, Selector, check_instances, unknown_job
from b1000.errors import UsageError
from b1000.jobs import BrokenJob, Job

Selection = dict[str, JobSelection]
"""What is asked for, by job."""


def select(jobs: Mapping[str, Job | BrokenJob], words: Iterable[Selector]) -> Selection:
    """What is to be run; all jobs where no word is given. UsageError for unknown names."""
    selection: Selection = {}
    for word in words:
        job = jobs.get(word.job)
        if job is None:
            raise unknown_job(word.job, jobs)
        before = selection.get(word.job, JobSelection(whole=False))
        if word.instance is None:
            selection[word.job] = before._replace(whole=True)
            continue
        if isinstance(job, Job):
            if job.instances is None:
                raise UsageError(
                    f"job {word.job!r} has no instances", f"run it as {word.job!r} alone"
                )
            if job.fixed_instances is not None:
                check_instances(word.job, {word.instance}, job.fixed_instances)
        selection[word.job] = before._replace(named=before.named | {word.instance})
    return selection or dict.fromkeys(jobs, JobSelection())
