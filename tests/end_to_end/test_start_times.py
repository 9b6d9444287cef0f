"""The names of runs that follow each other closely, and the times that are told of them."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from b1000.rsync.paths import moment
from tests.support.world import World, open_sqlite


@pytest.fixture
def ready(world: World) -> World:
    """A world with files at the source."""
    world.files()
    return world


def named(world: World) -> list[datetime]:
    """The start times of all runs, by their numbers."""
    with world.journal() as journal:
        rows = journal.execute("SELECT start_time FROM runs ORDER BY run_id").fetchall()
    return [moment(start_time) for (start_time,) in rows]


@pytest.mark.parametrize("include", ["", "/nonexistent/*"])
def test_names_do_not_run_ahead_of_the_clock(ready: World, include: str) -> None:
    more = {"include": include} if include else {}
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(**more)})
    for _ in range(5):
        ready.b1000("-q")
        assert named(ready)[-1] <= datetime.now()
    assert len(set(named(ready))) == 5


def test_runs_that_fail_before_they_are_forked_wait_for_their_names_too(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(tpye="full")})
    for _ in range(5):
        ready.b1000("-q")
        assert named(ready)[-1] <= datetime.now()
    assert len(set(named(ready))) == 5


def test_programs_beside_each_other_never_share_a_name(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(tpye="full")})

    def one(_: int) -> "subprocess.CompletedProcess[str]":
        return ready.b1000("-q")

    with ThreadPoolExecutor(4) as at_once:
        assert [done.returncode for done in at_once.map(one, range(8))] == [1] * 8
    names = named(ready)
    assert len(set(names)) == len(names) == 8


def test_no_run_ends_before_it_began(ready: World) -> None:
    central = ready.root / "central.sqlite3"
    ready.write(
        {
            "dest:store": ready.store(),
            "job:etc": ready.push(report="main central"),
            "report:central": {"type": "sqlite", "path": central},
        }
    )
    ready.b1000("-q")
    # The clock was set back: the seconds to come have names already.
    with ready.journal() as journal:
        now = int(datetime.now().timestamp())
        for ahead in range(20):
            journal.execute(
                """INSERT OR IGNORE INTO runs (uid, job, instance, file_stem, host, direction,
                       type, started, start_time, supervisor_pid, supervisor_boot,
                       supervisor_ticks, step, status, ending, ended, reports)
                   VALUES (?, 'etc', '', 'etc-', 'client', 'push', 'full', ?, ?, 1, '', 1, 'DONE',
                       'OK', 'FINISHED', ?, '[]')""",
                (
                    str(ahead),
                    now + ahead,
                    datetime.fromtimestamp(now + ahead).strftime("%Y-%m-%d-%H-%M-%S"),
                    now,
                ),
            )
        journal.commit()
    done = ready.b1000("-q")
    assert done.returncode == 0, done.stderr
    last = ready.last("etc")
    assert datetime.fromisoformat(last["start_time"]) > datetime.now().astimezone()
    assert last["finished"] >= last["start_time"]
    assert last["duration"] > 0
    with open_sqlite(central) as database:
        rows = database.execute("SELECT started_utc, ended_utc, duration FROM jobs").fetchall()
    assert len(rows) == 2
    assert all(ended >= started and duration > 0 for started, ended, duration in rows)
