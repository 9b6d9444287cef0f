"""b1000 list: real trees, what the journal knows of them, and what people see."""

import json
import os
import shutil
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.stored import NIGHT, a_mark, identify, put
from tests.support.terminal import Terminal
from tests.support.world import World

KEYS = [
    "destination", "path", "job", "instance", "host", "master_host", "master_instance", "started",
    "type", "state", "bytes", "files", "counted", "read", "restored", "bad", "kept_by",
    "protected",
]  # fmt: skip


def listed(world: World, *words: str, code: int = 0) -> list[dict[str, Any]]:
    done = world.b1000("list", "--json", *words)
    assert done.returncode == code, done.stderr
    found = json.loads(done.stdout)
    assert found["format"] == 1
    assert list(found) == ["format", "backups"]
    for each in found["backups"]:
        assert list(each) == KEYS
    backups: list[dict[str, Any]] = found["backups"]
    return backups


def store(world: World, **options: object) -> Path:
    """A store with two clients' trees."""
    world.write({"dest:atm": {"type": "store", "path": world.root / "srv" / "*", **options}})
    root = world.root / "srv"
    for number in range(3):
        put(root / "web1", a_mark(when=NIGHT + timedelta(days=number)))
    put(root / "db1", a_mark("mysqldb", "db1", "3306", master=("db2", "3307")))
    return root


def test_a_store_lists_what_clients_pushed(world: World) -> None:
    root = store(world)
    found = listed(world)
    assert [(each["job"], each["instance"], each["host"]) for each in found] == [
        ("etc", "", "web1"), ("etc", "", "web1"), ("etc", "", "web1"), ("mysqldb", "3306", "db1"),
    ]  # fmt: skip
    last = found[-1]
    assert last["path"] == str(
        root / "db1" / a_mark("mysqldb", "db1", "3306", master=("db2", "3307")).directory
    )
    assert (last["master_host"], last["master_instance"]) == ("db2", "3307")
    assert (last["destination"], last["type"], last["state"]) == ("atm", "full", "complete")
    assert (last["bytes"], last["files"], last["bad"], last["protected"]) == (4, 1, False, False)
    assert (last["counted"], last["read"], last["restored"]) == (None, None, None)
    assert last["started"][:19] == "2026-11-22T01:00:00"


def test_words_and_options_say_which(world: World) -> None:
    store(world)
    assert len(listed(world, "etc")) == 3
    assert len(listed(world, "mysqldb/3306")) == 1
    assert len(listed(world, "--host", "db1")) == 1
    assert len(listed(world, "--at", "2026-11-23")) == 3
    assert len(listed(world, "--at", "2026-11-23 00:30", "etc")) == 1
    assert listed(world, "mysqldb/3307", code=1) == []
    strange = world.b1000("list", "nosuch")
    assert strange.returncode == 1
    assert "nothing was found; there are backups of etc/" in strange.stderr
    assert listed(world, "--at", "2026-11-21", code=1) == []
    done = world.b1000("list", "--dest", "amt")
    assert done.returncode == 2
    assert "there is no destination 'amt'; did you mean 'atm'?" in done.stderr
    done = world.b1000("list", "--at", "yesterday")
    assert done.returncode == 2
    assert "'yesterday' is no time" in done.stderr


def test_what_a_run_pushed_is_complete_and_what_is_gone_is_missing(world: World) -> None:
    world.files()
    world.write({"job:etc": world.push(), "dest:store": world.store()})
    assert world.b1000().returncode == 0
    (backup,) = listed(world)
    assert (backup["state"], backup["host"], backup["destination"]) == (
        "complete",
        "client",
        "store",
    )
    directory = Path(backup["path"])
    assert directory.is_dir()
    directory.rename(world.root / "elsewhere")
    (gone,) = listed(world)
    assert (gone["state"], gone["path"]) == ("missing", backup["path"])
    # One without a mark that is older than the id of the root would be legacy.
    soon = datetime.now() + timedelta(hours=1)
    put(world.root / "store", a_mark("strange", "client", when=soon), marked=False)
    assert [each["state"] for each in listed(world)] == ["missing", "unknown"]


def test_without_a_journal_databases_say_what_is_missing(world: World) -> None:
    world.files()
    central = world.root / "central.sqlite3"
    world.write(
        {
            "job:etc": world.push(report="main, central"),
            "job:tree": world.push(report="main, central", type="sync"),
            "dest:store": world.store(),
            "report:central": {"type": "sqlite", "path": central},
        }
    )
    for _ in range(2):
        assert world.b1000().returncode == 0
    shutil.rmtree(world.status_dir)
    there = listed(world)
    assert [each["state"] for each in there] == ["complete"] * 3
    gone, kept, tree = there
    for each in (gone, tree):
        shutil.rmtree(each["path"])
        Path(f"{each['path']}.b1k").unlink()
    found = listed(world)
    assert [each["state"] for each in found] == ["missing", "complete", "missing"]
    for key in ("path", "job", "host", "destination", "type", "bytes", "files"):
        assert [each[key] for each in found] == [each[key] for each in there]
    assert [each["path"] for each in listed(world, "etc")] == [gone["path"], kept["path"]]
    # What lies there is no more than what is seen there.
    Path(f"{kept['path']}.b1k").unlink()
    assert [each["state"] for each in listed(world, "etc")] == ["missing", "unfinished"]
    central.write_text("nothing of a database")
    done = world.b1000("list", "etc")
    assert (done.returncode, done.stdout.count("unfinished")) == (0, 1)
    assert "missing" not in done.stdout
    assert done.stderr.count("report central is not asked which backups are missing: ") == 1


