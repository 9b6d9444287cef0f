"""What coroutines wait for: a time, the first of several, an event, their turn, each other."""

from collections import deque
from collections.abc import Coroutine, Generator, Iterable
from typing import Any

from b1000.work import loop
from b1000.work.loop import Cancelled, Future, Task, Value


class _Turn:
    """Awaited, it gives each other task a turn."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def sleep(seconds: float) -> None:
    """Wait for some seconds; others have a turn in any case."""
    if seconds <= 0:
        await _Turn()
    else:
        await first((), seconds)


async def first(futures: Iterable[Future[Any]], timeout: float | None = None) -> None:
    """Wait until one of them has come, or an error in its place, or for so many seconds."""
    futures = tuple(futures)
    if any(each.done() for each in futures):
        return
    woken: Future[None] = Future()

    def wake() -> None:
        woken.set_result(None)

    timer = None if timeout is None else loop.running().later(timeout, wake)
    for each in futures:
        each.when_done(wake)
    try:
        await woken
    finally:
        for each in futures:
            each.forget(wake)
        if timer:
            timer.cancel()


async def shielded(ending: Coroutine[Any, None, None]) -> None:
    """Wait for something that must not be left half done; a cancellation counts afterwards."""
    task = loop.begin(ending)
    await all_ended((task,))
    task.result()


async def all_ended(tasks: Iterable[Task[Any]]) -> None:
    """Wait until all have ended, in whatever way; a cancellation counts afterwards."""
    cancelled: BaseException | None = None
    for each in tuple(tasks):
        while not each.done():
            try:
                await first((each,))
            except BaseException as error:
                cancelled = error
    if cancelled:
        raise cancelled


class Event:
    """Something that happens once."""

    def __init__(self) -> None:
        self._happened: Future[None] = Future()

    def set(self) -> None:
        """It has happened."""
        self._happened.set_result(None)

    async def wait(self) -> None:
        """Wait until it has."""
        await first((self._happened,))


class Lock:
    """One at a time is within, in the order in which they came."""

    def __init__(self) -> None:
        self._taken = False
        self._waiting: deque[Future[None]] = deque()

    async def __aenter__(self) -> None:
        if not self._taken:
            self._taken = True
            return
        turn: Future[None] = Future()
        self._waiting.append(turn)
        try:
            await turn
        except BaseException:
            if turn.done():
                self._pass_on()  # its turn came in the same moment
            else:
                self._waiting.remove(turn)
            raise

    async def __aexit__(self, *_: object) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        if self._waiting:
            self._waiting.popleft().set_result(None)
        else:
            self._taken = False


class Group:
    """Tasks that have all ended when what is within has been left.

    The first error ends the others and what is within, and is raised there.
    """

    def __init__(self) -> None:
        self._tasks: list[Task[Any]] = []
        self._error: BaseException | None = None
        self._left = False

    async def __aenter__(self) -> "Group":
        self._within = loop.running().current
        return self

    def begin(self, coroutine: Coroutine[Any, None, Value]) -> Task[Value]:
        """Begin one of them."""
        task = loop.begin(coroutine)
        self._tasks.append(task)
        task.when_done(lambda: self._look_at(task))
        return task

    def _look_at(self, ended: Task[Any]) -> None:
        error = ended.error()
        if error is None or self._error is not None or isinstance(error, Cancelled):
            return
        self._error = error
        self._cancel()
        if not self._left:
            self._within.interrupt(error)

    def _cancel(self) -> None:
        for each in self._tasks:
            each.cancel()

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._left = True
        if error is not None:
            self._cancel()
        try:
            while waiting := [each for each in self._tasks if not each.done()]:
                await first(waiting)
        except BaseException:
            self._cancel()
            await all_ended(self._tasks)
            raise
        if error is None and self._error is not None:
            raise self._error
