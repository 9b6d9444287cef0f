"""Looks at the backups of a local root: counts them, reads them, and says what is wrong."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from b1000.errors import counted, message_of
from b1000.files import read_file
from b1000.logstyle import printable
from b1000.rsync.restoring import CORRUPT
from b1000.state.journal import Journal
from b1000.storage import layout, reading, sums
from b1000.storage.backup import Backup, Group, Root
from b1000.storage.reading import Found, Pace, Unreadable

_LARGEST_LIST = 2**31
_SHOWN = 5


class Finding(NamedTuple):
    """What is told of a backup; ``bad``: it is wrong, and not merely worth a word."""

    path: str
    text: str
    bad: bool = False


class Look(NamedTuple):
    """One backup at its root."""

    root: Root
    group: Group
    backup: Backup

    @property
    def path(self) -> str:
        """Its whole directory."""
        return f"{self.root.address}/{self.backup.place}"


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
            found = list(reading.files(look.path))
        except Unreadable as error:
            return [Finding(look.path, f"cannot be counted: {error}", bad=True)]
        claimed = look.backup.counts
        short = ""
        findings: list[Finding] = []
        if look.backup.type == "full" and claimed.files is not None:
            least = claimed.files - (claimed.vanished or 0)
            if len(found) < least:
                short = f"{counted(len(found), 'file')}, and its mark says {claimed.files}"
                findings.append(Finding(look.path, f"is short: {short}", bad=True))
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
            now = {each: self._sum(look, each) for each in reading.files(look.path)}
        except Unreadable as error:
            yield Finding(look.path, f"cannot be read: {error}", bad=True)
            return
        new = {each.name: digest for each, digest in now.items()}
        listed, why = self._list(look)
        if why:
            yield Finding(look.path, why)
        if listed is None:
            hashed = self._write_list(look, new)
            self._remember(look, read=self._clock(), read_share=1.0, sums=hashed)
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
        digest = reading.digest(look.path, found.name, self._pace)
        self._known[found.key] = (found.size, found.changed, digest)
        return digest

    def _list(self, look: Look) -> tuple[dict[bytes, str] | None, str]:
        """The list that an earlier reading wrote; None, and why, where there is none."""
        known = look.backup.memory.sums
        if not known:
            return None, ""
        try:
            data = read_file(look.path + layout.SUMS, _LARGEST_LIST, follow=False)
        except OSError as error:
            return None, f"its list of sums is gone and was written anew: {message_of(error)}"
        if sums.hash_of(data) != known:
            return None, "its list of sums was changed by somebody, and was written anew"
        return sums.unpacked(data), ""

    def _write_list(self, look: Look, new: dict[bytes, str]) -> str:
        data = sums.packed(new)
        path = Path(look.path + layout.SUMS)
        temporary = path.with_name(f".b1000-{os.urandom(8).hex()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.rename(temporary, path)
        return sums.hash_of(data)

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
        yield Finding(look.path, why, bad=True)
        yield from self._others(look, {there[name].key for name in bad if name in there})
        for name in bad:
            if name in there:
                yield from self._set_aside(look, name)

    def _again(self, look: Look, name: bytes) -> str:
        """The sum of a file by a second reading; "" where it cannot be read any more."""
        try:
            return reading.digest(look.path, name, self._pace)
        except Unreadable:
            return ""

    def _others(self, look: Look, keys: set[tuple[int, int]]) -> Iterator[Finding]:
        """The other backups that share the files that are wrong."""
        for other in look.group.backups:
            if other == look.backup or not other.is_there or not keys:
                continue
            beside = look._replace(backup=other)
            try:
                shared = [each for each in reading.files(beside.path) if each.key in keys]
            except Unreadable:
                continue
            if shared:
                text = f"shares {counted(len(shared), 'file')} that {_are(shared)} wrong"
                self._remember(beside, bad=f"{text}, with {look.backup.place}")
                yield Finding(beside.path, text, bad=True)
                for each in shared:
                    yield from self._set_aside(beside, each.name)

    def _set_aside(self, look: Look, name: bytes) -> Iterator[Finding]:
        """Rename a wrong file of the newest complete backup: the next full sends it again."""
        complete = [each for each in look.group.backups if each.complete]
        if not self._quarantine or look.backup != complete[-1]:
            return
        try:
            *above, last = name.split(b"/")
            with reading.opened(look.path, above) as directory:
                os.rename(last, last + CORRUPT.encode(), src_dir_fd=directory, dst_dir_fd=directory)
            yield Finding(look.path, f"{_shown(name)} was renamed {_shown(name)}{CORRUPT}")
        except OSError as error:
            yield Finding(look.path, f"{_shown(name)} could not be renamed: {message_of(error)}")


def _are(some: list[Found]) -> str:
    return "is" if len(some) == 1 else "are"


def _shown(name: bytes) -> str:
    return printable(name.decode("utf-8", "surrogateescape"))
