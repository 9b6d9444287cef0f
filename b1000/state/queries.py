"""The reader of the journal: every SELECT whose answer leaves the room, as model values."""

import contextlib
import json
import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from b1000.errors import JournalFailed, JournalUnusable
from b1000.model import Base, Client, Copy, Frozen, Job, Leftovers, ProcessIdentity, Run, Transfer
from b1000.rsync.paths import START_TIME, file_stem
from b1000.state import reading
from b1000.state.schema import (
    CAN_BE_RETRIED,
    MIGRATIONS,
    SUPERSEDED,
    UNCLOSED,
    failing,
    is_damage,
    migrate,
    quoted,
    suspect,
)
from b1000.steps import COMPLETE, RESUMED_WHEN_DIED, CopyStatus, Ending, Status, Step

_MENDED_BY_ITSELF = "the next b1000 that runs jobs sets it aside and begins a new one"
_WHOSE = (
    "it belongs to the user who runs the backups, mostly root; "
    "docs/status.md says how others may read it"
)
_CHANGED = "(SELECT time FROM transitions WHERE transition_id = runs.last_transition)"
# paths.subject in SQL: an absent part goes with its dash.
_SUBJECT = """substr(CASE host WHEN '' THEN '' ELSE '-' || host END
    || CASE instance WHEN '' THEN '' ELSE '-' || instance END
    || CASE master_host WHEN '' THEN '' ELSE '-' || master_host END
    || CASE master_instance WHEN '' THEN '' ELSE '-' || master_instance END, 2)"""
_TAKEN_LOOKED_AT = 20  # pulls of a job: it may take several clients
_BUSY = 30.0  # seconds that a statement waits for a writer
_BEING_MADE = 1.0  # seconds that the making of a new journal may take
_NOTHING: Mapping[int, int] = {}
_BASES_LOOKED_AT = 200  # complete fulls of one job/instance at one destination
_NAMES_AWAITED = 2  # seconds that a run waits for a second that no other is named by
_AT_ONCE = 500  # runs whose copies are asked for in one statement


class Owed(NamedTuple):
    """What a report has not got yet of one run."""

    transition_id: int
    run: Run


class Debt(NamedTuple):
    """How far a report is behind: of how many runs it lacks the last state, since when, and why.

    ``trouble`` is what its reporter said last; it may be "".
    """

    report: str
    states: int
    since: float
    trouble: str


class LeftOut(NamedTuple):
    """A job/instance that was not run when it was due, and what was still at work."""

    job: str
    instance: str
    time: float
    behind: str


class Transition(NamedTuple):
    """One change of a run, or of the copy at ``destination``."""

    time: float
    destination: str
    step: str
    status: str
    error: str


class Attempt(NamedTuple):
    """One rsync of a copy; ``retry_at`` is when the next was to follow, if there was one."""

    destination: str
    number: int
    began: float
    ended: float | None
    exit_code: int | None
    reason: str
    retry_at: float | None


class Started(NamedTuple):
    """A process that a run started."""

    purpose: str
    pid: int
    began: float
    ended: float | None


def may_exist(journal: Path) -> bool:
    """Whether to open a journal; where it cannot be seen, opening it tells why."""
    try:
        os.stat(journal)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


