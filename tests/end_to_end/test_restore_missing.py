"""b1000 restore and list where the newest backup has gone: with its whole disk, or alone."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.hosts import Host
from tests.support.world import World, tree


def older_at_two(world: World, one: Path | str, **job: object) -> None:
    """The last backup lies at ``one`` alone, the one before at ``two``."""
    sections: dict[str, dict[str, object]] = {
        "dest:one": {"type": "active", "path": one},
        "dest:two": {"type": "active", "path": world.root / "two"},
        "report:central": {"type": "sqlite", "path": world.root / "central.sqlite3"},
    }
    for name, where in (("old", "two"), ("new", "one")):
        (world.source / "which").write_text(name)
        world.write({**sections, "job:etc": world.push(dest=where, **job)})
        done = world.b1000()
        assert done.returncode == 0, done.stderr
        time.sleep(1.1)
    world.write({**sections, "job:etc": world.push(dest="one two", **job)})


def restored(world: World, code: int, *words: str) -> tuple[str, str]:
    """What came, and what was told."""
    to = world.root / "to"
    shutil.rmtree(to, ignore_errors=True)
    done = world.b1000("restore", "etc", "--to", str(to), *words)
    assert done.returncode == code, done.stderr
    return ((to / "which").read_text() if to.exists() else ""), done.stderr


def is_a_storage_that_does_not_answer(world: World, path: Path | str) -> None:
    came, told = restored(world, 2)
    assert not came
    assert f"{path} is empty, and was not; is its disk mounted?" in told
    assert "destination one has a newer one" in told
    assert f"the newest backup that can be reached is {world.root}/two/etc/" in told
    came, told = restored(world, 3, "--any")
    assert (came, "destination one has a newer one" in told) == ("old", True)
    assert "missing" not in told
    assert "destination one has a newer one" in restored(world, 3, "--from", "two")[1]
    done = world.b1000("list", "etc")
    assert done.returncode == 1
    assert f"one could not be asked: {path} is empty, and was not" in done.stderr
    assert "complete" in done.stdout, "the rest is shown"
    _, told = restored(world, 1, "--from", "one")
    assert "is known to be bad" not in told
    assert "is its disk mounted?" in told


@pytest.mark.parametrize("kind", ["full", "sync"])
@pytest.mark.parametrize("left", [(), ("lost+found",)])
def test_a_root_that_was_emptied_counts_as_a_storage_that_does_not_answer(
    world: World, kind: str, left: tuple[str, ...]
) -> None:
    one = world.root / "one"
    older_at_two(world, one, type=kind)
    one.rename(world.root / "unmounted")
    one.mkdir()
    for name in left:
        (one / name).mkdir(mode=0o700)
    is_a_storage_that_does_not_answer(world, one)
    shutil.rmtree(one)
    (world.root / "unmounted").rename(one)
    assert restored(world, 0)[0] == "new"


def test_an_emptied_module_does_so_too(world: World, daemon: Callable[..., Daemon]) -> None:
    there = daemon({"b": ""})
    older_at_two(world, there.url("b"))
    shutil.move(there.module("b") / "etc", world.root / "unmounted")
    is_a_storage_that_does_not_answer(world, there.url("b"))
    done = world.b1000("verify", "--dest", "one")
    assert done.returncode == 3
    assert "is empty, and was not" in done.stderr
    # With a job of others in it its disk is there.
    (there.module("b") / "other").mkdir()
    assert world.b1000("verify", "--dest", "one").returncode == 0
    came, told = restored(world, 3)
    assert (came, "a newer one, of " in told) == ("old", True)


def test_databases_know_what_an_empty_root_had_where_the_journal_is_lost(world: World) -> None:
    one = world.root / "one"
    older_at_two(world, one, report="main, central")
    shutil.rmtree(world.status_dir)
    one.rename(world.root / "unmounted")
    one.mkdir()
    assert "destination one has a newer one" in restored(world, 2)[1]
    assert restored(world, 3, "--any")[0] == "old"


def test_an_empty_store_is_told(world: World) -> None:
    """Nothing on this host tells what was there, as where it does not answer."""
    older_at_two(world, world.root / "one")
    store = {"type": "store", "path": world.root / "clients" / "*"}
    two = {"type": "active", "path": world.root / "two"}
    world.write({"job:etc": world.push(dest="two"), "dest:two": two, "dest:kept": store})
    (world.root / "clients").mkdir()
    (world.root / "one").rename(world.root / "clients" / "web1")
    assert world.b1000("verify").returncode == 0
    assert restored(world, 2, "--from", "nowhere")[0] == ""
    (world.root / "clients").rename(world.root / "unmounted")
    (world.root / "clients" / "lost+found").mkdir(parents=True)
    came, told = restored(world, 0)
    assert came == "old"
    assert "destination kept does not answer" in told
    assert "is empty, and was not" in told


def test_one_that_was_removed_by_hand_is_told_with_its_exit_code(world: World) -> None:
    one = world.root / "one"
    older_at_two(world, one)
    (gone,) = one.glob("etc/*/*/")
    for each in (gone, Path(f"{gone}.b1k")):
        each.rename(world.root / each.name)
    came, told = restored(world, 3)
    assert came == "old"
    assert f"is missing: {gone}" in told
    assert world.b1000("list", "etc").returncode == 0
    _, told = restored(world, 1, "--at", "2026-01-01")
    assert "is missing" not in told, "it had not begun then"


def test_what_prune_removed_is_not_missing(world: World) -> None:
    """Neither where it was the newest of its group."""
    one = world.root / "one"
    older_at_two(world, one)
    world.write(
        {
            "dest:one": {"type": "active", "path": one, "keep": "all 7d"},
            "dest:two": {"type": "active", "path": world.root / "two"},
            "job:etc": world.push(dest="one two"),
        }
    )
    done = world.b1000("prune", "--gone", "etc/client", "--more")
    assert done.returncode == 0, done.stderr
    assert not list(one.glob("etc/*/*"))
    came, told = restored(world, 0)
    assert (came, told) == ("old", "")
    assert tree(world.root / "to") == {"which": b"old"}


def test_what_another_host_has_pruned_databases_tell(
    world: World, daemon: Callable[..., Daemon]
) -> None:
    there = daemon({"b": ""})
    older_at_two(world, there.url("b"), report="main, central")
    (pruned,) = there.module("b").glob("etc/*/*/")
    assert world.b1000().returncode == 0
    central = {"type": "sqlite", "path": world.root / "central.sqlite3"}
    rules = {"keep": "last 1", "keep_least": 1, "prune_most": "100%"}
    storage = Host(world.root / "storage", "backup-1")
    storage.write(
        {
            "global": {"host": "backup-1", "report_wait_end": 60},
            "report:central": central,
            "dest:kept": {
                "type": "store",
                "path": there.module("b"),
                "report": "central",
                **rules,
            },
        }
    )
    assert storage.b1000("verify", "--count").returncode == 0
    started = json.loads(world.b1000("list", "--dest", "one", "--json").stdout)["backups"][0]
    at = ("--at", started["started"])
    assert restored(world, 0, *at)[0] == "new"
    assert storage.b1000("prune").returncode == 0
    assert not pruned.exists()
    assert restored(world, 0, *at) == ("old", "")
    # Nobody tells that it was pruned where no database does.
    world.config.write_text(
        world.config.read_text()
        .replace("report = main, central", "report = main")
        .replace(str(central["path"]), str(world.root / "another.sqlite3"))
    )
    came, told = restored(world, 3, *at)
    assert (came, "is missing" in told) == ("old", True)


def test_where_all_are_missing_no_word_of_bad_ones(world: World) -> None:
    one = world.root / "one"
    world.files()
    world.write({"dest:one": {"type": "active", "path": one}, "job:etc": world.push(dest="one")})
    assert world.b1000().returncode == 0
    (gone,) = one.glob("etc/*/*/")
    shutil.rmtree(gone)
    Path(f"{gone}.b1k").unlink()
    _, told = restored(world, 1)
    assert "known to be bad" not in told
    assert f"{gone}, of " in told
    assert "is missing" in told
