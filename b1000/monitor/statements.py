"""Statements in the words of a database that may be an older installation's."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TypeVar

from b1000.reports.source import DatabaseSource
from b1000.reports.tables import TABLES
from b1000.runs.states import CopyStatus, Status

T = TypeVar("T")
VANISHED = 24
"""rsync's exit code for files that vanished."""
_LONGEST_ERROR = 200  # characters of it that are told
RUNS_AT_ONCE = 900
"""Of 1,000 and more MariaDB makes a table, sorts it, and takes twice as long."""
DENSE = 2
"""So many rows in a row are read for one that is looked for."""

# The values stand in the statements as they are: they are ours.
_LETTERS = {"jobs": "j", "copies": "c"}  # by which statements call the tables
_PREFIXES = {"jobs": "", "copies": "copy_"}  # of columns that both have
_TABLES = {table.name: table for table in TABLES}


class Expressions:
    """Parts of statements, in the words of a database that may be an older installation's.

    A column that only newer ones have is NULL there.
    """

    def __init__(self, source: DatabaseSource) -> None:
        self._there = {table: source.columns(table) for table in _LETTERS}
        self._seconds = source.dialect.seconds

    def column(self, table: str, name: str) -> str:
        """A column that was added since, under its name of today or of the first version."""
        former = _TABLES[table].column(name).former
        there = next((each for each in (name, former) if each in self._there[table]), None)
        return f"{_LETTERS[table]}.{there}" if there else "NULL"

    def started(self, table: str) -> str:
        """When it began, in seconds since the epoch."""
        return self._seconds(self.column(table, f"{_PREFIXES[table]}started_utc"))

    def error(self, table: str, fine: str) -> str:
        """Why it did not end with that status."""
        error = self.column(table, f"{_PREFIXES[table]}error")
        return _unless(fine, f"{_LETTERS[table]}.status", error)

    @property
    def error_of_few(self) -> str:
        """The same of many runs that have a number as their key, nearly all of them OK.

        Of rows that are asked for a text of any length MariaDB reads none ahead.
        """
        if self.column("jobs", "error") == "NULL":
            return "''"
        own = "(SELECT its.error FROM jobs its WHERE its.job_id = j.job_id)"
        return _unless(Status.OK, "j.status", own)

    @property
    def counts(self) -> str:
        """A condition for a row: its host tells it, or does not tell of that run."""
        relayed_by = self.column("jobs", "relayed_by")
        if relayed_by == "NULL":
            return "1 = 1"
        names = ("start_time", "host", "name", "instance")
        same = " AND ".join(f"o.{name} = j.{name}" for name in names)
        return (
            f"({relayed_by} = '' OR NOT EXISTS "
            f"(SELECT 1 FROM jobs o WHERE {same} AND o.relayed_by = ''))"
        )

    @property
    def vanished(self) -> str:
        """A condition for a copy: it ended, and only files vanished meanwhile."""
        exit_code = self.column("copies", "exit_code")
        return f"c.status = '{CopyStatus.WARNING}' AND {exit_code} = {VANISHED}"

    @property
    def has_good_copy(self) -> str:
        """A condition for a run."""
        return (
            "EXISTS (SELECT 1 FROM copies c WHERE c.job_id = j.job_id "
            f"AND (c.status = '{CopyStatus.DONE}' OR {self.vanished}))"
        )


def _unless(fine: str, status: str, error: str) -> str:
    """An error where a status is another."""
    return f"CASE {status} WHEN '{fine}' THEN '' ELSE substr({error}, 1, {_LONGEST_ERROR}) END"


def among(job_ids: Sequence[int], dense: int = DENSE) -> str:
    """A condition that holds for these, ascending, and perhaps for a few in between.

    ``dense``: so many in a row are soon passed over for one that is looked for.
    """
    if job_ids[-1] - job_ids[0] < dense * len(job_ids):
        return f"c.job_id BETWEEN {job_ids[0]} AND {job_ids[-1]}"
    return f"c.job_id IN ({', '.join(map(str, job_ids))})"


def batches(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most so many."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
