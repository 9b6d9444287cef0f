"""A client that tells a daemon other options than it goes by itself, or waits before it sends."""

import contextlib
import socket
import threading
from collections.abc import Callable, Sequence


class Liar:
    """Passes connections on to a daemon; ``edit`` makes other arguments of those that are sent.

    ``port`` is where it listens. After the arguments nothing more is sent until ``going_on`` is
    set. Only for protocols from 30 on, and modules with a password.
    """

    def __init__(
        self, port: int, edit: Callable[[Sequence[str]], Sequence[str]] = lambda words: words
    ) -> None:
        self._to = port
        self._edit = edit
        self.going_on = threading.Event()
        self.going_on.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def through(self, address: str) -> str:
        """An address of the daemon, by way of this one."""
        return address.replace(f":{self._to}/", f":{self.port}/")

    def __enter__(self) -> "Liar":
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more, and end what is open."""
        self.going_on.set()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        daemon = socket.create_connection(("127.0.0.1", self._to))
        self._sockets.append(daemon)
        threading.Thread(target=_pump, args=(daemon, client), daemon=True).start()
        with contextlib.suppress(OSError):
            for _ in ("greeting", "module", "answer"):
                daemon.sendall(_until(client, b"\n"))
            words = _until(client, b"\0\0").decode("utf-8", "surrogateescape")
            told = self._edit(words.removesuffix("\0\0").split("\0"))
            daemon.sendall(("\0".join(told) + "\0\0").encode("utf-8", "surrogateescape"))
            self.going_on.wait(60)
            _pump(client, daemon)


def _until(source: socket.socket, end: bytes) -> bytes:
    found = b""
    while not found.endswith(end):
        byte = source.recv(1)
        if not byte:
            raise OSError("the client has gone")
        found += byte
    return found


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(65536):
            target.sendall(block)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
