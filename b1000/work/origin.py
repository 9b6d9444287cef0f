"""Where the data of a run is."""

from collections.abc import Sequence
from typing import Protocol

from b1000.jobs import Pull
from b1000.runs.run import Client
from b1000.templates import Word
from b1000.work import sources
from b1000.work.sources import Sources


class Origin(Protocol):
    """Where the data is; ``pull`` and ``client`` are set where that is another host."""

    pull: Pull | None
    client: Client | None

    async def find(self, include: Sequence[Word], relative: bool, delete: bool) -> Sources:
        """What is to be copied, looked for anew by each attempt."""

    async def verify(self) -> str:
        """After a copy: why it cannot be relied on, or ""."""


class _Here:
    """The data is on this host."""

    pull: Pull | None = None
    client: Client | None = None

    async def find(self, include: Sequence[Word], relative: bool, delete: bool) -> Sources:
        return sources.find(include, relative, delete)

    async def verify(self) -> str:
        return ""


HERE = _Here()
