"""The reader of the journal: every SELECT whose answer leaves the room, as model values."""

import contextlib
import functools
import json
import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from b1000.errors import JournalFailed, JournalUnusable, words_beside
from b1000.jobs import Job
from b1000.rsync.paths import START_TIME, file_stem
from b1000.runs.run import Base, Client, Copy, Leftovers, ProcessIdentity, Run, Unsettled
from b1000.runs.states import COMPLETE, RESUMED_WHEN_DIED, Ending, Status, can_be_retried
from b1000.state import reading, rows
from b1000.state.mending import named, reason
from b1000.state.reading import Illegible
from b1000.state.rows import Names, Tables
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

_MENDED_BY_ITSELF = "the next b1000 that runs jobs sets it aside and begins a new one"
_WHOSE = (
    "it belongs to the user who runs the backups, mostly root; "
    "docs/status.md says how others may read it"
)
_WHERE = "see status_dir and journal in the configuration"
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
_HISTORY = frozenset(
    {
        "runs",
        "copies",
        "attempts",
        "transitions",
        "processes",
        "listings",
        "earlier_uids",
        "clients",
    }
)
"""Tables that grow: of these only what is asked for is read."""
_ASTRAY = """
    SELECT 1 FROM pending LEFT JOIN runs USING (run_id)
    WHERE runs.run_id IS NULL OR pending.transition_id > runs.last_transition
    UNION ALL
    SELECT 1 FROM latest LEFT JOIN runs USING (job, instance, run_id) WHERE runs.uid IS NULL
"""
_AT_ONCE = 500  # runs whose copies are asked for in one statement


class Pending(NamedTuple):
    """What a report has not got yet of one run."""

    transition_id: int
    run: Run


class Backlog(NamedTuple):
    """How far a report is behind: of how many runs it lacks the last state, since when, and why.

    ``trouble`` is what its reporter said last; it may be "".
    """

    report: str
    states: int
    since: float
    trouble: str


