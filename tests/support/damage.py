"""Journals in which one value is damaged, made from the schema: a new column comes by itself."""

import contextlib
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from b1000.runs.events import (
    AttemptBegan,
    AttemptEnded,
    CopyMoved,
    InstancesListed,
    Note,
    ProcessBegan,
    Relayed,
)
from b1000.runs.run import Client, ProcessIdentity, Run
from b1000.runs.states import CopyStatus, Status, Step
from b1000.state.journal import Journal
from tests.support import build
from tests.support.world import World

DEAD = ProcessIdentity(2**22 + 1, "another-boot", 1)

KINDS = {
    "NULL": "NULL",
    "an unknown word": "'no such word'",
    "empty": "''",
    "cut": "substr({column}, 1, length({column}) / 2)",
    "no UTF-8": "CAST(x'6162ff' AS TEXT)",
    "bytes": "x'00ff'",
    "negative": "-1",
    "huge": "9223372036854775807",
    "beyond all calendars": "1e300",
    "a line and a path": "'../../a' || char(10) || 'b'",
    "a NUL": "'a' || char(0) || 'b'",
    "deep JSON": "replace(hex(zeroblob(50000)), '00', '[')",
    "other JSON": "'[1, null, {{}}]'",
    "an object": "'{{\"a\": 1}}'",
    "half a character": "'[\"\\ud800\"]'",
    "another number": "123456",
}
"""What is there instead; SQL, in which ``{column}`` is what was there."""


class Damage(NamedTuple):
    """One column of one row, and what is wrong with it."""

    table: str
    column: str
    kind: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}: {self.kind}"


def world_of(root: Path) -> World:
    """A host whose jobs the journal of :func:`make` tells of."""
    root.mkdir(exist_ok=True)
    world = World(root)
    world.files()
    world.write(
        {
            "global": {"report_wait_end": 5, "log_file": root / "log"},
            "dest:store": world.store(),
            "job:etc": world.push(on_failure="true"),
            "job:web": world.push(type="sync"),
            "job:good": world.push(),
            "job:db": world.push(instances="!echo one two"),
        }
    )
    return world


def make(world: World) -> Path:
    """A journal with each kind of run, and at least one row in each table."""
    path = world.status_dir / "journal.sqlite3"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    then = time.time() - 86400
    journal = Journal(path, lambda: then)
    build.done(journal, _begin(journal, "etc"))
    build.failed_at_copying(journal, _begin(journal, "etc"))
    build.done(journal, _begin(journal, "db", "one"))
    _die(journal, _begin(journal, "web", kind="sync"), then)
    _pull(journal, _begin(journal, "atm", direction="pull"), then)
    with journal.transaction():
        uid = journal.begin_listing("db", DEAD)
        journal.note(Note(uid, InstancesListed(then, ("one", "two"))))
        journal.begin_listing("db", DEAD)
        journal.record_skip("etc", "", "run 1")
        journal.record_trouble("main", "it was down")
        resumed = _begin_within(journal, "db", "two")
    build.failed_at_copying(journal, resumed)
    with journal.transaction():
        build.resume(journal, resumed, DEAD)
    _fill_empty_tables(journal._db)
    journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    journal.close()
    return path


def _begin(
    journal: Journal, job: str, instance: str = "", kind: str = "full", direction: str = "push"
) -> Run:
    with journal.transaction():
        return _begin_within(journal, job, instance, kind, direction)


def _begin_within(
    journal: Journal, job: str, instance: str = "", kind: str = "full", direction: str = "push"
) -> Run:
    return journal.begin_run(
        job, instance, "client", direction=direction, kind=kind, reports=("main",), supervisor=DEAD
    )


def _die(journal: Journal, run: Run, then: float) -> None:
    build.resolve(journal, run, "store")
    build.move(journal, run, Step.COPYING)
    with journal.transaction():
        for message in (
            ProcessBegan(then, "rsync-1", "rsync", DEAD),
            CopyMoved(then, "store", CopyStatus.COPYING),
            AttemptBegan(then, "store", 1),
            AttemptEnded(then, "store", 1, 10, "refused", then),
            AttemptBegan(then, "store", 2),
        ):
            build.record(journal, run, message)


