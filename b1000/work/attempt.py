"""One attempt of a copy: its claim, its streams, the rsync over all, and the verdict."""

import time
from collections.abc import Sequence

from b1000.errors import B1000Error
from b1000.logs import printable
from b1000.rsync import command, names, outcome
from b1000.rsync.outcome import Outcome
from b1000.rsync.source import Source
from b1000.rsync.totals import Totals
from b1000.runs.run import ONLY_FORGET
from b1000.runs.states import COMPLETE, CopyStatus
from b1000.work import claiming, inventory, keeping
from b1000.work.assignment import Assignment
from b1000.work.copying import Standing, Target
from b1000.work.guarded import Guarded
from b1000.work.inventory import Names
from b1000.work.linking import ROTTEN
from b1000.work.output import Tail
from b1000.work.sinks import Lines
from b1000.work.streams import Streams
from b1000.work.waiting import sleep

_ANEW = "so each file is transferred once more, whatever its size and time"
_STAYS = "what is there stays as it is, and the rest is added"
_PARTIAL = 23  # exit code of an rsync that copied a part: it has made the directory
_LINGER, _PAUSE = 2.0, 0.1  # seconds in which a daemon may count a connection that has ended


class Attempt:
    """Copies a ``source`` to a ``target``, in streams where the destination says so.

    ``standing`` is what is known of the directory, from before and after it. ``totals`` are those
    of the last rsync, with what streams before it have sent. ``ours`` are names at the source that
    are B1000's own, and were not copied.
    """

    def __init__(
        self,
        assignment: Assignment,
        source: Source,
        target: Target,
        standing: Standing,
        descriptors: tuple[int, ...] = (),
    ) -> None:
        self._assignment = assignment
        self._limits = assignment.limits
        self._source = source
        self._target = target
        self._destination = target.destination
        self._continued = standing.leftovers
        self._refused = False  # the storage lets nobody change what is there
        self._rsyncs = Guarded(assignment, source, target, descriptors)
        self._lingers_until = 0.0  # a daemon counts the connection of a claim for so long
        self._anew = False  # a daemon refuses checksums
        self.standing = standing
        self.totals = Totals()

    @property
    def ours(self) -> Names:
        """Names that were not copied."""
        return self._rsyncs.ours

    async def carry_out(self) -> Outcome:
        """Copy; gives how it ended."""
        result = await self._carry_out()
        if self._needs_no_claim and not self.standing.claimed:
            self.standing = self.standing._replace(claimed=_may_have_written(result))
        return result

    @property
    def _needs_no_claim(self) -> bool:
        """Whether no other run can want a directory of this name at a daemon."""
        return self._destination.remote and self._assignment.known.reserved

    @property
    def _keeps(self) -> bool:
        """Whether what is there stays as it is."""
        if not self._destination.remote or self._target.shared:
            return False
        linking, doubt = bool(self._target.linking), bool(self.standing.doubt)
        return self._refused or keeping.keeps(linking, self._continued, doubt)

    @property
    def in_streams(self) -> bool:
        """Whether several rsyncs copy a part each, before one goes over all."""
        hard_links = self._source.transfer.hard_links
        alone = keeping.is_undivided(bool(self._target.linking), self._keeps, hard_links)
        return self._destination.streams > 1 and not alone

    async def _carry_out(self) -> Outcome:
        if reason := self._rsyncs.short_of_space():
            return Outcome(CopyStatus.FAILED, reason=reason)
        if not self.standing.claimed and not self._needs_no_claim and (told := await self._claim()):
            return told
        if self.standing.doubt:
            self._say_by_content("the attempt before")
        result, out, sent = await self._passes()
        if not self._keeps and outcome.is_kept(result):
            self._refused = True
            self._assignment.log.info("%s: %s; %s", self._destination.name, result.reason, _STAYS)
            result, out, sent = await self._passes()
        self._note(result)
        if result.exit_code is not None:
            counted = self._rsyncs.totals(out)
            all_sent = None if counted.sent is None else counted.sent + sent
            self.totals = counted._replace(sent=all_sent)
        if result.status not in COMPLETE:
            return result
        return await self._looked_at(result)

    async def _passes(self) -> tuple[Outcome, Tail, int]:
        """Streams, where there are any, and the rsync over all.

        Gives how the last ended, its output, and the bytes that streams sent.
        """
        hopeless, sent = await self._in_streams()
        if hopeless:
            return hopeless, Tail(), sent
        result, out = await self._last_pass()
        linking = self._target.linking
        if linking.directories and outcome.is_refused_base(result):
            linking.refuse()
            if self._continued and not self.standing.doubt:
                self.standing = self.standing._replace(doubt=ROTTEN)
            result, out = await self._last_pass()
        while outcome.is_crowded(result) and time.monotonic() < self._lingers_until:
            await sleep(_PAUSE)
            result, out = await self._last_pass()
        if self.standing.doubt and outcome.is_without_checksums(result):
            self._anew = True
            self._assignment.log.warning("%s: %s; %s", self._destination.name, result.reason, _ANEW)
            result, out = await self._last_pass()
        return result, out, sent

    async def _looked_at(self, result: Outcome) -> Outcome:
        """What an rsync that copied all means, when all else is known."""
        if reason := self._trouble():
            return Outcome(CopyStatus.FAILED, reason=reason, exit_code=result.exit_code)
        if self._keeps and self.standing.doubt:
            result = await self._compared(result)
        if result.status in COMPLETE and self._source.pull:
            await self._look_for_ours()
        return result

    def _trouble(self) -> str:
        """Why a copy FAILED of which rsync says that it is complete; "" where it is."""
        if self.totals.files is None:
            return "rsync ended without its totals: it cannot have copied (rsync_options?)"
        if met := self._rsyncs.twice.trouble(self._target.directory):
            return met
        # What is done before the guard has looked twice has taken its space all the same.
        return self._rsyncs.short_of_space() or ""

    async def _in_streams(self) -> tuple[Outcome | None, int]:
        """The parts, where there are streams: as :meth:`Streams.copy`."""
        if not self.in_streams:
            return None, 0
        before = self.standing.doubt
        hopeless, sent = await Streams(self._rsyncs, self.argv, self._note).copy()
        if not hopeless and self.standing.doubt != before:
            self._say_by_content("a stream")
        return hopeless, sent

    async def _last_pass(self) -> tuple[Outcome, Tail]:
        """The rsync that copies all, or what streams have left; gives its output too."""
        out = self._rsyncs.out()
        sink = self._target.progress.sink(self._rsyncs.without_rules(out.take))
        result = await self._rsyncs.run(self._destination.name, self.argv(), sink)
        if self._target.linking and _may_have_written(result):
            self._target.linking.wrote()
        return result, out

    async def _claim(self) -> Outcome | None:
        """Make the directory; gives why this attempt ends there."""
        directory = self._target.directory
        if self._destination.remote:
            self._lingers_until = time.monotonic() + _LINGER
            claimed, result = await claiming.make_remote(self._rsyncs)
            self.standing = self.standing._replace(claimed=claimed)
            if result.status not in COMPLETE:
                return result
        else:
            try:
                self.standing = self.standing._replace(claimed=claiming.make(directory))
            except OSError:
                return None  # rsync says why
        if self.standing.claimed:
            return None
        return Outcome(CopyStatus.FAILED, reason=claiming.taken(directory))

    def _say_by_content(self, which: str) -> None:
        self._assignment.log.warning(
            "%s: compares by content, since %s %s",
            self._destination.name,
            which,
            self.standing.doubt,
        )

    def argv(
        self, part: command.Part | None = None, bases: Sequence[str] | None = None
    ) -> list[str]:
        """The arguments of the rsync over all, or of a part; ``bases`` in the place of its own."""
        manner = command.Manner(
            self._target.linking.directories if bases is None else bases,
            self._keeps,
            self._continued,
            bool(self.standing.doubt) and not self._keeps,
            self._anew,
        )
        return command.copy(
            self._source,
            self._target.directory,
            self._destination,
            self._limits,
            manner=manner,
            part=part,
        )

    def _note(self, result: Outcome) -> None:
        """What the end of one rsync means for what is at the destination."""
        if result.status is CopyStatus.FAILED:
            self.standing = self.standing.after(result)

    async def _compared(self, copied: Outcome) -> Outcome:
        """What an attempt in doubt left may not be mended in place: it is right, or of no use."""
        different = Names()

        def take(line: str) -> None:
            name = names.differing(line)
            if name is not None:
                different.add(printable(name))

        argv = command.compared(
            self._source, self._target.directory, self._destination, self._limits
        )
        purpose = f"{self._destination.name} (compare)"
        result = await self._rsyncs.run(purpose, argv, Lines(take))
        if result.status not in COMPLETE or not different.count:
            return copied if result.status in COMPLETE else result
        self.standing = self.standing._replace(spoilt=True)
        return Outcome(CopyStatus.FAILED, reason=spoilt(str(different)), exit_code=copied.exit_code)

    async def _look_for_ours(self) -> None:
        """A client's rsync says nothing of what it leaves out."""
        try:
            found = await inventory.named(
                self._assignment,
                self._source,
                self._destination,
                inventory.OURS,
                self._rsyncs.left(),
            )
        except (B1000Error, OSError) as error:
            name = self._destination.name
            self._assignment.log.debug("%s: names of our own are not looked for: %s", name, error)
            return
        for each in sorted(found):
            self.ours.add(printable(each))


def _may_have_written(result: Outcome) -> bool:
    return result.status in COMPLETE or result.leftovers or result.exit_code == _PARTIAL


def spoilt(which: str) -> str:
    """Why a directory that shares files with an older backup is given up."""
    return (
        f"an interrupted attempt left files there whose content is not the source's ({which}); as "
        "they may be shared with an older backup, or the storage keeps what it has, they are not "
        f"changed: a new run makes a new directory, {ONLY_FORGET}"
    )
