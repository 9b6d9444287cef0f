"""The worker's end of the wire to its supervisor, for one task."""

from collections.abc import Callable

from b1000.errors import RunFailed
from b1000.runs.events import Message
from b1000.runs.protocol import Acknowledged, Batch, MarksTaken, Refused
from b1000.wire import Wire
from b1000.work import loop
from b1000.work.loop import Future

_SOON = 0.05  # seconds that messages may wait for others, so that fewer commits are needed


class Channel:
    """Tells the supervisor of changes and waits until they are durable.

    Messages arrive in the order in which they were told. ``stop`` is called
    when the supervisor orders the end, or is gone.
    """

    def __init__(self, wire: Wire, stop: Callable[[], None]) -> None:
        self._wire = wire
        self._stop = stop
        self._number = 0
        self._unsent: list[Message | MarksTaken] = []
        self._waiting: dict[int, Future[None]] = {}
        self._loop = loop.running()
        self._loop.add_reader(wire.fileno(), self._receive)

    def send(self, *messages: Message | MarksTaken) -> None:
        """Send messages soon, or together with the next that must be durable."""
        if not self._unsent:
            self._loop.later(_SOON, self.flush)
        self._unsent += messages

    def end(self, *messages: Message) -> None:
        """The last messages of a task: nothing is done that had to wait for them."""
        self._unsent += messages

    async def commit(self, *messages: Message) -> None:
        """Send messages; when this returns they are durable, and all that were told before.

        Raises RunFailed where the supervisor does not let the run go on.
        """
        self._unsent += messages
        self.flush()
        acknowledged: Future[None] = Future()
        self._waiting[self._number] = acknowledged
        await acknowledged

    def flush(self, idle: bool = False) -> None:
        """Send what was told, now; ``idle``: the task is over, and the worker waits for another."""
        if not self._unsent and not idle:
            return
        self._number += 1
        batch = Batch(self._number, tuple(self._unsent), idle)
        self._unsent.clear()
        try:
            self._wire.send(batch)
        except OSError:
            self._stop()

    def _receive(self) -> None:
        for order in self._wire.drain():
            match order:
                case Acknowledged():
                    for number in [each for each in self._waiting if each <= order.number]:
                        self._settle(self._waiting.pop(number), None)
                case Refused():
                    for number in list(self._waiting):
                        self._settle(self._waiting.pop(number), RunFailed(order.reason))
                case _:
                    self._give_up()
        if not self._wire.open:
            self._give_up()

    def _give_up(self) -> None:
        self._loop.remove_reader(self._wire.fileno())
        self._stop()

    @staticmethod
    def _settle(acknowledged: Future[None], error: Exception | None) -> None:
        if acknowledged.done():
            return
        if error:
            acknowledged.set_exception(error)
        else:
            acknowledged.set_result(None)
