"""Damage of the journal's file: how it is known, and how it is noted for the next who opens it."""

import contextlib
import os
import sqlite3
from pathlib import Path

from b1000.errors import JournalFailed
from b1000.files import open_file
from b1000.state.reading import NO_TEXT, Illegible


class failing:  # noqa: N801
    """Turn what may happen to any database (disk, locks, corruption) into JournalFailed.

    What can only be a mistake of this program stays what it is. A class, not a generator: each
    run asks a dozen times.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, UnicodeDecodeError):
            error = Illegible(NO_TEXT)
        ours = isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError)
        if isinstance(error, sqlite3.DatabaseError) and not ours:
            raise JournalFailed(str(error)) from error


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file itself is no sound database."""
    damage = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in damage or isinstance(error, Illegible)


def suspicion(journal: Path) -> Path:
    """The file that stands beside a journal in which damage was met while it was in use.

    A large journal is not looked through at each start, but when it is opened after this.
    """
    return journal.with_name(f"{journal.name}.suspect")


def suspect(journal: Path, error: BaseException | None) -> None:
    """Note that damage was met, if ``error`` is that."""
    if isinstance(error, sqlite3.IntegrityError) or (
        isinstance(error, sqlite3.Error) and is_damage(error)
    ):
        with contextlib.suppress(OSError):
            os.close(open_file(suspicion(journal), os.O_WRONLY | os.O_CREAT, follow=False))


class Corrupt(sqlite3.DatabaseError):
    """What SQLite's own check found."""
