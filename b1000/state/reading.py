"""How an SQLite file is opened that others may write, and that is only read here."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from b1000.files import refuse_special

AS_IT_IS = "immutable=1"
"""Look at the file alone, whatever is beside it."""

NO_TEXT = "a name in it is no text"
"""What is said of damage that SQLite's own words cannot be read for."""

_REFUSED = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
_NO_INDEX = (  # there is no space for it
    sqlite3.SQLITE_IOERR_SHMMAP,
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_SHMSIZE,
)


class Illegible(sqlite3.DatabaseError):
    """A name in the file is no text: the file is damaged."""


@contextlib.contextmanager
def legible() -> Iterator[None]:
    """Raise Illegible where SQLite's own words hold what is no text, which Python cannot tell."""
    try:
        yield
    except UnicodeDecodeError:
        raise Illegible(NO_TEXT) from None


def connect(path: Path, timeout: float) -> sqlite3.Connection:
    """Open it beside its writers; ``timeout`` seconds is what a statement waits for them.

    SQLite keeps an index beside a file in use, and makes it where it is missing. A program that
    may not write there, or finds the disk full, can read a file only as it is, once nothing is
    missing from it.
    Raises sqlite3.Error, and OSError where something else than files stands there.
    """
    try:
        return connect_with(path, "", timeout)
    except sqlite3.OperationalError as error:
        code = error.sqlite_errorcode
        refused = code & 0xFF in _REFUSED and not os.access(path.parent, os.W_OK)
        if not (refused or code in _NO_INDEX) or not is_all_in(path):
            raise
        return connect_with(path, AS_IT_IS, timeout)


def connect_with(path: Path, parameter: str, timeout: float) -> sqlite3.Connection:
    """Open it with one more parameter of SQLite's URIs. Raises what :func:`connect` raises."""
    check_files(path)
    uri = f"{path.absolute().as_uri()}?{'&'.join(filter(None, ('mode=ro', parameter)))}"
    connection = sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None)
    try:
        with legible():
            connection.execute("PRAGMA schema_version").fetchone()  # this opens the file itself
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def check_files(path: Path) -> None:
    """Raise OSError where SQLite would open anything but files: it would wait for a FIFO.

    The file itself may be a link; what SQLite keeps beside it may not.
    """
    refuse_special(path, follow=True)
    for suffix in ("-wal", "-shm", "-journal"):
        refuse_special(beside(path, suffix), follow=False)


def beside(path: Path, suffix: str) -> str:
    """What SQLite keeps beside a file, which is beside the file that a link leads to."""
    return f"{os.path.realpath(path)}{suffix}"


def is_all_in(path: Path) -> bool:
    """Whether nothing is missing from the file: beside it there is no log of changes, or no change.

    A log without changes stays where a file at rest was read.
    """
    try:
        return not os.stat(beside(path, "-wal")).st_size
    except FileNotFoundError:
        return True
