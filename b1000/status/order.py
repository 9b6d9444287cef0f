"""In which order runs are shown, and how they are counted. Pure."""

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum

from b1000.runs.states import Status
from b1000.status.row import StatusRow


class Rank(IntEnum):
    """How a run fares, the worst first."""

    FAILED = 0
    WARNING = 1
    RUNNING = 2
    OK = 3
    NEVER = 4


WORDS = {
    Rank.FAILED: "FAILED",
    Rank.WARNING: "WARNING",
    Rank.RUNNING: "running",
    Rank.OK: "OK",
    Rank.NEVER: "never ran",
}


def rank(row: StatusRow) -> Rank:
    """How a run fares; one under way is neither good nor bad yet."""
    if row.live:
        return Rank.RUNNING
    if row.status is None:
        return Rank.NEVER
    return {Status.FAILED: Rank.FAILED, Status.WARNING: Rank.WARNING}.get(row.status, Rank.OK)


def is_wrong(row: StatusRow) -> bool:
    """Whether somebody has to look at it."""
    return rank(row) <= Rank.WARNING


def natural(name: str) -> list[str | int]:
    """By this, ``web2`` stands before ``web10``."""
    # Texts and numbers take turns, so that like is compared with like.
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", name)]


def worst_first(subjects: Iterable[Sequence[StatusRow]]) -> list[StatusRow]:
    """The rows: what is wrong, what runs, then the rest, each by name.

    The rows of a subject, of which the first is its last run, stay together.
    """

    def key(rows: Sequence[StatusRow]) -> tuple[int, list[str | int], list[str | int]]:
        of = rank(rows[0])
        # What never ran stands among what is well.
        return min(of, Rank.OK), natural(rows[0].job), natural(rows[0].instance)

    return [row for rows in sorted(subjects, key=key) for row in rows]


def counted(rows: Iterable[StatusRow]) -> str:
    """How many job/instances fare how: ``60: 3 FAILED, 2 WARNING, 4 running, 51 OK``."""
    ranks = [rank(row) for row in rows if row.last]
    return f"{len(ranks)}: {_each(ranks)}" if ranks else "0"


def told(rows: Iterable[StatusRow]) -> str:
    """The same without the sum: ``3 FAILED, 4 running``."""
    return _each([rank(row) for row in rows])


def _each(ranks: Sequence[Rank]) -> str:
    return ", ".join(f"{ranks.count(each)} {WORDS[each]}" for each in Rank if each in ranks)
