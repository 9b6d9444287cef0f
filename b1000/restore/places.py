"""What paths that people name are called in a backup, and where they were at the source. Pure."""

import fnmatch
import glob
import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence

from b1000.config import sourcenames
from b1000.errors import UsageError
from b1000.expressions import expression
from b1000.logstyle import printable
from b1000.named import NamedTuple
from b1000.storage.backup import Backup

ALL = "."
"""The name in a backup of all of it."""

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
    plain = word.startswith("/") and not glob.has_magic(word)
    return plain and "$" not in word and not _START_TIME.search(word)


def kept(word: str, relative: bool) -> tuple[str, str]:
    """From which directory on a backup has the path of an include, and that path there."""
    if relative:
        return sourcenames.relative_name(word)
    path = posixpath.normpath(f"/{word.lstrip('/')}")
    return (path, "") if word.endswith("/") else posixpath.split(path)


def place_of(word: str, relative: bool) -> str:
    """The path of an include at the source."""
    return posixpath.normpath(posixpath.join(*kept(word, relative)))


def mixed(backup: Backup) -> str:
    """An include among whose names those of one from elsewhere may lie; "" for none."""
    words = includes(backup)
    found = [kept(word, backup.relative) for word in words]
    for word, (root, name) in zip(words, found, strict=True):
        top = _parts(name)
        if any(root != other and _parts(below)[: len(top)] == top for other, below in found):
            return word
    return ""


def tops(backup: Backup) -> list[str]:
    """The names at the top of a backup; none where nothing tells all of them."""
    found = []
    for word in includes(backup):
        _, name = kept(word, backup.relative)
        if not name or not has_place(word):
            return []
        found.append(name.partition("/")[0])
    return [*dict.fromkeys(found)]


def named(path: str, backup: Backup) -> Named:
    """A path with a slash in front, as it was at the source where an include says so, or else
    from the top of the backup. Its name is ALL where it is the include that all of it is.
    """
    found = _below_include(path, backup) if path.startswith("/") else None
    return found or _place_of(path.lstrip("/"), backup)


def named_below(path: str, backup: Backup) -> Named:
    """The same. Raises UsageError where that is all of the backup."""
    found = named(path, backup)
    if found.name == ALL:
        raise UsageError(f"{printable(path)} is all of the backup", "leave it out")
    return found


def _below_include(path: str, backup: Backup) -> Named | None:
    parts = _parts(path)
    found = [kept(word, backup.relative) for word in includes(backup) if word.startswith("/")]
    for root, name in sorted(found, key=lambda each: len(_parts("/".join(each))), reverse=True):
        above = len(_parts(root))
        whole = [*_parts(root), *_parts(name)]
        if len(parts) >= len(whole) and _match(parts, whole):
            return Named("/".join(parts[above:]) or ALL, path, f"/{'/'.join(parts[:above])}")
    return None


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _match(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether they are the same as far as both go."""
    return all(
        fnmatch.fnmatchcase(part, each) if glob.has_magic(each) else part == each
        for part, each in zip(parts, wanted, strict=False)
    )


def _place_of(name: str, backup: Backup) -> Named:
    """Where it was, if one include alone can have brought it."""
    above = {*_directories(name, backup)}
    directory = above.pop() if len(above) == 1 else ""
    if not directory:
        return Named(name)
    return Named(name, f"{directory.rstrip('/')}/{name}", directory)


def _directories(name: str, backup: Backup) -> Iterator[str]:
    """The directories from which a name in a backup may have come."""
    for word in includes(backup):
        root, top = kept(word, backup.relative)
        if not word.startswith("/"):
            yield ""
        elif _match(_parts(name), _parts(top)):
            yield "" if glob.has_magic(root) else root
