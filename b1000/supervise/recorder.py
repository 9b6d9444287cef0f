"""What the supervisor does with a journal that may fail: nothing is lost while it lives."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from b1000.errors import JournalFailed, RowDamaged, counted
from b1000.logs import for_all
from b1000.runs.events import Note
from b1000.runs.lifecycle import Change
from b1000.runs.protocol import Delivered
from b1000.state.journal import Journal
from b1000.state.opening import log_damage, open_journal

RETRY = 1.0  # seconds between attempts to write the journal when it fails
_GRACE = 60.0  # seconds after which a journal that fails is not waited for any more

Entry = Change | Note
"""What is to be recorded: of a run, or of what is done for a run or a job."""


class Recorder:
    """Writes to the journal, and keeps what could not be written until it can."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float],
        stopped: Callable[[], bool],
        unwritten: Sequence[Entry] = (),
    ) -> None:
        """Open the journal; raises JournalUnusable. ``unwritten`` is to be written yet."""
        self._path = path
        self._journal = open_journal(path, clock, stopped)
        # Why reports are behind, as far as the journal has been told of it from here.
        self._troubles = dict.fromkeys(self._journal.troubled_reports(), "")
        self._unwritten = list(unwritten)
        self._refused = 0
        self._delivered: list[Delivered] = []
        self._failing_since: float | None = None
        self.why = ""  # of the last failure
        self._log = for_all()

    @property
    def failing(self) -> bool:
        """Whether the last attempt to write failed."""
        return self._failing_since is not None

    @property
    def within_grace(self) -> bool:
        """Whether a journal that fails may still be waited for."""
        since = self._failing_since
        return since is None or time.monotonic() - since < _GRACE

    @property
    def unwritten(self) -> Sequence[Entry]:
        """The messages that are not in the journal yet."""
        return tuple(self._unwritten)

    @property
    def lost(self) -> int:
        """How many messages are not in the journal, or never will be."""
        return len(self._unwritten) + self._refused

    @contextmanager
    def transaction(self) -> Iterator[Journal]:
        """One commit for all that is to be recorded, and for what is begun within.

        JournalFailed where that cannot be done now: all is kept, and nothing has begun.
        """
        try:
            with self._journal.transaction():
                for _, entries in itertools.groupby(self._unwritten, _run_of):
                    self._record(tuple(entries))
                for each in self._delivered:
                    self._record_delivered(each)
                yield self._journal
        except JournalFailed as error:
            raise self._not_written(error) from None
        self._works()
        for each in self._delivered:
            self._note_trouble(each)
        self._unwritten.clear()
        self._delivered.clear()

    def keep(self, entries: Iterable[Entry], delivered: Iterable[Delivered] = ()) -> None:
        """Record something together with whatever is written next."""
        self._unwritten += entries
        self._delivered += (
            each for each in delivered if each.states or each.stored or self._is_news(each)
        )

    def write(self, entries: Iterable[Entry] = (), delivered: Iterable[Delivered] = ()) -> bool:
        """Make everything that is known durable, in one commit; gives whether runs have changed.

        When the journal fails, all is kept and written later: no copy under way
        is stopped for it.
        """
        self.keep(entries, delivered)
        changed = bool(self._unwritten)
        if not changed and not self._delivered:
            return False
        try:
            with self.transaction():
                return changed
        except JournalFailed:
            return False

    def _record(self, entries: Sequence[Entry]) -> None:
        """Write entries that follow each other: notes, or changes of one run."""
        changes = [entry for entry in entries if isinstance(entry, Change)]
        try:
            for entry in entries:
                if isinstance(entry, Note):
                    self._journal.note(entry)
            if changes:
                self._journal.store(*changes)
        except RowDamaged as error:
            # All other runs go on.
            self._refused += len(changes)
            self._log.error("the journal %s is damaged: %s", self._path, error)

    def _record_delivered(self, news: Delivered) -> None:
        for run_id, transition in news.states:
            self._journal.record_delivered(news.report, run_id, transition)
        for told in news.stored:
            self._journal.record_told(news.report, *told)
        if not news.states and not news.stored:
            self._journal.record_trouble(news.report, news.trouble)

    def _is_news(self, news: Delivered) -> bool:
        """Whether the journal does not know yet how a report fares."""
        if news.trouble:
            return news.trouble != self._troubles.get(news.report)
        return news.report in self._troubles

    def _note_trouble(self, news: Delivered) -> None:
        if news.trouble:
            self._troubles[news.report] = news.trouble
        elif not news.states and not news.stored:
            self._troubles.pop(news.report, None)

    def mend(self) -> None:
        """Close the runs whose rows cannot be read; what else cannot is forgotten."""
        try:
            log_damage(self._path, self._journal.mend())
        except JournalFailed as error:
            self._log.error(
                "the journal %s has rows that cannot be read, and cannot be repaired now: %s",
                self._path,
                error,
            )

    def shorten_timeout(self) -> None:
        """The program is to end soon: do not wait long for others who have the journal locked."""
        self._journal.shorten_timeout()

    def forget_old(self, keep_days: int) -> None:
        """Forget runs that are older than so many days."""
        try:
            forgotten = self._journal.prune(keep_days)
        except JournalFailed as error:
            self._log.warning(
                "the journal's history could not be pruned: %s; the next b1000 tries again", error
            )
        else:
            if forgotten:
                runs = counted(forgotten, "run")
                self._log.info("forgot %s older than %d days", runs, keep_days)

    def close(self) -> None:
        """Tell what could not be written, and close the journal."""
        if self._unwritten:
            self._log.error(
                "%d states could not be written to the journal %s and are lost: runs may be shown "
                "as interrupted; see the space on its disk and its permissions",
                len(self._unwritten),
                self._path,
            )
        self._journal.close()

    def let_go(self) -> None:
        """Close the journal as it is."""
        self._journal.close()

    def _not_written(self, error: JournalFailed) -> JournalFailed:
        news = JournalFailed(f"the journal {self._path} cannot be written: {error}")
        self.mark_failed(news)
        return news

    def mark_failed(self, error: JournalFailed) -> None:
        """The journal cannot be used now, to write or to read; it is tried again."""
        self.why = str(error)
        if self._failing_since is None:
            self._failing_since = time.monotonic()
            self._log.error("%s; copies go on, and it is tried again", error)

    def _works(self) -> None:
        if self._failing_since is not None:
            self._failing_since = None
            self._log.info("the journal can be used again")


def _run_of(entry: Entry) -> int | None:
    """The run that has changed; None for a note."""
    return entry.after.run_id if isinstance(entry, Change) else None
