"""`b1000 verify --dest` at a storage without B1000: rsync's own checksums are what is compared."""

import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from b1000.b1k.mark import Counts
from tests.support.daemon import Daemon
from tests.support.stored import a_mark, put
from tests.support.world import World

MakeDaemon = Callable[..., Daemon]
TODAY = datetime.now().replace(microsecond=0) - timedelta(hours=2)
DAY = timedelta(days=1)
ODD = [b"new\nline", b"re\rturn\r", b"\xff", b" lead", b"back\\#012slash", b"-dash"]


@pytest.fixture
def module(world: World, daemon: MakeDaemon) -> Path:
    """The module of a destination."""
    there = daemon({"b": ""})
    store = {"type": "active", "path": there.url("b")}
    world.write({"dest:far": store, "job:etc": world.push(dest="far")})
    return there.module("b")


def verify(world: World, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the answer."""
    done = world.b1000("verify", "--json", "--dest", "far", *words)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def kinds(answer: dict[str, Any]) -> set[tuple[str, str]]:
    """Which backups, by their names, have which findings."""
    return {(Path(each["path"]).name, each["kind"]) for each in answer["findings"]}


def flip(path: Path) -> None:
    """Flip a bit of a file that keeps its time."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_what_has_changed_there_is_bad(world: World, module: Path) -> None:
    older = put(module, a_mark(host="client", when=TODAY - DAY))
    path = put(module, a_mark(host="client", when=TODAY, counts=Counts(files=len(ODD) + 1)))
    for name in ODD:
        Path(os.fsdecode(os.fsencode(path) + b"/" + name)).write_text("content")
    (path / "link").symlink_to("file")
    code, answer = verify(world)
    assert (code, answer["read"], answer["findings"]) == (0, 2, [])
    assert answer["bytes"] == 2 * 4 + len(ODD) * 7
    assert verify(world)[0] == 0
    bad = Path(os.fsdecode(os.fsencode(path) + b"/" + ODD[0]))
    flip(bad)
    (path / "file").unlink()
    for _ in range(2):
        code, answer = verify(world)
        assert (code, kinds(answer)) == (1, {(path.name, "bad"), (path.name, "short")})
        (text,) = [each["text"] for each in answer["findings"] if each["kind"] == "bad"]
        assert "2 files are wrong: file (gone), new\\nline" in text
    # Nothing is written there.
    assert bad.exists()
    listed = json.loads(world.b1000("list", "--json").stdout)["backups"]
    found = {Path(each["path"]).name: (each["bad"], bool(each["read"])) for each in listed}
    assert found == {older.name: (False, True), path.name: (True, False)}


def test_a_sync_there_may_have_changed(world: World, module: Path) -> None:
    path = put(module, a_mark(host="client", when=TODAY, kind="sync"))
    (path / "still").write_text("still")
    assert verify(world)[0] == 0
    (path / "file").write_text("other")
    (path / "new").write_text("new")
    assert verify(world)[:2][0] == 0
    flip(path / "still")
    code, answer = verify(world)
    assert code == 1
    assert kinds(answer) == {(path.name, "bad")}


def test_a_daemon_that_is_away_and_what_it_cannot_read(world: World, daemon: MakeDaemon) -> None:
    nobody = "use chroot = yes\nuid = nobody\ngid = nogroup\n"
    there = daemon({"b": nobody})
    job = {"job:etc": world.push(dest="far")}
    world.write({"dest:far": {"type": "active", "path": there.url("b")}, **job})
    path = put(there.module("b"), a_mark(host="client", when=TODAY, counts=Counts(files=2)))
    (path / "closed").write_text("closed")
    assert verify(world)[0] == 0
    (path / "closed").chmod(0)
    code, answer = verify(world)
    assert (code, kinds(answer)) == (1, {(path.name, "unread")})
    assert "closed: rsync could not read it" in answer["findings"][0]["text"]
    (path / "closed").chmod(0o644)
    (path / "below").mkdir(mode=0)
    assert "Permission denied" in verify(world)[1]["findings"][0]["text"]
    (path / "below").rmdir()
    assert verify(world)[0] == 0
    done = world.b1000("verify", "--dest", "far", "--count")
    assert done.returncode == 2
    assert "its files are counted when read" in done.stderr
    # One that is not named is not asked.
    world.write({"dest:far": {"type": "active", "path": "rsync://127.0.0.1:1/b"}, **job})
    assert world.b1000("verify").returncode == 0
    code, answer = verify(world)
    assert (code, answer["away"]) == (3, ["far"])


def test_what_is_read_elsewhere_is_called_by_its_path(world: World, module: Path) -> None:
    path = put(module, a_mark(host="client", when=TODAY, counts=Counts(files=2)))
    there = world.config.read_text().split("path = rsync://")[1].split("\n")[0]
    _, port, name = there.replace(":", "/").split("/")
    store = {"type": "active", "path": f"rsync://localhost:{port}/{name}"}
    store["restore_path"] = f"rsync://{there}"
    world.write({"dest:far": store, "job:etc": world.push(dest="far")})
    code, answer = verify(world)
    listed = json.loads(world.b1000("list", "--json").stdout)["backups"]
    assert code == 1
    assert [each["path"] for each in answer["findings"]] == [each["path"] for each in listed]
    assert listed[0]["path"] == f"{store['path']}/{path.relative_to(module)}"


def test_what_took_all_the_time_there_comes_after_the_others(world: World, module: Path) -> None:
    older = put(module, a_mark(host="client", when=TODAY - DAY))
    sparse = put(module, a_mark(host="client", when=TODAY))
    with (sparse / "hole").open("wb") as file:
        file.truncate(1 << 42)
    for _ in range(10):
        code, answer = verify(world, "--for", "4s")
        assert code == 3
        if answer["read"]:
            break
    listed = json.loads(world.b1000("list", "--all", "--json").stdout)["backups"]
    assert [each["path"].endswith(older.name) for each in listed if each["read"]] == [True]
