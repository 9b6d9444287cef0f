"""The reporters as their supervisor sees them: children that it never waits for."""

import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from b1000.config.loader import Config
from b1000.errors import message_of
from b1000.jobs import BrokenJob, Job, Report
from b1000.locks import Locks
from b1000.logs import for_all
from b1000.reports.addressee import Outbox, label_of
from b1000.runs.protocol import Deliver, Delivered, MarksTaken
from b1000.state import outbox
from b1000.supervise.children import Watch, fork
from b1000.wire import Wire
from b1000.work.forked import BROKEN, Closable

if TYPE_CHECKING:
    from b1000.reports.reporter import Reporter

_SOON = 0.01  # seconds between a commit and the look of reporters at it
_LAST_SECONDS = 2.0  # for a reporter that hangs in a call that cannot be interrupted


class ReporterChild:
    """One reporter.

    At most one order is under way to it, so that a reporter that hangs cannot
    fill the pipe and block the supervisor.
    """

    def __init__(
        self,
        report: Report | Outbox,
        renews: bool,
        journal: Path,
        locks: Locks,
        inherited: Iterable[Closable],
    ) -> None:
        def main(wire: Wire) -> int:
            # Not before there is something to do: until then the processors are the parent's,
            # which opens the journal, and has no need of the rest itself.
            wire.poll(None)
            from b1000.reports.reporter import Reporter

            return _main(Reporter(report, journal, locks, wire, renews), self.label)

        self.name = report.name
        self.label = label_of(report)
        self.marks = isinstance(report, Outbox)
        self.child = fork(main, inherited)
        self.wanted = True
        self.troubled = False
        self.due = False
        self._busy = False

    def answered(self) -> None:
        """It has told what arrived."""
        self._busy = False

    def order(self) -> None:
        """Order a look, where there is need of one and it has told of the last."""
        if self.due and not self._busy:
            self._send(Deliver())

    def last_delivery(self) -> None:
        """It is to end when nothing is pending any more."""
        if self.wanted:
            self.wanted = False
            self._send(Deliver(last=True))

    def _send(self, order: Deliver) -> None:
        self._busy, self.due = True, False
        self.child.send(order)


def _main(reporter: "Reporter", name: str) -> int:
    try:
        reporter.run()
    except Exception:
        for_all().exception("%s failed by an internal error", name)
        return BROKEN
    return 0


def outboxes(config: Config) -> list[Outbox]:
    """The destinations into which jobs copy, and beside whose backups marks are to lie."""
    found: dict[str, Outbox] = {}
    for job in config.jobs.values():
        if isinstance(job, Job):
            for each in job.destinations.values():
                if each.type == "active" and each.mark:
                    found.setdefault(each.name, Outbox(each, job.limits, config.settings.mark_wait))
    return [found[name] for name in sorted(found)]


def number_of(config: Config) -> int:
    """How many reporters there are."""
    return len(config.reports) + len(outboxes(config))


def told_of(job: Job | BrokenJob) -> set[str]:
    """What is told of the runs of a job: its reports, and destinations that want marks."""
    destinations = job.destinations.values() if isinstance(job, Job) else ()
    return {*job.reports, *(outbox.of_marks(each.name) for each in destinations if each.mark)}


