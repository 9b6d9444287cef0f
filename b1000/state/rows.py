"""The door through which rows of the journal come in: each column is checked, and named if bad.

What a column may hold follows from its declaration (type, NOT NULL), and from the rules here by
its name. A new column without a rule is checked by its declaration.
"""

import functools
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from b1000.config import grammar
from b1000.named import NamedTuple
from b1000.runs.states import CopyStatus, Ending, Status, Step
from b1000.state import values
from b1000.state.columns import JournalColumn, Names
from b1000.state.values import NOT_READ, Read


class ColumnRule(NamedTuple):
    """How a column is read; ``instead`` is stored in the stead of what cannot be."""

    read: Read
    instead: object


def read(
    table: str, row: Mapping[str, Any] | sqlite3.Row, columns: Mapping[str, JournalColumn]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The values of a row of ``table``, and the names of its columns that cannot be read."""
    found: dict[str, Any] = {}
    bad = []
    for column, read_it in _readers(table, (*columns.values(),)):
        name = column.name
        try:
            found[name] = read_it(row[name])
        except NOT_READ:
            bad.append(name)
            found[name] = _stand_in(table, column)
    return found, tuple(bad)


@functools.cache
def _readers(
    table: str, columns: tuple[JournalColumn, ...]
) -> tuple[tuple[JournalColumn, Read], ...]:
    return tuple((column, _reader(table, column)) for column in columns)


def _stand_in(table: str, column: JournalColumn) -> object:
    stored = instead(table, column)
    try:
        return _reader(table, column)(stored)
    except NOT_READ:
        return stored  # A name has none: whose it was is not known any more.


def instead(table: str, column: JournalColumn) -> object:
    """What is stored in the stead of something that cannot be read."""
    if not column.required:
        return None
    return _rule(table, column).instead


def unreadable(row: sqlite3.Row, known: Names) -> list[str]:
    """The columns of an answer that cannot be read, by what columns of their names may hold."""
    return [
        name
        for name, value in zip(row.keys(), tuple(row), strict=True)
        if type(value) is bytes or not _fits_one(value, known.get(name, ()))
    ]


def _fits_one(value: object, declared: Sequence[tuple[str, JournalColumn]]) -> bool:
    for table, column in declared:
        try:
            _reader(table, column)(value)
        except NOT_READ:
            continue
        return True
    return not declared


@functools.cache
def _reader(table: str, column: JournalColumn) -> Read:
    """What gives the meaning of a value of a column."""
    read_it = _rule(table, column).read
    return read_it if column.required else lambda value: None if value is None else read_it(value)


@functools.cache
def _rule(table: str, column: JournalColumn) -> ColumnRule:
    return _RULES.get(f"{table}.{column.name}") or _RULES.get(column.name) or _BY_TYPE[column.type]


_PROSE = ("error", "reason", "trouble", "behind", "waiting", "purpose", "doubt")
_BY_TYPE = {
    "TEXT": ColumnRule(values.text, ""),
    "INTEGER": ColumnRule(values.number, 0),
    "REAL": ColumnRule(values.moment, 0.0),
}

_RULES = {
    "run_id": ColumnRule(values.identity, 0),
    "transition_id": ColumnRule(values.identity, 0),
    "copy_id": ColumnRule(values.identity, 0),
    "listing_id": ColumnRule(values.identity, 0),
    "uid": ColumnRule(values.some_text, ""),
    "job": ColumnRule(values.name, ""),
    "instance": ColumnRule(values.absent_or(values.name), ""),
    "host": ColumnRule(lambda value: grammar.own_host(values.text(value)), "unknown"),
    # As it is written in the section of a job that cannot be run.
    "direction": ColumnRule(values.text, ""),
    "start_time": ColumnRule(values.start_time, ""),
    "begun": ColumnRule(values.flag, 1),  # What it may have begun stands in the way of older data.
    "own_dump": ColumnRule(values.flag, 0),
    "background": ColumnRule(values.flag, 0),
    "attempts": ColumnRule(values.count, 0),
    "bytes": ColumnRule(values.count, 0),
    "files": ColumnRule(values.count, 0),
    "sent": ColumnRule(values.count, 0),
    "number": ColumnRule(values.count, 0),
    "last_transition": ColumnRule(values.count, 0),
    "directories": ColumnRule(values.count, 0),
    "links": ColumnRule(values.count, 0),
    "others": ColumnRule(values.count, 0),
    "vanished": ColumnRule(values.count, 0),
    "marked": ColumnRule(values.flag, 0),
    "linked": ColumnRule(values.flag, 1),
    "data_age": ColumnRule(values.amount, 0.0),
    "ending": ColumnRule(values.word(Ending), Ending.CLOSED),
    "reports": ColumnRule(values.names, "[]"),
    "instances": ColumnRule(values.names, "[]"),
    "frozen": ColumnRule(values.snapshot, "{}"),
    "client": ColumnRule(values.client, ""),
    "report": ColumnRule(values.outbox, ""),
    **dict.fromkeys(_PROSE, ColumnRule(values.prose, "")),
    "runs.step": ColumnRule(values.word(Step), Step.INIT),
    "runs.status": ColumnRule(values.word(Status), Status.FAILED),
    "copies.destination": ColumnRule(values.name, ""),
    "copies.path": ColumnRule(values.some_text, "unknown"),
    "copies.type": ColumnRule(values.one_of("active", "passive"), "active"),
    "copies.status": ColumnRule(values.word(CopyStatus), CopyStatus.FAILED),
    "attempts.destination": ColumnRule(values.name, ""),
    "unsettled.path": ColumnRule(values.some_text, "unknown"),
    "stored.root": ColumnRule(values.some_text, "unknown"),
    "stored.path": ColumnRule(values.some_text, "unknown"),
    "pending_stored.root": ColumnRule(values.some_text, "unknown"),
    "pending_stored.path": ColumnRule(values.some_text, "unknown"),
    "transition": ColumnRule(values.count, 0),
    "facts": ColumnRule(values.absent_or(values.facts), ""),
    "drill_error": ColumnRule(values.prose, ""),
    "short": ColumnRule(values.prose, ""),
    "bad": ColumnRule(values.prose, ""),
    "spoilt": ColumnRule(values.flag, 0),
    "claimed": ColumnRule(values.flag, 0),
    "transitions.step": ColumnRule(values.word(Step), Step.INIT),
    "transitions.status": ColumnRule(values.word(Status, CopyStatus), Status.FAILED),
}
"""By the name of a column, which means the same in all tables, or by ``table.column``."""
