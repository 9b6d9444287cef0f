"""From rows to histories and verdicts, in a real MariaDB and in SQLite alike."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from b1000.monitor.freshness import GAPS
from b1000.monitor.history import Subject
from b1000.monitor.survey import MonitorQuestion, Survey, summary, survey
from b1000.monitor.verdicts import Judgement, Verdict
from b1000.reports.source import DatabaseSource
from b1000.reports.tables import TABLES
from tests.support.database import Database, Schema
from tests.support.rows import DAY, HOUR, Rows

NOON = datetime(2026, 9, 13, 12).timestamp()  # of a Sunday


@pytest.fixture(params=["sqlite", "mysql"])
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Rows:
    """Empty tables."""
    if request.param == "sqlite":
        return Rows(tmp_path / "central.sqlite3")
    return Rows(request.getfixturevalue("database"))


def ask(rows: Rows, **question: object) -> Survey:
    """The answer to a question."""
    return survey(rows.report, MonitorQuestion(**question), rows.now)  # type: ignore[arg-type]


def judged(rows: Rows) -> dict[str, Judgement]:
    """Label to verdict of all subjects."""
    return {each.subject.label: each for each in ask(rows).judgements}


def notes(rows: Rows, **question: object) -> list[tuple[str, str]]:
    """Kinds and texts of what belongs to no subject's verdict."""
    return [(note.kind, note.text) for note in ask(rows, **question).notes]


def test_an_empty_database_is_unknown(rows: Rows) -> None:
    found = ask(rows)
    assert found.verdict is Verdict.UNKNOWN
    assert "knows of no such backup" in summary(found)


def test_the_numbers_of_a_subject(rows: Rows) -> None:
    rows.daily("web1", "etc", newest=27 * HOUR, bytes=2000, data_age=12.5)
    rows.run("web1", "etc", "", 2 * HOUR, bytes=1500, data_age=13.5)
    (found,) = ask(rows).judgements
    assert found.subject == Subject("web1", "etc", "")
    assert (found.verdict, found.reason) == (Verdict.OK, "2 h old, 2 of 2 copies")
    assert (found.last_good, found.age) == (rows.now - 2 * HOUR, 2 * HOUR)
    assert (found.bytes, found.usual_bytes, found.data_age) == (1500, 2000, 13.5)
    assert (found.copies_done, found.copies_total) == (2, 2)
    assert found.max_age == pytest.approx(30 * HOUR, rel=0.05)


def test_a_newcomer_rests_on_its_first_weekend_as_the_others_of_its_job(rows: Rows) -> None:
    rows.now = NOON
    for name, weeks in (("web1", 8), ("web2", 8), ("new", 1)):
        for day in range(7 * weeks):
            if day % 7 > 1:  # neither today nor yesterday
                rows.run(name, "etc", "", day * DAY + 9 * HOUR)
    rows.run("alone", "home", "", 2 * DAY + 9 * HOUR)
    rows.run("alone", "home", "", 5 * DAY + 9 * HOUR)
    rows.run("alone", "home", "", 4 * DAY + 9 * HOUR)
    rows.run("alone", "home", "", 3 * DAY + 9 * HOUR)
    found = {name: each.verdict for name, each in judged(rows).items()}
    assert found.pop("alone home") is Verdict.WARNING
    assert set(found.values()) == {Verdict.OK}


def test_subjects_are_those_of_the_master(rows: Rows) -> None:
    rows.daily("slave3", "mysql", "3307", master_host="db1", master_instance="payments")
    rows.daily("slave3", "mysql", "3308", master_host="db2")
    rows.daily("slave3", "mysql", "3309", master_instance="orders")
    assert sorted(judged(rows)) == ["db1 mysql/payments", "db2 mysql/3308", "slave3 mysql/orders"]


def test_the_backup_of_a_master_counts_wherever_it_was_made(rows: Rows) -> None:
    master = {"master_host": "db1", "master_instance": "payments"}
    rows.daily("slave3", "mysql", "3307", 5, 9 * DAY, **master)
    rows.daily("slave5", "mysql", "3310", 8, 3 * HOUR, **master)
    assert judged(rows)["db1 mysql/payments"].verdict is Verdict.OK
    assert notes(rows) == []


