"""What the beginning of a run, or of what is done for one, writes into the journal."""

import functools
import json
from collections.abc import Sequence
from datetime import datetime

from b1000.identity import new_uid
from b1000.rsync.paths import START_TIME, file_stem
from b1000.runs.lifecycle import Transition
from b1000.runs.run import ProcessIdentity, Run, Snapshot
from b1000.state.conditions import CAN_BE_RETRIED
from b1000.state.writer import Writer


# The same for nearly all runs of one program.
@functools.lru_cache(maxsize=16)
def _list_of(names: tuple[str, ...]) -> str:
    return json.dumps(names)


@functools.lru_cache(maxsize=16)
def _snapshot_of(data_age: float | None) -> str:
    return json.dumps({"data_age": data_age})


@functools.cache
def _inserting(columns: tuple[str, ...]) -> str:
    return f"INSERT INTO runs ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


class Beginnings(Writer):
    """Begins runs and lists of instances, and notes what was skipped."""

    def begin_run(
        self,
        job: str,
        instance: str,
        host: str,
        *,
        direction: str,
        kind: str,
        reports: Sequence[str],
        supervisor: ProcessIdentity,
        data_age: float | None = 0.0,
    ) -> Run:
        """A new run at INIT, with a start time that its job/instance never had before.

        The next free second from now on names it; see :meth:`Reader.name_free_at`.
        """
        began, uid = self._clock(), new_uid()
        started, start_time = self._free_name(file_stem(job, instance), int(began))
        run = Run(
            0,
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
            first_uid=uid,
            snapshot=Snapshot(data_age=data_age),
        )
        run_id = self._insert(run)
        self._db.execute(
            """INSERT INTO latest (job, instance, run_id) VALUES (?, ?, ?)
               ON CONFLICT DO UPDATE SET run_id = excluded.run_id""",
            (job, instance, run_id),
        )
        if instance:
            self._job_works_again(job)
        self._runs_again(job, instance)
        first = Transition("", run.step, run.status, "")
        number = self._append(run_id, began, first)
        self._add_pending(run_id, run.reports, number, began)
        self._db.execute("UPDATE runs SET last_transition = ? WHERE run_id = ?", (number, run_id))
        return run._replace(run_id=run_id, last_transition=number)

    def _free_name(self, stem: str, second: int) -> tuple[float, str]:
        """The first second from one on that names no run of the job/instance, and that name."""
        while True:
            name = datetime.fromtimestamp(second).strftime(START_TIME)
            taken = self._db.execute(
                "SELECT 1 FROM runs WHERE file_stem = ? AND start_time = ?", (stem, name)
            ).fetchone()
            if not taken:
                return float(second), name
            second += 1

    def _insert(self, run: Run) -> int:
        """The row of a new run; gives its number."""
        columns = {
            "uid": run.uid,
            "first_uid": run.first_uid,
            "job": run.job,
            "instance": run.instance,
            "file_stem": file_stem(run.job, run.instance),
            "host": run.host,
            "direction": run.direction,
            "type": run.type,
            "began": run.began,
            "started": run.started,
            "start_time": run.start_time,
            "supervisor_pid": run.supervisor.pid,
            "supervisor_boot": run.supervisor.boot,
            "supervisor_ticks": run.supervisor.ticks,
            "step": run.step,
            "status": run.status,
            "data_age": run.snapshot.data_age,
            "frozen": _snapshot_of(run.snapshot.data_age),
            "reports": _list_of(run.reports),
        }
        cursor = self._db.execute(_inserting(tuple(columns)), tuple(columns.values()))
        assert cursor.lastrowid is not None
        return cursor.lastrowid

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

    def record_skip(self, job: str, instance: str, behind: str) -> None:
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

    def _job_works_again(self, job: str) -> None:
        """A failure of the job itself is over; not so what ``--copy`` would go on with.

        That is a run of the time when the job had no instances.
        """
        self._db.execute(
            f"""DELETE FROM latest WHERE job = ?1 AND instance = '' AND run_id NOT IN (
                SELECT run_id FROM runs WHERE job = ?1 AND instance = '' AND {CAN_BE_RETRIED})""",
            (job,),
        )
