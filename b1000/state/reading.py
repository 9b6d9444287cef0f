"""How an SQLite file is opened that others may write, and that is only read here."""

import os
import sqlite3
from pathlib import Path

AS_IT_IS = "immutable=1"
"""Look at the file alone, whatever is beside it."""

_REFUSED = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


def connect(path: Path, timeout: float) -> sqlite3.Connection:
    """Open it beside its writers; ``timeout`` seconds is what a statement waits for them.

    SQLite keeps an index beside a file in use, and makes it where it is missing. Whoever may
    not write there can read a file only as it is, once nothing is missing from it.
    Raises sqlite3.Error.
    """
    try:
        return connect_with(path, "", timeout)
    except sqlite3.OperationalError as error:
        unused = is_all_in(path) and not os.access(path.parent, os.W_OK)
        if error.sqlite_errorcode & 0xFF not in _REFUSED or not unused:
            raise
        return connect_with(path, AS_IT_IS, timeout)


def connect_with(path: Path, parameter: str, timeout: float) -> sqlite3.Connection:
    """Open it with one more parameter of SQLite's URIs. Raises sqlite3.Error."""
    uri = f"{path.absolute().as_uri()}?{'&'.join(filter(None, ('mode=ro', parameter)))}"
    connection = sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None)
    try:
        connection.execute("PRAGMA schema_version").fetchone()  # the file itself is opened by this
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def is_all_in(path: Path) -> bool:
    """Whether nothing is missing from the file: beside it there is no log of changes, or no change.

    A log without changes stays where somebody has read a file at rest.
    """
    try:
        return not os.stat(f"{path}-wal").st_size
    except FileNotFoundError:
        return True
