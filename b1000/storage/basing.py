"""Into which earlier full a new one links, at a destination that is a local tree.

The journal says which fulls there are, what lies there whether they are still, and marks
which others there are: a journal may have been lost, and another program may have one of its own.
"""

import os
from collections.abc import Sequence

from b1000.addresses import one_place
from b1000.errors import StorageAway
from b1000.rsync import paths
from b1000.runs.run import Base, Bases
from b1000.runs.stored import KnownCopy
from b1000.storage import catalogue, layout, local
from b1000.storage.backup import Backup, Catalogue, Root, State
from b1000.storage.catalogue import Known

_DAYS_LOOKED_AT = 40  # where the journal knows of none that is there

Whose = tuple[str, str, str, str]
"""Host, instance, master host and master instance."""


def choose(bases: Bases, whose: Whose, path: str, now: float) -> str | None:
    """The directory of the newest full of ``whose`` data beside ``path`` that journal or mark
    calls complete and that is not known to be bad.

    ``bases.known`` are those of that data beside it. Where none is there, the last that
    the journal knows: its disk may be mounted by the time of the copy.
    """
    top, job, *_ = path.rsplit("/", 3)
    known = bases.known
    try:
        there = _look(Root("", top), job, whose, known)
    except StorageAway:
        return known[0].path if known else None
    return _chosen(there, bases, whose, path.removeprefix(f"{top}/"), now)


def _look(root: Root, job: str, whose: Whose, known: Sequence[Base]) -> Catalogue:
    days = (base.path.split("/")[-2] for base in known if os.path.isdir(base.path))
    found = local.fulls(root, job, paths.subject(*whose), next(days, ""), _DAYS_LOOKED_AT)
    copies = catalogue.by_place(root.path, (_copy(base, job) for base in known))
    return catalogue.build(root, found, Known((job,), copies))


def _copy(base: Base, job: str) -> KnownCopy:
    named = (base.path, base.destination, "full", job, *base.whose)
    return KnownCopy(*named, "", base.started, None, True, None, None)


def _chosen(there: Catalogue, bases: Bases, whose: Whose, own: str, now: float) -> str | None:
    backups = {
        there.root.whole(backup.place): backup
        for group in there.groups
        for backup in group.backups
        if (group.key.host, group.key.instance) == whose[:2]
        and (backup.master_host, backup.master_instance) == whose[2:]
    }
    ordered = [(base, found) for base in bases.known if (found := backups.get(base.path))]
    first = next((base for base, found in ordered if found.complete), None)
    others = {
        path: backup
        for path, backup in backups.items()
        if _is_another(backup, now) and backup.place != own and one_place(path) not in bases.bad
    }
    for base in bases.known:
        others.pop(base.path, None)
    newest = max(others, key=lambda path: others[path].moment, default=None)
    if newest and (first is None or others[newest].moment > first.started):
        return newest
    if first:
        return first.path
    gone = (base.path for base, found in ordered if found.state is State.MISSING)
    return next(gone, None)


def _is_another(backup: Backup, now: float) -> bool:
    """Whether a mark alone makes it one: what claims to be of the future, or empty, is none."""
    return (
        backup.complete
        and backup.mark != ""
        and layout.place(backup.place) is not None
        and backup.counts.files != 0
        and backup.moment <= now
    )
