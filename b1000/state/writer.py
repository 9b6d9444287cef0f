"""An open journal that is written: its check, its mending, its transactions."""

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from b1000 import addresses
from b1000.errors import JournalFailed
from b1000.expressions import expression
from b1000.files import open_file
from b1000.runs.lifecycle import Transition
from b1000.runs.states import CopyStatus, Ending, Status
from b1000.state import columns, mending, outbox
from b1000.state.conditions import UNCLOSED
from b1000.state.damage import Corrupt, failing, suspect, suspicion
from b1000.state.mending import Damage
from b1000.state.migrations import is_misnumbered, migrate
from b1000.state.reading import check_files, legible
from b1000.state.schema import MIGRATIONS

_BUSY_TIMEOUT = 1.0  # seconds that one statement waits for another writer
_MOMENT = 200  # milliseconds that it waits when the program is to end soon
_CHECKED_WHOLE = 64 * 2**20  # bytes up to which a journal is looked through when it is opened
_CHECKED_FULLY = 8 * 2**20  # bytes up to which the order of its rows and indexes is looked at too
_OF_A_ROW = expression(
    r"(NULL|non-\w+|\w+) value in \w+\.\w+|CHECK constraint failed in \w+"
    r"|row \d+ missing from index \w+|wrong # of entries in index \w+"
    r"|row not in PRIMARY KEY order for \w+"
)
"""What SQLite's checks say of what a row holds; all else is said of the file."""


class Writer:
    """The open journal: checked, mended where that is needed, and written in transactions."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._lasting = True
        # SQLite would make the file as the umask says; nobody else may read what it holds.
        os.close(open_file(path, os.O_RDWR | os.O_CREAT, follow=True))
        check_files(path)
        # A lock that lasts is for the caller to wait for, who has more to do.
        self._db = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, isolation_level=None)
        self._db.create_function("one_place", 1, addresses.one_place, deterministic=True)
        try:
            with legible():
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.execute("PRAGMA foreign_keys = ON")
                self._check_tables()
                self.mended = self._check()
                self._try_to_write()
        except BaseException:
            self._db.close()
            raise

    def _check_tables(self) -> None:
        """The tables are those of this program; those of an older one become that."""
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if is_misnumbered(version, lambda: columns.is_complete(self._db)):
            self._db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        self.new = migrate(self._db, self.path)
        if not columns.is_complete(self._db):
            raise Corrupt("its tables are not those that b1000 made")

    def _check(self) -> list[Damage]:
        """Notice corruption now, while the journal can still be set aside; mends what rows hold."""
        suspected = suspicion(self.path).exists()
        size = self.path.stat().st_size
        how = "integrity_check" if suspected or size <= _CHECKED_FULLY else "quick_check"
        damaged = suspected or mending.is_out_of_numbers(self._db)
        if suspected or size <= _CHECKED_WHOLE:
            damaged = not self._passes(how, _OF_A_ROW) or damaged
        found = []
        if damaged:
            try:
                found = self.mend()
            except JournalFailed as error:
                raise Corrupt(str(error)) from None
            self._passes(how)
            suspicion(self.path).unlink(missing_ok=True)
        for table in ("latest", "report_troubles"):
            self._db.execute(f"SELECT count(*) FROM {table}").fetchone()
        return found

    def _passes(self, how: str, but: re.Pattern[str] | None = None) -> bool:
        """Whether it passes a check of SQLite's; raises Corrupt for all flaws ``but`` some."""
        message = [text for (text,) in self._db.execute(f"PRAGMA {how}(100)")]
        for text in message:
            if text != "ok" and not (but and but.fullmatch(text)):
                raise Corrupt(text)
        return message == ["ok"]

    def mend(self) -> list[Damage]:
        """Close the runs whose rows cannot be read, and forget what else cannot; gives them.

        Raises JournalFailed where that is not possible now. Where it never will be, whoever opens
        the journal next sets it aside.
        """
        self._db.text_factory = columns.lenient
        try:
            with self.transaction():
                return mending.mend(self._db, self._close_damaged)
        except sqlite3.IntegrityError as error:
            raise JournalFailed(str(error)) from error
        finally:
            self._db.text_factory = str

    def _close_damaged(self, run_id: int, reason: str) -> None:
        """What is over stays so, with a warning; all else has FAILED for good."""
        now = self._clock()
        error, step, left = self._db.execute(
            f"SELECT error, step, ending IS NULL OR {UNCLOSED} FROM runs WHERE run_id = ?",
            (run_id,),
        ).fetchone()
        message = f"{error}; {reason}" if error else reason
        gone = []
        if left:
            gone = self._db.execute(
                """UPDATE copies SET status = ?, error = ?, ended = ?
                   WHERE run_id = ? AND status = ? RETURNING destination""",
                (CopyStatus.FAILED, reason, now, run_id, CopyStatus.COPYING),
            ).fetchall()
            self._db.execute(
                """UPDATE runs SET status = ?, ending = ?, ended = coalesce(ended, ?)
                   WHERE run_id = ?""",
                (Status.FAILED, Ending.CLOSED, now, run_id),
            )
        ((status,),) = self._db.execute(
            """UPDATE runs SET error = ?, status = iif(status = ?, ?, status) WHERE run_id = ?
               RETURNING status""",
            (message, Status.OK, Status.WARNING, run_id),
        ).fetchall()
        reports = [
            report
            for (report,) in self._db.execute(
                "SELECT value FROM runs, json_each(runs.reports) WHERE run_id = ?", (run_id,)
            )
        ]
        for (destination,) in gone:
            failed = Transition(destination, step, CopyStatus.FAILED, reason)
            self._append(run_id, now, failed)
        number = self._append(run_id, now, Transition("", step, status, message))
        self._add_pending(run_id, reports, number, now)
        self._db.execute("UPDATE runs SET last_transition = ? WHERE run_id = ?", (number, run_id))

    def _try_to_write(self) -> None:
        """Notice a full disk or a read-only one now, before anything was run."""
        self._db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    def shorten_timeout(self) -> None:
        """From now on wait only a moment for another writer."""
        self._db.execute(f"PRAGMA busy_timeout = {_MOMENT}")

    def close(self) -> None:
        """Close the journal."""
        self._db.close()

    @contextlib.contextmanager
    def transaction(self, lasting: bool = True) -> Iterator[None]:
        """Group what is recorded within into one commit, or none of it.

        One that is not ``lasting`` waits for no disk: a power cut may undo it, if with it all that
        came after. Raises JournalFailed where the journal cannot be written.
        """
        with failing():
            if lasting != self._lasting:
                self._db.execute(f"PRAGMA synchronous = {'FULL' if lasting else 'NORMAL'}")
                self._lasting = lasting
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException as error:
                suspect(self.path, error)
                # SQLite has rolled back by itself when the disk was full.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _append(self, run_id: int, when: float, transition: Transition) -> int:
        """Append the row of a transition; gives its number."""
        number = self._db.execute(
            """INSERT INTO transitions (run_id, time, destination, step, status, error)
               VALUES (?, ?, ?, ?, ?, ?)""",
            (run_id, when, *transition),
        ).lastrowid
        assert number is not None
        return number

    def _add_pending(self, run_id: int, reports: Iterable[str], number: int, when: float) -> None:
        """The state of a run since the transition of this number is pending for its reports."""
        for report in reports:
            outbox.add(self._db, report, run_id, number, when)
