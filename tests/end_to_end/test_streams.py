"""``streams`` in whole runs: what several rsyncs share, and what becomes of one that fails."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.client import Client, pull
from tests.support.daemon import Daemon
from tests.support.world import World, tree, wait_until

Daemons = Callable[..., Daemon]
REAL_RSYNC = shutil.which("rsync")


def many(directory: Path, count: int = 90, size: int = 10_000) -> None:
    """Files enough that a tree is divided."""
    for number in range(count):
        below = directory / f"d{number % 7}"
        below.mkdir(exist_ok=True)
        (below / f"file{number}").write_bytes(os.urandom(size))


def configure(world: World, job: dict[str, object] | None = None, **options: object) -> None:
    store = {"type": "active", "path": world.root / "store", "streams": 3, **options}
    world.write(
        {"global": {"log_level": "DEBUG"}, "dest:store": store, "job:etc": job or world.push()}
    )


def rsyncs(log: str) -> list[str]:
    """The command lines of the rsyncs that copied, as the log has them."""
    return re.findall(r"store: (rsync --archive .*)", log)


def made(world: World) -> Path:
    return Path(world.last("etc")["copies"][0]["path"])


def test_parts_side_by_side_then_one_over_all(world: World, daemon: Daemons) -> None:
    many(world.source)
    started = daemon()
    configure(world, path=started.url("b1000"), verbosity=2)
    done = world.b1000()
    assert done.returncode == 0, done.stdout
    parts = [argv for argv in rsyncs(done.stdout) if "--omit-dir-times" in argv]
    assert len(parts) == 3
    assert [argv for argv in rsyncs(done.stdout) if argv not in parts] == [rsyncs(done.stdout)[-1]]
    (found,) = started.module("b1000").glob("etc/*/*/")
    assert tree(found) == tree(world.source)
    assert {path: path.stat().st_mtime_ns for path in found.iterdir()} == {
        found / path.name: path.stat().st_mtime_ns for path in world.source.iterdir()
    }
    copy = world.last("etc")["copies"][0]
    assert (copy["files"], copy["bytes"], copy["attempts"]) == (90, 900_000, 1)
    # Each file is logged once, whoever copied it.
    assert len(re.findall(r"store: d\d/file\d+$", done.stdout, re.MULTILINE)) == 90


def test_a_limit_of_the_rate_is_shared(world: World) -> None:
    many(world.source)
    configure(world, bwlimit="30m")
    limits = [re.findall(r"--bwlimit=(\S+)", argv) for argv in rsyncs(world.b1000().stdout)]
    assert limits == [["10240.00"]] * 3 + [["30m"]]
    configure(world, bwlimit="0")
    limits = [re.findall(r"--bwlimit=(\S+)", argv) for argv in rsyncs(world.b1000().stdout)]
    assert limits == [["0"]] * 4


def test_a_copy_counts_once(world: World) -> None:
    many(world.source)
    configure(world, world.push(instances="a b"), max_copies=1)
    assert world.b1000(timeout=60).returncode == 0


def test_nothing_is_deleted_before_the_last_pass(world: World) -> None:
    many(world.source)
    configure(world, world.push(type="sync", delete="yes"))
    world.b1000()
    shutil.rmtree(world.source / "d3")
    done = world.b1000()
    argvs = rsyncs(done.stdout)
    assert ["--delete" in argv.split() for argv in argvs] == [False] * 3 + [True]
    assert tree(made(world)) == tree(world.source)


def test_a_full_with_a_base_takes_one_rsync(world: World) -> None:
    many(world.source)
    configure(world, link_dest="yes")
    assert len(rsyncs(world.b1000().stdout)) == 4
    first = made(world)
    done = world.b1000()
    assert len(rsyncs(done.stdout)) == 1
    second = made(world)
    assert (first / "d1" / "file1").stat().st_ino == (second / "d1" / "file1").stat().st_ino


def test_a_small_tree_takes_one_rsync(world: World) -> None:
    world.files()
    configure(world)
    assert len(rsyncs(world.b1000().stdout)) == 1


# --- what fails


def program(world: World, script: str) -> dict[str, str]:
    """An ``rsync`` on PATH; ``script`` goes before the real one where it is a stream's."""
    directory = world.root / "bin"
    directory.mkdir()
    (directory / "rsync").write_text(
        f'#!/bin/bash\nif [[ " $* " == *" --omit-dir-times "* ]]; then\n{script}\nfi\n'
        f'exec {REAL_RSYNC} "$@"\n'
    )
    (directory / "rsync").chmod(0o755)
    return {"PATH": f"{directory}:/usr/bin:/bin"}


