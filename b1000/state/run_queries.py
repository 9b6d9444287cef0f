"""What is asked of runs: the last ones, unfinished ones, those to be retried, their names."""

import json
from collections.abc import Callable, Collection, Iterable
from datetime import datetime

from b1000.rsync.paths import START_TIME, file_stem
from b1000.runs.run import Orphans, ProcessIdentity, Run
from b1000.runs.states import RESUMED_WHEN_DIED
from b1000.state.conditions import CAN_BE_RETRIED, SUPERSEDED, UNCLOSED, placeholders, quoted
from b1000.state.run_rows import RunRows, supervisor

_LATEST = "JOIN latest USING (run_id)"
_OF_SUBJECT = "runs.job = ? AND runs.instance = ?"
_AT_ONCE = 500  # files in one statement
_NAMES_AWAITED = 2  # seconds that a run waits for a second that no other is named by


class RunQueries(RunRows):
    """Questions about runs; who only looks sees one that cannot be read as closed."""

    def last_runs(self) -> list[Run]:
        """The last run of each job/instance, by name."""
        order = "ORDER BY runs.job, runs.instance"
        return self._runs("TRUE", join=_LATEST, order=order, shown=True)

    def last_run(self, job: str, instance: str) -> Run | None:
        """The last run of one job/instance."""
        where = "latest.job = ? AND latest.instance = ?"
        return next(iter(self._runs(where, (job, instance), join=_LATEST, shown=True)), None)

    def run(self, run_id: int) -> Run | None:
        """One run."""
        return next(iter(self._runs("run_id = ?", (run_id,), shown=True)), None)

    def run_of(self, uid: str) -> Run | None:
        """The run that has a uid, or had it before it was resumed."""
        now = "SELECT run_id FROM runs WHERE uid = ?"
        earlier = "SELECT run_id FROM earlier_uids WHERE uid = ?"
        found = f"run_id IN ({now} UNION ALL {earlier})"
        return next(iter(self._runs(found, (uid, uid), shown=True)), None)

    def history(self, job: str, instance: str, number: int) -> list[Run]:
        """The last ``number`` runs of one job/instance, the newest first."""
        order = "ORDER BY runs.run_id DESC LIMIT ?"
        return self._runs(_OF_SUBJECT, (job, instance, number), order=order, shown=True)

    def retriable(
        self,
        is_alive: Callable[[ProcessIdentity], bool],
        subject: tuple[str, str] | None = None,
    ) -> list[Run]:
        """The runs that ``--copy`` would resume, oldest first; of one job/instance or all.

        A run that is not over counts where its supervisor is not alive.
        """
        whose = _OF_SUBJECT if subject else "TRUE"
        over = self._runs(f"{CAN_BE_RETRIED} AND {whose}", subject or ())
        died = self._runs(
            f"ending IS NULL AND step IN ({quoted(RESUMED_WHEN_DIED)}) AND NOT {SUPERSEDED} "
            f"AND {whose}",
            subject or (),
        )
        return _oldest_first([*over, *(run for run in died if not is_alive(run.supervisor))])

    def unclosed(self) -> list[Run]:
        """The runs that are not over, or failed and were not closed; oldest first.

        Among them are live ones, and those that a later run has superseded.
        """
        return _oldest_first([*self._runs(UNCLOSED), *self.unfinished()])

    def unfinished(self, subject: tuple[str, str] | None = None) -> list[Run]:
        """The runs that are not over, oldest first; of one job/instance or all."""
        if subject is None:
            return self._runs("ending IS NULL", order="ORDER BY run_id")
        # Few are unfinished; of the job/instance there may be thousands.
        few = f"{_OF_SUBJECT} AND run_id IN (SELECT run_id FROM runs WHERE ending IS NULL)"
        return self._runs(few, subject, order="ORDER BY run_id")

    def left_running(self, subject: tuple[str, str]) -> list[Run]:
        """The runs of one job/instance on whose behalf something still ran, by their number.

        Those that are not over, and those of which a script was started
        afterwards, an on_failure or the post of a run that is given up.
        """
        return self._runs(
            f"""{_OF_SUBJECT} AND run_id IN (
                   SELECT run_id FROM runs WHERE ending IS NULL
                   UNION SELECT run_id FROM processes JOIN runs USING (uid)
                   WHERE processes.ended IS NULL)""",
            subject,
            order="ORDER BY run_id",
        )

    def is_resumed(self, run_id: int) -> bool:
        """Whether a run was resumed after it had failed or died."""
        return bool(self._ask("SELECT 1 FROM earlier_uids WHERE run_id = ?", (run_id,)))

    def orphans(self, uid: str) -> Orphans:
        """What is known of the processes that were started under a uid."""
        rows = self._ask("SELECT * FROM processes WHERE uid = ?", (uid,))
        return Orphans(
            uid,
            frozenset(row["command"] for row in rows if row["ended"] is not None),
            tuple(
                ProcessIdentity(row["pid"], row["boot"], row["ticks"])
                for row in rows
                if row["ended"] is None
            ),
        )

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

    def runs_of_files(self, file_stem: str, start_times: Collection[str]) -> dict[str, int | None]:
        """The numbers of the runs of one name, of some start times.

        None of one that is not over or can be retried.
        """
        asked, found = list(start_times), {}
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            for row in self._ask(
                f"""SELECT start_time, run_id, ending IS NULL OR {CAN_BE_RETRIED} AS open
                    FROM runs WHERE file_stem = ?
                    AND start_time IN ({placeholders(some)})""",
                (file_stem, *some),
            ):
                found[row["start_time"]] = None if row["open"] else row["run_id"]
        return found

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

    def unfinished_listings(self, job: str) -> list[tuple[str, ProcessIdentity]]:
        """The uids and supervisors of what was asked of a job's command and has no answer."""
        return [
            (row["uid"], supervisor(row))
            for row in self._ask("SELECT * FROM listings WHERE job = ? AND ended IS NULL", (job,))
        ]


def _oldest_first(runs: Iterable[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: run.run_id)
