"""Looks at the backups of a local root: counts them, reads them, and says what is wrong."""

import errno
import time
from collections.abc import Callable, Iterator

from b1000.state.journal import Journal
from b1000.verify import reading, sums
from b1000.verify.findings import (
    Finding,
    Kind,
    Look,
    held_against_mark,
    left_there,
    may_be_left,
)
from b1000.verify.judging import Case, Judge, Terms, unread
from b1000.verify.listing import Lists
from b1000.verify.matching import Comparison
from b1000.verify.noted import Notes
from b1000.verify.readers import Readers
from b1000.verify.reading import Known, Missed, OutOfTime
from b1000.verify.sweep import Key, Sweep

_TO_LAST = ("bad", "short", "unread", "sums")


class Verifier:
    """One verify. What it finds is in the journal before the next backup is looked at.

    ``bytes`` is how much was read from disks, ``counted`` and ``whole`` how many backups were
    counted and read to the end.
    Without ``readers`` it can only count.
    """

    def __init__(
        self,
        journal: Journal,
        notes: Notes,
        readers: Readers | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._notes = notes
        self._readers = readers
        self._clock = clock
        self._judge = Judge(self._remember)
        self._known = Known()
        self._lists = Lists()
        self._got_on: set[str] = set()
        self.bytes = self.counted = self.whole = 0

    def _remember(self, look: Look, **changes: object) -> None:
        self.whole += "read" in changes
        # What was found right can be found once more after a power cut: it waits for no disk.
        lasting = any(changes.get(key) for key in _TO_LAST)
        with self._journal.transaction(lasting):
            self._journal.remember(look.root.path, look.backup.place, changes)

    def count(self, look: Look, terms: Terms) -> Iterator[Finding]:
        """Hold the number of files against that of the mark; less is short, more is told.

        Raises OutOfTime.
        """
        missed: list[Missed] = []
        number = size = 0
        seen: set[Key] = set()
        left: list[bytes] = []
        for each in reading.files(look.tree, terms.pace, missed):
            number += 1
            size += each.size if each.key not in seen else 0
            if each.links > 1:
                seen.add(each.key)
            if look.backup.leftovers and may_be_left(each.name):
                left.append(each.name)
        self.counted += 1
        if _has_gone(look):
            return
        now = self._clock()
        if missed:
            why = unread(look, missed)
            self._remember(look, unread=why)
            yield Finding(look.path, f"cannot be counted: {why}", Kind.UNREAD)
            return
        short, found = held_against_mark(look, number)
        self._remember(look, counted=now, files=number, bytes=size, short=short)
        yield from (*found, *left_there(look, left))

    def read(self, look: Look, terms: Terms) -> Iterator[Finding]:
        """Read each file and hold it against the list of sums, which the first reading writes; in a
        sync tree against the last reading.

        Raises OutOfTime; what was read until then is not read again.
        """
        assert self._readers
        terms.pace.check()
        noted = self._notes.of(look.root.path, look.backup.place)
        noted.resume(self._clock() - terms.period)
        sweep = Sweep(look, self._readers, noted, self._known)
        listed, lost = self._list_of(look)
        comparison = Comparison(listed)
        try:
            sweep.read(terms.pace, comparison)
            if _has_gone(look):
                noted.forget()
            else:
                yield from self._judge.judge(Case(look, terms, sweep, comparison, lost))
        except OutOfTime:
            if sweep.bytes:
                self._got_on.add(look.path)
            stuck = int(look.path not in self._got_on)
            self._remember(look, read_share=sweep.share, cut_off=self._clock(), stuck=stuck)
            raise
        finally:
            noted.write()
            self.bytes += sweep.bytes

    def _list_of(self, look: Look) -> tuple[dict[bytes, str] | None, str]:
        """The list of sums, None where none was ever written; what is wrong with it."""
        seal = sums.known_seal(look.backup.memory.sums)
        if not seal:
            return None, ""
        try:
            return self._lists.read(look.tree, seal), ""
        except ValueError as error:
            return None, str(error)


def _has_gone(look: Look) -> bool:
    """Whether the whole backup was removed since it was looked for: what is missed is no fault."""
    try:
        with look.tree.opened():
            return False
    except OSError as error:
        return error.errno == errno.ENOENT
