"""What the databases of a configuration know of backups, for ``b1000 restore`` and ``list``.

Where there are none, nothing of what reads them is imported.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TypeVar

from b1000.config.loader import Config
from b1000.jobs import Destination, Job, Report
from b1000.restore.told import ToldOf, Whose
from b1000.runs.stored import KnownCopy

T = TypeVar("T")


class Databases:
    """All of them; ``warn`` tells of one that does not answer, which is not asked again."""

    def __init__(self, config: Config, warn: Callable[[str], None]) -> None:
        self._config = config
        self._warn = warn
        self._silent: set[str] = set()

    def newest(self, destination: Destination, whose: Whose) -> float | None:
        """When the newest complete backup at a destination began; None where none is known."""
        job = self._config.jobs.get(whose.job)
        is_own = isinstance(job, Job) and job.direction == "push"
        host = whose.host or (self._config.settings.host if is_own else "")
        path = f"{destination.path}/{whose.job}"

        def ask(report: Report) -> list[float | None]:
            from b1000.reports import known

            return [known.newest(report, known.Sought(path, host, whose.instance, whose.until))]

        found = self._each(ask, f"what is at {destination.name}")
        return max((each for each in found if each is not None), default=None)

    def stored(self, job: str, hosts: Collection[str]) -> Sequence[ToldOf]:
        """What storages have told of the backups of a job and some hosts."""

        def ask(report: Report) -> Sequence[ToldOf]:
            from b1000.reports import known

            return known.stored(report, job, hosts)

        return list(self._each(ask, "which backups are known to be bad"))

    def removed(self, job: str, hosts: Collection[str]) -> Sequence[ToldOf]:
        """The backups of these that storages have told to be removed there."""

        def ask(report: Report) -> Sequence[ToldOf]:
            from b1000.reports import known

            return known.stored(report, job, hosts, removed=True)

        return list(self._each(ask, "which backups were removed"))

    def expected(
        self, destinations: Collection[Destination], jobs: Collection[str], now: float
    ) -> list[KnownCopy]:
        """The complete backups that have to lie there: this host's, as its journal has them.

        ``jobs`` () for all; of runs that the journal would remember.
        """
        tops = tuple(each.path for each in destinations if each.type == "active")
        settings = self._config.settings
        since = now - settings.journal_keep * 86400

        def ask(report: Report) -> list[KnownCopy]:
            from b1000.reports import expected, known

            pulls = any(job.direction == "pull" for job in self._config.jobs.values())
            terms = expected.Terms(settings.host, tops, tuple(jobs), since, pulls)
            return known.expected_at(report, terms)

        found = self._each(ask, "which backups are missing") if tops else ()
        return sorted(found, key=lambda copy: copy.started)

    def _each(self, ask: Callable[[Report], Sequence[T]], what: str) -> Iterator[T]:
        for report in self._config.reports.values():
            if not report.is_database or report.name in self._silent:
                continue
            from b1000.reports.target import NotDelivered

            try:
                yield from ask(report)
            except NotDelivered as error:
                self._silent.add(report.name)
                self._warn(f"report {report.name} is not asked {what}: {error}")
