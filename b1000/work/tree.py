"""The whole tree of a process, found by session, by mark and by parent, and ended."""

import contextlib
import os
import signal
import time
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from b1000.identity import is_alive
from b1000.runs.run import ProcessIdentity
from b1000.work.waiting import sleep

if TYPE_CHECKING:
    import psutil

GRACE = 10.0  # seconds between SIGTERM and SIGKILL
_DRAIN = 1.0  # seconds in which the other processes of a killed rsync may save a partial file
_LOOK = 0.1  # seconds between looks at what is still alive
_KILL_TIME = 5.0  # seconds after which what survives SIGKILL (a hung disk) is given up

RSYNC = "rsync-"
"""How ``B1000_COMMAND`` begins in an rsync of ours.

A sender that handles SIGTERM, SIGINT or SIGHUP may write wrong files (docs/decisions/11): such a
process is ended by SIGKILL alone.
"""


async def end_tree(
    mark: Mapping[str, str],
    roots: Collection[ProcessIdentity] = (),
    spared: Collection[str] = (),
    child: int | None = None,
) -> None:
    """End the processes ``roots``, their sessions and descendants, and all that carry the mark.

    ``child`` is a root too: one of this process's own that was not waited for,
    whose id nobody else can have.

    SIGTERM first; what is still there after :data:`GRACE` seconds gets SIGKILL. An rsync of
    ours gets no other signal than that: its first process at once, the others, who see their
    connection end by that, a moment later. What carries a ``B1000_COMMAND`` that is ``spared``
    is left alone.
    """
    ending = TreeEnding(mark, roots, spared, child)
    while (pause := ending.step()) is not None:
        await sleep(pause)


class TreeEnding:
    """What :func:`end_tree` does, a step at a time."""

    def __init__(
        self,
        mark: Mapping[str, str],
        roots: Collection[ProcessIdentity] = (),
        spared: Collection[str] = (),
        child: int | None = None,
    ) -> None:
        self._tree = _Tree(mark, roots, spared, child)
        self._began = time.monotonic()

    def step(self) -> float | None:
        """Seconds until the next step; None when nothing is alive any more, or is given up."""
        since = time.monotonic() - self._began
        if not self._tree.scan() or since >= GRACE + _KILL_TIME:
            return None
        self._tree.kill_rsyncs(whole=since >= _DRAIN)
        self._tree.signal(signal.SIGTERM if since < GRACE else signal.SIGKILL)
        return _LOOK


def end_marked(mark: Mapping[str, str]) -> bool:
    """End all that carry the mark, where nothing else goes on meanwhile; whether any was there."""
    ending, found = TreeEnding(mark), False
    while (pause := ending.step()) is not None:
        found = True
        time.sleep(pause)
    return found


def every_process() -> Iterator["psutil.Process"]:
    """All processes, each as it is now.

    psutil.process_iter remembers earlier looks, and since psutil 6 takes a new
    process under an id that it knows for the old one, to which it sends no signal.
    """
    import psutil

    try:
        pids = psutil.pids()
    except OSError:  # no descriptor is left to look with
        return
    for pid in pids:
        with contextlib.suppress(psutil.Error, OSError):
            yield psutil.Process(pid)


class _Tree:
    """Who belongs to a process: by session, by mark, by a parent that belongs to it.

    Who was once seen to belong to it does so until it ends.
    """

    def __init__(
        self,
        mark: Mapping[str, str],
        roots: Collection[ProcessIdentity],
        spared: Collection[str],
        child: int | None,
    ) -> None:
        import psutil  # here: most runs never end a tree, and it takes time to import

        self._psutil = psutil
        self._mark = mark
        self._roots = roots
        self._child = child
        self._spared = spared
        self._members: set[psutil.Process] = set()
        self._rsyncs: set[psutil.Process] = set()
        self._signalled: set[psutil.Process] = set()

    def scan(self) -> bool:
        """Look for members; gives whether any is alive."""
        # The id of a root that has ended may be a stranger's by now.
        sessions = {root.pid for root in self._roots if is_alive(root)}
        if self._child is not None:
            sessions.add(self._child)
        found = {m for m in every_process() if self._belongs(m, sessions)}
        for member in tuple(found):
            with contextlib.suppress(self._psutil.Error, OSError):
                found.update(member.children(recursive=True))
        self._members = {member for member in self._members | found if self._lives(member)}
        self._rsyncs = {m for m in self._members if m in self._rsyncs or self._is_rsync(m)}
        return bool(self._members)

    def kill_rsyncs(self, whole: bool) -> None:
        """SIGKILL each rsync of ours: its first process, or with ``whole`` all of them."""
        for member in self._rsyncs:
            with contextlib.suppress(self._psutil.Error, ProcessLookupError):
                if whole or os.getsid(member.pid) == member.pid:
                    member.kill()

    def signal(self, number: signal.Signals) -> None:
        """Signal all others: by SIGTERM each once, by SIGKILL as often as it is asked for."""
        members = self._members - self._rsyncs
        if number is signal.SIGTERM:
            members = members - self._signalled
            self._signalled |= members
        for member in members:
            # psutil compares creation times first: a stranger under the same id gets nothing.
            with contextlib.suppress(self._psutil.Error):
                member.send_signal(number)
                if number is signal.SIGTERM:
                    member.send_signal(signal.SIGCONT)  # a stopped process would not hear it

    def _is_rsync(self, member: "psutil.Process") -> bool:
        if self._mark.get("B1000_COMMAND", "").startswith(RSYNC):
            return True
        try:
            return member.environ().get("B1000_COMMAND", "").startswith(RSYNC)
        except (self._psutil.Error, OSError):
            return False

    def _lives(self, member: "psutil.Process") -> bool:
        try:
            return bool(member.is_running() and member.status() != self._psutil.STATUS_ZOMBIE)
        except (self._psutil.NoSuchProcess, OSError):
            return False

    def _belongs(self, member: "psutil.Process", sessions: Collection[int]) -> bool:
        try:
            if os.getsid(member.pid) in sessions:
                return True
            environment = member.environ()
            if environment.get("B1000_COMMAND") in self._spared:
                return False
            return self._mark.items() <= environment.items()
        # OSError: of files in /proc that go while they are read, and which psutil does not explain.
        except (self._psutil.Error, OSError):
            return False
