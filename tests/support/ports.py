"""TCP ports for the servers of the tests."""

import os
import random
import socket
import tempfile
from pathlib import Path

from b1000.locks import Locks

# Not the random numbers of the tests: whoever sets their seed would set the ports as well.
_RANDOM = random.SystemRandom()
_RESERVED = Locks(Path(tempfile.gettempdir()) / f"b1000-test-ports-{os.getuid()}")


def free_port() -> int:
    """A port on the loopback that nobody uses, and no other test until this process ends.

    So a server may be down for a while and come back. Outgoing connections get none of
    this range, so that none takes it before its server has started.
    """
    while True:
        port = _RANDOM.randrange(20000, 32000)
        if _RESERVED.take(str(port)) is None:
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
