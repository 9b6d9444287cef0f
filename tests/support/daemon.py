"""A real rsync daemon with modules of a test's own."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.support.ports import free_port

CHROOT = "use chroot = yes\n" if os.getuid() == 0 else ""
"""As a storage is set up. Without it Debian 12's rsync finds no base of ``--link-dest`` that is
named by a way up, see docs/decisions/8."""


class Daemon:
    """An rsync daemon on the loopback; each module is a directory of its name.

    ``modules`` maps a module's name to more lines of rsyncd.conf for it.
    """

    def __init__(self, directory: Path, modules: Mapping[str, str], extra: str = "") -> None:
        self.directory = directory
        self.port = free_port()
        directory.mkdir(parents=True)
        identity = "uid = 0\ngid = 0\n" if os.getuid() == 0 else ""
        text = (
            f"port = {self.port}\naddress = 127.0.0.1\nuse chroot = no\nmunge symlinks = no\n"
            f"socket options = TCP_NODELAY\nread only = no\n{identity}{extra}"
            f"log file = {directory / 'log'}\npid file = {directory / 'pid'}\n"
        )
        for name, lines in modules.items():
            (directory / name).mkdir(exist_ok=True)
            text += f"[{name}]\npath = {directory / name}\n{lines}\n"
        self.config = directory / "rsyncd.conf"
        self.config.write_text(text)
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, module: str) -> str:
        """The address of a module."""
        return f"rsync://127.0.0.1:{self.port}/{module}"

    def module(self, name: str) -> Path:
        """The directory of a module."""
        return self.directory / name

    def start(self) -> "Daemon":
        """Start it, and wait until it answers."""
        (self.directory / "pid").unlink(missing_ok=True)
        self._process = subprocess.Popen(
            ["rsync", "--daemon", "--no-detach", f"--config={self.config}"],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + 20
        while time.monotonic() < until and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    # Who goes away before the greeting is an error in the daemon's log.
                    probe.settimeout(5)
                    with contextlib.suppress(OSError):
                        probe.recv(64)
                    return self
            time.sleep(0.02)
        self.stop()
        raise AssertionError(f"the rsync daemon does not answer at port {self.port}")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Signal the daemon and everything it has forked."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def stop(self) -> None:
        """End it."""
        if self._process:
            self.kill()
            self._process.wait()
            self._process = None
