"""Brings a backup back, and looks whether what has come is what the storage holds."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from b1000.errors import B1000Error, StorageAway, message_of
from b1000.rsync import names, outcome, paths
from b1000.rsync import restoring as arguments
from b1000.rsync.outcome import Outcome
from b1000.rsync.restoring import Manner, Way
from b1000.rsync.verdicts import Retry
from b1000.runs.states import CopyStatus
from b1000.runs.stored import Restore
from b1000.state.opening import open_journal
from b1000.storage import session
from b1000.storage.question import StoredRow
from b1000.storage.session import Session

_UNLIMITED = -1  # RLIM_INFINITY
_NO_END = 10.0**6  # seconds, eleven days: io_timeout ends what stands still
_MOST_NAMES = 1000  # of differing files that are remembered


class Part(NamedTuple):
    """One rsync of a restore: ``source`` below the backup, both as rsync takes them.

    ``above`` is a directory whose times stay as they are, "" for none.
    """

    source: str
    target: str
    above: str = ""


class Verified(NamedTuple):
    """What a comparison with the storage found: names that differ, and attributes that do."""

    differing: tuple[str, ...] = ()
    attributes: int = 0


class RestoreFailed(B1000Error):
    """A restore came to no good end."""


class Restoring(NamedTuple):
    """One restore from one storage; others that hold the same run are tried by who calls."""

    row: StoredRow
    way: Way
    manner: Manner
    parts: tuple[Part, ...]

    def source(self, part: Part) -> str:
        """What rsync reads: the backup, or a part of it."""
        return f"{self.way.address}/{self.row.backup.place}/{part.source}"

    def commands(self) -> list[list[str]]:
        """The plain commands that do the same."""
        return [
            arguments.plain(self.way, self.source(part), part.target, self.manner)
            for part in self.parts
        ]

    def bring(self) -> Outcome:
        """Bring all parts back: the outcome of the first that fails, or of the last."""
        result = Outcome(CopyStatus.DONE, exit_code=0)
        for part in self.parts:
            with _kept_as_it_is(part.above):
                argv = arguments.restore(self.way, self.source(part), part.target, self.manner)
                result = self._run(argv, lambda _: None)
            if result.exit_code != 0:
                return result
        return result

    def changes(self) -> Iterator[tuple[str, str]]:
        """What it would do: rsync's itemized change, and the name. Raises RestoreFailed."""
        for part in self.parts:
            argv = arguments.changes(self.way, self.source(part), part.target, self.manner)
            yield from self._itemized(argv)

    def compare(self) -> Verified:
        """Compare what is here with what the storage holds. Raises RestoreFailed."""
        differing: list[str] = []
        attributes = 0
        for part in self.parts:
            argv = arguments.compared(self.way, self.source(part), part.target, self.manner)
            for change, name in self._itemized(argv):
                if "+" in change or (change[1] != "d" and (change[0] in "<>c" or change[2] == "c")):
                    differing.append(name)
                elif change[0] == "." and change[1] != "d":
                    attributes += 1
        return Verified(tuple(differing[:_MOST_NAMES]), attributes)

    def is_empty(self) -> bool:
        """Whether the backup holds nothing at all. Raises RestoreFailed."""
        with tempfile.TemporaryDirectory(prefix="b1000-empty-") as empty:
            argv = arguments.changes(self.way, self.source(self.parts[0]), f"{empty}/", Manner())
            return not any(name.rstrip("/") != "." for _, name in self._itemized(argv))

    def _itemized(self, argv: Sequence[str]) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []

        def take(line: bytes) -> None:
            change, blank, name = line.partition(b" ")
            if blank and (len(change) == _ITEM or change == b"*deleting"):
                plain = names.unescaped(name.lstrip(b" ") if change == b"*deleting" else name)
                found.append((change.decode(), plain.decode("utf-8", "surrogateescape")))

        result = self._run(argv, take)
        if result.exit_code != 0:
            raise RestoreFailed(result.reason)
        return found

    def _run(self, argv: Sequence[str], take: Callable[[bytes], None]) -> Outcome:
        host = paths.host_or_path(self.way.address)
        whole = Session(argv, host, _NO_END, _UNLIMITED, self.way.limits.connect_timeout)
        try:
            ended = session.run(whole, take)
        except StorageAway as error:
            return Outcome(CopyStatus.FAILED, Retry.YES, str(error))
        return outcome.judge(ended.code, ended.errors, "the target", host)


_ITEM = 11  # characters of an itemized change


@contextmanager
def _kept_as_it_is(directory: str) -> Iterator[None]:
    """A directory in which something is put keeps its own times."""
    if not directory:
        yield
        return
    before = os.stat(directory)
    try:
        yield
    finally:
        os.utime(directory, ns=(before.st_atime_ns, before.st_mtime_ns))


def bring(
    all_ways: Sequence[Restoring], retries: int, wait: float, told: Callable[[str], None]
) -> tuple[Restoring, Outcome]:
    """Bring a backup back from the first storage that gives it; each is tried once before a retry.

    ``told`` hears of each failure. Gives the one that succeeded, or the last one and its outcome.
    """
    left = list(all_ways)
    for turn in range(retries + 1):
        if turn:
            time.sleep(wait)
        for each in tuple(left):
            result = each.bring()
            if result.exit_code == 0:
                return each, result
            told(f"{each.row.path}: {result.reason}")
            if result.retry is Retry.NEVER or (result.retry is Retry.ONCE and turn):
                left.remove(each)
        if not left:
            break
    return each, result


def note(path: Path, row: StoredRow, target: str, words: str) -> Callable[[str], None]:
    """Note in the journal that a restore into ``target`` begins; gives what notes how it ended.

    That is with an error, or with "".
    """
    journal = open_journal(path)
    status = os.stat(target)
    begun = Restore(
        status.st_dev,
        status.st_ino,
        target,
        words,
        row.key.job,
        row.key.instance,
        row.host,
        row.root.destination,
        row.path,
        row.backup.run,
        time.time(),
    )
    with journal.transaction():
        number = journal.begin_restore(begun)

    def noted(error: str) -> None:
        with journal.transaction():
            journal.end_restore(number, error)

    return noted


def names_file(directory: str, wanted: Sequence[str]) -> str:
    """A file of names for rsync in a private directory. Raises RestoreFailed."""
    path = Path(directory, "names")
    try:
        path.write_bytes(b"".join(os.fsencode(each) + b"\0" for each in wanted))
    except OSError as error:
        raise RestoreFailed(f"there is no place here for names: {message_of(error)}") from None
    return str(path)
