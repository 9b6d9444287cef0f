"""`b1000 verify` night after night: what it knows of the nights before."""

import gzip
import json
import os
import shutil
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from b1000.b1k.mark import Counts
from tests.support.clock import Clock
from tests.support.stored import a_mark, identify, put
from tests.support.world import World

TODAY = datetime.now().replace(microsecond=0) - timedelta(hours=2)
DAY = timedelta(days=1)


def a_backup(root: Path, ago: int = 0) -> Path:
    """One that has two files, as its mark says."""
    counts = Counts(files=2, bytes=9)
    path = put(root, a_mark(when=TODAY - ago * DAY, counts=counts))
    (path / "other").write_text("other")
    return path


def flip(file: Path) -> None:
    """Another content, at the same time."""
    before = file.stat()
    file.write_bytes(bytes(byte ^ 1 for byte in file.read_bytes()))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def verified(world: World, *words: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code of a verify, and what it has found."""
    done = world.b1000("verify", "--json", *words)
    return done.returncode, json.loads(done.stdout)["findings"]


def stored(world: World) -> list[dict[str, Any]]:
    """What lies there."""
    found: list[dict[str, Any]] = json.loads(world.b1000("list", "--json").stdout)["backups"]
    return found


def test_what_was_set_aside_is_not_set_aside_once_more(world: World, root: Path) -> None:
    older, newest = a_backup(root, 1), a_backup(root)
    (newest / "file").unlink()
    os.link(older / "file", newest / "file")
    assert verified(world)[0] == 0
    flip(older / "file")
    for _ in range(3):
        code, findings = verified(world, "--all")
        assert code == 1
        assert {each["path"] for each in findings if each["bad"]} == {str(older), str(newest)}
        assert sorted(os.listdir(newest)) == ["file.b1000-corrupt", "other"]
    assert sorted(os.listdir(older)) == ["file", "other"]
    # What is known of it stays as it was told first: by its own reading.
    said = world.b1000("list").stdout
    assert ("bad: 1 file is wrong: file (set aside)" in said, "shares" in said) == (True, False)


@pytest.mark.parametrize("how", ["bad", "short"])
def test_what_is_known_to_be_bad_is_told_also_when_it_is_not_read(
    world: World, root: Path, how: str
) -> None:
    path = a_backup(root)
    if how == "short":
        (path / "other").unlink()
    assert verified(world)[0] == (how == "short")
    if how == "bad":
        flip(path / "file")
        assert verified(world)[0] == 1
    # It was read tonight, and is not due for a month.
    world.write(_stored_at(root))
    for words in ((), ("--count",), ("--all",)):
        done = world.b1000("verify", "--json", *words)
        (finding,) = json.loads(done.stdout)["findings"]
        assert done.returncode == 1
        assert (finding["path"], finding["kind"], finding["bad"]) == (str(path), how, True)
    # Nor does it matter that there was no time for it.
    world.write(_stored_at(root, verify_rate="1k"))
    (a_backup(root, 1) / "large").write_bytes(bytes(10000))
    done = world.b1000("verify", "--json", "--for", "1s")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["out_of_time"]) == (1, True)
    assert (str(path), how) in {(each["path"], each["kind"]) for each in answer["findings"]}
    shutil.rmtree(path)
    world.write(_stored_at(root))
    assert verified(world)[0] == 0


def _stored_at(root: Path, **options: object) -> dict[str, dict[str, object]]:
    return {"dest:kept": {"type": "store", "path": root, "verify": "30d", **options}}


def test_a_file_that_went_between_count_and_first_reading_makes_it_short(
    world: World, root: Path
) -> None:
    path = a_backup(root)
    assert verified(world, "--count")[0] == 0
    (path / "other").unlink()
    code, (finding,) = verified(world)
    assert (code, finding["kind"]) == (1, "short")
    assert finding["text"] == "is short: 1 file, and its mark says 2"
    (each,) = stored(world)
    assert (each["bad"], each["counted"], each["read"]) == (True, None, None)


def test_a_file_that_is_gone_is_told_as_gone(world: World, root: Path) -> None:
    path = a_backup(root)
    assert verified(world)[0] == 0
    flip(path / "file")
    (path / "other").unlink()
    findings = verified(world)[1]
    assert findings[0]["text"] == "2 files are wrong: file, other (gone)"
    findings = verified(world)[1]
    assert findings[0]["text"] == "2 files are wrong: file (set aside), other (gone)"


def test_where_no_list_can_be_written_its_hash_tells_of_changes(world: World, root: Path) -> None:
    path = a_backup(root)
    in_the_way = Path(f"{path}.sha256.gz")

    def bar() -> None:
        in_the_way.mkdir()
        (in_the_way / "file").write_text("a directory that is not empty is not replaced")

    bar()
    code, (finding,) = verified(world)
    assert (code, finding["kind"]) == (1, "list")
    assert finding["text"] == "its list of sums could not be written: Is a directory"
    shutil.rmtree(in_the_way)
    assert verified(world) == (0, [])
    assert in_the_way.is_file()
    in_the_way.unlink()
    bar()
    code, (finding,) = verified(world)
    assert (code, finding["kind"]) == (1, "list")
    assert "written anew" not in finding["text"]
    other = a_backup(root, 1)
    in_the_way = Path(f"{other}.sha256.gz")
    bar()
    assert verified(world)[0] == 1
    flip(other / "file")
    code, findings = verified(world)
    (bad,) = [each for each in findings if each["kind"] == "bad"]
    assert (code, bad["path"]) == (1, str(other))
    assert "not those that were read first" in bad["text"]


@pytest.mark.parametrize("clients", ["", "/*"])
def test_a_disk_that_is_not_mounted_is_told(world: World, clients: str) -> None:
    disk = world.root / "disk"
    root = disk / "web1" if clients else disk
    world.write(_stored_at(disk, path=f"{disk}{clients}"))
    disk.mkdir()
    assert verified(world) == (0, [])  # a new one is empty
    identify(root, TODAY - DAY)
    path = a_backup(root)
    assert verified(world) == (0, [])
    disk.rename(world.root / "elsewhere")
    for damaged in (False, True):  # an id file that holds no id proves nothing
        root.mkdir(parents=True, exist_ok=True)
        if damaged:
            (root / ".b1000-id").touch()
        for words in ((), ("--count",)):
            done = world.b1000("verify", "--json", *words)
            assert (done.returncode, json.loads(done.stdout)["away"]) == (3, ["kept"])
            assert "is its disk mounted?" in done.stderr
    shutil.rmtree(disk)
    (world.root / "elsewhere").rename(disk)
    assert verified(world) == (0, [])
    (each,) = stored(world)
    assert (each["path"], each["bad"]) == (str(path), False)
    assert each["read"]


def test_a_storage_with_a_mistake_is_not_passed_over_in_silence(world: World, root: Path) -> None:
    good = a_backup(root)
    wrong = {"dest:wrong": {"type": "store", "path": world.root / "w", "verify": "3x"}}
    away = {"dest:away": {"type": "active", "path": "rsync://localhost:1/m", "keep": "all 1d"}}
    world.write({**_stored_at(root), **wrong, **away})
    for word in ("--all", "--count"):
        done = world.b1000("verify", word, "--json")
        assert (done.returncode, json.loads(done.stdout)["away"]) == (3, ["wrong"])
        assert "[dest:wrong] verify: '3x' is no span" in done.stderr
    (each,) = [each for each in stored(world) if each["path"] == str(good)]
    assert each["read"]
    for word in ("--all", "--drill"):
        done = world.b1000("verify", word, "--dest", "wrong")
        assert done.returncode == 2
        assert "[dest:wrong] verify: '3x' is no span" in done.stderr
    world.write({"dest:away": {**away["dest:away"], "keep": None}})
    done = world.b1000("verify")
    assert done.returncode == 0
    assert "no backups lie here; --dest NAME has those at a daemon read" in done.stderr


def test_where_the_journal_was_lost_the_lists_that_lie_there_count(
    world: World, root: Path
) -> None:
    right, rotten = a_backup(root, 1), a_backup(root)
    assert verified(world)[0] == 0
    shutil.rmtree(world.status_dir)
    flip(rotten / "file")
    code, findings = verified(world)
    assert code == 1
    assert {each["path"] for each in findings if each["bad"]} == {str(rotten)}
    assert "which says otherwise" in findings[0]["text"]
    assert [each["bad"] for each in stored(world)] == [False, True]
    assert (rotten / "file.b1000-corrupt").exists()
    # So it is when it is lost once more, also of what was set aside by then.
    shutil.rmtree(world.status_dir)
    (right / "other").unlink()
    code, findings = verified(world)
    assert code == 1
    found = {each["text"] for each in findings if each["kind"] == "bad"}
    assert found == {"1 file is wrong: file (set aside)", "1 file is wrong: other (gone)"}
    # The list keeps what is right.
    (rotten / "file").write_text("text")
    listed = gzip.decompress(Path(f"{rotten}.sha256.gz").read_bytes())
    subprocess.run(["sha256sum", "-c", "--strict", "--quiet"], input=listed, cwd=rotten, check=True)
    assert right.exists()


@pytest.mark.parametrize("text", [b"no list", b"\0" * (1 << 29)])
def test_what_looks_like_a_list_harms_nobody(world: World, root: Path, text: bytes) -> None:
    path = a_backup(root)
    listed = Path(f"{path}.sha256.gz")
    listed.write_bytes(gzip.compress(text, 1))
    assert verified(world) == (0, [])
    assert b"  other" in gzip.decompress(listed.read_bytes())


@pytest.mark.parametrize("place", ["marks", "taken"])
def test_marks_that_did_not_come_to_their_backups_are_told(world: World, place: str) -> None:
    """Not those that are on their way."""
    world.write(
        {"dest:kept": {"type": "store", "path": world.root / "srv" / "*", "keep": "last 9"}}
    )
    root = world.root / "srv" / "web1"
    identify(root, TODAY - 9 * DAY)
    put(root, a_mark(when=TODAY - DAY))
    late = put(root, a_mark(when=TODAY))
    sent = Path(f"{root}/.b1000/{place}/{late.relative_to(root)}.b1k")
    sent.parent.mkdir(parents=True)
    Path(f"{late}.b1k").rename(sent)
    (sent.parent / ".name.b1k.8sdFa2").touch()
    clock = Clock(world.root)
    log = f"{root}/.b1000/marks.log"
    for words in (["list", "--all"], ["verify"], ["prune", "-n"]):
        for days in (0, 1):
            done = world.b1000(*words, environment=clock.at(days))
            assert done.returncode == 0, done.stderr
            assert done.stderr.count("1 mark of clients did not come") == days, words
            assert done.stderr.count(f" and its words in {log}\n") == days, words
