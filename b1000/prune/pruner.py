"""Carries out what a prune has planned, storage by storage."""

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from b1000.b1k import mark
from b1000.errors import message_of
from b1000.jobs import Destination
from b1000.named import NamedTuple
from b1000.prune import pruning, removal
from b1000.prune.pruning import Plan, Removal, Wish
from b1000.prune.removal import NotRemoved, Removals
from b1000.state.journal import Journal
from b1000.storage import box, layout, local
from b1000.storage.backup import Backup, Catalogue, Root
from b1000.storage.catalogue import Known

_AT_ONCE = 25  # backups that one rm removes
_SLACK = timedelta(seconds=0.02)  # by which the clock of a file system may be behind
_FULL = 0.9  # of a file system, from which on it is told


class Outcome(NamedTuple):
    """What became of one removal: ``trouble`` is "" where its files are gone."""

    removal: Removal
    trouble: str = ""


class Pruner:
    """One prune. Each removal is in the journal, with its reason, before it happens."""

    def __init__(
        self,
        journal: Journal,
        wish: Wish,
        until: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._wish = wish
        self._until = until
        self._clock = clock

    def finish(self, catalogues: Sequence[Catalogue]) -> Iterator[str]:
        """Finish what an earlier prune began; gives the troubles. Raises OutOfTime.

        Of a backup whose mark was gone already, and that nobody has written to since.
        """
        for root, backup in _all(catalogues):
            if _is_half_removed(root, backup):
                yield from self._guarded(root, backup.place)
        for root in (each.root for each in catalogues):
            area = Removals(root.path, self._until)
            try:
                left = iter(area.left())
                while some := list(itertools.islice(left, _AT_ONCE)):
                    yield from area.delete(some).values()
            except NotRemoved as error:
                yield str(error)

    def _guarded(self, root: Root, place: str) -> Iterator[str]:
        try:
            Removals(root.path, self._until).take(place)
        except NotRemoved as error:
            yield f"{root.whole(place)}: not removed: {error}"

    def carry_out(self, plan: Plan) -> Iterator[Outcome]:
        """Remove what is planned, one after the other. Raises OutOfTime."""
        for root, removals in itertools.groupby(plan.removals(), lambda each: each.root):
            area = Removals(root.path, self._until)
            while some := list(itertools.islice(removals, _AT_ONCE)):
                yield from self._remove(area, some, plan.moment)

    def _remove(
        self, area: Removals, some: Sequence[Removal], planned: datetime
    ) -> Iterator[Outcome]:
        """Some backups of one root: all are noted, then moved away, then deleted."""
        area.check_time()
        stay = {each.backup.place: why for each in some if (why := _meanwhile(each, planned))}
        yield from (
            Outcome(each, stay[each.backup.place]) for each in some if each.backup.place in stay
        )
        some = [each for each in some if each.backup.place not in stay]
        with self._journal.transaction():
            for each in some:
                noted = {
                    "removed": self._clock(),
                    "reason": each.reason,
                    "unmarked": int(not each.backup.mark),
                }
                self._journal.remember(area.root, each.backup.place, noted)
        taken: dict[str, Removal] = {}
        for each in some:
            try:
                taken[area.take(each.backup.place)] = each
            except NotRemoved as error:
                yield Outcome(each, str(error))
        troubles = area.delete([*taken])
        yield from (Outcome(each, troubles.get(name, "")) for name, each in taken.items())


def plan(
    destination: Destination,
    catalogues: Sequence[Catalogue],
    wish: Wish,
    now: float,
    disputed: Mapping[str, str] = {},
) -> Plan:
    """What a prune would do at one destination now; nothing at roots that are ``disputed``."""
    moment = datetime.fromtimestamp(now)
    look = pruning.Look(_changed, local.marked_at)
    found = pruning.plan(destination, catalogues, moment, wish, look)
    why = {root.path: disputed[root.path] for root, *_ in catalogues if root.path in disputed}
    waiting = [note for each in catalogues for note in box.notes(each.root)]
    filled = _filled(each.root for each in catalogues if not each.unreadable)
    notes = (*found.notes, *waiting, *filled)
    return found._replace(notes=notes, refused={**why, **found.refused})


def is_unused(catalogue: Catalogue, known: Callable[[Root], Known]) -> bool:
    """Whether a directory holds no backup, and none was seen there that is not removed.

    So it is with lost+found, and with a client that has yet to send its first backup; a disk that
    is not mounted was seen to hold some. Of a damaged id file somebody has to hear.
    """
    if catalogue.groups or catalogue.holds_something or catalogue.root.damage:
        return False
    memories = known(catalogue.root).memories.values()
    return all(each.first_seen is None or each.removed is not None for each in memories)


Found = Sequence[tuple[Destination, list[Catalogue]]]


def one_keep(found: Found) -> tuple[Found, dict[str, str]]:
    """A tree that two destinations name is that of the first, and disputed where they differ.

    Gives the catalogues of each, and by their paths why nothing is removed at some roots.
    """
    first: dict[tuple[int, int], tuple[Destination, str]] = {}
    disputed: dict[str, str] = {}
    once: list[tuple[Destination, list[Catalogue]]] = []
    for destination, catalogues in found:
        own = []
        for each in catalogues:
            path = each.root.path
            try:
                status = os.stat(path)
            except OSError:
                own.append(each)  # it says why itself
                continue
            other, above = first.setdefault((status.st_dev, status.st_ino), (destination, path))
            if other is destination or _terms(other) != _terms(destination):
                own.append(each)
            if _terms(other) != _terms(destination):
                names = f"destinations {other.name} and {destination.name}"
                why = f"{names} have different rules for {path}; name it in one of them"
                disputed |= {path: why, above: why}
        once.append((destination, own))
    return once, disputed


def _terms(one: Destination) -> tuple[object, ...]:
    return one.keep, one.keep_least, one.keep_unfinished, one.prune_most, one.flaws


def _changed(root: Root, backup: Backup) -> datetime:
    path = root.whole(backup.place)
    try:
        newest = removal.newest_change(path)
        with contextlib.suppress(FileNotFoundError):
            # Of a sync that begins, the mark alone may be new.
            newest = max(newest, os.lstat(path + mark.SUFFIX).st_ctime)
    except OSError:
        return datetime.max  # who cannot look at it removes nothing of it
    return datetime.fromtimestamp(newest)


def _meanwhile(gone: Removal, planned: datetime) -> str:
    """Why a backup does not go that was to go when that was planned, perhaps hours ago; or ""."""
    backup = gone.backup
    place = layout.place(backup.place)
    try:
        now = local.entry(gone.root, place) if place else None
    except OSError as error:
        return message_of(error)
    if now is None or not now.is_there:
        return "it is not there any more"
    if now.protected:
        return "NAME.keep lies beside it by now"
    if (now.mark.state if now.mark else "") != backup.mark:
        return "its mark has changed meanwhile; the next prune decides anew"
    if now.flaw and not backup.flaw:
        return f"its mark cannot be used: {now.flaw}"
    if backup.state in pruning.UNDER_WAY and _changed(gone.root, backup) >= planned - _SLACK:
        return "it is being written again"
    return ""


def _filled(roots: Iterator[Root]) -> Iterator[str]:
    """File systems that are nearly full, once each: told, and no reason to remove anything."""
    told = set()
    for root in roots:
        try:
            space, device = os.statvfs(root.path), os.stat(root.path).st_dev
        except OSError as error:
            yield f"{root.path}: {message_of(error)}"
            continue
        used = 1 - space.f_bavail / space.f_blocks if space.f_blocks else 0
        if used > _FULL and device not in told:
            told.add(device)
            yield f"{root.path}: its file system is {used:.0%} full"


def _all(catalogues: Sequence[Catalogue]) -> Iterator[tuple[Root, Backup]]:
    for each in catalogues:
        for group in each.groups:
            for backup in group.backups:
                yield each.root, backup


def _is_half_removed(root: Root, backup: Backup) -> bool:
    """Whether a prune had taken its mark; what had none is as it was, and is decided anew."""
    removed = backup.memory.removed
    if removed is None or backup.memory.unmarked or not backup.is_there:
        return False
    if backup.mark or backup.flaw or backup.protected:
        return False
    # A copy that was resumed has written to it since, perhaps far below.
    return _changed(root, backup) < datetime.fromtimestamp(removed) - _SLACK
