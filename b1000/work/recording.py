"""What takes the place of all that a run does in a rehearsal: it records what would be done."""

import shlex
from collections.abc import Callable, Sequence

from b1000.jobs import Destination, Job, Pull
from b1000.logs import printable
from b1000.rsync import paths
from b1000.rsync.outcome import Outcome
from b1000.runs.events import CopyMoved, Message, Resolved
from b1000.runs.protocol import MarksTaken
from b1000.runs.run import Client, Copy, Snapshot
from b1000.runs.states import CopyStatus, Step
from b1000.templates import Word
from b1000.work import merging, sources
from b1000.work.assignment import Assignment
from b1000.work.attempt import Attempt
from b1000.work.channel import Channel
from b1000.work.copying import Copying
from b1000.work.executor import source_of
from b1000.work.forecast import forecast
from b1000.work.sources import Sources


class Recording(Channel):
    """The executor of one run that is rehearsed, its origin, its overlaps and its channel.

    ``resolved`` gives what is to be said once INIT is over. It raises RunFailed for a run that
    may not go on. ``failed``: something would fail.
    """

    client: Client | None = None

    def __init__(self, job: Job, resolved: Callable[[Resolved], Sequence[str]]) -> None:
        self.pull: Pull | None = job.pull
        self.origin = self
        self.failed = False
        self._resolved = resolved
        self._snapshot = Snapshot()
        self._copies: dict[str, Copy] = {}
        self._first: list[str] = []
        self._of_copies: dict[str, list[str]] = {}
        self._last: list[str] = []
        self._unmade = ""  # what is not there, and pre may make
        self._nothing_there = False

    @property
    def lines(self) -> list[str]:
        """All that would be done, in its order; what runs side by side stands one by one."""
        of_copies = [line for each in self._copies for line in self._of_copies.get(each, ())]
        return [*self._first, *of_copies, *self._last]

    # --- a channel behind which no supervisor stands

    def send(self, *messages: Message | MarksTaken) -> None:
        """Record what is sent."""
        for message in messages:
            if isinstance(message, Resolved):
                self._snapshot = message.snapshot
                self._copies = {copy.destination: copy for copy in message.copies}
                self._first += self._resolved(message)
            elif isinstance(message, CopyMoved):
                self._copy_moved(self._copies[message.destination], message)

    def end(self, *messages: Message) -> None:
        """The same."""
        self.send(*messages)

    async def commit(self, *messages: Message) -> None:
        """The same: nothing becomes durable."""
        self.send(*messages)

    def _copy_moved(self, copy: Copy, message: CopyMoved) -> None:
        if message.status is CopyStatus.COPYING and copy.type != "passive":
            beside = " in the background" if copy.background else ""
            heading = f"  copy to {copy.destination}{beside}: {printable(copy.path)}"
            self._of_copies[copy.destination] = [heading]
        elif message.status is CopyStatus.FAILED:
            self._fail(copy.destination, message.error)

    def _fail(self, destination: str, why: str) -> None:
        self.failed = True
        line = f"would FAIL: {why}"
        if f"    {line}" not in self._of_copies.get(destination, ()):
            self._add(destination, line)

    def _add(self, destination: str, text: str) -> None:
        self._of_copies.setdefault(destination, []).append(f"    {text}")

    # --- an origin

    async def find(self, include: Sequence[Word], relative: bool, delete: bool) -> Sources:
        """What is there now; what pre is yet to make is named as it is configured.

        Of a pull, only the client knows it.
        """
        words = tuple(word.text for word in include)
        if self.pull:
            return Sources(words)
        found = sources.find(include, relative, delete)
        if not found.trouble:
            return found
        if not self._snapshot.pre:
            rest = "" if found.unusable else "; the rest would be copied"
            return found._replace(trouble=f"{found.trouble}{rest}")
        self._unmade, self._nothing_there = found.trouble, found.unusable
        return found._replace(paths=found.paths or words, trouble="", unusable=False)

    async def verify(self) -> str:
        """Nothing was copied."""
        return ""

    # --- an executor

    async def script(self, assignment: Assignment, purpose: str, command: str) -> None:
        """Record it."""
        lines = self._last if assignment.step is Step.POST else self._first
        lines.append(f"  {purpose}: {printable(command)}")

    async def transfer(
        self, assignment: Assignment, snapshot: Snapshot, copying: Copying, found: Sources
    ) -> tuple[Outcome, str]:
        """Record the rsync, and ask it what it would send."""
        name, base = copying.copy.destination, snapshot.bases.get(copying.copy.destination)
        source = source_of(snapshot, found, self)
        attempt = Attempt(assignment, source, copying.target, copying.standing)
        if attempt.standing.doubt:
            doubt = attempt.standing.doubt
            self._add(name, f"compares by content, since the attempt before {doubt}")
        if attempt.in_streams:
            streams = copying.destination.streams
            self._add(name, f"in {streams} streams, then once over the whole:")
        self._add(name, printable(shlex.join(attempt.argv())))
        if self._unmade:
            self._add(name, f"{self._unmade}; pre may make it")
        elif found.trouble:
            self._fail(name, found.trouble)
        if self._nothing_there:
            return Outcome(CopyStatus.DONE), ""
        if clash := await merging.clash(assignment, source, copying.destination, found.overlaps):
            return Outcome(CopyStatus.FAILED, reason=clash), ""
        # In a directory that is not there yet, rsync -n finds only bases with a whole path.
        bases = [paths.inside(base)] if base else []
        trials = [attempt.argv(bases=bases), attempt.argv(bases=[])]
        would = await forecast(
            assignment, source, copying.destination, trials, copying.target.linking
        )
        if would.trouble:
            return Outcome(CopyStatus.FAILED, reason=would.trouble), ""
        self._add(name, would.text)
        return Outcome(CopyStatus.DONE), ""

    # --- a overlaps

    def clear(self) -> None:
        """Nothing is removed."""

    def forget(self, host: str) -> None:
        """Nothing is removed."""

    async def written(self, step: Step, destination: str = "") -> None:
        """No report is written."""

    async def notified(self, destination: Destination) -> str:
        """Record for whom the run would wait."""
        beside = " (in the background)" if self._copies[destination.name].background else ""
        line = f"  wait for {destination.host}, {destination.timeout} s at most{beside}"
        self._of_copies[destination.name] = [line]
        return ""
