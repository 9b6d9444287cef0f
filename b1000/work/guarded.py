"""The rsyncs of one attempt: the same guards, one time limit, one log."""

import time
from collections.abc import Callable

from b1000.logs import printable
from b1000.logstyle import DEBUG, WARNING
from b1000.rsync import names, outcome, paths
from b1000.rsync.outcome import Outcome
from b1000.rsync.source import Source
from b1000.rsync.totals import Totals, is_vanished, totals
from b1000.rsync.verdicts import Retry
from b1000.work import free_space
from b1000.work.assignment import Assignment
from b1000.work.copying import Target
from b1000.work.inventory import BOUNDS, Names
from b1000.work.output import MOST_LINES, Tail
from b1000.work.run_rsync import Limit, Rsync, run_rsync
from b1000.work.sinks import Sink
from b1000.work.twice import Twice

_MOST_ERRORS = 200  # lines of a client's that are logged in one attempt


class Guarded:
    """Runs them; each inherits ``descriptors``.

    ``ours`` are names at the source that are B1000's own, and were not copied. ``twice`` is
    what is known of names that several sources brought.
    """

    def __init__(
        self,
        assignment: Assignment,
        source: Source,
        target: Target,
        descriptors: tuple[int, ...],
    ) -> None:
        self.assignment = assignment
        self.source = source
        self.target = target
        self.limits = assignment.limits
        self.ours = Names()
        self.twice = Twice(source)
        self.vanished = 0  # files, in the last one
        self._descriptors = descriptors
        destination = target.destination
        self._space = free_space.Space(destination) if destination.min_free else None
        self._until = time.monotonic() + self.limits.copy_timeout

    def short_of_space(self) -> str | None:
        """Why copying must not go on; None where there is space enough."""
        return self._space.short() if self._space else None

    def left(self) -> float:
        """Seconds of copy_timeout that are left of the attempt; 0: no limit."""
        if not self.limits.copy_timeout:
            return 0
        return max(0.1, self._until - time.monotonic())

    def totals(self, out: Tail) -> Totals:
        """What one that copied has counted."""
        counted = totals(out.lines, pulled=bool(self.source.pull))
        return counted._replace(vanished=None if counted.files is None else self.vanished)

    def out(self) -> Tail:
        """For the output of one that copies."""
        name, log = self.target.destination.name, self.assignment.log
        shown = self.target.destination.verbosity > 1
        return Tail((lambda line: log.info("%s: %s", name, line)) if shown else None)

    def without_rules(self, take: Callable[[str], None]) -> Callable[[str], None]:
        """Takes lines, and hears of names that were left out."""

        def read_line(line: str) -> None:
            if not line.startswith(names.REMARKS):
                take(line)
            elif (twice := names.duplicate(line)) is not None:
                self.twice.take(twice)
            elif (name := names.hidden(line)) is not None:
                self.ours.add(printable(name))
            elif not names.is_about_rules(line):
                take(line)

        return read_line

    async def run(
        self, purpose: str, argv: list[str], out: Sink, *, quiet: bool = False
    ) -> Outcome:
        """Run one rsync to its end; a ``quiet`` one leaves its errors to the last pass."""
        destination, log = self.target.destination, self.assignment.log
        if log.takes(DEBUG):
            log.debug("%s: %s", destination.name, " ".join(map(printable, argv)))
        pull = self.source.pull

        self.vanished = 0

        def log_line(line: str) -> None:
            self.vanished += is_vanished(line)
            level = DEBUG if outcome.is_repeated(line) else WARNING
            log.log(level, "%s: %s", destination.name, line)

        # A client that is hostile must not fill the log.
        err = Tail(None if quiet else log_line, _MOST_ERRORS if pull else MOST_LINES)
        result = await run_rsync(
            self.assignment,
            Rsync(
                purpose,
                argv,
                out,
                err,
                paths.host_or_path(destination.path),
                paths.host_or_path(pull.source) if pull else None,
                self._limit(),
                self._descriptors,
                self._space,
                self.limits.io_timeout,
                BOUNDS if pull else {},
                heard=self.target.linking.heard,
            ),
        )
        if quiet and outcome.lost_race(result.exit_code or 0, err.lines):
            return result._replace(retry=Retry.YES)
        return result

    def _limit(self) -> Limit:
        ended = f"was ended after {self.limits.copy_timeout} s (copy_timeout)"
        place = paths.host_or_path(self.target.destination.path)
        return Limit(self.left(), f"the copy to {place} {ended}", ended)
