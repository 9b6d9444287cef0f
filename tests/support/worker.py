"""A pull run at work in this process: a real wire, whose other end acknowledges everything."""

import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from b1000.errors import RunFailed
from b1000.jobs import Limits
from b1000.locks import Locks
from b1000.runs.events import Message
from b1000.runs.protocol import Acknowledged, Batch, MarksTaken
from b1000.runs.run import RunIdentity
from b1000.wire import Wire, pair
from b1000.work import loop
from b1000.work.assignment import Assignment
from b1000.work.channel import Channel


class Supervised:
    """Carries a task out with an assignment; ``told`` is what it said, in order."""

    def __init__(self, directory: Path, limits: Limits) -> None:
        self.told: list[Message | MarksTaken] = []
        self._locks = Locks(directory / "locks")
        self._limits = limits

    def run(self, task: Callable[[Assignment], Awaitable[object]]) -> str:
        """Gives the error with which it ended, or ""."""
        ours, theirs = pair()

        def acknowledge() -> None:
            try:
                while True:
                    batch: Batch = ours.recv()
                    self.told += batch.messages
                    ours.send(Acknowledged(batch.number))
            except (EOFError, OSError):
                return

        thread = threading.Thread(target=acknowledge)
        thread.start()
        try:
            loop.run(self._work(task, theirs))
        except RunFailed as error:
            return str(error)
        finally:
            theirs.close()
            thread.join()
            ours.close()
        return ""

    async def _work(self, task: Callable[[Assignment], Awaitable[object]], theirs: Wire) -> None:
        channel = Channel(theirs, lambda: None)
        subject = RunIdentity("uid", "system", "", "backup-2", "pull", "2026-11-23-05-00-00")
        await task(Assignment(subject, self._limits, channel, self._locks))
        channel.flush()

    def of(self, kind: type) -> list[Message | MarksTaken]:
        """What it said of one kind."""
        return [message for message in self.told if isinstance(message, kind)]
