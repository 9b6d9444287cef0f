"""What its storage has told a database to be bad is known to be so at its client, too."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import Daemon
from tests.support.database import Database, Schema
from tests.support.hosts import Host
from tests.support.world import World, tree


@pytest.fixture
def two(
    world: World, daemon: Callable[..., Daemon], database_server: Database
) -> tuple[World, Path, Path]:
    """A client with two backups at a daemon, of which the later one rots there."""
    there = daemon({"b": ""})
    report = Schema(database_server).report()
    world.files()
    world.write(
        {
            "report:central": report,
            "dest:far": {"type": "active", "path": there.url("b")},
            "job:etc": world.push(dest="far", report="main, central"),
        }
    )
    for _ in range(2):
        assert world.b1000().returncode == 0
        time.sleep(1.1)
    good, bad = sorted(there.module("b").glob("etc/*/*/"))
    storage = Host(world.root / "storage", "backup-1")
    storage.write(
        {
            "global": {"host": "backup-1", "report_wait_end": 60},
            "report:central": report,
            "dest:kept": {
                "type": "store",
                "path": there.module("b"),
                "report": "central",
                "quarantine": "no",
            },
        }
    )
    assert storage.b1000("verify", "--all").returncode == 0
    status = (bad / "file1").stat()
    (bad / "file1").write_bytes(b"C" + (bad / "file1").read_bytes()[1:])
    os.utime(bad / "file1", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert storage.b1000("verify", "--all").returncode == 1
    return world, good, bad


def restored(world: World, to: str, code: int, *words: str) -> dict[str, Any]:
    done = world.b1000("restore", "etc", "--to", str(world.root / to), "--json", *words)
    assert done.returncode == code, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_it_is_passed_over_and_restored_on_purpose_alone(
    two: tuple[World, Path, Path], database_server: Database
) -> None:
    world, good, bad = two
    answer = restored(world, "to", 0)
    assert answer["choice"]["path"].endswith(f"/{good.name}")
    (why,) = answer["passed_over"]
    assert f"{bad.name} is passed over: known to be bad: " in why
    assert "file1" in why
    assert "(as backup-1 told a database)" in why
    # By its name, and on purpose.
    started = json.loads(world.b1000("list", "etc", "--json").stdout)["backups"][-1]["started"]
    named = ("--at", started)
    assert restored(world, "older", 0, *named)["choice"]["path"].endswith(f"/{good.name}")
    answer = restored(world, "bad", 1, *named, "--any")
    assert answer["differing"] == ["file1"], "the list tells, whose hash the database knows"
    assert answer["choice"]["path"].endswith(f"/{bad.name}")
    assert "which is restored, is known to be bad" in answer["older"]
    assert tree(world.root / "bad") == tree(bad)
    # Where there is no other.
    Path(f"{good}.b1k").unlink()
    good.rename(f"{good}.old")
    answer = restored(world, "none", 1)
    assert not (world.root / "none").exists()
    done = world.b1000("restore", "etc", "--to", str(world.root / "none"))
    assert "is known to be bad" in done.stderr
    assert "--any restores it" in done.stderr
    assert restored(world, "all", 1, "--any")["older"].count("known to be bad") == 1
    # Where the list is gone nothing else can tell.
    Path(f"{bad}.sha256.gz").unlink()
    assert restored(world, "unlisted", 3, "--any")["differing"] == []
    # Nobody waits for what only a database knows.
    database_server.stop()
    try:
        done = world.b1000("restore", "etc", "--to", str(world.root / "down"))
    finally:
        database_server.start()
    assert done.returncode == 0, done.stderr
    assert "report central is not asked which backups are known to be bad" in done.stderr
