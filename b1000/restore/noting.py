"""What the journal is told of a restore: that it begins, and how it ended."""

import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from b1000.identity import myself
from b1000.progress_files import directory_of, path_of_restore, remove
from b1000.runs.run import ProcessIdentity
from b1000.runs.stored import Restore
from b1000.state.opening import open_journal
from b1000.storage.question import StoredRow


def marks(process: ProcessIdentity | None = None) -> dict[str, str]:
    """What the rsyncs of a restore have in their environment: of this process, or another."""
    whose = process or myself()
    return {"B1000_RUN": f"restore-{whose.pid}-{whose.ticks}", "B1000_COMMAND": "rsync-restore"}


INTERRUPTED = "interrupted"
"""The error of a restore that was ended by a signal, or killed."""


def was_interrupted(path: Path, begun: Restore) -> None:
    """Note that what its process restored is over."""
    remove(path_of_restore(directory_of(path), begun.restore_id))
    with closing(open_journal(path)) as journal, journal.transaction():
        journal.end_restores_of(begun.process, INTERRUPTED)


def is_given_up(path: Path, begun: Restore) -> None:
    """Note that nobody goes on with it."""
    remove(path_of_restore(directory_of(path), begun.restore_id))
    with closing(open_journal(path)) as journal, journal.transaction():
        journal.forget_restore(begun.restore_id, INTERRUPTED)


def note(path: Path, row: StoredRow, target: str, words: str) -> tuple[Path, Callable[[str], None]]:
    """Note in the journal that a restore into ``target`` begins.

    Gives the file that tells how far it is, and what notes how it ended: with an error, or "".
    """
    status = os.stat(target)
    begun = Restore(
        status.st_dev,
        status.st_ino,
        target,
        words,
        row.key.job,
        row.key.instance,
        row.host,
        row.root.destination,
        row.path,
        row.backup.run,
        time.time(),
        *myself(),
    )
    with closing(open_journal(path)) as journal, journal.transaction():
        number = journal.begin_restore(begun)

    progress = path_of_restore(directory_of(path), number)

    def noted(error: str) -> None:
        remove(progress)
        with closing(open_journal(path)) as journal, journal.transaction():
            journal.end_restore(number, error)

    return progress, noted
