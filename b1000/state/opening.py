"""Opening the journal to write: it is made, migrated, waited for, or set aside."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from b1000.errors import JournalUnusable, message_beside
from b1000.files import make_directory
from b1000.locks import Locks
from b1000.logs import for_all
from b1000.rsync.paths import START_TIME
from b1000.state.damage import Corrupt, is_damage, suspicion
from b1000.state.journal import Journal
from b1000.state.mending import Damage

_BUSY_AT_START = 60.0  # seconds that another writer may hold the journal when it is opened
_MOST_LOGGED = 20  # damaged rows that are told one by one
_LOST = (
    "the journal %s was empty or missing and a new one is begun, although jobs have run here "
    "(their locks are in %s): what it knew of failed runs and pending reports is lost, and --copy "
    "retries none of them; run again what had failed, or, if the journal only lies elsewhere, put "
    "it back while no b1000 runs"
)


def open_journal(
    path: Path,
    clock: Callable[[], float] = time.time,
    stopped: Callable[[], bool] = lambda: False,
) -> "Journal":
    """Open the journal, make or migrate it, and set a corrupt one aside.

    Raises JournalUnusable where it cannot be used and must not be replaced:
    no permission, no space, a newer schema, locked for too long. A lock is not
    waited for any more once ``stopped``.
    """
    try:
        make_directory(path.parent, 0o700)
        try:
            journal = _with_damage_logged(_when_it_is_free(path, clock, stopped))
            if journal.new and (locks := Locks.beside(path)).know_reports():
                for_all().error(_LOST, path, locks.directory)
            return journal
        except sqlite3.DatabaseError as error:
            if not _is_corrupt(error):
                raise
        # One program sets it aside; whoever waited finds a new one.
        with Locks.beside(path).hold("journal"):
            try:
                return _with_damage_logged(Journal(path, clock))
            except sqlite3.DatabaseError as error:
                if not _is_corrupt(error):
                    raise
                aside, what = _set_aside(path, clock), str(error)
            for_all().error(
                "the journal %s is corrupt (%s); it was set aside as %s and a new one begun: "
                "what it knew of failed runs and pending reports stays there",
                path,
                what,
                aside,
            )
            return Journal(path, clock)
    except OSError as error:
        raise JournalUnusable(
            f"the journal {path} cannot be opened: {message_beside(error, path)}",
            "see status_dir and journal in the configuration, and their permissions",
        ) from None
    except sqlite3.Error as error:
        raise JournalUnusable(
            f"the journal {path} cannot be opened: {error}",
            "see its permissions, the space on its disk, and which other program has it open",
        ) from None


def _with_damage_logged(journal: "Journal") -> "Journal":
    log_damage(journal.path, journal.mended)
    return journal


def log_damage(path: Path, found: Sequence[Damage]) -> None:
    """Log what could not be read in a journal, and what was done about it."""
    log = for_all()
    for each in found[:_MOST_LOGGED]:
        log.error("the journal %s is damaged: %s", path, each)
    if len(found) > _MOST_LOGGED:
        log.error("the journal %s: %d rows are damaged in all", path, len(found))


def _when_it_is_free(
    path: Path, clock: Callable[[], float], stopped: Callable[[], bool]
) -> "Journal":
    """Open the journal, waiting for somebody else who has it locked."""
    until = time.monotonic() + _BUSY_AT_START
    while True:
        try:
            return Journal(path, clock)
        except sqlite3.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # none where a text is no UTF-8
            busy = code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or stopped() or time.monotonic() > until:
                raise
            time.sleep(0.1)


def _is_corrupt(error: sqlite3.DatabaseError) -> bool:
    return isinstance(error, Corrupt) or is_damage(error)


def _set_aside(path: Path, clock: Callable[[], float]) -> Path:
    """Rename the journal and its companions; the name says what it is."""
    suspicion(path).unlink(missing_ok=True)
    stamp = datetime.fromtimestamp(clock()).strftime(START_TIME)
    aside = path.with_name(f"{path.name}.corrupt-{stamp}-{os.getpid()}")
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{path}{suffix}", f"{aside}{suffix}")
    return aside
