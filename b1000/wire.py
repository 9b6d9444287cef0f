"""Values, and descriptors with them, through a socket between a supervisor and its children."""

import array
import contextlib
import copyreg
import pickle
import select
import socket
from collections.abc import Iterable
from types import ModuleType
from typing import Any

_LENGTH = 4  # bytes before each value, which tell its size
_CHUNK = 1 << 16  # bytes taken at once; for more the system would map memory each time
_ANCILLARY = socket.CMSG_SPACE(8 * array.array("i").itemsize)


class Wire:
    """One end of a pair of sockets. ``open`` is whether the other end may still be read from.

    ``unread`` is whether the other end was closed before it had read all that was sent to it.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._rest = bytearray()
        self._descriptors: list[int] = []
        self.open = True
        self.unread = False

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """The descriptor, for those who wait until there is something to read."""
        return self._socket.fileno()

    def send(self, value: object, *descriptors: int) -> None:
        """Send a value, and open descriptors that the other end gets copies of; raises OSError."""
        pickled = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        data = len(pickled).to_bytes(_LENGTH, "big") + pickled
        if descriptors:
            sent = socket.send_fds(self._socket, [data], descriptors)
            data = data[sent:]
        if data:
            self._socket.sendall(data)

    def recv(self) -> Any:
        """Wait for the next value; EOFError where none will come."""
        while (value := self._next()) is None:
            if not self._take(wait=True):
                raise EOFError
        return value

    def drain(self) -> list[Any]:
        """All values that have come."""
        while self.open and self._take(wait=False) == _CHUNK:
            pass
        found = []
        while (value := self._next()) is not None:
            found.append(value)
        return found

    def poll(self, timeout: float | None = 0.0) -> bool:
        """Whether there is something to read, or the end, within some seconds."""
        if len(self._rest) >= _LENGTH:
            return True
        looking = select.poll()
        looking.register(self._socket, select.POLLIN)
        return bool(looking.poll(None if timeout is None else timeout * 1000))

    def take_descriptors(self) -> list[int]:
        """The descriptors that came with what was received; they are the caller's to close."""
        found, self._descriptors = self._descriptors, []
        return found

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _take(self, wait: bool) -> int:
        """Receive some bytes; gives how many, 0 where there are none (now, or any more)."""
        flags = socket.MSG_CMSG_CLOEXEC | (0 if wait else socket.MSG_DONTWAIT)
        try:
            data, ancillary, _, _ = self._socket.recvmsg(_CHUNK, _ANCILLARY, flags)
        except BlockingIOError:
            return 0
        except OSError:
            # Linux: the other end was closed while something that we had sent lay there unread.
            self.open, self.unread = False, True
            return 0
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers = array.array("i")
                numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
                self._descriptors += numbers
        self._rest += data
        self.open = bool(data)
        return len(data)

    def _next(self) -> Any:
        """The next value, where all of it has come; None is never sent."""
        length = int.from_bytes(self._rest[:_LENGTH], "big")
        if len(self._rest) < _LENGTH + length or not length:
            return None
        with memoryview(self._rest) as view:
            value = pickle.loads(view[_LENGTH : _LENGTH + length])
        del self._rest[: _LENGTH + length]
        return value


def send_by_number(modules: Iterable[ModuleType]) -> None:
    """Classes of these modules are sent as numbers, which children that are forked later know.

    As pickle names them, each value takes twice as long to read.
    """
    kinds = (
        each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type) and each.__module__ == module.__name__
    )
    for number, kind in enumerate(kinds, start=1):
        copyreg.add_extension(kind.__module__, kind.__qualname__, number)


def pair() -> tuple[Wire, Wire]:
    """Two ends; raises OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.suppress(OSError):
        # A batch of many messages need not be waited for.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    return Wire(ours), Wire(theirs)
