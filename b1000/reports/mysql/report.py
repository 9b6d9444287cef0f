"""Delivers to the tables of a server, through one connection."""

import contextlib
import time
from collections.abc import Iterable, Sequence

import pymysql
from pymysql.constants import ER
from pymysql.cursors import Cursor

from b1000.jobs import Report
from b1000.reports import report
from b1000.reports.mysql.connection import connect
from b1000.reports.mysql.errors import code, error_text, server_of
from b1000.reports.mysql.upsert import Unfit, upsert
from b1000.reports.report import RowsOfRun, Values
from b1000.reports.tables import COPIES, JOBS
from b1000.reports.target import NotDelivered, RunsRefused
from b1000.runs.run import Run

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


class MysqlReport:
    """Writes the rows of one ``[report:NAME]`` through one connection."""

    settle, linger = _SETTLE, _LINGER

    def __init__(self, settings: Report) -> None:
        self._settings = settings
        self._connection: pymysql.Connection[Cursor] | None = None

    def deliver(self, runs: Sequence[Run]) -> tuple[set[int], Exception | None]:
        """Deliver the state of each run in one transaction, or one by one where that is refused."""
        try:
            self._deliver_rows([row for run in runs for row in report.rows(run)])
        except Unfit:
            return self._one_by_one(runs)
        return {run.run_id for run in runs}, None

    def _one_by_one(self, runs: Iterable[Run]) -> tuple[set[int], Exception | None]:
        arrived: set[int] = set()
        refused: dict[int, str] = {}
        for run in runs:
            try:
                self._deliver_rows(report.rows(run))
                arrived.add(run.run_id)
            except Unfit as error:
                refused[run.run_id] = f"{run.label} of {run.start_time}: {error}"
            except NotDelivered as error:
                return arrived, error
        if not refused:
            return arrived, None
        message = "; ".join(list(refused.values())[:_MOST_NAMED])
        if len(refused) > _MOST_NAMED:
            message += f"; and {len(refused) - _MOST_NAMED} more"
        return arrived, RunsRefused(refused, f"{server_of(self._settings)} refuses {message}")

    def close(self) -> None:
        """Close the connection."""
        if self._connection:
            with contextlib.suppress(pymysql.Error, OSError):
                self._connection.close()
            self._connection = None

    def _deliver_rows(self, rows: Sequence[RowsOfRun]) -> None:
        """Write rows, all or none; raises NotDelivered, and Unfit where a value is at fault."""
        try:
            self._write_among_others(rows)
        except (pymysql.Error, OSError) as error:
            # Whatever it was, a new connection knows nothing of it.
            self.close()
            raise NotDelivered(error_text(error, self._settings)) from None

    def _write_among_others(self, rows: Sequence[RowsOfRun]) -> None:
        """Write, and begin anew where another transaction was in the way of this one."""
        until = time.monotonic() + _RETRY_TIME
        for left in reversed(range(_TRIES)):
            try:
                self._write(rows)
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

    def _write(self, rows: Sequence[RowsOfRun]) -> None:
        """One transaction. In the order of the keys, so that others wait and do not deadlock."""
        if not rows:
            return
        if self._connection is None:
            self._connection = connect(self._settings)
        rows = sorted(rows, key=lambda row: [str(row.job[name]) for name in JOBS.key])
        with self._connection.cursor() as cursor:
            # `ack` is for people to set, and old tables may have no default for it.
            jobs = [{**row.job, "ack": 0} for row in rows]
            numbers = upsert(cursor, JOBS, jobs, only_new=("ack",))
            copies: list[Values] = [
                {"job_id": number, **copy}
                for number, row in zip(numbers, rows, strict=True)
                for copy in row.copies
            ]
            upsert(cursor, COPIES, copies)
        self._connection.commit()
