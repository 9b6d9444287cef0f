"""Of the backups of a job at all storages the one is chosen that is restored."""

import time
from collections.abc import Collection
from contextlib import suppress

from b1000.config.loader import Config
from b1000.config.selectors import Selector, unknown_job
from b1000.errors import B1000Error, StorageAway, UsageError
from b1000.jobs import Destination, Job
from b1000.named import NamedTuple
from b1000.restore import strangers, told
from b1000.restore.choice import Choice, NothingFits, Terms, Unreached
from b1000.restore.choice import choose as chosen
from b1000.restore.told import Databases, Whose
from b1000.rsync.restoring import Way
from b1000.runs.stored import Restore
from b1000.storage import emptied, local, question, remote, survey
from b1000.storage.backup import Root
from b1000.storage.question import Configured, StoredQuestion, StoredRow
from b1000.storage.survey import Away, Journalled, Survey


class Asked(NamedTuple):
    """What is wanted: begun at or before ``until``, and where a restore has ``begun``, of its run.

    ``any``: also an older one, one that has no mark, or one that is bad. ``source`` is the only
    destination that is asked, "" for all, and ``client`` the only one of a store, "" for all.
    """

    wanted: Selector
    until: float | None = None
    host: str = ""
    any: bool = False
    begun: Restore | None = None
    source: str = ""
    client: str = ""


def choose(
    config: Config, journal: Journalled, found: Survey, asked: Asked, databases: Databases
) -> Choice:
    """The backup that is meant, of those that were ``found`` at the storages.

    ``databases`` know of storages that do not answer, and what others have found. Raises
    UsageError and NothingFits.
    """
    job = asked.wanted.job
    own = config.settings.host
    rows = told.believed(_rows(config, found, asked), databases, job, own)
    rows = _of_client(found, rows, asked)
    if asked.begun:
        rows = _of_begun(asked.begun, rows)
    unseen = [
        Away(each.root.destination, f"{each.root.whole(unread.path).rstrip('/')}: {unread.why}")
        for each in found.catalogues
        for unread in each.unread_of(job)
    ]
    away = [_unreached(config, journal, each, asked) for each in (*found.away, *unseen)]
    if not asked.begun:
        away += _emptied(config, journal, found, asked, databases)
    aside = _not_asked(config, asked)
    others = [_unreached(config, journal, each, asked) for each in aside]
    if not asked.begun:
        away = [_known_elsewhere(config, each, asked, databases) for each in away]
        others = [_known_elsewhere(config, each, asked, databases) for each in others]
    order = {name: number for number, name in enumerate(config.destinations)}
    own = own if job in config.jobs else ""
    resumed = asked.begun is not None
    terms = Terms(asked.host, own, asked.any, asked.until, others, resumed, time.time())
    pulled = {each.host for each in _destinations(config, job) if each.type == "passive"}
    terms = terms._replace(listing=config.command("list", "--all"), pulled_by=tuple(pulled))
    try:
        return chosen(rows, order, away, terms)
    except NothingFits as failure:
        if asked.begun:
            raise NothingFits(
                f"{asked.begun.path}, with which {asked.begun.target} was begun, cannot be had now",
                f"{failure.hint}; another DIR, or --merge, takes another backup",
            ) from None
        if any(each.started for each in away):
            raise
        raise _explained(config, journal, found, asked, failure) from None


def _rows(config: Config, found: Survey, asked: Asked) -> list[StoredRow]:
    configured = Configured(config.settings.host, config.jobs, config.destinations)
    stored = StoredQuestion((asked.wanted,), "", asked.until, True)
    return question.rows(found.groups(), stored, configured, {})


def _emptied(
    config: Config, journal: Journalled, found: Survey, asked: Asked, databases: Databases
) -> list[Unreached]:
    """Where the job has nothing that this host's journal knew, and databases know that it had:
    those destinations of it that are empty.
    """
    names = {each.name for each in _destinations(config, asked.wanted.job)}
    empty = []
    for each in survey.storages(config, lambda one: one.name in names):
        here = [one for one in found.catalogues if one.root.destination == each.name]
        if not here or any(one.groups for one in here):
            continue
        known = _known_elsewhere(config, Unreached(each.name, emptied.why(each)), asked, databases)
        with suppress(StorageAway):
            if known.started and emptied.is_empty(each, here, journal, asked.wanted.job):
                empty.append(known)
    return empty


