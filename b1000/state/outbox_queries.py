"""What is asked of the outbox: which states are pending for which report, since when and why."""

from collections.abc import Iterator, Mapping, Sequence

from b1000.named import NamedTuple
from b1000.runs.run import Run
from b1000.runs.states import COMPLETE
from b1000.runs.stored import Memory, Told
from b1000.state import values
from b1000.state.conditions import placeholders, quoted
from b1000.state.run_rows import RunRows

_AT_ONCE = 500  # runs in one statement
_NOTHING: Mapping[int, int] = {}
_PENDING = """(SELECT report, since FROM pending UNION ALL
    SELECT report, since FROM pending_stored) AS pending"""


class Pending(NamedTuple):
    """What a report has not got yet of one run."""

    transition_id: int
    run: Run


class Backlog(NamedTuple):
    """How far a report is behind: of how much it lacks the last state, since when, and why.

    ``trouble`` is what its reporter said last; it may be "".
    """

    report: str
    states: int
    since: float
    trouble: str


class OutboxQueries(RunRows):
    """Questions about what reports have not got yet."""

    def pending(
        self, report: str, known: Mapping[int, int] = _NOTHING, limit: int = 500
    ) -> list[Pending]:
        """What a report has not got yet, oldest first; without what :meth:`due` leaves out."""
        due = self.due(report, known)[:limit]
        runs = self._runs(
            f"run_id IN ({placeholders(due)})", due, order="ORDER BY runs.last_transition"
        )
        # The state that is read now may be newer than the one that was pending: it is what counts.
        return [Pending(run.last_transition, run) for run in runs]

    def due(self, report: str, known: Mapping[int, int] = _NOTHING) -> list[int]:
        """The runs of which a report has not got the last state, oldest first.

        Without those states (run_id → transition) that are ``known`` to have
        been reported although that is not marked yet.
        """
        sql = "SELECT run_id, transition_id FROM pending WHERE report = ? ORDER BY transition_id"
        return [
            row["run_id"]
            for row in self._ask(sql, (report,))
            if known.get(row["run_id"], -1) < row["transition_id"]
        ]

    def pending_stored(self, report: str, after: int = 0, limit: int = 500) -> list[Told]:
        """The backups of which a report has not got the last state, oldest change first.

        Of those changes that have a number ``after`` one.
        """
        columns = ", ".join(f"stored.{name}" for name in Memory._fields)
        rows = self._ask(
            f"""SELECT stored.root, stored.path, stored.transition, stored.facts, {columns}
                FROM pending_stored AS pending JOIN stored USING (root, path)
                WHERE pending.report = ? AND pending.transition > ? AND stored.facts <> ''
                ORDER BY pending.transition LIMIT ?""",
            (report, after, limit),
        )
        return [
            Told(root, place, number, values.facts(facts), Memory(*memory))
            for root, place, number, facts, *memory in map(tuple, rows)
        ]

    def complete_runs(self) -> Iterator[Run]:
        """The runs of which a copy is complete, oldest first."""
        numbers = [
            row["run_id"]
            for row in self._ask(
                f"""SELECT DISTINCT run_id FROM copies JOIN runs USING (run_id)
                    WHERE direction <> 'passive' AND copies.status IN ({quoted(COMPLETE)})
                    ORDER BY run_id"""
            )
        ]
        for start in range(0, len(numbers), _AT_ONCE):
            some = numbers[start : start + _AT_ONCE]
            where = f"run_id IN ({placeholders(some)})"
            yield from self._runs(where, some, order="ORDER BY runs.run_id")

    def left_by_marks(self, destination: str, run_ids: Sequence[int]) -> set[int]:
        """Those of some runs whose marks at a destination are not wanted any more.

        A later run has begun to write into their directory, or the storage has decided to remove
        it since. One look at what came later is for all of them.
        """
        rows = self._ask(
            f"""WITH later (path, number, removed) AS (
                    SELECT path, max(run_id), NULL FROM copies
                    WHERE run_id > ? AND attempts > 0 GROUP BY path
                    UNION ALL SELECT root || '/' || path, NULL, removed FROM stored
                    WHERE removed IS NOT NULL)
                SELECT DISTINCT copies.run_id FROM copies JOIN later USING (path)
                WHERE copies.destination = ? AND copies.run_id IN ({placeholders(run_ids)})
                AND (number > copies.run_id OR removed >= coalesce(copies.ended, 0))""",
            (min(run_ids, default=0), destination, *run_ids),
        )
        return {row["run_id"] for row in rows}

    def with_leftovers(self, paths: Sequence[str]) -> set[str]:
        """Those of some directories where an attempt left what was never put in order."""
        sql = f"SELECT path FROM unsettled WHERE path IN ({placeholders(paths)})"
        return {row["path"] for row in self._ask(sql, paths)}

    def pending_by_report(self) -> dict[str, int]:
        """How many runs and backups each report has not got the last state of."""
        asked = f"SELECT report, count(*) AS number FROM {_PENDING} GROUP BY report"
        return {row["report"]: row["number"] for row in self._ask(asked)}

    def reports_of_stored(self) -> set[str]:
        """The reports that have not got the last state of some backup."""
        return {row["report"] for row in self._ask("SELECT DISTINCT report FROM pending_stored")}

    def backlogs(self) -> list[Backlog]:
        """The reports that have not got all states, by name."""
        return [
            Backlog(*row)
            for row in self._ask(
                f"""SELECT report, count(*) AS states, min(since) AS since, coalesce(
                       (SELECT trouble FROM report_troubles AS known
                        WHERE known.report = pending.report), '') AS trouble
                   FROM {_PENDING} GROUP BY report ORDER BY report"""
            )
        ]
