"""A view of the journal that is only read: how it is opened, and how rows come out of it."""

import contextlib
import functools
import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from b1000.errors import JournalFailed, JournalOutdated, JournalUnusable, message_beside
from b1000.state import columns, reading, rows, schema
from b1000.state.columns import Names, Tables
from b1000.state.damage import failing, is_damage, suspect
from b1000.state.migrations import migrate
from b1000.state.reading import Illegible

_MENDED_BY_ITSELF = "the next b1000 that runs jobs sets it aside and begins a new one"
_WHOSE = (
    "it belongs to the user who runs the backups, mostly root; "
    "docs/status.md says how others may read it"
)
_OLDER = (  # no command to be copied: which configuration it would need, is not known here
    "the next b1000 that runs jobs brings it up to date, "
    "and --copy by this configuration does so now"
)
_NEWER = "use the newer b1000 that wrote it"
_SPACE = "see the space on its disk, and whether that is sound"
_WHERE = "see status_dir and journal in the configuration"
_BUSY = 30.0  # seconds that a statement waits for a writer
_BEING_MADE = 1.0  # seconds that the making of a new journal may take


class View:
    """A read-only view of a journal, safe beside its writers.

    ``untouched``: a short look that leaves not even the files that SQLite keeps
    beside a journal in use. With ``suspecting``, damage that it meets is noted for
    the next who opens the journal to write. What it is asked may raise JournalFailed.

    A row that cannot be read is skipped, and noted in ``damaged`` as ``table.column``.
    """

    def __init__(self, path: Path, untouched: bool = False, suspecting: bool = False) -> None:
        self.path = path
        self._suspecting = suspecting
        self.damaged: set[str] = set()
        try:
            self._db = _open(path, untouched)
            try:
                with reading.legible():
                    self._agree_on_schema()
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            hint = _MENDED_BY_ITSELF if is_damage(error) else _hint(error)
            raise JournalUnusable(f"the journal {path} cannot be read: {error}", hint) from None
        except OSError as error:
            hint = _WHOSE if isinstance(error, PermissionError) else _WHERE
            what = message_beside(error, path)
            raise JournalUnusable(f"the journal {path} cannot be read: {what}", hint) from None

    def _agree_on_schema(self) -> None:
        version = self._version()
        if not version:
            # The program that was to make it died: nothing was ever written here.
            self._db.close()
            self._db = _nothing()
        elif version == len(schema.MIGRATIONS):
            if not columns.is_complete(self._db):
                raise Illegible("its tables are not those that b1000 made")
        else:
            known = len(schema.MIGRATIONS)
            text = f"the journal {self.path} has schema {version}, this program reads {known}"
            if version > known:
                raise JournalUnusable(text, _NEWER)
            raise JournalOutdated(text, _OLDER)

    def _version(self) -> int:
        """The schema's version; one that another program is making at this moment is waited for."""
        until = time.monotonic() + _BEING_MADE
        while True:
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version or time.monotonic() > until:
                return int(version)
            time.sleep(0.02)

    def close(self) -> None:
        """Close the view."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @functools.cached_property
    def _tables(self) -> Tables:
        return columns.made(self._db)

    @functools.cached_property
    def _names(self) -> Names:
        return columns.by_name(self._tables)

    def _ask(self, sql: str, parameters: Sequence[str | float] = ()) -> list[sqlite3.Row]:
        """The rows of an answer that can be read."""
        sound = []
        for row in self._rows(sql, parameters):
            bad = rows.unreadable(row, self._names)
            self.damaged.update(bad)
            if not bad:
                sound.append(row)
        return sound

    def _rows(self, sql: str, parameters: Sequence[str | float] = ()) -> list[sqlite3.Row]:
        """The rows of an answer as they are; what is no text may be bytes."""
        try:
            with failing():
                try:
                    return self._db.execute(sql, parameters).fetchall()
                except sqlite3.OperationalError as error:
                    if "decode" not in str(error) or self._db.text_factory is columns.lenient:
                        raise
                self._db.text_factory = columns.lenient
                return self._db.execute(sql, parameters).fetchall()
        except JournalFailed as error:
            if self._suspecting:
                suspect(self.path, error.__cause__)
            raise JournalFailed(f"the journal {self.path} cannot be read: {error}") from None


def _hint(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return _SPACE if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL) else _WHOSE


def _open(path: Path, untouched: bool) -> sqlite3.Connection:
    database = _untouched(path) if untouched else reading.connect(path, _BUSY)
    database.row_factory = sqlite3.Row
    return database


def _untouched(path: Path) -> sqlite3.Connection:
    if reading.is_all_in(path):
        return reading.connect_with(path, reading.AS_IT_IS, _BUSY)
    if os.path.exists(reading.beside(path, "-shm")):
        # The program that has it in use may end at this moment and take both files away.
        with contextlib.suppress(sqlite3.OperationalError):
            return reading.connect_with(path, "readonly_shm=1", _BUSY)
        if reading.is_all_in(path):
            return reading.connect_with(path, reading.AS_IT_IS, _BUSY)
    return reading.connect(path, _BUSY)


def _nothing() -> sqlite3.Connection:
    """A journal in which there is nothing yet."""
    database = sqlite3.connect(":memory:", isolation_level=None)
    migrate(database)
    database.row_factory = sqlite3.Row
    return database