def test_groups_that_are_not_configured_any_more_take_all(world: World) -> None:
    world.write({"job:etc": world.push(), "dest:store": world.store()})
    put(world.root / "store", a_mark("etc"))
    put(world.root / "store", a_mark("old"))
    assert [each["job"] for each in listed(world)] == ["etc"]
    assert [each["job"] for each in listed(world, "--all")] == ["etc", "old"]
    assert [each["job"] for each in listed(world, "old")] == ["old"]


def test_a_storage_that_is_away_is_named_and_the_rest_shown(world: World) -> None:
    root = store(world)
    with world.config.open("a") as config:
        config.write(f"\n[dest:usb]\ntype = store\npath = {world.root}/none\n")
    done = world.b1000("list")
    assert done.returncode == 1
    assert f"usb could not be asked: {world.root}/none: No such file or directory" in done.stderr
    assert done.stdout.count("complete") == 4
    assert root.is_dir()


def test_states_by_marks_names_and_the_id_of_the_root(world: World) -> None:
    root = store(world) / "web1"
    identify(root, NIGHT - timedelta(days=1))
    put(root, a_mark(when=NIGHT - timedelta(days=2)), marked=False)
    directory = put(root, a_mark(when=NIGHT + timedelta(days=5)), marked=False)
    Path(f"{directory}.keep").touch()
    found = listed(world, "etc")
    assert [each["state"] for each in found] == ["legacy", *["complete"] * 3, "unfinished"]
    assert [each["protected"] for each in found] == [*[False] * 4, True]


def test_the_rules_that_keep_a_backup_are_told(world: World) -> None:
    store(world, keep="last 1", keep_least=1)
    found = listed(world, "etc")
    assert [bool(each["kept_by"]) for each in found] == [False, False, True]
    assert "last 1" in found[-1]["kept_by"]


@pytest.mark.parametrize("width", [80, 200])
def test_a_terminal_is_never_too_narrow(world: World, width: int) -> None:
    store(world, keep="all 7d, daily 5w, monthly 13m")
    argv = [sys.executable, "-m", "b1000", "-f", str(world.config), "list"]
    terminal = Terminal(argv, {}, columns=width)
    assert terminal.finish() == 0
    lines = terminal.raw.decode().replace("\r", "").rstrip("\n").split("\n")
    assert max(map(len, lines)) <= width
    backups = [line for line in lines if line.startswith("2026-")]
    assert len(backups) == 4
    assert all(" complete" in line for line in backups)
    assert any(line.startswith("2026-11-22 01:00  mysqldb/3306  db1") for line in lines)
    assert sum("daily 5w" in line for line in lines) == 4
    assert (len(lines) == 5) is (width == 200)


def test_a_pipe_gets_a_line_for_each(world: World) -> None:
    store(world, keep="all 7d, daily 5w, monthly 13m")
    done = world.b1000("list")
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    assert lines[0].split() == [
        "STARTED", "JOB", "HOST", "DEST", "SIZE", "FILES", "STATE", "WITNESSES", "KEPT", "BY",
    ]  # fmt: skip
    assert lines[-1].split()[:4] == ["2026-11-22", "01:00", "mysqldb/3306", "db1"]


def test_files_are_found_and_equal_versions_folded(world: World) -> None:
    root = store(world) / "web1"
    backups = sorted((root / "etc").glob("*/*Nov*")) or sorted(
        path for path in (root / "etc").glob("*/*") if path.is_dir()
    )
    names = [b"-x", b"new\nline", b"caf\xe9", b"hosts"]
    for number, backup in enumerate(backups):
        (backup / "sub").mkdir()
        for name in names:
            path = os.path.join(os.fsencode(backup / "sub"), name)
            Path(os.fsdecode(path)).write_text("changed" if number == 2 else "same")
            os.utime(path, (1_700_000_000 + (number == 2), 1_700_000_000 + (number == 2)))
    done = world.b1000("list", "--json", "--files", "hosts")
    found = json.loads(done.stdout)["files"]
    assert [(each["path"], each["size"], len(each["backups"])) for each in found] == [
        ("sub/hosts", 4, 2),
        ("sub/hosts", 7, 1),
    ]
    done = world.b1000("list", "--json", "--files", "/sub/hosts")
    assert len(json.loads(done.stdout)["files"]) == 2
    for name in names:
        done = world.b1000("list", "--json", f"--files={os.fsdecode(name)}")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)["files"]
        assert {os.fsencode(each["path"]) for each in found} == {b"sub/" + name}
    done = world.b1000("list", "--files", "-x", "--json")
    assert [each["path"] for each in json.loads(done.stdout)["files"]] == ["sub/-x"] * 2
    done = world.b1000("list", "--files", "--json")
    assert (done.returncode, "expected one argument" in done.stderr) == (2, True)
    done = world.b1000("list", "--files", "sub/*")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1 + 2 * len(names)
    assert "\\n" in done.stdout
    done = world.b1000("list", "--files", "nothing")
    assert (done.returncode, done.stdout) == (1, "")
