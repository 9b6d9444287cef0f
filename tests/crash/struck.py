"""``python -m tests.crash.struck KIND NUMBER WHEN ARGUMENTS...``: B1000, struck at one commit.

Runs the program as it is, with the journal's transaction wrapped from outside:
before or after (WHEN) its NUMBER-th commit, SIGKILL goes to the supervisor
itself, to its first worker, to all workers that are idle, to the reporters of marks, or to every
rsync of its runs (KIND).
With ``hand-over`` it goes to a worker at its NUMBER-th task, before that is sent or before it
is read.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import psutil

from b1000 import cli
from b1000.runs.protocol import Assigned
from b1000.state.journal import Journal
from b1000.supervise.children import Child
from b1000.supervise.pool import Pool
from b1000.supervise.reporting import Reporting


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


def remember_pool() -> list[Pool]:
    """The pool of the program, once it is there."""
    pools: list[Pool] = []
    make = Pool.__init__

    def remembered(self: Pool, *words: Any, **named: Any) -> None:
        make(self, *words, **named)
        pools.append(self)

    Pool.__init__ = remembered  # type: ignore[method-assign]
    return pools


def remember_reporters() -> list[Reporting]:
    """The reporters of the program, once they are there."""
    found: list[Reporting] = []
    make = Reporting.__init__

    def remembered(self: Reporting, *words: Any, **named: Any) -> None:
        make(self, *words, **named)
        found.append(self)

    Reporting.__init__ = remembered  # type: ignore[method-assign]
    return found


def strike_tasks(number: int, when: str) -> Callable[[], int]:
    """Strike a worker as it is given its task; gives how many tasks there were so far."""
    send, count = Child.send, 0

    def struck(self: Child, order: object, *descriptors: int) -> bool:
        nonlocal count
        count += isinstance(order, Assigned)
        if not isinstance(order, Assigned) or count != number:
            return send(self, order, *descriptors)
        if when == "before":
            os.kill(self.pid, signal.SIGKILL)
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            return send(self, order, *descriptors)
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)
        sent = send(self, order, *descriptors)
        os.kill(self.pid, signal.SIGKILL)
        return sent

    Child.send = struck  # type: ignore[method-assign]
    return lambda: count


def main() -> None:
    """Wrap the journal, or what gives tasks to workers, and run the command line."""
    kind, number, when, *words = sys.argv[1:]
    if kind == "hand-over":
        tasks = strike_tasks(int(number), when)
        code = cli.run(words)
        sys.exit(100 if tasks() < int(number) else code)
    whole = Journal.transaction
    pools = remember_pool()
    reporters = remember_reporters()
    count = 0

    def struck_now() -> None:
        if kind == "marks":
            for each in (child for found in reporters for child in found.children if child.marks):
                each.child.kill()
            return
        if kind != "idle":
            strike(kind, os.getpid())
            return
        for pool in pools:
            for child in pool._idle:
                child.kill()

    @contextlib.contextmanager
    def struck(self: Journal) -> Iterator[None]:
        nonlocal count
        count += 1
        with whole(self):
            yield
            if (count, when) == (int(number), "before"):
                struck_now()
        if (count, when) == (int(number), "after"):
            struck_now()

    Journal.transaction = struck  # type: ignore[method-assign, assignment]
    code = cli.run(words)
    sys.exit(100 if count < int(number) else code)


if __name__ == "__main__":
    main()
