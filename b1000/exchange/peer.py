"""The rsyncs that reach a client's daemon: all that it can make them take is bounded."""

import resource
import tempfile
import time
from pathlib import Path

from b1000.b1k import names
from b1000.b1k.form import LARGEST
from b1000.errors import B1000Error, message_of
from b1000.jobs import Limits, Pull
from b1000.rsync import command, outcome, paths
from b1000.rsync.outcome import Outcome
from b1000.rsync.verdicts import Retry
from b1000.runs.run import Client
from b1000.runs.states import CopyStatus
from b1000.work.assignment import Assignment
from b1000.work.output import Tail
from b1000.work.run_rsync import Limit, Rsync, run_rsync
from b1000.work.sinks import Sink
from b1000.work.waiting import sleep

_SILENCE = 60  # seconds without a word after which a look is given up
_TO_CONNECT = 20
_MEMORY = 512 * 2**20  # bytes of address space of an rsync that looks
_BOUNDS = {
    resource.RLIMIT_AS: _MEMORY,
    resource.RLIMIT_FSIZE: 2 * LARGEST,
    resource.RLIMIT_CORE: 0,
}

_DELIVERY_TIME = 60.0  # seconds for a notification
_LONGEST_PAUSE = 10.0


class PollFailed(B1000Error):
    """A look at the client failed: its daemon is down, refuses or is silent, or lists too much.

    ``retry`` is whether it may be better in a moment. One that is ``final`` is not looked
    for again: who answers there is not the client, or does not let this host in.
    """

    def __init__(
        self, what: str, hint: str = "", retry: Retry = Retry.YES, final: bool = False
    ) -> None:
        super().__init__(what, hint)
        self.retry = retry
        self.final = final


class Peer:
    """The daemon behind ``report_source``; ``name`` is what error texts call it."""

    def __init__(self, assignment: Assignment, pull: Pull) -> None:
        self._assignment = assignment
        self._pull = pull
        silence = min(assignment.limits.io_timeout or _SILENCE, _SILENCE)
        self.limits: Limits = assignment.limits._replace(io_timeout=silence)
        # rsync's --timeout is content with one byte now and then.
        self._seconds = (assignment.limits.connect_timeout or _TO_CONNECT) + 2.0 * silence
        self.name = paths.host_or_path(pull.source)

    async def poll(self, argv: list[str], out: Sink | None = None) -> None:
        """Run an rsync that only looks. Raises PollFailed where it fails."""
        late = f"{self.name} did not end its answer"
        rsync = self._rsync("(look)", argv, late)._replace(noted=False)
        result = await run_rsync(self._assignment, rsync._replace(out=out) if out else rsync)
        if result.status is not CopyStatus.DONE:
            shut = outcome.is_shut(result)
            raise PollFailed(result.reason, retry=_retry(result), final=shut)

    async def notify(self, client: Client, ending: str) -> str:
        """Send the notification that a client waits for; gives why it could not be sent, or ""."""
        until = time.monotonic() + _DELIVERY_TIME
        pause = 1.0
        name = names.notification(client.file, client.pull_host, ending)
        while True:
            try:
                trouble, retry = await self._send(name)
            except OSError as error:
                trouble, retry = (
                    f"{name} cannot be stored on this host: {message_of(error)}",
                    Retry.YES,
                )
            if not trouble or retry is Retry.NEVER or time.monotonic() + pause > until:
                return trouble
            self._assignment.log.warning("the client could not be notified: %s", trouble)
            await sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _send(self, name: str) -> tuple[str, Retry]:
        """Send an empty file; gives what is in the way, and whether it may pass. Raises OSError."""
        with tempfile.TemporaryDirectory(prefix="b1000-pull-") as private:
            file = Path(private, name)
            file.touch(mode=0o644)
            argv = command.deliver(str(file), self._pull, self.limits)
            rsync = self._rsync(name, argv, f"{self.name} did not take {name}")
            result = await run_rsync(self._assignment, rsync)
        if result.status is CopyStatus.DONE:
            return "", Retry.NEVER
        return result.reason, _retry(result)

    def _rsync(self, purpose: str, argv: list[str], late: str) -> Rsync:
        """``late`` is what is wrong when it takes too long."""
        return Rsync(
            purpose,
            argv,
            Tail().sink(),
            Tail(),
            self._pull.source,
            self.name,
            Limit(self._seconds, f"{late} within {self._seconds:g} s"),
            bounds=_BOUNDS,
        )


def _retry(result: Outcome) -> Retry:
    """An rsync that could not be started here may be in a moment."""
    return Retry.YES if result.exit_code is None else result.retry
