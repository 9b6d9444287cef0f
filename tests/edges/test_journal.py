"""The journal on a real disk: durability, names, other writers, corruption, history."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from threading import Timer

import pytest

from b1000.errors import JournalFailed, JournalUnusable
from b1000.identity import is_alive, myself
from b1000.jobs import Destination, Job
from b1000.runs.events import (
    AttemptBegan,
    AttemptEnded,
    CopyMoved,
    Died,
    InstancesListed,
    Message,
    Note,
    ProcessBegan,
    Resolved,
    RunMoved,
    Swept,
)
from b1000.runs.lifecycle import IllegalMove
from b1000.runs.run import Copy, ProcessIdentity, Run, Snapshot, Unsettled
from b1000.runs.states import CopyStatus, Ending, Status, Step
from b1000.state import columns, migrations, schema, whole_schema
from b1000.state.journal import Journal
from b1000.state.opening import open_journal
from b1000.state.queries import Reader
from tests.support import build
from tests.support.world import open_sqlite

DAY = 86400.0


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 22, 10, 11, 12).timestamp())


@pytest.fixture
def journal(tmp_path: Path, clock: Clock) -> Iterator[Journal]:
    opened = open_journal(tmp_path / "j" / "journal.sqlite3", clock)
    yield opened
    opened.close()


@pytest.fixture
def reader(journal: Journal) -> Iterator[Reader]:
    with Reader(journal.path) as opened:
        yield opened


def only(runs: list[Run]) -> Run:
    (run,) = runs
    return run


def test_it_is_for_its_owner_alone(journal: Journal) -> None:
    build.begin(journal)
    assert {oct(path.stat().st_mode & 0o777) for path in journal.path.parent.iterdir()} == {"0o600"}


def test_its_tables_are_known_at_a_glance_and_are_those_of_the_migrations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever adds a migration writes the new number into the schema."""
    with (
        contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as made,
        contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as migrated,
    ):
        migrations.migrate(made)
        monkeypatch.setattr(whole_schema, "VERSION", 0)
        migrations.migrate(migrated)
        assert list(made.iterdump()) == list(migrated.iterdump()), "make generated"
        version = "PRAGMA user_version"
        assert made.execute(version).fetchone() == migrated.execute(version).fetchone()
        assert columns.fingerprint(made) == schema.FINGERPRINT
        assert columns.made(made) == columns.declared().tables
        made.execute("ALTER TABLE runs ADD COLUMN more TEXT")
        assert columns.fingerprint(made) != schema.FINGERPRINT
        assert columns.made(made) == columns.declared().tables


def test_a_transition_is_durable_and_in_wal_mode(journal: Journal) -> None:
    with open_sqlite(journal.path) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_start_time_is_never_used_twice(journal: Journal) -> None:
    names = [build.begin(journal).start_time for _ in range(3)]
    assert names == ["2026-11-22-10-11-12", "2026-11-22-10-11-13", "2026-11-22-10-11-14"]
    assert build.begin(journal, "other").start_time == "2026-11-22-10-11-12"


def test_runs_of_one_file_stem_share_their_start_times(journal: Journal) -> None:
    first = build.begin(journal, "a", "b-c")
    assert build.begin(journal, "a-b", "c").start_time != first.start_time


def test_the_hour_that_autumn_repeats_gives_no_name_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Warsaw")
    time.tzset()
    try:
        clock = Clock(
            1792886400.0
        )  # 2026-10-25 00:00:00 UTC, 02:00 in Warsaw, and again an hour on
        journal = open_journal(tmp_path / "journal", clock)
        first = build.begin(journal)
        clock.now += 3600
        second = build.begin(journal)
        assert first.start_time == "2026-10-25-02-00-00"
        assert second.start_time == "2026-10-25-02-00-01"
        assert second.started - first.started == 3601
        journal.close()
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_last_run_of_each_subject(journal: Journal, reader: Reader) -> None:
    build.done(journal, build.begin(journal, "db", "a"))
    second = build.begin(journal, "db", "a")
    other = build.begin(journal, "db", "b")
    assert [run.run_id for run in reader.last_runs()] == [second.run_id, other.run_id]


