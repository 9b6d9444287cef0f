"""What lies at a root, with what the journal knows of it, as groups of backups. Pure.

Marks are claims of clients: what one says counts for the backup beside it alone, and for which
group unmarked directories of the very same name belong to.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from b1000.b1k.claim import Claim
from b1000.b1k.mark import Counts
from b1000.named import NamedTuple
from b1000.rsync import paths
from b1000.runs.stored import KnownCopy, Memory
from b1000.storage import layout
from b1000.storage.backup import (
    Backup,
    Catalogue,
    Entry,
    Group,
    GroupKey,
    Root,
    State,
    Unread,
)
from b1000.storage.layout import Place

_MOST_NOTES = 20


class Known(NamedTuple):
    """What is known beside what lies there.

    ``jobs`` are those that the configuration or the journal names. ``copies`` are those of the
    journal into this root and ``memories`` what earlier looks found, both by their place. ``told``
    are those that databases call complete: they say what is missing, and nothing of what is there.
    """

    jobs: Collection[str] = ()
    copies: Mapping[str, KnownCopy] = {}
    memories: Mapping[str, Memory] = {}
    told: Mapping[str, KnownCopy] = {}


NOTHING_KNOWN = Known()


def build(root: Root, entries: Iterable[Entry | Unread], known: Known = NOTHING_KNOWN) -> Catalogue:
    """The catalogue of one root."""
    building = _Building(root, known)
    for entry in entries:
        if isinstance(entry, Unread):
            building.unread.append(entry)
        else:
            building.add(entry)
    return building.catalogue()


_NOTHING = Memory()


class _Building:
    def __init__(self, root: Root, known: Known) -> None:
        self._root = root
        self._known = known
        self._jobs = {*known.jobs}
        self._backups: dict[GroupKey, list[Backup]] = defaultdict(list)
        self._whose: dict[tuple[str, str], set[GroupKey]] = defaultdict(set)
        self._unmarked: list[Entry] = []
        self._seen: set[str] = set()
        self._marks = 0
        self._notes: list[str] = []
        self.unread: list[Unread] = []

    def add(self, entry: Entry) -> None:
        path = entry.place.path
        if entry.flaw:
            self._note(f"{path}.b1k: {entry.flaw}")
        if not entry.is_there:
            self._note(f"{path}.b1k: there is no such backup beside it")
        elif not entry.mark:
            self._unmarked.append(entry)
        else:
            self._marks += 1
            self._jobs.add(entry.place.job)
            self._seen.add(path)
            key = self._key(entry.mark)
            self._whose[entry.place.job, entry.place.whose].add(key)
            self._backups[key].append(self._marked(path, entry, entry.mark))

    def catalogue(self) -> Catalogue:
        for entry in self._unmarked:
            self._seen.add(entry.place.path)
            key, backup = self._without_mark(entry)
            if backup:
                self._backups[key].append(backup)
        for place, copy in self._known.copies.items():
            if copy.complete and place not in self._seen:
                self._add_missing(place, copy)
        for place, copy in self._known.told.items():
            if place not in self._seen and layout.place(place):  # roots may lie in each other
                self._add_missing(place, copy)
        since = self._seen_since()
        groups = (
            Group(key, tuple(sorted(backups, key=_order)), since.get(key))
            for key, backups in sorted(self._backups.items())
        )
        unread = tuple(self.unread)
        return Catalogue(self._root, tuple(groups), self._marks, tuple(self._notes), unread)

    def _seen_since(self) -> dict[GroupKey, float]:
        """When the first of each group was seen that was removed since."""
        found: dict[GroupKey, float] = {}
        for path, memory in self._known.memories.items():
            if memory.removed is None or memory.first_seen is None:
                continue
            place = layout.place(path)
            # It cannot have been removed before: the clock was ahead once.
            if place and place.start_time and memory.first_seen <= memory.removed:
                key = self._settled(place)
                found[key] = min(found.get(key, memory.removed), memory.first_seen)
        return found

    def _add_missing(self, place: str, copy: KnownCopy) -> None:
        if self._can_be_missing(place):
            self._seen.add(place)
            self._backups[self._key(copy)].append(self._missing(place, copy))

    def _can_be_missing(self, place: str) -> bool:
        """Whether what was not seen is not there: nobody removed it, and all was looked at."""
        above = (each.path for each in self.unread)
        looked_at = not any(place.startswith(f"{path}/") for path in above)
        return looked_at and self._memory(place).removed is None

    def _note(self, text: str) -> None:
        if len(self._notes) < _MOST_NOTES:
            self._notes.append(text)

    def _key(self, whose: object) -> GroupKey:
        # A mark's report and a copy of the journal name them alike.
        return GroupKey(
            self._root.path,
            self._root.client,
            whose.job,  # type: ignore[attr-defined]
            whose.host,  # type: ignore[attr-defined]
            whose.instance,  # type: ignore[attr-defined]
        )

    def _memory(self, place: str) -> Memory:
        return self._known.memories.get(place, _NOTHING)

    def _marked(self, path: str, entry: Entry, mark: Claim) -> Backup:
        copy = self._known.copies.get(path)
        done = mark.complete or (copy is not None and _brought(copy, mark))
        state = State.COMPLETE if done else State.WRITING
        # By their places, which takes a fifth of the time.
        return Backup(
            path,
            mark.type,
            state,
            entry.place.start_time,
            mark.started,
            mark.ended,
            mark.master_host,
            mark.master_instance,
            mark.run,
            mark.counts,
            mark.options,
            mark.relative,
            mark.leftovers,
            mark.include,
            mark.state,
            "",
            entry.protected,
            self._memory(path),
            entry.listed,
        )

    def _without_mark(self, entry: Entry) -> tuple[GroupKey, Backup | None]:
        place = entry.place
        copy = self._known.copies.get(place.path)
        key = self._key(copy) if copy else self._settled(place)
        known = copy is not None or place.job in self._jobs
        if not known and place.type == "sync":
            return key, None  # any directory may be called so
        state = self._state(place, copy) if known or self._is_legacy(place) else State.UNKNOWN
        backup = _of_copy(place, copy) if copy else Backup(place.path, place.type, state)
        started = backup.started if copy else _local(place.start_time)
        return key, backup._replace(
            state=state,
            start_time=place.start_time,
            started=started,
            flaw=entry.flaw,
            protected=entry.protected,
            memory=self._memory(place.path),
            listed=entry.listed,
        )

    def _state(self, place: Place, copy: KnownCopy | None) -> State:
        if copy and copy.complete:
            return State.COMPLETE
        return State.LEGACY if self._is_legacy(place) else State.UNFINISHED

    def _is_legacy(self, place: Place) -> bool:
        identity = self._root.identity
        named = _local(place.start_time)
        return identity is not None and named is not None and named < identity.created

    def _settled(self, place: Place) -> GroupKey:
        """The group of an unmarked directory: that of marks with the same name, or its own."""
        groups = self._whose.get((place.job, place.whose), ())
        if len(groups) == 1:
            return next(iter(groups))
        return GroupKey(self._root.path, self._root.client, place.job, unmarked=place.whose)

    def _missing(self, path: str, copy: KnownCopy) -> Backup:
        place = layout.place(path)
        backup = _of_copy(place, copy) if place else Backup(path, copy.type, State.MISSING)
        return backup._replace(state=State.MISSING, memory=self._memory(path))


def _brought(copy: KnownCopy, mark: Claim) -> bool:
    """Whether the journal calls done what its mark, which is on its way, does not say yet."""
    same = copy.run == mark.run or abs(copy.started - mark.started) < 1
    return copy.complete and same


def _of_copy(place: Place, copy: KnownCopy) -> Backup:
    return Backup(
        place=place.path,
        type=place.type,
        state=State.COMPLETE,
        start_time=place.start_time,
        started=copy.started,
        ended=copy.ended,
        master_host=copy.master_host,
        master_instance=copy.master_instance,
        run=copy.run,
        counts=Counts(files=copy.files, bytes=copy.bytes),
    )


def _local(start_time: str) -> float | None:
    """The time in a name by the clock of this machine; None where it has none."""
    if not start_time:
        return None
    try:
        return paths.moment(start_time).timestamp()
    except (ValueError, OverflowError):
        return None


def _order(backup: Backup) -> tuple[float, str, str]:
    # By names an hour that a night has twice would be in disorder.
    return backup.moment, backup.start_time, backup.place


def by_place(root: str, copies: Iterable[KnownCopy]) -> dict[str, KnownCopy]:
    """Copies into one root by their places; of several into one directory the last."""
    top = f"{root.rstrip('/')}/"
    return {each.path[len(top) :]: each for each in copies if each.path.startswith(top)}
