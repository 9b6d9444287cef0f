"""b1000 restore where storages fail, fall silent or lie, and where it is killed."""

import functools
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from b1000.locks import Locks, run_lock
from tests.support.daemon import Daemon
from tests.support.flow import Flow
from tests.support.mounting import needs_mounts
from tests.support.stored import a_mark, put
from tests.support.terminal import Terminal
from tests.support.world import ROOT, World, tree, wait_until

TODAY = datetime.now().replace(microsecond=0) - timedelta(hours=2)
SIZE = 20_000


@pytest.fixture
def flow(world: World, daemon: Callable[..., Daemon]) -> Iterator[Flow]:
    """A destination ``one`` at a daemon, read by way of a flow; job ``etc`` goes there."""
    one = daemon()
    for number in range(40):
        (world.source / f"file{number:02}").write_bytes(os.urandom(SIZE))
    with Flow(one.port) as between:
        world.write(
            {
                "global": {"io_timeout": 20},
                "dest:one": {
                    "type": "active",
                    "path": one.url("b1000"),
                    "restore_path": between.through(one.url("b1000")),
                },
                "job:etc": world.push(dest="one"),
            }
        )
        yield between


def add(world: World, **more: dict[str, object]) -> None:
    """More sections of the configuration."""
    with world.config.open("a") as file:
        for heading, options in more.items():
            file.write(f"\n[{heading.replace('_', ':')}]\n")
            file.writelines(f"{name} = {value}\n" for name, value in options.items())


def change(world: World, old: str, new: str) -> None:
    text = world.config.read_text()
    assert old in text
    world.config.write_text(text.replace(old, new))


# --- fail-over


def test_a_storage_that_fails_midway_is_replaced_by_one_with_the_same_run(
    world: World, flow: Flow, daemon: Callable[..., Daemon]
) -> None:
    two = daemon()
    change(world, "dest = one", "dest = one two")
    add(world, dest_two={"type": "active", "path": two.url("b1000")})
    assert world.b1000().returncode == 0
    flow.most, to = 20 * SIZE, world.root / "to"
    done = world.b1000("restore", "etc", "--to", str(to), "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["choice"]["destination"], answer["verified"]) == ("two", True)
    assert answer["reasons"] == [
        "the newest of 2 backups that are good",
        "the same run is at two too; it stands first in the file",
    ]
    assert f"b1000: {answer['choice']['path'].replace(two.url(''), '')}" not in done.stderr
    assert "connection" in done.stderr
    assert tree(to) == tree(world.source)

    # Without the same run elsewhere it fails, and goes on from the same one.
    flow.heal()
    change(world, "dest = one two", "dest = one")
    (world.source / "late").write_text("late")
    time.sleep(1.1)
    assert world.b1000().returncode == 0
    flow.most, to = 20 * SIZE, world.root / "again"
    done = world.b1000("restore", "etc", "--to", str(to))
    assert done.returncode == 1
    assert "not restored" in done.stderr
    there = len(list(to.iterdir()))
    assert 0 < there < 41
    (row,) = (run for run in world.status() if run["direction"] == "restore")
    assert (row["status"], row["copies"][0]["destination"]) == ("FAILED", "one")
    flow.heal()
    done = world.b1000("restore", "etc", "--to", str(to))
    assert done.returncode == 0, done.stderr
    assert tree(to) == tree(world.source)
    assert not [run for run in world.status() if run["direction"] == "restore"]


def test_a_database_knows_of_a_newer_one_where_the_journal_is_lost(
    world: World, daemon: Callable[..., Daemon]
) -> None:
    far = daemon()
    sections: dict[str, dict[str, object]] = {
        "report:main": {"type": "sqlite", "path": world.root / "central.sqlite3"},
        "dest:near": world.store("near"),
        "dest:far": {"type": "active", "path": far.url("b1000")},
    }
    world.files()
    for where in ("near", "far"):
        world.write({**sections, "job:etc": world.push(dest=where)})
        assert world.b1000().returncode == 0
        time.sleep(1.1)
    far.stop()
    for each in world.status_dir.glob("journal*"):
        each.unlink()
    to = world.root / "to"
    done = world.b1000("restore", "etc", "--to", str(to))
    assert done.returncode == 2, done.stderr
    assert "destination far has a newer one" in done.stderr
    assert str(world.root / "near") in done.stderr
    assert not to.exists()
    assert world.b1000("restore", "etc", "--to", str(to), "--any").returncode == 3
    assert tree(to) == tree(world.source)


def test_what_is_wrong_here_no_other_storage_is_asked_for(world: World) -> None:
    for name in ("one", "two"):
        put(world.root / name, a_mark(when=TODAY))
    stores = {name: {"type": "store", "path": world.root / name} for name in ("one", "two")}
    world.write({f"dest:{name}": store for name, store in stores.items()})
    to = world.root / "to"
    (to / ".b1000-restoring" / "of somebody").mkdir(parents=True)
    done = world.b1000("restore", "etc", "--to", str(to), "--merge")
    assert done.returncode == 1
    (told,) = done.stderr.splitlines()
    assert told.startswith(f"b1000: not restored: {to}/.b1000-restoring")
    assert (to / ".b1000-restoring" / "of somebody").is_dir()


@needs_mounts
def test_a_target_without_attributes_is_told_once(world: World) -> None:
    for name in ("one", "two"):
        backup = put(world.root / name, a_mark(when=TODAY)._replace(options=("xattrs",)))
        os.setxattr(backup / "file", "user.colour", b"blue")
    stores = {name: {"type": "store", "path": world.root / name} for name in ("one", "two")}
    retries = {"copy_retries": 3, "copy_retry_min_sleep": 60}
    world.write({"global": retries, **{f"dest:{name}": each for name, each in stores.items()}})
    to = world.root / "to"
    to.mkdir()
    program = f'mount -t ramfs ramfs {to}; "$0" -m b1000 -f {world.config} "$@"; ls {to}'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", program, sys.executable, "restore", "etc", "--to", to],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
    )
    (told,) = done.stderr.splitlines()
    assert "the file system at the target keeps no such attributes or ACLs" in told
    assert done.stdout.endswith("file\n"), "what could be restored is there"


