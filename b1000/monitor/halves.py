"""Work that is pure, and much of it: a second process does the half of it."""

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from b1000 import wire
from b1000.wire import Wire

T = TypeVar("T")
R = TypeVar("R")

_LEAST = 2_000  # of them, before it is worth a fork


def halved(work: Callable[[T], R], items: Sequence[T]) -> Callable[[], list[R]]:
    """Begin with half of them; what is given does the rest, and has the results in their order.

    No thread may be at work when it begins. Who was killed has done nothing: all is done here then.
    """
    if len(items) < _LEAST or len(os.sched_getaffinity(0)) < 2:
        return lambda: [work(each) for each in items]
    own, others = items[: len(items) // 2], items[len(items) // 2 :]
    try:
        end, child = _forked(lambda: [work(each) for each in others])
    except OSError:
        return lambda: [work(each) for each in items]

    def finished() -> list[R]:
        found = [work(each) for each in own]
        with end:
            try:
                found += end.recv()[0]
            except EOFError:
                found += [work(each) for each in others]
        os.waitpid(child, 0)
        return found

    return finished


def _forked(task: Callable[[], list[R]]) -> tuple[Wire, int]:
    """Where the results of a task come from, and who does it."""
    ours, theirs = wire.pair()
    child = os.fork()
    if child:
        theirs.close()
        return ours, child
    code = 1
    try:
        # No connection to a database stays open here.
        os.closerange(3, theirs.fileno())
        os.closerange(theirs.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
        # In a tuple: the wire sends no empty value.
        theirs.send((task(),))
        code = 0
    finally:
        os._exit(code)
