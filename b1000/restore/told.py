"""What databases tell of backups at storages, which know more of them than a client. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from b1000.jobs import Destination
from b1000.named import NamedTuple
from b1000.rsync import paths
from b1000.runs.stored import Memory
from b1000.storage import stored_facts
from b1000.storage.question import StoredRow

_SAME_TIME = 1.0  # second


class ToldOf(NamedTuple):
    """One backup as its storage has told a database of it; ``path`` is its directory there.

    ``bad`` says what is wrong with it, "" for nothing that is known; ``read`` when it was read.
    ``sums`` are the hashes of the list of sums beside it, as the journal has them. ``removed``:
    its storage has removed it.
    """

    storage: str
    path: str
    run: str = ""
    started: float | None = None
    bad: str = ""
    read: float | None = None
    sums: str = ""
    removed: bool = False


_ByName = Mapping[str, Sequence[ToldOf]]
"""By the names of their directories: of a hundred thousand few have the same."""


class Whose(NamedTuple):
    """Whose backups are meant: ``host`` "" and ``instance`` None for all."""

    job: str
    instance: str | None = None
    host: str = ""
    until: float | None = None


class Databases(Protocol):
    """Those of the configuration; one that does not answer tells nothing."""

    def newest(self, destination: Destination, whose: Whose) -> float | None:
        """When the newest complete backup at a destination began; None where none is known."""

    def stored(self, job: str, hosts: Collection[str]) -> Sequence[ToldOf]:
        """What storages have told of the backups of a job and some hosts."""

    def removed(self, job: str, hosts: Collection[str]) -> Sequence[ToldOf]:
        """The backups of these that storages have told to be removed there."""


def believed(
    rows: Iterable[StoredRow], databases: Databases, job: str, own: str = ""
) -> list[StoredRow]:
    """The same rows, with what databases tell of those that lie at other hosts; ``own`` is this.

    Without those that are missing since their storages removed them.
    """
    rows = list(rows)
    remote = [row for row in rows if row.root.remote]
    hosts = {row.host for row in remote}
    of_missing = {row.host for row in remote if not row.backup.is_there}
    told = _by_name(
        [
            *(databases.stored(job, hosts) if hosts else ()),
            *(databases.removed(job, of_missing) if of_missing else ()),
        ]
    )
    storages = {_storage(row) if row.root.remote else own for row in rows}
    found = []
    for row in rows:
        same = _same(row, told) if row.root.remote else []
        if row.backup.is_there or not _is_removed(row, same, storages):
            lying = [each for each in same if not each.removed]
            found.append(_with(row, lying, storages) if lying else row)
    return found


def _is_removed(row: StoredRow, same: Sequence[ToldOf], storages: set[str]) -> bool:
    meant = stored_facts.meant(same, _storage(row), storages - {_storage(row)})
    return meant.that(lambda each: each.removed) is not None


def _storage(row: StoredRow) -> str:
    return paths.host_or_path(row.root.address)


def _by_name(told: Iterable[ToldOf]) -> _ByName:
    found: dict[str, list[ToldOf]] = {}
    for each in told:
        found.setdefault(_name(each.path), []).append(each)
    return found


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _same(row: StoredRow, told: _ByName) -> list[ToldOf]:
    """What is told of this backup, and of those of the same run at other storages."""
    return [each for each in told.get(_name(row.backup.place), ()) if _is_same(row, each)]


def _with(row: StoredRow, same: Sequence[ToldOf], storages: Collection[str]) -> StoredRow:
    storage, memory = _storage(row), row.backup.memory
    meant = stored_facts.meant(same, storage, [each for each in storages if each != storage])
    read = [each.read for each in meant.rows if meant.sure and each.read is not None]
    if wrong := meant.that(lambda each: each.bad):
        memory = memory._replace(bad=f"{wrong.bad} (as {wrong.storage} told a database)")
    elif read and memory == Memory():
        memory = memory._replace(read=max(read))
    # A list has the same hash wherever the same files were read.
    known = meant.rows or (same if row.backup.listed else ())
    sums = {each.sums for each in known if each.sums}
    if len(sums) == 1:
        memory = memory._replace(sums=sums.pop())
    return row._replace(backup=row.backup._replace(memory=memory))


def _is_same(row: StoredRow, told: ToldOf) -> bool:
    """Whether a row is of this backup, or one of the same run at another storage."""
    backup = row.backup
    if not told.path.endswith(f"/{backup.place}"):
        return False
    if backup.run and told.run:
        return backup.run == told.run
    if backup.started is None or told.started is None:
        return backup.type == "full"  # its name has the time
    return abs(backup.started - told.started) <= _SAME_TIME
