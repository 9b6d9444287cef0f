"""What is believed of the reports at a client, of which the newest of each job/instance counts."""

import time
from collections.abc import Collection, Iterator

from b1000.exchange import choice, claims, names
from b1000.exchange.choice import Offer
from b1000.exchange.directory import Directory, Look, Seen
from b1000.exchange.heartbeat import Heartbeat, Patience
from b1000.jobs import Pull
from b1000.runs.run import Client
from b1000.work.assignment import Assignment


class Looking:
    """Looks into a client's report directory, and judges what it finds there."""

    def __init__(
        self,
        assignment: Assignment,
        pull: Pull,
        directory: Directory,
        patience: Patience,
    ) -> None:
        self._assignment = assignment
        self._pull = pull
        self._directory = directory
        self._heartbeat = Heartbeat(patience, assignment.clock, time.monotonic)

    async def look(self, stem: str | None = None) -> Look:
        """What is there now; of one job/instance only, if its ``stem`` is given. Raises Unseen."""
        look = await self._directory.look(stem)
        self._heartbeat.note(look)
        return look

    def expired(self, seen: Seen) -> str:
        """Why nobody who wrote the report seems to live; "" where somebody does."""
        return self._heartbeat.expired(seen)

    def is_outdated(self, client: Client, look: Look) -> bool:
        """Whether a newer run of the same job/instance has begun, as far as is believed."""
        old = self._superseded(look, self._refused(look))
        return client.file in old or _is_hidden(client, look)

    def offers(self, look: Look) -> Iterator[Offer]:
        """All reports that could be read, with what speaks against each."""
        refused = self._refused(look)
        old = self._superseded(look, refused)
        for file, seen in look.seen.items():
            offer = Offer(
                seen.client,
                self.expired(seen),
                look.answered(seen.client),
                file in old or _is_hidden(seen.client, look),
            )
            why = refused.get(file, "")
            if why and seen.client.destination and not offer.obstacle:
                self._directory.tell(file, why)
            yield offer._replace(refused=why)

    def _refused(self, look: Look) -> dict[str, str]:
        """Reports that are not believed, each with the reason."""
        now, taken = self._assignment.clock(), self._assignment.taken
        found = {
            file: claims.refusal(seen.client, self._pull, now, taken)
            for file, seen in look.seen.items()
        }
        return {file: why for file, why in found.items() if why}

    def _superseded(self, look: Look, refused: Collection[str]) -> set[str]:
        """The files of runs of which there is a newer one; one that is not believed is none."""
        return choice.superseded(
            seen.client for file, seen in look.seen.items() if file not in refused
        )


def stem_of(client: Client) -> str:
    """What the names of all report files of its job/instance begin with."""
    name = names.report_name(client.file)
    assert name
    return name.stem


def _is_hidden(client: Client, look: Look) -> bool:
    """Whether a newer report of the same job/instance is there that cannot be read."""
    stem = stem_of(client)
    reports = filter(None, map(names.report_name, look.unusable))
    return any(each.stem == stem and each.start_time > client.start_time for each in reports)
