"""What is believed of the reports at a client, of which the newest of each job/instance counts."""

import time
from collections.abc import Collection, Iterator

from b1000.b1k import names
from b1000.exchange import choice, claims
from b1000.exchange.choice import Offer
from b1000.exchange.directory import Poll, ReportDirectory, Seen
from b1000.exchange.heartbeat import Heartbeat, Timeouts
from b1000.jobs import Pull
from b1000.runs.run import Client
from b1000.work.assignment import Assignment


class Polling:
    """Looks into a client's report directory, and judges what it finds there."""

    def __init__(
        self,
        assignment: Assignment,
        pull: Pull,
        directory: ReportDirectory,
        timeouts: Timeouts,
    ) -> None:
        self._assignment = assignment
        self._pull = pull
        self._directory = directory
        self._heartbeat = Heartbeat(timeouts, assignment.clock, time.monotonic)

    async def poll(self, stem: str | None = None) -> Poll:
        """What is there now; of one job/instance only, if ``stem`` is given. Raises PollFailed."""
        poll = await self._directory.poll(stem)
        self._heartbeat.note(poll)
        return poll

    def expired(self, seen: Seen) -> str:
        """Why nobody who wrote the report seems to live; "" where somebody does."""
        return self._heartbeat.expired(seen)

    def is_outdated(self, client: Client, poll: Poll) -> bool:
        """Whether a newer run of the same job/instance has begun, as far as is believed."""
        old = self._superseded(poll, self._refused(poll))
        return client.file in old or self._is_hidden(client, poll)

    def offers(self, poll: Poll) -> Iterator[Offer]:
        """All reports that could be read, with what speaks against each."""
        refused = self._refused(poll)
        old = self._superseded(poll, refused)
        for file, seen in poll.seen.items():
            offer = Offer(
                seen.client,
                self.expired(seen),
                poll.answered(seen.client),
                file in old or self._is_hidden(seen.client, poll),
            )
            why = refused.get(file, "")
            if why and seen.client.destination and not offer.obstacle:
                self._directory.warn(file, why)
            yield offer._replace(refused=why)

    def _refused(self, poll: Poll) -> dict[str, str]:
        """Reports that are not believed, each with the reason."""
        now, taken = self._assignment.clock(), self._assignment.known.taken
        found = {
            file: claims.refusal(seen.client, self._pull, now, taken)
            for file, seen in poll.seen.items()
        }
        return {file: why for file, why in found.items() if why}

    def _superseded(self, poll: Poll, refused: Collection[str]) -> set[str]:
        """The files of runs of which there is a newer one; one that is not believed is none."""
        return choice.superseded(
            seen.client for file, seen in poll.seen.items() if file not in refused
        )

    def _is_hidden(self, client: Client, poll: Poll) -> bool:
        """Whether a newer report of the same job/instance is there that cannot be read."""
        stem, latest = stem_of(client), claims.latest_name(self._assignment.clock())
        reports = filter(None, map(names.report_name, poll.unusable))
        return any(
            each.stem == stem and client.start_time < each.start_time <= latest for each in reports
        )


def stem_of(client: Client) -> str:
    """What the names of all report files of its job/instance begin with."""
    name = names.report_name(client.file)
    assert name
    return name.stem
