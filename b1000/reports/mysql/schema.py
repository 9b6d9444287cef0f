"""``etc/schema.sql``, which makes the tables in MySQL and MariaDB, and statements that mend them.

``python -m b1000.reports.mysql.schema > etc/schema.sql`` writes the file anew. Pure.
"""

from collections.abc import Collection

from b1000.reports.tables import LINES, TABLES, Column, Index, Table

_HEAD = """\
-- The tables of the central database of B1000: MariaDB 10.5 or newer, MySQL 5.7 or newer.
--
-- Made from b1000/reports/tables.py by python -m b1000.reports.mysql.schema; a change by hand
-- is lost.
--
--     mysql b1000 < schema.sql
--
-- Makes what is missing. Tables of older installations keep their columns as they are: others
-- are added behind them, each with a default, and in SELECT * and INSERT without a list of
-- columns they do not count (MariaDB, MySQL 8.0.23), so that older programs go on beside this
-- one; the unique key of jobs gets one of them; then indexes. Tables that the first version of
-- this file made become like new ones. No row is lost. May be loaded again and again.

SET NAMES utf8mb4;
SET SESSION group_concat_max_len = 65535;
-- Not strict: an old table may hold dates such as 0000-00-00, and is copied with them.
SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION';
-- Whether this server can hide columns.
SELECT 0 /*M!100303 + 1 */ /*!80023 + 1 */ INTO @hides;
"""

_HIDDEN = " /*M!100303 INVISIBLE */ /*!80023 INVISIBLE */"

_EXECUTE = """\
PREPARE upgrade FROM @alter;
EXECUTE upgrade;
DEALLOCATE PREPARE upgrade;
"""


def schema() -> str:
    """``etc/schema.sql``."""
    parts = [_mysql_table(table) + _mysql_upgrade(table) for table in TABLES]
    # Last: if the columns of an old table are too long for one, all else is done by then.
    parts += [_mysql_index(table, index) for table in TABLES for index in table.indexes]
    return "\n".join([_HEAD, *parts])


def _definition(column: Column) -> str:
    return f"{column.name} {column.mysql}{'' if column.original else _HIDDEN}"


def _unique(table: Table) -> str:
    """The key that names a row; the primary one where rows have no number."""
    kind = f"UNIQUE KEY {table.name}_key" if table.identity else "PRIMARY KEY"
    return f"{kind} ({', '.join(table.key)})"


def _mysql_table(table: Table) -> str:
    lines = [f"{table.identity} INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY"]
    lines = lines if table.identity else []
    lines += [_definition(column) for column in table.columns]
    lines.append(_unique(table))
    lines += [f"KEY {index.definition}" for index in table.indexes]
    return (
        f"CREATE TABLE IF NOT EXISTS {table.name} (\n    {LINES.join(lines)}\n"
        ") ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;\n"
    )


def _mysql_upgrade(table: Table) -> str:
    """One ALTER TABLE with what is missing; nothing where nothing is."""
    clauses = [_as_added(column) for column in table.columns if not column.original]
    if not clauses and not table.sign:
        return ""  # no installation has an older one
    clauses += [f"IF(@first, {_quoted(clause)}, NULL)" for clause in _remaking(table)]
    if not clauses:
        return ""  # older installations have not had it
    here = f"table_schema = DATABASE() AND table_name = '{table.name}'"
    names = "CONCAT(',', GROUP_CONCAT(LOWER(CONVERT(column_name USING utf8mb4))), ',')"
    text = f"""
SET @there = (SELECT {names} FROM information_schema.columns
    WHERE {here});
SET @seen = (SELECT {names} FROM information_schema.columns
    WHERE {here} AND extra NOT LIKE '%INVISIBLE%');
"""
    if table.sign:
        text += f"""SET @first = (SELECT COUNT(*) FROM information_schema.columns
    WHERE {here} AND {table.sign});
"""
    if table.narrow_key:
        text += f"""SET @keys = (
    SELECT GROUP_CONCAT('DROP KEY `', index_name, '`' SEPARATOR ', ') FROM (
        SELECT index_name FROM information_schema.statistics
        WHERE {here} AND non_unique = 0
        GROUP BY index_name
        HAVING GROUP_CONCAT(LOWER(column_name) ORDER BY LOWER(column_name))
            = '{",".join(sorted(table.narrow_key))}') AS narrow);
"""
        clauses.append(f"CONCAT(@keys, {_quoted(f', ADD {_unique(table)}')})")
    return f"""{text}SET @alter = CONCAT_WS(', ',
    {LINES.join(clauses)});
SET @alter = IF(@alter = '', 'DO 0', CONCAT('ALTER TABLE {table.name} ', @alter));
{_EXECUTE}"""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _as_added(column: Column) -> str:
    """The clause that adds a column, renames it, or hides one that was seen; NULL for none."""
    there, seen = (f"LOCATE(',{column.name},', @{which})" for which in ("there", "seen"))
    definition = _definition(column)
    hidden = f"IF(@hides AND {seen}, {_quoted(f'MODIFY COLUMN {definition}')}, NULL)"
    added = _quoted(f"ADD COLUMN {definition}")
    if column.former:
        renamed = _quoted(f"CHANGE COLUMN {column.former} {definition}")
        added = f"IF(LOCATE(',{column.former},', @there), {renamed},\n        {added})"
    return f"IF({there}, {hidden},\n        {added})"


def _remaking(table: Table) -> list[str]:
    """What the tables of the first version become like new ones by, beside added columns."""
    clauses = [f"MODIFY COLUMN {_definition(table.column(name))}" for name in table.remade]
    if not table.identity:
        numbered = [f"DROP COLUMN {table.name}_id", f"DROP KEY {table.name}_key"]
        clauses += [*numbered, f"ADD {_unique(table)}"]
    return clauses


def _mysql_index(table: Table, index: Index) -> str:
    return f"""\
SET @alter = IF(
    EXISTS (
        SELECT 1 FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND table_name = '{table.name}'
        AND index_name = '{index.name}'),
    'DO 0', '{add_index(table, index)}');
{_EXECUTE}"""


def add_index(table: Table, index: Index) -> str:
    """The statement that adds an index which is missing."""
    return f"ALTER TABLE {table.name} ADD KEY {index.definition}"


def add_column(table: Table, column: Column, there: Collection[str] = ()) -> str:
    """The statement that adds a column which is missing, or renames it if that is ``there``."""
    if column.former in there and not column.original:
        change = f"CHANGE COLUMN {column.former} {column.name}"
        return f"ALTER TABLE {table.name} {change} {column.mysql}"
    return f"ALTER TABLE {table.name} ADD COLUMN {column.name} {column.mysql}"


def widen_column(table: Table, column: Column) -> str:
    """The statement that gives a column the length that it should have."""
    return f"ALTER TABLE {table.name} MODIFY COLUMN {column.name} {column.mysql}"


if __name__ == "__main__":
    print(schema(), end="")
