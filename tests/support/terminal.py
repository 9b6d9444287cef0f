"""A program on a terminal of its own, and what the terminal's screen shows."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence

import pyte

from tests.support.world import ROOT


class Terminal:
    """A program that runs on a pseudo-terminal, read by a real terminal emulator.

    Without ``controlling`` it only writes there: signals and job control are another's.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        columns: int = 80,
        lines: int = 24,
        controlling: bool = True,
    ) -> None:
        self.raw = b""
        self.screen = pyte.HistoryScreen(columns, lines, history=1000)
        self._stream = pyte.ByteStream(self.screen)
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(
            argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd="/",
            env={"PYTHONPATH": str(ROOT), "TERM": "xterm", **environment},
            start_new_session=True,
            # Without it Ctrl-C would reach nobody.
            preexec_fn=(lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) if controlling else None,
        )
        os.close(slave)

    @property
    def text(self) -> str:
        """What the screen shows now."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    @property
    def everything(self) -> str:
        """What has scrolled out of the screen, and what it shows now."""
        gone = [
            "".join(line[column].data for column in range(self.screen.columns)).rstrip()
            for line in self.screen.history.top
        ]
        return "\n".join([*gone, self.text])

    def keys(self, typed: bytes) -> None:
        """Somebody types."""
        os.write(self._master, typed)

    def read(self, seconds: float = 0.1) -> bool:
        """Take what is written within some seconds; False once there is no more to come."""
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def read_until(self, condition: Callable[[], object], seconds: float = 30) -> None:
        """Read until something is true."""
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, f"it did not happen in time:\n{self.everything}"
            if not self.read():
                assert condition(), f"the program has ended:\n{self.everything}"
                return

    def finish(self, seconds: float = 60) -> int:
        """Read to the end; gives the exit code."""
        until = time.monotonic() + seconds
        while self.read() and time.monotonic() < until:
            pass
        code = self.process.wait(max(0.1, until - time.monotonic()))
        os.close(self._master)
        return code