def _pull(journal: Journal, run: Run, then: float) -> None:
    client = Client(
        "ext-.b1k", "ext", "ext", "", run.start_time, Step.COPYING, Status.OK, "atm",
        "client", CopyStatus.COPYING, started=then, transition=3, alive="2026-11-22T10:11:12Z",
    )  # fmt: skip
    build.resolve(journal, run, "store")
    build.move(journal, run, Step.COPYING)
    with journal.transaction():
        build.record(journal, run, Relayed(then, client))
    build.copy(journal, run, "store", CopyStatus.COPYING, CopyStatus.FAILED)
    build.move(journal, run, Step.COPYING, Status.FAILED)


def _fill_empty_tables(db: sqlite3.Connection) -> None:
    """A table that nobody put a row into here gets one of values that its columns may hold."""
    known: dict[str, Any] = {"run_id": 2, "destination": "store", "job": "etc", "path": "/store"}
    for table in tables(db):
        if db.execute(f"SELECT 1 FROM {table}").fetchone():
            continue
        declared = db.execute(f"SELECT name, type FROM pragma_table_info('{table}')").fetchall()
        plain = {"INTEGER": 1, "REAL": 1.0, "TEXT": "x"}
        values = [known.get(name, plain[kind]) for name, kind in declared]
        db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)


def tables(db: sqlite3.Connection) -> list[str]:
    """All tables, that in which SQLite counts among them."""
    asked = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    return [name for (name,) in db.execute(asked)]


def matrix(journal: Path) -> list[Damage]:
    """Each column of each table with each kind of damage."""
    with contextlib.closing(sqlite3.connect(journal)) as db:
        return [
            Damage(table, column, kind)
            for table in tables(db)
            for (column,) in db.execute(f"SELECT name FROM pragma_table_info('{table}')").fetchall()
            for kind in KINDS
        ]


def damaged_copy(journal: Path, into: Path, damages: list[Damage]) -> bool:
    """A copy of the journal with some damages, each in another row where there are several.

    False where SQLite would not even store it, which then no damage can be.
    """
    into.parent.mkdir(mode=0o700, exist_ok=True)
    for suffix in ("-wal", "-shm"):
        Path(f"{into}{suffix}").unlink(missing_ok=True)
    shutil.copyfile(journal, into)
    try:
        with (
            _without_rules(into),
            contextlib.closing(sqlite3.connect(into, isolation_level=None)) as db,
        ):
            db.execute("PRAGMA ignore_check_constraints = ON")
            for number, each in enumerate(damages):
                _damage(db, each, number)
    except sqlite3.IntegrityError:
        return False
    return True


def _damage(db: sqlite3.Connection, damage: Damage, number: int) -> None:
    key, row = _place(db, damage, number)
    value = KINDS[damage.kind].format(column=damage.column)
    db.execute(
        f"UPDATE {damage.table} SET {damage.column} = {value} WHERE ({key}) = "
        f"({', '.join('?' * len(row))})",
        row,
    )


def _place(db: sqlite3.Connection, damage: Damage, number: int) -> tuple[str, tuple[Any, ...]]:
    """The columns of the key, and its values in the row that is damaged."""
    asked = f"SELECT name, pk FROM pragma_table_info('{damage.table}')"
    key = ", ".join(name for name, part in db.execute(asked) if part) or "rowid"
    rows = db.execute(f"SELECT {key} FROM {damage.table} ORDER BY {key}").fetchall()
    row: tuple[Any, ...] = rows[(len(f"{damage.column}{damage.kind}") + number) % len(rows)]
    return key, row


def place(journal: Path, table: str, column: str, kind: str) -> Any:
    """The key of the row that a damage is in."""
    with contextlib.closing(sqlite3.connect(journal)) as db:
        _, row = _place(db, Damage(table, column, kind), 0)
    return row[0]


@contextlib.contextmanager
def _without_rules(journal: Path) -> Iterator[None]:
    """Meanwhile the tables take anything."""
    before = _declared(journal)
    _declare(
        journal,
        {
            name: sql.replace("STRICT, WITHOUT", "WITHOUT")
            .replace(") STRICT", ")")
            .replace(" NOT NULL", "")
            .replace(" REFERENCES runs ON DELETE CASCADE", "")
            for name, sql in before.items()
        },
    )
    yield
    _declare(journal, before)


def _declared(journal: Path) -> dict[str, str]:
    with contextlib.closing(sqlite3.connect(journal)) as db:
        asked = (
            "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        )
        return dict(db.execute(asked).fetchall())


def _declare(journal: Path, declared: dict[str, str]) -> None:
    with contextlib.closing(sqlite3.connect(journal, isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema = ON")
        for name, sql in declared.items():
            db.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (sql, name))
