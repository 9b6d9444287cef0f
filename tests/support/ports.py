"""TCP ports for the servers of the tests."""

import random
import socket

# Not the random numbers of the tests: whoever sets their seed would set the ports as well.
_RANDOM = random.SystemRandom()


def free_port() -> int:
    """A port on the loopback that nobody uses.

    Outgoing connections get none of this range, so that none takes it before its server
    has started, or while it is down.
    """
    while True:
        port = _RANDOM.randrange(20000, 32000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                continue
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
