"""The reporters as their supervisor sees them: children that it never waits for."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from multiprocessing.connection import Connection, wait
from pathlib import Path
from socket import socket
from typing import Any

from b1000.errors import words
from b1000.jobs import Report
from b1000.locks import Locks
from b1000.logs import LOGGER, for_run
from b1000.reports.reporter import Reporter
from b1000.runs.protocol import Delivered, Look
from b1000.supervise.children import drain, fork
from b1000.work.worker import BROKEN, Closable, leave_parent

_LAST_SECONDS = 2.0  # for a reporter that hangs in a call that cannot be interrupted


class ReporterChild:
    """One reporter.

    At most one order is under way to it, so that a reporter that hangs cannot
    fill the pipe and block the supervisor.
    """

    def __init__(
        self,
        report: Report,
        renews: bool,
        journal: Path,
        locks: Locks,
        inherited: Iterable[Closable],
    ) -> None:
        self.name = report.name
        self.process, self.connection = fork(_main, (report, renews, journal, locks), inherited)
        self.open = True
        self.wanted = True
        self.troubled = False
        self._busy = False
        self._due = False

    def look(self) -> None:
        """The journal may owe something."""
        self._due = True
        if not self._busy:
            self._send(Look())

    def answered(self) -> None:
        """It has told what arrived: order the next look, if there was need in the meantime."""
        self._busy = False
        if self._due:
            self.look()

    def last_look(self) -> None:
        """It is to end when nothing is owed any more."""
        if self.wanted:
            self.wanted = False
            self._send(Look(last=True))

    def _send(self, order: Look) -> None:
        self._busy, self._due = True, False
        try:
            self.connection.send(order)
        except OSError:
            self.open = False


def _main(
    report: Report,
    renews: bool,
    journal: Path,
    locks: Locks,
    connection: "Connection[Any, Any]",
    inherited: Iterable[Closable],
) -> None:
    leave_parent(inherited)
    try:
        Reporter(report, journal, locks, connection, renews).run()
    except Exception:
        logging.getLogger(LOGGER).exception("report %s failed by a mistake", report.name)
        raise SystemExit(BROKEN) from None


class Reporting:
    """All reporters of one supervisor."""

    def __init__(self) -> None:
        self.children: list[ReporterChild] = []
        self._log = logging.getLogger(LOGGER)

    def start(
        self,
        reports: Mapping[str, Report],
        renewed: Collection[str],
        journal: Path,
        locks: Locks,
        inherited: Callable[[], Iterable[Closable]],
    ) -> None:
        """Fork a reporter for each report; those of passive jobs are ``renewed``.

        Before the journal is opened here: a child must not share what SQLite
        remembers of the locks of an open database.
        """
        for name in sorted(reports):
            try:
                child = ReporterChild(reports[name], name in renewed, journal, locks, inherited())
            except OSError as error:
                self._log.warning(
                    "report %s: no reporter can be started: %s; the next b1000 delivers",
                    name,
                    words(error),
                )
                continue
            self.children.append(child)

    def keep(self, names: Collection[str]) -> None:
        """Let those go that have nothing to do, and wake the others."""
        for child in self.children:
            if child.name in names:
                child.look()
            else:
                child.last_look()

    def wake(self) -> None:
        """Tell all that the journal may owe something."""
        for child in self.children:
            if child.wanted:
                child.look()

    def settle(self, ready: Collection[object]) -> list[Delivered]:
        """Take what has arrived, and let go of those that have ended."""
        delivered: list[Delivered] = []
        for child in tuple(self.children):
            ended = child.process.sentinel in ready
            if ended or child.connection in ready:
                for message in drain(child):
                    delivered.append(message)
                    child.troubled = bool(message.trouble)
                    if not message.trying:
                        child.answered()
            if ended:
                child.process.join()
                child.connection.close()
                self.children.remove(child)
                if child.process.exitcode:
                    self._log.warning(
                        "report %s: its reporter ended with exit code %d; the next b1000 delivers",
                        child.name,
                        child.process.exitcode,
                    )
                    trouble = f"its reporter ended with exit code {child.process.exitcode}"
                    delivered.append(Delivered(child.name, (), trouble))
        return delivered

    def finish(
        self, seconds: float, settled: Callable[[list[Delivered]], None], interrupted: socket
    ) -> None:
        """Wait until nothing is owed, at most some seconds or until a signal.

        The next b1000 delivers the rest.
        """
        until = time.monotonic() + seconds
        for child in self.children:
            child.last_look()
        # A child that hangs is not waited for longer than this.
        while self.children and (left := until - time.monotonic()) > 0:
            waited: list[Any] = [child.process.sentinel for child in self.children]
            waited += [child.connection for child in self.children if child.open]
            ready = wait([*waited, interrupted], left)
            if interrupted in ready:
                break
            settled(self.settle(ready))
        for child in self.children:
            for_run("b1000", shown=True).warning(
                "report %s: not all states have arrived; the next b1000 delivers them", child.name
            )
        silent = [child.name for child in self.children if not child.troubled]
        settled([Delivered(name, (), "it did not answer in time") for name in silent])
        settled(self.end())

    def end(self) -> list[Delivered]:
        """End all that are left, at once; gives what they had told."""
        delivered: list[Delivered] = []
        for child in self.children:
            child.process.kill()
            child.process.join(_LAST_SECONDS)
            delivered += drain(child)
            child.connection.close()
        self.children.clear()
        return delivered
