"""From ``include`` to the paths that rsync is given."""

import fnmatch
import glob
import os
import re
from collections.abc import Sequence

from b1000.logs import printable
from b1000.named import NamedTuple
from b1000.rsync import names
from b1000.templates import Word
from b1000.work import merging
from b1000.work.merging import Overlaps

EMPTIED = "with delete = yes the destination would be emptied of what was copied from there"

_MOST_NAMED = 5  # paths in an error text


class Sources(NamedTuple):
    """The paths, and what is wrong with the rest; ``unusable`` where nothing may be copied.

    A ``warning`` is about paths that are copied, but perhaps not as was meant.
    ``passing``: what makes them unusable may pass by itself. ``overlaps``: what several bring.
    """

    paths: tuple[str, ...]
    trouble: str = ""
    unusable: bool = False
    warning: str = ""
    passing: bool = False
    overlaps: Overlaps = Overlaps()


def find(include: Sequence[Word], relative: bool, delete: bool) -> Sources:
    """Expand the includes on this host.

    Each is a path or a glob; one that matches nothing is trouble, while the
    others are copied. With ``delete`` any missing or empty source is unusable, since rsync would
    empty the destination: of what a glob matches each, as a disk that is not mounted looks so.
    """
    paths: list[str] = []
    missing: list[str] = []
    links: list[str] = []
    unreadable: list[str] = []
    for word in include:
        if os.path.islink(word.text) and os.path.isdir(word.text):
            links.append(word.text)
        found = _matches(word, unreadable)
        if not found:
            missing.append(word.text)
        paths += found
    paths = list(dict.fromkeys(paths))
    reasons = [f"nothing at the source matches {_shown(missing)}"] if missing else []
    if unreadable:
        reasons.append(f"{_shown(unreadable)} cannot be read")
    if delete:
        if empty := [path for path in paths if _is_empty(path)]:
            reasons.append(f"the source {_shown(empty)} is empty")
        if reasons:
            reasons.append(EMPTIED)
            return Sources((), "; ".join(reasons), unusable=True)
    overlaps = Overlaps() if relative else merging.seen(paths)
    warning = ""
    if links:
        warning = (
            f"{_shown(links)} is a symbolic link, and only the link was copied; "
            "with a slash at its end the directory is"
        )
    return Sources(tuple(paths), "; ".join(reasons), not paths, warning, overlaps=overlaps)


def is_missing(word: Word) -> bool:
    """Whether nothing at all matches the word of an include; no where that cannot be seen."""
    unreadable: list[str] = []
    return not _matches(word, unreadable) and not unreadable


def _shown(paths: list[str]) -> str:
    more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    return ", ".join(map(printable, paths[:_MOST_NAMED])) + more


def _matches(word: Word, unreadable: list[str]) -> list[str]:
    # As in a shell: a path that exists as it is written stands for itself if the glob has no match.
    found = sorted(_expand(word.pattern, unreadable))
    if not found and os.path.lexists(word.text):
        return [word.text]
    return found


def _expand(pattern: str, unreadable: list[str]) -> list[str]:
    """The paths that a glob matches.

    Unlike :mod:`glob` it tells which directories could not be read: what would
    have matched in them is missing from the backup.
    """
    if not glob.has_magic(pattern):
        return [pattern] if os.path.lexists(pattern) else []
    found = ["/"]
    *parts, last = pattern.strip("/").split("/")
    for part in parts:
        found = [f"{path}/" for path in _level(found, part, unreadable) if os.path.isdir(path)]
    slash = "/" if pattern.endswith("/") else ""
    return [
        path + slash for path in _level(found, last, unreadable) if not slash or os.path.isdir(path)
    ]


def _level(directories: list[str], part: str, unreadable: list[str]) -> list[str]:
    """What one part of a pattern matches in each of the directories, which end in slashes."""
    if not glob.has_magic(part):
        return [path + part for path in directories if os.path.lexists(path + part)]
    fits = re.compile(fnmatch.translate(part)).match
    found = []
    for directory in directories:
        try:
            names = os.listdir(directory)
        except OSError:
            unreadable.append(directory)
            continue
        # A dot at the beginning is matched only by a dot, as in a shell.
        found += [
            directory + name
            for name in names
            if fits(name) and (part.startswith(".") or not name.startswith("."))
        ]
    return found


def _is_empty(path: str) -> bool:
    if not os.path.isdir(path) or (os.path.islink(path) and not path.endswith("/")):
        return False
    try:
        with os.scandir(path) as entries:
            # Names of ours are never copied: with nothing else rsync empties the destination too.
            return all(entry.name.startswith(names.OURS) for entry in entries)
    except OSError:
        return False  # rsync will say why it cannot be read
