"""``b1000 verify --drill``: what was drilled longest ago is restored, and a command judges it."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from b1000.b1k.mark import Counts
from tests.support.daemon import Daemon
from tests.support.processes import living
from tests.support.stored import a_mark, identify, put
from tests.support.world import World, open_sqlite, wait_until

TODAY = datetime.now().replace(microsecond=0) - timedelta(hours=2)
DAY = timedelta(days=1)


@pytest.fixture
def root(world: World) -> Path:
    kept = world.root / "kept" / "web1"
    identify(kept, TODAY - 400 * DAY)
    return kept


def configure(world: World, drill: str, **options: object) -> None:
    """A store whose backups are drilled by a script, and an SQLite report that is told."""
    script = world.root / "drill.sh"
    script.write_text(f"#!/bin/sh\n{drill}\n")
    script.chmod(0o755)
    more = {name.removeprefix("global_"): value for name, value in options.items()}
    world.write(
        {
            "global": {
                "host": "backup-1",
                "drill_dir": world.root / "drills",
                "report_wait_end": 30,
                **{name: more[name] for name in ("script_timeout",) if name in more},
            },
            "report:central": {"type": "sqlite", "path": world.root / "central.sqlite3"},
            "dest:kept": {
                "type": "store",
                "path": world.root / "kept" / "*",
                "drill": script,
                "report": "central",
                **{name: value for name, value in options.items() if "global" not in name},
            },
        }
    )


def told(world: World) -> list[dict[str, Any]]:
    with open_sqlite(world.root / "central.sqlite3") as connection:
        cursor = connection.execute("SELECT * FROM stored ORDER BY path")
        names = [each[0] for each in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def left(world: World) -> list[psutil.Process]:
    """What still runs of a drill."""

    def ours(process: psutil.Process) -> bool:
        words = [*process.cmdline(), *process.environ().values(), process.cwd()]
        return str(world.root) in " ".join(words)

    return living(ours)


def nothing_left(world: World) -> bool:
    return not left(world) and not any((world.root / "drills").iterdir())


def test_what_was_drilled_longest_ago_is_restored_and_judged(world: World, root: Path) -> None:
    put(root, a_mark(when=TODAY - DAY))
    newest = put(root, a_mark(when=TODAY, instance="3306"))
    put(root, a_mark(when=TODAY - 2 * DAY, instance="3306"))
    seen = world.root / "seen"
    configure(
        world,
        f"cat $B1000_DRILL_DIR/file >>{seen} && touch $TMPDIR/scratch &&"
        f" echo $B1000_JOB,$B1000_INSTANCE,$B1000_HOST,$B1000_AGE >>{seen}",
    )
    for _ in range(2):
        done = world.b1000("verify", "--drill")
        assert (done.returncode, done.stderr) == (0, "")
        assert "1 drill, 0 failed" in done.stdout
        assert nothing_left(world)
    lines = seen.read_text().removeprefix("text").split("text")
    facts = [line.strip().split(",") for line in lines]
    assert [each[:3] for each in facts] == [["etc", "", "web1"], ["etc", "3306", "web1"]]
    assert abs(int(facts[1][3]) - (datetime.now() - TODAY).total_seconds()) < 120
    assert "no drill is due" in world.b1000("verify", "--drill").stdout
    assert len(seen.read_text().splitlines()) == 2
    # Who names it wants it now.
    answer = json.loads(world.b1000("verify", "--drill", "--json", "etc/web1/3306").stdout)
    (drill,) = answer["drills"]
    assert (drill["path"], drill["passed"], drill["error"]) == (str(newest), True, "")
    assert drill["seconds"] > 0

    rows = {row["path"]: row for row in told(world)}
    assert rows[str(newest)]["restored_utc"] is not None
    assert rows[str(newest)]["recovery_time"] == drill["seconds"]
    assert rows[str(newest)]["drill_every"] == 30 * 86400
    assert sum(row["restored_utc"] is not None for row in rows.values()) == 2
    listed = json.loads(world.b1000("list", "--all", "--json").stdout)["backups"]
    restored = {each["path"] for each in listed if each["restored"]}
    assert restored == {path for path, row in rows.items() if row["restored_utc"]}
    assert "restored 0min; recovery time 0." in world.b1000("list", "--all").stdout


def test_one_that_fails_is_told_and_stays_due(world: World, root: Path) -> None:
    backup = put(root, a_mark(when=TODAY))
    configure(world, "echo no such table >&2; chmod 0 $B1000_DRILL_DIR; exit 3")
    for _ in range(2):
        done = world.b1000("verify", "--drill")
        assert done.returncode == 1
        assert f"the drill of {backup} failed: its command ended with exit code 3" in done.stderr
        assert "no such table" in done.stderr
        assert nothing_left(world)
    (row,) = told(world)
    assert (row["restored_utc"], row["recovery_time"], row["bad"]) == (None, None, 0)
    assert "exit code 3: no such table" in row["error"]
    failed = "its drill failed 0min ago: its command ended with exit code 3: no such table"
    assert failed in world.b1000("list", "--all").stdout
    configure(world, "true")
    assert world.b1000("verify", "--drill").returncode == 0
    assert "its drill failed" not in world.b1000("list", "--all").stdout
    (row,) = told(world)
    assert (row["restored_utc"] is None, row["error"]) == (False, None)


STAYS = "trap '' TERM HUP INT; while :; do sleep 1; done"


@pytest.mark.parametrize(
    "drill",
    [
        f'(setsid sh -c "{STAYS}" &) ; exit 0',
        "(env -i setsid sh -c 'cd \"$0\"; (sleep 1000 & exec sleep 1000) & exec sleep 1000'"
        " $B1000_DRILL_DIR >/dev/null 2>&1 &) ; sleep 1; exit 0",
    ],
    ids=["deaf", "without a trace"],
)
def test_what_it_leaves_running_is_ended(world: World, root: Path, drill: str) -> None:
    put(root, a_mark(when=TODAY))
    configure(world, drill)
    done = world.b1000("verify", "--drill")
    assert done.returncode == 0
    assert "left processes, which were ended" in done.stderr
    assert nothing_left(world)


def test_one_that_hangs_is_ended(world: World, root: Path) -> None:
    put(root, a_mark(when=TODAY))
    configure(world, "sleep 1000 & sleep 1000", global_script_timeout=1)
    done = world.b1000("verify", "--drill")
    assert done.returncode == 1
    assert "its time limit" in done.stderr
    assert nothing_left(world)
    # And by the time of all.
    configure(world, "sleep 1000 & sleep 1000")
    done = world.b1000("verify", "--drill", "--for", "2s")
    assert done.returncode == 3
    assert "failed: the time of --for was over" in done.stderr
    assert nothing_left(world)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_it_the_next_one_clears_up(
    world: World, root: Path, number: signal.Signals
) -> None:
    put(root, a_mark(when=TODAY))
    ready = world.root / "ready"
    configure(world, f"touch {ready}; sleep 1000")
    process = world.start("verify", "--drill")
    wait_until(ready.exists)
    process.send_signal(number)
    process.communicate(timeout=60)
    if number is signal.SIGTERM:
        assert process.returncode == 128 + signal.SIGTERM
        assert nothing_left(world)
    (row,) = told(world) if number is signal.SIGTERM else [{"restored_utc": None}]
    assert row["restored_utc"] is None
    configure(world, "true")
    assert world.b1000("verify", "--drill").returncode == 0
    assert nothing_left(world)


def test_a_disk_that_is_full_fails_it_alone(world: World, root: Path) -> None:
    large = put(root, a_mark(when=TODAY, counts=Counts(files=1, bytes=10**14)))
    configure(world, "true")
    done = world.b1000("verify", "--drill")
    assert done.returncode == 1
    assert f"the drill of {large} failed: it could not be restored: it needs" in done.stderr
    assert "(drill_dir)" in done.stderr
    assert nothing_left(world)


@pytest.mark.skipif(os.geteuid() != 0, reason="it mounts a file system")
@pytest.mark.parametrize("who", ["restore", "command"])
def test_a_disk_that_fills_up_meanwhile(world: World, root: Path, who: str) -> None:
    path = put(root, a_mark(when=TODAY))  # its mark claims 4 bytes
    if who == "restore":
        (path / "large").write_bytes(b"x" * 2**20 * 3)
    fill = "dd if=/dev/zero of=$B1000_DRILL_DIR/fill bs=1M count=3"
    configure(world, "true" if who == "restore" else fill)
    drills = world.root / "drills"
    drills.mkdir()
    if os.system(f"mount -t tmpfs -o size=1m tmpfs {drills} 2>/dev/null"):
        pytest.skip("nothing can be mounted here")
    try:
        done = world.b1000("verify", "--drill")
        assert done.returncode == 1
        assert "No space left" in done.stderr or "no space" in done.stderr
        assert nothing_left(world)
    finally:
        os.system(f"umount {drills}")


def test_a_push_job_is_drilled_from_its_client(world: World) -> None:
    world.files()
    script = world.root / "drill.sh"
    script.write_text('#!/bin/sh\ngrep -q "content 1" "$B1000_DRILL_DIR/file1"\n')
    script.chmod(0o755)
    sections = {
        "report:central": {"type": "sqlite", "path": world.root / "central.sqlite3"},
        "dest:store": world.store(),
        "dest:other": world.store("other"),
        "job:etc": world.push(
            drill=script, drill_every="7d", dest="store other", report="main, central"
        ),
    }
    world.write(sections)
    assert world.b1000().returncode == 0
    done = world.b1000("verify", "--drill", "--all")
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 drills, 0 failed" in done.stdout
    rows = told(world)
    assert [row["destination"] for row in rows] == ["other", "store"]
    assert all(row["restored_utc"] and row["drill_every"] == 7 * 86400 for row in rows)
    (world.source / "file1").write_text("wrong\n")
    assert world.b1000().returncode == 0
    assert world.b1000("verify", "--drill", "etc").returncode == 1


def test_a_daemon_is_drilled_by_its_restore_path(
    world: World, daemon: Callable[..., Daemon]
) -> None:
    world.files()
    there = daemon()
    far = {"type": "active", "path": there.url("b1000"), "restore_path": there.url("b1000")}
    job = world.push(dest="far", drill=_LOOK, report="central")
    central = {"type": "sqlite", "path": world.root / "central.sqlite3"}
    world.write({"dest:far": far, "job:etc": job, "report:central": central})
    assert world.b1000().returncode == 0
    done = world.b1000("verify", "--drill")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 drill, 0 failed" in done.stdout
    # Its row does not outlive the backup there.
    (backup,) = (there.module("b1000") / "etc").glob("*/*/")
    shutil.rmtree(backup)
    Path(f"{backup}.b1k").unlink(missing_ok=True)
    assert world.b1000("verify", "--drill").returncode == 0
    assert [row["state"] for row in told(world)] == ["missing"]
    there.stop()
    done = world.b1000("verify", "--drill")
    assert done.returncode == 3
    assert "far could not be looked at" in done.stderr


_LOOK = 'grep -q "content 1" $$B1000_DRILL_DIR/file1'


def test_without_a_drill_that_is_said(world: World) -> None:
    world.write({"dest:kept": {"type": "store", "path": world.root / "kept"}})
    done = world.b1000("verify", "--drill")
    assert done.returncode == 2
    assert "no store has the option drill" in done.stderr