# --- killed


def test_killed_at_ten_points_the_same_command_finishes_in_place(world: World, flow: Flow) -> None:
    conf, above = world.source / "conf", world.source / "alone"
    conf.mkdir()
    above.mkdir()
    for each in world.source.glob("file*"):
        each.rename(conf / each.name)
    (above / "hosts").write_bytes(os.urandom(8 * SIZE))
    change(world, f"include = {world.source}/", f"include = {conf} {above / 'hosts'}")
    assert world.b1000().returncode == 0
    expected = tree(world.source)
    for each in (*conf.iterdir(), above / "hosts"):
        each.write_bytes(b"wrong")
    parents = (world.source, above)
    for each in parents:
        each.chmod(0o711)
        os.utime(each, (1, 1))
    flow.then, whole = "hold", 48 * SIZE
    killed, temporary = 0, world.root / "temporary"
    temporary.mkdir()
    words = ("restore", "etc", "--in-place", "--merge")
    for point in range(1, 11):
        # What is there already is not sent again: each time less is left.
        flow.most = SIZE * 4
        program = world.start(*words, environment={"TMPDIR": str(temporary)})
        wait_until(flow.held.is_set)
        killed += program.poll() is None
        program.kill()
        program.communicate()
        flow.heal()
        assert point * SIZE < whole
    assert killed == 10
    assert not [*temporary.glob("b1000-list-*")], "what was fetched of storages has gone before"
    (row,) = (run for run in world.status() if run["direction"] == "restore")
    assert row["error"] == "interrupted"
    lock = Locks(world.status_dir / "locks").take(run_lock("etc", ""))
    if lock is not None:
        os.close(lock)
    done = world.b1000("restore", "etc", "--in-place", "--merge")
    assert done.returncode == 0, done.stderr
    assert tree(world.source) == expected
    found = [(oct(each.stat().st_mode)[-3:], each.stat().st_mtime) for each in parents]
    assert found == [("711", 1), ("711", 1)]


