"""Brings a backup back, and looks at how it differs from what the storage holds."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence

from b1000.errors import StorageAway, message_of
from b1000.named import NamedTuple
from b1000.restore import links, listed, receiving
from b1000.restore.found import MOST_NAMES, Verified
from b1000.restore.listed import RestoreFailed, TargetFailed
from b1000.restore.part import Part
from b1000.rsync import outcome, paths, verdicts
from b1000.rsync import restoring as arguments
from b1000.rsync.outcome import Outcome
from b1000.rsync.restoring import Manner, Way
from b1000.rsync.totals import Forecast, Totals, forecast, totals
from b1000.rsync.verdicts import Retry
from b1000.runs.states import CopyStatus
from b1000.storage import session
from b1000.storage.question import StoredRow
from b1000.storage.session import Cut, Session

_UNLIMITED = -1  # RLIM_INFINITY
NO_END = 10.0**6  # seconds, eleven days: io_timeout ends what stands still
_MEMORY = 8 * 2**30  # bytes of address space: a tree with many hard links takes some
_PARTIAL = 23  # exit code of an rsync that copied a part
_LAST_LINES = 40  # in which the totals are
TARGET = "the target"
"""What reasons call the place into which is restored."""


Told = Callable[[Totals, int], None]
"""Hears what an rsync has counted in a backup, and how many files it transferred."""


def nobody(_: Totals, __: int) -> None:
    """Nobody wants to hear it."""


def _last(lines: Sequence[bytes]) -> list[str]:
    """Those among which the totals are."""
    return [line.decode("utf-8", "replace") for line in lines[-_LAST_LINES:]]


def is_here(result: Outcome) -> bool:
    """Whether it failed for what no storage changes: a full disk, or who may not write there."""
    never_ran = result.exit_code is None and result.retry is Retry.NEVER
    return never_ran or TARGET in result.reason.partition(" (rsync exit")[0]


class Keeping(NamedTuple):
    """What the rsyncs of a restore have from it: ``descriptors`` they inherit, and ``marks`` in
    their environment. Each is ended after ``seconds``. ``cut`` reads what they print.

    ``added`` is a private directory for the names of what was missing. ``names`` are those of
    targets that are reached by a descriptor.
    """

    descriptors: tuple[int, ...] = ()
    marks: Mapping[str, str] = {}
    seconds: float = NO_END
    cut: Cut | None = None
    added: str = ""
    names: Mapping[str, str] = {}

    def shown(self, text: str) -> str:
        """A text with the names of targets in it, as people know them."""
        for path, name in self.names.items():
            text = text.replace(path, name)
        return text


class Restoring(NamedTuple):
    """One restore from one storage; others that hold the same run are tried by who calls.

    ``finding`` is the command that finds paths in backups, as people type it.
    """

    row: StoredRow
    way: Way
    manner: Manner
    parts: tuple[Part, ...]
    keeping: Keeping = Keeping()
    finding: str = "b1000 list --files PATTERN"

    def source(self, part: Part) -> str:
        """What rsync reads: the backup, or a part of it."""
        return f"{self.way.address}/{self.row.backup.place}/{part.source}"

    def _root(self, part: Part) -> str:
        return f"{self.way.address}/{self.row.backup.place}/{part.root}"

    def wanted(self) -> list[str]:
        """The names in the backup that are meant, with all below them; none for all of it."""
        return [
            part.root + name
            for part in self.parts
            for name in (listed.read(part.names) if part.names else ())
        ]

    def manner_of(self, part: Part) -> Manner:
        """How a part is brought."""
        return self.manner._replace(names=part.names, spared=part.spared)

    # --- the act

    def bring(self, told: Told = nobody) -> Outcome:
        """Bring all parts back: the outcome of the first that fails, or of the last.

        ``told`` hears what each has counted, once all have come.
        """
        result = Outcome(CopyStatus.DONE, exit_code=0)
        counted: list[tuple[Totals, int]] = []
        for part in self.parts:
            try:
                with receiving.kept_as_it_is(part.above):
                    result = self._bring(part, lambda *each: counted.append(each))
            except OSError as error:
                result = Outcome(CopyStatus.FAILED, Retry.NEVER, message_of(error))
            if result.exit_code != 0:
                return result._replace(reason=self.keeping.shown(result.reason))
        for each in counted:
            told(*each)
        return result

    def _bring(self, part: Part, told: Told) -> Outcome:
        lines: list[bytes] = []
        source, manner = self.source(part), self.manner_of(part)
        try:
            if manner.names and self.row.root.remote:
                source, names = listed.from_module(self.keeping.added, source, manner.names)
                manner = manner._replace(names=names)
        except RestoreFailed as error:
            return Outcome(CopyStatus.FAILED, Retry.NEVER, str(error))
        argv = arguments.restore(self.way, source, part.target, manner)
        if self.keeping.cut:
            argv.insert(1, "--info=progress2")
        try:
            if not self.manner.existing:
                result = self._run(argv, lines.append)
            else:
                with receiving.directory(part.receiving):
                    argv.insert(1, f"--temp-dir={part.temporary}")
                    result = self._put(part, argv, lines.append)
        except OSError as error:
            return Outcome(CopyStatus.FAILED, Retry.NEVER, message_of(error))
        if result.exit_code == 0:
            done = forecast(_last(lines))
            told(totals(_last(lines)), done.files if done else 0)
        return result

    def _put(self, part: Part, argv: list[str], take: Callable[[bytes], None]) -> Outcome:
        """Bring it to where something is already; of what was missing is noted what that was."""
        if self.manner.existing != "missing":
            return self._run(argv, take)
        if found := [*links.to_directories(part)]:
            rules = listed.write(self.keeping.added, links.patterns(found), "links")
            argv[1:1] = ["--from0", f"--exclude-from={rules}"]
        with open(self.added(part), "ab") as file:

            def note(line: bytes) -> None:
                change, name = arguments.item(line)
                if change.startswith((b">f", b"c", b"h")):
                    file.write(name.rstrip(b"/") + b"\0")
                elif not change:
                    take(line)

            result = self._run(arguments.itemized(argv), note)
        if found and result.exit_code == 0 and (reason := self._kept_out(part, found)):
            text = f"{reason}; all else was restored"
            return result._replace(status=CopyStatus.FAILED, reason=text, exit_code=_PARTIAL)
        return result

    def _kept_out(self, part: Part, found: Sequence[str]) -> str:
        """What was not brought, since links stand where the backup has directories; "": nothing."""
        argv = arguments.changes(self.way, self.source(part), part.target, self.manner_of(part))
        try:
            below = tuple(f"{link}/" for link in found)
            kept = [name for _, name in self.itemized(argv) if name.startswith(below)]
        except RestoreFailed as error:
            return str(error)
        return f"{part.target}{kept[0]} lies behind a symbolic link" if kept else ""

    def added(self, part: Part) -> str:
        """The file of the names that were missing."""
        return os.path.join(self.keeping.added, f"added-{self.parts.index(part)}")

    # --- looking

    def changes(self, told: Callable[[Forecast], None] | None = None) -> Iterator[tuple[str, str]]:
        """What it would do: rsync's itemized change, and the name. Raises RestoreFailed.

        ``told`` hears of each part how much that is.
        """
        for part in self.parts:
            lines: list[bytes] = []
            argv = arguments.changes(self.way, self.source(part), part.target, self.manner_of(part))
            yield from self.itemized(argv, lines.append)
            if told and (found := forecast(_last(lines))):
                told(found)

    def compare(self, by_content: bool = True) -> Verified:
        """Compare what is here with what the storage holds. Raises RestoreFailed.

        Where only what was missing was brought, only that is compared. Without ``by_content``
        size and time tell what differs.
        """
        found = Verified()
        for part in self.parts:
            manner, source = self.manner_of(part)._replace(aside=True), self.source(part)
            if manner.existing == "missing":
                if not os.path.getsize(self.added(part)):
                    continue
                source = self._root(part)
                manner = manner._replace(names=self.added(part), exactly=True)
            found = self._compared(found, part, source, manner, by_content)
        return found

    def compare_these(self, part: Part, listing: str) -> Verified:
        """Compare the names of a file, of one part, by content. Raises RestoreFailed."""
        manner = self.manner._replace(names=listing, exactly=True)
        return self._compared(Verified(), part, self._root(part), manner, True)

    def _compared(
        self, before: Verified, part: Part, source: str, manner: Manner, by_content: bool
    ) -> Verified:
        differing, attributes = list(before.differing), before.attributes
        aside = list(before.set_aside)
        argv = arguments.compared(self.way, source, part.target, manner, by_content)
        for change, name in self.itemized(argv):
            if name.endswith(arguments.CORRUPT):
                aside.append(os.path.join(part.root, name.removesuffix(arguments.CORRUPT)))
            elif "+" in change or (change[1] != "d" and (change[0] in "<>c" or change[2] == "c")):
                differing.append(os.path.join(part.root, name))
            elif change[0] == "." and change[1] != "d":
                attributes += 1
        return Verified(tuple(differing[:MOST_NAMES]), attributes, tuple(aside[:MOST_NAMES]))

    def itemized(
        self, argv: Sequence[str], rest: Callable[[bytes], None] | None = None
    ) -> list[tuple[str, str]]:
        """Changes and names; the ``rest`` of what rsync prints to another. Raises RestoreFailed."""
        found: list[tuple[str, str]] = []

        def take(line: bytes) -> None:
            change, name = arguments.item(line)
            if change:
                found.append((change.decode(), name.decode("utf-8", "surrogateescape")))
            elif rest:
                rest(line)

        self.look(argv, take)
        return found

    def look(
        self, argv: Sequence[str], take: Callable[[bytes], None], largest: int = _UNLIMITED
    ) -> None:
        """Give each line that an rsync prints, which changes nothing; no file that it writes has
        more than ``largest`` bytes. Raises RestoreFailed, and TargetFailed.
        """
        result = self._run(argv, take, looking=True, largest=largest)
        if result.exit_code != 0:
            kind = TargetFailed if is_here(result) else RestoreFailed
            raise kind(self.keeping.shown(result.reason))

    def _run(
        self,
        argv: Sequence[str],
        take: Callable[[bytes], None],
        looking: bool = False,
        largest: int = _UNLIMITED,
    ) -> Outcome:
        host = paths.host_or_path(self.way.address)
        keeping = self.keeping
        whole = Session(
            argv,
            host,
            keeping.seconds,
            largest,
            self.way.limits.connect_timeout,
            _MEMORY,
            keeping.descriptors,
            keeping.marks,
            self.way.limits.io_timeout,
        )
        try:
            ended = session.run(whole, take, None if looking else keeping.cut)
        except StorageAway as error:
            return Outcome(CopyStatus.FAILED, Retry.YES, str(error))
        return self._named(outcome.judge(ended.code, ended.errors, TARGET, host))

    def _named(self, result: Outcome) -> Outcome:
        """A name that the backup has not is not there a minute later either."""
        before, missing, _ = result.reason.partition(verdicts.MISSING)
        _, place, name = before.rpartition(f"{self.row.backup.place}/")
        if result.exit_code == 0 or not missing or not place or not self.wanted():
            return result
        reason = f"{name}is not in the backup; `{self.finding}` finds paths"
        return result._replace(reason=reason, retry=Retry.NEVER)
