"""The crash matrix: SIGKILL at a commit, then one ``--copy`` and one normal run.

The invariants are checked after that, at each point. A point beyond the last
commit ends the matrix, so that it is as long as the program makes it. ``make test`` strikes
each victim at every third commit, at others than the victim before; ``make
test-exhaustive`` at all.
"""

import configparser
import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest

from b1000.b1k import mark, root_id
from b1000.b1k.mark import Mark
from b1000.identity import is_alive
from b1000.runs.run import Run
from b1000.runs.states import CopyStatus, Ending, Step
from b1000.state import status_files
from b1000.state.queries import Reader
from tests.crash.struck import strike
from tests.support.chance import TRIALS
from tests.support.daemon import Daemon
from tests.support.world import ROOT, World, tree, wait_until

BEYOND = 100
AT_ONCE = 4  # points that are tried side by side; each mostly waits
SOME = 3
EVERY = [pytest.param(SOME, id="some"), pytest.param(1, id="all", marks=pytest.mark.exhaustive)]
INSTANCES = ("a", "b")
VICTIMS = [
    (kind, when)
    for kind in ("supervisor", "worker", "rsync", "idle")
    for when in ("before", "after")
]


HARMLESS = {"idle", "hand-over"}
"""What is struck there had not begun anything: it costs no run."""


def prepare(root: Path, storage: Daemon) -> World:
    """Two instances, two destinations (one in the background, one a daemon with a limit)."""
    root.mkdir()
    world = World(root)
    for instance in INSTANCES:
        (world.source / instance).mkdir()
        for number in range(12):
            (world.source / instance / f"f{number}").write_bytes(os.urandom(20_000))
    pre = root / "pre.sh"
    pre.write_text(f"#!/bin/sh\nrm -rf {root}/dump-$1; cp -r {world.source}/$1 {root}/dump-$1\n")
    post = root / "post.sh"
    post.write_text(f"#!/bin/sh\necho $1 $B1000_START_TIME >> {root}/posts\n")
    for script in (pre, post):
        script.chmod(0o755)
    world.write(
        {
            "global": {"workers": 2},
            "dest:one": world.store("one"),
            # A sender with a limit that is told to end by a signal writes wrong files.
            "dest:two": {
                "type": "active",
                "path": f"{storage.url('b1000')}/{root.name}",
                "bwlimit": 1000,
            },
            "job:db": world.push(
                dest="one& two",
                instances=f"!echo {' '.join(INSTANCES)}",
                pre=f"{pre} $instance",
                include=f"{root}/dump-$instance/",
                post=f"{post} $instance",
            ),
        }
    )
    return world


def run_struck(world: World, kind: str, number: int, when: str) -> int:
    """Run the program, struck; gives its exit code."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "tests.crash.struck", kind, str(number), when),
            *("-f", str(world.config)),
        ],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        timeout=120,
        check=False,
    ).returncode


def all_runs(world: World) -> list[Run]:
    runs: list[Run] = []
    with Reader(world.status_dir / "journal.sqlite3") as reader:
        while run := reader.run(len(runs) + 1):
            runs.append(run)
    return runs


def copied(storage: Daemon, path: str) -> dict[str, bytes | str | None]:
    """What lies at a destination; at a daemon without what a killed receiver left."""
    if not path.startswith("rsync://"):
        return tree(Path(path))
    found = tree(storage.module("b1000") / path.removeprefix(f"{storage.url('b1000')}/"))
    return {name: content for name, content in found.items() if not name.startswith(".")}


def check(world: World, storage: Daemon) -> None:
    """The invariants after any crash, one ``--copy`` and one normal run."""
    runs = all_runs(world)
    posts = set((world.root / "posts").read_text().splitlines())
    for run in runs:
        assert run.ending is not None, "no unfinished run without a live worker"
        for copy in run.copies:
            if copy.status is CopyStatus.DONE:
                right = tree(world.source / run.instance)
                assert copied(storage, copy.path) == right, f"wrong bytes in {copy.path}"
        if run.step is Step.DONE:
            assert f"{run.instance} {run.start_time}" in posts
            assert all(copy.complete for copy in run.copies)
    for instance in INSTANCES:
        last = max((run for run in runs if run.instance == instance), key=lambda run: run.run_id)
        assert (last.step, last.ending) == (Step.DONE, Ending.FINISHED)
    with Reader(world.status_dir / "journal.sqlite3") as reader:
        wanted = [status_files.name(run) for run in reader.retriable(is_alive)]
        assert reader.pending_by_report() == {}
    assert world.status_files() == sorted(wanted)
    check_reports(world, runs)
    check_marks(world, storage, runs)
    temporary = [
        path for path in world.root.rglob(".*") if path.is_file() and path.name != root_id.FILE
    ]
    assert temporary == []


def marks_in(world: World, storage: Daemon) -> dict[str, Mark]:
    """The marks at both destinations, by the directories that they are of."""
    tops = {
        str(world.root / "one"): world.root / "one",
        f"{storage.url('b1000')}/{world.root.name}": storage.module("b1000") / world.root.name,
    }
    found = {}
    for path, top in tops.items():
        for file in top.glob("*/*/*.b1k"):
            place = str(file.relative_to(top)).removesuffix(mark.SUFFIX)
            found[f"{path}/{place}"] = mark.parse(file.read_bytes(), place)
    return found


def check_marks(world: World, storage: Daemon, runs: list[Run]) -> None:
    """Each complete backup has its mark, and nothing else has one."""
    told = {path: (each.run, each.state) for path, each in marks_in(world, storage).items()}
    assert told == {
        copy.path: (run.first_uid, mark.COMPLETE)
        for run in runs
        for copy in run.copies
        if copy.complete
    }


def no_mark_came_early(world: World, storage: Daemon) -> None:
    """What a mark calls complete, the journal calls DONE."""
    marked = marks_in(world, storage)  # first: more may be DONE by the time that is asked
    if not marked:
        return
    done = {copy.path for run in all_runs(world) for copy in run.copies if copy.complete}
    assert marked.keys() <= done


def no_process_left(world: World) -> None:
    wait_until(lambda: world.processes() == [], 5)


def check_reports(world: World, runs: list[Run]) -> None:
    """Every run stands in the report once, with its last state."""
    told = {}
    for name in world.report_files():
        report = configparser.ConfigParser(interpolation=None)
        report.read(world.reports / name)
        told[name] = (report["jobstatus:db"]["step"], report["jobstatus:db"]["status"])
    assert told == {
        f"db-{run.instance}-{run.start_time}.b1k": (run.step, run.status) for run in runs
    }


def survive(root: Path, storage: Daemon, kind: str, when: str, number: int) -> bool:
    """One point of the matrix; False where it lies beyond the program's last commit."""
    world = prepare(root / f"point{number}", storage)
    ended = run_struck(world, kind, number, when)
    if ended == BEYOND:
        return False
    no_mark_came_early(world, storage)
    if kind in HARMLESS:
        assert ended == 0, f"{kind}, {when} {number}: it cost a run"
    go_on(world, storage, f"{kind}, {when} commit {number}")
    return True