def test_a_replica_that_serves_another_master_now_leaves_the_first_without(rows: Rows) -> None:
    """Even where its last backup is longer ago than the runs that are looked at."""
    rows.daily("slave3", "mysql", "3307", 3, 40 * DAY, master_host="db1")
    rows.daily("slave3", "mysql", "3307", 30, 3 * HOUR, master_host="db2")
    rows.daily("slave3", "mysql", "3308", 3, 40 * DAY, master_instance="old")
    rows.daily("slave3", "mysql", "3308", 30, 3 * HOUR, master_instance="new")
    found = judged(rows)
    assert found["db2 mysql/3307"].verdict is Verdict.OK
    assert found["db1 mysql/3307"].verdict is Verdict.CRITICAL
    assert "40 d old" in found["db1 mysql/3307"].reason
    assert found["slave3 mysql/new"].verdict is Verdict.OK
    assert found["slave3 mysql/old"].verdict is Verdict.CRITICAL


def test_the_last_good_run_is_found_behind_any_number_of_failures(rows: Rows) -> None:
    rows.daily("web1", "etc", "", 5, 40 * DAY)
    for number in range(3 * GAPS):
        rows.run("web1", "etc", "", HOUR + number * DAY, "near:FAILED")
    found = judged(rows)["web1 etc"]
    assert found.last_good == rows.now - 40 * DAY
    assert "40 d old, at most 1 d 6 h is usual" in found.reason
    assert f"{3 * GAPS} later runs" not in found.reason  # no more are read than needed
    assert "FAILED at COPYING" in found.reason


def test_failures_do_not_change_what_is_usual(rows: Rows) -> None:
    for number in range(12):
        copies = "near:FAILED" if number in (1, 2, 4) else "near:DONE"
        rows.run("web1", "etc", "", 14 * HOUR + number * DAY, copies)
    assert judged(rows)["web1 etc"].max_age == pytest.approx(30 * HOUR)


def test_what_stopped_long_ago_is_not_forgotten(rows: Rows) -> None:
    rows.daily("old", "etc", "", 4, 900 * DAY)
    rows.daily("new", "etc", "", 4)
    assert judged(rows)["old etc"].verdict is Verdict.CRITICAL
    assert judged(rows)["new etc"].verdict is Verdict.OK


def test_a_lost_destination_is_named(rows: Rows) -> None:
    rows.daily("web1", "etc", "", 5, 27 * HOUR)
    rows.run("web1", "etc", "", HOUR, "near:DONE far:FAILED")
    found = judged(rows)["web1 etc"]
    assert found.verdict is Verdict.WARNING
    assert "1 of 2 copies" in found.reason
    assert "far (connection refused)" in found.reason
    assert (found.copies_done, found.copies_total) == (1, 2)


def test_vanished_files_are_a_warning_and_an_empty_source_is_no_backup(rows: Rows) -> None:
    rows.run("web1", "logs", "", HOUR, "near:WARNING", bytes=10)
    empty = rows.run("web1", "empty", "", HOUR, "near:WARNING")
    rows.do("UPDATE copies SET exit_code = NULL WHERE job_id = ?", empty)
    found = judged(rows)
    assert found["web1 logs"].verdict is Verdict.WARNING
    assert found["web1 empty"].verdict is Verdict.CRITICAL


@pytest.mark.parametrize("copies", ["", "near:FAILED", "near:INIT"])
def test_a_run_that_says_it_is_done_is_not_believed_without_a_copy(rows: Rows, copies: str) -> None:
    rows.daily("web1", "etc", "", 3, 9 * DAY)
    for number in range(8):
        rows.run("web1", "etc", "", HOUR + number * DAY, copies, step="DONE", status="OK")
    found = judged(rows)["web1 etc"]
    assert found.verdict is Verdict.CRITICAL
    assert found.last_good == rows.now - 9 * DAY


