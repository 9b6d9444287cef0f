"""A network that is far away: ``python -m bench.delay PORT SECONDS`` stands before a local port.

It gives on what each side sends after some time. As with TCP, no more than a
window is under way on one connection until the other side has confirmed it; the
window is what Linux takes at most for sending, unless told otherwise. The
kernel's own way (tc netem) needs a namespace, root, and a module that many
kernels lack.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WINDOW = 4 * 2**20  # bytes; tcp_wmem, tcp(7)
_ROOT = Path(__file__).parents[1]


class _Side(asyncio.Protocol):
    """One end of a connection; what it hears goes to the other later."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._early: list[bytes] = []
        self._under_way = 0
        self.transport: asyncio.Transport | None = None
        self.other: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self._early.append(data)
            return
        loop = asyncio.get_running_loop()
        loop.call_later(self._seconds, self.other.give, data)
        loop.call_later(2 * self._seconds, self._confirmed, len(data))
        self._under_way += len(data)
        if self._under_way >= _WINDOW and self.transport:
            self.transport.pause_reading()

    def _confirmed(self, count: int) -> None:
        self._under_way -= count
        if self._under_way < _WINDOW and self.transport and not self.transport.is_closing():
            self.transport.resume_reading()

    def meet(self, other: "_Side") -> None:
        """The other end is there."""
        self.other = other
        for data in self._early:
            self.data_received(data)

    def give(self, data: bytes) -> None:
        """Send on what the other end heard."""
        assert self.transport
        self.transport.write(data)

    def eof_received(self) -> bool:
        self._end()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        del error
        self._end()

    def _end(self) -> None:
        if self.other and self.other.transport:
            asyncio.get_running_loop().call_later(self._seconds, self.other.transport.close)


class _Near(_Side):
    """The end of whoever connects: the far one is reached after a way there and back."""

    def __init__(self, port: int, seconds: float) -> None:
        super().__init__(seconds)
        self._port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._reaching = asyncio.ensure_future(self._reach())

    async def _reach(self) -> None:
        await asyncio.sleep(2 * self._seconds)
        far = _Side(self._seconds)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: far, "127.0.0.1", self._port)
        far.meet(self)
        self.meet(far)


async def _serve(port: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Near(port, seconds), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def delayed(port: int, seconds: float) -> Iterator[int]:
    """The port at which the other one is far away, ``seconds`` in each direction."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.delay", str(port), str(seconds)],
        stdout=subprocess.PIPE,
        cwd=_ROOT,
    )
    try:
        assert process.stdout
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
