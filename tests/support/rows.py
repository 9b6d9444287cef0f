"""Rows of a central database, written by hand: years of backups without a run."""

import contextlib
import sqlite3
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymysql
from pymysql.cursors import DictCursor

from b1000.jobs import Report
from b1000.reports import sqlite
from tests.support.database import Schema

HOUR, DAY = 3600.0, 86400.0


class Rows:
    """The tables of one report, in MariaDB or in a file."""

    def __init__(self, place: Schema | Path) -> None:
        self._place = place
        self.now = float(int(time.time()))
        self._server: pymysql.Connection[DictCursor] | None = None
        if isinstance(place, Path):
            sqlite.connect(place).close()

    @property
    def report(self) -> Report:
        """The settings by which it is read."""
        if isinstance(self._place, Path):
            return Report("central", "sqlite", path=str(self._place))
        options: dict[str, Any] = {**self._place.report()}
        return Report("central", **options)

    @property
    def section(self) -> dict[str, object]:
        """The same as options of a configuration."""
        if isinstance(self._place, Path):
            return {"type": "sqlite", "path": self._place}
        return self._place.report()

    def do(self, statement: str, *parameters: object) -> int:
        """Carry out a statement with ``?`` for parameters; gives the number of the new row."""
        if isinstance(self._place, Path):
            with contextlib.closing(sqlite3.connect(self._place)) as connection, connection:
                return int(connection.execute(statement, parameters).lastrowid or 0)
        self._server = self._server or self._place.connect()
        with self._server.cursor() as cursor:
            cursor.execute(statement.replace("?", "%s"), parameters)
            return int(cursor.lastrowid)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What a statement gives."""
        if isinstance(self._place, Path):
            with contextlib.closing(sqlite3.connect(self._place)) as connection:
                return connection.execute(statement).fetchall()
        return [tuple(row.values()) for row in self._place.query(statement)]

    def _insert(self, table: str, row: Mapping[str, object]) -> int:
        marks = ", ".join("?" * len(row))
        return self.do(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", *row.values())

    def run(
        self,
        host: str,
        name: str,
        instance: str,
        ago: float,
        copies: str | Mapping[str, str] = "near:DONE far:DONE",
        **columns: object,
    ) -> int:
        """A run so many seconds ago, with copies as ``DESTINATION:STATUS``; gives its number.

        What its copies came to says how it ended, unless columns say otherwise.
        """
        started = datetime.fromtimestamp(self.now - ago, UTC)
        statuses = (
            dict(each.split(":") for each in copies.split()) if isinstance(copies, str) else copies
        )
        fine = all(status == "DONE" for status in statuses.values())
        failed = any(status == "FAILED" for status in statuses.values())
        row = {
            "host": host,
            "name": name,
            "instance": instance,
            "direction": "push",
            "start_time": _text(started.astimezone().replace(tzinfo=None)),
            "started_utc": _text(started),
            "step": "COPYING" if failed else "DONE",
            "status": "OK" if fine else "FAILED" if failed else "WARNING",
            "bytes": 1000 if "DONE" in statuses.values() else None,
            "error": "",
            **columns,
        }
        number = self._insert("jobs", row)
        for destination, status in statuses.items():
            copy = {
                "job_id": number,
                "destination": destination,
                "status": status,
                "exit_code": {"DONE": 0, "WARNING": 24, "FAILED": 10}.get(status),
                "copy_error": "connection refused" if status == "FAILED" else "",
            }
            self._insert("copies", copy)
        return number

    def daily(
        self,
        host: str,
        name: str,
        instance: str = "",
        count: int = 5,
        newest: float = 3 * HOUR,
        **columns: object,
    ) -> None:
        """Good runs, a day apart."""
        for number in range(count):
            self.run(host, name, instance, newest + number * DAY, **columns)  # type: ignore[arg-type]

    def plan(self, host: str, name: str, instance: str | None = "", **columns: object) -> None:
        """A row in ``plan``."""
        row = {"master_host": host, "job_name": name, "master_instance": instance, **columns}
        self._insert("plan", row)


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
