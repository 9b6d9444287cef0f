"""What ``b1000 check --connect`` finds at a server, each with the statement that mends it."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import pymysql
from pymysql.constants import ER
from pymysql.cursors import Cursor

from b1000.jobs import Report
from b1000.named import NamedTuple
from b1000.reports.mysql import loading
from b1000.reports.mysql.connection import connect
from b1000.reports.mysql.errors import code, error_text
from b1000.reports.mysql.schema import add_column, widen_column
from b1000.reports.tables import PLAN, REPLIES, STORED, TABLES, Column, Table
from b1000.reports.target import NotDelivered


class Older(NamedTuple):
    """What etc/schema.sql brings up to date: what is the matter, with which name, and more."""

    what: str
    name: str
    more: str = ""


class Flaw(NamedTuple):
    """What is not as it needs to be; only a ``warning`` where most of what is reported arrives.

    ``older`` is set where etc/schema.sql mends it.
    """

    text: str
    warning: bool = False
    older: Older | None = None


def findings(settings: Report) -> list[Flaw]:
    """What is not as it needs to be, each with the statement that mends it.

    Tables of an older installation are one cause, and told once.
    """
    try:
        connection = connect(settings, read_only=True)
    except NotDelivered as error:
        return [Flaw(str(error))]
    with contextlib.closing(connection), connection.cursor() as cursor:
        try:
            return _by_cause(list(_missing(cursor, settings)), loading.command(settings))
        except (pymysql.Error, OSError) as error:
            return [Flaw(error_text(error, settings))]


def _by_cause(flaws: Sequence[Flaw], load: str) -> list[Flaw]:
    """The same, and those that etc/schema.sql mends as one, where there are several."""
    older = [flaw.older for flaw in flaws if flaw.older]
    warning = all(flaw.warning for flaw in flaws if flaw.older)
    if len(older) < 2:
        return list(flaws)
    names: dict[tuple[str, str], list[str]] = {}
    for what, name, more in older:
        names.setdefault((what, more), []).append(name)
    told = "; ".join(f"{what} {', '.join(each)}{more}" for (what, more), each in names.items())
    text = f"the tables are not those of this B1000 ({told}): {load}"
    return [Flaw(text, warning), *(flaw for flaw in flaws if not flaw.older)]


def _missing(cursor: Cursor, settings: Report) -> Iterator[Flaw]:
    for table in TABLES:
        for flaw in _of_table(cursor, table, settings):
            # Runs are reported all the same.
            yield flaw._replace(warning=True) if table in (STORED, REPLIES) else flaw


def _of_table(cursor: Cursor, table: Table, settings: Report) -> Iterator[Flaw]:
    load = loading.command(settings)
    there = _columns(cursor, table)
    if not there:
        older = Older("there is no table", table.name, ", or no right to see it")
        yield Flaw(f"{older.what} {older.name}{older.more}: {load}", older=older)
        return
    for column in table.columns:
        yield from _column(table, column, there, load)
    yield from _keys(table, _unique_keys(cursor, table), load)
    if table not in (PLAN, REPLIES):
        yield from _strangers(table, there)
        if ours := [name for name in (table.identity, *table.names) if name in there]:
            yield from map(Flaw, _rights(cursor, table, ours, settings))


def _column(
    table: Table, column: Column, there: "Mapping[str, _There]", load: str
) -> Iterator[Flaw]:
    """What is wrong with a column that is ours."""
    found = there.get(column.name)
    mend = widen_column(table, column)
    if not found:
        mend = add_column(table, column, there)
        older = Older(f"table {table.name} has no column", column.name)
        yield Flaw(f"{older.what} {older.name}: {load}, or {mend}", older=older)
    elif column.needed > (found.length or column.needed):
        # So it is in older installations, which work as long as nothing is longer.
        yield Flaw(
            f"column {column.name} of {table.name} holds {found.length} characters, "
            f"longer ones are refused: {mend}",
            warning=True,
        )
    elif lacking := [word for word in column.values if not found.may_be(word)]:
        words = ", ".join(lacking)
        yield Flaw(f"column {column.name} of {table.name} cannot be {words}: {mend}")
    elif column.may_be_unknown and not found.takes_null:
        yield Flaw(f"column {column.name} of {table.name} takes no NULL: {mend}")


def _keys(table: Table, unique: Mapping[str, set[str]], load: str) -> Iterator[Flaw]:
    """What is wrong with the unique keys of a table."""
    for name, columns in unique.items():
        if table.narrow_key and columns == set(table.narrow_key):
            yield Flaw(
                f"table {table.name} has the unique key {name} of older installations, by "
                f"which a row that a storage relays of a client meets the client's own: {load}",
                older=Older(f"table {table.name} has the unique key of older installations", name),
            )
    if set(table.key) not in unique.values():
        key = ", ".join(table.key)
        yield Flaw(
            f"table {table.name} has no unique key ({key}): "
            f"ALTER TABLE {table.name} ADD UNIQUE KEY ({key})"
        )


def _strangers(table: Table, there: "Mapping[str, _There]") -> Iterator[Flaw]:
    """Columns of others, which refuse rows that say nothing of them."""
    for name in there.keys() - {table.identity, *table.names}:
        if there[name].needs_value:
            yield Flaw(
                f"column {name} of {table.name}, which is none of B1000's, needs a value: "
                f"ALTER TABLE {table.name} MODIFY COLUMN `{name}` {there[name].kind} NULL"
            )


class _There(NamedTuple):
    """A column as a server has it."""

    kind: str
    length: int | None
    takes_null: bool
    needs_value: bool

    def may_be(self, word: str) -> bool:
        """Whether it can hold a word."""
        return not self.kind.lower().startswith("enum(") or f"'{word}'" in self.kind


def _columns(cursor: Cursor, table: Table) -> dict[str, _There]:
    cursor.execute(
        "SELECT column_name, column_type, character_maximum_length, is_nullable = 'YES', "
        "is_nullable = 'NO' AND column_default IS NULL AND extra = '' "
        "FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s",
        (table.name,),
    )
    return {str(name).lower(): _There(*facts) for name, *facts in cursor.fetchall()}


def _unique_keys(cursor: Cursor, table: Table) -> dict[str, set[str]]:
    """The columns of each unique key, by its name."""
    cursor.execute(
        "SELECT index_name, column_name FROM information_schema.statistics "
        "WHERE table_schema = DATABASE() AND table_name = %s AND non_unique = 0",
        (table.name,),
    )
    indexes: dict[str, set[str]] = {}
    for index, column in cursor.fetchall():
        indexes.setdefault(str(index), set()).add(str(column).lower())
    return indexes


def _rights(
    cursor: Cursor, table: Table, columns: Sequence[str], settings: Report
) -> Iterator[str]:
    """Each right is tried with a statement that changes nothing."""
    one, names = columns[-1], ", ".join(columns)
    cursor.execute("SELECT CURRENT_USER()")
    (account,) = cursor.fetchone() or ("",)
    user, _, host = str(account).rpartition("@")
    for right, statement in (
        ("SELECT", f"SELECT {one} FROM {table.name} WHERE 1 = 0"),
        ("INSERT", f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {table.name} LIMIT 0"),
        ("UPDATE", f"UPDATE {table.name} SET {one} = {one} WHERE 1 = 0"),
    ):
        try:
            cursor.execute(statement)
        except pymysql.Error as error:
            if code(error) in (ER.TABLEACCESS_DENIED_ERROR, ER.COLUMNACCESS_DENIED_ERROR):
                yield (
                    f"no right to {right} in {table.name}: GRANT {right} ON "
                    f"`{settings.db}`.{table.name} TO '{user}'@'{host}'"
                )
            elif code(error) != ER.NO_DEFAULT_FOR_FIELD:  # that column is named already
                yield error_text(error, settings)
                return
