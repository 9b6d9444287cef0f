"""A network that gives each connection so much: ``python -m bench.rate PORT BYTES`` stands before
a local port.

Each direction of a connection carries so many bytes a second, whatever the others do. The
kernel's own way (tc) needs a namespace, root, and modules that many kernels lack.
"""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_AT_ONCE = 64 * 1024  # bytes that are read at once
_SAVED = 0.05  # seconds of the rate that a connection may catch up, where it was kept waiting


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rate: float) -> None:
    """Give on all that comes, no faster than the rate, and its end."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while data := await reader.read(_AT_ONCE):
        due = max(due, loop.time() - _SAVED) + len(data) / rate
        await asyncio.sleep(due - loop.time())
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def _serve(port: int, rate: float) -> None:
    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port, limit=_AT_ONCE)
        with contextlib.suppress(OSError):
            await asyncio.gather(_carry(reader, far_writer, rate), _carry(far_reader, writer, rate))
        far_writer.close()
        writer.close()

    server = await asyncio.start_server(met, "127.0.0.1", 0, limit=_AT_ONCE)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def held(port: int, rate: float) -> Iterator[int]:
    """The port at which each connection to the other one has ``rate`` bytes a second."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.rate", str(port), str(rate)],
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
