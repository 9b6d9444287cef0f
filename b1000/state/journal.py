"""The writer of the journal: every change of a run, durable before the act that follows it."""

import json
from collections.abc import Iterable, Mapping

from b1000.runs.run import ProcessIdentity
from b1000.runs.states import COMPLETE
from b1000.runs.stored import MISSING, REMOVED, Facts, Memory, Restore
from b1000.state import values
from b1000.state.changes import Changes
from b1000.state.conditions import CAN_BE_RETRIED, placeholders, quoted

_COMPLETE = quoted(COMPLETE)


class Journal(Changes):
    """An open journal; only the supervisor has one.

    Everything within one :meth:`transaction` becomes durable together.
    """

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

    # --- storages

    def remember(self, root: str, place: str, changes: Mapping[str, object]) -> None:
        """Note what a look at a backup found: some fields of its Memory, by their names.

        When it was ``first_seen`` is noted once, and stays. Databases are told.
        """
        assert changes.keys() <= {*Memory._fields}
        columns = ("root", "path", *changes)
        updates = ", ".join(
            f"{name} = coalesce(stored.first_seen, excluded.first_seen)"
            if name == "first_seen"
            else f"{name} = excluded.{name}"
            for name in changes
        )
        self._db.execute(
            f"""INSERT INTO stored ({", ".join(columns)})
                VALUES ({placeholders(columns)})
                ON CONFLICT DO UPDATE SET {updates}""",
            (root, place, *changes.values()),
        )
        ((written,),) = self._db.execute(
            "SELECT facts FROM stored WHERE root = ? AND path = ?", (root, place)
        )
        if written:
            facts = values.facts(written)
            if changes.get("removed") is not None:
                self._write_facts(root, place, facts._replace(state=REMOVED))
            self._add_pending_stored(root, place, facts.reports)

    def describe(
        self, root: str, described: Mapping[str, Facts], held: bool = False, whole: bool = True
    ) -> None:
        """Note what databases are told of the backups of a root, by their places.

        ``whole``: these are all, and those that were there once are gone. ``held``: it is known too
        why groups are held back.
        """
        known = {
            place: (values.facts(facts), removed is not None)
            for place, facts, removed in self._db.execute(
                "SELECT path, facts, removed FROM stored WHERE root = ? AND facts <> ''", (root,)
            )
        }
        for place, facts in described.items():
            before = known.get(place, (None, False))[0]
            if before and not held:
                facts = facts._replace(held=before.held)
            if facts != before:
                self._write_facts(root, place, facts)
                self._add_pending_stored(root, place, facts.reports)
        for place in known.keys() - described.keys() if whole else ():
            before, removed = known[place]
            gone = before._replace(state=REMOVED if removed else MISSING, held="")
            if gone != before:
                self._write_facts(root, place, gone)
                self._add_pending_stored(root, place, gone.reports)

    def _write_facts(self, root: str, place: str, facts: Facts) -> None:
        self._db.execute(
            """INSERT INTO stored (root, path, facts) VALUES (?, ?, ?)
               ON CONFLICT DO UPDATE SET facts = excluded.facts""",
            (root, place, json.dumps(facts._asdict())),
        )

    def _add_pending_stored(self, root: str, place: str, reports: Iterable[str]) -> None:
        """The state of a backup is pending for these reports."""
        now = self._clock()
        ((last,),) = self._db.execute("SELECT coalesce(max(transition), 0) FROM stored")
        number = max(int(now * 1e6), last + 1)
        self._db.execute(
            "UPDATE stored SET transition = ? WHERE root = ? AND path = ?", (number, root, place)
        )
        for report in reports:
            self._db.execute(
                """INSERT INTO pending_stored (report, root, path, transition, since)
                   VALUES (?, ?, ?, ?, ?)
                   ON CONFLICT DO UPDATE SET transition = excluded.transition""",
                (report, root, place, number, now),
            )

    def record_told(self, report: str, root: str, place: str, transition: int) -> None:
        """The report has got this state of a backup; later ones stay pending."""
        self._db.execute(
            """DELETE FROM pending_stored
               WHERE report = ? AND root = ? AND path = ? AND transition <= ?""",
            (report, root, place, transition),
        )

    def begin_restore(self, restore: Restore) -> int:
        """Note that something is about to be brought back; gives its id."""
        columns = Restore._fields[: Restore._fields.index("ended")]
        row = self._db.execute(
            f"""INSERT INTO restores ({", ".join(columns)})
                VALUES ({placeholders(columns)}) RETURNING restore_id""",
            [getattr(restore, name) for name in columns],
        ).fetchone()
        return int(row[0])

    def end_restore(self, restore_id: int, error: str) -> None:
        """Note that it is over, and with what error, "" for none."""
        self._db.execute(
            "UPDATE restores SET ended = ?, error = ? WHERE restore_id = ?",
            (self._clock(), error, restore_id),
        )

    def forget_restore(self, restore_id: int, error: str) -> None:
        """Note that it is given up; ``error`` is why it is over, where that was not noted."""
        self._db.execute(
            """UPDATE restores SET forgotten = 1, ended = coalesce(ended, ?),
                error = CASE error WHEN '' THEN ? ELSE error END WHERE restore_id = ?""",
            (self._clock(), error, restore_id),
        )

    def end_restores_of(self, process: ProcessIdentity, error: str) -> None:
        """Note that all is over that a process was bringing back."""
        self._db.execute(
            """UPDATE restores SET ended = ?, error = ?
                WHERE pid = ? AND boot = ? AND ticks = ? AND ended IS NULL""",
            (self._clock(), error, *process),
        )

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
                """DELETE FROM stored WHERE removed < ? AND NOT EXISTS (
                       SELECT 1 FROM pending_stored AS pending
                       WHERE pending.root = stored.root AND pending.path = stored.path)""",
                (before,),
            )
            self._db.execute("DELETE FROM restores WHERE began < ?", (before,))
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
