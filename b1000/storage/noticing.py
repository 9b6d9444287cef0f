"""When what lies at a storage was seen first: all that is new in one look, at one moment.

A group that a storage has known holds no backup whose name is much older than when it was seen
first; of one that it meets for the first time nobody can tell, however long the look takes.
"""

from collections.abc import Iterable

from b1000.state.journal import Journal
from b1000.storage.backup import Catalogue


def note_new(journal: Journal, catalogues: Iterable[Catalogue], now: float) -> None:
    """Note all that was never seen before as seen now; what was keeps its time."""
    with journal.transaction():
        for each in catalogues:
            for group in each.groups:
                for backup in group.backups:
                    if backup.memory.first_seen is None and backup.is_there:
                        journal.remember(each.root.path, backup.place, {"first_seen": now})
