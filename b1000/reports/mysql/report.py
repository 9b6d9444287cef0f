"""Delivers to the tables of a server, through one connection."""

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import pymysql
from pymysql.constants import ER
from pymysql.cursors import Cursor

from b1000.jobs import Report
from b1000.reports import report, stored
from b1000.reports.mysql.connection import connect
from b1000.reports.mysql.errors import code, error_text, server_of
from b1000.reports.mysql.upsert import Unfit, upsert
from b1000.reports.report import RowsOfRun, Values
from b1000.reports.tables import COPIES, JOBS, STORED
from b1000.reports.target import NotDelivered, RunsRefused, StoredRefused
from b1000.runs.run import Run
from b1000.runs.stored import Told

_TRIES, _RETRY_TIME = 8, 10  # how often, and within which seconds, a transaction is begun anew
_SETTLE, _LINGER = 0.2, 1.0
_MOST_NAMED = 3  # refused runs that are named one by one

_CONTENDED = frozenset(
    {
        ER.LOCK_DEADLOCK,  # of Galera also: another node was first
        ER.LOCK_WAIT_TIMEOUT,
        ER.CHECKREAD,  # MariaDB with innodb_snapshot_isolation, which is on since 11.6
        ER.TABLE_DEF_CHANGED,  # etc/schema.sql was loaded since the transaction began
        3101,  # ER_TRANSACTION_ROLLBACK_DURING_COMMIT: another member of MySQL's group was first
        ER.ERROR_DURING_COMMIT,  # the same, as "149 - Lock deadlock; Retry transaction"
    }
)
"""Errors by which a server asks for the same transaction once more, from its beginning."""


_Row = TypeVar("_Row")
_Write = Callable[[Cursor, Sequence[_Row]], None]


class MysqlReport:
    """Writes the rows of one ``[report:NAME]`` through one connection."""

    settle, linger = _SETTLE, _LINGER

    def __init__(self, settings: Report) -> None:
        self._settings = settings
        self._connection: pymysql.Connection[Cursor] | None = None

    def deliver(self, runs: Sequence[Run]) -> tuple[set[int], Exception | None]:
        """Deliver the state of each run in one transaction, or one by one where that is refused."""
        try:
            self._deliver(_runs, [row for run in runs for row in report.rows(run)])
        except Unfit:
            return self._one_by_one(runs)
        return {run.run_id for run in runs}, None

    def _one_by_one(self, runs: Iterable[Run]) -> tuple[set[int], Exception | None]:
        arrived: set[int] = set()
        refused: dict[int, str] = {}
        for run in runs:
            try:
                self._deliver(_runs, report.rows(run))
                arrived.add(run.run_id)
            except Unfit as error:
                refused[run.run_id] = f"{run.label} of {run.start_time}: {error}"
            except NotDelivered as error:
                return arrived, error
        if not refused:
            return arrived, None
        return arrived, RunsRefused(refused, self._refusal(refused))

    def _refusal(self, refused: Mapping[int, str]) -> str:
        message = "; ".join(list(refused.values())[:_MOST_NAMED])
        if len(refused) > _MOST_NAMED:
            message += f"; and {len(refused) - _MOST_NAMED} more"
        return f"{server_of(self._settings)} refuses {message}"

    def deliver_stored(self, told: Sequence[Told]) -> tuple[list[Told], Exception | None]:
        """Deliver the state of each backup, as deliver does those of runs."""
        try:
            self._deliver(_stored, [stored.row(each) for each in told])
            return [*told], None
        except Unfit:
            pass
        arrived: list[Told] = []
        refused: dict[int, str] = {}
        for each in told:
            try:
                self._deliver(_stored, [stored.row(each)])
                arrived.append(each)
            except Unfit as error:
                refused[each.transition] = f"{each.path}: {error}"
            except NotDelivered as error:
                return arrived, error
        return arrived, StoredRefused(self._refusal(refused)) if refused else None

    def close(self) -> None:
        """Close the connection."""
        if self._connection:
            with contextlib.suppress(pymysql.Error, OSError):
                self._connection.close()
            self._connection = None

    def _deliver(self, write: _Write[_Row], rows: Sequence[_Row]) -> None:
        """Write rows, all or none; raises NotDelivered, and Unfit where a value is at fault."""
        try:
            self._write_among_others(write, rows)
        except (pymysql.Error, OSError) as error:
            # Whatever it was, a new connection knows nothing of it.
            self.close()
            raise NotDelivered(error_text(error, self._settings)) from None

    def _write_among_others(self, write: _Write[_Row], rows: Sequence[_Row]) -> None:
        """Write, and begin anew where another transaction was in the way of this one."""
        until = time.monotonic() + _RETRY_TIME
        for left in reversed(range(_TRIES)):
            try:
                self._write(write, rows)
                return
            except Unfit:
                self._roll_back()
                raise
            except pymysql.Error as error:
                if code(error) not in _CONTENDED or not left or time.monotonic() > until:
                    raise
                self._roll_back()

    def _roll_back(self) -> None:
        if self._connection:
            self._connection.rollback()

    def _write(self, write: _Write[_Row], rows: Sequence[_Row]) -> None:
        """One transaction."""
        if not rows:
            return
        if self._connection is None:
            self._connection = connect(self._settings)
        with self._connection.cursor() as cursor:
            write(cursor, rows)
        self._connection.commit()


# In the order of the keys, so that others wait and do not deadlock.


def _runs(cursor: Cursor, rows: Sequence[RowsOfRun]) -> None:
    rows = sorted(rows, key=lambda row: [str(row.job[name]) for name in JOBS.key])
    # `ack` is for people to set, and old tables may have no default for it.
    jobs = [{**row.job, "ack": 0} for row in rows]
    numbers = upsert(cursor, JOBS, jobs, only_new=("ack",))
    copies: list[Values] = [
        {"job_id": number, **copy}
        for number, row in zip(numbers, rows, strict=True)
        for copy in row.copies
    ]
    upsert(cursor, COPIES, copies)


def _stored(cursor: Cursor, rows: Sequence[Values]) -> None:
    upsert(cursor, STORED, sorted(rows, key=lambda row: [str(row[name]) for name in STORED.key]))
