"""Rows of the journal that cannot be read: each costs its own run at most.

A run is closed as damaged, with what can still be read of it; one whose very name is lost is
forgotten. A row that only describes a run or a report is forgotten.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from b1000.named import NamedTuple
from b1000.rsync.paths import file_stem
from b1000.runs.states import COMPLETE, CopyStatus
from b1000.state import outbox, rows
from b1000.state.columns import Tables, tables
from b1000.state.conditions import UNCLOSED, quoted
from b1000.state.values import LARGEST, moment_of

_WHOSE = frozenset({"run_id", "uid", "job", "instance", "start_time"})
"""Columns without which nothing can be said of a run."""
_WHICH = frozenset({"copy_id", "run_id", "destination"})
"""Columns without which nothing can be said of a copy."""
_WHERE = frozenset({"path", "status"})
"""Columns without which a copy cannot be relied on."""
_ACCOUNTS = frozenset({"attempts", "transitions", "pending", "earlier_uids"})
"""Tables whose rows belong to a run and decide nothing about it."""
_NUMBERED = {"runs": "run_id", "transitions": "transition_id"}

Close = Callable[[int, str], None]
"""Close the run of this number, for a reason."""


class Damage(NamedTuple):
    """A row that could not be read, and what was done about it."""

    table: str
    columns: tuple[str, ...]
    run_id: int | None
    done: str

    def __str__(self) -> str:
        whose = f" of run {self.run_id}" if self.run_id else ""
        return f"{', '.join(named(self.table, self.columns))}{whose}: {self.done}"


def named(table: str, columns: Iterable[str]) -> list[str]:
    """``table.column`` of each."""
    return [f"{table}.{column}" for column in columns]


def reason(columns: Iterable[str]) -> str:
    """Why a run is closed; the columns are named with their tables."""
    return f"the journal's row is damaged: {', '.join(columns)}"


def is_out_of_numbers(connection: sqlite3.Connection) -> bool:
    """Whether damage keeps runs or transitions from getting numbers."""
    last = " UNION ALL ".join(
        f"SELECT coalesce(max({column}), 0) AS last FROM {table}"
        for table, column in _NUMBERED.items()
    )
    (strange,) = connection.execute(
        f"""SELECT max(typeof(last) <> 'integer' OR last NOT BETWEEN 0 AND {LARGEST})
            FROM ({last} UNION ALL SELECT seq FROM sqlite_sequence)"""
    ).fetchone()
    return bool(strange)


def mend(connection: sqlite3.Connection, close: Close) -> list[Damage]:
    """Read every row, and mend what cannot be read, within a transaction of the caller's.

    Texts of the connection are those of columns.lenient. Raises sqlite3.Error where the journal
    takes no mending.
    """
    # An index knows what was there before: a row that does not agree with it cannot be changed.
    connection.execute("REINDEX")
    return _Mending(connection, close).carry_out()


class _Mending:
    """One look at all rows."""

    def __init__(self, connection: sqlite3.Connection, close: Close) -> None:
        self._db = connection
        self._close = close
        self._tables: Tables = tables(connection)
        self._found: list[Damage] = []
        self._flaws: dict[int, list[str]] = defaultdict(list)
        self._runs: set[int] = set()

    def carry_out(self) -> list[Damage]:
        self._mend_runs()
        self._mend_copies()
        lost: set[str] = set()
        for table in self._tables.keys() - {"runs", "copies"}:
            if self._forget_rows(table):
                lost.add(table)
        self._miss_copies()
        self._mend_numbers()
        self._mend_latest()
        for run_id, columns in self._flaws.items():
            self._close(run_id, reason(columns))
        if "pending" in lost:
            self._make_pending_again()
        if "unsettled" in lost:
            self._doubt_again()
        self._db.execute(
            """UPDATE pending SET transition_id = max(1, last_transition) FROM runs
               WHERE runs.run_id = pending.run_id AND transition_id > last_transition"""
        )
        return self._found

    def _mend_runs(self) -> None:
        for row, values, bad in list(self._damaged("runs", self._runs_flaws)):
            if _WHOSE & {*bad}:
                self._db.execute("DELETE FROM runs WHERE run_id IS ?", (row["run_id"],))
                self._note("runs", bad, values["run_id"], "the run is forgotten")
                continue
            changed = {name: self._instead("runs", name) for name in bad}
            if "started" in bad:
                changed["started"] = moment_of(row["start_time"])
            if "began" in bad:
                changed["began"] = changed.get("started", row["started"])
            if "file_stem" in bad:
                changed["file_stem"] = file_stem(row["job"], row["instance"])
            self._update("runs", "run_id", row["run_id"], changed)
            self._flaw("runs", bad, values["run_id"])
        self._runs = {run_id for (run_id,) in self._db.execute("SELECT run_id FROM runs")}

    def _runs_flaws(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        stem = file_stem(values["job"], values["instance"])
        return () if values["file_stem"] == stem else ("file_stem",)

    def _mend_copies(self) -> None:
        for row, values, bad in list(self._damaged("copies", self._strays("copies"))):
            if _WHICH & {*bad}:
                self._db.execute("DELETE FROM copies WHERE copy_id IS ?", (row["copy_id"],))
            else:
                changed = {name: self._instead("copies", name) for name in bad}
                changed["error"] = reason(named("copies", bad))
                if _WHERE & {*bad}:
                    changed["status"] = CopyStatus.FAILED
                self._update("copies", "copy_id", row["copy_id"], changed)
            self._flaw("copies", bad, values["run_id"])

    def _forget_rows(self, table: str) -> bool:
        """Keep the rows that can be read alone; gives whether others were there."""
        damaged = list(self._damaged(table, self._strays(table)))
        if not damaged and not self._is_its_own_index(table):
            return False
        sound = [tuple(row) for row, _, bad in self._all(table, self._strays(table)) if not bad]
        columns = self._tables[table]
        self._db.execute(f"DELETE FROM {table}")
        self._db.executemany(
            f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) "
            f"VALUES ({', '.join('?' * len(columns))})",
            sound,
        )
        for _, values, bad in damaged:
            run_id = values.get("run_id") if table != "latest" else None
            if run_id is None or table in _ACCOUNTS:
                self._note(table, bad, run_id, "the row is forgotten")
            else:
                self._flaw(table, bad, run_id)
        return bool(damaged)

    def _is_its_own_index(self, table: str) -> bool:
        """Whether rows stand in an order that damage may have changed."""
        asked = "SELECT wr FROM pragma_table_list WHERE name = ?"
        return bool(self._db.execute(asked, (table,)).fetchone()[0])

    def _strays(self, table: str) -> "Callable[[Mapping[str, Any]], tuple[str, ...]]":
        """A function that finds rows which belong to no run."""
        belongs = any(
            parent == "runs"
            for _, _, parent, *_ in self._db.execute(f"PRAGMA foreign_key_list({table})")
        )
        if not belongs:
            return lambda _: ()
        return lambda values: () if values["run_id"] in self._runs else ("run_id",)

    def _miss_copies(self) -> None:
        """A run that is resumed must not be called complete for want of a copy's row."""
        for (run_id,) in self._db.execute(
            f"""SELECT DISTINCT run_id FROM runs LEFT JOIN transitions USING (run_id)
                WHERE (ending IS NULL OR {UNCLOSED}) AND (
                    begun AND NOT EXISTS (
                        SELECT 1 FROM copies WHERE copies.run_id = runs.run_id)
                    OR destination <> '' AND destination NOT LIKE '@%' AND NOT EXISTS (
                        SELECT 1 FROM copies WHERE copies.run_id = runs.run_id
                        AND copies.destination = transitions.destination))"""
        ).fetchall():
            if run_id not in self._flaws:
                self._flaw("copies", ("destination",), run_id)

    def _mend_numbers(self) -> None:
        """Numbers go on from the highest that is known."""
        known = self._db.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
        wanted = []
        for table, column in _NUMBERED.items():
            (last,) = self._db.execute(f"SELECT coalesce(max({column}), 0) FROM {table}").fetchone()
            given = [
                number
                for name, number in known
                if name == table and type(number) is int and last <= number < LARGEST
            ]
            wanted.append((table, max([last, *given])))
        if not {*known} <= {*wanted}:
            self._db.execute("DELETE FROM sqlite_sequence")
            self._db.executemany("INSERT INTO sqlite_sequence VALUES (?, ?)", wanted)
            self._note("sqlite_sequence", ("seq",), None, "counted anew")

    def _mend_latest(self) -> None:
        """The last run of each job/instance; a failure of a job itself is over with the next."""
        self._db.execute(
            """DELETE FROM latest WHERE NOT EXISTS (
                   SELECT 1 FROM runs WHERE runs.run_id = latest.run_id
                   AND runs.job = latest.job AND runs.instance = latest.instance)"""
        )
        self._db.execute(
            """INSERT OR IGNORE INTO latest
               SELECT job, instance, max(run_id) FROM runs WHERE instance <> '' OR NOT EXISTS (
                   SELECT 1 FROM runs AS other WHERE other.job = runs.job AND other.instance <> '')
               GROUP BY job, instance"""
        )

    def _make_pending_again(self) -> None:
        """What was pending is not known any more: reports get the last state of each."""
        self._db.execute(
            """INSERT OR IGNORE INTO pending
               SELECT value, run_id, max(1, last_transition), started
               FROM runs JOIN latest USING (run_id), json_each(reports)"""
        )
        self._db.execute(
            f"""INSERT OR IGNORE INTO pending
                SELECT ? || destination, run_id, max(1, last_transition), runs.started
                FROM runs JOIN latest USING (run_id) JOIN copies USING (run_id)
                WHERE marked AND copies.status IN ({quoted(COMPLETE)})""",
            (outbox.of_marks(""),),
        )

    def _doubt_again(self) -> None:
        """In which directory something may be wrong is not known any more: it may be in each."""
        self._db.execute(
            f"""INSERT OR IGNORE INTO unsettled (path, since, doubt)
                SELECT one_place(copies.path), min(runs.started),
                       'is not known: the journal was damaged'
                FROM copies JOIN runs USING (run_id) WHERE copies.type <> 'passive'
                AND (runs.type = 'sync' OR copies.status NOT IN ({quoted(COMPLETE)}))
                GROUP BY one_place(copies.path)"""
        )

    # --- rows

    def _damaged(
        self, table: str, more: Callable[[Mapping[str, Any]], tuple[str, ...]]
    ) -> Iterator[tuple[sqlite3.Row, dict[str, Any], tuple[str, ...]]]:
        return (each for each in self._all(table, more) if each[2])

    def _all(
        self, table: str, more: Callable[[Mapping[str, Any]], tuple[str, ...]]
    ) -> Iterator[tuple[sqlite3.Row, dict[str, Any], tuple[str, ...]]]:
        """Each row, its values, and the columns that cannot be read."""
        cursor = self._db.cursor()
        cursor.row_factory = sqlite3.Row
        for row in cursor.execute(f"SELECT * FROM {table}"):
            values, bad = rows.read(table, row, self._tables[table])
            yield row, values, bad or more(values)

    def _instead(self, table: str, column: str) -> object:
        return rows.instead(table, self._tables[table][column])

    def _update(self, table: str, key: str, number: int, changed: Mapping[str, object]) -> None:
        self._db.execute(
            f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in changed)} WHERE {key} = ?",
            (*changed.values(), number),
        )

    def _flaw(self, table: str, bad: Collection[str], run_id: int) -> None:
        if run_id not in self._runs and table != "runs":
            self._note(table, bad, None, "the row is forgotten")
            return
        self._flaws[run_id] += named(table, bad)
        self._note(table, bad, run_id, "the run is closed")

    def _note(self, table: str, bad: Collection[str], run_id: int | None, done: str) -> None:
        self._found.append(Damage(table, tuple(bad), run_id, done))
