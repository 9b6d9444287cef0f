"""What a daemon sends, on its way to a client: it is changed, cut off, held up, or never ends."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable

_MESSAGE = struct.pack("<I", (9 << 24) | 4096) + b"endless\n" * 512
"""A frame of rsync's protocol with text for whoever is at the client."""


class Flow:
    """Passes connections on to a daemon at ``port``; its own is ``port``.

    ``rewrite`` makes other bytes of those that the daemon sends, as many. Once it has sent
    ``most`` bytes in one connection, ``then`` happens: "cut" (and no later connection is passed
    on), "hold", of which ``held`` tells, or "endless" messages; with None nothing ever does.
    It waits ``pause`` seconds before each 16 KiB.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self.rewrite: Callable[[bytes], bytes] = lambda data: data
        self.most: int | None = None
        self.then = "cut"
        self.pause = 0.0
        self.held = threading.Event()
        self._down = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def through(self, address: str) -> str:
        """An address of the daemon, by way of this one."""
        return address.replace(f":{self._to}/", f":{self.port}/")

    def heal(self) -> None:
        """From now on all is passed on as it is."""
        self.most, self._down = None, False
        self.rewrite = lambda data: data
        self.held.clear()

    def __enter__(self) -> "Flow":
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            _end(each)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                if self._down:
                    _end(client)
                    continue
                daemon = socket.create_connection(("127.0.0.1", self._to))
                self._sockets.append(daemon)
                threading.Thread(target=self._up, args=(client, daemon), daemon=True).start()
                threading.Thread(target=self._deliver, args=(daemon, client), daemon=True).start()

    def _up(self, client: socket.socket, daemon: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                daemon.sendall(data)
        with contextlib.suppress(OSError):
            daemon.shutdown(socket.SHUT_WR)

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
            _end(client)
            _end(daemon)
        elif self.then == "hold":
            self.held.set()
        else:
            self.held.set()
            while True:
                client.sendall(_MESSAGE)


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