def test_a_run_comes_back_as_it_was_told(journal: Journal, reader: Reader) -> None:
    run = build.begin(journal)
    build.resolve(journal, run, "one", "two")
    build.move(journal, run, Step.COPYING)
    with journal.transaction():
        for message in (
            CopyMoved(3.0, "two", CopyStatus.COPYING),
            AttemptBegan(3.0, "two", 1),
            AttemptEnded(4.0, "two", 1, 10, "refused", 9.0),
            AttemptBegan(9.0, "two", 2),
            AttemptEnded(10.0, "two", 2, 0, ""),
            CopyMoved(10.0, "two", CopyStatus.DONE, "", 300, 3, 350, 0),
        ):
            build.record(journal, run, message)
    found = only(reader.last_runs())
    assert [copy.destination for copy in found.copies] == ["one", "two"]
    two = found.copies[1]
    assert (two.status, two.attempts, two.bytes, two.files, two.sent, two.exit_code) == (
        CopyStatus.DONE, 2, 300, 3, 350, 0,
    )  # fmt: skip
    assert (two.started, two.ended) == (3.0, 10.0)
    assert found.supervisor == myself()


def test_an_illegal_move_is_refused_as_a_mistake_of_the_program(journal: Journal) -> None:
    run = build.begin(journal)
    with pytest.raises(AssertionError, match="cannot go from INIT to POST"):
        build.move(journal, run, Step.POST)
    build.done(journal, run)
    with pytest.raises(AssertionError, match="cannot go from DONE"):
        build.copy(journal, run, "store", CopyStatus.FAILED)


def test_a_transaction_is_written_whole_or_not_at_all(journal: Journal, reader: Reader) -> None:
    run = build.begin(journal)
    build.resolve(journal, run, "store")
    before = only(reader.last_runs())

    def half() -> None:
        with journal.transaction():
            build.record(journal, run, CopyMoved(3.0, "store", CopyStatus.COPYING))
            build.record(journal, run, CopyMoved(3.0, "nowhere", CopyStatus.COPYING))

    with pytest.raises(IllegalMove):
        half()
    assert only(reader.last_runs()) == before


# --- what can be retried


@pytest.mark.parametrize(
    ("step", "ending", "retried"),
    [
        (Step.INIT, Ending.INTERRUPTED, False),
        (Step.PRE, Ending.INTERRUPTED, False),
        (Step.COPYING, Ending.INTERRUPTED, True),
        (Step.COPYING, Ending.FINISHED, True),
        (Step.POST, Ending.INTERRUPTED, True),
        (Step.POST, Ending.FINISHED, False),
        (Step.COPYING, Ending.CLOSED, False),
    ],
)
def test_what_can_be_retried(
    journal: Journal, reader: Reader, step: Step, ending: Ending, retried: bool
) -> None:
    run = build.begin(journal)
    build.resolve(journal, run, "store")
    for each in (Step.PRE, Step.COPYING, Step.POST):
        if step in (Step.INIT, Step.PRE) and each is not step:
            break
        build.move(journal, run, each)
        if each is step:
            break
    with journal.transaction():
        build.record(journal, run, Died(9.0, "why", ending))
    assert bool(reader.retriable(is_alive)) is retried


def test_a_run_without_an_end_counts_where_its_supervisor_is_gone(
    journal: Journal, reader: Reader
) -> None:
    run = build.begin(journal)
    build.resolve(journal, run, "store")
    build.move(journal, run, Step.COPYING)
    assert reader.retriable(lambda _: True) == []
    assert only(reader.retriable(lambda _: False)).run_id == run.run_id


def test_a_later_run_supersedes_once_it_has_begun_to_prepare(
    journal: Journal, reader: Reader
) -> None:
    build.failed_at_copying(journal, build.begin(journal))
    later = build.begin(journal)
    assert len(reader.retriable(is_alive)) == 1
    build.resolve(journal, later, "store")
    build.move(journal, later, Step.PRE)
    assert reader.retriable(is_alive) == []


def test_a_run_with_a_dump_of_its_own_is_not_superseded(journal: Journal, reader: Reader) -> None:
    build.failed_at_copying(journal, build.begin(journal), own_dump=True)
    build.done(journal, build.begin(journal))
    assert len(reader.retriable(is_alive)) == 1


