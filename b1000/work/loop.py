"""Coroutines side by side in one process: they wait for time, for descriptors and for each other.

It is what a worker needs of asyncio, by the same names where it means the same. asyncio itself is
imported with TLS, threads and pools of processes, which takes a tenth of a small run, and each
loop of it makes a selector and two sockets (docs/decisions/2).

Two things are simpler here. To cancel a task ends its own wait alone, never what it waits for. And
an error in a callback is raised in the main task, wherever that waits.
"""

import heapq
import itertools
import os
import select
import signal
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")
Callback = Callable[[], object]

_LONGEST_WAIT = 86400.0  # seconds; the kernel counts them in milliseconds, in 31 bits


class Cancelled(BaseException):
    """The task is to end."""


class Future(Generic[Value]):
    """Something that comes later: a value, or an error."""

    def __init__(self) -> None:
        self._done = False
        self._error: BaseException | None = None
        self._waiting: list[Callback] = []

    def done(self) -> bool:
        """Whether it has come."""
        return self._done

    def set_result(self, value: Value) -> None:
        """It comes; what comes later counts no more."""
        if not self._done:
            self._value = value
            self._come()

    def set_exception(self, error: BaseException) -> None:
        """An error comes in its place."""
        if not self._done:
            self._error = error
            self._come()

    def result(self) -> Value:
        """What has come; raises it where it is an error."""
        assert self._done, "it has not come yet"
        if self._error is not None:
            raise self._error
        return self._value

    def error(self) -> BaseException | None:
        """The error that has come, if it is one."""
        return self._error

    def when_done(self, callback: Callback) -> None:
        """Call this, at once, when it comes."""
        self._waiting.append(callback)

    def forget(self, callback: Callback) -> None:
        """Do not call this any more."""
        with suppress(ValueError):
            self._waiting.remove(callback)

    def _come(self) -> None:
        self._done = True
        waiting, self._waiting = self._waiting, []
        for callback in waiting:
            callback()

    def __await__(self) -> Generator["Future[Value] | None", None, Value]:
        if not self._done:
            yield self
        return self.result()


class Task(Future[Value]):
    """A coroutine that goes on by itself, until it gives what then has come."""

    def __init__(self, coroutine: Coroutine[Any, None, Value], loop: "Loop") -> None:
        super().__init__()
        self._coroutine = coroutine
        self._loop = loop
        self._awaited: Future[Any] | None = None
        self._thrown: BaseException | None = None
        loop.soon(self._step)

    def cancel(self) -> None:
        """Raise Cancelled where it waits, or where it waits next."""
        self.interrupt(Cancelled())

    def interrupt(self, error: BaseException) -> None:
        """Raise an error there; one that comes before that has happened is lost."""
        if not self._done and self._thrown is None:
            self._thrown = error
            self._stop_waiting()

    def _stop_waiting(self) -> None:
        if self._awaited is not None:
            self._awaited.forget(self._wake)
            self._wake()

    def _wake(self) -> None:
        self._awaited = None
        self._loop.soon(self._step)

    def _step(self) -> None:
        thrown, self._thrown = self._thrown, None
        self._loop.current = self
        try:
            awaited = self._coroutine.throw(thrown) if thrown else self._coroutine.send(None)
        except StopIteration as end:
            self.set_result(end.value)
        except BaseException as error:
            self.set_exception(error)
            if not isinstance(error, Exception | Cancelled):
                raise
        else:
            if awaited is None or awaited.done():
                self._loop.soon(self._step)
            else:
                self._awaited = awaited
                awaited.when_done(self._wake)
                if self._thrown:
                    self._stop_waiting()


class Timer:
    """What is called at a time, unless it is cancelled before."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callback | None) -> None:
        self.callback = callback

    def cancel(self) -> None:
        """Do not call it."""
        self.callback = None


class Loop:
    """What is to be called now, at a time, and when a descriptor can be read."""

    current: "Task[Any]"

    def __init__(self) -> None:
        self._ready: deque[Callback] = deque()
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()  # of two timers for one time the older comes first
        self._readers: dict[int, Callback] = {}
        self._looking = select.poll()
        self._tasks: set[Task[Any]] = set()

    def begin(self, coroutine: Coroutine[Any, None, Value]) -> "Task[Value]":
        """Begin a task; it first goes on at the next turn."""
        task = Task(coroutine, self)
        self._tasks.add(task)
        task.when_done(lambda: self._tasks.discard(task))
        return task

    def soon(self, callback: Callback) -> None:
        """Call this at the next turn."""
        self._ready.append(callback)

    def later(self, seconds: float, callback: Callback) -> Timer:
        """Call this after some seconds."""
        timer = Timer(callback)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), timer))
        return timer

    def add_reader(self, descriptor: int, callback: Callback) -> None:
        """Call this whenever the descriptor can be read, or its other end is closed."""
        self._readers[descriptor] = callback
        self._looking.register(descriptor, select.POLLIN)

    def remove_reader(self, descriptor: int) -> None:
        """Do not look at it any more, if it was looked at."""
        if self._readers.pop(descriptor, None):
            self._looking.unregister(descriptor)

    @contextmanager
    def calling_on(self, number: int, callback: Callback) -> Iterator[None]:
        """While within, call this when a signal has come; then it does what it does by default."""
        woken = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

        def called() -> None:
            os.eventfd_read(woken)
            callback()

        self.add_reader(woken, called)
        # A handler alone would not end the wait: Python goes on with that afterwards.
        signal.signal(number, lambda *_: os.eventfd_write(woken, 1))
        try:
            yield
        finally:
            signal.signal(number, signal.SIG_DFL)
            self.remove_reader(woken)
            os.close(woken)

    def finish(self, main: "Task[Any]") -> None:
        """Go on until a task has ended; an error in a callback is raised in it."""
        while not main.done():
            for callback in self._due():
                try:
                    callback()
                except Exception as error:
                    main.interrupt(error)

    def end(self) -> None:
        """Cancel all tasks that are left, and go on until they have ended."""
        for task in tuple(self._tasks):
            task.cancel()
        while self._tasks:
            self.finish(next(iter(self._tasks)))

    def _due(self) -> Iterator[Callback]:
        """Wait until something is to be called; each is looked up when its turn comes."""
        timers, readers = self._timers, self._readers
        while timers and timers[0][2].callback is None:
            heapq.heappop(timers)
        wait = None
        if self._ready:
            wait = 0.0
        elif timers:
            wait = min(max(0.0, timers[0][0] - time.monotonic()), _LONGEST_WAIT) * 1000
        elif not readers:
            raise RuntimeError("all wait for each other")
        for descriptor, _ in self._looking.poll(wait) if readers or wait != 0 else ():
            if found := readers.get(descriptor):
                yield found
        now = time.monotonic()
        while timers and timers[0][0] <= now:
            called = heapq.heappop(timers)[2].callback
            if called:
                yield called
        for _ in range(len(self._ready)):
            yield self._ready.popleft()


_running: Loop | None = None


def running() -> Loop:
    """The loop in which this runs."""
    assert _running, "no loop runs"
    return _running


def run(coroutine: Coroutine[Any, None, Value]) -> Value:
    """Run a coroutine to its end, and whatever it began; gives what it gives."""
    global _running
    assert not _running, "a loop runs already"
    _running = loop = Loop()
    try:
        main = loop.begin(coroutine)
        try:
            loop.finish(main)
        finally:
            loop.end()
        return main.result()
    finally:
        _running = None


def begin(coroutine: Coroutine[Any, None, Value]) -> Task[Value]:
    """Begin a task in the loop that runs."""
    return running().begin(coroutine)