class Reader:
    """A read-only view of a journal, safe beside its writers.

    ``untouched``: a short look that leaves not even the files that SQLite keeps
    beside a journal in use. With ``suspecting``, damage that it meets is noted for
    the next who opens the journal to write. What it is asked may raise JournalFailed.
    """

    def __init__(self, path: Path, untouched: bool = False, suspecting: bool = False) -> None:
        self.path = path
        self._suspecting = suspecting
        try:
            self._db = _open(path, untouched)
            try:
                self._agree_on_schema()
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            hint = _MENDED_BY_ITSELF if is_damage(error) else _WHOSE
            raise JournalUnusable(f"the journal {path} cannot be read: {error}", hint) from None

    def _agree_on_schema(self) -> None:
        version = self._version()
        if not version:
            # Whoever was to make it died: nothing was ever written here.
            self._db.close()
            self._db = _nothing()
        elif version != len(MIGRATIONS):
            raise JournalUnusable(
                f"the journal {self.path} has schema {version}, "
                f"this program reads {len(MIGRATIONS)}",
                "b1000 --copy brings an older one up to date; a newer one needs a newer b1000",
            )

    def _version(self) -> int:
        """The schema's version; one that somebody is making at this moment is waited for."""
        until = time.monotonic() + _BEING_MADE
        while True:
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version or time.monotonic() > until:
                return int(version)
            time.sleep(0.02)

    def close(self) -> None:
        """Close the view."""
        self._db.close()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def last_runs(self) -> list[Run]:
        """The last run of each job/instance, by name."""
        return self._runs(
            "JOIN latest USING (run_id)", "TRUE", "ORDER BY runs.job, runs.instance", ()
        )

    def last_run(self, job: str, instance: str) -> Run | None:
        """The last run of one job/instance."""
        where = "latest.job = ? AND latest.instance = ?"
        found = self._runs("JOIN latest USING (run_id)", where, "", (job, instance))
        return next(iter(found), None)

    def name_free_at(self, job: str, instance: str, now: float) -> float:
        """When a run of the job/instance may begin, so that its name is that of its own second.

        That is ``now``, or a full second soon after it. Where many seconds to come are taken,
        the clock went back: ``now``, and the name runs ahead.
        """
        for ahead in range(_NAMES_AWAITED + 1):
            second = int(now) + ahead
            name = datetime.fromtimestamp(second).strftime(START_TIME)
            sql = "SELECT 1 FROM runs WHERE file_stem = ? AND start_time = ?"
            if not self._ask(sql, (file_stem(job, instance), name)):
                return max(now, float(second))
        return now

    def owners_of_names(self, stem: str) -> list[tuple[str, str]]:
        """The job/instances whose runs began to prepare or copy with files of that name.

        Who did so last comes first.
        """
        sql = """SELECT job, instance FROM runs WHERE file_stem = ? AND begun
                 GROUP BY job, instance ORDER BY max(run_id) DESC"""
        return [(row["job"], row["instance"]) for row in self._ask(sql, (stem,))]

    def owner_of_directory(self, job: str, instances: Sequence[str], whose: str) -> str | None:
        """Which of the instances wrote last into the directory that :func:`paths.subject` names."""
        sql = f"""SELECT instance FROM runs WHERE job = ? AND begun AND {_SUBJECT} = ?
                  AND instance IN ({", ".join("?" * len(instances))})
                  ORDER BY run_id DESC LIMIT 1"""
        rows = self._ask(sql, (job, whose, *instances))
        return rows[0]["instance"] if rows else None

    def run(self, run_id: int) -> Run | None:
        """One run."""
        return next(iter(self._runs("", "run_id = ?", "", (run_id,))), None)

    def retriable(
        self,
        is_alive: Callable[[ProcessIdentity], bool],
        subject: tuple[str, str] | None = None,
    ) -> list[Run]:
        """The runs that ``--copy`` would go on with, oldest first; of one job/instance or all.

        A run that is not over counts where its supervisor is not alive.
        """
        of_subject, parameters = ("TRUE", ()) if subject is None else (
            "runs.job = ? AND runs.instance = ?",
            subject,
        )  # fmt: skip
        over = self._runs(
            "",
            f"{CAN_BE_RETRIED} AND {of_subject}",
            "",
            parameters,
        )
        died = self._runs(
            "",
            f"ending IS NULL AND step IN ({quoted(RESUMED_WHEN_DIED)}) AND NOT {SUPERSEDED} "
            f"AND {of_subject}",
            "",
            parameters,
        )
        return sorted(
            [*over, *(run for run in died if not is_alive(run.supervisor))],
            key=lambda run: run.run_id,
        )

    def unclosed(self) -> list[Run]:
        """The runs that are not over, or failed and were not closed; oldest first.

        Among them are live ones, and those that a later run has superseded.
        """
        over = self._runs("", UNCLOSED, "", ())
        return sorted([*over, *self.unfinished()], key=lambda run: run.run_id)

    def unfinished(self, subject: tuple[str, str] | None = None) -> list[Run]:
        """The runs that are not over, oldest first; of one job/instance or all."""
        if subject is None:
            return self._runs("", "ending IS NULL", "ORDER BY run_id", ())
        return self._runs(
            "",
            # Few are unfinished; of the job/instance there may be thousands.
            """runs.job = ? AND runs.instance = ?
               AND run_id IN (SELECT run_id FROM runs WHERE ending IS NULL)""",
            "ORDER BY run_id",
            subject,
        )

    def left_running(self, subject: tuple[str, str]) -> list[Run]:
        """The runs of one job/instance on whose behalf something still ran, by their number.

        Those that are not over, and those of which a script was started
        afterwards, an on_failure or the post of a run that is given up.
        """
        return self._runs(
            "",
            """runs.job = ? AND runs.instance = ? AND run_id IN (
                   SELECT run_id FROM runs WHERE ending IS NULL
                   UNION SELECT run_id FROM processes JOIN runs USING (uid)
                   WHERE processes.ended IS NULL)""",
            "ORDER BY run_id",
            subject,
        )

    def is_resumed(self, run_id: int) -> bool:
        """Whether somebody went on with a run after it had failed or died."""
        return bool(self._ask("SELECT 1 FROM earlier_uids WHERE run_id = ?", (run_id,)))

    def unfinished_listings(self, job: str) -> list[tuple[str, ProcessIdentity]]:
        """The uids and supervisors of what was asked of a job's command and has no answer."""
        return [
            (row["uid"], _supervisor(row))
            for row in self._ask("SELECT * FROM listings WHERE job = ? AND ended IS NULL", (job,))
        ]

    def leftovers(self, uid: str) -> Leftovers:
        """What is known of the processes that were started under a uid."""
        rows = self._ask("SELECT * FROM processes WHERE uid = ?", (uid,))
        return Leftovers(
            uid,
            frozenset(row["command"] for row in rows if row["ended"] is not None),
            tuple(
                ProcessIdentity(row["pid"], row["boot"], row["ticks"])
                for row in rows
                if row["ended"] is None
            ),
        )

    def owed(
        self, report: str, known: Mapping[int, int] = _NOTHING, limit: int = 500
    ) -> list[Owed]:
        """What a report has not got yet, oldest first.

        Without those states (run_id → transition) that are ``known`` to have
        been told although that is not marked yet.
        """
        due = [
            row["run_id"]
            for row in self._ask(
                "SELECT run_id, transition_id FROM owed WHERE report = ? ORDER BY transition_id",
                (report,),
            )
            if known.get(row["run_id"], -1) < row["transition_id"]
        ][:limit]
        runs = self._runs(
            "",
            f"run_id IN ({', '.join('?' * len(due))})",
            "ORDER BY runs.last_transition",
            due,
        )
        # The state that is read now may be newer than the one that was owed: it is what counts.
        return [Owed(run.last_transition, run) for run in runs]

    def owed_by_report(self) -> dict[str, int]:
        """How many runs each report has not got the last state of."""
        return {
            row["report"]: row["number"]
            for row in self._ask("SELECT report, count(*) AS number FROM owed GROUP BY report")
        }

    def bases(self, job: Job, instance: str) -> list[Base]:
        """To which fulls a new one may link: at each destination the last complete one of
        each host and master.

        By the order of runs, not by local time. One without a file is none.
        """
        found: dict[tuple[str, ...], Base] = {}
        linking = [each.name for each in job.destinations.values() if each.link_dest]
        for destination in linking if job.type == "full" else []:
            for row in self._ask(
                f"""SELECT copies.destination, copies.path, runs.host, runs.instance,
                           runs.master_host, runs.master_instance,
                           (SELECT client FROM clients WHERE clients.run_id = runs.run_id
                            ORDER BY clients.rowid DESC LIMIT 1) AS client
                    FROM runs JOIN copies USING (run_id)
                    WHERE runs.job = ? AND runs.instance = ? AND runs.type = 'full'
                    AND copies.destination = ? AND copies.status IN ({quoted(COMPLETE)})
                    AND copies.files > 0
                    ORDER BY runs.run_id DESC LIMIT {_BASES_LOOKED_AT}""",
                (job.name, instance, destination),
            ):
                base = _base(row)
                whose = (base.host, base.instance, base.master_host, base.master_instance)
                found.setdefault((destination, *whose), base)
        return list(found.values())

    def taken(self, job: str, instance: str) -> list[Client]:
        """The runs of clients that the last pulls of a job copied, or began to copy."""
        rows = self._ask(
            f"""SELECT (SELECT client FROM clients WHERE clients.run_id = runs.run_id
                        ORDER BY clients.rowid DESC LIMIT 1) AS client
                FROM runs WHERE runs.job = ? AND runs.instance = ? AND runs.direction = 'pull'
                AND EXISTS (SELECT 1 FROM copies WHERE copies.run_id = runs.run_id)
                ORDER BY runs.run_id DESC LIMIT {_TAKEN_LOOKED_AT}""",
            (job, instance),
        )
        return [_client(row["client"]) for row in rows if row["client"]]

    def history(self, job: str, instance: str, number: int) -> list[Run]:
        """The last ``number`` runs of one job/instance, the newest first."""
        where = "runs.job = ? AND runs.instance = ?"
        order = "ORDER BY runs.run_id DESC LIMIT ?"
        return self._runs("", where, order, (job, instance, number))

    def transitions(self, run_id: int) -> list[Transition]:
        """All changes of one run, in their order."""
        sql = """SELECT time, destination, step, status, error FROM transitions
                 WHERE run_id = ? ORDER BY transition_id"""
        return [Transition(*row) for row in self._ask(sql, (run_id,))]

    def attempts(self, run_id: int) -> list[Attempt]:
        """All attempts of the copies of one run, by the time of their beginning."""
        sql = """SELECT destination, number, began, ended, exit_code, reason, retry_at
                 FROM attempts WHERE run_id = ? ORDER BY began"""
        return [Attempt(*row) for row in self._ask(sql, (run_id,))]

    def started(self, run_id: int) -> list[Started]:
        """The processes that a run started, by the time of their beginning."""
        sql = """SELECT purpose, pid, began, ended FROM processes WHERE uid IN (
                     SELECT uid FROM runs WHERE run_id = ?1
                     UNION ALL SELECT uid FROM earlier_uids WHERE run_id = ?1)
                 ORDER BY began"""
        return [Started(*row) for row in self._ask(sql, (run_id,))]

    def debts(self) -> list[Debt]:
        """The reports that have not got all states, by name."""
        return [
            Debt(*row)
            for row in self._ask(
                """SELECT report, count(*), min(since), coalesce(
                       (SELECT trouble FROM report_troubles AS known
                        WHERE known.report = owed.report), '')
                   FROM owed GROUP BY report ORDER BY report"""
            )
        ]

    def left_out(self) -> list[LeftOut]:
        """What was left out and has not run since, by name."""
        sql = "SELECT job, instance, time, behind FROM left_out ORDER BY job, instance"
        return [LeftOut(*row) for row in self._ask(sql)]

    def unfinished_files(self, file_stem: str) -> set[str]:
        """The start times of the runs of one name that are not over or can be retried."""
        return {
            row["start_time"]
            for row in self._ask(
                f"""SELECT start_time FROM runs WHERE file_stem = ?
                    AND (ending IS NULL OR {CAN_BE_RETRIED})""",
                (file_stem,),
            )
        }

    def listed_instances(self) -> dict[str, tuple[str, ...]]:
        """The instances that each job's command gave when it was last asked with success."""
        return {
            row["job"]: tuple(json.loads(row["instances"]))
            for row in self._ask(
                """SELECT job, instances FROM listings WHERE listing_id IN (
                       SELECT max(listing_id) FROM listings WHERE instances IS NOT NULL
                       GROUP BY job)"""
            )
        }

    def _ask(self, sql: str, parameters: Sequence[str | int] = ()) -> list[sqlite3.Row]:
        try:
            with failing():
                return self._db.execute(sql, parameters).fetchall()
        except JournalFailed as error:
            if self._suspecting:
                suspect(self.path, error.__cause__)
            raise JournalFailed(f"the journal {self.path} cannot be read: {error}") from None

    def _runs(
        self, join: str, where: str, order: str, parameters: Sequence[str | int]
    ) -> list[Run]:
        rows = self._ask(
            f"SELECT runs.*, {SUPERSEDED} AS superseded, {_CHANGED} AS changed FROM runs {join} "
            f"WHERE {where} {order}",
            parameters,
        )
        copies = self._copies([row["run_id"] for row in rows])
        clients = self._clients([row["run_id"] for row in rows if row["direction"] == "pull"])
        return [
            _run(row, copies[row["run_id"]], clients[row["run_id"]])._replace(
                relayed=self._relayed(row["run_id"]) if clients[row["run_id"]] else 0
            )
            for row in rows
        ]

    def _relayed(self, run_id: int) -> int:
        """The number of the last state of a client or a copy.

        What becomes of the pull run itself later, such as that a newer one superseded it, is
        no news of the client, which another pull may have taken since.
        """
        ((number,),) = self._ask(
            "SELECT coalesce(max(transition_id), 0) FROM transitions "
            "WHERE run_id = ? AND destination <> ''",
            (run_id,),
        )
        return int(number)

    def _clients(self, run_ids: Sequence[int]) -> dict[int, list[Client]]:
        found: dict[int, list[Client]] = defaultdict(list)
        for run_id in run_ids:
            for row in self._ask(
                "SELECT * FROM clients WHERE run_id = ? ORDER BY rowid", (run_id,)
            ):
                found[run_id].append(_client(row["client"]))
        return found

    def _copies(self, run_ids: Sequence[int]) -> dict[int, list[Copy]]:
        found: dict[int, list[Copy]] = defaultdict(list)
        for start in range(0, len(run_ids), _AT_ONCE):
            some = run_ids[start : start + _AT_ONCE]
            for row in self._ask(
                f"""SELECT * FROM copies WHERE run_id IN ({", ".join("?" * len(some))})
                    ORDER BY run_id, position""",
                some,
            ):
                found[row["run_id"]].append(_copy(row))
        return found


