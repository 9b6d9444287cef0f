"""One attempt of a copy: its rsyncs, their guards and time limit, and the verdict."""

import asyncio
import logging
import resource
import tempfile
import time
from collections.abc import Callable, Iterable

from b1000.errors import B1000Error
from b1000.jobs import Destination
from b1000.logs import printable
from b1000.rsync import command, names, outcome, paths
from b1000.rsync.outcome import Outcome, Retry, Totals
from b1000.rsync.partition import Survey
from b1000.runs.states import COMPLETE, CopyStatus
from b1000.work import claiming, process, watch
from b1000.work.assignment import Assignment
from b1000.work.inventory import MEMORY, Kept, Names, Source, named
from b1000.work.linking import Linking
from b1000.work.output import MOST_LINES, Tail
from b1000.work.process import Sink
from b1000.work.progress import Told

_RACES = 5  # how often in a row others may make the same missing directory first
_STALLED = "stalled"
_ANEW = "so each file is transferred once more, whatever its size and time"
_LINGER, _PAUSE = 2.0, 0.1  # seconds in which a daemon may count a connection that has ended
_MOST_MET = 10_000  # names that several sources of a client bring, and that are looked at
_MOST_ERRORS = 200  # lines of a client's that are logged in one attempt


class Attempt:
    """Copies a ``source`` into ``directory``, in streams where the destination says so.

    ``continued``: an earlier attempt may have left files there. ``totals`` are those of the last
    rsync, with what streams before it have sent. ``leftovers``: an rsync ended so that temporary
    files may be at the destination. ``doubt`` is why what is there is not believed by size and
    time, or "". ``claimed``: the directory is this run's own. ``spoilt``: what is there is wrong
    and cannot be mended. ``ours`` are names at the source that are B1000's own, and were not
    copied.
    """

    def __init__(
        self,
        assignment: Assignment,
        source: Source,
        directory: str,
        destination: Destination,
        linking: Linking,
        told: Told,
        descriptors: tuple[int, ...],
        continued: bool = False,
        doubt: str = "",
        claimed: bool = True,
    ) -> None:
        self._assignment = assignment
        self._limits = assignment.limits
        self._source = source
        self._directory = directory
        self._destination = destination
        self._linking = linking
        self._told = told
        self._descriptors = descriptors
        self._continued = continued
        # A file that is there may be one of an older backup too.
        self._keeps = bool(linking) and destination.remote and continued
        self._space = watch.Space(destination) if destination.min_free else None
        self._until = time.monotonic() + self._limits.copy_timeout
        self._lingers_until = 0.0  # a daemon counts the connection of a claim for so long
        self.totals = Totals()
        self.leftovers = False
        self.doubt = doubt
        self.claimed = claimed
        self.spoilt = False
        self.ours = Names()
        self._anew = False  # a daemon refuses checksums
        self._twice = ""
        self._kept = Kept(source.paths if source.transfer.relative else ())
        self._met: set[str] = set()  # what several sources of a client brought

    async def carry_out(self) -> Outcome:
        """Copy; gives how it ended."""
        if self._space and (reason := self._space.short()):
            return Outcome(CopyStatus.FAILED, reason=reason)
        if not self.claimed and (result := await self._claim()):
            return result
        sent = 0
        if self.doubt:
            self._say_by_content("the attempt before")
        # What links into an older backup must not meet files that are there (linking.py).
        if self._destination.streams > 1 and not self._linking:
            before = self.doubt
            hopeless, sent = await self._in_streams()
            if hopeless:
                return hopeless
            if self.doubt != before:
                self._say_by_content("a stream")
        result, out = await self._last_pass()
        while outcome.is_crowded(result) and time.monotonic() < self._lingers_until:
            await asyncio.sleep(_PAUSE)
            result, out = await self._last_pass()
        if self.doubt and outcome.is_without_checksums(result):
            self._anew = True
            self._assignment.log.warning("%s: %s; %s", self._destination.name, result.reason, _ANEW)
            result, out = await self._last_pass()
        self._note(result)
        if result.exit_code is not None:
            totals = self._totals(out)
            self.totals = totals._replace(sent=None if totals.sent is None else totals.sent + sent)
            if result.status in COMPLETE and totals.files is None:
                reason = "rsync ended without its totals: it cannot have copied (rsync_options?)"
                return Outcome(CopyStatus.FAILED, reason=reason, exit_code=result.exit_code)
        if result.status in COMPLETE and (twice := self._met_here()):
            reason = (
                f"several sources brought {twice} while they were copied, and one alone is "
                f"at the destination; {self._way_out()}"
            )
            return Outcome(CopyStatus.FAILED, reason=reason, exit_code=result.exit_code)
        # What is done before the guard has looked twice has taken its space all the same.
        if result.status in COMPLETE and self._space and (reason := self._space.short()):
            return Outcome(CopyStatus.FAILED, reason=reason, exit_code=result.exit_code)
        if result.status in COMPLETE and self._keeps and self.doubt:
            result = await self._compared(result)
        if result.status in COMPLETE and self._source.pull:
            await self._look_for_ours()
        return result

    async def _last_pass(self) -> tuple[Outcome, Tail]:
        """The rsync that copies all, or what streams have left; gives its output too."""
        out = self._out()
        sink = self._told.sink(self._without_rules(out.take))
        return await self._rsync(self._destination.name, self._argv(), sink), out

    async def _claim(self) -> Outcome | None:
        """Make the directory; gives why this attempt ends there."""
        directory = self._directory
        if self._destination.remote:
            self._lingers_until = time.monotonic() + _LINGER
            out = Tail()
            with tempfile.TemporaryDirectory(prefix="b1000-empty-") as empty:
                argv = command.claim(empty, directory, self._destination, self._limits)
                name = f"{self._destination.name} (claim)"
                result = await self._rsync(name, argv, out.sink())
            if result.status not in COMPLETE:
                # One that broke off may have made it.
                self.claimed = result.leftovers
                return result
            self.claimed = claiming.is_made(out.lines)
        else:
            try:
                self.claimed = claiming.make(directory)
            except OSError:
                return None  # rsync says why
        return None if self.claimed else _failed(claiming.taken(directory))

    def _say_by_content(self, which: str) -> None:
        self._assignment.log.warning(
            "%s: compares by content, since %s %s", self._destination.name, which, self.doubt
        )

    def _argv(self, part: command.Part | None = None) -> list[str]:
        return command.copy(
            self._source.paths,
            self._directory,
            self._destination,
            self._source.exclude,
            self._source.transfer,
            self._limits,
            self._source.pull,
            command.Manner(
                self._linking.directories,
                self._keeps,
                self._continued,
                bool(self.doubt) and not self._keeps,
                self._anew,
            ),
            part,
        )

    def _out(self) -> Tail:
        name, log = self._destination.name, self._assignment.log
        shown = self._destination.verbosity > 1
        return Tail((lambda line: log.info("%s: %s", name, line)) if shown else None)

    def _totals(self, out: Tail) -> Totals:
        return outcome.totals(out.lines, pulled=bool(self._source.pull))

    def _without_rules(self, take: Callable[[str], None]) -> Callable[[str], None]:
        """Takes lines, and hears of names that were left out."""

        def hear(line: str) -> None:
            if (twice := names.duplicate(line)) is not None:
                self._meets(twice)
            elif (name := names.hidden(line)) is not None:
                self.ours.add(printable(name))
            elif not names.is_about_rules(line):
                take(line)

        return hear

    def _meets(self, name: str) -> None:
        """Several sources bring a name; what a client brings is seen once it is here."""
        if not self._source.transfer.relative:
            if name.partition("/")[0] not in self._source.same:
                self._twice = self._twice or printable(name)
        elif self._source.pull and self._kept.several and len(self._met) < _MOST_MET:
            self._met.add(name)
        elif not self._kept.is_one(name, None):
            self._twice = self._twice or printable(name)

    def _way_out(self) -> str:
        if self._source.transfer.relative:
            return "what stands behind /./, or below a module, has to differ"
        return "relative = yes keeps their full paths"

    def _met_here(self) -> str:
        """A name under which several sources of a client brought more than directories, or ""."""
        if self._twice:
            return self._twice
        met = (each for each in self._met if not self._kept.is_one(each, self._directory))
        return printable(next(met, ""))

    def _note(self, result: Outcome) -> None:
        """What the end of one rsync means for what is at the destination."""
        if result.status is CopyStatus.FAILED:
            self.leftovers = self.leftovers or result.leftovers
            self.doubt = result.doubt or self.doubt

    async def _compared(self, copied: Outcome) -> Outcome:
        """What an attempt in doubt left may not be mended in place: it is right, or of no use."""
        different = Names()

        def take(line: str) -> None:
            name = names.differing(line)
            if name is not None:
                different.add(printable(name))

        argv = command.compared(
            self._source.paths,
            self._directory,
            self._destination,
            self._source.exclude,
            self._source.transfer,
            self._limits,
        )
        result = await self._rsync(f"{self._destination.name} (compare)", argv, process.Lines(take))
        if result.status not in COMPLETE or not different.count:
            return copied if result.status in COMPLETE else result
        self.spoilt = True
        return Outcome(CopyStatus.FAILED, reason=spoilt(str(different)), exit_code=copied.exit_code)

    async def _look_for_ours(self) -> None:
        """A client's rsync says nothing of what it leaves out."""
        name = self._destination.name
        try:
            found = await named(
                self._assignment,
                self._source,
                self._destination,
                names.PATTERN,
                lambda last: last.startswith(names.OURS),
                self._left(),
            )
        except (B1000Error, OSError) as error:
            self._assignment.log.debug("%s: names of our own are not looked for: %s", name, error)
            return
        for each in sorted(found):
            self.ours.add(printable(each))

    # --- streams

    async def _in_streams(self) -> tuple[Outcome | None, int]:
        """Copy all parts side by side; gives a failure that the last pass would meet too.

        Any other failure of a part is that pass's to mend. Also gives the bytes that were sent.
        """
        survey = Survey()
        with tempfile.TemporaryDirectory(prefix="b1000-empty-") as empty:
            argv = command.survey(
                self._source.paths,
                empty,
                self._destination,
                self._source.exclude,
                self._source.transfer,
                self._limits,
                self._source.pull,
            )
            await self._rsync(
                f"{self._destination.name} (survey)",
                argv,
                process.RawLines(survey.take),
                quiet=True,
            )
        parts = survey.parts(self._count())
        if not parts:
            return None, 0
        outs = [self._out() for _ in parts]
        sinks = self._told.streams(survey.bytes, [out.take for out in outs])
        streams = [
            asyncio.ensure_future(
                self._rsync(
                    f"{self._destination.name} (stream {number})",
                    self._argv(command.Part(rules, len(parts))),
                    sink,
                    quiet=True,
                )
            )
            for number, (rules, sink) in enumerate(zip(parts, sinks, strict=True), start=1)
        ]
        hopeless = await self._first_hopeless(streams)
        return hopeless, sum(self._totals(out).sent or 0 for out in outs)

    def _count(self) -> int:
        """How many streams; each needs a rate that rsync takes."""
        limit = command.kib_of(self._destination.bwlimit or "0")
        most = max(1, int(limit)) if limit else self._destination.streams
        return min(self._destination.streams, most)

    async def _first_hopeless(self, streams: "Iterable[asyncio.Task[Outcome]]") -> Outcome | None:
        """Wait for all, or until one fails so that going on is pointless; then none is left."""
        waiting = set(streams)
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                results = [each.result() for each in done]
                for result in results:
                    self._note(result)
                for result in results:
                    # What ended before any data was sent the last pass soon finds out by itself.
                    if result.leftovers and result.retry is Retry.NEVER and result.exit_code != 24:
                        return result
            return None
        finally:
            for each in waiting:
                each.cancel()
            if waiting:
                self.leftovers, self.doubt = True, "was ended when another stream had failed"
                await process.to_its_end(_all_ended(waiting))

    # --- one rsync

    async def _rsync(
        self, purpose: str, argv: list[str], out: Sink, quiet: bool = False
    ) -> Outcome:
        """Run one rsync to its end; a ``quiet`` one leaves its errors to the last pass."""
        name, log = self._destination.name, self._assignment.log
        log.debug("%s: %s", name, " ".join(map(printable, argv)))
        # A client that is hostile must not fill the log.
        most = _MOST_ERRORS if self._source.pull else MOST_LINES

        def tell(line: str) -> None:
            level = logging.DEBUG if outcome.is_repeated(line) else logging.WARNING
            log.log(level, "%s: %s", name, line)

        err = Tail(None if quiet else tell, most)
        place = paths.place(self._destination.path)
        peer = paths.place(self._source.pull.source) if self._source.pull else None
        bounds = {resource.RLIMIT_AS: MEMORY} if self._source.pull else None
        progress = watch.Progress(self._limits.io_timeout) if self._limits.io_timeout else None

        def guard(pid: int) -> str | None:
            if progress and progress.stalled(pid):
                return _STALLED
            return self._space.short() if self._space else None

        try:
            for _ in range(_RACES):
                err.lines.clear()
                code = await self._assignment.rsync(
                    purpose,
                    argv,
                    out,
                    self._linking.heard(err.take),
                    self._descriptors,
                    guard,
                    bounds,
                    self._left(),
                )
                if not outcome.lost_race(code, err.lines):
                    break
        except process.TimedOut:
            limit = f"ended after {self._limits.copy_timeout} s (copy_timeout)"
            return _ended(f"the copy to {place} was {limit}", f"was {limit}", Retry.YES)
        except process.Ended as error:
            if error.what == _STALLED:
                reason = f"the copy to {place} stood still (io_timeout) and was ended"
                return _ended(reason, "stood still and was ended (io_timeout)", Retry.YES)
            return _ended(error.what, "was ended (min_free)", Retry.NEVER)
        except OSError as error:
            return Outcome(CopyStatus.FAILED, reason=_not_started(error, len(self._source.paths)))
        judged = outcome.judge(code, [printable(line) for line in err.lines], place, peer)
        if quiet and outcome.lost_race(code, err.lines):
            return judged._replace(retry=Retry.YES)
        return judged

    def _left(self) -> float:
        """Seconds of copy_timeout that are left of the attempt; 0: no limit."""
        if not self._limits.copy_timeout:
            return 0
        return max(0.1, self._until - time.monotonic())


async def _all_ended(tasks: "Iterable[asyncio.Task[Outcome]]") -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


def spoilt(which: str) -> str:
    """Why a directory that shares files with an older backup is given up."""
    return (
        f"an interrupted attempt left files there whose content is not the source's ({which}); as "
        "they may be shared with an older backup they are not changed: a new run makes a new "
        "directory, b1000 forget gives this one up"
    )


def _failed(reason: str) -> Outcome:
    """The verdict where trying again cannot help."""
    return Outcome(CopyStatus.FAILED, reason=reason)


def _ended(reason: str, doubt: str, retry: Retry) -> Outcome:
    """The verdict on an rsync that was ended here."""
    return Outcome(CopyStatus.FAILED, retry, reason, leftovers=True, doubt=doubt)


def _not_started(error: OSError, count: int) -> str:
    if isinstance(error, FileNotFoundError):
        return "rsync cannot be started: it is not installed"
    if error.errno == 7:  # E2BIG
        return (
            f"the includes are {count} paths, more than the system takes in one command line; "
            "include their directory and exclude the rest"
        )
    return f"rsync cannot be started: {error.strerror}"
