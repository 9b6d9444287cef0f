"""What is drilled now: groups of backups whose last drill is longest ago. Pure."""

import math
from collections.abc import Iterable, Iterator, Mapping

from b1000.drill import LONGEST_DRILL, Drill
from b1000.jobs import BrokenJob, Destination, Job
from b1000.named import NamedTuple
from b1000.runs.stored import Told
from b1000.storage.backup import Backup, Catalogue, Group, GroupKey, Root
from b1000.verify.reading_plan import NIGHT


class Rules(NamedTuple):
    """What the configuration says of drills. ``limit`` is script_timeout, 0 for none."""

    host: str
    jobs: Mapping[str, Job | BrokenJob]
    limit: int = 0

    def of_job(self, destination: Destination, name: str) -> Drill | None:
        """How backups of a job are drilled at a destination, if they are."""
        if destination.type == "store":
            limit = self.limit or LONGEST_DRILL
            every = destination.drill_every
            return Drill(destination.drill, every, limit) if destination.drill else None
        job = self.jobs.get(name)
        known = isinstance(job, Job) and destination.name in job.destinations
        return job.drill if isinstance(job, Job) and known else None

    def of_group(self, destination: Destination, key: GroupKey) -> Drill | None:
        """The same for one group: a push job has those of this host."""
        job = self.jobs.get(key.job)
        others = isinstance(job, Job) and job.direction == "push" and key.host != self.host
        if key.unmarked or (others and destination.type != "store"):
            return None
        return self.of_job(destination, key.job)

    def any_at(self, destination: Destination) -> bool:
        """Whether anything is drilled there."""
        return any(self.of_job(destination, name) for name in ("", *self.jobs))


class Candidate(NamedTuple):
    """A group with its newest good backup. ``tried``: when a drill of the group was begun last,
    ``passed``: when one last passed, None for never.
    """

    root: Root
    group: Group
    backup: Backup
    drill: Drill
    tried: float | None = None
    passed: float | None = None

    def is_due(self, now: float) -> bool:
        """Whether none has passed for as long as it may."""
        if self.passed is None or self.passed - now > NIGHT:  # by a clock that was ahead
            return True
        return now - self.passed >= self.drill.every


Times = Mapping[tuple[str, str, str, str], tuple[float, float | None]]
"""Root, job, host and instance → when a drill was begun last, and when one last passed."""


def times(drilled: Iterable[Told]) -> Times:
    """The times of the drills that the journal knows."""
    found: dict[tuple[str, str, str, str], tuple[float, float | None]] = {}
    for each in drilled:
        key = (each.root, each.facts.job, each.facts.host, each.facts.instance)
        tried, passed = found.get(key, (0.0, None))
        ended = max(filter(None, (passed, each.memory.restored)), default=None)
        found[key] = (max(tried, each.memory.drilled or 0.0), ended)
    return found


def candidates(
    destination: Destination,
    catalogues: Iterable[Catalogue],
    rules: Rules,
    known: Times,
    now: float,
) -> Iterator[Candidate]:
    """What may be drilled at a destination: what a restore would choose."""
    for catalogue in catalogues:
        for group in catalogue.groups:
            drill, key = rules.of_group(destination, group.key), group.key
            complete = (each for each in reversed(group.backups) if each.complete)
            good = (each for each in complete if not each.memory.wrong)
            newest = next((each for each in good if not each.is_ahead(now)), None)
            if drill and newest:
                at = known.get((key.root, key.job, key.host, key.instance), (None, None))
                yield Candidate(catalogue.root, group, newest, drill, *at)


def now_due(among: Iterable[Candidate], now: float, named: bool = False) -> list[Candidate]:
    """Those that are drilled now, what was drilled longest ago first.

    As many as it takes to drill all in time where that is done each night, and one at least.
    ``named``: somebody asked for them, whether they are due or not.
    """
    every = list(among)
    share = math.ceil(sum(NIGHT / max(each.drill.every, NIGHT) for each in every) - 1e-9)
    due = [each for each in every if named or each.is_due(now)]
    due.sort(key=lambda each: (each.tried or 0.0, *each.group.key))
    return due[: max(1, share)]
