"""What is asked of backups at storages: which copies there are, and what was found of them."""

import sqlite3
from collections.abc import Iterator, Sequence

from b1000.runs.run import Client
from b1000.runs.states import COMPLETE
from b1000.runs.stored import KnownCopy, Memory, Restore, Told
from b1000.state import outbox, values
from b1000.state.conditions import quoted
from b1000.state.directory_queries import PULLED
from b1000.state.run_rows import RunRows

_COPIED = f"""SELECT copies.path, copies.destination, copies.status, copies.bytes, copies.files,
        copies.ended, runs.type, runs.job, runs.host, runs.instance, runs.master_host,
        runs.master_instance, coalesce(nullif(runs.first_uid, ''), runs.uid) AS uid,
        runs.started, {PULLED}
    FROM runs JOIN copies USING (run_id)
    WHERE runs.direction <> 'passive' AND copies.path BETWEEN ? AND ? ORDER BY runs.run_id"""

_MARKED_FULL = f"""SELECT copies.path FROM runs JOIN copies USING (run_id)
    WHERE runs.direction <> 'passive' AND runs.type = 'full' AND copies.path BETWEEN ? AND ?
        AND copies.status IN ({quoted(COMPLETE)}) AND copies.marked
        AND NOT EXISTS (SELECT 1 FROM pending WHERE pending.run_id = runs.run_id
            AND pending.report = '{outbox.of_marks("")}' || copies.destination)
    ORDER BY runs.run_id DESC LIMIT 1"""


class StoredQueries(RunRows):
    """Questions about storages."""

    def last_marked_full(self, root: str) -> str:
        """The directory of the last full below a root that is complete, and whose mark has
        arrived; "" where there is none.
        """
        return next((row["path"] for row in self._ask(_MARKED_FULL, _below(root))), "")

    def copies_below(self, root: str) -> list[KnownCopy]:
        """The copies whose directories lie below a root, in the order of their runs."""
        found = self._ask(_COPIED, _below(root))
        return [copy for row in found if (copy := self._known_copy(row))]

    def _known_copy(self, row: sqlite3.Row) -> KnownCopy | None:
        # What was pulled is its client's; whose, is not known where that cannot be read.
        client = self._client(row["pulled"]) if row["pulled"] else None
        if row["pulled"] and not client:
            return None
        host, instance, master_host, master_instance = _names(client or row)
        return KnownCopy(
            row["path"],
            row["destination"],
            row["type"],
            row["job"],
            host,
            instance,
            master_host,
            master_instance,
            row["uid"],
            row["started"],
            row["ended"],
            row["status"] in COMPLETE,
            row["bytes"],
            row["files"],
        )

    def memories(self, root: str) -> dict[str, Memory]:
        """What looks at the backups of a root found, by their places."""
        columns = ", ".join(Memory._fields)
        rows = self._ask(f"SELECT path, {columns} FROM stored WHERE root = ?", (root,))
        found = {}
        while rows:  # each goes once it is read: there may be a hundred thousand
            path, *memory = tuple(rows.pop())
            found[path] = Memory(*memory)
        return found

    def seen_below(self, above: str) -> bool:
        """Whether backups were seen at or below a directory that were not removed since."""
        found = self._ask(
            """SELECT 1 FROM stored WHERE (root = ? OR root BETWEEN ? AND ?)
               AND first_seen IS NOT NULL AND removed IS NULL LIMIT 1""",
            (above.rstrip("/"), *_below(above)),
        )
        return bool(found)

    def drilled(self) -> list[Told]:
        """The backups of which there were drills, those too that are gone since."""
        columns = ", ".join(Memory._fields)
        rows = self._ask(
            f"""SELECT root, path, transition, facts, {columns} FROM stored
                WHERE drilled IS NOT NULL AND facts <> ''"""
        )
        return [
            Told(root, place, number, values.facts(facts), Memory(*memory))
            for root, place, number, facts, *memory in map(tuple, rows)
        ]

    def last_restore_into(self, device: int, inode: int) -> Restore | None:
        """The last restore into a directory; None where there was none."""
        condition = "device = ? AND inode = ? ORDER BY restore_id DESC LIMIT 1"
        return next(self._restores(condition, (device, inode)), None)

    def restores_under_way(self, device: int, inode: int) -> list[Restore]:
        """The restores into a directory that have not ended, or were killed."""
        condition = "device = ? AND inode = ? AND ended IS NULL"
        return list(self._restores(condition, (device, inode)))

    def last_restores(self) -> list[Restore]:
        """The last restore of each job, instance and target, in their order."""
        condition = """restore_id IN (SELECT max(restore_id) FROM restores
            GROUP BY job, instance, host, target) ORDER BY restore_id"""
        return list(self._restores(condition))

    def _restores(self, condition: str, values: Sequence[int] = ()) -> Iterator[Restore]:
        columns = ", ".join(Restore._fields)
        rows = self._ask(f"SELECT {columns} FROM restores WHERE {condition}", values)
        return (Restore(*tuple(row)) for row in rows)

    def jobs_known(self) -> set[str]:
        """The jobs of which there were runs."""
        return {row["job"] for row in self._ask("SELECT DISTINCT job FROM latest")}


def _below(root: str) -> tuple[str, str]:
    """Between which two all paths below a root are."""
    top = root.rstrip("/")
    return f"{top}/", f"{top}0"  # "0" follows "/"


def _names(whose: sqlite3.Row | Client) -> Sequence[str]:
    fields = ("host", "instance", "master_host", "master_instance")
    if isinstance(whose, Client):
        return [getattr(whose, name) for name in fields]
    return [whose[name] for name in fields]
