"""An atheris target: whatever a mark holds, its reader gives a Mark of that place or a BadValue."""

import contextlib
import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]

with atheris.instrument_imports(include=["b1000.b1k", "b1000.config.grammar"]):
    from b1000.b1k import claim, mark, root_id
    from b1000.errors import BadValue

PLACE = "etc/2026-11-22-Sunday/web1-2026-11-22-Sun-01:00:00"
SEED = """\
[jobstatus:etc]
host = web1
name = etc
instance =
master_host =
master_instance =
direction = push
start_time = 2026-11-22 01:00:00
step = DONE
status = OK
data_age = 0

[dest:store]
type = active
path = rsync://s/b
status = DONE

[backup]
format = 1
run = b088352a6d4ed3de5b96c2c1
type = full
state = complete
started = 2026-11-22T01:00:00Z
ended = 2026-11-22T01:00:09Z
files = 8
directories = 1
links = 0
others = 0
bytes = 5735
vanished = 0
leftovers = no
base = ../2026-11-21-Saturday/web1-2026-11-21-Sat-01:00:00
options = hard_links
relative = no
include = /etc
"""


def read(data: bytes) -> None:
    """One input."""
    try:
        found = mark.parse(data, PLACE)
    except BadValue as error:
        told = str(error)
        assert claim.quickly(data, PLACE) is None
    else:
        told = found.include if found.include.isprintable() else ""
        assert found.directory == PLACE
        assert claim.read(data, PLACE) == claim.of(found)
        assert mark.parse(mark.render(found).encode(), PLACE).directory == PLACE
    with contextlib.suppress(BadValue):
        root_id.parse(data)
    assert told.isprintable()


def main() -> None:
    """Fuzz, beginning with a sound mark."""
    read(SEED.encode())
    with tempfile.TemporaryDirectory() as corpus:
        Path(corpus, "mark").write_text(SEED)
        atheris.Setup([*sys.argv, corpus], read)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