def test_an_acknowledged_failure_is_silent(rows: Rows) -> None:
    rows.daily("web1", "etc", "", 5, 27 * HOUR)
    number = rows.run("web1", "etc", "", HOUR, "near:FAILED far:FAILED")
    assert judged(rows)["web1 etc"].verdict is Verdict.WARNING
    rows.do("UPDATE jobs SET ack = 1 WHERE job_id = ?", number)
    assert judged(rows)["web1 etc"].verdict is Verdict.OK


# --- times


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_local_times_of_hosts_are_not_looked_at(
    rows: Rows, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        ago = 2 * HOUR + number * DAY
        local = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(rows.now - ago + 14 * HOUR))
        rows.run("far-away", "etc", "", ago, start_time=local)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        found = judged(rows)["far-away etc"]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert found.age == 2 * HOUR


@pytest.mark.parametrize(
    "moment",
    [
        "1970-01-01 00:00:00",
        "2024-02-29 23:59:59.999",
        "2026-03-29 02:30:00",
        "2100-03-01 00:00:01",
    ],
)
def test_a_time_is_read_in_whole_seconds_since_the_epoch(rows: Rows, moment: str) -> None:
    with DatabaseSource(rows.report) as source:
        seconds = source.dialect.seconds
        (found,) = source.rows(f"SELECT {seconds('?')}, {seconds('NULL')}", (moment,))
    whole = datetime.fromisoformat(moment).replace(microsecond=0, tzinfo=UTC)
    assert found == (whole.timestamp(), None)


def test_rows_of_older_writers_are_read_in_our_own_zone(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        ago = 2 * HOUR + number * DAY
        local = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(rows.now - ago + 5.5 * HOUR))
        rows.run("old", "etc", "", ago, start_time=local, started_utc=None)
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        found = judged(rows)["old etc"]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (found.age, found.verdict) == (2 * HOUR, Verdict.OK)


def test_tables_of_an_older_installation_are_read_as_they_are(rows: Rows) -> None:
    rows.daily("web1", "etc", newest=0)
    rows.daily("web2", "etc", "", 5, 27 * HOUR)
    rows.run("web2", "etc", "", HOUR, "near:DONE far:FAILED")
    for number in range(3 * GAPS):
        rows.run("web3", "etc", "", HOUR + number * DAY, "near:FAILED")
    rows.daily("web3", "etc", "", 4, 40 * DAY)
    rows.run("web4", "etc", "", 2 * HOUR, "near:WARNING")
    for table in TABLES[:2]:
        originals = [column.name for column in table.columns if column.original]
        names = ", ".join([table.identity, *originals])
        rows.do(f"CREATE TABLE old AS SELECT {names} FROM {table.name}")
        rows.do(f"DROP TABLE {table.name}")
        rows.do(f"ALTER TABLE old RENAME TO {table.name}")
    found = judged(rows)
    assert {name: each.verdict for name, each in found.items()} == {
        "web1 etc": Verdict.OK,
        "web2 etc": Verdict.WARNING,
        "web3 etc": Verdict.CRITICAL,
        "web4 etc": Verdict.CRITICAL,  # why it is a WARNING is told in no column
    }
    assert "1 of 2 copies of the last good backup is missing: far (FAILED)" in (
        found["web2 etc"].reason
    )
    assert found["web3 etc"].age == 40 * DAY
    assert (found["web1 etc"].age, found["web1 etc"].bytes) == (0, None)
    assert (ask(rows, days=2).days or {})[Subject("web1", "etc", "")].runs == [2, 2]
    assert ask(rows, learn=True).learned == 3


def test_a_plan_of_an_older_installation_may_have_null_for_no_instance(rows: Rows) -> None:
    rows.daily("web1", "etc")
    rows.do("DROP TABLE plan")
    names = ("master_host", "job_name", "master_instance")
    limits = ("ignored", "max_data_age", "max_backup_age", "max_copy_time")
    columns = [f"{name} VARCHAR(99)" for name in names] + [f"{name} INT" for name in limits]
    rows.do(f"CREATE TABLE plan ({', '.join(columns)})")
    rows.plan("web1", "etc", None, max_backup_age=7200)
    rows.plan("web2", "etc", "x")
    found = judged(rows)
    assert sorted(found) == ["web1 etc", "web2 etc/x"]
    assert (found["web1 etc"].max_age, found["web1 etc"].expected_by) == (7200, "plan")


