"""The names that sources have at the destination, and which of them would meet. Pure."""

import posixpath
from collections.abc import Sequence

from b1000.errors import BadValue, refuse_all
from b1000.expressions import expression

_MODULE = expression(r"rsync://[^/]*/[^/]*")


def refuse_merging(paths: Sequence[str]) -> None:
    """Refuse sources that rsync would merge: without a trailing slash, with one base name.

    A path that is given twice in the same words is copied once and no error.
    """
    first: dict[str, str] = {}
    refuse_all(
        BadValue(
            f"{other} and {path} would become one at the destination",
            "relative = yes keeps their full paths",
        )
        for path in paths
        if not path.endswith("/")
        and (other := first.setdefault(path.rpartition("/")[2], path)) != path
    )


def relative_name(path: str) -> tuple[str, str]:
    """Below what a path begins that ``relative`` keeps, and that path without slashes around it.

    All of it is kept of what is on this host, all below the module of an address; or what
    stands behind the first ``/./``.
    """
    root, anchored, name = path.partition("/./")
    if not anchored:
        module = _MODULE.match(path)
        root = module[0] if module else ""
        name = path.removeprefix(root)
    if not _MODULE.match(root):
        root = posixpath.normpath(f"/{root.lstrip('/')}")
    return root, "/".join(part for part in name.split("/") if part not in ("", "."))


def refuse_meeting(paths: Sequence[str]) -> None:
    """Refuse sources that have one name although ``relative`` keeps what stands behind ``/./``."""
    first: dict[str, tuple[str, str]] = {}
    mistakes = []
    for path in paths:
        root, name = relative_name(path)
        other, there = first.setdefault(name, (path, root))
        if name and there != root:
            hint = f"each in a job of its own, or with more of its path behind /./ than {name}"
            text = f"{other} and {path} would become one at the destination: both are {name} there"
            mistakes.append(BadValue(text, hint))
    refuse_all(mistakes)
