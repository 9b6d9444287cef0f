"""From ``include`` to the paths that rsync is given."""

import glob
import os
from dataclasses import dataclass

from b1000.config import grammar
from b1000.errors import BadValue
from b1000.logs import printable

_TOLD = 5  # paths in an error text


@dataclass(frozen=True, slots=True)
class Sources:
    """The paths, and what is wrong with the rest; ``unusable`` where nothing may be copied.

    A ``warning`` is about paths that are copied, but perhaps not as was meant.
    """

    paths: tuple[str, ...]
    trouble: str = ""
    unusable: bool = False
    warning: str = ""


def find(include: str, relative: bool, delete: bool) -> Sources:
    """Expand the includes on this host.

    Each is a path or a glob; one that matches nothing is trouble, while the
    others are copied. With ``delete`` any missing or empty source is unusable,
    since rsync would empty the destination.
    """
    paths: list[str] = []
    missing: list[str] = []
    links: list[str] = []
    for word in grammar.words(include):
        if os.path.islink(word.text) and os.path.isdir(word.text):
            links.append(word.text)
        found = _matches(word)
        if not found:
            missing.append(word.text)
        paths += found
    paths = list(dict.fromkeys(paths))
    reasons = [f"nothing at the source matches {_shown(missing)}"] if missing else []
    if delete:
        if empty := [path for path in paths if _is_empty(path)]:
            reasons.append(f"the source {_shown(empty)} is empty")
        if reasons:
            reasons.append("with delete = yes the destination would be emptied")
            return Sources((), "; ".join(reasons), unusable=True)
    if not relative:
        try:
            grammar.refuse_merging(paths)
        except BadValue as error:
            return Sources((), printable(str(error)), unusable=True)
    warning = ""
    if links:
        warning = (
            f"{_shown(links)} is a symbolic link, and only the link was copied; "
            "with a slash at its end the directory is"
        )
    return Sources(tuple(paths), "; ".join(reasons), not paths, warning)


def _shown(paths: list[str]) -> str:
    more = f" and {len(paths) - _TOLD} more" if len(paths) > _TOLD else ""
    return ", ".join(map(printable, paths[:_TOLD])) + more


def _matches(word: grammar.Word) -> list[str]:
    # As in a shell: a path that exists as it is written stands for itself if the glob has no match.
    found = sorted(glob.glob(word.pattern))
    if not found and os.path.lexists(word.text):
        return [word.text]
    return found


def _is_empty(path: str) -> bool:
    if not os.path.isdir(path) or (os.path.islink(path) and not path.endswith("/")):
        return False
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None
    except OSError:
        return False  # rsync will say why it cannot be read