def test_a_signal_ends_it_and_its_rsync(world: World, flow: Flow) -> None:
    assert world.b1000().returncode == 0
    flow.then, flow.most, to = "hold", 20 * SIZE, world.root / "to"
    program = world.start("restore", "etc", "--to", str(to))
    wait_until(flow.held.is_set)
    refused = world.b1000("restore", "etc", "--to", str(to), "--merge")
    assert refused.returncode == 2
    assert "another b1000 restores into" in refused.stderr
    (row,) = (run for run in world.status() if run["direction"] == "restore")
    assert row["live"]
    program.send_signal(signal.SIGTERM)
    _, told = program.communicate(timeout=15)
    assert program.returncode == 128 + signal.SIGTERM
    assert "interrupted; the same command resumes it" in told
    (row,) = (run for run in world.status() if run["direction"] == "restore")
    assert row["error"] == "interrupted"
    (to / ".file00.AbCdEf").write_text("of a killed rsync, as it seems")
    (to / ".mine.conf").write_text("of somebody")
    flow.heal()
    done = world.b1000("restore", "etc", "--to", str(to))
    assert done.returncode == 0, done.stderr
    assert tree(to) == {**tree(world.source), ".mine.conf": b"of somebody"}


def test_a_large_file_is_gone_on_with_where_it_was_killed(world: World, flow: Flow) -> None:
    for each in world.source.iterdir():
        each.unlink()
    for name in ("dump", ".dump"):
        (world.source / name).write_bytes(os.urandom(2_000_000))
    assert world.b1000().returncode == 0
    (mark,) = Path(world.config.parent).glob("**/etc/*/*.b1k")
    text = mark.read_text()
    mark.write_text(text.replace("bytes = 4000000", f"bytes = {2**30}"))
    to = world.root / "to"
    for most in (1_500_000, 1_200_000, 1_200_000):
        flow.then, flow.most = "hold", most
        program = world.start("restore", "etc", "--to", str(to))
        wait_until(flow.held.is_set)
        program.kill()
        program.communicate()
        flow.heal()
    # Of each part that had come nothing is sent again: all that is missing is less than this.
    flow.then, flow.most = "cut", 1_500_000
    done = world.b1000("restore", "etc", "--to", str(to))
    assert done.returncode == 0, done.stderr
    assert tree(to) == tree(world.source)


def replacing(world: World, to: Path, elsewhere: Path, when: str) -> dict[str, str]:
    """An environment in which the rsync of a restore finds ``to`` replaced, or replaces it."""
    wrapper = world.root / "bin"
    wrapper.mkdir()
    rsync = f'{shutil.which("rsync")} "$@" || exit\n'
    swap = f'case "$*" in *--modify-window*) mv {to} {to}.moved; ln -s {elsewhere} {to};; esac\n'
    order = swap + rsync if when == "before" else rsync + swap
    (wrapper / "rsync").write_text(f"#!/bin/sh\n{order}")
    (wrapper / "rsync").chmod(0o755)
    return {"PATH": f"{wrapper}:{os.environ['PATH']}"}


@pytest.mark.usefixtures("flow")
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_directory_that_is_replaced_meanwhile_is_not_called_restored(
    world: World, when: str
) -> None:
    """By who owns the directory above: nothing goes to where the name leads by then."""
    assert world.b1000().returncode == 0
    to, elsewhere = world.root / "to", world.root / "elsewhere"
    elsewhere.mkdir()
    path = replacing(world, to, elsewhere, when)
    done = world.b1000("restore", "etc", "--to", str(to), "--no-verify", environment=path)
    assert done.returncode == 1
    assert f"{to} was replaced meanwhile" in done.stderr
    assert not [*elsewhere.iterdir()]
    assert tree(Path(f"{to}.moved")) == tree(world.source)


@pytest.mark.parametrize("when", ["before", "after"])
def test_one_that_is_replaced_while_it_is_merged_into_is_the_one_that_stays_as_it_is(
    world: World, when: str
) -> None:
    world.files()
    world.write({"dest:store": world.store(), "job:etc": world.push(include=world.source)})
    assert world.b1000().returncode == 0
    to, elsewhere = world.root / "to", world.root / "elsewhere"
    for directory, mode in ((to, 0o755), (elsewhere, 0o700)):
        directory.mkdir()
        (directory / "mine").touch()
        directory.chmod(mode)
        os.utime(directory, (1, mode))
    path = replacing(world, to, elsewhere, when)
    world.b1000("restore", "etc", "--to", str(to), "--merge", "--no-verify", environment=path)
    for directory, mode in ((Path(f"{to}.moved"), 0o755), (elsewhere, 0o700)):
        status = directory.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (mode, mode)
    assert [each.name for each in elsewhere.iterdir()] == ["mine"]