FAILURES = {
    "at once": "exit 12",
    "refused": "echo '@ERROR: max connections (2) reached -- try again later' >&2; exit 5",
    "options": "echo 'rsync: --x: unknown option' >&2; exit 1",
    "killed": f'{REAL_RSYNC} "$@" & sleep 0.05; kill -9 $!; kill -9 $$',
    "unreadable": "echo 'rsync: [sender] read \"x\": Permission denied (13)' >&2; exit 23",
}


@pytest.mark.parametrize("how", FAILURES)
@pytest.mark.parametrize("which", ["one", "all"])
def test_a_stream_that_fails_is_made_up_for(world: World, how: str, which: str) -> None:
    many(world.source)
    configure(world)
    once = f"mkdir {world.root}/taken 2>/dev/null && {{ {FAILURES[how]}; }}"
    done = world.b1000(environment=program(world, once if which == "one" else FAILURES[how]))
    assert done.returncode == 0, done.stdout
    assert tree(made(world)) == tree(world.source)
    assert world.last("etc")["copies"][0]["attempts"] == 1


def test_what_the_last_pass_cannot_mend_fails_as_ever(world: World) -> None:
    many(world.source)
    configure(world, path="rsync://127.0.0.1:9/x")
    assert world.b1000().returncode == 1
    copy = world.last("etc")["copies"][0]
    assert "connection refused by 127.0.0.1" in copy["error"]


@pytest.fixture
def small_disk(world: World) -> Iterator[Path]:
    """A file system of 8 MiB."""
    path = world.root / "small"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "b1000-test", str(path)], check=False
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_a_full_disk_ends_all_at_once(world: World, small_disk: Path) -> None:
    many(world.source, size=200_000)
    configure(world, path=small_disk)
    done = world.b1000()
    assert done.returncode == 1
    assert "no space left" in world.last("etc")["copies"][0]["error"]
    assert len(rsyncs(done.stdout)) == 3
    assert not world.processes()


def test_min_free_ends_all_at_once(world: World, small_disk: Path) -> None:
    many(world.source, size=70_000)
    configure(world, path=small_disk, min_free="5m", bwlimit="2m")
    done = world.b1000()
    assert done.returncode == 1
    assert "less than the 5 MiB of min_free" in world.last("etc")["copies"][0]["error"]
    assert len(rsyncs(done.stdout)) == 3
    assert not world.processes()


def streams_at_work(world: World) -> bool:
    return len(world.rsyncs("--omit-dir-times")) >= 3


def test_stopped_streams_end_with_their_trees(world: World, daemon: Daemons) -> None:
    many(world.source, size=100_000)
    address = daemon().url("b1000")
    configure(world, path=address, bwlimit="300")
    running = world.start()
    wait_until(lambda: streams_at_work(world))
    running.send_signal(signal.SIGTERM)
    out, _ = running.communicate(timeout=30)
    assert running.returncode == 128 + signal.SIGTERM, out
    assert not world.processes()
    configure(world, path=address)
    assert world.b1000("--copy").returncode == 0
    assert world.last("etc")["copies"][0]["attempts"] == 2


def test_the_time_limit_is_that_of_the_whole_attempt(world: World) -> None:
    many(world.source, size=100_000)
    configure(world, world.push(copy_timeout=2), bwlimit="300")
    began = time.monotonic()
    assert world.b1000().returncode == 1
    assert time.monotonic() - began < 20
    assert "after 2 s (copy_timeout)" in world.last("etc")["copies"][0]["error"]
    assert not world.processes()


def test_progress_is_that_of_all(world: World) -> None:
    many(world.source, size=100_000)
    configure(world, bwlimit="1500")
    running = world.start()
    seen: list[tuple[int, int]] = []

    def look() -> bool:
        for file in (world.status_dir / "progress").glob("*-store.json"):
            found = re.search(r'"bytes": (\d+), "percent": (\d+)', file.read_text())
            if found:
                seen.append((int(found[1]), int(found[2])))
        return running.poll() is not None

    try:
        wait_until(look, 60)
    finally:
        out, _ = running.communicate()
    assert running.returncode == 0, out
    assert seen == sorted(seen)
    assert max(seen)[0] > 5_000_000
    assert all(0 <= percent <= 99 for _, percent in seen)


# --- pull


def test_a_pull_in_streams(world: World, daemon: Daemons) -> None:
    client = Client(daemon({"reports": "", "backup": "read only = yes", "other": ""}))
    many(client.backup)
    local = world.store("local", streams=3, min_free=0)
    world.write(
        {
            "global": {"host": "backup-2", "log_level": "DEBUG"},
            "dest:local": local,
            "job:system": pull(client),
        }
    )
    report = client.report().copying().keep_alive()
    running = world.start()
    try:
        report.end()
        out, _ = running.communicate(timeout=60)
    finally:
        client.stop()
        running.kill()
    assert running.returncode == 0, out
    assert out.count("--omit-dir-times") == 3
    (found,) = (world.root / "local").glob("system/*/*/")
    assert tree(found) == tree(client.backup)
