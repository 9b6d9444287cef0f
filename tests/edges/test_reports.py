"""Report files and status files: projections that follow the journal."""

import configparser
import contextlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from b1000.jobs import Report
from b1000.locks import Locks
from b1000.reports.reporter import Reporter
from b1000.runs.protocol import Deliver
from b1000.runs.run import Run
from b1000.state.journal import Journal
from b1000.state.opening import open_journal
from b1000.state.queries import Reader
from b1000.wire import pair
from tests.support import build
from tests.support.world import World


@pytest.fixture
def ready(world: World) -> World:
    world.files()
    world.write({"dest:store": world.store(), "job:etc": world.push()})
    return world


def read(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(path.read_text())
    return parser


def test_a_report_file_holds_run_and_copies(world: World) -> None:
    world.files()
    world.write(
        {
            "dest:store": world.store(),
            "job:db": world.push(
                instances="3306", master_host="db1", master_instance="main", data_age="12"
            ),
        }
    )
    assert world.b1000().returncode == 0
    (name,) = world.report_files()
    assert re.fullmatch(r"db-3306-\d{4}(-\d\d){5}\.b1k", name)
    report = read(world.reports / name)
    assert report.sections() == ["jobstatus:db", "dest:store"]
    run = dict(report["jobstatus:db"])
    start = run.pop("start_time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", start)
    assert name == f"db-3306-{start.replace(' ', '-').replace(':', '-')}.b1k"
    assert run == {
        "host": "client",
        "name": "db",
        "instance": "3306",
        "master_host": "db1",
        "master_instance": "main",
        "direction": "push",
        "step": "DONE",
        "status": "OK",
        "data_age": "12",
    }
    copy = dict(report["dest:store"])
    assert copy["type"] == "active"
    assert copy["status"] == "DONE"
    assert copy["path"] == world.last("db", "3306")["copies"][0]["path"]
    assert (world.reports / name).stat().st_mode & 0o777 == 0o644
    assert world.reports.stat().st_mode & 0o777 == 0o755


def test_the_report_shows_the_step_at_which_the_run_is(world: World) -> None:
    """A script of the run reads the report of its own run: it is written while the run goes on."""
    world.files()
    look = world.root / "look.sh"
    look.write_text(
        f"#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8 9 10; do "
        f"grep -h ^step {world.reports}/*.b1k > {world.root}/$1; "
        f'grep -q "$1" {world.root}/$1 && exit 0; sleep 0.1; done; exit 1\n'
    )
    look.chmod(0o755)
    world.write(
        {
            "dest:store": world.store(),
            "job:etc": world.push(pre=f"{look} PRE", post=f"{look} POST"),
        }
    )
    assert world.b1000().returncode == 0
    assert (world.root / "PRE").read_text() == "step = PRE\n"
    assert (world.root / "POST").read_text() == "step = POST\n"


def test_old_files_of_finished_runs_go(ready: World) -> None:
    ready.write({"report:main": {"keep": 2}, "dest:store": ready.store(), "job:etc": ready.push()})
    other = ready.reports / "etc-other-2026-01-01-00-00-00.b1k"
    ready.reports.mkdir()
    other.write_text("somebody else's")
    for _ in range(4):
        assert ready.b1000().returncode == 0
    assert len([name for name in ready.report_files() if name.startswith("etc--")]) == 2
    assert other.exists()


def test_files_of_runs_that_can_be_retried_stay(world: World) -> None:
    world.files()
    down = {"type": "active", "path": "rsync://127.0.0.1:9/x"}
    own = {
        "pre": f"cp -r {world.source} {world.root}/d-$start_time",
        "include": f"{world.root}/d-$start_time/",
    }
    world.write(
        {
            "report:main": {"keep": 1},
            "dest:down": down,
            "dest:store": world.store(),
            "job:etc": world.push(dest="down", **own),
        }
    )
    world.b1000()
    (failed,) = world.report_files()
    world.write(
        {
            "report:main": {"keep": 1},
            "dest:store": world.store(),
            "job:etc": world.push(**own),
        }
    )
    for _ in range(3):
        assert world.b1000().returncode == 0
    assert failed in world.report_files()
    assert len(world.report_files()) == 2


def test_how_an_old_run_has_ended_is_told_until_the_next_one_has(world: World) -> None:
    """--copy goes on with a run that others have followed."""
    world.files()
    ready = world.root / "d-$start_time"
    world.write(
        {
            "report:main": {"keep": 1},
            "dest:store": world.store(),
            "job:etc": world.push(
                pre=f"cp -r {world.source} {ready}",
                include=f"{ready}/",
            ),
        }
    )
    place = world.root / "store"
    place.write_text("in the way")
    assert world.b1000().returncode == 1
    (old,) = world.report_files()
    place.unlink()
    for _ in range(2):
        assert world.b1000().returncode == 0
        assert set(world.report_files()) == {old, f"etc--{last_start(world)}.b1k"}
    done = world.b1000("--copy")
    assert done.returncode == 0, done.stdout
    assert read(world.reports / old)["jobstatus:etc"]["step"] == "DONE"
    assert world.b1000().returncode == 0
    assert world.report_files() == [f"etc--{last_start(world)}.b1k"]


def last_start(world: World) -> str:
    with Reader(world.status_dir / "journal.sqlite3") as reader:
        run = reader.last_run("etc", "")
        assert run
        return run.start_time


def test_a_report_that_cannot_be_written_fails_no_backup_and_comes_later(ready: World) -> None:
    ready.reports.write_text("a file where the directory should be")
    ready.write(
        {
            "global": {"report_wait_end": 1},
            "dest:store": ready.store(),
            "job:etc": ready.push(),
        }
    )
    done = ready.b1000()
    assert done.returncode == 0
    assert "report main" in done.stdout
    (run,) = ready.status()
    assert run["status"] == "OK"
    ready.reports.unlink()
    assert ready.b1000().returncode == 0
    assert len(ready.report_files()) == 2
    for name in ready.report_files():
        assert "step = DONE" in (ready.reports / name).read_text()
    with ready.journal() as journal:
        assert journal.execute("SELECT count(*) FROM pending").fetchone() == (0,)


class Busy:
    """A report during each delivery of which another run begins."""

    settle, linger = 0.0, 0.0

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.told: list[list[int]] = []

    def deliver(self, runs: Sequence[Run]) -> tuple[set[int], Exception | None]:
        """Note the runs."""
        self.told.append([run.run_id for run in runs])
        if len(self.told) < 10:
            build.begin(self._journal, "etc", f"i{len(self.told)}")
        return {run.run_id for run in runs}, None

    def close(self) -> None:
        """Nothing is open."""


def test_what_comes_during_a_delivery_is_gathered_for_the_next(tmp_path: Path) -> None:
    """Not one delivery for each state of many runs: they are told together."""
    path = tmp_path / "journal.sqlite3"
    ours, theirs = pair()
    with contextlib.closing(open_journal(path)) as journal, ours, theirs:
        build.begin(journal)
        settings = Report("main", "file", str(tmp_path / "reports"))
        reporter = Reporter(settings, path, Locks(tmp_path), theirs)
        busy = Busy(journal)
        reporter._target = busy
        for _ in range(2):
            ours.send(Deliver(last=True))
            reporter.run()
        assert busy.told == [[1], [2]]


def test_a_planted_link_is_not_followed(ready: World) -> None:
    """The report directory may be writable for others: nothing outside of it is written."""
    victim = ready.root / "victim"
    victim.write_text("precious")
    ready.b1000()
    (name,) = ready.report_files()
    (ready.reports / name).unlink()
    (ready.reports / name).symlink_to(victim)
    with ready.journal() as journal:
        journal.execute("INSERT INTO pending SELECT 'main', run_id, last_transition, 0 FROM runs")
    assert ready.b1000().returncode == 0
    assert victim.read_text() == "precious"
    assert not (ready.reports / name).is_symlink()


def test_a_status_file_says_what_failed_and_how_to_retry(ready: World) -> None:
    ready.write(
        {
            "dest:down": {"type": "active", "path": "rsync://127.0.0.1:9/x"},
            "dest:store": ready.store(),
            "job:db": ready.push(instances="3306", dest="down store"),
        }
    )
    ready.b1000()
    (name,) = ready.status_files()
    assert re.fullmatch(r"client-db-3306-\d{4}(-\d\d){5}\.json", name)
    path = ready.status_dir / name
    assert path.stat().st_mode & 0o777 == 0o600
    assert ready.status_dir.stat().st_mode & 0o777 == 0o700
    told = json.loads(path.read_text())
    assert told["job"] == "db"
    assert told["instance"] == "3306"
    assert told["step"] == "COPYING"
    assert "connection refused" in told["error"]
    assert told["since"]
    assert [copy["status"] for copy in told["copies"]] == ["FAILED", "DONE"]
    assert told["retry"] == f"b1000 -f {ready.config} --copy db/3306"


def test_status_files_are_computed_again_from_the_journal(ready: World) -> None:
    ready.write(
        {
            "dest:down": {"type": "active", "path": "rsync://127.0.0.1:9/x"},
            "dest:store": ready.store(),
            "job:bad": ready.push(dest="down"),
            "job:good": ready.push(),
        }
    )
    ready.b1000()
    (name,) = ready.status_files()
    text = (ready.status_dir / name).read_text()
    (ready.status_dir / name).unlink()
    stale = ready.status_dir / "client-bad--2020-01-01-00-00-00.json"
    stale.write_text("{}")
    foreign = ready.status_dir / "notes.json"
    foreign.write_text("{}")
    assert ready.b1000("good").returncode == 0
    assert (ready.status_dir / name).read_text() == text
    assert not stale.exists()
    assert foreign.exists()


def test_a_status_directory_that_cannot_be_written_fails_no_backup(ready: World) -> None:
    if os.getuid() != 0:
        pytest.skip("needs another file system owner")
    ready.write(
        {
            "global": {"journal": ready.root / "j" / "journal.sqlite3", "status_dir": "/proc/no"},
            "dest:store": ready.store(),
            "job:etc": ready.push(),
        }
    )
    done = ready.b1000()
    assert done.returncode == 0
    assert "status files in /proc/no cannot be written" in done.stdout
