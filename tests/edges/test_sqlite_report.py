"""Reports of type sqlite: the same tables and rules in a file."""

import contextlib
import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from b1000.identity import myself
from b1000.jobs import Report
from b1000.reports.source import DatabaseSource
from b1000.reports.sqlite import SqliteReport, findings
from b1000.reports.tables import TABLES
from b1000.reports.target import NotDelivered
from b1000.runs.run import Copy, Run, Snapshot
from b1000.runs.states import CopyStatus, Status, Step

STARTED = 1_795_000_000.25


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "central" / "reports.sqlite3"


@pytest.fixture
def report(path: Path) -> Iterator[SqliteReport]:
    with contextlib.closing(SqliteReport(settings(path))) as opened:
        yield opened


def settings(path: Path) -> Report:
    return Report(name="central", type="sqlite", path=str(path))


def state(number: int, transition: int = 1, **changes: Any) -> Run:
    """A state of the run of one number, with two copies."""
    run = Run(
        run_id=number,
        uid=f"{number:024x}",
        job=f"job{number}",
        instance="",
        host="client",
        direction="push",
        type="full",
        started=STARTED,
        start_time="2026-11-23-05-38-55",
        supervisor=myself(),
        step=Step.COPYING,
        last_transition=transition,
        changed=STARTED + transition,
        snapshot=Snapshot(data_age=None),
        copies=(
            Copy("near", f"/near/{number}", status=CopyStatus.COPYING, started=STARTED + 1),
            Copy("far", f"rsync://far/b/{number}"),
        ),
    )
    return run._replace(**changes)


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """What somebody else reads there."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchall()


def everything(path: Path) -> list[list[tuple[Any, ...]]]:
    return [rows(path, f"SELECT * FROM {table} ORDER BY 1") for table in ("jobs", "copies")]


def test_the_file_is_made_for_owner_and_group(path: Path, report: SqliteReport) -> None:
    before = os.umask(0o077)
    try:
        report.deliver([state(1)])
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.parent.stat().st_mode & 0o777 == 0o755
    path.chmod(0o600)
    report.close()
    report.deliver([state(2)])
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_told_again_changes_nothing(path: Path, report: SqliteReport) -> None:
    runs = [state(number) for number in range(1, 20)]
    assert report.deliver(runs) == ({run.run_id for run in runs}, None)
    before = everything(path)
    assert [len(each) for each in before] == [19, 38]
    assert report.deliver(runs[::-1])[1] is None
    assert everything(path) == before


def test_a_row_never_goes_back(path: Path, report: SqliteReport) -> None:
    report.deliver([state(1, 9, step=Step.DONE, ended=STARTED + 60)])
    before = everything(path)
    report.deliver([state(1, 8, status=Status.FAILED, error="late", copies=(Copy("near", "x"),))])
    assert everything(path) == before
    report.deliver([state(1, 10, status=Status.WARNING)])
    assert rows(path, "SELECT job_id, status, transition FROM jobs") == [(1, "WARNING", 10)]


def test_times_are_text_that_sqlite_understands(path: Path, report: SqliteReport) -> None:
    report.deliver([state(1, ended=STARTED + 60)])
    ((started, seconds, local, age),) = rows(
        path,
        "SELECT started_utc, unixepoch(ended_utc) - unixepoch(started_utc), start_time, data_age "
        "FROM jobs",
    )
    assert started == "2026-11-18 11:06:40.250"
    assert seconds == 60
    assert local == "2026-11-23 05:38:55"
    assert age is None


def test_texts_are_kept_and_what_is_no_character_is_shown(path: Path, report: SqliteReport) -> None:
    text = 'it\'s "quoted" back\\slash ? :x 備份 🗄\n'
    broken = b"/a\xff\0b".decode("utf-8", "surrogateescape")
    report.deliver([state(1, error=text, copies=(Copy("near", broken, error=text),))])
    assert rows(path, "SELECT error FROM jobs") == [(text,)]
    assert rows(path, "SELECT path, copy_error FROM copies") == [("/a\\udcff\\x00b", text)]


def test_what_people_acknowledged_stays(path: Path, report: SqliteReport) -> None:
    report.deliver([state(1)])
    with contextlib.closing(sqlite3.connect(path)) as somebody, somebody:
        somebody.execute("UPDATE jobs SET ack = 1")
    report.deliver([state(1, 2)])
    assert rows(path, "SELECT ack, transition FROM jobs") == [(1, 2)]


def test_an_older_file_gets_what_is_missing(path: Path, report: SqliteReport) -> None:
    report.deliver([state(1)])
    report.close()
    with contextlib.closing(sqlite3.connect(path)) as old, old:
        for name in ("bytes", "error", "transition"):
            old.execute(f"ALTER TABLE jobs DROP COLUMN {name}")
        old.execute("DROP TABLE plan")
        old.execute("DROP INDEX jobs_subject")
    assert report.deliver([state(1, 2), state(2)]) == ({1, 2}, None)
    assert rows(path, "SELECT job_id, transition FROM jobs") == [(1, 2), (2, 1)]
    names = {row[0] for row in rows(path, "SELECT name FROM sqlite_master")}
    assert names >= {table.name for table in TABLES}
    assert names >= {index.name for table in TABLES for index in table.indexes}


def patiently(target: SqliteReport, told: list[Run]) -> None:
    """Deliver as the reporter does: whoever found it locked for too long tries again."""
    for _ in range(20):
        with contextlib.suppress(NotDelivered):
            assert target.deliver(told)[1] is None
            return
    raise AssertionError("it was locked all the time")


def test_many_make_and_write_it_at_once(path: Path) -> None:
    failures: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            with contextlib.closing(SqliteReport(settings(path))) as target:
                for transition in range(1, 6):
                    told = [state(number, transition * 8 + writer) for number in range(20)]
                    patiently(target, told)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert rows(path, "SELECT count(*), min(transition) FROM jobs") == [(20, 47)]
    assert rows(path, "SELECT count(*), min(copy_transition) FROM copies") == [(40, 47)]


def test_somebody_who_reads_does_not_keep_it_from_writing(path: Path, report: SqliteReport) -> None:
    report.deliver([state(1)])
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as somebody:
        somebody.execute("BEGIN")
        assert somebody.execute("SELECT count(*) FROM jobs").fetchone() == (1,)
        assert report.deliver([state(2)]) == ({2}, None)
        assert somebody.execute("SELECT count(*) FROM jobs").fetchone() == (1,)


def test_nothing_is_told_in_part(path: Path, report: SqliteReport) -> None:
    """What one statement of a batch meets undoes all of it; later it arrives as a whole."""
    report.deliver([state(1)])
    with contextlib.closing(sqlite3.connect(path)) as somebody, somebody:
        somebody.execute(
            "CREATE TRIGGER no BEFORE INSERT ON copies WHEN NEW.path = '/near/3' "
            "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        )
    with pytest.raises(NotDelivered, match="not this one"):
        report.deliver([state(2), state(3)])
    assert rows(path, "SELECT count(*) FROM jobs") == [(1,)]
    with contextlib.closing(sqlite3.connect(path)) as somebody, somebody:
        somebody.execute("DROP TRIGGER no")
    assert report.deliver([state(2), state(3)]) == ({2, 3}, None)


def test_a_file_that_was_removed_is_made_again(path: Path, report: SqliteReport) -> None:
    report.deliver([state(1)])
    report.close()
    for each in path.parent.iterdir():
        each.unlink()
    assert report.deliver([state(2)]) == ({2}, None)
    assert rows(path, "SELECT name FROM jobs") == [("job2",)]


def test_trouble_is_told_in_words(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 100)
    below = tmp_path / "file"
    below.write_text("")
    for each, words in (
        (path, "not a database"),
        (below / "reports.sqlite3", "Not a directory|File exists"),
        (tmp_path, "unable to open|directory"),
    ):
        with (
            contextlib.closing(SqliteReport(settings(each))) as target,
            pytest.raises(NotDelivered, match=f"{each}: .*({words})"),
        ):
            target.deliver([state(1)])
        assert str(each) in "\n".join(findings(settings(each)))


@contextlib.contextmanager
def somebody_of(group: int) -> Iterator[None]:
    """What is done within is done by a user who has only the rights of a group."""
    groups = os.getgroups()
    os.setgroups([group])
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setgroups(groups)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_the_group_may_read_it_and_others_are_told_why_not() -> None:
    """Also while nobody writes it, when a file of SQLite's own is missing beside it."""
    group = 12345
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        path = Path(directory) / "reports.sqlite3"
        with contextlib.closing(SqliteReport(settings(path))) as report:
            report.deliver([state(1)])
            os.chown(path, -1, group)
            for suffix in ("-wal", "-shm"):
                os.chown(f"{path}{suffix}", -1, group)
            with somebody_of(group):
                assert names(path) == ["job1"]
        with somebody_of(group):
            assert names(path) == ["job1"]
        with somebody_of(group + 1), pytest.raises(NotDelivered, match="Permission denied"):
            names(path)
        below = Path(directory) / "closed" / "reports.sqlite3"
        below.parent.mkdir(mode=0o700)
        with somebody_of(group):
            assert "no permission" in "\n".join(findings(settings(below)))
    with pytest.raises(NotDelivered, match="No such file"):
        names(path)


def names(path: Path) -> list[str]:
    """What the monitor would read there."""
    with DatabaseSource(settings(path)) as source:
        return [name for (name,) in source.rows("SELECT name FROM jobs ORDER BY 1")]


def test_tables_of_somebody_else_are_found(path: Path) -> None:
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as somebody, somebody:
        somebody.execute("CREATE TABLE copies (book TEXT UNIQUE, number INTEGER)")
    (found,) = findings(settings(path))
    assert "copies has no unique key (job_id, destination)" in found


def test_nothing_is_found_where_all_is_well(path: Path, report: SqliteReport) -> None:
    assert findings(settings(path)) == []
    assert not path.parent.exists()
    report.deliver([state(1)])
    assert findings(settings(path)) == []