def go_on(world: World, storage: Daemon, point: str) -> None:
    """What follows on a strike, and the invariants then."""
    again = world.b1000("--copy")
    assert again.returncode in (0, 1), f"{point}: {again.stdout}{again.stderr}"
    assert "Traceback" not in again.stderr, f"{point}: {again.stderr}"
    normal = world.b1000()
    assert normal.returncode == 0, f"{point}: {normal.stdout}{normal.stderr}"
    no_process_left(world)
    try:
        check(world, storage)
    except AssertionError as error:
        raise AssertionError(f"{point}: {error}") from error


def points(survive: Callable[[int], bool], first: int, every: int) -> int:
    """How many points there are from the first one on, all of which were survived."""
    survived = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while True:
            tried = range(first, first + AT_ONCE * every, every)
            found = list(pool.map(survive, tried))
            survived += sum(found)
            if not all(found):
                return survived
            first = tried.stop


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize(("kind", "when"), VICTIMS)
def test_every_point_is_survived(
    tmp_path: Path, daemon: Callable[..., Daemon], kind: str, when: str, every: int
) -> None:
    storage = daemon()
    first = 1 + VICTIMS.index((kind, when)) % every
    survived = points(partial(survive, tmp_path, storage, kind, when), first, every)
    print(f"{kind}, {when} each commit: {survived} points tried, all survived")
    assert survived >= 10 // every


@pytest.mark.parametrize("when", ["before", "after"])
def test_every_hand_over_is_survived(
    tmp_path: Path, daemon: Callable[..., Daemon], when: str
) -> None:
    storage = daemon()
    survived = points(partial(survive, tmp_path, storage, "hand-over", when), 1, 1)
    print(f"hand-over, {when} each task: {survived} points tried, all survived")
    assert survived >= len(INSTANCES)


def strike_at(root: Path, storage: Daemon, number: int) -> None:
    """One random moment, and one random victim."""
    chance = random.Random(number)
    world = prepare(root / f"trial{number}", storage)
    kind = chance.choice(["supervisor", "worker", "rsync", "rsync-term"])
    program = world.start()
    wait_until(lambda: (world.status_dir / "journal.sqlite3").exists())
    moment = chance.uniform(0, 1.2)
    time.sleep(moment)
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
        strike(kind, program.pid)
    program.communicate(timeout=120)
    go_on(world, storage, f"trial {number}: {kind}, {moment:.3f} s after the start")


@pytest.mark.slow
def test_random_moments_are_survived(tmp_path: Path, daemon: Callable[..., Daemon]) -> None:
    """Between commits too. ``B1000_TRIALS=300`` tries more of them."""
    storage = daemon()
    first = random.randrange(10**6)
    print(f"trials {first} to {first + TRIALS - 1}")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda n: strike_at(tmp_path, storage, n), range(first, first + TRIALS)))
