"""The writer of the journal: every change of a run, durable before the act that follows it."""

import contextlib
import json
import logging
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import assert_never

from b1000.errors import JournalFailed, JournalUnusable, RowDamaged, words_beside
from b1000.files import make_directory, open_file
from b1000.identity import new_uid
from b1000.locks import Locks
from b1000.logs import LOGGER
from b1000.rsync.paths import START_TIME, file_stem
from b1000.runs.events import (
    AttemptBegan,
    AttemptEnded,
    Closed,
    CopyMoved,
    Died,
    Listed,
    Note,
    PlaceWanted,
    ProcessBegan,
    ProcessEnded,
    Relayed,
    Resolved,
    Resumed,
    RunMoved,
    Swept,
    Waiting,
)
from b1000.runs.lifecycle import Change, Transition, transitions
from b1000.runs.run import Client, Copy, ProcessIdentity, Run
from b1000.runs.states import BEGUN, COMPLETE, CopyStatus, Ending, Status, Step
from b1000.state import columns, mending
from b1000.state.conditions import CAN_BE_RETRIED, UNCLOSED, quoted
from b1000.state.damage import failing, is_damage, suspect, suspicion
from b1000.state.mending import Damage
from b1000.state.migrations import is_misnumbered, migrate
from b1000.state.reading import legible, look_at
from b1000.state.schema import MIGRATIONS

_PATIENCE_AT_START = 60.0  # seconds that another writer may hold the journal when it is opened
_BUSY_TIMEOUT = 1.0  # seconds that one statement waits for another writer
_MOMENT = 200  # milliseconds that it waits when the program is to end soon
_CHECKED_WHOLE = 64 * 2**20  # bytes up to which a journal is looked through when it is opened
_CHECKED_FULLY = 8 * 2**20  # bytes up to which the order of its rows and indexes is looked at too
_MOST_TOLD = 20  # damaged rows that are told one by one
_COMPLETE = quoted(COMPLETE)
_LATER_DOUBT = "CASE doubt WHEN '' THEN excluded.doubt ELSE doubt END"
_OF_A_ROW = re.compile(
    r"(NULL|non-\w+|\w+) value in \w+\.\w+|CHECK constraint failed in \w+"
    r"|row \d+ missing from index \w+|wrong # of entries in index \w+"
    r"|row not in PRIMARY KEY order for \w+"
)
"""What SQLite's checks say of what a row holds; all else is said of the file."""


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
            return _told(_when_it_is_free(path, clock, stopped))
        except sqlite3.DatabaseError as error:
            if not _is_corrupt(error):
                raise
        # One program sets it aside; whoever waited finds a new one.
        with Locks(path.parent / "locks").hold("journal"):
            try:
                return _told(Journal(path, clock))
            except sqlite3.DatabaseError as error:
                if not _is_corrupt(error):
                    raise
                aside, what = _set_aside(path, clock), str(error)
            logging.getLogger(LOGGER).error(
                "the journal %s is corrupt (%s); it was set aside as %s and a new one begun: "
                "what it knew of failed runs and pending reports stays there",
                path,
                what,
                aside,
            )
            return Journal(path, clock)
    except OSError as error:
        raise JournalUnusable(
            f"the journal {path} cannot be opened: {words_beside(error, path)}",
            "see status_dir and journal in the configuration, and their permissions",
        ) from None
    except sqlite3.Error as error:
        raise JournalUnusable(
            f"the journal {path} cannot be opened: {error}",
            "see its permissions, the space on its disk, and who else has it open",
        ) from None


def _told(journal: "Journal") -> "Journal":
    tell_damage(journal.path, journal.mended)
    return journal


def tell_damage(path: Path, found: Sequence[Damage]) -> None:
    """Log what could not be read in a journal, and what was done about it."""
    log = logging.getLogger(LOGGER)
    for each in found[:_MOST_TOLD]:
        log.error("the journal %s is damaged: %s", path, each)
    if len(found) > _MOST_TOLD:
        log.error("the journal %s: %d rows are damaged in all", path, len(found))