def _destinations(config: Config, name: str) -> list[Destination]:
    """Those of a job of the configuration."""
    job = config.jobs.get(name)
    return [*job.destinations.values()] if isinstance(job, Job) else []


def _not_asked(config: Config, asked: Asked) -> list[Away]:
    if not asked.source:
        return []
    return [Away(each.name, "") for each in survey.storages(config) if each.name != asked.source]


def _explained(
    config: Config, journal: Journalled, found: Survey, asked: Asked, failure: NothingFits
) -> B1000Error:
    """Why nothing fits; what nobody knows was probably mistyped."""
    job = asked.wanted.job
    whole = asked._replace(wanted=Selector(job), until=None)
    seen = strangers.Seen(
        _rows(config, found, whole),
        _rows(config, found, asked._replace(until=None)),
        asked.host,
        asked.until,
    )
    known = job in config.jobs or job in journal.jobs()
    if not seen.of_job and not known:
        there = _jobs_there(config, {each.destination for each in found.away}, asked.source)
        return unknown_job(job, {*config.jobs, *there}, commands=False)
    configured = config.jobs.get(job)
    listed = configured.fixed_instances if isinstance(configured, Job) else None
    return strangers.explained(asked.wanted, seen, listed or (), failure)


def _of_client(found: Survey, rows: list[StoredRow], asked: Asked) -> list[StoredRow]:
    """Those of the one client that is asked for. Raises UsageError where nobody is called so."""
    clients = {each.root.client for each in found.catalogues if each.root.client}
    if asked.client and asked.client not in clients and found.catalogues:
        raise UsageError(
            f"destination {asked.source!r} has no client {asked.client!r}",
            f"there are: {', '.join(sorted(clients))}" if clients else "it has no clients",
        )
    return [row for row in rows if row.root.client == asked.client] if asked.client else rows


def _of_begun(begun: Restore, rows: list[StoredRow]) -> list[StoredRow]:
    """Those of the run that is being restored; what another client calls so is another's."""
    same = [
        row for row in rows if row.path == begun.path or (begun.run and row.backup.run == begun.run)
    ]
    clients = {row.root.client for row in same if row.path == begun.path}
    return [row for row in same if not clients or row.root.client in clients]


def _unreached(config: Config, journal: Journalled, away: Away, asked: Asked) -> Unreached:
    """A destination that does not answer, with the newest that the journal knows there."""
    if away.destination not in config.destinations:
        return Unreached(away.destination, away.why)
    root = Root(away.destination, config.destinations[away.destination].path)
    known = journal.known(root, asked.wanted.job)
    gone = {
        place for place, each in known.memories.items() if each.wrong or each.removed is not None
    }
    started = [
        each.started
        for place, each in known.copies.items()
        if each.complete and place not in gone and each.job == asked.wanted.job
        if asked.wanted.instance in (None, each.instance)
        if asked.host in ("", each.host, each.master_host)
        if asked.until is None or each.started <= asked.until
        if not asked.begun or each.run == asked.begun.run
    ]
    return Unreached(away.destination, away.why, max(started, default=None))


def _known_elsewhere(
    config: Config, away: Unreached, asked: Asked, databases: Databases
) -> Unreached:
    if away.destination not in config.destinations:
        return away
    whose = Whose(*asked.wanted, asked.host, asked.until)
    found = databases.newest(config.destinations[away.destination], whose)
    started = [each for each in (away.started, found) if each is not None]
    return away._replace(started=max(started, default=None))


def _jobs_there(config: Config, away: Collection[str], source: str) -> set[str]:
    """The jobs that have a directory at a storage that answers, or at the ``source`` alone."""
    found: set[str] = set()
    for each in survey.storages(config, survey.wanted(config, source)):
        with suppress(StorageAway):
            if each.name in away:
                continue
            if survey.is_remote(each):
                found |= {*remote.jobs(remote.reach(each, survey.limits(config, each)))}
                continue
            for root in local.roots(each.name, survey.read_at(each)):
                found |= {*local.jobs(root)}
    return found


def way(config: Config, journal: Journalled, row: StoredRow) -> Way:
    """How rsync reads a backup."""
    if not row.root.remote:
        return Way(row.root.address)
    destination = config.destinations[row.root.destination]
    limits = journal.limits(destination)
    there = remote.reach(destination, limits)
    return Way(there.address, there.password_file, there.limits, there.way, there.transport)
