"""Where a backup is restored to: a directory, or each include's own place."""

import os
from collections.abc import Iterable, Iterator, Sequence

from b1000.errors import UsageError, message_beside
from b1000.logstyle import printable
from b1000.restore import listed, places
from b1000.restore.part import Part
from b1000.restore.places import Named
from b1000.storage.backup import Backup

_SHOWN = 10  # names of what is in the way


def whole(directory: str) -> tuple[Part, ...]:
    """All of a backup, or the names that are asked for, into one directory."""
    return (Part("", f"{directory.rstrip('/')}/"),)


def beside_others(directory: str, backup: Backup) -> tuple[Part, ...]:
    """The same into a directory that has something in it, and is perhaps the root of a host.

    Where the top of the backup is not that of one source, it has an owner and a mode that
    nobody gave it: those of the directory stay.
    """
    (part,) = whole(directory)
    words = backup.include.split()
    is_source = len(words) == 1 and words[0].endswith("/") and not backup.relative
    return (part if is_source else part._replace(above=part.target),)


def wanted(words: Sequence[str]) -> list[str]:
    """Paths as people name them: from the top of a backup, or with a slash by their place at the
    source. Raises UsageError.
    """
    found = []
    for word in words:
        path = os.path.normpath(word.lstrip("/") or ".")
        if path.startswith("..") or path == ".":
            raise UsageError(f"{printable(word)!r} is no path below a backup")
        found.append(f"/{path}" if word.startswith("/") else path)
    return [*dict.fromkeys(found)]


def in_the_way(directory: str) -> list[str]:
    """The first names in a directory that is to be empty; none where it is absent. UsageError."""
    if any("\udc80" <= letter <= "\udcff" for letter in os.path.abspath(directory)):
        raise UsageError(
            f"the name {printable(directory)} is no UTF-8, and no journal can hold it",
            "a directory of another name",
        )
    try:
        with os.scandir(directory) as entries:
            names = sorted(entry.name for entry in entries)
    except FileNotFoundError:
        return []
    except OSError as error:
        why = message_beside(error, directory)
        raise UsageError(f"nothing can be restored to {directory}: {why}") from None
    more = [f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return [*map(printable, names[:_SHOWN]), *more]


def in_place(backup: Backup) -> tuple[Part, ...]:
    """Each include to where it was. Raises UsageError where one has no place."""
    words = places.includes(backup)
    if not words:
        raise UsageError("nothing here says what this backup includes", "use --to DIR")
    parts = [_part(word, backup.relative) for word in words]
    if mixed := places.mixed(backup):
        raise UsageError(
            f"the content of {printable(mixed)} lies beside other includes, and nothing tells which"
            " is whose",
            "name its paths, or use --to DIR",
        )
    return tuple(parts)


def check_mirrored(parts: Iterable[Part]) -> None:
    """Raises UsageError where all of this host would be deleted but the backup."""
    for part in parts:
        if os.path.realpath(part.target) == "/" and part.whole and not part.names:
            raise UsageError("/ is not mirrored: that would delete /proc and /dev", "--merge")


def _part(word: str, relative: bool) -> Part:
    if not places.has_place(word):
        raise UsageError(f"the include {printable(word)!r} has no place of its own", "use --to DIR")
    _, name = places.kept(word, relative)
    path = places.place_of(word, relative)
    if path == "/":
        return Part("", "/")
    above = os.path.dirname(path)
    if word.endswith("/"):
        return Part(f"{name}/" if name else "", f"{path}/", above)
    return Part(name, f"{above.rstrip('/')}/", above)


def some_in_place(wanted: Sequence[Named], backup: Backup) -> tuple[tuple[Part, list[str]], ...]:
    """Paths to where they were, with the names for each part, none for all of it; directories that
    are there stay as they are. Raises UsageError where one has no place, or behind a link.
    """
    if any(each.name == places.ALL for each in wanted):
        return tuple((part, []) for part in in_place(backup))
    parts: dict[Part, list[str]] = {}
    for each in wanted:
        if not each.place:
            raise UsageError(f"nothing tells where {printable(each.name)!r} was", "use --to DIR")
        there = real(each.above, os.path.dirname(each.place))
        below = os.path.relpath(each.place, there)
        source = each.name.removesuffix(below)
        parts.setdefault(Part(source, f"{there.rstrip('/')}/", there), []).append(below)
    return tuple(parts.items())


def told(parts: Iterable[Part]) -> Iterator[str]:
    """What goes where, of parts that go in place."""
    for part in parts:
        if not part.names:
            place = part.target + ("" if part.whole else os.path.basename(part.source))
            yield f"{printable(part.source) or 'all of it'} goes to {printable(place)}"
        for name in listed.read(part.names) if part.names else ():
            yield f"{printable(part.source + name)} goes to {printable(part.target + name)}"


def real(top: str, directory: str) -> str:
    """How far the way from ``top`` to a directory is there. Raises UsageError at a link."""
    there = top
    for name in os.path.relpath(directory, top).split("/"):
        below = os.path.normpath(os.path.join(there, name))
        if os.path.islink(below):
            raise UsageError(
                f"{printable(below)} is a symbolic link, and nothing is restored by way of it",
                "use --to DIR",
            )
        if not os.path.isdir(below):
            break
        there = below
    return there