def test_a_death_fails_the_run_and_the_copies_under_way(journal: Journal, reader: Reader) -> None:
    run = build.begin(journal)
    build.resolve(journal, run, "one", "two", "three")
    build.move(journal, run, Step.COPYING)
    build.copy(journal, run, "one", CopyStatus.COPYING, CopyStatus.DONE)
    build.copy(journal, run, "two", CopyStatus.COPYING)
    with journal.transaction():
        build.record(journal, run, Died(9.0, "killed", Ending.FINISHED))
    found = only(reader.last_runs())
    assert (found.step, found.status, found.error) == (Step.COPYING, Status.FAILED, "killed")
    assert [copy.status for copy in found.copies] == [
        CopyStatus.DONE,
        CopyStatus.FAILED,
        CopyStatus.INIT,
    ]


def test_what_ends_under_one_mark_says_nothing_of_another(journal: Journal, reader: Reader) -> None:
    """An on_failure, in either order, beside somebody who goes on with the run."""
    run = build.begin(journal)
    build.failed_at_copying(journal, run)
    with journal.transaction():
        afterwards = journal.begin_afterwards(run, myself())
        resumed = build.resume(journal, run)
        began = ProcessBegan(4.0, "c1", "rsync store", myself())
        journal.note(Note(resumed, began))
        journal.note(Note(afterwards, Swept(5.0)))
    assert reader.orphans(afterwards).processes == ()
    assert reader.orphans(resumed).processes == (myself(),)
    with journal.transaction():
        late = journal.begin_afterwards(run, myself())
    assert late not in (run.uid, afterwards, resumed)
    assert only(reader.last_runs()).uid == resumed


# --- what reports are owed


def test_each_report_is_owed_the_last_state_until_it_was_delivered(
    journal: Journal, reader: Reader
) -> None:
    run = build.begin(journal, reports=("main", "local"))
    first = reader.pending("main")[0].transition_id
    build.resolve(journal, run, "store")
    assert [owed.run.run_id for owed in reader.pending("main")] == [run.run_id]
    with journal.transaction():
        journal.record_delivered("main", run.run_id, first)
    assert len(reader.pending("main")) == 1, "a later state is owed still"
    with journal.transaction():
        journal.record_delivered("main", run.run_id, reader.pending("main")[0].transition_id)
    assert reader.pending("main") == []
    assert reader.pending_by_report() == {"local": 1}


def test_the_instances_that_were_listed_last(journal: Journal, reader: Reader) -> None:
    for listed in (
        InstancesListed(1.0, ("a", "b")),
        InstancesListed(2.0, ("b", "c")),
        InstancesListed(3.0, error="no"),
    ):
        with journal.transaction():
            uid = journal.begin_listing("db", myself())
            journal.note(Note(uid, listed))
    assert reader.listed_instances() == {"db": ("b", "c")}


def test_which_marks_are_not_wanted_any_more(journal: Journal, reader: Reader) -> None:
    def into(place: str, number: int, ended: float = 3.0) -> Run:
        """A sync into one directory, which has ``number`` attempts."""
        run = build.begin(journal, instance=place, kind="sync")
        with journal.transaction():
            build.record(journal, run, Resolved(1.0, Snapshot(), (Copy("store", f"/s/{place}"),)))
            for attempt in range(1, number + 1):
                build.record(journal, run, AttemptBegan(2.0, "store", attempt))
            build.record(journal, run, RunMoved(2.0, Step.COPYING, Status.OK))
            build.record(journal, run, CopyMoved(2.0, "store", CopyStatus.COPYING))
            build.record(journal, run, CopyMoved(ended, "store", CopyStatus.DONE))
        return run

    old, waits, other, removed = into("a", 1), into("b", 1), into("c", 1), into("d", 1)
    back = into("e", 1, ended=5.0)
    into("b", 0)
    later = into("a", 1)
    with journal.transaction():
        journal.remember("/s", "d", {"removed": 3.0})
        journal.remember("/s", "e", {"removed": 4.0})
        journal.remember("/s", "c", {"counted": 3.0})
    runs = [each.run_id for each in (old, waits, other, removed, back, later)]
    assert reader.left_by_marks("store", runs) == {old.run_id, removed.run_id}
    assert reader.left_by_marks("elsewhere", runs) == reader.left_by_marks("store", []) == set()
    assert reader.left_by_marks("store", [later.run_id]) == set()
    assert reader.with_leftovers(["/s/a", "/s/z"]) == {"/s/a"}
    assert reader.with_leftovers([]) == set()


