"""The reporter: a child of the supervisor that delivers what is pending for one report.

It only reads the journal, and says what has arrived; the supervisor marks that.
Whatever goes wrong with a report stays here: nothing waits for it but itself.
"""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from b1000.errors import B1000Error, message_of
from b1000.identity import identify
from b1000.jobs import Report
from b1000.locks import Locks
from b1000.logs import for_all
from b1000.reports.addressee import Outbox, label_of
from b1000.reports.file import FileReport
from b1000.reports.target import Marks, RunsRefused, StoredRefused, StoredTarget
from b1000.reports.targets import target_of
from b1000.reports.trouble import Trouble
from b1000.runs.protocol import Deliver, Delivered, MarksTaken
from b1000.runs.stored import Told
from b1000.state.queries import Reader
from b1000.wire import Wire

if TYPE_CHECKING:
    import tenacity

_POLL = 0.2  # seconds between looks at the lock of a report that another reporter holds
_RENEWAL = 2.0  # seconds between signs of life in the reports of passive runs
_FOLLOWED = 0.1  # seconds that states are gathered where others follow what is reported
_SETTLE = 0.5  # seconds that are gathered at most after a look that found nothing
_BATCH = 500  # runs that are reported at once
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0  # seconds between attempts to deliver


class _ParentGone(Exception):
    """The supervisor has ended; what is pending stays in the journal."""


