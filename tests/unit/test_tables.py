"""The tables of the central database, as they are declared."""

import pytest

from b1000.config import grammar
from b1000.identity import myself
from b1000.reports import report, stored
from b1000.reports.mysql.schema import schema
from b1000.reports.tables import COPIES, JOBS, PLAN, REPLIES, STORED, TABLES, Column, Table
from b1000.rsync import paths
from b1000.runs.run import Copy, Run
from b1000.runs.stored import Facts, Memory, Told
from tests.support.world import ROOT

# What the existing fleet's monitoring reads and writes.
ORIGINAL = {
    JOBS: "host name instance master_host master_instance direction start_time last_op_time "
    "step status data_age ack",
    COPIES: "job_id destination type path status last_op_time",
    PLAN: "master_ip master_host job_name master_instance timestamp ignored max_data_age "
    "max_backup_age max_copy_time note",
    REPLIES: "master_host job_name master_instance reply replied_by replied_utc until_utc "
    "codes note",
}
OF_STORAGES = (
    "storage path host name instance master_host master_instance start_time destination type state "
    "bytes files first_seen_utc counted_utc read_utc read_share bad error restored_utc removed_utc "
    "reason transition"
)
COLUMNS = [(table, column) for table in TABLES for column in table.columns]
NAMES = [f"{table.name}.{column.name}" for table, column in COLUMNS]


def test_the_file_is_what_the_table_says() -> None:
    """``python -m b1000.reports.mysql.schema > etc/schema.sql`` after each change."""
    assert (ROOT / "etc" / "schema.sql").read_text() == schema()


@pytest.mark.parametrize("table", ORIGINAL, ids=lambda table: table.name)
def test_the_columns_of_the_fleet_stay(table: Table) -> None:
    """In their order, and before all others."""
    assert list(table.names[: len(ORIGINAL[table].split())]) == ORIGINAL[table].split()
    originals = [column.name for column in table.columns if column.original]
    assert originals == ORIGINAL[table].split()


def test_storages_tell_what_is_agreed_before_all_else() -> None:
    wanted = OF_STORAGES.split()
    assert [*STORED.key] == wanted[:2]
    assert [*STORED.names[: len(wanted)]] == wanted


def test_no_added_column_makes_a_name_ambiguous_in_a_join() -> None:
    """Readers of the existing fleet join ``jobs`` and ``copies`` and name columns alone."""
    before = [{table.identity, *ORIGINAL[table].split()} for table in (JOBS, COPIES)]
    jobs, copies = [{table.identity, *table.names} for table in (JOBS, COPIES)]
    assert jobs & copies == before[0] & before[1]


def test_states_have_the_numbers_of_the_fleet() -> None:
    """They were ENUMs there, which readers order and compare by number."""
    steps = ("INIT", "PRE", "COPYING", "POST", "DONE")
    assert JOBS.column("step").values == steps
    assert JOBS.column("status").values == ("OK", "WARNING", "FAILED")
    assert COPIES.column("status").values == ("INIT", "COPYING", "DONE", "WARNING", "FAILED")


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=NAMES)
def test_what_is_in_no_key_has_a_default(table: Table, column: Column) -> None:
    """Older writers do not name what they do not know."""
    if column.name not in table.key:
        assert "DEFAULT" in column.mysql
        assert "DEFAULT" in column.sqlite


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_key_fits_into_an_index(table: Table) -> None:
    """InnoDB: 3072 bytes, of which a character of utf8mb4 may take four."""
    for names in (table.key, *(index.columns for index in table.indexes)):
        lengths = [table.column(name).length for name in names]
        assert sum(4 * length or 8 for length in lengths) <= 3072


def test_whatever_may_run_has_room_in_the_columns() -> None:
    """What is longer is refused before a run begins."""
    assert JOBS.column("host").length >= grammar.LONGEST_HOST
    for name in ("name", "instance"):
        assert JOBS.column(name).length >= grammar.LONGEST_NAME
    # A relay names the client's destination and ours.
    assert COPIES.column("destination").length >= 2 * grammar.LONGEST_NAME + 1
    assert COPIES.column("path").length >= paths.LONGEST


def test_a_run_fills_every_column_that_is_not_for_others() -> None:
    run = Run(
        run_id=1,
        uid="a",
        job="etc",
        instance="",
        host="client",
        direction="push",
        type="full",
        started=0.0,
        start_time="2026-11-23-05-38-55",
        supervisor=myself(),
        copies=(Copy("near", "/near"),),
    )
    ((job, copies),) = report.rows(run)
    assert job.keys() == {column.name for column in JOBS.columns} - {"ack"}
    assert copies[0].keys() == {column.name for column in COPIES.columns} - {"job_id"}


def test_a_backup_fills_every_column() -> None:
    facts = Facts("storage", "kept", "etc", "web1", "full", "complete", ("central",))
    row = stored.row(Told("/b", "etc/x", 1, facts, Memory()))
    assert [*row] == [*STORED.names]


@pytest.mark.parametrize(
    ("kind", "memory", "share"),
    [
        ("full", Memory(read=5.0, read_share=1.0), 1.0),
        ("sync", Memory(read=5.0, read_share=1.0), 0.0),  # written since
        ("sync", Memory(read=9.0, read_share=1.0), 1.0),
        ("sync", Memory(read=5.0, read_share=0.25), 0.25),
        ("full", Memory(read=5.0, read_share=1.0, bad="a is wrong"), 1.0),
        ("full", Memory(read=5.0, read_share=0.5, unread="a"), 0.5),
        ("full", Memory(), 0.0),
    ],
)
def test_nothing_was_read_of_what_was_written_since(
    kind: str, memory: Memory, share: float
) -> None:
    facts = Facts("storage", "kept", "etc", "web1", kind, "complete", ("central",), ended=7.0)
    assert stored.row(Told("/b", "etc/x", 1, facts, memory))["read_share"] == share
