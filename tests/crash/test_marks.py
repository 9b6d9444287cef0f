"""The crash matrix of marks: whatever is struck, a mark never says more than is there."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from b1000.b1k import mark
from tests.crash.test_matrix import AT_ONCE, BEYOND, all_runs, run_struck
from tests.support.daemon import Daemon
from tests.support.world import World, tree

KINDS = ("supervisor", "worker", "rsync", "marks")
SAMPLE = [(kind, number) for kind in KINDS for number in (3, 5, 7)]
ALL = [(kind, number) for kind in KINDS for number in range(1, 25)]


def prepare(root: Path, storage: Daemon, mark_path: str) -> tuple[World, dict[str, object]]:
    """A sync that is complete, and a source that is another one since; gives the tree then."""
    root.mkdir()
    world = World(root)
    (world.source / "file").write_bytes(os.urandom(30_000))
    (world.source / "gone").write_text("old")
    write(world, storage, storage.url("b1000-marks"))
    assert world.b1000().returncode == 0
    old = tree(world.source)
    (world.source / "file").write_bytes(os.urandom(30_000))
    (world.source / "more").write_text("new")
    write(world, storage, mark_path)
    return world, dict(old)


def write(world: World, storage: Daemon, mark_path: str) -> None:
    name = world.root.name
    far = {"type": "active", "path": f"{storage.url('b1000')}/{name}", "bwlimit": 500}
    world.write(
        {
            "global": {"mark_wait": 1},
            "dest:near": world.store("near"),
            "dest:far": {**far, "mark_path": f"{mark_path}/{name}"},
            # The worker waits for the commit of each step, so that a slow machine has them all.
            "job:etc": world.push(type="sync", dest="near& far", pre="true", post="true"),
        }
    )


def told(world: World, storage: Daemon) -> Iterator[tuple[str, mark.Mark, Path]]:
    """The destinations, their marks, and their trees."""
    name = world.root.name
    near = world.root / "near"
    far = storage.module("b1000-marks") / name, storage.module("b1000") / name
    for destination, (marks, trees) in {"near": (near, near), "far": far}.items():
        content = (marks / "etc/client.b1k").read_bytes()
        yield destination, mark.parse(content, "etc/client"), trees / "etc/client"


def survive(root: Path, storage: Daemon, kind: str, number: int, mark_path: str) -> bool:
    """One point; False where it lies beyond the last commit."""
    world, old = prepare(root / f"{kind}{number}", storage, mark_path)
    ended = run_struck(world, kind, number, "after")
    for name, found, there in told(world, storage):
        if found.complete:
            (run,) = (each for each in all_runs(world) if each.first_uid == found.run)
            (copy,) = (each for each in run.copies if each.destination == name)
            assert copy.complete, f"{kind} {number}: {there} is marked early"
            # What was struck may have left temporary files, which begin with a dot.
            now = {file: content for file, content in tree(there).items() if file[0] != "."}
            right = old if run.run_id == 1 else tree(world.source)
            assert now == right, f"{kind} {number}: {there} is not what its mark says"
    write(world, storage, storage.url("b1000-marks"))
    assert world.b1000("--copy").returncode in (0, 1)
    done = world.b1000()
    assert done.returncode == 0, done.stdout + done.stderr
    last = max(all_runs(world), key=lambda run: run.run_id)
    for _, found, _ in told(world, storage):
        assert (found.complete, found.run) == (True, last.first_uid), f"{kind} {number}"
    return ended != BEYOND


def struck(root: Path, storage: Daemon, points: list[tuple[str, int]], mark_path: str) -> int:
    """How many of the points there are."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = (pool.submit(survive, root, storage, *point, mark_path) for point in points)
        return sum(each.result() for each in tuple(found))


@pytest.mark.parametrize(
    "points", [SAMPLE, pytest.param(ALL, marks=pytest.mark.exhaustive)], ids=["some", "all"]
)
def test_a_mark_never_says_more_than_is_there(
    tmp_path: Path, daemon: Callable[..., Daemon], points: list[tuple[str, int]]
) -> None:
    storage = daemon({"b1000": "", "b1000-marks": ""})
    assert struck(tmp_path, storage, points, storage.url("b1000-marks")) >= len(SAMPLE)


def test_nor_where_the_storage_is_down_for_marks(
    tmp_path: Path, daemon: Callable[..., Daemon]
) -> None:
    storage = daemon({"b1000": "", "b1000-marks": ""})
    assert struck(tmp_path, storage, SAMPLE[::4], "rsync://127.0.0.1:1/b1000-marks")
