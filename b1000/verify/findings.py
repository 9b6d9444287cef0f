"""What a verify looks at, and what it says of that, as values."""

import os
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from b1000.errors import counted
from b1000.logstyle import printable
from b1000.named import NamedTuple
from b1000.rsync import names
from b1000.rsync.restoring import CORRUPT
from b1000.storage.backup import Backup, Group, Root
from b1000.verify.tree import Tree

_SHOWN = 5
_CORRUPT = CORRUPT.encode()


class Kind(StrEnum):
    """What a finding is about; all but a word are wrong."""

    BAD = "bad"
    SHORT = "short"
    UNREAD = "unread"
    LIST = "list"
    UNSTABLE = "unstable"
    WORD = "word"


class Finding(NamedTuple):
    """What is told of a backup."""

    path: str
    text: str
    kind: Kind = Kind.WORD

    @property
    def bad(self) -> bool:
        """Whether something is wrong with what is stored, and not merely worth a word."""
        return self.kind not in (Kind.WORD, Kind.UNSTABLE)


class Look(NamedTuple):
    """One backup at its root."""

    root: Root
    group: Group
    backup: Backup

    @property
    def tree(self) -> Tree:
        """Its files."""
        return Tree(self.root.address, self.backup.place)

    @property
    def path(self) -> str:
        """Its whole directory, as it is called elsewhere, too, wherever it is read."""
        return self.root.whole(self.backup.place)

    @property
    def is_sync(self) -> bool:
        """Whether what lies there may change at any time."""
        return self.backup.type == "sync"


def shown(name: bytes) -> str:
    """A name for people."""
    return printable(name.decode("utf-8", "surrogateescape"))


def first_of(texts: list[str]) -> str:
    """The first of many, and how many more there are."""
    more = [f"and {len(texts) - _SHOWN} more"] if len(texts) > _SHOWN else []
    return ", ".join([*texts[:_SHOWN], *more])


def held_against_mark(look: Look, number: int) -> tuple[str, list[Finding]]:
    """What is short, "" for nothing, and what is told. What lies in a sync tree is not judged."""
    claimed = look.backup.counts
    if look.is_sync or claimed.files is None:
        return "", []
    if claimed.are_more_than(number):
        short = f"{counted(number, 'file')}, and its mark says {claimed.files}"
        return short, [Finding(look.path, f"is short: {short}", Kind.SHORT)]
    if number > claimed.files:
        more = counted(number - claimed.files, "more file")
        text = f"has {more} than its mark says"
        return "", [Finding(look.path, text)]
    return "", []


def left_there(look: Look, files: Iterable[bytes]) -> Iterator[Finding]:
    """What a backup, whose mark says so, may still hold of attempts that were killed."""
    found = sorted(filter(may_be_left, files)) if look.backup.leftovers else []
    if found:
        text = f"may hold {counted(len(found), 'file')} of attempts that were killed"
        listed = first_of([*map(shown, found)])
        why = "not removed, since a name proves nothing"
        yield Finding(look.path, f"{text}, {why}: {listed}")


def may_be_left(name: bytes) -> bool:
    """Whether it looks like a file of an attempt that was killed."""
    *above, last = os.fsdecode(name).split("/")
    return names.is_temporary(last) or any(each.startswith(names.OURS) for each in above)


def wrong_files(wrong: Sequence[bytes], gone: Sequence[bytes], aside: Sequence[bytes] = ()) -> str:
    """Which files are wrong, in words, and of those that are ``gone``, which bear the names of
    files that were set ``aside``.
    """
    is_are = "is" if len(wrong) == 1 else "are"
    there = {*aside}
    why = {name: "set aside" if name + _CORRUPT in there else "gone" for name in gone}
    names = [f"{shown(each)} ({why[each]})" if each in why else shown(each) for each in wrong]
    return f"{counted(len(wrong), 'file')} {is_are} wrong: {first_of(names)}"


def known_to_be_wrong(look: Look) -> Finding:
    """What an earlier look has found, which stays so."""
    memory = look.backup.memory
    kind = Kind.BAD if memory.bad else Kind.SHORT
    return Finding(look.path, f"is known to be {kind}: {memory.wrong}", kind)


def is_aside(name: bytes) -> bool:
    """Whether a file of this name was set aside, as it was wrong."""
    return name.endswith(_CORRUPT)
