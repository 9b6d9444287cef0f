"""Reads backups at a daemon: rsync sums each file there, and only the sums travel.

No list lies beside them. This host compares with what it noted when it read last.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from b1000.errors import StorageAway
from b1000.files import private_directory
from b1000.logs import printable
from b1000.named import NamedTuple
from b1000.rsync import names, paths, surveys
from b1000.rsync.restoring import CORRUPT
from b1000.state.journal import Journal
from b1000.storage import session
from b1000.storage.remote import Reach
from b1000.storage.session import Session
from b1000.verify.findings import (
    Finding,
    Kind,
    Look,
    first_of,
    held_against_mark,
    known_to_be_wrong,
    left_there,
    shown,
    wrong_files,
)
from b1000.verify.judging import Terms
from b1000.verify.noted import File, Noted, Notes
from b1000.verify.reading import OutOfTime

_LARGEST = 2**20  # of a file that rsync may write here: it writes none
_SECONDS = 7 * 86400.0
_SILENCE = 6 * 3600
"""Seconds without a word after which rsync gives up: it says nothing while it sums a file."""

Sums = Mapping[bytes, tuple[File, str]]
"""Of files, by their names."""


class _Answer(NamedTuple):
    """What a daemon says; ``unread`` is what it could not read, in words."""

    sums: dict[bytes, tuple[File, str]]
    unread: str = ""


class Witness:
    """Of one destination. ``bytes`` is how much was read there, ``whole`` how many backups."""

    def __init__(self, journal: Journal, notes: Notes, there: Reach) -> None:
        limits = there.limits._replace(io_timeout=_SILENCE)
        self._there = there._replace(limits=limits)
        self._journal = journal
        self._notes = notes
        self.bytes = self.whole = 0

    def read(self, look: Look, terms: Terms) -> Iterator[Finding]:
        """Have each file summed there, and hold it against the last reading.

        Raises OutOfTime, and StorageAway.
        """
        began = time.time()
        noted = self._notes.of(look.root.path, look.backup.place)
        last = {
            bytes.fromhex(file.key.decode()): (file, digest)
            for file, digest in noted.last().items()
        }
        terms.pace.check()
        try:
            answer = self._ask(look, terms)
        except OutOfTime:
            self._remember(look, cut_off=time.time(), stuck=1)
            raise
        bad, unstable = self._again(look, terms, last, answer)
        for name in unstable:
            text = f"{shown(name)} was read differently twice: unstable reads (memory?)"
            yield Finding(look.path, text, Kind.UNSTABLE)
        short, found = held_against_mark(look, len(answer.sums))
        yield from found if not answer.unread else ()
        yield from left_there(look, answer.sums)
        changes: dict[str, object] = {"unread": answer.unread, "cut_off": None, "stuck": 0}
        if answer.unread:
            yield Finding(look.path, f"cannot be read: {answer.unread}", Kind.UNREAD)
        else:
            size = sum(file.size for file, _ in answer.sums.values())
            changes |= {"counted": began, "files": len(answer.sums), "bytes": size, "short": short}
            changes |= {"read": began, "read_share": 1.0}
            self.whole += 1
        before = look.backup.memory.bad
        if bad:
            gone = [name for name in bad if name not in answer.sums]
            changes["bad"] = wrong_files(bad, gone)
            yield Finding(look.path, wrong_files(bad, gone), Kind.BAD)
            yield from terms.commands(look, bad)
        elif before and look.is_sync and not answer.unread:
            changes["bad"] = ""
        elif before:
            yield known_to_be_wrong(look)
        _note(noted, answer, last, bad)
        self._remember(look, **changes)

    def _remember(self, look: Look, **changes: object) -> None:
        with self._journal.transaction():
            self._journal.remember(look.root.path, look.backup.place, changes)

    def _again(
        self, look: Look, terms: Terms, last: Sums, answer: _Answer
    ) -> tuple[list[bytes], list[bytes]]:
        """Which files are wrong, and which were read wrongly once only."""

        def differs(name: bytes, now: tuple[File, str] | None) -> bool:
            file, digest = last[name]
            if now is None:
                return not look.is_sync and not answer.unread
            # In a sync tree another file may bear the name now.
            return digest != now[1] and (not look.is_sync or file == now[0])

        wrong = [name for name in last if differs(name, answer.sums.get(name))]
        if not wrong:
            return [], []
        second = self._ask(look, terms, wrong).sums
        bad = sorted(name for name in wrong if differs(name, second.get(name)))
        unstable = sorted({*wrong} - {*bad})
        answer.sums.update((name, second[name]) for name in unstable if name in second)
        return bad, unstable

    def _ask(self, look: Look, terms: Terms, wanted: Sequence[bytes] = ()) -> _Answer:
        """The sums of all files of a backup, or of those that are ``wanted``."""
        terms.pace.check()
        there = self._there
        found: dict[bytes, tuple[File, str]] = {}
        closed: list[str] = []

        def take(line: bytes) -> None:
            summed = names.summed(line)
            if summed and not summed.digest:
                closed.append(f"{shown(summed.name)}: rsync could not read it")
            elif summed and not summed.name.endswith(CORRUPT.encode()):
                file = File(summed.size, summed.time, summed.name.hex().encode())
                found[summed.name] = file, summed.digest
                self.bytes += summed.size

        with private_directory("b1000-verify-") as private:
            listing = Path(private, "names") if wanted else None
            if listing:
                listing.write_bytes(b"".join(name + b"\0" for name in wanted))
            empty = Path(private, "empty")
            empty.mkdir()
            argv = surveys.sums(
                f"{there.address}/{look.backup.place}/",
                str(empty),
                password_file=there.password_file,
                limits=there.limits,
                transport=there.transport,
                names_file=str(listing or ""),
            )
            argv[1:1] = there.way
            host = paths.host_or_path(there.address)
            left = _SECONDS if terms.pace.until is None else terms.pace.until - time.monotonic()
            try:
                ended = session.run(Session(argv, host, math.ceil(left), _LARGEST), take)
            except StorageAway:
                terms.pace.check()  # it was ended then, and is not away
                raise
        terms.pace.check()
        if ended.code not in (0, 23, 24):
            raise StorageAway(ended.trouble(host))
        # The last line says only that something was.
        told = [printable(each) for each in ended.errors[:-1]] if ended.code == 23 else []
        return _Answer(found, first_of([*closed, *told]))


def _note(noted: Noted, answer: _Answer, last: Sums, bad: Sequence[bytes]) -> None:
    """What the next reading compares with: of what is wrong, or was not read, what was right."""
    kept = dict(last) if answer.unread else {name: last[name] for name in bad}
    noted.resume(math.inf)
    for file, digest in {**answer.sums, **kept}.values():
        noted.add(file, digest)
    noted.keep()
