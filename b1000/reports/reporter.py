"""The reporter: a child of the supervisor that delivers to one report what the journal owes.

It only reads the journal, and says what has arrived; the supervisor marks that.
Whatever goes wrong with a report stays here: nothing waits for it but itself.
"""

import logging
import os
import time
from multiprocessing.connection import Connection
from pathlib import Path

import tenacity

from b1000.errors import B1000Error, words
from b1000.locks import Locks
from b1000.logs import LOGGER
from b1000.model import Delivered, Look, Report
from b1000.reports.file import FileReport
from b1000.state.queries import Reader

_POLL = 0.2  # seconds between looks at the lock of a report that another reporter holds
_SETTLE = 0.03  # seconds
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0  # seconds between attempts to deliver


class _ParentGone(Exception):
    """The supervisor has ended; what is owed stays in the journal."""


class Reporter:
    """Delivers to one report until the supervisor needs it no more."""

    def __init__(
        self,
        settings: Report,
        journal: Path,
        locks: Locks,
        connection: "Connection[Delivered, Look]",
    ) -> None:
        self._settings = settings
        self._name = settings.name
        self._journal = journal
        self._locks = locks
        self._connection = connection
        self._told: dict[int, int] = {}
        self._last = False
        self._log = logging.getLogger(LOGGER)
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((OSError, B1000Error)),
            wait=tenacity.wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
            sleep=self._rest,
            before_sleep=self._complain,
        )

    def run(self) -> None:
        """Deliver; returns when all is delivered after the last order, or the parent is gone."""
        try:
            while True:
                self._rest(None)
                self._retrying(self._deliver_all)
                self._say(())
                if self._last:
                    return
                # States that follow each other quickly are delivered as one.
                time.sleep(_SETTLE)
        except _ParentGone:
            return

    def _deliver_all(self) -> None:
        """Deliver until nothing is owed; one reporter of this report at a time."""
        while (lock := self._locks.take(f"report@{self._name}")) is None:
            self._rest(_POLL)
        try:
            with Reader(self._journal) as reader:
                self._reader = reader
                self._target = FileReport(self._settings, reader.unfinished_files)
                while self._deliver():
                    pass
        finally:
            os.close(lock)

    def _deliver(self) -> bool:
        """Deliver some of what is owed; gives whether there was any."""
        owed = self._reader.owed(self._name)
        # What was told and is not marked yet stands in the journal still.
        self._told = {
            each.run.run_id: self._told[each.run.run_id]
            for each in owed
            if each.run.run_id in self._told
        }
        due = [each for each in owed if self._told.get(each.run.run_id, -1) < each.transition_id]
        if not due:
            return False
        delivered, trouble = self._target.deliver([each.run for each in due])
        states = tuple(
            (each.run.run_id, each.transition_id) for each in due if each.run.run_id in delivered
        )
        self._told.update(states)
        if states:
            self._say(states)
        if trouble:
            raise trouble
        return True

    def _say(
        self, states: tuple[tuple[int, int], ...], trouble: str = "", trying: bool = False
    ) -> None:
        """Tell what has arrived; the supervisor then orders the next look, if there is need."""
        try:
            self._connection.send(Delivered(self._name, states, trouble, trying))
        except OSError:
            raise _ParentGone from None

    def _rest(self, seconds: float | None) -> None:
        """Wait for an order; no longer than some seconds."""
        if not self._connection.poll(seconds):
            return
        try:
            while self._connection.poll():
                self._last = self._connection.recv().last or self._last
        except (EOFError, OSError):
            raise _ParentGone from None

    def _complain(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        trouble = words(error) if error else ""
        self._say((), trouble, trying=True)
        level = logging.WARNING if state.attempt_number == 1 else logging.DEBUG
        self._log.log(
            level, "report %s: %s; it is tried again, and nothing is lost", self._name, trouble
        )