def _open(path: Path, untouched: bool) -> sqlite3.Connection:
    database = _untouched(path) if untouched else reading.connect(path, _BUSY)
    database.row_factory = sqlite3.Row
    return database


def _untouched(path: Path) -> sqlite3.Connection:
    if reading.is_all_in(path):
        return reading.connect_with(path, reading.AS_IT_IS, _BUSY)
    if os.path.exists(f"{path}-shm"):
        # Whoever has it in use may end at this moment and take both files away.
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


def _frozen(text: str) -> Frozen:
    values = json.loads(text)
    if "transfer" in values:
        values["transfer"] = Transfer(**values["transfer"])
    values["destination_excludes"] = tuple(
        (name, tuple(patterns)) for name, patterns in values.get("destination_excludes", ())
    )
    return Frozen(**values)


def _client(text: str) -> Client:
    values = json.loads(text)
    states = {
        "step": Step(values["step"]),
        "status": Status(values["status"]),
        "copy_status": CopyStatus(values["copy_status"]),
    }
    return Client(**{**values, **states})


def _base(row: sqlite3.Row) -> Base:
    # What was pulled is its client's.
    whose = _client(row["client"]) if row["client"] else None
    return Base(
        row["destination"],
        row["path"],
        whose.host if whose else row["host"],
        whose.instance if whose else row["instance"],
        row["master_host"],
        row["master_instance"],
    )