class Reporting:
    """All reporters of one supervisor."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.children: list[ReporterChild] = []
        self._wake_at: float | None = None
        self._log = for_all()

    def start(
        self,
        config: Config,
        journal: Path,
        locks: Locks,
        inherited: Callable[[], Iterable[Closable]],
    ) -> None:
        """Fork all reporters; those of passive jobs renew what they wrote."""
        reports: list[Report | Outbox] = [config.reports[name] for name in sorted(config.reports)]
        told = [*reports, *outboxes(config)]
        passive = (job for job in config.jobs.values() if job.direction == "passive")
        renewed = {report for job in passive for report in job.reports}
        self.start_some(told, journal, locks, inherited, renewed)

    def start_some(
        self,
        told: Iterable[Report | Outbox],
        journal: Path,
        locks: Locks,
        inherited: Callable[[], Iterable[Closable]],
        renewed: Collection[str] = (),
    ) -> None:
        """Fork a reporter for each report; those that are ``renewed`` renew what they wrote.

        Before the journal is opened here: a child must not share what SQLite
        remembers of the locks of an open database.
        """
        for each in told:
            try:
                child = ReporterChild(each, each.name in renewed, journal, locks, inherited())
            except OSError as error:
                self._log.warning(
                    "%s: no reporter can be started: %s; the next b1000 delivers it",
                    label_of(each),
                    message_of(error),
                )
                continue
            self.children.append(child)
            self._watch.add(child.child)

    def keep(self, names: Collection[str]) -> None:
        """Let those go that have nothing to do; something may be pending for the others."""
        for child in self.children:
            if child.name not in names:
                child.last_delivery()
        self.look_soon()

    def look_soon(self) -> None:
        """All that are wanted look into the journal soon: something may be pending for them.

        Their looks take processors, and what is begun at this moment comes first.
        """
        for child in self.children:
            child.due = child.wanted
        self._wake_soon()

    def _wake_soon(self) -> None:
        if self._wake_at is None:
            self._wake_at = time.monotonic() + _SOON

    def left(self, now: float) -> list[float]:
        """The seconds until there is somebody to wake; none where there is nobody."""
        return [] if self._wake_at is None else [self._wake_at - now]

    def wake(self) -> None:
        """Order the looks that are due, once it is time."""
        if self._wake_at is not None and self._wake_at <= time.monotonic():
            self._wake_at = None
            for child in self.children:
                child.order()

    def order_last(self) -> None:
        """All are to end when nothing is pending any more."""
        for child in self.children:
            child.last_delivery()

    def note_marks_taken(self, where: MarksTaken) -> None:
        """Tell whoever brings the marks of that destination."""
        for reporter in self.children:
            if reporter.name == outbox.of_marks(where.destination):
                reporter.child.send(where)

    def settle(self, ready: Collection[object]) -> list[Delivered]:
        """Take what has arrived, and let go of those that have ended."""
        delivered: list[Delivered] = []
        for reporter in tuple(self.children):
            child = reporter.child
            if child not in ready:
                continue
            for message in child.wire.drain():
                delivered.append(message)
                reporter.troubled = bool(message.trouble)
                if not message.trying:
                    reporter.answered()
                    if reporter.due:
                        self._wake_soon()
            if not child.wire.open:
                self._dismiss(reporter)
                if child.exit_code:
                    trouble = f"its reporter ended with exit code {child.exit_code}"
                    text = "%s: %s; the next b1000 delivers it"
                    self._log.warning(text, reporter.label, trouble)
                    delivered.append(Delivered(reporter.name, (), trouble))
        return delivered

    def _dismiss(self, reporter: ReporterChild) -> None:
        self._watch.let_go(reporter.child, _LAST_SECONDS)
        self.children.remove(reporter)

    def finish(
        self,
        seconds: tuple[float, float],
        settled: Callable[[list[Delivered]], None],
        interrupted: object,
    ) -> None:
        """Wait until nothing is pending, or until a signal; the next b1000 delivers the rest.

        ``seconds`` at most, for reports and for marks.
        """
        began = time.monotonic()
        self.order_last()
        # A child that hangs is not waited for longer than this.
        while (left := self._left(*seconds) - (time.monotonic() - began)) > 0:
            ready = self._watch.wait(left)
            if interrupted in ready:
                break
            settled(self.settle(ready))
        for reporter in self.children:
            for_all(shown=True).warning(
                "%s: not all states have arrived; the next b1000 delivers them",
                reporter.label,
            )
        silent = [each.name for each in self.children if not each.troubled]
        settled([Delivered(name, (), "it did not answer in time") for name in silent])
        settled(self.end())

    def _left(self, reports: float, marks: float) -> float:
        """How long those that are at work are waited for, counted from the end."""
        return max((marks if each.marks else reports for each in self.children), default=0.0)

    def end(self) -> list[Delivered]:
        """End all that are left, at once; gives what they had told."""
        delivered: list[Delivered] = []
        for reporter in tuple(self.children):
            reporter.child.kill()
            reporter.child.reap(_LAST_SECONDS)
            delivered += reporter.child.wire.drain()
            self._dismiss(reporter)
        return delivered