# --- what several writers tell


def test_the_word_of_the_host_counts_where_a_storage_tells_another(rows: Rows) -> None:
    """It FAILED, whatever a client claims of the same run; only a size is added."""
    rows.daily("web1", "etc", "", 4, 27 * HOUR)
    rows.run("web1", "etc", "", 3 * HOUR, "near:FAILED")
    rows.run("web1", "etc", "", 3 * HOUR, "local:DONE", relayed_by="backup-2", bytes=7)
    rows.daily("web2", "etc", "", 4, 27 * HOUR)
    rows.run("web2", "etc", "", 3 * HOUR, "near:DONE far:DONE", bytes=None)
    rows.run("web2", "etc", "", 3 * HOUR, "local:DONE", relayed_by="backup-2", bytes=1001)
    found = judged(rows)
    assert (found["web1 etc"].verdict, found["web1 etc"].age) == (Verdict.WARNING, 27 * HOUR)
    assert (found["web2 etc"].verdict, found["web2 etc"].copies_total) == (Verdict.OK, 2)
    assert (found["web2 etc"].bytes, found["web2 etc"].relayed_by) == (1001, "")
    ran, today = (datetime.fromtimestamp(rows.now - ago).date() for ago in (3 * HOUR, 0))
    days = ask(rows, days=2).days or {}
    assert days[Subject("web1", "etc", "")].runs[-1 - (today - ran).days] == 0


def test_storages_that_relay_one_run_tell_one(rows: Rows) -> None:
    """With the copies of both; a gap of no time at all is no interval."""
    for number in range(5):
        ago = 3 * HOUR + number * DAY
        rows.run("ext", "etc", "", ago, "hd:DONE", relayed_by="backup-1", bytes=70)
        status = "hd:DONE" if number else "hd:FAILED"
        rows.run("ext", "etc", "", ago, status, relayed_by="backup-2", bytes=60)
    found = judged(rows)["ext etc"]
    assert found.max_age == pytest.approx(30 * HOUR)
    assert found.relayed_by == "backup-1, backup-2"
    assert (found.copies_done, found.copies_total, found.bytes) == (1, 2, 70)
    assert found.verdict is Verdict.WARNING
    assert "1 of 2 copies of the last good backup is missing" in found.reason


def test_a_client_cannot_claim_the_backups_of_another_host(rows: Rows) -> None:
    """Named as its master; where nobody else tells of that one, it is believed, and marked."""
    rows.daily("web1", "etc", "", 4, 30 * HOUR)
    rows.run("web1", "etc", "", 3 * HOUR, "near:FAILED")
    rows.daily("ext", "etc", master_host="web1", relayed_by="backup-2")
    rows.daily("ext", "sql", master_host="db1", relayed_by="backup-2")
    found = judged(rows)
    assert (found["web1 etc"].verdict, found["web1 etc"].age) == (Verdict.WARNING, 30 * HOUR)
    assert (found["db1 sql"].verdict, found["db1 sql"].relayed_by) == (Verdict.OK, "backup-2")
    (claim,) = [text for kind, text in notes(rows) if kind == "claim"]
    assert "that ext claims, relayed by backup-2, do not count" in claim


# --- what is no subject


def test_a_failure_of_the_job_itself_is_that_of_its_instances(rows: Rows) -> None:
    rows.daily("db1", "mysql", "3306", 5, 27 * HOUR)
    rows.daily("db1", "mysql", "3307", 5, 27 * HOUR)
    rows.daily("db2", "mysql", "3306", 5, 27 * HOUR)
    rows.run(
        "db1", "mysql", "", HOUR, "", step="INIT", status="FAILED", error="instances: exit code 1"
    )
    found = judged(rows)
    assert sorted(found) == ["db1 mysql/3306", "db1 mysql/3307", "db2 mysql/3306"]
    assert found["db2 mysql/3306"].verdict is Verdict.OK
    for name in ("db1 mysql/3306", "db1 mysql/3307"):
        assert found[name].verdict is Verdict.WARNING
        assert "FAILED at INIT: instances: exit code 1" in found[name].reason