def _run(row: sqlite3.Row, copies: Iterable[Copy], clients: Iterable[Client]) -> Run:
    return Run(
        run_id=row["run_id"],
        uid=row["uid"],
        job=row["job"],
        instance=row["instance"],
        host=row["host"],
        direction=row["direction"],
        type=row["type"],
        started=row["started"],
        start_time=row["start_time"],
        supervisor=_supervisor(row),
        step=Step(row["step"]),
        status=Status(row["status"]),
        error=row["error"],
        ending=Ending(row["ending"]) if row["ending"] else None,
        ended=row["ended"],
        last_transition=row["last_transition"],
        changed=row["started"] if row["changed"] is None else row["changed"],
        superseded=bool(row["superseded"]),
        reports=tuple(json.loads(row["reports"])),
        frozen=_frozen(row["frozen"]),
        copies=tuple(copies),
        clients=tuple(clients),
        waiting=row["waiting"],
        began=row["began"],
    )


def _supervisor(row: sqlite3.Row) -> ProcessIdentity:
    return ProcessIdentity(row["supervisor_pid"], row["supervisor_boot"], row["supervisor_ticks"])


def _copy(row: sqlite3.Row) -> Copy:
    return Copy(
        destination=row["destination"],
        path=row["path"],
        background=bool(row["background"]),
        type=row["type"],
        status=CopyStatus(row["status"]),
        attempts=row["attempts"],
        bytes=row["bytes"],
        files=row["files"],
        sent=row["sent"],
        exit_code=row["exit_code"],
        error=row["error"],
        started=row["started"],
        ended=row["ended"],
    )
