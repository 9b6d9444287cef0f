"""``b1000/state/whole_schema.py``: the tables of a new journal, as the migrations make them."""

import contextlib
import sqlite3

from b1000.state.migrations import statements
from b1000.state.schema import MIGRATIONS

_HEAD = '''"""The tables of a new journal, as one script. Made by ``make generated``."""
# ruff: noqa: E501 (SQLite puts what was added later into one line)

VERSION = {version}
"""The number of migrations that come to the same."""

SCRIPT = """{script}"""
'''


def whole_schema() -> str:
    """The module."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        for script in MIGRATIONS:
            for statement in statements(script):
                made.execute(statement)
        asked = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        script = "".join(f"\n{sql};\n" for (sql,) in made.execute(f"{asked} ORDER BY rowid"))
    return _HEAD.format(version=len(MIGRATIONS), script=script)
