"""``python -m tests.crash.struck KIND NUMBER WHEN ARGUMENTS...``: B1000, struck at one commit.

Runs the program as it is, with the journal's transaction wrapped from outside:
before or after (WHEN) its NUMBER-th commit, SIGKILL goes to the supervisor
itself, to its first worker, or to every rsync of its runs (KIND).
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator

import psutil

from b1000 import cli
from b1000.state.journal import Journal


def strike(kind: str, program: int) -> None:
    """Signal what is to be struck of a program, at once; ``rsync-term``: as a shutdown does."""
    if kind == "supervisor":
        os.kill(program, signal.SIGKILL)
        return
    number = signal.SIGTERM if kind == "rsync-term" else signal.SIGKILL
    for child in psutil.Process(program).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            rsync = child.name() == "rsync"
            worker = child.ppid() == program and child.children()
            if rsync if kind.startswith("rsync") else worker:
                child.send_signal(number)
                if kind == "worker":
                    return


def main() -> None:
    """Wrap the journal and run the command line."""
    kind, number, when, *words = sys.argv[1:]
    whole = Journal.transaction
    count = 0

    @contextlib.contextmanager
    def struck(self: Journal) -> Iterator[None]:
        nonlocal count
        count += 1
        with whole(self):
            yield
            if (count, when) == (int(number), "before"):
                strike(kind, os.getpid())
        if (count, when) == (int(number), "after"):
            strike(kind, os.getpid())

    Journal.transaction = struck  # type: ignore[method-assign, assignment]
    code = cli.run(words)
    sys.exit(100 if count < int(number) else code)


if __name__ == "__main__":
    main()
