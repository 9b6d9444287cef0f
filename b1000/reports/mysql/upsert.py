"""Rows into the tables of a server: inserted, or moved to a higher transition."""

import re
from collections.abc import Sequence

import pymysql
from pymysql.constants import ER
from pymysql.cursors import Cursor

from b1000.reports.mysql.errors import code
from b1000.reports.mysql.schema import widen_column
from b1000.reports.report import Values
from b1000.reports.tables import Table

_REFUSED_DATA = frozenset(
    {
        ER.DATA_TOO_LONG,
        ER.TRUNCATED_WRONG_VALUE_FOR_FIELD,
        ER.TRUNCATED_WRONG_VALUE,
        ER.WARN_DATA_OUT_OF_RANGE,
        ER.WARN_DATA_TRUNCATED,
        ER.BAD_NULL_ERROR,
        3819,  # ER_CHECK_CONSTRAINT_VIOLATED of MySQL
        4025,  # ER_CONSTRAINT_FAILED of MariaDB
        1690,  # ER_DATA_OUT_OF_RANGE
        1644,  # ER_SIGNAL_EXCEPTION: a trigger of the server's owners
        ER.NO_REFERENCED_ROW_2,
    }
)
"""Errors that are about the values of single runs: the others can be delivered all the same."""

_KEYS_AT_ONCE = 200


class Unfit(Exception):
    """A value that its column cannot hold."""


def upsert(
    cursor: Cursor, table: Table, rows: Sequence[Values], only_new: tuple[str, ...] = ()
) -> list[int]:
    """Insert rows, or move those that are there to a higher transition, never to a lower.

    A row of another writer, which an older unique key takes for the same, stays as it is.

    Gives their numbers. Rows that are there are named by their number, so that
    an update uses up no new ones.
    """
    numbers = _numbers(cursor, table, rows)
    _move(
        cursor,
        table,
        [
            {table.identity: number, **row}
            for number, row in zip(numbers, rows, strict=True)
            if number is not None
        ],
        only_new,
    )
    new = [row for number, row in zip(numbers, rows, strict=True) if number is None]
    _move(cursor, table, new, only_new)
    # What another session inserted since the first look is seen only with a lock.
    added = iter(_numbers(cursor, table, new, " LOCK IN SHARE MODE"))
    found = [next(added) if number is None else number for number in numbers]
    if None in found:
        raise Unfit(
            f"{table.name} stores it under another name, perhaps by a trigger, or has a row of "
            "another writer under an older unique key, which etc/schema.sql widens"
        )
    return [number for number in found if number is not None]


def _numbers(
    cursor: Cursor, table: Table, rows: Sequence[Values], lock: str = ""
) -> list[int | None]:
    """The number of the row that each key names.

    Raises Unfit where the table takes two names for one, such as upper and lower case.
    """
    found: list[int | None] = [None] * len(rows)
    names = [name for name in table.key if table.column(name).length]
    condition = " AND ".join(f"{name} = %s" for name in table.key)
    for start in range(0, len(rows), _KEYS_AT_ONCE):
        some = rows[start : start + _KEYS_AT_ONCE]
        cursor.execute(
            " UNION ALL ".join(
                f"(SELECT {position}, {', '.join([table.identity, *names])} "
                f"FROM {table.name} WHERE {condition}{lock})"
                for position in range(start, start + len(some))
            ),
            [row[name] for row in some for name in table.key],
        )
        for position, number, *there in cursor.fetchall():
            for name, other in zip(names, there, strict=True):
                if other != rows[position][name]:
                    raise Unfit(_one_for_two(table, name, other, rows[position]))
            found[position] = int(number)
    return found


def _one_for_two(table: Table, name: str, other: str, row: Values) -> str:
    return (
        f"the row of {name} {other} in {table.name} would be overwritten by that of {row[name]} "
        f"({widen_column(table, table.column(name))})"
    )


def _move(cursor: Cursor, table: Table, rows: Sequence[Values], only_new: tuple[str, ...]) -> None:
    if not rows:
        return
    names = list(rows[0])
    number = table.counter
    fixed = {table.identity, *table.key, *only_new, number}
    higher = f"VALUES({number}) > {table.name}.{number}"
    if "relayed_by" in table.key:
        higher += f" AND VALUES(relayed_by) = {table.name}.relayed_by"
    # Assigned from left to right: the number that all others look at comes last.
    moves = ", ".join(
        f"{name} = IF({higher}, VALUES({name}), {table.name}.{name})"
        for name in (*(name for name in names if name not in fixed), number)
    )
    try:
        cursor.executemany(
            f"INSERT INTO {table.name} ({', '.join(names)}) "
            f"VALUES ({', '.join(['%s'] * len(names))}) ON DUPLICATE KEY UPDATE {moves}",
            [tuple(row.values()) for row in rows],
        )
    except pymysql.Error as error:
        if code(error) not in _REFUSED_DATA:
            raise
        raise Unfit(_unfit(table, str(error.args[-1]))) from None


def _unfit(table: Table, message: str) -> str:
    """What the server says of a value, with the statement that makes room for it."""
    # The last column that is named: the value may be quoted before it.
    names = re.findall(r"column [`'](?:.*[`.])?(\w+)[`']", message, re.IGNORECASE)
    column = next((each for each in table.columns if names and each.name == names[-1]), None)
    return f"{message} ({widen_column(table, column)})" if column else message
