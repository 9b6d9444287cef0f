"""An atheris target: whatever a report file holds, the reader gives a Client or a BadValue."""

import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]

with atheris.instrument_imports(include=["b1000.exchange", "b1000.config.grammar"]):
    from b1000.b1k import checks
    from b1000.errors import BadValue
    from b1000.exchange import choice, offers
    from b1000.runs.run import Client

FILE = "ext--2026-11-23-04-29-00.b1k"
SEED = """\
[jobstatus:ext]
host = ext.example
name = ext
instance =
master_host = db1
master_instance = 3307
direction = passive
start_time = 2026-11-23 04:29:00
step = COPYING
status = OK
data_age = 12.5
alive = 2026-11-23T04:29:40Z
started = 2026-11-23T03:29:00Z
transition = 17
error = pre: ended with exit code 7

[dest:atm]
type = passive
path = pull://backup-2
status = COPYING
"""


def read(data: bytes) -> None:
    """One input."""
    try:
        client = offers.parse(data, FILE, "backup-2")
    except BadValue as error:
        told = str(error)
    else:
        sound(client)
        told = client.error
    assert told.isprintable()


def sound(client: Client) -> None:
    """What passed can be used as it is."""
    assert client.file == FILE
    assert client.job == "ext"
    assert "/" not in client.host + client.master_host + client.master_instance
    if client.alive:
        checks.seconds(client.alive)
    choice.choose([choice.Offer(client)], "ext", frozenset())


def main() -> None:
    """Fuzz, beginning with a sound report."""
    with tempfile.TemporaryDirectory() as corpus:
        Path(corpus, "report").write_text(SEED)
        atheris.Setup([*sys.argv, corpus], read)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
