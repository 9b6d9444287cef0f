"""What verify has set aside as wrong in a backup, so that a restore lacks it."""

import os
from collections.abc import Iterable, Sequence

from b1000.restore.found import MOST_NAMES
from b1000.restore.part import Part
from b1000.restore.restoring import Restoring
from b1000.rsync import names
from b1000.rsync import restoring as arguments
from b1000.rsync.restoring import CORRUPT
from b1000.storage.backup import Backup


def nothing(backup: Backup, files: int | None) -> bool:
    """Whether nothing can be: as many files have come of all the backup as its mark says."""
    there = backup.counts.files
    return backup.complete and not backup.leftovers and there is not None and there == files


def found(way: Restoring) -> list[str]:
    """The files that are, by their names in the backup. Raises RestoreFailed."""
    rules = ("+ */", f"+ *{CORRUPT}")
    seen = [name for part in way.parts for name in _listed(way, part, rules)]
    return lacking(way, [name.removesuffix(CORRUPT) for name in seen])


def lacking(way: Restoring, aside: Sequence[str]) -> list[str]:
    """Those that no run has brought again since. Raises RestoreFailed."""
    aside = aside[:MOST_NAMES]
    again: set[str] = set()
    for part in way.parts if aside else ():
        rules = ["+ */"]
        for name in aside:
            if part.target_of(name):
                path = os.fsencode(name[len(part.root) :])
                rules.append(f"+ /{os.fsdecode(names.pattern(path))}")
        again |= set(_listed(way, part, rules))
    return [name for name in aside if name not in again]


def _listed(way: Restoring, part: Part, rules: Iterable[str]) -> list[str]:
    seen: list[str] = []

    def take(line: bytes) -> None:
        each = names.listed(line)
        if each and each.kind != b"d":
            path = each.path.decode("utf-8", "surrogateescape")
            seen.append(os.path.join(part.root, path))

    argv = arguments.listing(way.way, way.source(part), part.target, way.manner_of(part))
    way.look([argv[0], *(f"--filter={rule}" for rule in (*rules, "- *")), *argv[1:]], take)
    return seen
