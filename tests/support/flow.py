"""What a daemon sends, on its way to a client: it is changed, cut off, held up, or never ends."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable

from tests.support.relay import Relay, end, pump

_MESSAGE = struct.pack("<I", (9 << 24) | 4096) + b"endless\n" * 512
"""A frame of rsync's protocol with text for whoever is at the client."""


class Flow(Relay):
    """``rewrite`` makes other bytes of those that the daemon sends, as many. Once it has sent
    ``most`` bytes in one connection, ``then`` happens: "cut" (and no later connection is passed
    on), "hold", of which ``held`` tells, or "endless" messages; with None nothing ever does.
    It waits ``pause`` seconds before each 16 KiB.
    """

    def __init__(self, port: int) -> None:
        self.rewrite: Callable[[bytes], bytes] = lambda data: data
        self.most: int | None = None
        self.then = "cut"
        self.pause = 0.0
        self.held = threading.Event()
        self._down = False
        super().__init__(port)

    def heal(self) -> None:
        """From now on all is passed on as it is."""
        self.most, self._down = None, False
        self.rewrite = lambda data: data
        self.held.clear()

    def pass_on(self, client: socket.socket) -> None:
        """As it comes; what the daemon says as this has it."""
        if self._down:
            end(client)
            return
        daemon = self.connect()
        threading.Thread(target=pump, args=(client, daemon), daemon=True).start()
        self._deliver(daemon, client)

    def _deliver(self, daemon: socket.socket, client: socket.socket) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := daemon.recv(16384):
                if self.most is not None and passed + len(data) > self.most:
                    self._trouble(client, daemon)
                    return
                time.sleep(self.pause)
                client.sendall(self.rewrite(data))
                passed += len(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)

    def _trouble(self, client: socket.socket, daemon: socket.socket) -> None:
        if self.then == "cut":
            self._down = True
            end(client)
            end(daemon)
        elif self.then == "hold":
            self.held.set()
        else:
            self.held.set()
            while True:
                client.sendall(_MESSAGE)
