"""Which backups are read tonight. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from b1000.storage.backup import Backup, Group, Root

_NIGHT = 86400.0


class Due(NamedTuple):
    """A backup that may be read, and how many groups' newest come before it."""

    root: Root
    group: Group
    backup: Backup


def order(groups: Iterable[tuple[Root, Group]]) -> list[Due]:
    """All complete fulls: those never read first, the newest of each group before the others,
    then those read longest ago.
    """
    found: list[tuple[tuple[float, int, str], Due]] = []
    for root, group in groups:
        complete = [each for each in group.backups if each.complete and each.type == "full"]
        for age, backup in enumerate(reversed(complete)):
            read = backup.memory.read
            # Of the never-read ones the newest come first; the others by when they were read.
            key = (-1.0, age, backup.place) if read is None else (read, 0, backup.place)
            found.append((key, Due(root, group, backup)))
    return [due for _, due in sorted(found, key=lambda each: each[0])]


def tonight(due: Sequence[Due], period: float, now: float) -> list[Due]:
    """Those of them that are read now, so that within ``period`` seconds all are.

    As many as a night's share, but all whose last reading would be too old before the next night.
    """
    nights = max(period / _NIGHT, 1.0)
    share = -(-len(due) // int(nights)) if due else 0
    late = [each for each in due if _is_late(each.backup, period, now)]
    others = [each for each in due if not _is_late(each.backup, period, now)]
    return [*late, *others[: max(0, share - len(late))]]


def _is_late(backup: Backup, period: float, now: float) -> bool:
    read = backup.memory.read
    if read is None:
        seen = backup.memory.first_seen
        return seen is not None and now - seen > period - _NIGHT
    return now - read > period - _NIGHT
