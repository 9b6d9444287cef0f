"""Looks at the backups of a local root: counts them, reads them, and says what is wrong."""

import os
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

from b1000.errors import counted, message_of
from b1000.files import sync_directory, write_atomically
from b1000.logstyle import printable
from b1000.rsync.restoring import CORRUPT
from b1000.state.journal import Journal
from b1000.storage import layout, reading, sums
from b1000.storage.backup import Backup, Group, Root
from b1000.storage.reading import Found, Pace, Tree, Unreadable
from b1000.storage.sums import Seal

_SHOWN = 5


class Kind(StrEnum):
    """What a finding is about."""

    BAD = "bad"
    SHORT = "short"
    UNREAD = "unread"
    LIST = "list"
    WORD = "word"


class Finding(NamedTuple):
    """What is told of a backup."""

    path: str
    text: str
    kind: Kind = Kind.WORD

    @property
    def bad(self) -> bool:
        """Whether something is wrong, and not merely worth a word."""
        return self.kind is not Kind.WORD


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


class Verifier:
    """One verify. What it finds is in the journal before the next backup is looked at."""

    def __init__(
        self,
        journal: Journal,
        pace: Pace,
        quarantine: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._pace = pace
        self._quarantine = quarantine
        self._clock = clock
        self._known: dict[tuple[int, int], tuple[int, int, str]] = {}
        """Of each inode that was read: its size, its time and its sum."""

    def _remember(self, look: Look, **changes: object) -> None:
        with self._journal.transaction():
            self._journal.remember(look.root.path, look.backup.place, changes)

    def count(self, look: Look) -> list[Finding]:
        """Hold the number of files against that of the mark; less is short, more is told."""
        try:
            found = list(reading.files(look.tree))
        except Unreadable as error:
            return [Finding(look.path, f"cannot be counted: {error}", Kind.UNREAD)]
        claimed = look.backup.counts
        short = ""
        findings: list[Finding] = []
        if look.backup.type == "full" and claimed.files is not None:
            least = claimed.files - (claimed.vanished or 0)
            if len(found) < least:
                short = f"{counted(len(found), 'file')}, and its mark says {claimed.files}"
                findings.append(Finding(look.path, f"is short: {short}", Kind.SHORT))
            elif len(found) > claimed.files:
                text = f"has {len(found) - claimed.files} more files than its mark says"
                findings.append(Finding(look.path, text))
        size = sum({each.key: each.size for each in found}.values())
        now = self._clock()
        self._remember(look, first_seen=now, counted=now, files=len(found), bytes=size, short=short)
        return findings

    def read(self, look: Look) -> Iterator[Finding]:
        """Read each file and hold it against the list of sums, which the first reading writes.

        Raises OutOfTime.
        """
        try:
            now = {each: self._sum(look, each) for each in reading.files(look.tree)}
        except Unreadable as error:
            yield Finding(look.path, f"cannot be read: {error}", Kind.UNREAD)
            return
        new = {each.name: digest for each, digest in now.items()}
        seal = sums.known_seal(look.backup.memory.sums)
        if not seal:
            self._write_list(look, new)
            return
        try:
            listed = reading.listed(look.tree, seal)
        except ValueError as error:
            yield self._without_list(look, new, seal, str(error))
            return
        wrong = [name for name in listed if new.get(name) != listed[name]]
        yield from self._judge(look, listed, now, wrong)
        extra = new.keys() - listed.keys()
        if extra:
            text = f"has {counted(len(extra), 'file')} that it had not when it was read first"
            yield Finding(look.path, text)

    def _sum(self, look: Look, found: Found) -> str:
        """The sum of a file; each inode is read once."""
        known = self._known.get(found.key)
        if known and known[:2] == (found.size, found.changed):
            return known[2]
        digest = reading.digest(look.tree, found.name, self._pace)
        self._known[found.key] = (found.size, found.changed, digest)
        return digest

    def _without_list(self, look: Look, new: dict[bytes, str], seal: Seal, why: str) -> Finding:
        """Hold the files against the hash of their list alone, and write it anew where they fit."""
        if sums.hash_of(sums.text(new)) == seal.text:
            self._write_list(look, new)
            text = "the files are as they were when it was written, and it was written anew"
            return Finding(look.path, f"its list of sums {why}; {text}", Kind.LIST)
        text = f"its list of sums {why}, and the files are not those that were read first"
        self._remember(look, read=self._clock(), read_share=1.0, bad=text)
        return Finding(look.path, text, Kind.BAD)

    def _write_list(self, look: Look, new: dict[bytes, str]) -> None:
        text = sums.text(new)
        data = sums.packed(text)
        with look.tree.beside(layout.SUMS) as path:
            write_atomically(path, data, 0o600)
            sync_directory(path.parent)
        seal = str(sums.seal(data, text))
        self._remember(look, read=self._clock(), read_share=1.0, sums=seal)

    def _judge(
        self, look: Look, listed: dict[bytes, str], now: dict[Found, str], wrong: list[bytes]
    ) -> Iterator[Finding]:
        there = {each.name: each for each in now}
        bad = []
        for name in wrong:
            found = there.get(name)
            if found and self._again(look, name) == listed[name]:
                self._known.pop(found.key, None)
                text = f"{_shown(name)} was read differently twice: unstable reads (memory?)"
                yield Finding(look.path, text)
            else:
                bad.append(name)
        if not bad:
            # What was known to be bad stays so: a later list may have been made of wrong bytes.
            self._remember(look, read=self._clock(), read_share=1.0)
            return
        shown = ", ".join(map(_shown, bad[:_SHOWN]))
        why = f"{counted(len(bad), 'file')} {'is' if len(bad) == 1 else 'are'} wrong: {shown}"
        self._remember(look, read=self._clock(), read_share=1.0, bad=why)
        yield Finding(look.path, why, Kind.BAD)
        yield from self._others(look, {there[name].key for name in bad if name in there})
        for name in bad:
            if name in there:
                yield from self._set_aside(look, name)

    def _again(self, look: Look, name: bytes) -> str:
        """The sum of a file by a second reading; "" where it cannot be read any more."""
        try:
            return reading.digest(look.tree, name, self._pace)
        except Unreadable:
            return ""

    def _others(self, look: Look, keys: set[tuple[int, int]]) -> Iterator[Finding]:
        """The other backups that share the files that are wrong."""
        for other in look.group.backups:
            if other == look.backup or not other.is_there or not keys:
                continue
            beside = look._replace(backup=other)
            try:
                shared = [each for each in reading.files(beside.tree) if each.key in keys]
            except Unreadable:
                continue
            if shared:
                text = f"shares {counted(len(shared), 'file')} that {_are(shared)} wrong"
                self._remember(beside, bad=f"{text}, with {look.backup.place}")
                yield Finding(beside.path, text, Kind.BAD)
                for each in shared:
                    yield from self._set_aside(beside, each.name)

    def _set_aside(self, look: Look, name: bytes) -> Iterator[Finding]:
        """Rename a wrong file of the newest complete backup: the next full sends it again."""
        complete = [each for each in look.group.backups if each.complete]
        if not self._quarantine or look.backup != complete[-1]:
            return
        try:
            *above, last = name.split(b"/")
            with look.tree.opened(*above) as directory:
                os.rename(last, last + CORRUPT.encode(), src_dir_fd=directory, dst_dir_fd=directory)
            yield Finding(look.path, f"{_shown(name)} was renamed {_shown(name)}{CORRUPT}")
        except OSError as error:
            yield Finding(look.path, f"{_shown(name)} could not be renamed: {message_of(error)}")


def _are(some: list[Found]) -> str:
    return "is" if len(some) == 1 else "are"


def _shown(name: bytes) -> str:
    return printable(name.decode("utf-8", "surrogateescape"))
