"""What is asked of the outbox: which states are pending for which report, since when and why."""

from collections.abc import Iterator, Mapping

from b1000.named import NamedTuple
from b1000.runs.run import Copy, Run
from b1000.runs.states import COMPLETE
from b1000.runs.stored import Memory, Told
from b1000.state import values
from b1000.state.conditions import quoted
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
            f"run_id IN ({', '.join('?' * len(due))})", due, order="ORDER BY runs.last_transition"
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
            places = ", ".join("?" * len(some))
            yield from self._runs(f"run_id IN ({places})", some, order="ORDER BY runs.run_id")

    def left_by_marks(self, run: Run, copy: Copy) -> bool:
        """Whether the mark of a run beside its copy is not wanted any more.

        A later run has begun to write there, or the storage has decided to remove it since.
        """
        return bool(
            self._ask(
                """SELECT 1 FROM copies WHERE path = ?1 AND run_id > ?2 AND attempts > 0
                   UNION ALL
                   SELECT 1 FROM stored WHERE root || '/' || path = ?1 AND removed >= ?3
                   LIMIT 1""",
                (copy.path, run.run_id, copy.ended or 0.0),
            )
        )

    def leaves_leftovers(self, path: str) -> bool:
        """Whether an attempt at a directory has ended that nothing has been put in order after."""
        return bool(self._ask("SELECT 1 FROM unsettled WHERE path = ?", (path,)))

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