class Skipped(NamedTuple):
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
    """One rsync of a copy; ``retry_at`` is when the next was to follow, if there was one.

    ``doubt`` is why it compared by content, or "".
    """

    destination: str
    number: int
    began: float
    ended: float | None
    exit_code: int | None
    reason: str
    retry_at: float | None
    doubt: str = ""


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

    A row that cannot be read is left out, and noted in ``damaged`` as ``table.column``; a run is
    shown as closed to those who only look at it.
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
            hint = _MENDED_BY_ITSELF if is_damage(error) else _WHOSE
            raise JournalUnusable(f"the journal {path} cannot be read: {error}", hint) from None
        except OSError as error:
            hint = _WHOSE if isinstance(error, PermissionError) else _WHERE
            what = words_beside(error, path)
            raise JournalUnusable(f"the journal {path} cannot be read: {what}", hint) from None

    def _agree_on_schema(self) -> None:
        version = self._version()
        if not version:
            # Whoever was to make it died: nothing was ever written here.
            self._db.close()
            self._db = _nothing()
        elif version == len(MIGRATIONS):
            if not rows.is_complete(self._db):
                raise Illegible("its tables are not those that b1000 made")
        else:
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

    @functools.cached_property
    def _tables(self) -> Tables:
        return rows.declared().tables

    @functools.cached_property
    def _names(self) -> Names:
        return rows.by_name(self._tables)

    def look_through(self) -> None:
        """Read what counts today, for ``damaged`` to tell what of it cannot be read."""
        self.unclosed()
        self.last_runs()
        self.listed_instances()
        self._runs("", "run_id IN (SELECT run_id FROM pending)", "", ())
        for table in ("processes", "listings"):
            self._ask(f"SELECT * FROM {table} WHERE ended IS NULL")
        for table in self._tables.keys() - _HISTORY:
            self._ask(f"SELECT * FROM {table}")
        if self._ask(_ASTRAY):
            self.damaged.add("pending.run_id or latest.run_id")

    def last_runs(self) -> list[Run]:
        """The last run of each job/instance, by name."""
        return self._runs(
            "JOIN latest USING (run_id)", "TRUE", "ORDER BY runs.job, runs.instance", (), shown=True
        )

    def last_run(self, job: str, instance: str) -> Run | None:
        """The last run of one job/instance."""
        where = "latest.job = ? AND latest.instance = ?"
        found = self._runs("JOIN latest USING (run_id)", where, "", (job, instance), shown=True)
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
        return next(iter(self._runs("", "run_id = ?", "", (run_id,), shown=True)), None)

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

    def pending(
        self, report: str, known: Mapping[int, int] = _NOTHING, limit: int = 500
    ) -> list[Pending]:
        """What a report has not got yet, oldest first.

        Without those states (run_id → transition) that are ``known`` to have
        been reported although that is not marked yet.
        """
        due = [
            row["run_id"]
            for row in self._ask(
                "SELECT run_id, transition_id FROM pending WHERE report = ? ORDER BY transition_id",
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
        # The state that is read now may be newer than the one that was pending: it is what counts.
        return [Pending(run.last_transition, run) for run in runs]

    def pending_by_report(self) -> dict[str, int]:
        """How many runs each report has not got the last state of."""
        return {
            row["report"]: row["number"]
            for row in self._ask("SELECT report, count(*) AS number FROM pending GROUP BY report")
        }

    def bases(self, job: Job, instance: str) -> list[Base]:
        """To which fulls a new one may link: at each destination the last complete one of
        each host and master.

        By the order of runs, not by local time. One without a file is none, nor is one that is
        unsettled.
        """
        found: dict[tuple[str, ...], Base] = {}
        linking = [each.name for each in job.destinations.values() if each.link_dest]
        for destination in linking if job.type == "full" else []:
            for row in self._ask(
                f"""SELECT copies.destination, copies.path, runs.host, runs.instance,
                           runs.master_host, runs.master_instance,
                           (SELECT client FROM clients WHERE clients.run_id = runs.run_id
                            ORDER BY clients.rowid DESC LIMIT 1) AS pulled
                    FROM runs JOIN copies USING (run_id)
                    WHERE runs.job = ? AND runs.instance = ? AND runs.type = 'full'
                    AND copies.destination = ? AND copies.status IN ({quoted(COMPLETE)})
                    AND copies.files > 0
                    AND copies.path NOT IN (SELECT path FROM unsettled)
                    ORDER BY runs.run_id DESC LIMIT {_BASES_LOOKED_AT}""",
                (job.name, instance, destination),
            ):
                # What was pulled is its client's; nobody knows whose, where that cannot be read.
                client = self._client(row["pulled"]) if row["pulled"] else None
                if row["pulled"] and not client:
                    continue
                base = _base(row, client)
                whose = (base.host, base.instance, base.master_host, base.master_instance)
                found.setdefault((destination, *whose), base)
        return list(found.values())

    def taken(self, job: str, instance: str) -> list[Client]:
        """The runs of clients that the last pulls of a job copied, or began to copy."""
        asked = self._ask(
            f"""SELECT (SELECT client FROM clients WHERE clients.run_id = runs.run_id
                        ORDER BY clients.rowid DESC LIMIT 1) AS pulled
                FROM runs WHERE runs.job = ? AND runs.instance = ? AND runs.direction = 'pull'
                AND EXISTS (SELECT 1 FROM copies WHERE copies.run_id = runs.run_id)
                ORDER BY runs.run_id DESC LIMIT {_TAKEN_LOOKED_AT}""",
            (job, instance),
        )
        found = [self._client(row["pulled"]) for row in asked if row["pulled"]]
        return [client for client in found if client]

    def unsettled(self) -> dict[str, Unsettled]:
        """The directories at destinations that no attempt has finished, by path."""
        return {
            row["path"]: Unsettled(row["since"], row["doubt"], bool(row["spoilt"]))
            for row in self._ask("SELECT * FROM unsettled")
        }

    def history(self, job: str, instance: str, number: int) -> list[Run]:
        """The last ``number`` runs of one job/instance, the newest first."""
        where = "runs.job = ? AND runs.instance = ?"
        order = "ORDER BY runs.run_id DESC LIMIT ?"
        return self._runs("", where, order, (job, instance, number), shown=True)

    def transitions(self, run_id: int) -> list[Transition]:
        """All changes of one run, in their order."""
        sql = """SELECT time, destination, step, status, error FROM transitions
                 WHERE run_id = ? ORDER BY transition_id"""
        return [Transition(*row) for row in self._ask(sql, (run_id,))]

    def attempts(self, run_id: int) -> list[Attempt]:
        """All attempts of the copies of one run, by the time of their beginning."""
        sql = """SELECT destination, number, began, ended, exit_code, reason, retry_at, doubt
                 FROM attempts WHERE run_id = ? ORDER BY began"""
        return [Attempt(*row) for row in self._ask(sql, (run_id,))]

    def started(self, run_id: int) -> list[Started]:
        """The processes that a run started, by the time of their beginning."""
        sql = """SELECT purpose, pid, began, ended FROM processes WHERE uid IN (
                     SELECT uid FROM runs WHERE run_id = ?1
                     UNION ALL SELECT uid FROM earlier_uids WHERE run_id = ?1)
                 ORDER BY began"""
        return [Started(*row) for row in self._ask(sql, (run_id,))]

    def backlogs(self) -> list[Backlog]:
        """The reports that have not got all states, by name."""
        return [
            Backlog(*row)
            for row in self._ask(
                """SELECT report, count(*) AS states, min(since) AS since, coalesce(
                       (SELECT trouble FROM report_troubles AS known
                        WHERE known.report = pending.report), '') AS trouble
                   FROM pending GROUP BY report ORDER BY report"""
            )
        ]

    def skipped(self) -> list[Skipped]:
        """What was skipped and has not run since, by name."""
        sql = "SELECT job, instance, time, behind FROM skipped ORDER BY job, instance"
        return [Skipped(*row) for row in self._ask(sql)]

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
        """The rows of an answer that can be read."""
        sound = []
        for row in self._rows(sql, parameters):
            bad = rows.unreadable(row, self._names)
            self.damaged.update(bad)
            if not bad:
                sound.append(row)
        return sound

    def _rows(self, sql: str, parameters: Sequence[str | int] = ()) -> list[sqlite3.Row]:
        """The rows of an answer as they are; what is no text may be bytes."""
        try:
            with failing():
                try:
                    return self._db.execute(sql, parameters).fetchall()
                except sqlite3.OperationalError as error:
                    if "decode" not in str(error) or self._db.text_factory is rows.lenient:
                        raise
                self._db.text_factory = rows.lenient
                return self._db.execute(sql, parameters).fetchall()
        except JournalFailed as error:
            if self._suspecting:
                suspect(self.path, error.__cause__)
            raise JournalFailed(f"the journal {self.path} cannot be read: {error}") from None

    def _runs(
        self,
        join: str,
        where: str,
        order: str,
        parameters: Sequence[str | int],
        shown: bool = False,
    ) -> list[Run]:
        """Runs; those that cannot be read only where they are ``shown``, as closed."""
        found = self._rows(
            f"SELECT runs.*, {SUPERSEDED} AS superseded, {_CHANGED} AS changed FROM runs {join} "
            f"WHERE {where} {order}",
            parameters,
        )
        bad: dict[int, list[str]] = defaultdict(list)
        copies = self._copies([row["run_id"] for row in found], bad)
        pulls = [row["run_id"] for row in found if row["direction"] == "pull"]
        clients = self._clients(pulls, bad)
        runs = []
        for row in found:
            number = row["run_id"]
            values, unread = rows.read("runs", row, self._tables["runs"])
            flaws = [*named("runs", unread), *bad[number]]
            run = _run(values, row, copies[number], clients[number])
            if values["begun"] and not run.copies and _goes_on(run):
                flaws.append("copies.run_id")
            self.damaged.update(flaws)
            if run.clients:
                run = run._replace(relayed=self._relayed(number))
            if not flaws:
                runs.append(run)
            elif shown:
                runs.append(_as_damaged(run, flaws))
        return runs

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

    def _clients(
        self, run_ids: Sequence[int], bad: dict[int, list[str]]
    ) -> dict[int, list[Client]]:
        found: dict[int, list[Client]] = defaultdict(list)
        for run_id in run_ids:
            for row in self._rows(
                "SELECT * FROM clients WHERE run_id = ? ORDER BY rowid", (run_id,)
            ):
                values, unread = rows.read("clients", row, self._tables["clients"])
                bad[run_id] += named("clients", unread)
                if not unread:
                    found[run_id].append(values["client"])
        return found

    def _client(self, told: str) -> Client | None:
        """The client of a pull run; None where it cannot be read."""
        columns = {"client": self._tables["clients"]["client"]}
        values, unread = rows.read("clients", {"client": told}, columns)
        self.damaged.update(named("clients", unread))
        return None if unread else values["client"]

    def _copies(self, run_ids: Sequence[int], bad: dict[int, list[str]]) -> dict[int, list[Copy]]:
        found: dict[int, list[Copy]] = defaultdict(list)
        for start in range(0, len(run_ids), _AT_ONCE):
            some = run_ids[start : start + _AT_ONCE]
            for row in self._rows(
                f"""SELECT * FROM copies WHERE run_id IN ({", ".join("?" * len(some))})
                    ORDER BY run_id, position""",
                some,
            ):
                values, unread = rows.read("copies", row, self._tables["copies"])
                bad[row["run_id"]] += named("copies", unread)
                found[row["run_id"]].append(_copy(values))
        return found


def _open(path: Path, untouched: bool) -> sqlite3.Connection:
    database = _untouched(path) if untouched else reading.connect(path, _BUSY)
    database.row_factory = sqlite3.Row
    return database


def _untouched(path: Path) -> sqlite3.Connection:
    if reading.is_all_in(path):
        return reading.connect_with(path, reading.AS_IT_IS, _BUSY)
    if os.path.exists(reading.beside(path, "-shm")):
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


def _base(row: sqlite3.Row, whose: Client | None) -> Base:
    return Base(
        row["destination"],
        row["path"],
        whose.host if whose else row["host"],
        whose.instance if whose else row["instance"],
        row["master_host"],
        row["master_instance"],
    )


def _run(
    values: Mapping[str, Any], row: sqlite3.Row, copies: Iterable[Copy], clients: Iterable[Client]
) -> Run:
    changed = row["changed"]
    return Run(
        run_id=values["run_id"],
        uid=values["uid"],
        job=values["job"],
        instance=values["instance"],
        host=values["host"],
        direction=values["direction"],
        type=values["type"],
        started=values["started"],
        start_time=values["start_time"],
        supervisor=_supervisor(values),
        step=values["step"],
        status=values["status"],
        error=values["error"],
        ending=values["ending"],
        ended=values["ended"],
        last_transition=values["last_transition"],
        changed=changed if rows.is_moment(changed) else values["started"],
        superseded=bool(row["superseded"]),
        reports=values["reports"],
        frozen=values["frozen"],
        copies=tuple(copies),
        clients=tuple(clients),
        waiting=values["waiting"],
        began=values["began"],
    )


def _goes_on(run: Run) -> bool:
    return run.ending is None or can_be_retried(run.step, run.status, run.ending, died=False)


def _as_damaged(run: Run, flaws: Sequence[str]) -> Run:
    """How a run is shown that cannot be read: as it will be once it is mended."""
    why = reason(flaws)
    return run._replace(
        status=Status.WARNING if run.ending and run.status is Status.OK else Status.FAILED,
        ending=Ending.CLOSED,
        error=f"{run.error}; {why}" if run.error else why,
    )


def _supervisor(row: Mapping[str, Any] | sqlite3.Row) -> ProcessIdentity:
    return ProcessIdentity(row["supervisor_pid"], row["supervisor_boot"], row["supervisor_ticks"])


def _copy(values: Mapping[str, Any]) -> Copy:
    return Copy(**{name: values[name] for name in Copy._fields})
