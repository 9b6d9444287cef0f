"""TCP ports for the servers of the tests."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

# Not the random numbers of the tests: whoever sets their seed would set the ports as well.
_RANDOM = random.SystemRandom()
_RESERVED = Path(tempfile.gettempdir()) / f"b1000-test-ports-{os.getuid()}"


def free_port() -> int:
    """A port on the loopback that nobody uses, and no other test until this process ends.

    So a server may be down for a while and come back. Outgoing connections get none of
    this range, so that none takes it before its server has started.
    """
    while True:
        port = _RANDOM.randrange(20000, 32000)
        if not _reserve(port):
            continue
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                continue
            # What another thread forks at this moment has this socket too, until it is another
            # program: a server, which says the same of its own, must be able to bind meanwhile.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def _reserve(port: int) -> bool:
    """Whether the port is ours now: by a lock that ends with this process."""
    _RESERVED.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(_RESERVED / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    return True
