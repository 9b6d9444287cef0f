"""A client that tells a daemon other options than it goes by itself, or waits before it sends."""

import socket
import threading
from collections.abc import Callable, Sequence

from tests.support.relay import Relay, pump


class Liar(Relay):
    """``edit`` makes other arguments of those that are sent.

    After the arguments nothing more is sent until ``going_on`` is
    set. Only for protocols from 30 on, and modules with a password.
    """

    def __init__(
        self, port: int, edit: Callable[[Sequence[str]], Sequence[str]] = lambda words: words
    ) -> None:
        self._edit = edit
        self.going_on = threading.Event()
        self.going_on.set()
        super().__init__(port)

    def __exit__(self, *words: object) -> None:
        """Who waits goes on first."""
        self.going_on.set()
        super().__exit__(*words)

    def pass_on(self, client: socket.socket) -> None:
        """As it comes, but for the arguments, which are edited."""
        daemon = self.connect()
        threading.Thread(target=pump, args=(daemon, client), daemon=True).start()
        for _ in ("greeting", "module", "answer"):
            daemon.sendall(_until(client, b"\n"))
        words = _until(client, b"\0\0").decode("utf-8", "surrogateescape")
        told = self._edit(words.removesuffix("\0\0").split("\0"))
        daemon.sendall(("\0".join(told) + "\0\0").encode("utf-8", "surrogateescape"))
        self.going_on.wait(60)
        pump(client, daemon)


def _until(source: socket.socket, end: bytes) -> bytes:
    found = b""
    while not found.endswith(end):
        byte = source.recv(1)
        if not byte:
            raise OSError("the client has gone")
        found += byte
    return found
