"""What has to be ended is ended step by step, by the supervisor's loop: it never waits for that."""

import os
import time
from collections.abc import Callable, Sequence

from b1000.locks import Locks
from b1000.runs.run import Orphans
from b1000.supervise.orphans import kill_at_once

_LOCK_TIME = 16.0  # seconds: more than a worker takes to end its tree: SIGTERM, 10 s, SIGKILL
_POLL = 0.1  # seconds between looks at a lock


class Cleanup:
    """Ends what some runs left; ``then`` is called once nothing of it runs any more."""

    def __init__(
        self,
        orphans: Sequence[Orphans],
        then: Callable[[], None],
        lock: "FreeLock | None" = None,
        of_death: bool = False,
    ) -> None:
        """With a ``lock`` it is over only once that is free, or was waited for long enough.

        ``of_death``: what a worker of this program left, which is ended in any case.
        """
        from b1000.work.tree import TreeEnding  # with the loop of workers

        self._orphans = orphans
        self._trees = [
            TreeEnding({"B1000_RUN": each.uid}, each.processes, each.ended) for each in orphans
        ]
        self._lock = lock
        self.then = then
        self.of_death = of_death
        self.due = 0.0

    def step(self) -> bool:
        """Go on with it; gives whether it is over."""
        while self._trees:
            pause = self._trees[0].step()
            if pause is not None:
                self.due = time.monotonic() + pause
                return False
            self._trees.pop(0)
        if self._lock and not self._lock.is_free():
            self.due = time.monotonic() + _POLL
            return False
        return True

    def at_once(self) -> None:
        """Kill all that is left, without a grace period."""
        kill_at_once({each.uid: each.ended for each in self._orphans})


class FreeLock:
    """Whether a lock is free: a worker whose supervisor died ends by itself, in some seconds."""

    def __init__(self, locks: Locks, name: str) -> None:
        self._locks = locks
        self._name = name
        self._until: float | None = None

    def is_free(self) -> bool:
        """Whether it is free, or was waited for long enough."""
        if self._until is None:
            self._until = time.monotonic() + _LOCK_TIME
        descriptor = self._locks.take(self._name)
        if descriptor is None:
            return time.monotonic() >= self._until
        os.close(descriptor)
        return True
