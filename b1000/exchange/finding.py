"""Which run of a client a pull takes, and that it alone takes it."""

import hashlib
import os

from b1000 import addresses
from b1000.errors import RunFailed, counted
from b1000.exchange import choice
from b1000.exchange.peer import PollFailed
from b1000.exchange.polling import Polling
from b1000.jobs import Pull
from b1000.logs import printable
from b1000.runs.run import Client, label
from b1000.work.assignment import Assignment
from b1000.work.waiting import sleep

_MOST_NAMED = 3  # unusable files in an error text


class Finder:
    """Finds the run of a client that is to be pulled, and holds its lock."""

    def __init__(self, assignment: Assignment, pull: Pull, polling: Polling) -> None:
        self._assignment = assignment
        self._pull = pull
        self._polling = polling
        self._lock: tuple[str, int] | None = None

    async def find(self) -> Client:
        """The client's run that is to be pulled; RunFailed where none comes."""
        polls = 0
        while True:
            try:
                poll = await self._polling.poll()
                found = choice.choose(
                    self._polling.offers(poll), self._pull.job, self._pull.claimed
                )
                if found.client and self.take(found.client):
                    return found.client
                reason = found.reason or "another pull is at work on it"
                if poll.unusable:
                    newest = sorted(poll.unusable.items())[-_MOST_NAMED:]
                    reason += "; " + "; ".join(
                        f"{file} cannot be used: {why}" for file, why in newest
                    )
            except PollFailed as error:
                reason = str(error)
                if error.final:
                    where = f"no report for {self._assignment.subject.host} at {self._pull.source}"
                    raise RunFailed(f"{where}: {printable(reason)}") from None
            polls += 1
            if polls >= self._pull.poll_retries:
                raise RunFailed(
                    f"no report for {self._assignment.subject.host} at {self._pull.source}, "
                    f"polled {counted(polls, 'time')} (report_poll_retries); the last poll: "
                    f"{printable(reason)}"
                )
            await sleep(self._pull.poll_wait)

    def take(self, client: Client) -> bool:
        """Take a run for this pull alone; False where another one is at work on it."""
        whose = f"{addresses.one_spelling(self._pull.source)}/{label(client.job, client.instance)}"
        name = f"pull@{hashlib.sha256(whose.encode()).hexdigest()[:32]}"
        if self._lock and self._lock[0] == name:
            return True
        self.release()
        try:
            descriptor = self._assignment.locks.take(name)
        except OSError as error:
            raise RunFailed(f"the lock of {whose} cannot be taken: {error.strerror}") from None
        self._lock = None if descriptor is None else (name, descriptor)
        return self._lock is not None

    def release(self) -> None:
        """Leave the run that was taken to others."""
        if self._lock:
            os.close(self._lock[1])
            self._lock = None