def test_a_job_that_never_came_to_anything_is_told_and_no_subject(rows: Rows) -> None:
    rows.daily("db1", "etc")
    rows.run("db9", "mysql", "", HOUR, "", step="INIT", status="FAILED", error="bad option")
    found = ask(rows)
    assert [each.subject.label for each in found.judgements] == ["db1 etc"]
    assert found.verdict is Verdict.CRITICAL
    assert "mysql on db9 FAILED 1 h ago" in found.notes[0].text
    assert "bad option" in found.notes[0].text
    assert ask(rows, host="db1").verdict is Verdict.OK


def test_a_job_that_never_came_to_anything_is_why_what_is_planned_of_it_was_not(
    rows: Rows,
) -> None:
    rows.run("db9", "mysql", "", HOUR, "", step="INIT", status="FAILED", error="bad option")
    rows.plan("db9", "mysql", "3306")
    rows.plan("db9", "mysql", "3307", ignored=1)
    (found,) = ask(rows).judgements
    assert found.subject.label == "db9 mysql/3306"
    assert found.reason.startswith("never backed up: its only run on ")
    assert "bad option" in found.reason
    assert ask(rows).notes == []


def test_a_failure_of_the_job_itself_counts_once_for_two_names_of_one_master(rows: Rows) -> None:
    rows.daily("slave", "mysql", "a", 5, 27 * HOUR, master_host="db1", master_instance="x")
    rows.daily("slave", "mysql", "b", 5, 28 * HOUR, master_host="db1", master_instance="x")
    rows.run("slave", "mysql", "", HOUR, "", step="INIT", status="FAILED", error="bad option")
    assert "; a later run on slave, 1 h ago, made no copy" in judged(rows)["db1 mysql/x"].reason


def test_a_pull_that_found_no_client_makes_no_subject(rows: Rows) -> None:
    rows.daily("client", "www", "", 5, 27 * HOUR, direction="passive")
    pull = {"direction": "pull", "step": "INIT", "status": "FAILED", "error": "no report"}
    rows.run("store", "www", "", HOUR, "", **pull)
    assert [each.subject.label for each in ask(rows).judgements] == ["client www"]
    assert [note.kind for note in ask(rows).notes] == ["pull"]
    rows.run("client", "www", "", 60, direction="passive")
    assert ask(rows).notes == []


@pytest.mark.parametrize(
    ("host", "storage", "source", "quiet"),
    [
        ("ext", "backup-2", "rsync://storage@ext/reports", True),
        ("ext.example.org", "backup-2", "rsync://ext:8730/reports", True),
        ("ext", "backup-2", "rsync://Ext.example.org/reports", True),
        ("ext", "backup-1, backup-2", "rsync://ext/reports", True),
        ("ext.example.org", "backup-2", "rsync://ext.example.com/reports", False),
        ("web1", "backup-2", "rsync://ext/reports", False),
        ("ext", "backup-1", "rsync://ext/reports", False),
        ("ext", "backup-2", "rsync://192.0.2.4/reports", False),
    ],
)
def test_a_pull_that_found_no_client_is_told_until_that_client_is_pulled(
    rows: Rows, host: str, storage: str, source: str, quiet: bool
) -> None:
    """The manual's own names: job system of the storage pulls job ext of the client."""
    error = f"no report for backup-2 at {source}, polled 10 times (report_poll_retries)"
    relayed = {"direction": "passive"}
    for each in storage.split(", "):
        rows.run(host, "ext", "", 2 * HOUR, "local:DONE", relayed_by=each, **relayed)
    pull = {"direction": "pull", "step": "INIT", "status": "FAILED", "error": error}
    rows.run("backup-2", "system", "", HOUR, "", **pull)
    assert [note.kind for note in ask(rows).notes if note.kind == "pull"] == ["pull"]
    for each in storage.split(", "):
        rows.run(host, "ext", "", 60, "local:DONE", relayed_by=each, **relayed)
    found = ask(rows)
    assert [note.kind for note in found.notes if note.kind == "pull"] == ["pull"] * (not quiet)
    assert found.verdict is (Verdict.OK if quiet else Verdict.WARNING)


