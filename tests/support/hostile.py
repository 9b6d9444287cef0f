"""Listeners that speak rsync's first words, or none, and then misbehave."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

GREETING = b"@RSYNCD: 31.0 sha512 sha256 sha1 md5 md4\n"

Behaviour = Callable[[socket.socket], None]


def silent(connection: socket.socket) -> None:
    """Accept, and never say a word."""
    while connection.recv(65536):
        pass


def closing(connection: socket.socket) -> None:
    """Close as soon as the greeting has come: closed before, it would be a reset."""
    connection.recv(4096)


def dripping(connection: socket.socket) -> None:
    """Send one byte now and then, for ever."""
    connection.sendall(GREETING)
    while True:
        connection.sendall(b"x")
        time.sleep(0.3)


def greeting_for_ever(connection: socket.socket) -> None:
    """Send lines of greeting as fast as they are taken."""
    connection.sendall(GREETING)
    while True:
        connection.sendall(b"welcome to this server\n" * 1000)


def flooding(connection: socket.socket) -> None:
    """Go as far as the list of files, and send bytes at random then."""
    connection.sendall(GREETING)
    connection.recv(65536)
    connection.sendall(b"@RSYNCD: OK\n")
    noise = bytes(range(256)) * 256
    while True:
        connection.sendall(noise)


class Listener:
    """A port on which each connection meets one behaviour."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.met = 0
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def url(self, module: str) -> str:
        """The address of a module that is not there."""
        return f"rsync://127.0.0.1:{self.port}/{module}"

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.met += 1
                self._open.append(connection)
                threading.Thread(target=self._meet, args=(connection,), daemon=True).start()

    def _meet(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            self._behaviour(connection)

    def close(self) -> None:
        """Close all."""
        for each in (self._socket, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextlib.contextmanager
def listening(behaviour: Behaviour) -> Iterator[Listener]:
    """A listener for the length of a ``with``."""
    listener = Listener(behaviour)
    try:
        yield listener
    finally:
        listener.close()
