"""What paths that people name are called in a backup, and where they were at the source. Pure."""

import fnmatch
import glob
import re
import shlex
from collections.abc import Iterator, Sequence

from b1000.errors import UsageError
from b1000.expressions import expression
from b1000.logstyle import printable
from b1000.named import NamedTuple
from b1000.storage.backup import Backup

_START_TIME = expression(r"[0-9]{4}(-[0-9]{2}){5}", re.ASCII)


class Named(NamedTuple):
    """A path that was asked for: its ``name`` in the backup, and its ``place`` at the source.

    ``above`` is the directory from which on the backup knows what is on the way there. Both are
    "" where nothing tells.
    """

    name: str
    place: str = ""
    above: str = ""


def includes(backup: Backup) -> list[str]:
    """What the run had included, as far as the mark says it."""
    try:
        return shlex.split(backup.include)
    except ValueError:
        return []


def has_place(word: str) -> bool:
    """Whether an include is a place of its own: no pattern, and not one run's own directory."""
    plain = word.startswith("/") and not glob.has_magic(word) and "/./" not in word
    return plain and "$" not in word and not _START_TIME.search(word)


def tops(backup: Backup) -> list[str]:
    """The names at the top of a backup; none where nothing tells all of them."""
    found = []
    for word in includes(backup):
        path = word.rstrip("/")
        if backup.relative and has_place(word) and path:
            found.append(path.split("/")[1])
        elif has_place(word) and not word.endswith("/"):
            found.append(path.rpartition("/")[2])
        else:
            return []
    return [*dict.fromkeys(found)]


def named(path: str, backup: Backup) -> Named:
    """A path with a slash in front, as it was at the source where an include says so, or else
    from the top of the backup. Raises UsageError where that is all of the backup.
    """
    found = _below_include(path, backup) if path.startswith("/") else None
    if found is None:
        name = path.lstrip("/")
        found = _place_of(name, backup)
    if found.name == ".":
        raise UsageError(f"{printable(path)} is all of the backup", "leave it out")
    return found


def _below_include(path: str, backup: Backup) -> Named | None:
    if backup.relative:
        return Named(path[1:], path, "/")
    parts = path.split("/")
    for word in sorted(includes(backup), key=_depth, reverse=True):
        depth = _depth(word)
        if not word.startswith("/") or not _matches(parts[: depth + 1], word):
            continue
        first = depth + 1 if word.endswith("/") else depth
        return Named("/".join(parts[first:]) or ".", path, "/".join(parts[:first]) or "/")
    return None


def _depth(word: str) -> int:
    return word.rstrip("/").count("/")


def _matches(parts: Sequence[str], word: str) -> bool:
    wanted = word.rstrip("/").split("/")
    is_pattern = glob.has_magic(word)
    return len(parts) == len(wanted) and all(
        fnmatch.fnmatchcase(part, each) if is_pattern else part == each
        for part, each in zip(parts, wanted, strict=True)
    )


def _place_of(name: str, backup: Backup) -> Named:
    """Where it was, if one include alone can have brought it."""
    if backup.relative:
        return Named(name, f"/{name}", "/")
    above = {*_directories(name.partition("/")[0], includes(backup))}
    directory = above.pop() if len(above) == 1 else ""
    if not directory:
        return Named(name)
    return Named(name, f"{directory.rstrip('/')}/{name}", directory)


def _directories(first: str, words: Sequence[str]) -> Iterator[str]:
    """The directories from which a name at the top of a backup may have come."""
    for word in words:
        above, _, last = word.rpartition("/")
        is_pattern = glob.has_magic(last)
        if not word.startswith("/"):
            yield ""
        elif not last or (fnmatch.fnmatchcase(first, last) if is_pattern else first == last):
            yield "" if glob.has_magic(above) else above or "/"
