"""What stands between a client and a daemon, and passes their connections on."""

import contextlib
import socket
import threading
from typing import Self


class Relay:
    """Passes connections on to a daemon at ``port``; its own is ``port``.

    What it does with each, :meth:`pass_on` says, in a thread.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def through(self, address: str) -> str:
        """An address of the daemon, by way of this one."""
        return address.replace(f":{self._to}/", f":{self.port}/")

    def pass_on(self, client: socket.socket) -> None:
        """Serve one connection of a client; OSError ends it."""
        raise NotImplementedError

    def connect(self) -> socket.socket:
        """A connection to the daemon, which ends with this."""
        daemon = socket.create_connection(("127.0.0.1", self._to))
        self._sockets.append(daemon)
        return daemon

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more, and end what is open."""
        for each in self._sockets:
            end(each)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.pass_on(client)


def pump(source: socket.socket, target: socket.socket) -> None:
    """Pass on all that comes, and its end."""
    with contextlib.suppress(OSError):
        while block := source.recv(65536):
            target.sendall(block)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def end(each: socket.socket) -> None:
    """Close it for both sides."""
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
