"""What databases are told of backups at storages: MySQL and SQLite alike, new and upgraded."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from b1000.jobs import Report
from b1000.monitor.history import Subject
from b1000.monitor.roots import settled
from b1000.monitor.stored import read_stored
from b1000.monitor.witnesses import AtStorage
from b1000.reports.mysql.check import findings
from b1000.reports.mysql.report import MysqlReport
from b1000.reports.source import DatabaseSource
from b1000.reports.sqlite import SqliteReport
from b1000.reports.target import NotDelivered, StoredRefused
from b1000.runs.stored import Facts, Memory, Told
from b1000.state.journal import Journal
from b1000.state.queries import Reader
from tests.edges.test_old_fleet import FIRST, FLEET, upgrade
from tests.support.database import Database, Schema
from tests.support.world import open_sqlite

FACTS = Facts(
    "backup-1",
    "kept",
    "mysqldb",
    "web1",
    "full",
    "complete",
    ("central",),
    instance="3306",
    master_host="db1",
    master_instance="3306",
    start_time="2026-11-22-01-17-01",
    started=1_795_306_621.0,
    run="0f",
    files=3,
    bytes=99,
    verify=86400,
)
SEEN = Memory(first_seen=1_795_306_700.0, counted=1_795_306_701.5, files=4, bytes=100)
TOLD = Told("/srv/backup/web1", "mysqldb/2026-11-22-Sunday/x", 7, FACTS, SEEN)


def of(schema: Schema) -> Report:
    options: dict[str, Any] = schema.report()
    return Report(name="central", **options)


@pytest.fixture(params=["new", "of the first version", "of 2012", "sqlite"])
def target(
    request: pytest.FixtureRequest, database_server: Database, tmp_path: Path
) -> Iterator[tuple[MysqlReport | SqliteReport, Any]]:
    """A report, and what asks its database."""
    if request.param == "sqlite":
        file = tmp_path / "central.sqlite3"

        def ask(statement: str) -> list[dict[str, Any]]:
            with open_sqlite(file) as connection:
                cursor = connection.execute(statement)
                names = [each[0] for each in cursor.description or ()]
                return [dict(zip(names, row, strict=True)) for row in cursor]

        report = Report("central", "sqlite", path=str(file))
        with contextlib.closing(SqliteReport(report)) as opened:
            yield opened, ask
        return
    if request.param == "new":
        schema = Schema(database_server)
    elif request.param == "of 2012":
        fleet = tmp_path / "fleet.sql"
        fleet.write_text(FLEET)
        schema = upgrade(Schema(database_server, fleet))
    else:
        schema = upgrade(Schema(database_server, FIRST))
    settings = of(schema)
    assert not [each for each in findings(settings) if "stored" in each.text]
    with contextlib.closing(MysqlReport(settings)) as report_of_server:
        yield report_of_server, schema.query


def test_a_backup_is_a_row_that_only_moves_on(target: Any) -> None:
    report, ask = target
    assert report.deliver_stored([TOLD]) == ([TOLD], None)
    (row,) = ask("SELECT * FROM stored")
    assert (row["storage"], row["path"]) == ("backup-1", TOLD.path)
    assert (row["host"], row["name"], row["instance"]) == ("web1", "mysqldb", "3306")
    assert (row["master_host"], row["master_instance"]) == ("db1", "3306")
    assert (row["type"], row["state"], row["bytes"], row["files"]) == ("full", "complete", 100, 4)
    assert str(row["start_time"]) == "2026-11-22 01:17:01"
    assert str(row["first_seen_utc"]).startswith("2026-11-22 00:18:20")
    assert str(row["counted_utc"]).startswith("2026-11-22 00:18:21.5")
    assert [row[name] for name in ("read_utc", "restored_utc", "removed_utc")] == [None] * 3
    assert (row["read_share"], row["bad"], row["error"], row["transition"]) == (0, 0, None, 7)

    assert [row["sums"] for row in ask("SELECT sums FROM stored")] == [""]

    bad = TOLD._replace(
        transition=9,
        memory=SEEN._replace(read=SEEN.counted, bad="x is wrong", sums=f"{'a' * 64} {'b' * 64}"),
    )
    older = TOLD._replace(transition=8)
    other = TOLD._replace(place="mysqldb/y", transition=3)
    for each in ([bad], [older, other], [bad]):
        assert report.deliver_stored(each) == (each, None)
    rows = ask("SELECT bad, error, read_utc, transition, sums FROM stored ORDER BY path")
    assert [tuple(each.values()) for each in rows] == [
        (1, "x is wrong", None, 9, bad.memory.sums),
        (0, None, None, 3, ""),
    ]
    gone = bad._replace(
        transition=10,
        facts=FACTS._replace(state="removed"),
        memory=bad.memory._replace(removed=SEEN.counted, reason="no rule keeps it"),
    )
    assert report.deliver_stored([gone]) == ([gone], None)
    (row,) = ask("SELECT state, removed_utc, reason FROM stored WHERE transition = 10")
    assert (row["state"], row["reason"]) == ("removed", "no rule keeps it")
    assert row["removed_utc"] is not None


def test_what_does_not_fit_holds_up_no_other(database_server: Database) -> None:
    schema = Schema(database_server)
    with contextlib.closing(MysqlReport(of(schema))) as report:
        long = TOLD._replace(place="x" * 800)
        arrived, trouble = report.deliver_stored([long, TOLD])
        assert arrived == [TOLD]
        assert isinstance(trouble, StoredRefused)
        assert "ALTER TABLE stored MODIFY COLUMN path" in str(trouble)


def test_without_its_table_only_a_warning_is_due(database_server: Database) -> None:
    """An installation that has not loaded the new schema, and none of whose storages tell."""
    schema = Schema(database_server)
    schema.query("DROP TABLE stored")
    settings = of(schema)
    (found,) = findings(settings)
    assert (found.warning, "no table stored" in found.text) == (True, True)
    with (
        contextlib.closing(MysqlReport(settings)) as report,
        pytest.raises(NotDelivered, match=r"load etc/schema\.sql"),
    ):
        report.deliver_stored([TOLD])


# --- what the monitor makes of it


@pytest.mark.parametrize("kind", ["mysql", "sqlite"])
def test_the_monitor_reads_what_storages_tell(
    kind: str, database_server: Database, tmp_path: Path
) -> None:
    file = tmp_path / "central.sqlite3"
    settings = Report("central", "sqlite", path=str(file))
    schema = Schema(database_server) if kind == "mysql" else None
    settings = of(schema) if schema else settings
    then = SEEN.counted or 0.0
    good = SEEN._replace(read=then, restored=then, drilled=then, recovery=61.5)
    other = FACTS._replace(storage="backup-2", drill=3600, held="it is short")
    told = [
        TOLD._replace(memory=good),
        # Bad, of the same run; and the replica that made it once.
        Told("/b", "mysqldb/2026-11-22-Sunday/bad", 8, other, SEEN._replace(bad="a is wrong")),
        Told(
            "/b", "mysqldb/2026-11-22-Sunday/old", 9, other._replace(host="web2", started=5e8), SEEN
        ),
        Told("/b", "mysqldb/2026-11-22-Sunday/gone", 10, other._replace(state="removed"), good),
        # Missing: besides others there, and all that there was.
        Told(
            TOLD.root,
            "mysqldb/2026-11-22-Sunday/lost",
            12,
            FACTS._replace(state="missing", started=7e8),
            good,
        ),
        Told(
            "/c",
            "mysqldb/2026-11-22-Sunday/lost",
            13,
            other._replace(state="missing", destination="far"),
            good,
        ),
        Told(
            "/b",
            "etc/2026-11-22-Sunday/failed",
            11,
            FACTS._replace(job="etc"),
            SEEN._replace(drilled=then, drill_error="exit code 3"),
        ),
    ]
    writer = MysqlReport(settings) if kind == "mysql" else SqliteReport(settings)
    with contextlib.closing(writer):
        assert writer.deliver_stored(told) == (told, None)
    with DatabaseSource(settings) as source:
        found = read_stored(source)
        assert read_stored(source, "db1", "mysqldb").keys() == {Subject("db1", "mysqldb", "3306")}
        assert read_stored(source, "web1", "mysqldb").keys() == {Subject("db1", "mysqldb", "3306")}
        assert read_stored(source, "web3") == {}
    # Rows of a B1000 that numbered none, all or some are read the same.
    for condition in ("path LIKE '%old'", "1 = 1"):
        statement = f"UPDATE stored SET whose = NULL WHERE {condition}"
        if schema:
            schema.query(statement)
        else:
            with open_sqlite(file) as connection:
                connection.execute(statement)
        with DatabaseSource(settings) as source:
            assert read_stored(source) == found
    mysqldb = settled(found[Subject("db1", "mysqldb", "3306")], ())
    first, second = mysqldb.places
    whole = float(int(then))
    assert first == AtStorage(
        *("backup-1", "kept", 1, FACTS.started, whole, whole, whole, 61.5, 1_795_306_700.0),
        *(86400.0, None, "", 7e8, True, TOLD.root, "web1", "3306", SEEN.first_seen),
    )
    assert [each.lost for each in mysqldb.lost] == [7e8, FACTS.started]
    assert mysqldb.lost[1].name == "far of backup-2"
    assert (second.storage, second.kept, second.newest) == ("backup-2", 1, FACTS.started)
    assert (second.held, second.drill, second.drilled) == ("it is short", 3600.0, whole)
    assert (mysqldb.kept, mysqldb.read, mysqldb.recovery) == (2, whole, 61.5)
    (bad,) = mysqldb.flawed
    assert (bad.path, bad.bad, bad.error) == (
        "/b/mysqldb/2026-11-22-Sunday/bad",
        True,
        "a is wrong",
    )
    assert (bad.good, bad.alike) == (1, 1)
    (failed,) = found[Subject("db1", "etc", "3306")].flawed
    assert (failed.bad, failed.drill, failed.tried) == (False, "exit code 3", whole)


@pytest.mark.parametrize("kind", ["mysql", "sqlite"])
def test_a_sync_tree_waits_since_its_last_reading(
    kind: str, database_server: Database, tmp_path: Path
) -> None:
    """Each run writes it again, and none is a reason to read it less often."""
    settings = Report("central", "sqlite", path=str(tmp_path / "central.sqlite3"))
    if kind == "mysql":
        settings = of(Schema(database_server))
    then = 1_795_306_700.0
    seen = Memory(first_seen=then - 90 * 86400.0, counted=then)
    tree = FACTS._replace(type="sync", ended=then)
    told = [
        Told("/b", "read", 1, tree._replace(job="read"), seen._replace(read=then - 5 * 86400.0)),
        Told("/b", "never", 2, tree._replace(job="never"), seen),
        Told("/b", "writing", 3, tree._replace(job="writing", state="writing"), seen),
    ]
    writer = MysqlReport(settings) if kind == "mysql" else SqliteReport(settings)
    with contextlib.closing(writer):
        assert writer.deliver_stored(told) == (told, None)
    with DatabaseSource(settings) as source:
        found = read_stored(source) | read_stored(source, job="never")
    since = {key.job: each.places[0].unread_since for key, each in found.items()}
    assert since == {"read": then - 5 * 86400.0, "never": then - 90 * 86400.0, "writing": None}
    # What was read before the last run says nothing of what lies there now.
    assert {each.read for each in found.values()} == {None}


@pytest.mark.parametrize("kind", ["mysql", "sqlite"])
def test_each_root_is_told_by_itself(kind: str, database_server: Database, tmp_path: Path) -> None:
    """As deep as a full and a sync lie below it; a job may be called as a directory above it."""
    settings = Report("central", "sqlite", path=str(tmp_path / "central.sqlite3"))
    if kind == "mysql":
        settings = of(Schema(database_server))
    tree = FACTS._replace(type="sync", job="srv")
    roots = ("/srv/mysqldb/c1", "/srv/mysqldb/ü", "/")
    places = (("mysqldb/2026-11-22-Sunday/x", FACTS), ("srv/web1-3306", tree))
    told = [Told(root, place, 1, facts, SEEN) for root in roots for place, facts in places]
    writer = MysqlReport(settings) if kind == "mysql" else SqliteReport(settings)
    with contextlib.closing(writer):
        assert writer.deliver_stored(told) == (told, None)
    with DatabaseSource(settings) as source:
        for found in (read_stored(source), read_stored(source, "db1")):
            for job in ("mysqldb", "srv"):
                there = found[Subject("db1", job, "3306")].places
                assert [each.root for each in there] == ["", "/srv/mysqldb/c1", "/srv/mysqldb/ü"]
                assert {(each.kept, each.host) for each in there} == {(1, "web1")}


# --- the journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with contextlib.closing(Journal(tmp_path / "journal", lambda: 1_795_306_700.0)) as opened:
        yield opened


def pending(journal: Journal) -> dict[str, Told]:
    with Reader(journal.path) as reader:
        return {each.place: each for each in reader.pending_stored("central")}


def told(journal: Journal) -> None:
    """All arrives."""
    for each in pending(journal).values():
        with journal.transaction():
            journal.record_told("central", each.root, each.place, each.transition)
    assert not pending(journal)


def test_each_change_is_pending_once_and_numbers_grow(journal: Journal) -> None:
    with journal.transaction():
        journal.describe("/b", {"x": FACTS, "y": FACTS})
    first = pending(journal)
    assert {*first} == {"x", "y"}
    assert first["x"].facts == FACTS
    told(journal)
    with journal.transaction():
        journal.describe("/b", {"x": FACTS, "y": FACTS})
    assert not pending(journal)
    with journal.transaction():
        journal.remember("/b", "x", {"read": 5.0, "read_share": 1.0})
        journal.remember("/b", "unknown", {"first_seen": 5.0})
    (now,) = pending(journal).values()
    assert (now.place, now.memory.read) == ("x", 5.0)
    assert now.transition > max(each.transition for each in first.values())
    # Of what came in between nothing is lost.
    with journal.transaction():
        journal.record_told("central", "/b", "x", now.transition - 1)
    assert {*pending(journal)} == {"x"}


def test_what_is_gone_is_never_called_complete(journal: Journal) -> None:
    with journal.transaction():
        journal.describe("/b", {"pruned": FACTS, "lost": FACTS, "there": FACTS})
        journal.describe("/other", {"elsewhere": FACTS})
        journal.remember("/b", "pruned", {"removed": 7.0, "reason": "no rule"})
    assert pending(journal)["pruned"].facts.state == "removed"
    with journal.transaction():
        journal.describe("/b", {"there": FACTS})
    states = {each.place: each.facts.state for each in pending(journal).values()}
    gone = {"pruned": "removed", "lost": "missing"}
    assert states == gone | {"there": "complete", "elsewhere": "complete"}
    told(journal)
    # Its removal failed, or somebody has brought it back.
    with journal.transaction():
        journal.describe("/b", {"pruned": FACTS, "there": FACTS})
    assert pending(journal)["pruned"].facts.state == "complete"


def test_why_a_group_is_held_back_stays_until_it_is_known_anew(journal: Journal) -> None:
    held = FACTS._replace(held="short")
    with journal.transaction():
        journal.describe("/b", {"x": held}, held=True)
        journal.describe("/b", {"x": FACTS})
    assert pending(journal)["x"].facts.held == "short"
    with journal.transaction():
        journal.describe("/b", {"x": FACTS}, held=True)
    assert pending(journal)["x"].facts.held == ""
