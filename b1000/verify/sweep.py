"""One reading of all files of a backup: each inode once, and none that was read before."""

import errno
from collections.abc import Iterable, Iterator, Sequence

from b1000.rsync.restoring import CORRUPT
from b1000.verify import reading
from b1000.verify.findings import Look
from b1000.verify.matching import Comparison, Wrong
from b1000.verify.noted import File, Noted
from b1000.verify.readers import Readers
from b1000.verify.reading import Found, Known, Missed, Pace, Read

Key = tuple[int, int]
"""Which inode: device and number."""

_LOST = (errno.EIO, errno.EUCLEAN, errno.EBADMSG)
_CHANGED = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO)
_NONE = (-1, 0, 0, "")
_SET_ASIDE = CORRUPT.encode()


class Sweep:
    """Of one backup. ``bytes`` is what was read from the disk, and ``missed`` what could not be.

    ``set_aside`` is what an earlier verify has renamed; ``meanwhile`` counts files of a sync tree
    that were written when they were read.
    """

    def __init__(self, look: Look, readers: Readers, noted: Noted, known: Known) -> None:
        self._look = look
        self._readers = readers
        self._noted = noted
        self._known = known
        self._last = noted.last() if look.is_sync else {}
        self._done = self.bytes = self.meanwhile = 0
        self.missed: list[Missed] = []
        self.set_aside: list[bytes] = []
        self._differing: dict[bytes, File] = {}
        self._linked: list[Found] = []  # whatever was compared and has other names too

    def read(self, pace: Pace, comparison: Comparison) -> None:
        """Read all files, and have each compared: by the sum of the last reading where it is a sync
        tree. Raises OutOfTime.
        """
        others: dict[Key, list[Found]] = {}
        unread = self._unread(pace, others, comparison)
        for found, read in self._readers.sums(self._look.tree, unread, pace):
            self.bytes += read.size
            names = [found, *others.pop(found.key, ())]
            if self._is_good(names, read):
                for each in names:
                    self._compare(each, read.digest, comparison)

    def _compare(self, found: Found, digest: str, comparison: Comparison) -> None:
        if found.links > 1:
            self._linked.append(found)
        else:
            self._done += found.size
        if not digest:
            comparison.broken(found.name)
            return
        last = self._last.get(_file(found), "") if self._last else ""
        if last and last != digest:
            self._differing[found.name] = _file(found)
        comparison.take(found.name, digest, last)

    def _unread(
        self, pace: Pace, others: dict[Key, list[Found]], comparison: Comparison
    ) -> Iterator[Found]:
        """The files that have to be read; those with a known sum are compared at once."""
        # What is in a sync tree may be another file than a moment ago.
        known = Known() if self._look.is_sync else self._known
        for some in reading.some_files(self._look.tree, pace, self.missed, known):
            for found in self._unknown(some, comparison):
                if found.key in others:
                    others[found.key].append(found)
                elif found.links == 1 or self._unknown([found], comparison):
                    # An inode that was read since is known now.
                    if found.links > 1:
                        others[found.key] = []
                    yield found

    def _unknown(self, some: Iterable[Found], comparison: Comparison) -> list[Found]:
        """Those of some files whose sums are not known; the others are compared."""
        noted, known = self._noted.known, self._known.files
        unknown: list[Found] = []
        again: list[tuple[Found, str]] = []
        for found in some:
            name, device, inode, size, changed, links = found
            if name.endswith(_SET_ASIDE):
                self.set_aside.append(name)
            elif noted and (digest := noted.get(_file(found), "")):
                self._compare(found, digest, comparison)
            elif links > 1 and known.get((device, inode), _NONE)[:2] == (size, changed):
                again.append((found, known[device, inode][3]))
            else:
                unknown.append(found)
        self._noted.repeat(again)
        for found, digest in again:
            self._compare(found, digest, comparison)
        return unknown

    def _is_good(self, names: Sequence[Found], read: Read) -> bool:
        """Whether a file of these names was read, or is known to be lost; it is noted then."""
        if read.error in _LOST:
            return True
        found, *others = names
        if read.error:
            # What has gone, or is no file any more, is missed where a list has it. That says
            # nothing of its other names, which were not tried.
            tried = [found] if read.error not in _CHANGED else []
            self.missed += (Missed(each.name, read.error) for each in (*tried, *others))
            return False
        if self._look.is_sync and (read.size, read.changed) != (found.size, found.changed):
            self.meanwhile += len(names)
            return False
        self._noted.add(_file(found), read.digest)
        if found.links > 1:
            self._known.add(found, read.digest)
        return True

    @property
    def began(self) -> float:
        """Since when each byte has been read, in seconds."""
        return self._noted.began

    @property
    def share(self) -> float:
        """How much of it has been read, where that is not all."""
        whole = self._look.backup.memory.bytes or 0
        done = self._done + sum(names[0].size for names in self.linked().values())
        return min(done / whole, 0.99) if whole else 0.0

    def end(self, right: Iterable[Wrong]) -> None:
        """The reading is over. ``right``: sums that are to be compared with in a sync tree, since
        what was read is wrong.
        """
        if self.missed:
            return  # what could not be read is tried again, and nothing else
        if not self._look.is_sync:
            self._noted.forget()
            return
        for each in right:
            self._noted.add(self._differing[each.name], each.right)
        self._noted.keep()

    def linked(self) -> dict[Key, list[Found]]:
        """Of inodes that have several names, those in this backup that were compared."""
        found: dict[Key, list[Found]] = {}
        for each in self._linked:
            found.setdefault(each.key, []).append(each)
        return found

    def shared(self) -> set[Key]:
        """The inodes that have names outside of this backup too."""
        return {key for key, names in self.linked().items() if len(names) < names[0].links}

    def linked_names(self, names: Iterable[bytes]) -> dict[bytes, Found]:
        """Those of some names whose inodes have others too."""
        wanted = {*names}
        return {each.name: each for each in self._linked if each.name in wanted} if wanted else {}


def _file(found: Found) -> File:
    """By what it is noted."""
    return File(found.size, found.changed, b"%d" % found.inode)