# --- other writers, corruption, newer programs


def test_many_writers_share_a_journal(journal: Journal) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from b1000.state.opening import open_journal\n"
        "from tests.support import build\n"
        "journal = open_journal(Path(sys.argv[1]))\n"
        # SQLite lets writers in by chance: on a busy machine one may wait for long.
        "journal._db.execute('PRAGMA busy_timeout = 120000')\n"
        "for number in range(50): build.done(journal, build.begin(journal, sys.argv[2]))\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(journal.path), f"job{number}"])
        for number in range(4)
    ]
    assert [writer.wait(240) for writer in writers] == [0, 0, 0, 0]
    runs = journal._db.execute("SELECT count(*), count(DISTINCT job) FROM runs").fetchone()
    assert runs == (200, 4)


@pytest.mark.parametrize("damage", ["header", "pages"])
def test_a_corrupt_journal_is_set_aside(tmp_path: Path, damage: str, clock: Clock) -> None:
    path = tmp_path / "journal.sqlite3"
    first = open_journal(path, clock)
    for _ in range(20):
        build.done(first, build.begin(first))
    first.close()
    raw = bytearray(path.read_bytes())
    raw[0 if damage == "header" else 4096 : 20000] = os.urandom(20000)
    path.write_bytes(raw)
    if damage == "header":
        with pytest.raises(JournalUnusable, match="sets it aside and begins a new one"):
            Reader(path)
    second = open_journal(path, clock)
    with Reader(path) as reader:
        assert reader.last_runs() == []
    build.begin(second)
    second.close()
    (aside,) = tmp_path.glob("journal.sqlite3.corrupt-2026-11-22-*")
    assert aside.read_bytes()[:20000] == bytes(raw)[:20000]


def test_a_short_look_sees_all_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    journal = open_journal(path)
    build.begin(journal)
    # As a program that was killed leaves it: its changes are in the log beside the journal.
    killed = tmp_path / "killed"
    killed.mkdir()
    for suffix in ("", "-wal", "-shm"):
        shutil.copy(f"{path}{suffix}", killed)
    journal.close()
    for place, beside in ((tmp_path, 0), (killed, 2)):
        before = {file.name: file.read_bytes() for file in place.glob("journal.*")}
        assert len(before) == 1 + beside
        with Reader(place / path.name, untouched=True) as reader:
            assert len(reader.unclosed()) == 1
        assert {file.name: file.read_bytes() for file in place.glob("journal.*")} == before


def test_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    open_journal(path).close()
    with open_sqlite(path) as other:
        other.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}")
    before = path.read_bytes()
    with pytest.raises(JournalUnusable, match="schema"):
        open_journal(path)
    assert path.read_bytes() == before
    with pytest.raises(JournalUnusable, match=r"schema.*; use the newer b1000") as refused:
        Reader(path)
    with open_sqlite(path) as other:
        other.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS) - 1}")
    with pytest.raises(JournalUnusable, match=r"schema.*; the next b1000 that runs jobs brings it"):
        Reader(path)
    # As long as what was raised is kept, nothing that it names is collected.
    assert refused.tb
    assert open_files(tmp_path) == []


def open_files(directory: Path) -> list[str]:
    """Which files below a directory this process has open."""
    targets = [link.path for link in os.scandir("/proc/self/fd")]
    return [path for path in map(os.path.realpath, targets) if path.startswith(str(directory))]


