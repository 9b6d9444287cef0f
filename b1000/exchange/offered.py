"""The data of a client, as the copies of a pull see it."""

from collections.abc import Sequence

from b1000.exchange.directory import ReportDirectory
from b1000.exchange.following import ClientGone, Follower
from b1000.exchange.peer import PollFailed
from b1000.jobs import Pull
from b1000.rsync import names
from b1000.rsync.verdicts import Retry
from b1000.runs.run import Client
from b1000.templates import Word
from b1000.work.sources import Sources

_EMPTIED = "with delete = yes the destination would be emptied"


class Offered:
    """What a client offers; ``lost`` is set once it does so no more."""

    def __init__(
        self, pull: Pull, directory: ReportDirectory, follower: Follower, client: Client
    ) -> None:
        self.pull: Pull | None = pull
        self.lost: ClientGone | None = None
        self._directory = directory
        self._follower = follower
        self.client: Client | None = client
        self._client = client

    async def find(
        self,
        include: Sequence[Word],
        relative: bool,  # noqa: ARG002
        delete: bool,
    ) -> Sources:
        """The addresses, as long as the client offers what is there."""
        await self._poll()
        if self.lost:
            return Sources((), f"the client gave up: {self.lost}", unusable=True)
        addresses = list(dict.fromkeys(word.text for word in include))
        if delete and (trouble := await self._empty(addresses)):
            return trouble
        return Sources(tuple(addresses))

    async def _poll(self) -> None:
        try:
            await self._follower.offered(self._client)
        except PollFailed:
            pass  # the copy itself will tell
        except ClientGone as lost:
            await self._note(lost)

    async def _note(self, lost: ClientGone) -> None:
        self.lost = lost
        await self._follower.relay(lost.client)

    async def _empty(self, addresses: list[str]) -> Sources | None:
        """Why the sources must not be taken with ``delete``; None where they may."""
        for address in addresses:
            try:
                found = await self._directory.list_address(address)
                kinds = [entry.kind for entry in found.values()]
                plain = not any(sign in address for sign in "*?[")
                if plain and not address.endswith("/") and kinds == ["d"]:
                    found = await self._directory.list_address(f"{address}/")
            except PollFailed as error:
                passing = error.retry is not Retry.NEVER
                return Sources((), f"{error}; {_EMPTIED}", unusable=True, passing=passing)
            if all(name.startswith(names.OURS) for name in found):
                return Sources((), f"the source {address} is empty; {_EMPTIED}", unusable=True)
        return None

    async def verify(self) -> str:
        """Why what was copied cannot be relied on; "" where it can."""
        try:
            if not self.lost:
                await self._follower.verify(self._client)
        except PollFailed as error:
            return f"the client's report could not be read again: {error}"
        except ClientGone as lost:
            await self._note(lost)
        return f"the client gave up while we copied: {self.lost}" if self.lost else ""
