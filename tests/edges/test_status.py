"""What status reads from the journal, who may read it, and how the answer is shown."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from b1000.config.loader import load
from b1000.config.selectors import Selector
from b1000.identity import myself
from b1000.progress_files import Progress, directory_of, path_of, write
from b1000.runs.events import AttemptBegan, AttemptEnded, RunMoved
from b1000.runs.protocol import Delivered
from b1000.runs.states import CopyStatus, Status, Step
from b1000.state.journal import Journal
from b1000.state.opening import open_journal
from b1000.state.queries import Reader
from b1000.status import sheet, tables, timeline
from b1000.status.bars import UnderWay, bars
from b1000.status.overview import Overview, collect, story_of
from b1000.status.programs import as_json
from b1000.status.question import StatusQuestion
from b1000.status.row import StatusRow
from b1000.supervise.recorder import Recorder
from b1000.terminal.screen import Screen
from tests.support import build
from tests.support.world import ROOT, World, open_sqlite

NOW = 1_800_000_000.0


@pytest.fixture
def journal(world: World) -> Iterator[Journal]:
    """The journal of a world with two jobs."""
    world.write({"dest:store": world.store(), "job:etc": world.push(), "job:db": world.push()})
    path = world.status_dir / "journal.sqlite3"
    with contextlib.closing(open_journal(path, lambda: NOW)) as opened:
        yield opened


def overview(world: World, question: StatusQuestion = StatusQuestion()) -> Overview:  # noqa: B008
    """What status knows."""
    return collect(load(str(world.config)), question, clock=lambda: NOW + 60)


def of_etc(world: World) -> StatusRow:
    """The row of that job."""
    (row,) = (each for each in overview(world).rows if each.job == "etc")
    return row


# --- what is owed


def test_why_a_report_is_behind_is_known_until_all_has_arrived(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    recorder = Recorder(path, lambda: NOW, lambda: False)
    with recorder.transaction() as journal:
        run = journal.begin_run(
            "etc",
            "",
            "client",
            direction="push",
            kind="full",
            reports=("main",),
            supervisor=myself(),
        )

    def pending() -> list[tuple[str, int, float, str]]:
        with Reader(path) as reader:
            return [tuple(debt) for debt in reader.backlogs()]  # type: ignore[misc]

    assert pending() == [("main", 1, NOW, "")]
    for trouble in ("access denied", "access denied", "connection refused"):
        recorder.write([], [Delivered("main", (), trouble)])
        assert pending() == [("main", 1, NOW, trouble)]
    # What was owed meanwhile is no success yet; that all has arrived is.
    recorder.write([], [Delivered("main", ((run.run_id, 0),))])
    assert pending() == [("main", 1, NOW, "connection refused")]
    recorder.close()
    # Another program knows of the trouble too.
    recorder = Recorder(path, lambda: NOW, lambda: False)
    recorder.write([], [Delivered("main", ((run.run_id, 10),)), Delivered("main", ())])
    assert pending() == []
    recorder.close()
    with open_sqlite(path) as database:
        assert database.execute("SELECT count(*) FROM report_troubles").fetchone() == (0,)


def test_that_all_is_well_costs_no_commit(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "journal.sqlite3", lambda: NOW, lambda: False)
    assert recorder.write([], [Delivered("main", ())]) is False
    recorder.close()


# --- what was left out


def test_what_was_left_out_is_known_until_it_runs_again(world: World, journal: Journal) -> None:
    run = build.begin(journal, "etc")
    with journal.transaction():
        journal.record_skip("etc", "", "run 1 of yesterday")
        journal.record_skip("etc", "", f"run {run.run_id} of today")
        journal.record_skip("gone", "x", "run 2")
    found = overview(world)
    assert [each.behind for each in found.skipped] == ["run 1 of today"]
    text = tables.notes(found, NOW + 60)
    assert ": etc; run 1 of today is still running\n" in text
    assert text.endswith("\n2: 1 running, 1 never ran")
    build.done(journal, run)
    assert overview(world).skipped == []
    journal.close()


# --- what is retried unseen


def test_what_copy_goes_on_with_is_told_although_no_row_shows_it(
    world: World, journal: Journal
) -> None:
    for job, instance in (("db", ""), ("gone", ""), ("gone", "x"), ("etc", "vanished")):
        build.failed_at_copying(journal, build.begin(journal, job, instance))
    own = build.begin(journal, "etc")
    build.failed_at_copying(journal, own, own_dump=True)
    build.failed_at_copying(journal, build.begin(journal, "etc"))  # superseded by the next
    build.done(journal, build.begin(journal, "etc"))
    cases: list[tuple[StatusQuestion, list[tuple[str, str]]]] = [
        (StatusQuestion(), [("etc", ""), ("etc", "vanished"), ("gone", "x"), ("gone", "")]),
        (StatusQuestion(everything=True), [("etc", "")]),
        (
            StatusQuestion(failed=True),
            [("etc", ""), ("etc", "vanished"), ("gone", "x"), ("gone", "")],
        ),
        (StatusQuestion(everything=True, last=3), []),
        (StatusQuestion((Selector("etc"),)), [("etc", ""), ("etc", "vanished")]),
        (StatusQuestion((Selector("etc", ""),)), [("etc", "")]),
        (StatusQuestion((Selector("db"),)), []),
    ]
    for question, expected in cases:
        found = overview(world, question)
        assert [(each.job, each.instance) for each in found.unseen] == expected, question
        assert all(each.resumable for each in found.unseen)
        assert len(json.loads(as_json(found))["runs"]) == len(found.rows)


def test_many_of_them_are_counted(world: World, journal: Journal) -> None:
    for number in range(7):
        build.failed_at_copying(journal, build.begin(journal, "gone", f"i{number}"))
    *told, rest, pending, counts = tables.notes(overview(world), NOW + 60).splitlines()
    assert pending.startswith("report main: 7 updates pending")
    assert [line.split(",")[0] for line in told] == [
        f"not in the table: gone/i{number}" for number in (6, 5, 4, 3, 2)
    ]
    assert rest == (
        f"not in the table: 2 more such runs; b1000 -n --copy -f {world.config} names them, "
        f"b1000 --copy -f {world.config} retries all"
    )
    assert counts == "2: 2 never ran"
    # They come first of what is said below brief rows, of which there is room for three lines.
    text = sheet.shown(overview(world), Screen(1, 60, 4), NOW + 60, fold=True)
    assert "and 4 more that are pending, skipped or to be retried" in text


# --- what a run waits for


def test_a_run_says_for_what_it_waits(world: World, journal: Journal) -> None:
    run = build.begin(journal, "etc")
    build.resolve(journal, run, "store", "spare", "third")
    assert "a slot" in of_etc(world).waits[0]
    build.move(journal, run, Step.COPYING)
    for name in ("store", "spare", "third"):
        build.copy(journal, run, name, CopyStatus.COPYING)
    assert of_etc(world).waits == ()
    with journal.transaction():
        for message in (
            AttemptBegan(NOW, "store", 1),
            AttemptEnded(NOW + 1, "store", 1, 10, "connection refused", NOW + 100),
            AttemptBegan(NOW, "spare", 1),
        ):
            build.record(journal, run, message)
    directory = directory_of(world.status_dir / "journal.sqlite3")
    write(path_of(directory, run.run_id, "spare"), Progress(2**20, 45, 1000.0, 75.0))
    write(path_of(directory, run.run_id, "third"), Progress(waiting="third has its limit of 1"))
    row = of_etc(world)
    assert row.waits == (
        "store: attempt 2 in 40 s; attempt 1 failed: connection refused",
        "third: third has its limit of 1",
    )
    assert row.progress == {"spare": Progress(2**20, 45, 1000.0, 75.0)}
    text = tables.plain(Overview([row]), NOW + 60)
    assert "spare:COPYING,45%" in text
    assert "1.0MiB" in text
    assert "waits for store: attempt 2 in 40 s" in text
    (shown,) = json.loads(as_json(Overview([row])))["runs"]
    figured = ("bytes", "files", "percent", "rate", "eta")
    assert [tuple(copy[name] for name in figured) for copy in shown["copies"]] == [
        (None,) * 5,
        (2**20, None, 45, 1000.0, 75.0),
        (None,) * 5,
    ]
    assert shown["live"] is True
    assert shown["waiting"] == "; ".join(row.waits)
    # A run that is over waits for nothing, whatever file is left.
    with journal.transaction():
        build.record(journal, run, RunMoved(NOW, Step.COPYING, Status.FAILED, "no"))
    assert of_etc(world).waits == ()
    assert of_etc(world).progress == {}
    journal.close()


# --- forms


def test_everything_fits_eighty_columns_on_a_terminal(world: World, journal: Journal) -> None:
    long = "a-job-with-a-name-that-is-longer-than-any-column"
    names = ("etc", "db", long)
    world.write({"dest:store": world.store(), **{f"job:{name}": world.push() for name in names}})
    for name in names:
        run = build.begin(journal, name, reports=("main",))
        build.resolve(journal, run, *(f"destination{number}" for number in range(8)))
        build.move(journal, run, Step.COPYING)
        build.copy(journal, run, "destination0", CopyStatus.COPYING)
        with journal.transaction():
            error = "destination0: no space left " * 8 + "x" * 100
            build.record(journal, run, RunMoved(NOW + 9, Step.COPYING, Status.FAILED, error))
            journal.record_skip(name, "", "run 7 " * 20)
            journal.record_trouble("main", "access denied " * 10)
    found = overview(world)
    for width in (40, 60, 79, 80, 120, 300):
        text = sheet.shown(found, Screen(1, width), NOW)
        assert max(map(len, text.splitlines())) <= width
        assert long in text or width < len(long)
        assert ("JOB" in text) == (width >= 80)
        assert text.splitlines()[-1] == "3: 3 FAILED"
        assert "\x1b" not in text
    assert "\x1b[" in sheet.shown(found, Screen(1, 80, styled=True), NOW)
    row, story, _ = story_of(load(str(world.config)), 1)
    text = timeline.shown(row, story, Screen(1, 80), NOW)
    assert max(map(len, text.splitlines())) <= 80
    assert "x" * 100 in re.sub(r"\s", "", text).rpartition("COPYINGFAILED")[2]
    # In a pipe each run has one line, and each event.
    lines = tables.plain(found, NOW).splitlines()
    assert len(lines) == 1 + 3
    assert {len(re.split(r"\s{2,}", line)) for line in lines} == {9}
    assert {len(line.split(None, 8)) for line in lines} == {9}
    assert len(tables.notes(found, NOW).splitlines()) == 3 + 1 + 1
    assert lines[0].split() == [
        *("JOB", "RUN", "STARTED", "STEP", "STATUS", "DURATION", "SIZE", "COPIES", "WHY")
    ]
    journal.close()


def many(world: World, journal: Journal, ok: int) -> Overview:
    """Jobs that fare in all ways, of which so many are OK; one never ran."""
    names = [f"ok{number}" for number in range(1, ok + 1)]
    jobs = [*names, "bad2", "bad10", "warned", "live", "never"]
    world.write({"dest:store": world.store(), **{f"job:{name}": world.push() for name in jobs}})
    for name in jobs[:-1]:
        run = build.begin(journal, name, reports=())
        build.resolve(journal, run, "store")
        build.move(journal, run, Step.COPYING)
        if name == "live":
            continue
        build.copy(journal, run, "store", CopyStatus.COPYING)
        build.copy(journal, run, "store", CopyStatus.DONE)
        status = {"bad": Status.FAILED, "war": Status.WARNING}.get(name[:3], Status.OK)
        step = Step.COPYING if status is Status.FAILED else Step.DONE
        if step is Step.DONE:
            build.move(journal, run, Step.POST)
        with journal.transaction():
            build.record(journal, run, RunMoved(NOW + 9, step, status, "why" if status else ""))
    return overview(world)


def test_what_is_wrong_comes_first_then_what_runs(world: World, journal: Journal) -> None:
    found = many(world, journal, 11)
    rest = ["never", *(f"ok{number}" for number in range(1, 12))]
    assert [row.job for row in found.rows] == ["bad2", "bad10", "warned", "live", *rest]
    count = "16: 2 FAILED, 1 WARNING, 1 running, 11 OK, 1 never ran"
    assert tables.notes(found, NOW) == count
    assert sheet.shown(found, Screen(1), NOW).splitlines()[-1] == count
    journal.close()


def test_what_is_ok_is_folded_where_all_would_not_fit(world: World, journal: Journal) -> None:
    found = many(world, journal, 30)

    def jobs(text: str) -> set[str]:
        return {line.split()[0] for line in text.splitlines() if line[:1].isalpha()} - {"JOB"}

    count = "35: 2 FAILED, 1 WARNING, 1 running, 30 OK, 1 never ran"
    folded = sheet.shown(found, Screen(1, 120, 24), NOW, fold=True)
    assert jobs(folded) == {"bad2", "bad10", "warned", "live", "never"}
    assert folded.splitlines()[-1] == f"{count} (--all shows them)"
    for text in (
        sheet.shown(found, Screen(1, 120, 24), NOW),
        sheet.shown(found, Screen(1, 120, 80), NOW, fold=True),
    ):
        assert len(jobs(text)) == 35
        assert text.splitlines()[-1] == count
    journal.close()


def test_reasons_have_the_room_that_there_is(world: World, journal: Journal) -> None:
    found = many(world, journal, 30)
    long = "a-very-long-name-of-a-job." * 2
    rows = [row._replace(job=long) if row.job == "bad10" else row for row in found.rows]
    found = found._replace(rows=rows)
    # Of what is wrong a line says why, where all has no room for more.
    lines = sheet.shown(found, Screen(1, 80, 12), NOW, fold=True).splitlines()
    assert lines[:4] == ["bad2    FAILED", "    why", f"{long}  FAILED", "    why"]
    # One long name takes the room of its own reason alone.
    lines = sheet.shown(found, Screen(1, 80, 8), NOW, fold=True).splitlines()
    assert lines[:2] == ["bad2    FAILED   why", f"{long}  FAILED   why"]
    assert lines[2].startswith("warned  WARNING  ")
    journal.close()


def test_control_characters_never_reach_a_terminal(world: World, journal: Journal) -> None:
    run = build.begin(journal, "etc")
    with journal.transaction():
        failed = RunMoved(NOW, Step.INIT, Status.FAILED, "bad\x1b[2J\nworse")
        build.record(journal, run, failed)
        journal.record_skip("etc", "", "\x1b[2J")
        journal.record_trouble("main", "\x1b[2J")
    config = load(str(world.config))
    row, story, _ = story_of(config, run.run_id)
    for text in (
        tables.plain(overview(world), NOW) + tables.notes(overview(world), NOW),
        sheet.shown(overview(world), Screen(1), NOW),
        timeline.plain(row, story, NOW),
        timeline.shown(row, story, Screen(1), NOW),
    ):
        assert "\x1b" not in text
        assert "bad\\x1b[2J\\nworse" in text
    journal.close()


# --- who may read

AS_NOBODY = 65534


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("state", ["in use", "at rest", "read by its owner"])
def test_who_may_read_the_journal_needs_no_permission_to_write(
    world: World, journal: Journal, state: str
) -> None:
    build.done(journal, build.begin(journal, "etc"))
    path = world.status_dir / "journal.sqlite3"
    live = state == "in use"
    if state == "read by its owner":
        # What SQLite then leaves beside it has the mode that the journal had.
        journal.close()
        overview(world)
        assert os.path.exists(f"{path}-wal")
    path.chmod(0o644)
    world.status_dir.chmod(0o755)
    journal.close()
    beside = Journal(path, lambda: NOW) if live else None
    asked = (
        "import os, sys; from pathlib import Path; from b1000.state.queries import Reader\n"
        # All of the program and of Python is read by then; it may lie where only root can go.
        "Path('/').as_uri()\n"
        f"os.setgid({AS_NOBODY}); os.setuid({AS_NOBODY}); os.chdir(sys.argv[1])\n"
        "print([run.job for run in Reader(Path('journal.sqlite3')).last_runs()])"
    )
    for parent in (world.status_dir, *world.status_dir.parents):
        if parent.is_relative_to(tempfile.gettempdir()):
            parent.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", asked, world.status_dir],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.stdout == "['etc']\n", done.stderr
    if beside:
        beside.close()


# --- bars


@pytest.mark.parametrize("width", [40, 69, 70, 79, 80, 200])
def test_bars_fit_the_terminal(width: int) -> None:
    copies = [
        UnderWay(label, "store", told)
        for label in ("etc", "a-job-with-a-long-name/an-instance-with-a-long-name", "x" * 200)
        for told in (
            Progress(),
            Progress(1023 * 2**40, 100, 1023 * 2**30, 99 * 3600.0),
            Progress(5, None, 0.0),
            Progress(waiting="another copy writes into " + "/directory" * 20),
        )
    ]
    lines = Screen(1, width).render(bars(copies, width)).splitlines()
    assert len(lines) == len(copies)
    assert max(map(len, lines)) <= width
    # What is shown is whole: a narrow terminal shows less of it, the destination always.
    assert all("store" in line for line in lines)
    assert sum("100%" in line and "99:00:00 left" in line for line in lines) == 3
    assert sum("1023.0 TiB" in line for line in lines) == (3 if width >= 70 else 0)
    assert sum("5 B" in line for line in lines) == 3
    assert sum("listing" in line for line in lines) == 3


def test_bars_are_not_in_the_colour_of_failures() -> None:
    screen = Screen(1, 100, styled=True)
    for percent in (0, 50, 100):
        told = [UnderWay("etc", "store", Progress(5, percent, 1.0, 5.0))]
        text = screen.render(bars(told, 100))
        for code in re.findall(r"\x1b\[([\d;]*)m", text):
            assert not {"31", "91", "35", "95"} & {*code.split(";")}, percent


def test_bars_without_unicode() -> None:
    told = [UnderWay("etc", "store", Progress(5, 50, 1.0, 5.0))]
    assert Screen(1, 80, encoding="latin-1").render(bars(told, 80)).isascii()
