"""The words of a command line that ask for jobs and instances. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping

from b1000.config import COMMANDS, grammar
from b1000.errors import UsageError, in_order, near
from b1000.jobs import BrokenJob, Job
from b1000.named import NamedTuple
from b1000.runs.run import label


class Selector(NamedTuple):
    """``job`` or ``job/instance`` of the command line; ``instance`` is None for all."""

    job: str
    instance: str | None = None


class JobSelection(NamedTuple):
    """What the words of a command line ask for of one job: all of it, or what is ``named``.

    Both may be: then too each of the named instances has to exist.
    """

    whole: bool = True
    named: frozenset[str] = frozenset()

    def includes(self, instance: str) -> bool:
        """Whether the instance is to be run."""
        return self.whole or instance in self.named


Selection = Mapping[str, JobSelection]
"""What words ask for, by job; nothing where there were no words."""

Known = Mapping[str, Collection[str] | None]
"""The jobs that words may name, with the instances of each, of which "" is none; None where
only their script will tell."""


class Wording(NamedTuple):
    """How a mistake is told: where words may also be commands, and of an instance that is not."""

    commands: bool
    strange: Callable[[str, str, Collection[str]], UsageError]


def resolve(
    selectors: Iterable[Selector], known: Known, wording: Wording
) -> dict[str, JobSelection]:
    """What the words ask for. UsageError for a name that is not known."""
    selection: dict[str, JobSelection] = {}
    for job, instance in selectors:
        if job not in known:
            raise unknown_job(job, known, wording.commands)
        before = selection.get(job, JobSelection(whole=False))
        if instance is None:
            selection[job] = before._replace(whole=True)
            continue
        instances = known[job]
        if instances is not None and instance not in instances:
            raise wording.strange(job, instance, instances)
        selection[job] = before._replace(named=before.named | {instance})
    return selection


def includes(selection: Selection, job: str, instance: str) -> bool:
    """Whether a job/instance is asked for; without words all are."""
    return not selection or (job in selection and selection[job].includes(instance))


def check_instances(job: str, asked: Iterable[str], known: Collection[str]) -> None:
    """UsageError where an instance was asked for that the job does not list now."""
    for instance in sorted(asked):
        if instance not in known:
            raise _not_now(job, instance, known)


def unknown_job(job: str, known: Iterable[str], commands: bool = True) -> UsageError:
    """Neither a job nor a command has this name, of which one may have been meant."""
    known = tuple(known)
    if not commands:
        hint = f"known jobs: {in_order(known)}"
        return UsageError(f"there is no job {job!r}{near(job, known)}", hint)
    if job in COMMANDS:
        return UsageError(
            f"there is no job {job!r}, and a command stands before all jobs",
            f"b1000 {job} --help describes it; known jobs: {in_order(known)}",
        )
    return UsageError(
        f"there is no job {job!r}, and no command{near(job, (*known, *COMMANDS))}",
        f"known jobs: {in_order(known)}; commands: {in_order(COMMANDS)}; see b1000 --help",
    )


def _not_now(job: str, instance: str, known: Collection[str]) -> UsageError:
    if set(known) == {""}:
        return UsageError(f"job {job!r} has no instances", f"run it as {job!r} alone")
    what = f"job {job!r} has no instance {instance!r} now"
    return UsageError(what, f"its instances: {in_order(known)}")


def _never_ran(job: str, instance: str, known: Collection[str]) -> UsageError:
    what = f"{label(job, instance)} never ran"
    return UsageError(what, f"known instances: {in_order(filter(None, known))}")


def _not_known(job: str, instance: str, known: Collection[str]) -> UsageError:
    what = f"job {job!r} has no instance {instance!r}"
    return UsageError(what, f"known instances: {in_order(filter(None, known))}")


TO_RUN = Wording(True, _not_now)
TO_RESUME = Wording(True, _never_ran)
TO_FORGET = Wording(False, _never_ran)
TO_SEE = Wording(False, _not_known)


def can_be_run(jobs: Mapping[str, Job | BrokenJob]) -> Known:
    """What words may name of what is to be run: jobs that are configured."""
    return {
        name: ("",) if isinstance(job, Job) and job.instances is None else _fixed(job)
        for name, job in jobs.items()
    }


def ever_known(
    jobs: Mapping[str, Job | BrokenJob],
    seen: Iterable[tuple[str, str]],
    listed: Mapping[str, Iterable[str]],
) -> Known:
    """What words may name of the past: what was ``seen`` to run, is configured, or was ``listed``.

    That is, by the command of a job that asks for its instances.
    """
    known: dict[str, set[str]] = {name: set() for name in jobs}
    for name in {*listed, *jobs}:
        fixed = _fixed(jobs[name]) if name in jobs else None
        known.setdefault(name, set()).update(listed.get(name, ()) if fixed is None else fixed)
    for job, instance in seen:
        known.setdefault(job, set()).add(instance)
    return known


def _fixed(job: Job | BrokenJob) -> tuple[str, ...] | None:
    return job.fixed_instances if isinstance(job, Job) else None


def selecting(job: str, instance: str) -> str:
    """The word that selects a job/instance, wherever it stands: ``[job:]JOB[/INSTANCE]``."""
    return f"job:{label(job, instance)}" if job in COMMANDS else label(job, instance)


def selector(word: str) -> Selector:
    """One word of the command line: ``[job:]JOB[/INSTANCE]``."""
    job, slash, instance = word.removeprefix("job:").partition("/")
    job = grammar.name(job, f"the job in {word!r}")
    return Selector(job, grammar.name(instance, f"the instance in {word!r}") if slash else None)