class Reporter:
    """Delivers to one report until the supervisor needs it no more."""

    def __init__(
        self,
        settings: Report | Outbox,
        journal: Path,
        locks: Locks,
        connection: Wire,
        renews: bool = False,
    ) -> None:
        """``renews``: passive jobs have the report, and others look whether they are alive."""
        self._name = settings.name
        self._label = label_of(settings)
        self._journal = journal
        self._locks = locks
        self._connection = connection
        self._target = target_of(settings, lambda: self._reader, locks)
        self._renewal = _RENEWAL if renews and isinstance(self._target, FileReport) else None
        self._renewed = time.monotonic()
        self._parent = identify(os.getppid())
        self._lock: int | None = None
        self._known: dict[int, int] = {}  # run_id → transition that arrived, or was refused
        self._refused: set[int] = set()  # run_ids, to be spoken of once
        self._told = 0  # the number of the last change of a backup that arrived, or was refused
        self._due = False
        self._delivered = False
        self._last = False
        self._refusal = ""
        self._trouble = Trouble()
        self._log = for_all()

    def run(self) -> None:
        """Deliver; returns when all is delivered after the last order, or the parent is gone."""
        try:
            while True:
                self._await_order()
                self._deliver_in_the_end()
                self._recover()
                self._say((), self._refusal)
                if self._last:
                    return
                self._gather()
                self._renew()
        except _ParentGone:
            return
        finally:
            self._let_go()

    def _await_order(self) -> None:
        """Wait until something may be pending; the report stays open only for a while."""
        if not self._due and self._lock is not None:
            self._rest(self._target.linger)
        if not self._due:
            self._let_go()
        while not self._due:
            self._rest(self._renewal)
            self._renew()
        self._due = False

    def _renew(self) -> None:
        """Show that the runs of the supervisor here which wait to be pulled from are alive."""
        if self._renewal is None or time.monotonic() - self._renewed < self._renewal:
            return
        self._renewed = time.monotonic()
        if not isinstance(self._target, FileReport):
            return
        lock = None
        try:
            if self._lock is None and (lock := self._locks.take(f"report@{self._name}")) is None:
                return
            with Reader(self._journal) as reader:
                waiting = [
                    run
                    for run in reader.unfinished()
                    if (run.direction, run.supervisor) == ("passive", self._parent)
                    and self._name in run.reports
                ]
            self._target.renew(waiting)
        except (B1000Error, OSError) as error:
            self._log.debug("%s cannot be renewed: %s", self._label, message_of(error))
        finally:
            if lock is not None:
                os.close(lock)

    def _gather(self) -> None:
        """States that follow each other quickly are delivered as one."""
        settle = self._target.settle if self._renewal is None else _FOLLOWED
        if not self._delivered:
            settle = min(_SETTLE, settle)
        self._delivered = False
        if not self._target.linger:
            self._let_go()  # what is pending of others has not to wait that long
        until = time.monotonic() + settle
        while not self._last and (left := until - time.monotonic()) > 0:
            self._rest(left)

    def _let_go(self) -> None:
        """Close the report, and let others have it."""
        self._target.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _deliver_in_the_end(self) -> None:
        """Deliver what is pending, as often as it takes."""
        try:
            return self._deliver_all()
        except (OSError, B1000Error) as error:
            failed = [error]

        import tenacity  # which takes longer than to deliver to a file

        def known_or_next() -> None:
            if failed:
                raise failed.pop()
            self._deliver_all()

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((OSError, B1000Error)),
            wait=tenacity.wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
            sleep=self._pause,
            before_sleep=self._complain,
        )(known_or_next)

    def _deliver_all(self) -> None:
        """Deliver what is pending now; one reporter of this report at a time.

        What comes meanwhile has an order of its own, and is gathered until that is looked at.
        """
        with Reader(self._journal) as reader:
            self._reader = reader
            while self._lock is None:
                # The reporter that has the lock delivers what is pending of all.
                if not self._reader.due(self._name, self._known) and not self._due_stored():
                    return
                self._lock = self._locks.take(f"report@{self._name}")
                if self._lock is None:
                    self._rest(_POLL)
            while self._deliver() or self._deliver_stored():
                pass

    def _deliver(self) -> bool:
        """Deliver some of what is pending; gives whether there may be more."""
        due = self._reader.pending(self._name, self._known, _BATCH)
        if not due:
            return False
        self._delivered = True
        arrived, trouble = self._target.deliver([each.run for each in due])
        states = tuple(
            (each.run.run_id, each.transition_id) for each in due if each.run.run_id in arrived
        )
        self._known.update(states)
        if states:
            self._say(states)
        if isinstance(trouble, RunsRefused):
            self._known |= {
                each.run.run_id: each.transition_id
                for each in due
                if each.run.run_id in trouble.run_ids
            }
            self._refusal = message_of(trouble)
            if not trouble.run_ids <= self._refused:
                self._refused |= trouble.run_ids
                self._log.error(
                    "%s: %s; it stays pending, and the next b1000 tries it again",
                    self._label,
                    trouble,
                )
        elif trouble:
            raise trouble
        return len(due) == _BATCH

    def _due_stored(self) -> list[Told]:
        """The backups that are to be told next."""
        if not isinstance(self._target, StoredTarget):
            return []
        return self._reader.pending_stored(self._name, self._told, _BATCH)

    def _deliver_stored(self) -> bool:
        """Deliver some of what storages have found; gives whether there may be more."""
        due = self._due_stored()
        if not due or not isinstance(self._target, StoredTarget):
            return False
        self._delivered = True
        arrived, trouble = self._target.deliver_stored(due)
        if arrived:
            stored = tuple((each.root, each.place, each.transition) for each in arrived)
            self._send(Delivered(self._name, (), stored=stored))
        if trouble and not isinstance(trouble, StoredRefused):
            raise trouble
        self._told = due[-1].transition
        if trouble:
            self._refusal = message_of(trouble)
            self._log.error("%s: %s; the next b1000 tries it again", self._label, trouble)
        return len(due) == _BATCH

    def _say(
        self, states: tuple[tuple[int, int], ...], trouble: str = "", trying: bool = False
    ) -> None:
        """Report what has arrived; the supervisor then orders the next look, if there is need."""
        self._send(Delivered(self._name, states, trouble, trying))

    def _send(self, said: Delivered) -> None:
        try:
            self._connection.send(said)
        except OSError:
            raise _ParentGone from None

    def _pause(self, seconds: float) -> None:
        """Wait until what was refused is tried again; an order ends that.

        Runs whose reports can be written go on to show that they live, those of
        other programs too.
        """
        if self._renewal is not None:
            self._let_go()
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._rest(left if self._renewal is None else min(left, self._renewal)):
                return
            self._renew()

    def _rest(self, seconds: float | None) -> bool:
        """Wait for an order, no longer than some seconds; gives whether there was one."""
        if not self._connection.poll(seconds):
            return False
        try:
            while self._connection.poll():
                self._take(self._connection.recv())
        except (EOFError, OSError):
            raise _ParentGone from None
        return True

    def _take(self, order: Deliver | MarksTaken) -> None:
        if isinstance(order, Deliver):
            self._last = order.last or self._last
            self._due = True
        elif isinstance(self._target, Marks):
            self._target.note_taken(order)

    def _complain(self, state: "tenacity.RetryCallState") -> None:
        # Another program may know a newer password.
        self._let_go()
        error = state.outcome.exception() if state.outcome else None
        trouble = message_of(error) if error else ""
        self._say((), trouble, trying=True)
        level, text = self._trouble.complaint(trouble, time.time())
        self._log.log(level, "%s: %s", self._label, text)

    def _recover(self) -> None:
        if self._trouble.over():
            self._log.info("%s: all is delivered again", self._label)
