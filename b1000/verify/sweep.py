"""One reading of all files of a backup: each inode once, and none that was read before."""

import errno
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from b1000.rsync.restoring import CORRUPT
from b1000.verify import reading
from b1000.verify.findings import Look
from b1000.verify.matching import Wrong
from b1000.verify.noted import File, Noted
from b1000.verify.readers import Readers
from b1000.verify.reading import Found, Missed, Pace, Read

Key = tuple[int, int]
"""Which inode: device and number."""
Known = dict[Key, tuple[int, int, str]]
"""Of inodes with several names that were read: size, time and sum."""

_LOST = (errno.EIO, errno.EUCLEAN, errno.EBADMSG)
_CHANGED = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO)
_SET_ASIDE = CORRUPT.encode()


class Sweep:
    """Of one backup. ``bytes`` is what was read from the disk, and ``missed`` what could not be.

    ``linked`` are the names of inodes that have several, and ``set_aside`` what an earlier verify
    has renamed; ``meanwhile`` counts files of a sync tree that were written when they were read.
    """

    def __init__(self, look: Look, readers: Readers, noted: Noted, known: Known) -> None:
        self._look = look
        self._readers = readers
        self._noted = noted
        self._known = known
        self._last = noted.last() if look.is_sync else {}
        self._done = self.bytes = self.meanwhile = 0
        self.missed: list[Missed] = []
        self.linked: dict[Key, list[Found]] = {}
        self.set_aside: list[bytes] = []
        self._differing: dict[bytes, File] = {}

    def files(self, pace: Pace) -> Iterator[tuple[bytes, str, str]]:
        """All files: name, sum, and the sum by the last reading of a sync tree, "" for none. Of a
        file that the disk has lost the first is "".

        Raises OutOfTime.
        """
        for found, read in self._read(pace):
            known = self._last.get(_file(found), "")
            if known and known != read.digest:
                self._differing[found.name] = _file(found)
            yield found.name, read.digest, known

    def _read(self, pace: Pace) -> Iterator[tuple[Found, Read]]:
        ready: deque[tuple[Found, Read]] = deque()
        others: dict[Key, list[Found]] = {}
        unread = self._unread(pace, ready, others)
        for found, read in self._readers.sums(self._look.tree, unread, pace):
            self.bytes += read.size
            names = [found, *others.pop(found.key, ())]
            if self._is_good(names, read):
                self._done += found.size
                for each in names:
                    yield each, read
            while ready:
                yield ready.popleft()
        yield from ready

    def _unread(
        self, pace: Pace, ready: deque[tuple[Found, Read]], others: dict[Key, list[Found]]
    ) -> Iterator[Found]:
        """The files that have to be read; those with a known sum are ``ready``."""
        for found in reading.files(self._look.tree, pace, self.missed):
            if found.name.endswith(_SET_ASIDE):
                self.set_aside.append(found.name)
                continue
            if found.links > 1:
                self.linked.setdefault(found.key, []).append(found)
            if digest := self._sum_of(found):
                self._done += found.size if found.links == 1 or not self._is_second(found) else 0
                ready.append((found, Read(digest, found.size, found.changed)))
            elif found.key in others:
                others[found.key].append(found)
            else:
                if found.links > 1:
                    others[found.key] = []
                yield found

    def _is_second(self, found: Found) -> bool:
        return len(self.linked[found.key]) > 1

    def _sum_of(self, found: Found) -> str:
        """The sum where the inode was read by this verify, or by one that was interrupted here."""
        noted = self._noted.known.get(_file(found), "")
        if noted:
            return noted
        size, changed, digest = self._known.get(found.key, (0, 0, ""))
        if not digest or (size, changed) != (found.size, found.changed):
            return ""
        self._noted.add(_file(found), digest)
        return digest

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
            self._known[found.key] = found.size, found.changed, read.digest
        return True

    @property
    def began(self) -> float:
        """Since when each byte has been read, in seconds."""
        return self._noted.began

    @property
    def share(self) -> float:
        """How much of it has been read, where that is not all."""
        whole = self._look.backup.memory.bytes or 0
        return min(self._done / whole, 0.99) if whole else 0.0

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

    def shared(self) -> set[Key]:
        """The inodes that have names outside of this backup too."""
        return {key for key, names in self.linked.items() if len(names) < names[0].links}

    def linked_names(self, names: Iterable[bytes]) -> dict[bytes, Found]:
        """Those of some names whose inodes have others too."""
        wanted = {*names}
        return {
            each.name: each for some in self.linked.values() for each in some if each.name in wanted
        }


def _file(found: Found) -> File:
    """By what it is noted."""
    return File(found.size, found.changed, b"%d" % found.inode)
