"""The door through which rows of the journal come in: each column is checked, and named if bad.

What a column may hold follows from its declaration (type, NOT NULL), and from the rules here by
its name. A new column without a rule is checked by its declaration.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from b1000.config import grammar
from b1000.runs.states import CopyStatus, Ending, Status, Step
from b1000.state import values
from b1000.state.columns import Column, Names
from b1000.state.values import NOT_READ, Read


class Rule(NamedTuple):
    """How a column is read; ``instead`` is stored in the stead of what cannot be."""

    read: Read
    instead: object


def read(
    table: str, row: Mapping[str, Any] | sqlite3.Row, columns: Mapping[str, Column]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The values of a row of ``table``, and the names of its columns that cannot be read."""
    found: dict[str, Any] = {}
    bad = []
    for column in columns.values():
        try:
            found[column.name] = _value(table, column, row[column.name])
        except NOT_READ:
            bad.append(column.name)
            found[column.name] = _stand_in(table, column)
    return found, tuple(bad)


def _stand_in(table: str, column: Column) -> object:
    stored = instead(table, column)
    try:
        return _value(table, column, stored)
    except NOT_READ:
        return stored  # A name has none: whose it was is not known any more.


def instead(table: str, column: Column) -> object:
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


def _fits_one(value: object, declared: Sequence[tuple[str, Column]]) -> bool:
    for table, column in declared:
        try:
            _value(table, column, value)
        except NOT_READ:
            continue
        return True
    return not declared


def _value(table: str, column: Column, value: object) -> Any:
    if value is None and not column.required:
        return None
    return _rule(table, column).read(value)


def _rule(table: str, column: Column) -> Rule:
    return _RULES.get(f"{table}.{column.name}") or _RULES.get(column.name) or _BY_TYPE[column.type]


_PROSE = ("error", "reason", "trouble", "behind", "waiting", "purpose", "doubt")
_BY_TYPE = {
    "TEXT": Rule(values.text, ""),
    "INTEGER": Rule(values.number, 0),
    "REAL": Rule(values.moment, 0.0),
}

_RULES = {
    "run_id": Rule(values.identity, 0),
    "transition_id": Rule(values.identity, 0),
    "copy_id": Rule(values.identity, 0),
    "listing_id": Rule(values.identity, 0),
    "uid": Rule(values.some_text, ""),
    "job": Rule(values.name, ""),
    "instance": Rule(values.absent_or(values.name), ""),
    "host": Rule(lambda value: grammar.own_host(values.text(value)), "unknown"),
    # As it is written in the section of a job that cannot be run.
    "direction": Rule(values.text, ""),
    "start_time": Rule(values.start_time, ""),
    "begun": Rule(values.flag, 1),  # What it may have begun stands in the way of older data.
    "own_dump": Rule(values.flag, 0),
    "background": Rule(values.flag, 0),
    "attempts": Rule(values.count, 0),
    "bytes": Rule(values.count, 0),
    "files": Rule(values.count, 0),
    "sent": Rule(values.count, 0),
    "number": Rule(values.count, 0),
    "last_transition": Rule(values.count, 0),
    "data_age": Rule(values.amount, 0.0),
    "ending": Rule(values.word(Ending), Ending.CLOSED),
    "reports": Rule(values.names, "[]"),
    "instances": Rule(values.names, "[]"),
    "frozen": Rule(values.frozen, "{}"),
    "client": Rule(values.client, ""),
    "report": Rule(values.name, ""),
    **dict.fromkeys(_PROSE, Rule(values.prose, "")),
    "runs.step": Rule(values.word(Step), Step.INIT),
    "runs.status": Rule(values.word(Status), Status.FAILED),
    "copies.destination": Rule(values.name, ""),
    "copies.path": Rule(values.some_text, "unknown"),
    "copies.type": Rule(values.one_of("active", "passive"), "active"),
    "copies.status": Rule(values.word(CopyStatus), CopyStatus.FAILED),
    "attempts.destination": Rule(values.name, ""),
    "unsettled.path": Rule(values.some_text, "unknown"),
    "spoilt": Rule(values.flag, 0),
    "claimed": Rule(values.flag, 0),
    "transitions.step": Rule(values.word(Step), Step.INIT),
    "transitions.status": Rule(values.word(Status, CopyStatus), Status.FAILED),
}
"""By the name of a column, which means the same in all tables, or by ``table.column``."""
