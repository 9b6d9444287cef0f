"""Signals as something that the loop waits for: handlers do nothing, the loop acts."""

import contextlib
import signal
import socket
from types import FrameType

from b1000 import stopping


class Signals:
    """Within its ``with``, a signal that would end the program makes ``reader`` readable."""

    def __init__(self) -> None:
        self.reader, self.writer = socket.socketpair()
        self.reader.setblocking(False)
        self.writer.setblocking(False)

    def __enter__(self) -> "Signals":
        # Who starts us may ignore it; then nobody could say how a child has ended.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._before = {number: signal.signal(number, _do_nothing) for number in stopping.heard()}
        signal.set_wakeup_fd(self.writer.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self.reader.close()
        self.writer.close()

    def fileno(self) -> int:
        """What becomes readable when a signal has come."""
        return self.reader.fileno()

    def take(self) -> list[int]:
        """The signals that came since the last call."""
        with contextlib.suppress(BlockingIOError):
            return list(self.reader.recv(64))
        return []


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Python writes the number to the wakeup descriptor; that is all."""
