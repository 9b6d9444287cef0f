"""The words of a command line that ask for jobs and instances. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from b1000.config import COMMANDS, grammar
from b1000.errors import UsageError, in_order, near
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


def check_instances(job: str, asked: Iterable[str], known: Iterable[str]) -> None:
    """UsageError where an instance was asked for that the job does not list now."""
    known = tuple(known)
    for instance in sorted(asked):
        if instance not in known:
            raise UsageError(
                f"job {job!r} has no instance {instance!r} now",
                f"its instances: {in_order(known)}",
            )


def unknown_job(job: str, known: Iterable[str]) -> UsageError:
    """Neither a job nor a command has this name, of which one may have been meant."""
    known = tuple(known)
    return UsageError(
        f"there is no job {job!r}, and no command{near(job, (*known, *COMMANDS))}",
        f"known jobs: {in_order(known)}; commands: {in_order(COMMANDS)}; see b1000 --help",
    )


def selecting(job: str, instance: str) -> str:
    """The word that selects a job/instance, wherever it stands: ``[job:]JOB[/INSTANCE]``."""
    return f"job:{label(job, instance)}" if job in COMMANDS else label(job, instance)


def selector(word: str) -> Selector:
    """One word of the command line: ``[job:]JOB[/INSTANCE]``."""
    job, slash, instance = word.removeprefix("job:").partition("/")
    job = grammar.name(job, f"the job in {word!r}")
    return Selector(job, grammar.name(instance, f"the instance in {word!r}") if slash else None)
