"""Of the backups of a job at all storages the one is chosen that is restored."""

from b1000.config.loader import Config
from b1000.config.selectors import Selector
from b1000.named import NamedTuple
from b1000.restore import told
from b1000.restore.choice import Choice, Terms, Unreached
from b1000.restore.choice import choose as chosen
from b1000.restore.told import Databases, Whose
from b1000.rsync.restoring import Way
from b1000.runs.stored import Restore
from b1000.storage import question, remote
from b1000.storage.backup import Root
from b1000.storage.question import Configured, StoredQuestion, StoredRow
from b1000.storage.survey import Away, Journalled, Survey


class Asked(NamedTuple):
    """What is wanted: begun at or before ``until``, and where a restore has ``begun``, of its run.

    ``any``: also an older one, one that has no mark, or one that is bad.
    """

    wanted: Selector
    until: float | None = None
    host: str = ""
    any: bool = False
    begun: Restore | None = None


def choose(
    config: Config, journal: Journalled, found: Survey, asked: Asked, databases: Databases
) -> Choice:
    """The backup that is meant, of those that were ``found`` at the storages.

    ``databases`` know of storages that do not answer, and what others have found. Raises
    UsageError and NothingFits.
    """
    job = asked.wanted.job
    configured = Configured(config.settings.host, config.jobs, config.destinations)
    stored = StoredQuestion((asked.wanted,), "", asked.until, True)
    rows = question.rows(found.groups(), stored, configured, {})
    rows = told.believed(rows, databases, job)
    if asked.begun:
        rows = [row for row in rows if _is_of(asked.begun, row)]
    unseen = [
        Away(each.root.destination, f"{each.root.whole(unread.path).rstrip('/')}: {unread.why}")
        for each in found.catalogues
        for unread in each.unread_of(job)
    ]
    away = [_unreached(config, journal, each, asked) for each in (*found.away, *unseen)]
    if not asked.begun:
        away = [_known_elsewhere(config, each, asked, databases) for each in away]
    order = {name: number for number, name in enumerate(config.destinations)}
    own = config.settings.host if job in config.jobs else ""
    return chosen(rows, order, away, Terms(asked.host, own, asked.any, asked.until))


def _is_of(begun: Restore, row: StoredRow) -> bool:
    return row.path == begun.path or bool(begun.run and row.backup.run == begun.run)


def _unreached(config: Config, journal: Journalled, away: Away, asked: Asked) -> Unreached:
    """A destination that does not answer, with the newest that the journal knows there."""
    root = Root(away.destination, config.destinations[away.destination].path)
    started = [
        each.started
        for each in journal.known(root, asked.wanted.job).copies.values()
        if each.complete and each.job == asked.wanted.job
        if asked.wanted.instance in (None, each.instance)
        if asked.host in ("", each.host, each.master_host)
        if asked.until is None or each.started <= asked.until
        if not asked.begun or each.run == asked.begun.run
    ]
    return Unreached(away.destination, away.why, max(started, default=None))


def _known_elsewhere(
    config: Config, away: Unreached, asked: Asked, databases: Databases
) -> Unreached:
    whose = Whose(*asked.wanted, asked.host, asked.until)
    found = databases.newest(config.destinations[away.destination], whose)
    started = [each for each in (away.started, found) if each is not None]
    return away._replace(started=max(started, default=None))


def way(config: Config, journal: Journalled, row: StoredRow) -> Way:
    """How rsync reads a backup."""
    if not row.root.remote:
        return Way(row.root.address)
    destination = config.destinations[row.root.destination]
    limits = journal.limits(destination)
    there = remote.reach(destination, limits)
    return Way(there.address, there.password_file, there.limits, there.way, there.transport)
