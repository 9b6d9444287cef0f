"""How `b1000 verify` reads: shared inodes once, on where it was, and never more than it read."""

import gzip
import hashlib
import json
import os
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from b1000.b1k.mark import Counts
from b1000.verify.reading import OutOfTime, Pace, files
from b1000.verify.tree import Tree
from tests.support.preloaded import LyingSystem
from tests.support.stored import a_mark, identify, put
from tests.support.world import World, wait_until

TODAY = datetime.now().replace(microsecond=0) - timedelta(hours=2)
DAY = timedelta(days=1)


def verify(world: World, *words: str, **lie: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the answer."""
    done = world.b1000("verify", "--json", *words, environment=lie)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def kinds(answer: dict[str, Any]) -> set[tuple[str, str]]:
    """Which backups, by their names, have which findings."""
    return {(Path(each["path"]).name, each["kind"]) for each in answer["findings"]}


def listed(world: World) -> dict[str, Any]:
    """What list says, by the names of backups."""
    found = json.loads(world.b1000("list", "--all", "--json").stdout)["backups"]
    return {Path(each["path"]).name: each for each in found}


def lines(path: Path) -> list[bytes]:
    """Those of the list of sums of a backup."""
    return gzip.decompress(Path(f"{path}.sha256.gz").read_bytes()).splitlines()


def checked(path: Path) -> None:
    """Let coreutils check it."""
    data = b"".join(each + b"\n" for each in lines(path))
    subprocess.run(["sha256sum", "-c", "--strict", "--quiet"], input=data, cwd=path, check=True)


def flip(path: Path) -> None:
    """Flip a bit of a file that keeps its time."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    with path.open("r+b") as file:
        file.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def chain(root: Path, number: int, size: int = 5000) -> list[Path]:
    """Fulls, oldest first, that share one file and have one each of their own."""
    fulls: list[Path] = []
    for ago in range(number - 1, -1, -1):
        path = put(root, a_mark(when=TODAY - ago * DAY, counts=Counts(files=2)))
        if fulls:
            os.link(fulls[-1] / "shared", path / "shared")
        else:
            (path / "shared").write_bytes(bytes(size))
        fulls.append(path)
    return fulls


def test_an_inode_of_thirty_backups_is_read_once_and_all_are_named(
    world: World, root: Path
) -> None:
    fulls = chain(root, 30)
    code, answer = verify(world)
    assert (code, answer["read"], answer["bytes"]) == (0, 30, 5000 + 30 * 4)
    flip(fulls[3] / "shared")
    code, answer = verify(world, "--all")
    # The file was read twice, since it differs.
    assert (code, answer["bytes"]) == (1, 5000 + 30 * 4)
    assert {name for name, kind in kinds(answer) if kind == "bad"} == {p.name for p in fulls}
    assert all(each["bad"] for each in listed(world).values())
    assert (fulls[-1] / "shared.b1000-corrupt").exists()
    assert (fulls[3] / "shared").exists()


def test_names_of_an_inode_that_are_far_apart_are_read_once(world: World, root: Path) -> None:
    older = put(root, a_mark(when=TODAY - DAY, counts=Counts(files=2504)))
    newest = put(root, a_mark(when=TODAY, counts=Counts(files=2504)))
    for number in range(2500):
        (older / f"{number:04}").write_bytes(b"%d" % number)
        os.link(older / f"{number:04}", newest / f"{number:04}")
    # When the later ones are found the first one was read long ago.
    for name in ("-first", "0800 too", "last"):
        for path in (older, newest):
            (path / name).hardlink_to(older / "0000")
    code, answer = verify(world)
    whole = sum(len(b"%d" % number) for number in range(2500)) + 2 * 4
    assert (code, answer["bytes"], answer["findings"]) == (0, whole, [])
    for path in (older, newest):
        checked(path)
        assert len(lines(path)) == 2504
    flip(older / "0000")
    code, answer = verify(world, "--all")
    assert {name for name, kind in kinds(answer) if kind == "bad"} == {older.name, newest.name}
    assert "4 files are wrong: -first, 0000, 0800 too, last" in answer["findings"][0]["text"]


def test_a_first_reading_asks_the_lists_of_those_that_share_its_files(
    world: World, root: Path
) -> None:
    older, middle = chain(root, 2)
    newest = put(root, a_mark(when=TODAY + timedelta(hours=1), counts=Counts(files=2)))
    os.link(middle / "shared", newest / "shared")
    os.rename(newest, root / "later")
    mark = Path(f"{newest}.b1k").rename(root / "later.b1k")
    assert verify(world)[0] == 0
    flip(older / "shared")
    (root / "later").rename(newest)
    mark.rename(f"{newest}.b1k")
    # The newest has no list of its own, and the file was wrong before it was read first.
    code, answer = verify(world, "--all")
    assert code == 1
    assert {name for name, kind in kinds(answer) if kind == "bad"} == {
        older.name, middle.name, newest.name,
    }  # fmt: skip
    line = next(each for each in lines(newest) if each.endswith(b"  shared"))
    assert line[:64].decode() == hashlib.sha256(bytes(5000)).hexdigest()


def test_what_cannot_be_read_is_never_verified(world: World, root: Path) -> None:
    path = put(root, a_mark(when=TODAY, counts=Counts(files=4)))
    (path / "sub").mkdir()
    (path / "sub" / "in").write_text("in")
    (path / "other").write_text("other")
    os.link(path / "other", path / "other too")
    system = LyingSystem(world.root)
    for what in (path / "other", path / "sub"):
        code, answer = verify(world, **system.of(what, "refused"))
        assert (code, answer["read"], kinds(answer)) == (1, 0, {(path.name, "unread")})
        assert f"{what}: Permission denied" in answer["findings"][0]["text"]
        each = listed(world)[path.name]
        assert each["read"] is None
        assert not each["bad"]
        assert f"unread: {what}" in world.b1000("list", "--all").stdout
        assert not Path(f"{path}.sha256.gz").exists()
    # All was read by then, if not at once.
    code, answer = verify(world)
    assert (code, answer["bytes"]) == (0, 0)
    assert listed(world)[path.name]["read"]
    assert "unread" not in world.b1000("list", "--all").stdout
    # Its other name was not tried, and is not said to be gone.
    code, answer = verify(world, "--all", **system.of(path / "other", "refused"))
    assert (code, kinds(answer)) == (1, {(path.name, "unread")})
    assert verify(world, "--all")[0] == 0
    # A file that the disk has lost is bad.
    code, answer = verify(world, "--all", **system.of(path / "file", "broken"))
    assert (code, kinds(answer) - {(path.name, "word")}) == (1, {(path.name, "bad")})
    assert (path / "file.b1000-corrupt").exists()


def test_a_reader_that_lies_once_is_no_rot(world: World, root: Path) -> None:
    path = put(root, a_mark(when=TODAY))
    assert verify(world)[0] == 0
    lie = LyingSystem(world.root).of(path / "file", "once")
    code, answer = verify(world, "--all", **lie)
    assert (code, kinds(answer)) == (0, {(path.name, "unstable")})
    assert "unstable reads (memory?)" in answer["findings"][0]["text"]
    assert not listed(world)[path.name]["bad"]
    assert (path / "file").exists()
    assert verify(world, "--all")[1]["findings"] == []


def test_it_goes_on_where_it_was_killed(world: World, root: Path) -> None:
    path = put(root, a_mark(when=TODAY, counts=Counts(files=201)))
    for number in range(200):
        (path / f"{number}").write_bytes(os.urandom(1000))
    slow = {"type": "store", "path": root, "verify": "1d", "verify_rate": "20k"}
    world.write({"dest:kept": slow})
    notes = world.status_dir / "reading"

    def noted() -> int:
        return sum(each.stat().st_size for each in notes.iterdir()) if notes.is_dir() else 0

    for more in range(2000, 12_000, 5000):
        process = world.start("verify")
        wait_until(lambda more=more: noted() > more)  # type: ignore[misc]
        leader = psutil.Process(process.pid)
        readers = leader.children()
        for each in (leader, *readers):
            assert (each.nice(), each.ionice().ioclass) == (19, psutil.IOPRIO_CLASS_IDLE)
        for each in readers:
            assert os.sched_getscheduler(each.pid) == os.SCHED_IDLE
            assert os.getsid(each.pid) == each.pid != os.getsid(process.pid)
            group = Path(f"/proc/{each.pid}/autogroup")
            assert not group.exists() or group.read_text().endswith(" nice 19\n")
        process.kill()
        process.communicate()
        assert len(readers) == 2
        assert not psutil.wait_procs(readers, timeout=30)[1]
    world.write({"dest:kept": {**slow, "verify_rate": None}})
    code, answer = verify(world)
    assert (code, answer["read"]) == (0, 1)
    assert 0 < answer["bytes"] < 150_000
    checked(path)
    assert len(lines(path)) == 201
    assert not list(notes.iterdir())


def test_holes_modes_and_more_files(world: World, root: Path) -> None:
    path = put(root, a_mark(when=TODAY, counts=Counts(files=2)))
    with (path / "hole").open("wb") as file:
        file.truncate(1 << 22)
    assert verify(world)[0] == 0
    checked(path)
    (path / "hole").chmod(0o4711)
    (path / "more").write_text("more")
    code, answer = verify(world, "--all")
    assert (code, kinds(answer)) == (0, {(path.name, "word")})
    assert "has 1 file that it had not" in answer["findings"][0]["text"]
    # From now on it has a sum.
    flip(path / "more")
    code, answer = verify(world, "--all")
    assert (path.name, "bad") in kinds(answer)


def test_a_sparse_file_costs_the_time_of_its_client_alone(world: World) -> None:
    store = {"type": "store", "path": world.root / "srv" / "*", "verify": "30d"}
    world.write({"dest:kept": store})
    hostile, other = (world.root / "srv" / name for name in ("client-1", "client-2"))
    for each in (hostile, other):
        identify(each, TODAY - 100 * DAY)
    put(hostile, a_mark(host="one", when=TODAY - DAY))
    sparse = put(hostile, a_mark(host="one", when=TODAY, counts=Counts(files=3)))
    for name in ("a hole", "another"):
        with (sparse / name).open("wb") as file:
            file.truncate(1 << 42)
    put(other, a_mark(host="two", when=TODAY))

    def read_all_but_the_sparse() -> None:
        """Night by night what is due is read, whatever never comes to its end."""
        for _ in range(10):
            code, answer = verify(world, "--for", "4s")
            assert (code, answer["out_of_time"]) == (3, True)
            if {name for name, each in listed(world).items() if not each["read"]} == {sparse.name}:
                return
        raise AssertionError("others were not read")

    read_all_but_the_sparse()
    put(other, a_mark(host="two", when=TODAY + timedelta(hours=1)))
    read_all_but_the_sparse()


def test_a_sync_tree_is_held_against_its_last_reading(world: World, root: Path) -> None:
    path = put(root, a_mark(when=TODAY, kind="sync", counts=Counts(files=3)))
    for name in ("still", "changed"):
        (path / name).write_text("content")
    (path / "gone").write_text("x")
    assert verify(world)[0] == 0
    assert not Path(f"{path}.sha256.gz").exists()
    flip(path / "still")
    (path / "gone").unlink()
    (path / "new").write_text("content")
    (path / "changed.new").write_text("CONTENT")
    (path / "changed.new").rename(path / "changed")
    code, answer = verify(world, "--all")
    assert code == 1
    (bad,) = [each for each in answer["findings"] if each["kind"] == "bad"]
    assert "1 file is wrong: still" in bad["text"]
    assert (path / "still.b1000-corrupt").exists()
    assert listed(world)[path.name]["bad"]
    # It stays bad until the next run has sent the file again.
    assert verify(world, "--all")[0] == 1
    (path / "still").write_text("content")
    assert verify(world, "--all")[0] == 0
    assert not listed(world)[path.name]["bad"]


def test_what_a_sync_writes_meanwhile_is_not_judged(world: World, root: Path) -> None:
    path = put(root, a_mark(when=TODAY, kind="sync", counts=Counts(files=2)))
    (path / "big").write_bytes(bytes(200_000))
    slow = {"type": "store", "path": root, "verify": "1d", "verify_rate": "50k"}
    world.write({"dest:kept": slow})
    process = world.start("verify", "--json")

    def is_read() -> bool:
        return any(
            str(path / "big") in {each.path for each in reader.open_files()}
            for reader in psutil.Process(process.pid).children()
        )

    wait_until(is_read)
    with (path / "big").open("ab") as file:
        file.write(b"more")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    (finding,) = json.loads(out)["findings"]
    assert finding["text"] == "1 file could not be judged: written meanwhile"
    assert not listed(world)[path.name]["bad"]
    world.write({"dest:kept": {**slow, "verify_rate": None}})
    code, answer = verify(world, "--all")
    assert (code, answer["findings"]) == (0, [])


def test_other_storages_with_the_same_run_are_named(world: World, root: Path) -> None:
    other = world.root / "other"
    identify(other, TODAY - 100 * DAY)
    store = {"type": "store", "path": root, "verify": "1d"}
    world.write({"dest:kept": store, "dest:far": {"type": "store", "path": other}})
    path = put(root, a_mark(when=TODAY, instance="i1"))
    put(other, a_mark(when=TODAY, instance="i1"))
    put(other, a_mark(when=TODAY - DAY, instance="i1"))
    assert verify(world)[0] == 0
    flip(path / "file")
    code, answer = verify(world, "--all")
    assert code == 1
    (found,) = [each["text"] for each in answer["findings"] if "elsewhere" in each["text"]]
    target = world.root / "back"
    words = found.partition("b1000 ")[2].replace("DIR", str(target)).split()
    done = world.b1000(*words)
    assert done.returncode == 0, done.stderr
    assert (target / "file").read_text() == "text"


def test_time_may_be_over_while_files_are_looked_for(root: Path) -> None:
    path = put(root, a_mark(when=TODAY))
    tree = Tree(str(root), path.relative_to(root).as_posix())
    with pytest.raises(OutOfTime):
        list(files(tree, Pace(until=0.0), []))
