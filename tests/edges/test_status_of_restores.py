"""What status tells of restores: under way, interrupted and failed ones, until all is well."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from b1000.commands.restore_bar import Bar
from b1000.config.loader import load
from b1000.config.selectors import Selector
from b1000.identity import myself
from b1000.progress_files import directory_of, path_of_restore
from b1000.runs.stored import Restore
from b1000.state.journal import Journal
from b1000.state.opening import open_journal
from b1000.state.queries import Reader
from b1000.status import tables
from b1000.status.overview import Overview, collect
from b1000.status.programs import as_json
from b1000.status.question import StatusQuestion
from b1000.status.row import exit_code
from b1000.storage.backup import Backup, GroupKey, Root, State
from b1000.storage.question import StoredRow
from b1000.terminal.screen import Screen
from tests.support.world import World

NOW = 1_800_000_000.0
DEAD = (1, "another boot", 1)
BACKUP = "/srv/one/etc/2026-11-22-Sunday/web1-2026-11-22-Sun-01:00:00"


@pytest.fixture
def journal(world: World) -> Iterator[Journal]:
    world.write({"dest:one": world.store("one")})
    path = world.status_dir / "journal.sqlite3"
    with contextlib.closing(open_journal(path, lambda: NOW)) as opened:
        yield opened


def begun(
    journal: Journal, target: Path, process: tuple[int, str, int] = DEAD, job: str = "etc"
) -> int:
    target.mkdir(exist_ok=True)
    status = target.stat()
    where = (status.st_dev, status.st_ino, str(target), "")
    with journal.transaction():
        return journal.begin_restore(
            Restore(*where, job, "", "web1", "one", BACKUP, "run", NOW - 60, *process)
        )


def ended(journal: Journal, number: int, error: str = "") -> None:
    with journal.transaction():
        journal.end_restore(number, error)


def seen(world: World, *asked: Selector, failed: bool = False) -> Overview:
    question = StatusQuestion(asked, failed=failed)
    return collect(load(str(world.config)), question, clock=lambda: NOW)


def test_each_is_seen_until_a_later_one_is_well(world: World, journal: Journal) -> None:
    to, other = world.root / "to", world.root / "other"
    number = begun(journal, to, myself())
    (live,) = seen(world).rows
    assert (live.direction, live.live, live.status, live.resumable) == (
        "restore",
        True,
        "OK",
        False,
    )
    ended(journal, number, "not restored: connection refused by storage")
    begun(journal, other)
    failed, interrupted = sorted(seen(world).rows, key=lambda row: row.error, reverse=True)
    assert failed.error == "not restored: connection refused by storage"
    assert failed.notes == (f"restore to {to} of {BACKUP}; the same `b1000 restore` resumes it",)
    assert (interrupted.error, interrupted.status) == ("interrupted", "FAILED")
    assert exit_code(seen(world).rows) == 1
    assert len(seen(world, failed=True).rows) == 2
    other.rmdir()
    assert [row.error for row in seen(world).rows] == [failed.error], "nothing is there any more"
    ended(journal, begun(journal, world.root / "third"))
    assert not seen(world).rows
    assert exit_code(seen(world).rows) == 0


def test_one_that_is_well_is_history(world: World, journal: Journal) -> None:
    ended(journal, begun(journal, world.root / "first"), "not restored: no space")
    ended(journal, begun(journal, world.root / "to"))
    assert not seen(world).rows
    question = StatusQuestion((), last=2)
    found = collect(load(str(world.config)), question, clock=lambda: NOW)
    (run,) = json.loads(as_json(found, NOW))["runs"]
    assert (run["direction"], run["status"], run["error"]) == ("restore", "OK", "")
    assert (run["copies"][0]["status"], run["copies"][0]["path"]) == ("DONE", BACKUP)
    assert (run["finished"] is not None, run["live"]) == (True, False)
    assert f"restore to {world.root / 'to'} of {BACKUP}" in tables.plain(found, NOW)
    assert "resumes" not in tables.plain(found, NOW)
    assert exit_code(found.rows) == 0


def test_one_that_is_given_up_is_seen_no_more(world: World, journal: Journal) -> None:
    world.write({"dest:one": world.store("one"), "job:etc": world.push(dest="one")})
    begun(journal, world.root / "to")
    ended(journal, begun(journal, world.root / "other"), "not restored: no space")
    begun(journal, world.root / "elsewhere", job="of-another-host")
    live = begun(journal, world.root / "live", myself())
    assert world.b1000("forget", "of-another-host").returncode == 0
    assert {row.job for row in seen(world).rows if row.run} == {"etc"}
    done = world.b1000("forget", "etc")
    assert done.returncode == 3, done.stderr
    said = done.stdout + done.stderr
    assert f"the restore of etc to {world.root / 'to'} is given up" in said
    assert f"the restore of etc to {world.root / 'live'} is at work; it is not given up" in said
    assert [row.live for row in seen(world).rows if row.run] == [True]
    ended(journal, live)
    assert world.b1000("forget", "etc").returncode == 0
    assert not [row for row in seen(world).rows if row.run]
    assert world.b1000("forget", "never-heard-of").returncode == 2
    status = (world.root / "to").stat()
    with Reader(world.status_dir / "journal.sqlite3") as reader:
        last = reader.last_restore_into(status.st_dev, status.st_ino)
    assert last
    assert (last.is_open, last.error, last.forgotten) == (False, "interrupted", 1)


def test_how_far_it_is(world: World, journal: Journal) -> None:
    number = begun(journal, world.root / "to", myself())
    file = path_of_restore(directory_of(journal.path), number)
    backup = Backup("etc/there", "full", State.COMPLETE)
    bar = Bar(StoredRow(Root("one", "/srv/one"), GroupKey("/srv/one", "", "etc"), backup), None)
    assert bar.cut() is None, "nobody looks"
    bar.tell(file, 1000)
    assert bar.cut() is None, "it is there before anybody looks"
    bar.tell(file, None)
    cut = bar.cut()
    assert cut
    cut(lambda _: None).feed(b"\r        500  50%  100.00kB/s    0:00:01 (xfr#1, to-chk=1/3)\r")
    (row,) = seen(world).rows
    assert (row.progress["one"].bytes, row.progress["one"].percent) == (500, 50)
    (run,) = json.loads(as_json(seen(world), NOW))["runs"]
    assert (run["copies"][0]["bytes"], run["copies"][0]["percent"]) == (500, 50)


def test_in_each_form(world: World, journal: Journal) -> None:
    ended(journal, begun(journal, world.root / "to"), "1 name differs from the backup")
    found = seen(world)
    (run,) = json.loads(as_json(found, NOW))["runs"]
    assert (run["run_id"], run["direction"], run["status"]) == (None, "restore", "FAILED")
    assert (run["duration"], run["resumable"]) == (60.0, False)
    (copy,) = run["copies"]
    assert (copy["destination"], copy["path"], copy["status"]) == ("one", BACKUP, "FAILED")
    header, line = tables.plain(found, NOW).splitlines()
    assert line.split()[0] == "etc"
    assert line.split()[3:5] == ["RESTORE", "FAILED"]
    assert len(line.split()[:8]) == len(header.split()[:8])
    assert "1 name differs from the backup; restore to" in line
    assert "--copy" not in line
    text = tables.notes(found, NOW)
    assert text == "1: 1 FAILED"
    assert Screen(1, 100).render(tables.table(found.rows, 100, NOW))
