"""What databases are told of the backups at a storage, and of which storage a row is. Pure."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Generic, NamedTuple, Protocol, TypeVar

from b1000.config import grammar
from b1000.drill import Drill
from b1000.jobs import Destination
from b1000.rsync.paths import START_TIME
from b1000.runs.stored import MISSING, REMOVED, Facts, Told
from b1000.storage.backup import Backup, Catalogue, Group, GroupKey, Root

LONGEST_HOST = 128  # characters of a host's name in a database

Held = Mapping[str, str]
"""Why nothing of a group is removed, by the whole path of its newest backup."""


class OfStorage(Protocol):
    """A row that a storage has told, whose host is called ``storage`` there."""

    @property
    def storage(self) -> str:
        """The name of the host."""


Row = TypeVar("Row", bound=OfStorage)


class Meant(NamedTuple, Generic[Row]):
    """The rows of the same backup that may be of one storage. ``sure``: they are."""

    rows: Sequence[Row]
    sure: bool

    def that(self, says: Callable[[Row], object]) -> Row | None:
        """One that ``says`` something of this storage; None where not all do that may be of it."""
        those = [row for row in self.rows if says(row)]
        return those[0] if those and (self.sure or len(those) == len(self.rows)) else None


def meant(rows: Iterable[Row], storage: str, others: Collection[str] = ()) -> Meant[Row]:
    """Those of ``rows``, all of one backup, that are of the host of a destination.

    Where none has its name, it is called otherwise there than here: it is one of these, whichever,
    but none of the ``others``, hosts of destinations too.
    """
    rows = [*rows]
    of_it = [each for each in rows if grammar.is_same_host(each.storage, storage)]
    left = [
        each for each in rows if not any(grammar.is_same_host(each.storage, one) for one in others)
    ]
    return Meant(of_it or left, bool(of_it))


class StoredFacts:
    """What is told of a destination: ``storage`` is this host.

    ``drill`` says how backups of a group are drilled there, None where they are not.
    """

    def __init__(
        self,
        storage: str,
        destination: Destination,
        drill: Callable[[Destination, GroupKey], Drill | None],
    ) -> None:
        self._storage = storage
        self._destination = destination
        self._drill = drill

    def described(self, catalogue: Catalogue, held: Held | None = None) -> dict[str, Facts]:
        """The facts of each backup at a root, by its place; none where no database is told."""
        if not self._destination.report:
            return {}
        return dict(self._of_all(catalogue, held or {}))

    def _of_all(self, catalogue: Catalogue, held: Held) -> Iterator[tuple[str, Facts]]:
        for group in catalogue.groups:
            for backup in group.backups:
                why = held.get(catalogue.root.whole(backup.place), "")
                yield (
                    backup.place,
                    self.facts(catalogue.root, group.key, backup)._replace(held=why),
                )

    def facts(self, root: Root, key: GroupKey, backup: Backup) -> Facts:
        """The facts of one backup."""
        drill = self._drill(self._destination, key)
        return Facts(
            storage=self._storage,
            destination=root.destination,
            job=key.job,
            host=(key.host or key.unmarked)[:LONGEST_HOST],
            type=backup.type,
            state=str(backup.state),
            reports=self._destination.report or (drill.reports if drill else ()),
            instance=key.instance,
            master_host=backup.master_host,
            master_instance=backup.master_instance,
            start_time=backup.start_time or _local(backup.started),
            started=backup.started,
            ended=backup.ended,
            run=backup.run,
            files=backup.counts.files,
            bytes=backup.counts.bytes,
            verify=self._destination.verify,
            drill=drill.every if drill else None,
        )


def _local(started: float | None) -> str:
    return "" if started is None else f"{datetime.fromtimestamp(started):{START_TIME}}"


def held(groups: Sequence[tuple[Root, Group, str]]) -> dict[str, str]:
    """Why groups are held back, by the whole path of the newest backup of each."""
    return {
        root.whole(group.backups[-1].place): why
        for root, group, why in groups
        if why and group.backups
    }


def gone_since(
    told: Iterable[Told], catalogues: Iterable[Catalogue]
) -> Iterator[tuple[str, dict[str, Facts]]]:
    """What is to be told of backups that lie there no more, each with its root."""
    there = {
        each.root.path: {
            backup.place for group in each.groups for backup in group.backups if backup.is_there
        }
        for each in catalogues
        if not each.unread
    }
    for one in told:
        is_gone = one.place not in there.get(one.root, {one.place})
        if is_gone and one.facts.state not in (MISSING, REMOVED):
            yield one.root, {one.place: one.facts._replace(state=MISSING)}
