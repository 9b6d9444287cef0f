"""Marks of one destination as a report: what is pending of it are backups that have none yet."""

import errno
import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from b1000.errors import B1000Error, message_of
from b1000.identity import new_uid
from b1000.locks import Locks
from b1000.marks import marking, placing, sending
from b1000.marks.marking import Written
from b1000.reports.addressee import Outbox
from b1000.reports.target import NotDelivered, RunsRefused
from b1000.rsync import outcome
from b1000.rsync.verdicts import Retry
from b1000.runs.protocol import MarksTaken
from b1000.runs.run import Copy, Run
from b1000.runs.states import COMPLETE
from b1000.state.queries import Reader

_AWAY = frozenset({errno.ENOENT, errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT})
"""What a file system says that is not there just now."""


class _Refused(B1000Error):
    """The storage takes no mark, and would not the next time."""


class MarkTarget:
    """Delivers the marks of one destination; ``reader`` gives the journal that is open."""

    linger = 0.0

    def __init__(self, box: Outbox, reader: Callable[[], Reader], locks: Locks) -> None:
        self.settle = box.wait
        self._destination = box.destination
        self._limits = box.limits
        self._reader = reader
        self._locks = locks
        self._working: dict[str, str] = {}  # root → where its marks are taken

    def deliver(self, runs: Sequence[Run]) -> tuple[set[int], Exception | None]:
        """Deliver the mark of each run; gives those that arrived, and what was in the way.

        What is not wanted any more counts as arrived. Raises NotDelivered and OSError.
        """
        if not any(run.type == "sync" for run in runs):
            return self._deliver(runs)
        # A later run of a sync says that it begins, and this must not come behind that.
        with self._locks.hold(marking.lock(self._destination.name)):
            return self._deliver(runs)

    def _deliver(self, runs: Sequence[Run]) -> tuple[set[int], Exception | None]:
        arrived: set[int] = set()
        roots: dict[str, dict[int, Written]] = defaultdict(dict)
        found = {run.run_id: copy for run in runs if (copy := self._copy(run))}
        reader = self._reader()
        left = reader.left_by_marks(self._destination.name, [*found])
        dirty = reader.with_leftovers([copy.path for copy in found.values()])
        for run in runs:
            copy = found.get(run.run_id)
            if not copy or run.run_id in left:
                arrived.add(run.run_id)
                continue
            mark = marking.of_run(run, copy, leftovers=copy.path in dirty)
            roots[mark.root][run.run_id] = mark
        trouble: Exception | None = None
        for root, marks in roots.items():
            try:
                done, refused = self._into(root, marks, runs)
                arrived |= done
                trouble = refused or trouble
            except _Refused as error:
                trouble = RunsRefused(marks, str(error))
            except (NotDelivered, OSError) as error:
                trouble = error
        return arrived, trouble

    def close(self) -> None:
        """Nothing stays open."""

    def note_taken(self, where: MarksTaken) -> None:
        """Ask there first."""
        self._working[where.root] = where.target

    def _copy(self, run: Run) -> Copy | None:
        """The copy of a run that is to have a mark here; None where it is to have none."""
        copy = next((c for c in run.copies if c.destination == self._destination.name), None)
        return copy if copy and copy.complete and self._destination.mark else None

    def _into(
        self, root: str, marks: Mapping[int, Written], runs: Sequence[Run]
    ) -> tuple[set[int], Exception | None]:
        destination = self._destination
        known = self._working.get(root)
        targets = marking.targets(root, destination.path, destination.mark_path, known)
        if targets[-1].startswith("rsync://"):
            self._send(root, targets, [*marks.values()])
            return {*marks}, None
        started = min(run.started for run in runs if run.run_id in marks)
        try:
            return self._put(root, targets[-1], marks, started)
        except OSError as error:
            if error.errno in _AWAY:
                raise NotDelivered(message_of(error)) from None
            raise _Refused(message_of(error)) from None

    # --- a local tree

    def _put(
        self, root: str, target: str, marks: Mapping[int, Written], started: float
    ) -> tuple[set[int], Exception | None]:
        """Write them, after all that they speak for."""
        wanted = {*marks}
        if not root.startswith("rsync://"):
            wanted = {number for number, mark in marks.items() if placing.is_there(mark)}
            if wanted != {*marks} and not _is_known(root):
                gone = next(mark for number, mark in marks.items() if number not in wanted)
                raise NotDelivered(f"{root}/{gone.place} is not there; is its disk mounted?")
            placing.sync(root)
            placing.identify(root, new_uid(), started)
        if target != root:
            os.makedirs(target, exist_ok=True)
        refused: dict[int, str] = {}
        for number in wanted:
            try:
                placing.put(marks[number], target)
            except OSError as error:
                if error.errno in _AWAY:
                    raise
                refused[number] = message_of(error)
        placing.tidy((marks[number] for number in wanted - refused.keys()), target)
        placing.sync(target)
        trouble = RunsRefused(refused, next(iter(refused.values()))) if refused else None
        return {*marks} - {*refused}, trouble

    # --- a daemon

    def _send(self, root: str, targets: Sequence[str], marks: Sequence[Written]) -> None:
        """Send them in one session, to the first of the places that there is."""
        for target in targets:
            result = sending.send(marks, target, self._destination, self._limits)
            if result.status in COMPLETE:
                self._working[root] = target
                return
            if target != targets[-1] and outcome.is_without_module(result):
                continue
            text = f"{target}: {result.reason}"
            if target == root and outcome.is_at_the_gate(result):
                text += marking.module_for(self._destination.path, self._destination.mark_path)
            raise _Refused(text) if result.retry is Retry.NEVER else NotDelivered(text)


def _is_known(root: str) -> bool:
    """Whether there is a root, with its id."""
    from b1000.storage import local  # where a backup is not there

    return bool(local.identity(root))
