"""Which backups are read tonight, and in whose turns. Pure."""

import math
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
    group before the others, then those read longest ago; at last those that were stuck.

    Of those never read, what lies at the root that was read longest ago comes first.
    """
    groups = [*groups]
    found: list[tuple[tuple[float, float, float, str], Due]] = []
    lately: dict[str, float] = {}
    for root, group in groups:
        times = (_last_tried(each) for each in group.backups)
        lately[root.path] = max(lately.get(root.path, 0.0), *times, 0.0)
    for root, group in groups:
        complete = [each for each in group.backups if each.complete]
        for age, backup in enumerate(reversed(complete)):
            read = backup.memory.read
            # Of the never-read ones the newest come first; the others by when they were read.
            key = (read or 0.0, 0.0, 0.0, backup.place)
            if read is None:
                key = (-1.0, age, lately[root.path], backup.place)
            if _is_begun(backup):
                key = (-2.0, age, 0.0, backup.place)
            if backup.memory.stuck:
                key = (math.inf, backup.memory.cut_off or 0.0, 0.0, backup.place)
            found.append((key, Due(root, group, backup)))
    return [due for _, due in sorted(found, key=lambda each: each[0])]


def tonight(due: Sequence[Due], period: float, now: float) -> list[Due]:
    """Those of them that are read now, so that within ``period`` seconds all are.

    As many bytes as a night's share, but all whose last reading would be too old before the next
    night, and those first. What was begun is gone on with, and takes the place of no other one.
    """
    nights = int(max(period / NIGHT, 1.0))
    late = [each for each in due if _is_late(each.backup, period, now)]
    fresh = [each for each in due if not _is_begun(each.backup)]
    chosen = [*late]
    left = sum(map(_weight, fresh)) / nights
    left -= sum(_weight(each) for each in late if not _is_begun(each.backup))
    for each in due:
        if _is_late(each.backup, period, now):
            continue
        if _is_begun(each.backup):
            chosen.append(each)
        elif left > 0:
            chosen.append(each)
            left -= _weight(each)
    return sorted(chosen, key=lambda each: each.backup.memory.stuck)


def in_turns(looked: Sequence[tuple[Root, Backup]]) -> list[Root]:
    """The roots of backups in the order of their turns; the last has all time that is left then.

    So those come last that had too little time, and of these first the one at which time was over:
    another one is the last each night.
    """
    cut = [(backup.memory.cut_off, root.path) for root, backup in looked if backup.memory.cut_off]
    _, first = max(cut, default=(0.0, ""))
    short = {path for _, path in cut}
    return sorted(
        {root for root, _ in looked},
        key=lambda root: (root.path in short, root.path < first, root.path),
    )


def _is_begun(backup: Backup) -> bool:
    return bool(backup.memory.stuck) or 0.0 < backup.memory.read_share < 1.0


def _last_tried(backup: Backup) -> float:
    return max(backup.memory.read or 0.0, backup.memory.cut_off or 0.0)


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