def test_a_run_that_failed_before_its_master_was_known_is_that_masters(rows: Rows) -> None:
    rows.daily("slave3", "mysql", "3307", 5, 27 * HOUR, master_host="db1")
    rows.run("slave3", "mysql", "3307", HOUR, "", step="INIT", status="FAILED", error="no master")
    found = judged(rows)
    assert list(found) == ["db1 mysql/3307"]
    assert found["db1 mysql/3307"].verdict is Verdict.WARNING
    assert "no master" in found["db1 mysql/3307"].reason


# --- drift


def test_an_instance_that_vanished_is_told_at_once(rows: Rows) -> None:
    rows.daily("db1", "mysql", "3306", 8)
    rows.daily("db1", "mysql", "3307", 8, 3 * HOUR + 2 * DAY)
    ((kind, text),) = notes(rows)
    assert kind == "vanished"
    assert text.startswith("db1 mysql/3307 has vanished from db1: its last run is 2 d 3 h old")


def test_a_clock_that_was_years_ahead_makes_no_other_instance_vanish(rows: Rows) -> None:
    for instance in "12":
        rows.daily("a", "mysql", instance, newest=27 * HOUR)
    rows.run("a", "mysql", "1", -400 * DAY)
    for instance in "12":
        rows.run("a", "mysql", instance, 3 * HOUR)
    assert survey(rows.report, MonitorQuestion(), rows.now).notes == []


def test_a_failure_of_the_job_itself_is_no_sign_of_an_instance(rows: Rows) -> None:
    rows.daily("db1", "mysql", "3306", 8)
    rows.daily("db1", "mysql", "3307", 8, 3 * HOUR + 2 * DAY)
    rows.plan("db1", "mysql", "3308", max_backup_age=DAY)
    rows.run("db1", "mysql", "", HOUR / 2, "", step="INIT", status="FAILED")
    ((kind, text),) = notes(rows)
    assert kind == "vanished"
    assert text.startswith("db1 mysql/3307 has vanished from db1: its last run is 2 d 3 h old")


def test_an_instance_that_appeared_is_told_and_that_it_was_never_backed_up(rows: Rows) -> None:
    rows.daily("db1", "mysql", "3306", 8)
    rows.run("db1", "mysql", "3307", 5 * HOUR, "near:FAILED")
    rows.run("db1", "mysql", "3308", 5 * HOUR)
    assert notes(rows) == [
        (
            "new",
            "db1 mysql/3307 is new: its first run began 5 h ago, and it was never backed up",
        ),
        ("new", "db1 mysql/3308 is new: its first run began 5 h ago"),
    ]
    assert judged(rows)["db1 mysql/3307"].verdict is Verdict.CRITICAL
    assert judged(rows)["db1 mysql/3308"].verdict is Verdict.OK


def test_a_new_fleet_is_no_news(rows: Rows) -> None:
    for host in ("a", "b", "c"):
        rows.daily(host, "etc", "", 2)
    assert notes(rows) == []


def test_a_renamed_host_is_seen_to_be_one(rows: Rows) -> None:
    rows.daily("web1", "etc", "", 8, 3 * DAY)
    rows.daily("web1.example.org", "etc", "", 3)
    rows.daily("web2", "etc", "", 11)
    (renamed, new) = notes(rows)
    assert (renamed[0], new[0]) == ("renamed", "new")
    assert renamed[1] == (
        "web1 has not run for 3 d, and web1.example.org began 2 d 3 h ago with the same jobs and "
        "about the same sizes: renamed?"
    )


