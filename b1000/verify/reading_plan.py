"""Which backups are read tonight. Pure."""

from collections.abc import Iterable, Sequence

from b1000.named import NamedTuple
from b1000.storage.backup import Backup, Group, Root

NIGHT = 86400.0


class Due(NamedTuple):
    """A backup that may be read, and how many groups' newest come before it."""

    root: Root
    group: Group
    backup: Backup


def is_to_be_counted(backup: Backup) -> bool:
    """Whether its mark is newer than the last count of its files."""
    counted = backup.memory.counted
    ended = backup.ended if backup.type == "sync" else None
    return backup.complete and (counted is None or counted < (ended or 0.0))


def order(groups: Iterable[tuple[Root, Group]]) -> list[Due]:
    """All that are complete: what was begun to be read, then those never read, the newest of each
    group before the others, then those read longest ago.
    """
    found: list[tuple[tuple[float, int, str], Due]] = []
    for root, group in groups:
        complete = [each for each in group.backups if each.complete]
        for age, backup in enumerate(reversed(complete)):
            read = backup.memory.read
            # Of the never-read ones the newest come first; the others by when they were read.
            key = (-1.0, age, backup.place) if read is None else (read, 0, backup.place)
            if 0.0 < backup.memory.read_share < 1.0:
                key = (-2.0, age, backup.place)
            found.append((key, Due(root, group, backup)))
    return [due for _, due in sorted(found, key=lambda each: each[0])]


def tonight(due: Sequence[Due], period: float, now: float) -> list[Due]:
    """Those of them that are read now, so that within ``period`` seconds all are.

    As many bytes as a night's share, but all whose last reading would be too old before the next
    night, and those first.
    """
    nights = int(max(period / NIGHT, 1.0))
    late = [each for each in due if _is_late(each.backup, period, now)]
    left = sum(map(_weight, due)) / nights - sum(map(_weight, late))
    chosen = [*late]
    for each in due:
        if left > 0 and not _is_late(each.backup, period, now):
            chosen.append(each)
            left -= _weight(each)
    return chosen


def _weight(due: Due) -> int:
    """How many bytes it has, as its storage or else its client has counted them."""
    return max(due.backup.memory.bytes or due.backup.counts.bytes or 0, 1)


def _is_late(backup: Backup, period: float, now: float) -> bool:
    read = backup.memory.read
    if read is None:
        seen = backup.memory.first_seen
        return seen is not None and now - seen > period - NIGHT
    # A clock that was ahead puts off nothing.
    return now - read > period - NIGHT or read - now > NIGHT
