"""Signs of life of a client, and for how long one may give none."""

from collections.abc import Callable

from b1000.b1k import checks
from b1000.exchange.directory import Poll, Seen
from b1000.named import NamedTuple


class Timeouts(NamedTuple):
    """Seconds after which a silent client counts as dead, and one without ``alive`` as old.

    ``anew``: for how long one that waits for others, or is about to go on, may
    offer nothing, and one whose run has FAILED may take to go on or begin another.
    ``ending`` and ``ending_badly``: how long a client is followed that was told
    that its data was copied, or that it was not.
    """

    silence: float = 120.0
    old: float = 86400.0
    anew: float = 10.0
    ending: float = 600.0
    ending_badly: float = 60.0


TIMEOUTS = Timeouts()


class Heartbeat:
    """Whether those who wrote the reports live.

    Clocks of two hosts may differ: what is seen to move on counts too. What goes
    back does not: it is what a dead one said, delivered late by others.
    """

    def __init__(
        self, timeouts: Timeouts, clock: Callable[[], float], monotonic: Callable[[], float]
    ) -> None:
        self._timeouts = timeouts
        self._clock = clock
        self._monotonic = monotonic
        self._last: dict[str, tuple[str, float | None]] = {}

    def note(self, poll: Poll) -> None:
        """Remember which reports have changed since the look before."""
        now = self._monotonic()
        last: dict[str, tuple[str, float | None]] = {}
        for file, seen in poll.seen.items():
            alive = seen.client.alive
            before, changed = self._last.get(file, (alive, None))
            last[file] = (alive, now if alive > before else changed)
        self._last |= last
        self._last = {file: each for file, each in self._last.items() if file in poll.there}

    def expired(self, seen: Seen) -> str:
        """Why nobody who wrote the report seems to live; "" where somebody does."""
        alive = seen.client.alive
        if not alive:
            old = abs(self._clock() - seen.mtime) >= self._timeouts.old
            return "it has not been written for 24 h" if old else ""
        if abs(self._clock() - checks.seconds(alive)) <= self._timeouts.silence:
            return ""
        _, changed = self._last.get(seen.client.file, (alive, None))
        if changed is not None and self._monotonic() - changed <= self._timeouts.silence:
            return ""
        return f"its client has not renewed it since {alive}"
