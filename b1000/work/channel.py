"""The worker's end of the pipe to its supervisor."""

import asyncio
from collections.abc import Callable
from multiprocessing.connection import Connection

from b1000.errors import RunFailed
from b1000.runs.events import Message
from b1000.runs.protocol import Acknowledged, Batch, Refused, Stop

_SOON = 0.05  # seconds that messages may wait for others, so that fewer commits are needed


class Channel:
    """Tells the supervisor of changes and waits until they are durable.

    Messages arrive in the order in which they were told. ``stop`` is called
    when the supervisor orders the end, or is gone.
    """

    def __init__(self, connection: "Connection[Batch, object]", stop: Callable[[], None]) -> None:
        self._connection = connection
        self._stop = stop
        self._number = 0
        self._unsent: list[Message] = []
        self._waiting: dict[int, asyncio.Future[None]] = {}
        asyncio.get_running_loop().add_reader(connection.fileno(), self._receive)

    def tell(self, *messages: Message) -> None:
        """Send messages soon, or together with the next that must be durable."""
        if not self._unsent:
            asyncio.get_running_loop().call_later(_SOON, self.flush)
        self._unsent += messages

    async def commit(self, *messages: Message) -> None:
        """Send messages; when this returns they are durable, and all that were told before.

        Raises RunFailed where the supervisor does not let the run go on.
        """
        self._unsent += messages
        self.flush()
        acknowledged = asyncio.get_running_loop().create_future()
        self._waiting[self._number] = acknowledged
        await acknowledged

    def flush(self) -> None:
        """Send what was told, now."""
        if not self._unsent:
            return
        self._number += 1
        batch = Batch(self._number, tuple(self._unsent))
        self._unsent.clear()
        try:
            self._connection.send(batch)
        except OSError:
            self._stop()

    def _receive(self) -> None:
        try:
            order = self._connection.recv()
        except (EOFError, OSError):
            order = Stop("the supervisor is gone")
        match order:
            case Acknowledged():
                for number in [each for each in self._waiting if each <= order.number]:
                    self._settle(self._waiting.pop(number), None)
            case Refused():
                for number in list(self._waiting):
                    self._settle(self._waiting.pop(number), RunFailed(order.reason))
            case _:
                asyncio.get_running_loop().remove_reader(self._connection.fileno())
                self._stop()

    @staticmethod
    def _settle(acknowledged: "asyncio.Future[None]", error: Exception | None) -> None:
        if acknowledged.done():
            return
        if error:
            acknowledged.set_exception(error)
        else:
            acknowledged.set_result(None)