@pytest.mark.usefixtures("flow")
def test_while_a_run_is_at_work_nothing_is_restored_in_place(world: World) -> None:
    assert world.b1000().returncode == 0
    lock = Locks(world.status_dir / "locks").take(run_lock("etc", ""))
    assert lock is not None
    (world.source / "file00").write_text("mine")
    done = world.b1000("restore", "etc", "--in-place", "--merge")
    assert done.returncode == 2
    assert "a run of etc is at work; nothing was restored" in done.stderr
    assert f"`b1000 status -f {world.config}` shows it" in done.stderr
    assert (world.source / "file00").read_text() == "mine"
    world.source.rename(world.root / "moved")
    assert world.b1000("restore", "etc", "--in-place", "--merge").returncode == 2
    assert not world.source.exists()
    os.close(lock)


def test_nor_while_one_writes_the_tree_that_is_to_be_restored(world: World) -> None:
    """A sync tree that is half brought up to date is no backup: the run is why nothing fits."""
    world.files()
    world.write({"dest:store": world.store(), "job:tree": world.push(type="sync")})
    assert world.b1000().returncode == 0
    wrapper, go = world.root / "bin", world.root / "go"
    wrapper.mkdir()
    (wrapper / "rsync").write_text(
        '#!/bin/sh\ncase "$*" in *--version*) ;; *)\n'
        f"until [ -e {go} ]; do sleep 0.05; done;; esac\n"
        f'exec {shutil.which("rsync")} "$@"\n'
    )
    (wrapper / "rsync").chmod(0o755)
    run = world.start(environment={"PATH": f"{wrapper}:{os.environ['PATH']}"})
    mark = world.root / "store" / "tree" / "client.b1k"
    try:
        wait_until(lambda: "state = writing" in mark.read_text())
        for words in ((), ("--print",), ("-n",)):
            done = world.b1000("restore", "tree", "--in-place", "--merge", *words)
            assert done.returncode == 2, done.stderr
            assert "a run of tree is at work; nothing was restored" in done.stderr
        # Elsewhere there is nothing to keep it from, and nothing to restore.
        done = world.b1000("restore", "tree", "--to", str(world.root / "to"))
        assert done.returncode == 1
    finally:
        go.touch()
        run.communicate()
    assert run.returncode == 0
    assert world.b1000("restore", "tree", "--in-place", "--merge").returncode == 0


def test_where_nothing_fits_no_lock_of_a_run_is_touched(world: World) -> None:
    """A run that is about to begin would find it taken."""
    (world.root / "store").mkdir()
    world.write({"dest:store": world.store(), "job:etc": world.push()})
    for words in ((), ("--print",), ("-n",)):
        done = world.b1000("restore", "etc", "--in-place", "--merge", *words)
        assert done.returncode == 1, done.stderr
        assert "no complete backup fits" in done.stderr
        assert not world.status_dir.exists()


# --- hostile


@pytest.mark.parametrize("then", ["hold", "endless"])
def test_time_limits_hold(world: World, flow: Flow, then: str) -> None:
    assert world.b1000().returncode == 0
    limit = "io_timeout = 1" if then == "hold" else "copy_timeout = 2"
    change(world, "io_timeout = 20", limit)
    flow.then, flow.most, to = then, 20 * SIZE, world.root / "to"
    done = world.b1000("restore", "etc", "--to", str(to), timeout=60)
    assert done.returncode == 1
    assert flow.held.is_set()
    assert "not restored" in done.stderr
    assert not list(to.glob(".b1000-restoring"))


def told_instead(true: bytes, false: bytes, data: bytes) -> bytes:
    return data.replace(true, false)


