"""A second process that does half of the work, as long as two of them are worth it."""

import os
import signal
from collections.abc import Callable
from types import TracebackType
from typing import Any

from b1000 import wire

_LEAST = 2_000  # runs a day, before it is worth a fork


def worth_it(runs: int) -> bool:
    """Whether there are so many runs a day, and a processor for each of two."""
    return runs >= _LEAST and len(os.sched_getaffinity(0)) > 1


class OtherGoneError(Exception):
    """It was killed, or could not do its half: all is to be done here."""


class Other:
    """The second process, which is begun with ``task`` and has ended when this is left.

    The task is given the other end of the wire, sends what it found, and ends. No thread may be
    at work when it begins.
    """

    def __init__(self, task: Callable[[wire.Wire], object]) -> None:
        ours, theirs = wire.pair()
        try:
            child = os.fork()
        except OSError as error:
            raise OtherGoneError from error
        if not child:
            _carry_out(task, theirs)
        theirs.close()
        self._wire, self._child = ours, child

    def __enter__(self) -> "Other":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._wire.close()
        if kind:
            os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)

    def tell(self, value: object) -> None:
        """Send it something."""
        try:
            self._wire.send(value)
        except OSError as error:
            raise OtherGoneError from error

    def hear(self) -> Any:
        """Wait for what it sends."""
        try:
            return self._wire.recv()
        except (EOFError, OSError) as error:
            raise OtherGoneError from error


def _carry_out(task: Callable[[wire.Wire], object], end: wire.Wire) -> None:
    code = 1
    try:
        # No connection to a database stays open here.
        os.closerange(3, end.fileno())
        os.closerange(end.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
        task(end)
        code = 0
    finally:
        # Whatever it was is told by who does it all then.
        os._exit(code)
