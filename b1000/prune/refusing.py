"""Where a prune removes nothing at all, and why. Pure.

So it is where the configuration may not mean what lies there: without an id file and a mark in
the root (a disk that is not mounted), while a pattern of ``keep`` fits no group, and while
anything is wrong that the section says of how its storage is kept.
"""

from collections.abc import Iterable, Sequence

from b1000.jobs import Destination
from b1000.keep import Line
from b1000.storage.backup import Catalogue

_MOUNTED = "is its disk mounted?"


def is_pruned(destination: Destination) -> bool:
    """Whether somebody wants a destination pruned here, be it with a ``keep`` that is wrong."""
    wanted = destination.keep or any(each.startswith("keep:") for each in destination.flaws)
    return bool(wanted) and not destination.remote


def refused(
    destination: Destination, catalogues: Sequence[Catalogue], more: bool, adopting: str
) -> dict[str, str]:
    """Why nothing is removed at some roots, by their paths, or with "" at all of them.

    ``more``: a pattern may fit no group. ``adopting`` is the command that writes an id file.
    """
    found = {each.root.path: why for each in catalogues if (why := _is_no_storage(each, adopting))}
    strange = _unmatched(destination.keep, catalogues)
    if destination.flaws:
        # By a default in its place more might go than is meant.
        found[""] = f"an option of it is wrong: {'; '.join(destination.flaws)}"
    elif strange and not more:
        found[""] = f"no group fits the pattern {strange[0]!r} of keep; correct it, or use --more"
    return found


def _is_no_storage(catalogue: Catalogue, adopting: str) -> str:
    """Why nothing may be removed at a root; "" where it is one that B1000 has written to."""
    root, path = catalogue.root, catalogue.root.path
    if catalogue.unreadable:
        return f"{path} could not be looked at: {catalogue.unreadable}"
    if root.damage and catalogue.marks:
        return root.damaged(adopting)
    if root.damage:
        return f"{path} has no backup with a mark, and its .b1000-id {root.damage}; {_MOUNTED}"
    if root.identity is None:
        return f"{path} has no .b1000-id; {_MOUNTED} `{adopting}` writes one"
    if not catalogue.marks:
        return f"{path} has no backup with a mark; {_MOUNTED}"
    return ""


def _unmatched(lines: Iterable[Line], catalogues: Iterable[Catalogue]) -> list[str]:
    keys = [group.key for catalogue in catalogues for group in catalogue.groups]
    return [
        line.pattern
        for line in lines
        if line.pattern and not any(line.fits(key.job, key.host, key.instance) for key in keys)
    ]