def test_a_migration_that_fails_leaves_the_journal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.sqlite3"
    open_journal(path).close()
    broken = (*schema.MIGRATIONS, "CREATE TABLE extra (a); CREATE TABLE extra (b);")
    monkeypatch.setattr(schema, "MIGRATIONS", broken)
    with pytest.raises(JournalUnusable):
        open_journal(path)
    with open_sqlite(path) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (len(broken) - 1,)
        assert other.execute(
            "SELECT count(*) FROM sqlite_master WHERE name = 'extra'"
        ).fetchone() == (0,)


def test_a_journal_in_a_place_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalUnusable, match="cannot be opened"):
        open_journal(tmp_path / "file" / "journal")


def test_a_full_disk_is_a_failure_that_passes(journal: Journal, reader: Reader) -> None:
    run = build.begin(journal)
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages}")

    def many() -> None:
        for number in range(200):
            with journal.transaction():
                journal.begin_run(
                    f"job{number}",
                    "",
                    "h",
                    direction="push",
                    kind="full",
                    reports=(),
                    supervisor=myself(),
                )

    with pytest.raises(JournalFailed, match="full"):
        many()
    journal._db.execute("PRAGMA max_page_count = 100000")
    build.done(journal, run)
    assert next(each for each in reader.last_runs() if each.job == "etc").step is Step.DONE


_READ_WITHOUT_SPACE = """
import resource, sys
from pathlib import Path
from b1000.state.queries import Reader

resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # no file can grow, as on a full disk
with Reader(Path(sys.argv[1])) as reader:
    print(len(reader.last_runs()))
"""


def test_a_journal_at_rest_is_read_on_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    journal = open_journal(path)
    build.begin(journal)

    def read() -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", _READ_WITHOUT_SPACE, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    # As it is after a power cut: something is missing from the file itself.
    killed = tmp_path / "killed"
    killed.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", killed)
    journal.close()
    assert read().stdout == "1\n"
    path = killed / path.name
    assert "cannot be read: disk I/O error; see the space on its disk" in read().stderr


# --- history


@pytest.fixture
def forget(journal: Journal, clock: Clock) -> Callable[[], list[int]]:
    def prune() -> list[int]:
        with journal.transaction():
            journal._db.execute("DELETE FROM pending")
        clock.now += 500 * DAY
        journal.prune(400)
        return [row[0] for row in journal._db.execute("SELECT run_id FROM runs ORDER BY 1")]

    return prune


def test_history_is_forgotten_but_not_the_last_complete_copies(
    journal: Journal, forget: Callable[[], list[int]]
) -> None:
    old, tele, last = (build.begin(journal) for _ in range(3))
    build.done(journal, old, "store")
    build.done(journal, tele, "tele")
    build.done(journal, last, "store")
    assert forget() == [tele.run_id, last.run_id]


def test_history_keeps_what_can_be_retried_and_what_is_not_over(
    journal: Journal, forget: Callable[[], list[int]]
) -> None:
    retried = build.begin(journal)
    build.failed_at_copying(journal, retried, own_dump=True)
    live = build.begin(journal)
    superseded = build.begin(journal)
    build.failed_at_copying(journal, superseded)
    last = build.begin(journal)
    build.done(journal, last)
    assert forget() == [retried.run_id, live.run_id, last.run_id]


def test_history_keeps_what_is_owed(journal: Journal, clock: Clock) -> None:
    for _ in range(2):
        build.done(journal, build.begin(journal))
    clock.now += 500 * DAY
    assert journal.prune(400) == 0
    with journal.transaction():
        journal._db.execute("DELETE FROM pending")
    assert journal.prune(400) == 1


def test_another_boot_is_another_process() -> None:
    me = myself()
    assert is_alive(me)
    assert not is_alive(ProcessIdentity(me.pid, "another boot", me.ticks))
    assert not is_alive(ProcessIdentity(me.pid, me.boot, me.ticks + 1))


def test_damage_anywhere_in_the_file_is_noticed_when_it_is_opened(tmp_path: Path) -> None:
    """Whichever page is hit: set aside or not, the journal that is open afterwards works."""
    whole = tmp_path / "whole"
    first = open_journal(whole)
    for number in range(20):
        build.done(first, build.begin(first, f"job{number}"))
    first.close()
    raw = whole.read_bytes()
    pages = len(raw) // 4096
    aside = 0
    for page in range(pages):
        path = tmp_path / f"page{page}" / "journal.sqlite3"
        path.parent.mkdir()
        path.write_bytes(raw[: page * 4096] + os.urandom(4096) + raw[(page + 1) * 4096 :])
        opened = open_journal(path)
        build.done(opened, build.begin(opened))
        opened.close()
        aside += len(list(path.parent.glob("*.corrupt-*")))
    assert aside >= pages - 2  # a page that is free may be hit without harm