def test_only_a_host_of_which_all_jobs_moved_with_their_sizes_seems_renamed(rows: Rows) -> None:
    rows.daily("stays", "etc", "", 11)
    for host, newest, count in (("web1", 3 * DAY, 8), ("web9", 3 * HOUR, 3)):
        rows.daily(host, "etc", "", count, newest)
        rows.daily(host, "mysql", "a", count, newest)
    # Of this one a job goes on, and of that one the sizes are others.
    rows.daily("db1", "etc", "", 8, 3 * DAY)
    rows.daily("db1", "home", "", 11)
    rows.daily("db2", "etc", "", 3, bytes=77)
    rows.daily("db3", "home", "x", 8, 3 * DAY)
    rows.daily("db4", "home", "x", 3, bytes=77)
    found = notes(rows)
    assert [text.split()[0] for kind, text in found if kind == "renamed"] == ["web1"]
    assert ("new", "host web9 is new: its first run began 2 d 3 h ago, 2 subjects") in found


def test_what_came_and_went_is_told_of_a_job_as_it_is_of_all(rows: Rows) -> None:
    rows.daily("slave3", "mysql", "3306", 8, master_host="db1")
    rows.daily("slave3", "mysql", "3307", 8, 3 * HOUR + 2 * DAY, master_host="db2")
    rows.daily("web1", "etc", "", 8, 3 * DAY)
    rows.daily("web9", "etc", "", 3)
    assert [kind for kind, _ in notes(rows)] == ["vanished", "renamed", "new"]
    assert [kind for kind, _ in notes(rows, job="mysql")] == ["vanished"]
    assert [kind for kind, _ in notes(rows, job="etc")] == ["renamed", "new"]
    assert notes(rows, host="db1") == []


# --- plan


def test_plans_are_kept_and_what_is_ignored_is_not_shown(rows: Rows) -> None:
    rows.daily("db1", "mysql", "3306")
    rows.daily("db1", "mysql", "3307")
    rows.plan("db1", "mysql", "3306", max_backup_age=3600)
    rows.plan("db1", "mysql", "3307", ignored=1)
    rows.plan("db1", "mysql", "never", max_backup_age=86400)
    found = judged(rows)
    assert sorted(found) == ["db1 mysql/3306", "db1 mysql/never"]
    assert (found["db1 mysql/3306"].max_age, found["db1 mysql/3306"].expected_by) == (3600, "plan")
    assert found["db1 mysql/3306"].verdict is Verdict.CRITICAL
    assert "planned, and no run of it is known" in found["db1 mysql/never"].reason
    assert ("never_ran", "db1 mysql/never is planned, and never ran") in notes(rows)


def test_a_plan_is_learned_only_where_it_can_say_it(rows: Rows) -> None:
    """At any hour of the week the same, and never what holds at this hour alone."""
    for number in range(60):
        rows.run("daily", "etc", "", 2 * HOUR + number * DAY)
        if number % 7 < 5:
            rows.run("weekdays", "etc", "", 2 * HOUR + number * DAY)
    found = ask(rows, learn=True)
    assert found.learned == 1
    assert rows.rows("SELECT master_host, max_backup_age FROM plan") == [("daily", 108000)]
    (unlearned,) = found.unlearned
    assert unlearned.unlearned.startswith("its intervals are 1 d to 3 d by the hour of the week")


def test_what_is_usual_can_be_written_into_the_plan(rows: Rows) -> None:
    rows.daily("db1", "etc")
    rows.run("new", "etc", "", HOUR, "near:FAILED")
    rows.plan("db2", "etc", "", max_backup_age=60)
    assert ask(rows, learn=True).learned == 1
    assert ask(rows, learn=True).learned == 0
    found = rows.rows("SELECT master_host, max_backup_age, note FROM plan ORDER BY master_host")
    assert found == [("db1", 108000, "learned by b1000 monitor"), ("db2", 60, "")]
    assert judged(rows)["db1 etc"].expected_by == "plan"


def test_filters(rows: Rows) -> None:
    rows.daily("slave", "mysql", "3306", master_host="db1")
    rows.daily("db1", "etc")
    rows.daily("db2", "etc")

    def labels(**question: str) -> list[str]:
        return [each.subject.label for each in ask(rows, **question).judgements]

    assert labels(host="db1") == ["db1 etc", "db1 mysql/3306"]
    assert labels(job="etc") == ["db1 etc", "db2 etc"]
    assert labels(job="etc", host="db2") == ["db2 etc"]
    assert ask(rows, host="db3").verdict is Verdict.UNKNOWN


