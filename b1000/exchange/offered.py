"""The data of a client, as the copies of a pull see it."""

import time
from collections.abc import Collection, Iterable, Sequence

from b1000.exchange.directory import ReportDirectory
from b1000.exchange.following import ClientGone, Follower
from b1000.exchange.listing import ListedEntry
from b1000.exchange.peer import PollFailed
from b1000.expressions import expression
from b1000.jobs import Pull
from b1000.rsync import names
from b1000.rsync.verdicts import Retry
from b1000.runs.run import Client
from b1000.templates import Word
from b1000.work.sources import EMPTIED, Sources

_RSYNC = "rsync://"
_MAGIC, _ESCAPED = expression(r"[*?[]"), r"\\\g<0>"
_LONGEST = 3600.0  # seconds for a look into all directories of one address


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
                empty = await self._empty_one(address)
            except PollFailed as error:
                passing = error.retry is not Retry.NEVER
                return Sources((), f"{error}; {EMPTIED}", unusable=True, passing=passing)
            if empty:
                return Sources((), f"the source {empty} is empty; {EMPTIED}", unusable=True)
        return None

    async def _empty_one(self, address: str) -> str:
        """What of an address is empty, "" where nothing is. Raises PollFailed."""
        entries = (await self._directory.some_at(address)).values()
        if all(entry.name.startswith(names.OURS) for entry in entries):
            return address
        return await self._first_empty(await self._directories(address, entries))

    async def _directories(self, address: str, entries: Collection[ListedEntry]) -> list[str]:
        """The directories that an address stands for, besides what was listed already."""
        host, _, path = address.removeprefix(_RSYNC).partition("/")
        above = path.rstrip("/").rpartition("/")[0]
        if not _is_glob(path):
            plain = not path.endswith("/") and [entry.kind for entry in entries] == ["d"]
            return [f"{address}/"] if plain else []
        if _is_glob(above):
            return []  # in which directory each of them is, the client does not say
        directories = await self._directory.directories_at(address.rstrip("/"))
        # A name that is not printed as it is cannot be asked for.
        found = [name for name in directories if "\\" not in name]
        return [f"{_RSYNC}{host}/{above}/{_MAGIC.sub(_ESCAPED, name)}/" for name in found]

    async def _first_empty(self, directories: Iterable[str]) -> str:
        until = time.monotonic() + _LONGEST
        for each in directories:
            if time.monotonic() > until:
                raise PollFailed(f"its directories were not listed within {_LONGEST:.0f} s")
            found = await self._directory.some_at(each)
            if all(name.startswith(names.OURS) for name in found):
                return each
        return ""

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


def _is_glob(path: str) -> bool:
    return bool(_MAGIC.search(path))
