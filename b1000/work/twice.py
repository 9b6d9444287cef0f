"""Names that several sources bring: whether that is one thing, or directories alone."""

import contextlib
import glob
import os
import stat
from collections.abc import Iterator, Sequence

from b1000.config import sourcenames
from b1000.logs import printable
from b1000.rsync import names
from b1000.rsync.source import Source

_MOST = 10_000  # names that several sources of a client bring, and that are looked at


class Kept:
    """The names that paths keep with ``relative``, and where each is on this host."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._given = frozenset(map(sourcenames.relative_name, paths))
        self._leading = {(root, each) for root, name in self._given for each in _above(name)}
        self._roots = {root for root, _ in self._given}
        globs = any(root.startswith("rsync://") and glob.has_magic(root) for root in self._roots)
        self.several = globs or len(self._roots) > 1
        """Whether names begin in several places, so that different things may have one."""

    def is_one(self, name: str, made: str | None) -> bool:
        """Whether what several paths bring under a name is one thing, or directories alone.

        Those of a client are seen below the directory that was ``made`` of them; None for
        what is on this host.
        """
        if not self.several:
            return True
        name = _as_it_is(name)
        places = [os.path.join(made, name)] if made else [*self._places(name)]
        found = []
        for place in places:
            with contextlib.suppress(OSError):
                found.append(os.lstat(place))
        one = not made and len({(state.st_dev, state.st_ino) for state in found}) == 1
        return one or (bool(found) and all(stat.S_ISDIR(state.st_mode) for state in found))

    def _places(self, name: str) -> Iterator[str]:
        for root in self._roots:
            brought = any((root, each) in self._given for each in (name, *_above(name)))
            if brought or (root, name) in self._leading:
                yield os.path.join(root, name)


def _as_it_is(name: str) -> str:
    """A name that rsync has printed."""
    return os.fsdecode(names.unescaped(os.fsencode(name)))


def _as_read(name: str) -> str:
    """A name as it is in a line that was read, whatever bytes it has."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _above(name: str) -> Iterator[str]:
    """The names of the directories that a name is in; "" is the last."""
    while name:
        name = name.rpartition("/")[0]
        yield name


class Twice:
    """What rsync said of names that several paths of a source bring."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._name = ""
        self._same = frozenset(map(_as_read, source.same))
        self._kept = Kept(source.paths if source.transfer.relative else ())
        self._met: set[str] = set()  # what several sources of a client brought

    def take(self, name: str) -> None:
        """Several bring this one; what a client brings is seen once it is here."""
        if not self._source.transfer.relative:
            if _as_read(_as_it_is(name)).partition("/")[0] not in self._same:
                self._name = self._name or printable(name)
        elif self._source.pull and self._kept.several and len(self._met) < _MOST:
            self._met.add(name)
        elif not self._kept.is_one(name, None):
            self._name = self._name or printable(name)

    def trouble(self, directory: str) -> str:
        """Why what was copied into a directory is not all that was to be; "" where it is."""
        met = (each for each in self._met if not self._kept.is_one(each, directory))
        twice = self._name or printable(next(met, ""))
        if not twice:
            return ""
        way_out = "relative = yes keeps their full paths"
        if self._source.transfer.relative:
            way_out = "what stands behind /./, or below a module, has to differ"
        return (
            f"several sources brought {twice} while they were copied, and one alone is "
            f"at the destination; {way_out}"
        )