def test_rows_that_no_b1000_writes_do_no_harm(rows: Rows) -> None:
    rows.daily("db1", "etc")
    rows.run("evil\x1fhost", "etc", "", HOUR)
    if rows.report.type == "sqlite":  # MariaDB holds no such number
        rows.run("db1", "etc", "", 2 * HOUR, data_age=float("inf"))
    rows.run("db1", "etc", "", HOUR / 2, "near:FAILED", error="two\nlines \x1f \x1e \x1b[31m")
    found = judged(rows)
    assert list(found) == ["db1 etc"]
    assert "\n" not in found["db1 etc"].reason
    assert "\x1b" not in found["db1 etc"].reason
    assert "FAILED at COPYING: two lines" in found["db1 etc"].reason


def test_what_a_server_cuts_off_is_asked_for_again(own_server: Database) -> None:
    """A server with a small max_allowed_packet gives no more of one text than that."""
    own_server.query("SET GLOBAL max_allowed_packet = 131072")
    rows = Rows(Schema(own_server))
    first = rows.run("web0", "etc", "", HOUR)
    rows.do(
        "INSERT INTO jobs (host, name, direction, start_time, started_utc, step, status, error) "
        "SELECT CONCAT(REPEAT('x', 90), seq), REPEAT('y', 90), direction, start_time, "
        "started_utc, step, 'WARNING', REPEAT('z', 200) FROM jobs JOIN seq_1_to_500"
    )
    rows.do(
        "INSERT INTO copies (job_id, destination, status) "
        "SELECT job_id, 'near', 'DONE' FROM jobs WHERE job_id > ?",
        first,
    )
    found = ask(rows, days=2)
    assert len(found.judgements) == 501
    assert {each.verdict for each in found.judgements} == {Verdict.OK}
    assert len(found.days or {}) == 501


# --- much


def test_days_of_the_page(rows: Rows) -> None:
    rows.now = NOON
    rows.daily("db1", "etc", "", 3, 0)
    rows.run("db1", "etc", "", 3 * DAY, "near:DONE far:FAILED", bytes=5)
    rows.run("db1", "etc", "", 4 * DAY, "near:FAILED far:FAILED")
    (days,) = (ask(rows, days=7).days or {}).values()
    assert days.runs == [None, None, 0, 1, 2, 2, 2]
    assert days.bytes == [None, None, None, 5, 1000, 1000, 1000]


def test_a_day_on_which_the_master_was_not_known_is_one_of_the_master(rows: Rows) -> None:
    rows.now = NOON
    rows.daily("slave3", "mysql", "3307", 3, DAY, master_host="db1")
    rows.run("slave3", "mysql", "3307", 0, "", step="INIT", status="FAILED")
    (subject,) = (ask(rows, days=5).days or {}).items()
    assert subject[0] == Subject("db1", "mysql", "3307")
    assert subject[1].runs == [None, 2, 2, 2, 0]


def test_hourly_and_monthly_subjects_side_by_side(rows: Rows) -> None:
    for number in range(80):
        rows.run("db1", "binlogs", "", number * HOUR)
    for number in range(4):
        rows.run("db1", "archive", "", DAY + number * 30 * DAY)
    found = judged(rows)
    assert found["db1 binlogs"].max_age == pytest.approx(1.6 * HOUR)
    assert found["db1 archive"].max_age == pytest.approx(33.5 * DAY)
    assert {each.verdict for each in found.values()} == {Verdict.OK}


def test_a_destination_that_is_gone_is_missed_however_often_it_runs(rows: Rows) -> None:
    for number in range(10 * 12):
        copies = "near:DONE far:DONE" if number > 60 else "near:DONE"
        rows.run("web1", "etc", "", (2 * number + 1) * HOUR, copies)
    found = judged(rows)["web1 etc"]
    assert (found.codes, found.missing) == (frozenset({"destination_gone"}), ("far",))
