"""``b1000 mark --adopt``: marks for backups that were made before there were any."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from b1000.commands.output import say_of_acts

if TYPE_CHECKING:
    from b1000.config.loader import Config
    from b1000.jobs import Destination
    from b1000.marks.adopting import Adopted, Lying, Told
    from b1000.state.queries import Reader
    from b1000.storage.layout import Place


def mark(argv: Sequence[str]) -> int:
    """Carry it out; gives the exit code."""
    from b1000.parsers.mark import for_mark

    arguments = for_mark().parse_intermixed_args(argv)

    from b1000.config import loader
    from b1000.errors import counted
    from b1000.logs import to_stderr

    adoption = _Adoption(loader.load(arguments.cfg), arguments.jobs)
    written = failed = 0
    untold = ""
    for each in adoption.carry_out():
        if each.trouble:
            failed += 1
            to_stderr(f"b1000: {each.path}: {each.trouble}")
        elif each.instead:
            untold = untold or say_of_acts(f"{each.path}: {each.instead}")
        else:
            written += 1
            untold = untold or say_of_acts(each.path)
    untold = untold or say_of_acts(f"{counted(written, 'mark')} written")
    if untold:
        to_stderr(f"b1000: {untold}")
    return 1 if failed or untold else 0


class _Adoption:
    def __init__(self, config: "Config", jobs: Sequence[str]) -> None:
        self._config = config
        self._jobs = jobs
        self._now = time.time()

    def carry_out(self) -> "Iterator[Adopted]":
        """By the journal first, which knows most; then by databases."""
        from b1000.marks import adopting
        from b1000.state.queries import Reader, may_exist

        journal = Path(self._config.settings.journal)
        reader = Reader(journal) if may_exist(journal) else None
        try:
            self._check_words(reader)
            if reader:
                yield from adopting.adopt(self._config, reader, self._jobs, self._now)
        finally:
            if reader:
                reader.close()
        yield from self._by_databases()

    def _check_words(self, reader: "Reader | None") -> None:
        """Raises UsageError for a job that nobody knows."""
        from b1000.config.selectors import unknown_job

        known = {*self._config.jobs, *(reader.jobs_known() if reader else ())}
        if any(job not in known for job in self._jobs):
            there, _ = self._lying()
            known |= {job for _, each in there for job in each.unmarked}
        for job in self._jobs:
            if job not in known:
                raise unknown_job(job, known, commands=False)

    def _lying(self) -> "tuple[list[tuple[Destination, Lying]], list[Adopted]]":
        """What lies at local destinations and stores, and which could not be looked at."""
        from b1000.errors import StorageAway
        from b1000.marks import adopting
        from b1000.storage import survey

        found: list[tuple[Destination, Lying]] = []
        away: list[Adopted] = []
        for each in survey.storages(self._config, lambda each: each.mark and not each.remote):
            try:
                found += [(each, lying) for lying in adopting.lying(each, self._now)]
            except StorageAway as error:
                away.append(adopting.Adopted(f"destination {each.name}", str(error)))
        return found, away

    def _by_databases(self) -> "Iterator[Adopted]":
        from b1000.marks import adopting

        command = self._config.command("mark", "--adopt")
        found, away = self._lying()
        yield from away
        for destination, lying in found:
            since = lying.since
            for job, places in lying.unmarked.items():
                if self._jobs and job not in self._jobs:
                    continue
                for each in self._of_job(destination, lying, job, places):
                    if since is None and not each.trouble:
                        since = self._now
                    yield each
            if lying.root.damage:
                yield from adopting.mended(lying.root, since, command)
            elif since is not None and lying.root.identity is None:
                yield from adopting.identified(lying.root.path, self._now)

    def _of_job(
        self, destination: "Destination", lying: "Lying", job: str, places: "Sequence[Place]"
    ) -> "Iterator[Adopted]":
        from b1000.marks import adopting
        from b1000.reports import known
        from b1000.reports.target import NotDelivered

        names = destination.report or tuple(self._config.reports)
        for report in filter(None, map(self._config.reports.get, names)):
            if not report.is_database:
                continue

            def ask(job: str, places: "Sequence[Place]") -> "Iterator[Told]":
                return known.copies(report, job, places)  # noqa: B023 - asked at once

            try:
                yield from adopting.adopt_told(lying.root, job, places, ask)
            except NotDelivered as error:
                yield adopting.Adopted(f"report {report.name}", str(error))
