"""Signals as something that the loop waits for: handlers do nothing, the loop acts."""

import contextlib
import signal
import socket
from types import FrameType

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """Within its ``with``, a signal that would end the program makes ``reader`` readable."""

    def __init__(self) -> None:
        self.reader, self.writer = socket.socketpair()
        self.reader.setblocking(False)
        self.writer.setblocking(False)

    def __enter__(self) -> "Signals":
        # What was ignored stays so: nohup asks for that.
        heard = [each for each in STOPPING if signal.getsignal(each) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, _do_nothing) for number in heard}
        signal.set_wakeup_fd(self.writer.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self.reader.close()
        self.writer.close()

    def take(self) -> list[signal.Signals]:
        """The signals that came since the last call."""
        with contextlib.suppress(BlockingIOError):
            return [signal.Signals(number) for number in self.reader.recv(64)]
        return []


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Python writes the number to the wakeup descriptor; that is all."""
