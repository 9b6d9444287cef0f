"""Databases are told what a look at a storage has found, by the reporters that runs have too."""

import time
from pathlib import Path

from b1000.config.loader import Config
from b1000.jobs import Destination
from b1000.locks import Locks
from b1000.runs.protocol import Delivered
from b1000.state import queries
from b1000.state.queries import Reader
from b1000.storage.stored_facts import StoredFacts
from b1000.supervise.children import Watch
from b1000.supervise.recorder import Recorder
from b1000.supervise.reporting import Reporting
from b1000.verify.drill_plan import Rules


def stored_facts_of(config: Config, destination: Destination) -> StoredFacts:
    """What databases are told of a destination of this host."""
    settings = config.settings
    rules = Rules(settings.host, config.jobs, settings.script_timeout)
    return StoredFacts(settings.host, destination, rules.of_group)


def deliver(config: Config) -> None:
    """Deliver what is pending of backups, for ``report_wait_end`` seconds at most.

    The journal is not open here. What does not arrive is delivered by the next b1000. Raises
    JournalUnusable.
    """
    journal = Path(config.settings.journal)
    if not queries.may_exist(journal):
        return
    with Reader(journal) as reader:
        pending = reader.reports_of_stored()
    told = [config.reports[name] for name in sorted(pending & config.reports.keys())]
    if not told:
        return
    watch = Watch()
    reporting = Reporting(watch)
    reporting.start_some(
        told,
        journal,
        Locks.beside(journal),
        lambda: [watch, *(each.child.wire for each in reporting.children)],
    )
    try:
        recorder = Recorder(journal, time.time, lambda: False)

        def settled(delivered: list[Delivered]) -> None:
            recorder.write([], delivered)

        wait = float(config.settings.report_wait_end)
        reporting.finish((wait, wait), settled, interrupted=None)
        recorder.let_go()
    finally:
        reporting.end()
        watch.close()