def test_names_that_lead_out_write_nothing_there(world: World, flow: Flow) -> None:
    (world.source / "QQ_QQ_QQ").write_text("evil")
    (world.source / "AAAAA").symlink_to(world.root)
    (world.source / "ZZZZZ").mkdir()
    (world.source / "ZZZZZ" / "evil").write_text("evil")
    assert world.b1000().returncode == 0
    before = sorted(os.listdir(world.root))
    lies = ((b"QQ_QQ_QQ", b"../../zz"), (b"QQ_QQ_QQ", b"/tmp/zzz"), (b"ZZZZZ", b"AAAAA"))
    for number, (true, false) in enumerate(lies):
        flow.rewrite = functools.partial(told_instead, true, false)
        done = world.b1000("restore", "etc", "--to", str(world.root / "to" / f"deep{number}" / "x"))
        # Of one that is twice in a list, a link and a directory, rsync takes one.
        assert done.returncode == 1 or false == b"AAAAA", done.stderr
        assert sorted(os.listdir(world.root)) == sorted([*before, "to"])
        assert not list(world.root.glob("to/**/*zz*"))
        assert not Path("/tmp/zzz").exists()


@pytest.mark.parametrize("manner", ["--missing", "--merge", "--mirror"])
def test_a_link_in_dir_leads_nowhere(world: World, manner: str) -> None:
    backup = put(world.root / "one", a_mark(when=TODAY))
    (backup / "below").mkdir()
    (backup / "below" / "evil").write_text("evil")
    (backup / "o[d]d\\\n*").mkdir()
    (backup / "o[d]d\\\n*" / "evil2").write_text("evil")
    (backup / ".b1000-restoring").mkdir()
    outside, to = world.root / "outside", world.root / "to"
    outside.mkdir()
    (outside / "mine").write_text("mine")
    to.mkdir()
    (to / "below").symlink_to(outside)
    (to / "o[d]d\\\n*").symlink_to(outside)
    (to / ".b1000-restoring").symlink_to(outside)
    world.write({"dest:one": {"type": "store", "path": world.root / "one"}})
    done = world.b1000("restore", "etc", "--to", str(to), manner, "--yes")
    assert tree(outside) == {"mine": b"mine"}
    if manner == "--missing":
        assert done.returncode == 1
        assert "lies behind a symbolic link" in done.stderr or "below/evil" in done.stderr
    assert not (to / ".b1000-restoring").exists()


def test_names_of_a_backup_do_not_reach_the_terminal(world: World) -> None:
    backup = put(world.root / "one", a_mark(when=TODAY))
    evil = "\x1b]0;evil\x07\x1b[31m\n\udcff"
    world.write({"dest:one": {"type": "store", "path": world.root / "one"}})
    (backup / evil).write_text("right")
    assert world.b1000("verify", "--all").returncode == 0
    status = (backup / evil).stat()
    (backup / evil).write_text("wrong")
    os.utime(backup / evil, ns=(status.st_atime_ns, status.st_mtime_ns))
    to = world.root / "to"
    for words in (
        ["--to", str(to)],
        ["--to", str(to), "--merge", "-n"],
        ["--to", str(world.root / "t2"), "--json"],
        ["--to", str(backup)],
    ):
        argv = [sys.executable, "-m", "b1000", "-f", str(world.config), "restore", "etc", *words]
        terminal = Terminal(argv, {}, columns=200)
        assert terminal.finish() in (0, 1, 2)
        for each in (b"\x1b]0;", b"\x07", b"\x1b[31m\\n", b"\xff"):
            assert each not in terminal.raw, terminal.raw
    assert "evil" in terminal.everything


def test_a_bar_with_the_time_left_is_on_a_terminal_alone(world: World, flow: Flow) -> None:
    assert world.b1000().returncode == 0
    words = [sys.executable, "-m", "b1000", "-f", str(world.config), "restore", "etc", "--to"]
    flow.pause = 0.05
    terminal = Terminal([*words, str(world.root / "one")], {}, columns=100)
    terminal.read_until(lambda: " left" in terminal.text and "%" in terminal.text)
    assert "etc one" in terminal.text
    flow.pause = 0.0
    assert terminal.finish() == 0
    assert " left" not in terminal.text
    assert "equal" in terminal.text
    done = world.b1000("restore", "etc", "--to", str(world.root / "two"))
    assert done.returncode == 0
    assert "%" not in done.stdout + done.stderr
    assert "\r" not in done.stdout + done.stderr