def test_a_reader_waits_for_a_journal_that_is_being_made(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    path.touch()
    maker = Timer(0.3, lambda: open_journal(path).close())
    maker.start()
    with Reader(path) as reader:
        assert reader.last_runs() == []
    maker.join()


def test_a_journal_without_true_beginnings_gets_those_that_its_transitions_tell(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.sqlite3"
    older = schema.MIGRATIONS[: schema.MIGRATIONS.index(schema._TRUE_BEGINNING)]
    with monkeypatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", older)
        with open_sqlite(path) as database:
            migrations.migrate(database)
            database.execute(
                """INSERT INTO runs (run_id, uid, job, instance, file_stem, host, direction, type,
                       started, start_time, supervisor_pid, supervisor_boot, supervisor_ticks,
                       step, status, reports)
                   VALUES (1, 'u', 'etc', '', 'etc-', 'h', 'push', 'full', 105, 'T', 1, '', 1,
                       'INIT', 'OK', '[]')"""
            )
            database.execute("INSERT INTO transitions VALUES (1, 1, 100.5, '', 'INIT', 'OK', '')")
    open_journal(path, clock).close()
    with Reader(path) as reader:
        run = reader.run(1)
    assert run
    assert (run.began, run.started) == (100.5, 105)


def test_an_older_journal_keeps_what_is_pending_and_what_was_skipped(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.sqlite3"
    older = schema.MIGRATIONS[: schema.MIGRATIONS.index(schema._PLAIN_WORDS)]
    with monkeypatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", older)
        with open_sqlite(path) as database:
            migrations.migrate(database)
            database.execute(
                """INSERT INTO runs (run_id, uid, job, instance, file_stem, host, direction, type,
                       started, start_time, supervisor_pid, supervisor_boot, supervisor_ticks,
                       step, status, reports, last_transition)
                   VALUES (1, 'u', 'etc', '', 'etc-', 'h', 'push', 'full', 105,
                       '2026-01-02-03-04-05', 1, '', 1, 'INIT', 'OK', '["main"]', 7)"""
            )
            database.execute("INSERT INTO transitions VALUES (7, 1, 100.5, '', 'INIT', 'OK', '')")
            database.execute("INSERT INTO owed VALUES ('main', 1, 7, 100.5)")
            database.execute("INSERT INTO left_out VALUES ('etc', '', 200, 'run 1')")
    open_journal(path, clock).close()
    with Reader(path) as reader:
        assert [each.transition_id for each in reader.pending("main")] == [7]
        assert [tuple(each) for each in reader.skipped()] == [("etc", "", 200, "run 1")]
    with open_sqlite(path) as database, open_sqlite(tmp_path / "new") as new:
        migrations.migrate(new)
        made = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
        assert database.execute(made).fetchall() == new.execute(made).fetchall()


# --- directories that no attempt has finished


def test_a_directory_is_unsettled_from_the_beginning_of_an_attempt(
    journal: Journal, reader: Reader
) -> None:
    """Whichever run's it is, until one has ended well; a crash leaves it so."""
    run = build.begin(journal, kind="sync")
    build.resolve(journal, run, "store")
    path = f"/store/{run.start_time}"

    def record(*messages: Message) -> dict[str, Unsettled]:
        with journal.transaction():
            for message in messages:
                build.record(journal, run, message)
        return reader.unsettled()

    assert record(AttemptBegan(5.0, "store", 1)) == {
        path: Unsettled(5.0, "ended in an unknown way")
    }
    refused = AttemptEnded(6.0, "store", 1, 10, "refused", 7.0)
    assert record(refused) == {}
    record(AttemptBegan(7.0, "store", 2))
    signalled = Unsettled(7.0, "was ended by SIGTERM")
    ended = AttemptEnded(8.0, "store", 2, -15, "killed", 9.0, signalled)
    assert record(ended) == {path: signalled}
    assert record(AttemptBegan(9.0, "store", 3, signalled.doubt)) == {path: signalled}
    assert [each.doubt for each in reader.attempts(run.run_id)] == ["", "", signalled.doubt]
    died = Died(10.0, "interrupted", Ending.INTERRUPTED)
    assert record(died)[path].doubt == "ended in an unknown way: interrupted"


def test_what_an_older_program_wrote_of_a_directory_is_found_and_ends(
    journal: Journal, reader: Reader
) -> None:
    """It had the path as the configuration had it then."""
    run = build.begin(journal, kind="sync")
    build.resolve(journal, run, "store")
    with journal.transaction():
        journal._db.execute("UPDATE copies SET path = 'rsync://Backup-1/b1000/etc/client'")
        for path in (
            "rsync://u@backup-1:873/b1000/etc/client",
            "rsync://backup-1/b1000//etc/client",
        ):
            journal._db.execute(
                "INSERT INTO unsettled (path, since, doubt) VALUES (?, 1, 'x')", (path,)
            )
    place = "rsync://backup-1/b1000/etc/client"
    assert reader.unsettled() == {place: Unsettled(1.0, "x")}
    for message in (AttemptBegan(5.0, "store", 1), AttemptEnded(6.0, "store", 1, 0, "", None)):
        with journal.transaction():
            build.record(journal, run, message)
    assert reader.unsettled() == {}


def test_what_is_unsettled_is_no_base_and_outlives_its_run(
    journal: Journal, reader: Reader
) -> None:
    job = Job("etc", "push", "full", (), (), {"store": Destination("store", link_dest=True)})
    run = build.begin(journal)
    build.done(journal, run)
    with journal.transaction():
        journal._db.execute("UPDATE copies SET files = 3")
    assert [base.path for base in reader.bases(job, "").known] == [f"/store/{run.start_time}"]
    with journal.transaction():
        journal._db.execute(
            "INSERT INTO unsettled (path, since, doubt) SELECT path, 1, 'x' FROM copies"
        )
    assert reader.bases(job, "").known == ()
    build.done(journal, build.begin(journal))
    with journal.transaction():
        journal._db.execute("UPDATE runs SET started = 1")
        journal._db.execute("DELETE FROM pending")
    journal.prune(1)
    assert reader.run(run.run_id) is None
    assert len(reader.unsettled()) == 1


def test_an_older_journal_knows_what_signals_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier program left, and believed."""
    ended = [(0, ""), (10, "refused"), (20, "told to end"), (-9, "killed"),
             (None, "it stood still and was ended"), (None, "nothing at the source")]  # fmt: skip
    every = schema.MIGRATIONS
    first = next(number for number, each in enumerate(every) if "TABLE unsettled" in each)
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        monkeypatch.setattr(schema, "MIGRATIONS", every[:first])
        migrations.migrate(database)
        for number, (code, reason) in enumerate(ended, start=1):
            database.execute(
                """INSERT INTO runs (run_id, uid, job, instance, file_stem, host, direction, type,
                       started, start_time, supervisor_pid, supervisor_boot, supervisor_ticks, step,
                       status, reports)
                   VALUES (?1, ?1, 'j', '', 'j', 'h', 'push', 'sync', 1, ?1, 1, '', 1, 'DONE', 'OK',
                       '[]')""",
                (number,),
            )
            database.execute(
                """INSERT INTO copies (run_id, destination, position, background, type, path,
                       status)
                   VALUES (?1, 'd', 0, 0, 'active', '/' || ?1, 'DONE')""",
                (number,),
            )
            database.execute(
                "INSERT INTO attempts VALUES (?, 'd', 1, 5, 6, ?, ?, NULL)", (number, code, reason)
            )
        monkeypatch.setattr(schema, "MIGRATIONS", every)
        migrations.migrate(database)
        known = database.execute("SELECT path, since FROM unsettled ORDER BY path").fetchall()
    assert known == [("/3", 5), ("/4", 5), ("/5", 5)]
