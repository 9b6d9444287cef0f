"""What takes the output of a process: as lines, as bytes, or up to a limit."""

from collections.abc import Callable
from typing import Protocol

_LONGEST_LINE = 16384  # bytes; a longer line is cut into several


class Sink(Protocol):
    """Takes what a process prints.

    ``gathers``: what it is given may be some hundredths of a second old, so that it is read seldom.
    """

    @property
    def gathers(self) -> bool:
        """False where all is taken at once."""

    def feed(self, data: bytes) -> None:
        """Take some bytes."""

    def close(self) -> None:
        """There are no more."""


class Lines:
    """Gives each line, decoded, to a function."""

    gathers = False

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._give(line)
        while len(self._rest) > _LONGEST_LINE:
            self._give(self._rest[:_LONGEST_LINE])
            self._rest = self._rest[_LONGEST_LINE:]

    def close(self) -> None:
        if self._rest:
            self._give(self._rest)
            self._rest = b""

    def hand_over(self) -> bytes:
        """What has no newline yet, for another to take."""
        rest, self._rest = self._rest, b""
        return rest

    def _give(self, line: bytes) -> None:
        self._take(line.rstrip(b"\r").decode("utf-8", "backslashreplace"))


class RawLines:
    """Gives each line as bytes to a function; what is no line at all is left out."""

    gathers = True
    _longest = 65536

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)
        self._rest = self._rest[: self._longest]

    def close(self) -> None:
        self._rest = b""


class Captured:
    """Keeps all bytes up to a limit; ``too_much`` once there were more."""

    gathers = False

    def __init__(self, limit: int) -> None:
        self.data = b""
        self.too_much = False
        self._limit = limit

    def feed(self, data: bytes) -> None:
        self.too_much = self.too_much or len(self.data) + len(data) > self._limit
        if not self.too_much:
            self.data += data

    def close(self) -> None:
        pass
