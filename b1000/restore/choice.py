"""Which backup is restored: the newest good one of all storages, never silently an older. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from b1000.errors import B1000Error, UsageError, in_order
from b1000.figures import moment
from b1000.named import NamedTuple
from b1000.storage.backup import Backup, Root, State
from b1000.storage.question import StoredRow

_AHEAD = 86400.0  # seconds by which what is told of one that is not seen may be ahead
_SAME = 0.5  # seconds by which what is told of one moment may differ


class Unreached(NamedTuple):
    """A destination that does not answer, and the newest complete backup that is known there.

    ``started`` is None where journal and database know of none.
    """

    destination: str
    why: str
    started: float | None = None


class Terms(NamedTuple):
    """What is asked of the choice: ``any`` may be older than the newest known, unmarked, or bad.

    ``host`` is a host or master, "" for none; ``own`` the host whose backup is meant where
    several have some, "" where none is. ``until`` is the latest start, None for any. ``aside``
    are destinations that are not asked on purpose. ``resumed``: the backup was chosen before.
    ``now`` is this clock, None where nothing is ahead of it.
    ``listing`` is the command that shows what lies at storages, as people type it. ``pulled_by``
    are hosts that pull the job's backups, which lie there.
    """

    host: str = ""
    own: str = ""
    any: bool = False
    until: float | None = None
    aside: Sequence[Unreached] = ()
    resumed: bool = False
    now: float | None = None
    listing: str = "b1000 list --all"
    pulled_by: Sequence[str] = ()

    def trouble(self, backup: Backup) -> str:
        """Why one that is complete is restored on purpose alone; "" where nothing is known."""
        if backup.memory.wrong:
            return f"known to be bad: {backup.memory.wrong}"
        if self.now is not None and backup.is_ahead(self.now):
            return "more than a day ahead of this clock by its name"
        return ""


class Choice(NamedTuple):
    """The backup that is restored, and where the same run lies too, in the order of use.

    ``notes`` are why others were passed over; ``older`` names the newer one that it stands for.
    ``reasons`` say why it is this one.
    """

    rows: tuple[StoredRow, ...]
    notes: tuple[str, ...] = ()
    older: str = ""
    reasons: tuple[str, ...] = ()

    @property
    def row(self) -> StoredRow:
        """The first of them."""
        return self.rows[0]


class NothingFits(B1000Error):
    """There is no backup that could be restored."""


def choose(
    rows: Iterable[StoredRow],
    order: Mapping[str, int],
    away: Sequence[Unreached],
    terms: Terms,
) -> Choice:
    """Choose among backups of one job/instance that began early enough.

    ``order`` has the place of each destination in the file. Raises UsageError where nobody can
    tell which is meant or a newer one is where nobody answers, and NothingFits.
    """
    silent = {each.destination for each in away}
    rows = [row for row in rows if row.backup.is_there or row.root.destination not in silent]
    rows = _of_one(rows, terms)
    usable = {State.COMPLETE, State.LEGACY} if terms.any else {State.COMPLETE}
    there = [row for row in rows if row.backup.state in usable]
    _check_client(there)
    fit = _fitting(there, terms)
    notes = [*_passed_over(rows, fit, terms)]
    if not fit:
        raise NothingFits("no complete backup fits", _other_than(rows, away, terms))
    newest = max(fit, key=lambda row: row.backup.moment)
    same = [row for row in fit if _is_same(row.backup, newest.backup)]
    same.sort(key=lambda row: _preference(row, order))
    first = _newest_of(away, newest.backup, terms)
    if not terms.resumed:
        notes += [_silent(each) for each in away if each is not first]
    if first and not terms.any:
        raise UsageError(
            f"the newest backup that can be reached is {same[0].path}, of"
            f" {moment(newest.backup.moment)}; {_has_newer(first)}, and does not answer:"
            f" {first.why}",
            "--any restores the older one",
        )
    older = "; ".join(_against(same[0], rows, first, terms))
    return Choice(tuple(same), tuple(notes), older, tuple(_reasons(fit, same, order, terms)))


def _against(
    chosen: StoredRow, rows: Iterable[StoredRow], away: Unreached | None, terms: Terms
) -> Iterator[str]:
    """What speaks against the one that is chosen."""
    backup = chosen.backup
    if away:
        yield f"{_has_newer(away)}, and does not answer: {away.why}"
    elif other := _newest_of(terms.aside, backup, terms):
        yield f"{_has_newer(other)}, and is not asked (--from)"
    elif gone := _newest_gone(rows, backup, terms):
        yield f"a newer one, of {moment(gone.backup.moment)}, is missing: {gone.path}"
    elif backup.state is State.LEGACY:
        yield "it has no mark: nothing says that it is whole"
    if trouble := terms.trouble(backup):
        yield f"{chosen.path}, which is restored, is {trouble}"


def _newest_gone(rows: Iterable[StoredRow], than: Backup, terms: Terms) -> StoredRow | None:
    """The newest that is known to be complete and that its storage, which answers, has not."""
    gone = (
        row
        for row in rows
        if not row.backup.is_there
        and not terms.trouble(row.backup)
        and row.backup.moment > than.moment + _SAME
        and not _is_same(row.backup, than)
    )
    return max(gone, key=lambda row: row.backup.moment, default=None)


def _newest_of(unseen: Iterable[Unreached], than: Backup, terms: Terms) -> Unreached | None:
    """The one with the newest that is known there, if that is newer than another backup."""
    newer = [
        each
        for each in unseen
        if each.started and each.started > than.moment + _SAME
        if terms.now is None or each.started <= terms.now + _AHEAD
    ]
    return max(newer, key=lambda each: each.started or 0.0, default=None)


def _has_newer(there: Unreached) -> str:
    return f"destination {there.destination} has a newer one, of {moment(there.started or 0.0)}"


def _silent(away: Unreached) -> str:
    unknown = "" if away.started else "; whether it has a newer one, nothing on this host tells"
    return f"destination {away.destination} does not answer: {away.why}{unknown}"


def _fitting(there: Sequence[StoredRow], terms: Terms) -> Sequence[StoredRow]:
    """Those that are not known to be bad, or ahead of this clock; on purpose these, where there
    is no other, or the one that is named by its start.
    """
    good = [row for row in there if not terms.trouble(row.backup)]
    if not terms.any:
        return good
    named = [
        row for row in there if terms.until is not None and 0 <= terms.until - row.backup.moment < 1
    ]
    return [row for row in named if row in good] or named or good or there


def _reasons(
    fit: Sequence[StoredRow], same: Sequence[StoredRow], order: Mapping[str, int], terms: Terms
) -> Iterator[str]:
    kinds = "backup" if len(fit) == 1 else "backups"
    which = terms.trouble(same[0].backup).partition(":")[0] or "good"
    yield f"the newest of {len(fit)} {kinds} that {'is' if len(fit) == 1 else 'are'} {which}"
    if len(same) == 1:
        return
    first, second = (_preference(row, order) for row in same[:2])
    why = ("it is local", "it was read", "it stands first in the file")
    ahead = next(
        (text for text, one, two in zip(why, first, second, strict=True) if one != two), ""
    )
    yield "; ".join(filter(None, [f"the same run is at {_names(same[1:])} too", ahead]))


def _names(rows: Sequence[StoredRow]) -> str:
    return ", ".join(row.root.destination for row in rows)


def _of_one(rows: list[StoredRow], terms: Terms) -> list[StoredRow]:
    """The rows of one host and master. Raises UsageError where there are several."""
    if terms.host:
        rows = [row for row in rows if terms.host in (row.host, row.backup.master_host)]
    elif any(row.host == terms.own for row in rows):
        rows = [row for row in rows if row.host == terms.own]
    hosts = sorted({row.host for row in rows})
    if len(hosts) > 1:
        raise UsageError(
            f"{len(hosts)} hosts have such backups: {', '.join(hosts)}", "choose one with --host"
        )
    subjects = sorted({_subject(row) for row in rows})
    if len(subjects) > 1:
        named = ", ".join(filter(None, subjects))
        raise UsageError(f"several instances fit: {named}", "name one: job/instance")
    masters = sorted({row.backup.master_host for row in rows if row.backup.master_host})
    if len(masters) > 1 and terms.host not in masters:
        raise UsageError(
            f"backups of several masters fit: {', '.join(masters)}", "choose one with --host"
        )
    return rows


def _check_client(rows: Sequence[StoredRow]) -> None:
    """Raises UsageError where several clients have put some there.

    Each may call what it has after any host, so the newest may be of who wants to be restored.
    A directory that two destinations name is one: that of this host's own backups in a store.
    """
    whose: dict[str, Root] = {}
    for row in sorted(rows, key=lambda row: row.root.client):
        whose.setdefault(row.path, row.root)
    if len({root.client for root in whose.values()}) > 1:
        places = sorted({root.place for root in whose.values()})
        raise UsageError(
            f"such backups lie in the directories of several clients: {', '.join(places)}",
            "choose one with --from",
        )


def _subject(row: StoredRow) -> str:
    key = row.key
    return f"{key.job}/{key.instance}" if key.instance else key.job


def _is_same(one: Backup, other: Backup) -> bool:
    """Whether two directories hold the data of one run."""
    if one.run and other.run:
        return one.run == other.run
    return one.start_time == other.start_time and one.name == other.name


def _preference(row: StoredRow, order: Mapping[str, int]) -> tuple[bool, bool, int]:
    return row.root.remote, row.backup.proven.read is None, order.get(row.root.destination, 0)


def _passed_over(rows: Sequence[StoredRow], fit: Sequence[StoredRow], terms: Terms) -> list[str]:
    """Why newer ones than the chosen are no choice."""
    least = max((row.backup.moment for row in fit), default=0.0)
    notes = []
    for row in sorted(rows, key=lambda row: row.backup.moment):
        backup = row.backup
        if row in fit or backup.moment < least:
            continue
        why = (terms.trouble(backup) if backup.is_there else "") or str(backup.state)
        notes.append(f"{row.path} is passed over: {why}")
    return notes


def _with_known(away: Unreached) -> str:
    return f"has one of {moment(away.started)}, and " if away.started else ""


def _other_than(rows: Sequence[StoredRow], away: Sequence[Unreached], terms: Terms) -> str:
    silent = [
        f"{each.destination} {_with_known(each)}does not answer ({each.why})" for each in away
    ]
    if any(row.backup.state is State.LEGACY for row in rows):
        silent.append("there are some without a mark: --any")
    gone = [row for row in rows if not row.backup.is_there]
    if gone:
        last = max(gone, key=lambda row: row.backup.moment)
        silent.append(f"{last.path}, of {moment(last.backup.moment)}, is missing")
    bad = [row for row in rows if row.backup.is_there and terms.trouble(row.backup)]
    if bad:
        last = bad[-1]
        kind, _, why = terms.trouble(last.backup).partition(": ")
        silent.append(f"{last.path} is {kind}{f' ({why})' if why else ''}: --any restores it")
    begun = [row for row in rows if row.backup.state in (State.WRITING, State.UNFINISHED)]
    if begun:
        last = max(begun, key=lambda row: row.backup.moment)
        silent.append(f"{last.path} is {last.backup.state}: what is there plain rsync can read")
    if terms.pulled_by:
        host = f"--host {terms.host or terms.own}"
        silent.append(
            f"its backups lie at {in_order(terms.pulled_by)}: there `b1000 list {host}` shows them,"
            f" and `b1000 restore JOB {host} --to DIR` gives one back"
        )
    return "; ".join(silent) or f"`{terms.listing}` shows what lies there"
