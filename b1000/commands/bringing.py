"""The act of ``b1000 restore``: what it locks, notes, brings and has compared."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from b1000.commands.concluding import Conclusion
from b1000.commands.output import terminal
from b1000.commands.restore_bar import Bar
from b1000.errors import UsageError
from b1000.identity import is_alive
from b1000.locks import Locks, run_lock
from b1000.named import NamedTuple
from b1000.restore import failover, looking, noting, receiving, restoring
from b1000.restore import held as holding
from b1000.restore.choice import Choice
from b1000.restore.listed import RestoreFailed
from b1000.restore.restoring import Keeping, Restoring
from b1000.runs.run import label
from b1000.runs.stored import Restore
from b1000.state.opening import open_journal

if TYPE_CHECKING:
    from b1000.config.loader import Config
    from b1000.config.selectors import Selector
    from b1000.restore.answer import Answer
    from b1000.storage.survey import Journalled


class Surroundings(NamedTuple):
    """What a restore is given: ``say`` tells on standard output, ``warn`` beside it."""

    config: "Config"
    arguments: Any
    journal: "Journalled"
    answer: "Answer"
    say: Callable[[str], None]
    warn: Callable[[str], None]


def _is_still(path: str, before: os.stat_result) -> bool:
    """Whether a directory is the one that it was."""
    try:
        return os.path.samestat(os.stat(path), before)
    except OSError:
        return False


def _make(directory: str, mode: int = 0o777) -> None:
    """Make a directory and those above it, where they are missing. Raises UsageError."""
    try:
        os.makedirs(directory, mode=mode, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be made: {error.strerror}") from None


def refuse_live(config: "Config", wanted: "Selector", journal: "Journalled") -> None:
    """Raises UsageError where a run is at work that may be why nothing fits: it writes a tree.

    By the journal: whoever tries the lock of a run that is about to begin is in its way.
    """
    for run in journal.unfinished():
        meant = run.job == wanted.job and wanted.instance in (None, run.instance)
        if meant and is_alive(run.supervisor):
            raise _live(label(run.job, run.instance), config)


def _live(what: str, config: "Config") -> UsageError:
    return UsageError(
        f"a run of {what} is at work; nothing was restored",
        f"`{config.command('status')}` shows it; try again when it has ended",
    )


class Bringing:
    """One restore, of which everything is known."""

    def __init__(
        self,
        surroundings: Surroundings,
        choice: Choice,
        ways: Sequence[Restoring],
        begun: Restore | None,
    ) -> None:
        self._with = surroundings
        self._arguments = surroundings.arguments
        self._keys = surroundings.answer.keys
        self._choice = choice
        self._ways = [*ways]
        self._begun = begun
        self._journal_path = Path(surroundings.config.settings.journal)
        self._locks = Locks.beside(self._journal_path)
        self._bar = Bar(choice.row, None if self._arguments.json else terminal())

    def run(self, words: str, private: str) -> int:
        """Carry it out; gives the exit code. Raises UsageError and RestoreFailed.

        What may refuse it comes first: the journal, another restore, a run that is at work.
        """
        open_journal(self._journal_path).close()
        target = os.path.abspath(self._arguments.to or "/")
        _make(target, 0o700)
        locks = [self._alone(target)]
        try:
            self._end_orphans(target)  # whose rsyncs have the lock of a run, too
            locks += self._keep_runs_away()
            for part in self._ways[0].parts:
                _make(part.target)
            with holding.held(self._ways) as self._ways:
                return self._run_into(target, words, private, locks[1:])
        finally:
            for descriptor in locks:
                os.close(descriptor)

    def _run_into(self, target: str, words: str, private: str, held: Sequence[int]) -> int:
        status = self._look_again(target)
        progress, noted = noting.note(self._journal_path, self._choice.row, target, words)
        self._bar.tell(progress, self._choice.row.backup.counts.bytes)
        try:
            way = self._bring(held)
            if not _is_still(target, status):
                raise RestoreFailed(f"{target} was replaced meanwhile; what has come is not in it")
            concluding = Conclusion(self._with, self._ways, self._choice.older)
            error, code = concluding.conclude(way, private)
        except Exception as failure:
            self._bar.clear()
            noted(str(failure))
            raise
        except BaseException:
            self._warn(f"{noting.INTERRUPTED}; the same command resumes it")
            noted(noting.INTERRUPTED)
            raise
        self._keys["error"] = error
        noted(error)
        return code

    # --- before it begins

    def _look_again(self, target: str) -> os.stat_result:
        """What DIR is, which was looked at by its name until now. Raises UsageError."""
        if not self._arguments.to:
            return os.stat(target)
        (part,) = self._ways[0].parts
        if not self._begun and not self._arguments.existing and os.listdir(part.target):
            raise UsageError(f"{target} was replaced meanwhile, and nothing was restored")
        return os.stat(part.target)

    def _alone(self, target: str) -> int:
        """No other restore goes to the same place meanwhile. Raises UsageError."""
        key = self._choice.row.key
        status = os.stat(target)
        what = f"{key.job}@{key.instance}" if self._arguments.in_place else ""
        lock = self._locks.take(f"restore@{status.st_dev}@{status.st_ino}@{what}")
        if lock is None:
            where = "in place" if self._arguments.in_place else f"into {target}"
            raise UsageError(f"another b1000 restores {where}; nothing was restored")
        return lock

    def _end_orphans(self, target: str) -> None:
        """End the rsyncs of restores to the same place whose b1000 was killed."""
        status = os.stat(target)
        for begun in self._with.journal.restores_under_way(status.st_dev, status.st_ino):
            if not is_alive(begun.process):
                from b1000.work.tree import end_marked  # with the loop of workers

                end_marked(noting.marks(begun.process))
                noting.was_interrupted(self._journal_path, begun)

    def _keep_runs_away(self) -> list[int]:
        """What is restored in place is not backed up meanwhile. Raises UsageError."""
        if not self._arguments.in_place:
            return []
        key = self._choice.row.key
        lock = self._locks.take(run_lock(key.job, key.instance))
        if lock is None:
            raise _live(self._arguments.job, self._with.config)
        return [lock]

    # --- the act

    def _bring(self, held: Sequence[int]) -> Restoring:
        """Bring it; gives from where. Raises RestoreFailed."""
        config = self._with.config
        row = self._choice.row
        limits = self._with.journal.limits(config.destinations[row.root.destination])
        seconds = limits.copy_timeout or restoring.NO_END
        keeping = Keeping((), noting.marks(), seconds, self._bar.cut())
        self._ways = [
            each._replace(
                keeping=keeping._replace(
                    added=each.keeping.added,
                    names=each.keeping.names,
                    descriptors=(*each.keeping.descriptors, *held),
                )
            )
            for each in self._ways
        ]
        self._sweep(self._ways[0])
        began = time.monotonic()
        way, result = failover.bring(
            self._ways,
            limits.copy_retries,
            limits.copy_retry_min_sleep,
            self._warn,
            self._with.answer.brought,
        )
        self._bar.clear()
        self._keys["seconds"] = round(time.monotonic() - began, 3)
        if result.exit_code != 0:
            raise RestoreFailed(f"not restored: {result.reason}")
        self._with.answer.read_from(way.row.root.destination, way.row.path)
        return way

    def _sweep(self, way: Restoring) -> None:
        """Remove what killed rsyncs of the same restore have left in its own directory."""
        if self._begun:
            began = self._begun.began
            (part,) = way.parts
            left = looking.leftovers(way)
            resumed = way.manner.resumed
            receiving.remove_leftovers(part.target, left, began, resumed=resumed)

    def _warn(self, text: str) -> None:
        self._bar.clear()
        self._with.warn(text)