def _when_it_is_free(
    path: Path, clock: Callable[[], float], stopped: Callable[[], bool]
) -> "Journal":
    """Open the journal, waiting for somebody else who has it locked."""
    until = time.monotonic() + _PATIENCE_AT_START
    while True:
        try:
            return Journal(path, clock)
        except sqlite3.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # none where a text is no UTF-8
            busy = code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or stopped() or time.monotonic() > until:
                raise
            time.sleep(0.1)


class _Corrupt(sqlite3.DatabaseError):
    """What SQLite's own check found."""


def _is_corrupt(error: sqlite3.DatabaseError) -> bool:
    return isinstance(error, _Corrupt) or is_damage(error)


def _set_aside(path: Path, clock: Callable[[], float]) -> Path:
    """Rename the journal and its companions; the name says what it is."""
    suspicion(path).unlink(missing_ok=True)
    stamp = datetime.fromtimestamp(clock()).strftime(START_TIME)
    aside = path.with_name(f"{path.name}.corrupt-{stamp}-{os.getpid()}")
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{path}{suffix}", f"{aside}{suffix}")
    return aside


class Journal:
    """An open journal; only the supervisor has one.

    Everything within one :meth:`transaction` becomes durable together.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        # SQLite would make the file as the umask says; nobody else may read what it holds.
        os.close(open_file(path, os.O_RDWR | os.O_CREAT, follow=True))
        look_at(path)
        # A lock that lasts is for the caller to wait for, who has more to do.
        self._db = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, isolation_level=None)
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
        migrate(self._db)
        if not columns.is_complete(self._db):
            raise _Corrupt("its tables are not those that b1000 made")

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
                raise _Corrupt(str(error)) from None
            self._passes(how)
            suspicion(self.path).unlink(missing_ok=True)
        for table in ("latest", "report_troubles"):
            self._db.execute(f"SELECT count(*) FROM {table}").fetchone()
        return found

    def _passes(self, how: str, but: re.Pattern[str] | None = None) -> bool:
        """Whether it passes a check of SQLite's; raises _Corrupt for all flaws ``but`` some."""
        told = [text for (text,) in self._db.execute(f"PRAGMA {how}(100)")]
        for text in told:
            if text != "ok" and not (but and but.fullmatch(text)):
                raise _Corrupt(text)
        return told == ["ok"]

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
        told = f"{error}; {reason}" if error else reason
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
            (told, Status.OK, Status.WARNING, run_id),
        ).fetchall()
        reports = [
            report
            for (report,) in self._db.execute(
                "SELECT value FROM runs, json_each(runs.reports) WHERE run_id = ?", (run_id,)
            )
        ]
        for (destination,) in gone:
            failed = Transition(destination, step, CopyStatus.FAILED, reason)
            self._append(run_id, reports, now, failed)
        number = self._append(run_id, reports, now, Transition("", step, status, told))
        self._db.execute("UPDATE runs SET last_transition = ? WHERE run_id = ?", (number, run_id))

    def _try_to_write(self) -> None:
        """Notice a full disk or a read-only one now, before anything was run."""
        self._db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    def hurry(self) -> None:
        """From now on wait only a moment for another writer."""
        self._db.execute(f"PRAGMA busy_timeout = {_MOMENT}")

    def close(self) -> None:
        """Close the journal."""
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Group what is recorded within into one commit, or none of it.

        Raises JournalFailed where the journal cannot be written.
        """
        with failing():
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

    # --- beginnings

    def begin_run(
        self,
        job: str,
        instance: str,
        host: str,
        direction: str,
        kind: str,
        reports: Sequence[str],
        supervisor: ProcessIdentity,
    ) -> Run:
        """A new run at INIT, with a start time that its job/instance never had before.

        The next free second from now on names it; see :meth:`Reader.name_free_at`.
        """
        uid = new_uid()
        began = self._clock()
        started = float(int(began))
        stem = file_stem(job, instance)
        while True:
            start_time = datetime.fromtimestamp(started).strftime(START_TIME)
            taken = self._db.execute(
                "SELECT 1 FROM runs WHERE file_stem = ? AND start_time = ?", (stem, start_time)
            ).fetchone()
            if not taken:
                break
            started += 1
        cursor = self._db.execute(
            """INSERT INTO runs (uid, job, instance, file_stem, host, direction, type, began,
                                 started, start_time, supervisor_pid, supervisor_boot,
                                 supervisor_ticks, step, status, reports)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                uid,
                job,
                instance,
                stem,
                host,
                direction,
                kind,
                began,
                started,
                start_time,
                supervisor.pid,
                supervisor.boot,
                supervisor.ticks,
                Step.INIT,
                Status.OK,
                json.dumps(reports),
            ),
        )
        run_id = cursor.lastrowid
        assert run_id is not None
        self._db.execute(
            """INSERT INTO latest (job, instance, run_id) VALUES (?, ?, ?)
               ON CONFLICT DO UPDATE SET run_id = excluded.run_id""",
            (job, instance, run_id),
        )
        if instance:
            self._job_works_again(job)
        self._runs_again(job, instance)
        run = Run(
            run_id,
            uid,
            job,
            instance,
            host,
            direction,
            kind,
            started,
            start_time,
            supervisor,
            reports=tuple(reports),
            began=began,
            changed=began,
        )
        number = self._append(run_id, reports, began, Transition("", Step.INIT, Status.OK, ""))
        self._db.execute("UPDATE runs SET last_transition = ? WHERE run_id = ?", (number, run_id))
        return run._replace(last_transition=number)

    def begin_afterwards(self, run: Run, supervisor: ProcessIdentity) -> str:
        """Something is about to be run for a run that is over; gives the uid for that.

        Until :class:`Swept` is recorded it counts as running. A run that somebody has gone on
        with meanwhile stays theirs.
        """
        ours = self._db.execute("SELECT 1 FROM runs WHERE uid = ?", (run.uid,)).fetchone()
        if not ours:
            uid = new_uid()
            self._db.execute("INSERT INTO earlier_uids VALUES (?, ?)", (uid, run.run_id))
            return uid
        uid = new_uid()
        self._take_over(run, uid, supervisor)
        self._db.execute(
            """INSERT INTO processes (uid, command, purpose, pid, boot, ticks, began)
               VALUES (?, 'worker', 'worker', 0, '', 0, ?)""",
            (uid, self._clock()),
        )
        return uid

    def _take_over(self, run: Run, uid: str, supervisor: ProcessIdentity) -> None:
        self._db.execute(
            "INSERT INTO earlier_uids SELECT uid, run_id FROM runs WHERE run_id = ?",
            (run.run_id,),
        )
        self._db.execute(
            """UPDATE runs SET uid = ?, supervisor_pid = ?, supervisor_boot = ?,
                               supervisor_ticks = ? WHERE run_id = ?""",
            (uid, supervisor.pid, supervisor.boot, supervisor.ticks, run.run_id),
        )

    def leave_out(self, job: str, instance: str, behind: str) -> None:
        """Note that a job/instance was not run, and what it would have had to wait for."""
        self._db.execute(
            """INSERT INTO skipped (job, instance, time, behind) VALUES (?, ?, ?, ?)
               ON CONFLICT DO UPDATE SET time = excluded.time, behind = excluded.behind""",
            (job, instance, self._clock(), behind),
        )

    def _runs_again(self, job: str, instance: str) -> None:
        self._db.execute("DELETE FROM skipped WHERE job = ? AND instance = ?", (job, instance))

    def begin_listing(self, job: str, supervisor: ProcessIdentity) -> str:
        """Note that the instances of a job are about to be asked for; gives its uid."""
        uid = new_uid()
        self._db.execute(
            """INSERT INTO listings (uid, job, supervisor_pid, supervisor_boot, supervisor_ticks,
                                     began)
               VALUES (?, ?, ?, ?, ?, ?)""",
            (uid, job, supervisor.pid, supervisor.boot, supervisor.ticks, self._clock()),
        )
        return uid

    # --- changes

    def store(self, change: Change) -> None:
        """Write what an event has made of a run, and what it says beyond the run.

        Raises RowDamaged where the journal has no such row any more.
        """
        before, event, after = change
        match event:
            case Resolved():
                self._store_settled(after)
            case AttemptBegan():
                self._note_attempt(after, event)
            case AttemptEnded():
                self._note_end_of_attempt(after, event)
            case RunMoved():
                if event.final:
                    self._nothing_runs(before.uid, event.time)
            case Died():
                self._nothing_runs(before.uid, event.time)
                if before.ending is None:
                    self._leave_attempts(before, event)
            case Resumed():
                self._take_over(before, event.uid, event.supervisor)
                self._runs_again(before.job, before.instance)
            case Relayed():
                self._store_client(after, event.client)
            case CopyMoved() | Closed() | Waiting() | PlaceWanted():
                pass  # all that they say is in the run
            case _:
                assert_never(event)
        number = None
        for transition in transitions(change):
            number = self._append(after.run_id, after.reports, event.time, transition)
        if after != before:
            self._store_run(before, after, number)

    def note(self, note: Note) -> None:
        """Write what was done on behalf of a run or a job."""
        uid, event = note
        match event:
            case ProcessBegan():
                self._note_process(uid, event)
            case ProcessEnded():
                self._db.execute(
                    "UPDATE processes SET ended = ? WHERE uid = ? AND command = ?",
                    (event.time, uid, event.command),
                )
            case Swept():
                self._nothing_runs(uid, event.time)
            case Listed():
                self._note_listing(uid, event)
            case _:
                assert_never(event)

    def _store_run(self, before: Run, after: Run, transition: int | None) -> None:
        stored = self._db.execute(
            """UPDATE runs SET step = ?, status = ?, error = ?, begun = begun OR ?,
                               ending = ?, ended = ?, waiting = ?,
                               last_transition = coalesce(?, last_transition)
               WHERE run_id = ?""",
            (
                after.step,
                after.status,
                after.error,
                after.step in BEGUN,
                after.ending,
                after.ended,
                after.waiting,
                transition,
                after.run_id,
            ),
        )
        if not stored.rowcount:
            raise RowDamaged(f"of run {after.run_id} there is no row any more")
        known = {copy.destination: copy for copy in before.copies}
        for copy in after.copies:
            if copy.destination in known and copy != known[copy.destination]:
                self._store_copy(after.run_id, copy)

    def _store_copy(self, run_id: int, copy: Copy) -> None:
        stored = self._db.execute(
            """UPDATE copies SET status = ?, error = ?, started = ?, ended = ?, attempts = ?,
                                 bytes = ?, files = ?, sent = ?, exit_code = ?, claimed = ?
               WHERE run_id = ? AND destination = ?""",
            (
                copy.status,
                copy.error,
                copy.started,
                copy.ended,
                copy.attempts,
                copy.bytes,
                copy.files,
                copy.sent,
                copy.exit_code,
                copy.claimed,
                run_id,
                copy.destination,
            ),
        )
        if not stored.rowcount:
            raise RowDamaged(f"of run {run_id} there is no copy to {copy.destination} any more")

    def _store_settled(self, run: Run) -> None:
        """What a run settled at INIT, its copies with it."""
        frozen = run.frozen
        self._db.execute(
            """UPDATE runs SET master_host = ?, master_instance = ?, data_age = ?, own_dump = ?,
                               frozen = ? WHERE run_id = ?""",
            (
                frozen.master_host,
                frozen.master_instance,
                frozen.data_age,
                frozen.own_dump,
                json.dumps({**frozen._asdict(), "transfer": frozen.transfer._asdict()}),
                run.run_id,
            ),
        )
        self._db.executemany(
            """INSERT INTO copies (run_id, destination, position, background, type, path, status)
               VALUES (?, ?, ?, ?, ?, ?, ?)""",
            [
                (
                    run.run_id,
                    copy.destination,
                    position,
                    copy.background,
                    copy.type,
                    copy.path,
                    copy.status,
                )
                for position, copy in enumerate(run.copies)
            ],
        )

    def _store_client(self, run: Run, client: Client) -> None:
        self._db.execute(
            """INSERT INTO clients (run_id, file, client) VALUES (?, ?, ?)
               ON CONFLICT DO UPDATE SET client = excluded.client""",
            (run.run_id, client.file, json.dumps(client._asdict())),
        )

    def _note_attempt(self, run: Run, began: AttemptBegan) -> None:
        """It is in doubt from its beginning, so that a crash leaves it so."""
        self._db.execute(
            """INSERT INTO attempts (run_id, destination, number, began, doubt)
               VALUES (?, ?, ?, ?, ?)""",
            (run.run_id, began.destination, began.number, began.time, began.doubt),
        )
        self._db.execute(
            f"""INSERT INTO unsettled (path, since, doubt) SELECT path, ?, ? FROM copies
                WHERE run_id = ? AND destination = ? AND type <> 'passive'
                ON CONFLICT DO UPDATE SET doubt = {_LATER_DOUBT}""",
            (began.time, "ended in an unknown way", run.run_id, began.destination),
        )

    def _note_end_of_attempt(self, run: Run, ended: AttemptEnded) -> None:
        of_copy = (run.run_id, ended.destination)
        self._db.execute(
            """UPDATE attempts SET ended = ?, exit_code = ?, reason = ?, retry_at = ?
               WHERE run_id = ? AND destination = ? AND number = ?""",
            (ended.time, ended.exit_code, ended.reason, ended.retry_at, *of_copy, ended.number),
        )
        where = "(SELECT path FROM copies WHERE run_id = ? AND destination = ?)"
        if ended.unsettled is None:
            self._db.execute(f"DELETE FROM unsettled WHERE path = {where}", of_copy)
        else:
            self._db.execute(
                f"UPDATE unsettled SET since = ?, doubt = ?, spoilt = ? WHERE path = {where}",
                (*ended.unsettled, *of_copy),
            )

    def _leave_attempts(self, run: Run, died: Died) -> None:
        """The attempts of a run that died are over, and what they wrote is in doubt."""
        self._db.execute(
            """UPDATE unsettled SET doubt = 'ended in an unknown way: ' || ? WHERE path IN (
                   SELECT path FROM attempts JOIN copies USING (run_id, destination)
                   WHERE run_id = ? AND attempts.ended IS NULL)""",
            (died.error, run.run_id),
        )
        self._db.execute(
            """UPDATE attempts SET ended = ?, reason = ? WHERE run_id = ? AND ended IS NULL""",
            (died.time, died.error, run.run_id),
        )

    def _note_process(self, uid: str, message: ProcessBegan) -> None:
        process = message.process
        self._db.execute(
            """INSERT INTO processes (uid, command, purpose, pid, boot, ticks, began)
               VALUES (?, ?, ?, ?, ?, ?, ?)""",
            (
                uid,
                message.command,
                message.purpose,
                process.pid,
                process.boot,
                process.ticks,
                message.time,
            ),
        )

    def _note_listing(self, uid: str, message: Listed) -> None:
        instances = None if message.error else json.dumps(message.instances)
        self._db.execute(
            "UPDATE listings SET ended = ?, instances = ?, error = ? WHERE uid = ?",
            (message.time, instances, message.error, uid),
        )
        if not message.error:
            # With no instances no run would end its failure.
            (job,) = self._db.execute("SELECT job FROM listings WHERE uid = ?", (uid,)).fetchone()
            self._job_works_again(job)

    def _job_works_again(self, job: str) -> None:
        """A failure of the job itself is over; not so what ``--copy`` would go on with.

        That is a run of the time when the job had no instances.
        """
        self._db.execute(
            f"""DELETE FROM latest WHERE job = ?1 AND instance = '' AND run_id NOT IN (
                SELECT run_id FROM runs WHERE job = ?1 AND instance = '' AND {CAN_BE_RETRIED})""",
            (job,),
        )

    def record_delivered(self, report: str, run_id: int, transition_id: int) -> None:
        """The report has got this state of the run; later ones stay pending."""
        self._db.execute(
            "DELETE FROM pending WHERE report = ? AND run_id = ? AND transition_id <= ?",
            (report, run_id, transition_id),
        )

    def troubled_reports(self) -> set[str]:
        """The reports that are known to be behind."""
        return {report for (report,) in self._db.execute("SELECT report FROM report_troubles")}

    def record_trouble(self, report: str, trouble: str) -> None:
        """Note why a report is behind, or with "" that all has arrived."""
        if trouble:
            self._db.execute(
                """INSERT INTO report_troubles (report, trouble, since) VALUES (?, ?, ?)
                   ON CONFLICT DO UPDATE SET trouble = excluded.trouble""",
                (report, trouble, self._clock()),
            )
        else:
            self._db.execute("DELETE FROM report_troubles WHERE report = ?", (report,))

    def _nothing_runs(self, uid: str, when: float) -> None:
        """By its uid: a run may have gone on under another one, whose processes are alive."""
        self._db.execute(
            "UPDATE processes SET ended = ? WHERE ended IS NULL AND uid = ?", (when, uid)
        )

    def _append(
        self, run_id: int, reports: Iterable[str], when: float, transition: Transition
    ) -> int:
        """Append the row of a transition, pending for the reports of the run; gives its number."""
        number = self._db.execute(
            """INSERT INTO transitions (run_id, time, destination, step, status, error)
               VALUES (?, ?, ?, ?, ?, ?)""",
            (run_id, when, *transition),
        ).lastrowid
        assert number is not None
        self._db.executemany(
            """INSERT INTO pending (report, run_id, transition_id, since) VALUES (?, ?, ?, ?)
               ON CONFLICT DO UPDATE SET transition_id = excluded.transition_id""",
            [(report, run_id, number, when) for report in reports],
        )
        return number

    # --- history

    def prune(self, keep_days: int) -> int:
        """Forget runs older than ``keep_days``; gives the number of runs.

        Never forgotten: runs that can be retried or are not over, states that
        are pending, the last run of each job/instance, and its last complete copy
        at each destination.
        """
        before = self._clock() - keep_days * 86400
        with self.transaction():
            forgotten = self._db.execute(
                f"""DELETE FROM runs WHERE started < ? AND ending IS NOT NULL
                    AND run_id NOT IN (SELECT run_id FROM latest)
                    AND run_id NOT IN (SELECT run_id FROM pending)
                    AND NOT ({CAN_BE_RETRIED})
                    AND NOT EXISTS (
                        SELECT 1 FROM copies WHERE copies.run_id = runs.run_id
                        AND copies.status IN ({_COMPLETE}) AND NOT EXISTS (
                            SELECT 1 FROM runs AS later JOIN copies AS newer USING (run_id)
                            WHERE later.job = runs.job AND later.instance = runs.instance
                            AND later.run_id > runs.run_id
                            AND newer.destination = copies.destination
                            AND newer.status IN ({_COMPLETE})))""",
                (before,),
            ).rowcount
            self._db.execute(
                "DELETE FROM processes WHERE began < ? AND uid NOT IN (SELECT uid FROM runs)",
                (before,),
            )
            self._db.execute(
                """DELETE FROM listings WHERE began < ? AND listing_id NOT IN
                       (SELECT max(listing_id) FROM listings WHERE instances IS NOT NULL
                        GROUP BY job)""",
                (before,),
            )
        return forgotten
