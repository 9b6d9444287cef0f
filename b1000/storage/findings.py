"""What a verify looks at, and what it says of that, as values."""

from enum import StrEnum
from typing import NamedTuple

from b1000.logstyle import printable
from b1000.storage.backup import Backup, Group, Root
from b1000.storage.reading import Tree

_SHOWN = 5


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
        """Its whole directory."""
        return self.tree.path

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
