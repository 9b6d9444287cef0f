"""What was restored is compared: with the list of sums of the storage, else with its files."""

import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from b1000.b1k.mark import Counts
from b1000.restore import comparing
from b1000.restore.listed import RestoreFailed
from b1000.rsync.restoring import CORRUPT
from b1000.storage.backup import Backup, GroupKey, Root, State
from b1000.storage.question import StoredRow
from tests.support.daemon import CHROOT, Daemon
from tests.support.hosts import Host
from tests.support.stored import NIGHT, a_mark, identify, put
from tests.support.world import World, tree


@pytest.fixture
def store(world: World) -> tuple[World, Path]:
    """A store with one backup, which was read: a list of sums lies beside it."""
    root = world.root / "one"
    identify(root, NIGHT)
    backup = put(root, a_mark())
    (backup / "below").mkdir()
    for name in ("a", "below/b \\ \n c", "-x"):
        (backup / name).write_text(f"content of {name}")
    world.write({"dest:one": {"type": "store", "path": root}})
    done = world.b1000("verify", "--all")
    assert done.returncode == 0, done.stderr
    assert Path(f"{backup}.sha256.gz").exists()
    return world, backup


def restored(world: World, *words: str, code: int = 0) -> dict[str, Any]:
    done = world.b1000("restore", "etc", *words, "--json")
    assert done.returncode == code, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["exit"] == code
    return answer


def flip(path: Path) -> None:
    """Change a byte; size and time stay."""
    status = path.stat()
    path.write_bytes(b"X" + path.read_bytes()[1:])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_by_the_list_of_sums(store: tuple[World, Path]) -> None:
    world, backup = store
    to = world.root / "to"
    answer = restored(world, "--to", str(to))
    assert tree(to) == tree(backup)
    assert (answer["verified"], answer["files"]) == (True, 4)
    assert answer["against"] == "the list of sums at one, 4 files"
    part = restored(world, "--to", str(world.root / "part"), "below")
    assert part["against"] == "the list of sums at one, 1 file"
    # A file that came later is in no list: it is compared with the storage's own.
    (backup / "late").write_text("late")
    answer = restored(world, "--to", str(world.root / "late"))
    assert (answer["verified"], answer["differing"]) == (True, [])


def test_a_byte_that_was_flipped_at_the_storage_is_found(store: tuple[World, Path]) -> None:
    world, backup = store
    flip(backup / "below/b \\ \n c")
    to = world.root / "to"
    answer = restored(world, "--to", str(to), code=1)
    assert answer["verified"] is False
    assert answer["differing"] == ["below/b \\ \n c"]
    done = world.b1000("restore", "etc", "--to", str(to))
    assert done.returncode == 1, "the same command compares again"
    assert "differs from the backup: below/b \\ \\n c" in done.stderr
    assert "NOT equal" in done.stdout
    # What is asked for is whole: the other file is not.
    assert restored(world, "--to", str(world.root / "part"), "a")["verified"] is True


def test_a_list_that_was_changed_is_not_relied_on(store: tuple[World, Path]) -> None:
    world, backup = store
    Path(f"{backup}.sha256.gz").write_bytes(b"other")
    done = world.b1000("restore", "etc", "--to", str(world.root / "to"))
    assert done.returncode == 0
    assert "was changed by somebody" in done.stderr
    assert "compared with the files at one, by checksum: equal" in done.stdout


def test_a_client_relies_on_the_list_at_a_daemon_whose_hash_a_database_knows(
    world: World, daemon: Callable[..., Daemon]
) -> None:
    there = daemon({"b": CHROOT})
    central = {"type": "sqlite", "path": world.root / "central.sqlite3"}
    world.files()
    (world.source / "below").mkdir()
    (world.source / "below" / "b \\ \n c").write_text("text")
    far = {"type": "active", "path": f"{there.url('b')}/deep"}
    job = world.push(dest="far", report="main, central")
    world.write({"report:central": central, "dest:far": far, "job:etc": job})
    assert world.b1000().returncode == 0
    storage = Host(world.root / "storage", "backup-1")
    kept = {"type": "store", "path": there.module("b") / "deep", "report": "central"}
    waiting = {"host": "backup-1", "report_wait_end": 60}
    storage.write({"global": waiting, "report:central": central, "dest:kept": kept})
    assert storage.b1000("verify", "--all").returncode == 0
    (backup,) = there.module("b").glob("deep/etc/*/*/")
    against = "the list of sums at far, 4 files"
    assert restored(world, "--to", str(world.root / "to"))["against"] == against
    (backup / "late").write_text("late")
    assert restored(world, "--to", str(world.root / "late"))["against"] == against
    flip(backup / "below/b \\ \n c")
    answer = restored(world, "--to", str(world.root / "flipped"), code=1)
    assert (answer["against"], answer["differing"]) == (against, ["below/b \\ \n c"])
    part = restored(world, "--to", str(world.root / "part"), "file0")
    assert (part["against"], part["verified"]) == ("the list of sums at far, 1 file", True)
    for content in (b"other", None):
        list_of_sums = Path(f"{backup}.sha256.gz")
        list_of_sums.write_bytes(content) if content else list_of_sums.unlink()
        done = world.b1000("restore", "etc", "--to", str(world.root / str(content)))
        assert done.returncode == 0, done.stderr
        assert ("was changed by somebody" if content else "could not be fetched") in done.stderr
        assert "compared with the files at far, by checksum: equal" in done.stdout


@pytest.mark.parametrize("remote", [False, True])
def test_a_list_of_which_nothing_is_known_is_compared_with_all_the_same(
    world: World, daemon: Callable[..., Daemon], remote: bool
) -> None:
    """A client without a database: the storage has read the backup, and told nobody."""
    there = daemon({"b": CHROOT})
    store = world.store(path=there.url("b")) if remote else world.store(path=there.module("b"))
    world.files()
    (world.source / "odd\nname").write_text("text")
    world.write({"dest:store": store, "job:etc": world.push()})
    assert world.b1000().returncode == 0
    storage = Host(world.root / "storage", "backup-1")
    storage.write({"dest:kept": {"type": "store", "path": there.module("b")}})
    assert storage.b1000("verify", "--all").returncode == 0
    against = "the list of sums at store, 4 files (its hash is not known here)"
    assert restored(world, "--to", str(world.root / "to"))["against"] == against
    (backup,) = there.module("b").glob("etc/*/*/")
    flip(backup / "odd\nname")
    answer = restored(world, "--to", str(world.root / "flipped"), code=1)
    assert (answer["against"], answer["differing"]) == (against, ["odd\nname"])
    assert restored(world, "--to", str(world.root / "part"), "file0")["verified"] is True
    # What is no list, or is one without end, is not relied on.
    list_of_sums = Path(f"{backup}.sha256.gz")
    for content in (b"none", gzip.compress(b"0" * 2**22)):
        list_of_sums.write_bytes(content)
        done = world.b1000("restore", "etc", "--to", str(world.root / str(len(content))))
        assert done.returncode == 0, done.stderr
        assert f"the list of sums of {store['path']}" in done.stderr
        assert "compared with the files at store, by checksum: equal" in done.stdout


def test_what_differs_is_brought_again_by_the_same_command(store: tuple[World, Path]) -> None:
    """Though it has the size and the time that it is to have."""
    world, backup = store
    other = world.root / "other"
    identify(other, NIGHT)
    subprocess.run(["cp", "-a", backup.parents[1], other], check=True)
    flip(backup / "a")
    with world.config.open("a") as file:
        file.write(f"\n[dest:other]\ntype = store\npath = {other}\n")
    to, merged = world.root / "to", world.root / "merged"
    merged.mkdir()
    (merged / "mine").touch()
    for words in (["--to", str(to)], ["--to", str(merged), "--merge"]):
        answer = restored(world, *words, code=1)
        assert (answer["differing"], answer["error"]) == (["a"], "1 name differs from the backup")
        done = world.b1000("restore", "etc", *words)
        told = "the same run is at other too: the same command with --from other brings from there"
        assert done.returncode == 1
        assert told in done.stderr
        assert restored(world, *words, "--from", "other")["transferred"] == 1
    assert (to / "a").read_text() == (merged / "a").read_text() == "content of a"


def test_one_that_was_begun_with_what_is_gone_says_what_helps(store: tuple[World, Path]) -> None:
    world, backup = store
    put(world.root / "one", a_mark(when=NIGHT.replace(day=21)))
    flip(backup / "a")
    to = world.root / "to"
    restored(world, "--to", str(to), code=1)
    Path(f"{backup}.b1k").unlink()
    backup.rename(world.root / "gone")
    done = world.b1000("restore", "etc", "--to", str(to))
    assert done.returncode == 1
    assert f"{backup}, with which {to} was begun, cannot be had now; " in done.stderr
    assert "another DIR, or --merge, takes another backup" in done.stderr
    assert restored(world, "--to", str(to), "--merge")["choice"]["path"] != str(backup)


@pytest.mark.parametrize("with_list", [True, False])
def test_only_what_was_missing_is_compared(store: tuple[World, Path], with_list: bool) -> None:
    world, backup = store
    if not with_list:
        Path(f"{backup}.sha256.gz").unlink()
    to = world.root / "to"
    (to / "below").mkdir(parents=True)
    (to / "a").write_text("mine")
    (to / "below" / "mine").write_text("mine")
    answer = restored(world, "--to", str(to), "--missing")
    assert answer["verified"] is True
    assert (to / "a").read_text() == "mine"
    assert (to / "below" / "mine").exists()
    assert (to / "-x").read_text() == "content of -x"
    nothing = restored(world, "--to", str(to), "--missing")
    assert nothing["verified"] is True
    if with_list:
        flip(backup / "-x")
        (to / "-x").unlink()
        wrong = restored(world, "--to", str(to), "--missing", code=1)
        assert wrong["differing"] == ["-x"]


@pytest.mark.parametrize("remote", [False, True])
def test_what_is_set_aside_is_told_and_not_restored(
    world: World, daemon: Callable[..., Daemon], remote: bool
) -> None:
    root = world.root / "one"
    if remote:
        there = daemon({"b": ""})
        root = there.module("b")
    backup = put(root, a_mark(host="client", counts=Counts(files=2, bytes=9)))
    (backup / "wrong").write_text("wrong")
    (backup / "wrong").rename(backup / f"wrong{CORRUPT}")
    store = world.store(path=there.url("b")) if remote else {"type": "store", "path": root}
    jobs = {"job:etc": world.push()} if remote else {}
    world.write({"dest:store": store, **jobs})
    to = world.root / "to"
    answer = restored(world, "--to", str(to), code=1)
    assert answer["set_aside"] == ["wrong"]
    assert sorted(os.listdir(to)) == ["file"]
    done = world.b1000("restore", "etc", "--to", str(to), "--no-verify")
    assert done.returncode == 1
    assert "wrong is set aside as wrong there, and was not restored" in done.stderr


@pytest.mark.parametrize("manner", ["", "--no-verify"])
def test_what_is_missing_at_the_storage_is_told(world: World, manner: str) -> None:
    """It is in no listing, so that nothing which is compared with the storage can miss it."""
    world.files()
    world.write({"dest:store": world.store(), "job:etc": world.push()})
    assert world.b1000().returncode == 0
    (backup,) = (world.root / "store" / "etc").glob("*/*/")
    (backup / "file1").unlink()
    answer = restored(world, "--to", str(world.root / "to"), *filter(None, [manner]), code=1)
    assert answer["verified"] is (None if manner else False)
    done = world.b1000("restore", "etc", "--to", str(world.root / "to"), *filter(None, [manner]))
    assert done.returncode == 1
    assert "the backup had 3 files, and 2 are there" in done.stderr
    # What is asked for is there.
    assert restored(world, "--to", str(world.root / "part"), "file0")["verified"] is True


def test_what_cannot_be_looked_for_is_not_called_compared(tmp_path: Path) -> None:
    root = Root("one", str(tmp_path))
    gone = Backup("etc/gone", "sync", State.COMPLETE)
    row = StoredRow(root, GroupKey(str(tmp_path), "", "etc", "web1"), gone)
    with pytest.raises(RestoreFailed, match="gone/: No such file or directory"):
        list(comparing._in_tree(row))


@pytest.mark.parametrize("manner", ["", "--merge", "--no-verify"])
def test_what_was_sent_again_since_is_not_lacking(world: World, manner: str) -> None:
    """verify sets a file of a sync tree aside so that the next run brings it again."""
    world.files()
    world.write({"dest:store": world.store(), "job:etc": world.push(type="sync")})
    assert world.b1000().returncode == 0
    (backup,) = (world.root / "store" / "etc").glob("*/")
    for name in ("file0", "file1"):
        (backup / name).rename(backup / f"{name}{CORRUPT}")
    assert world.b1000().returncode == 0
    to = world.root / "to"
    if manner == "--merge":
        to.mkdir()
        (to / "file0").write_text("older")
    code = 3 if manner == "--no-verify" else 0
    answer = restored(world, "--to", str(to), *filter(None, [manner]), code=code)
    assert answer["set_aside"] == []
    (backup / "file0").unlink()
    again = dict.fromkeys(filter(None, ["--merge", manner]))
    assert restored(world, "--to", str(to), *again, code=1)["set_aside"] == ["file0"]


def vanishing(
    world: World, *stores: Path, when: str = "*--dry-run*|*--list-only*"
) -> dict[str, str]:
    """An environment in which storages are away once something is compared with them."""
    wrapper = world.root / "bin"
    wrapper.mkdir()
    away = "".join(f"mv {each} {each}.away; " for each in stores)
    (wrapper / "rsync").write_text(
        f'#!/bin/sh\ncase "$*" in {when}) {away};; esac 2>/dev/null\n'
        f'exec {shutil.which("rsync")} "$@"\n'
    )
    (wrapper / "rsync").chmod(0o755)
    return {"PATH": f"{wrapper}:{os.environ['PATH']}"}


@pytest.mark.parametrize("words", [[], ["--no-verify", "file1"]])
def test_a_storage_that_fails_when_all_has_come_is_replaced_for_the_comparison(
    world: World, words: list[str]
) -> None:
    world.files()
    stores = {f"dest:{name}": world.store(name) for name in ("one", "two")}
    world.write({**stores, "job:etc": world.push(dest="one two")})
    assert world.b1000().returncode == 0
    one, to = world.root / "one", world.root / "to"
    gone = vanishing(world, one)
    done = world.b1000("restore", "etc", "--to", str(to), "--json", *words, environment=gone)
    answer = json.loads(done.stdout)
    assert (world.root / "one.away").is_dir()
    if words:
        assert (done.returncode, answer["verified"], answer["error"]) == (3, None, "")
        assert list(tree(to)) == ["file1"]
        return
    assert tree(to) == tree(world.source)
    assert done.returncode == 0, done.stderr
    assert (answer["verified"], answer["against"]) == (True, "the files at two, by checksum")
    assert answer["choice"]["destination"] == "one", "from there it has come"
    assert f"b1000: {one}/etc/" in done.stderr
    assert not [run for run in world.status() if run["direction"] == "restore"]


def test_what_differs_from_another_storage_is_brought_from_there(world: World) -> None:
    """The one that it came from has fallen silent since, and perhaps it is that one's fault."""
    world.files()
    stores = {f"dest:{name}": world.store(name) for name in ("one", "two", "three")}
    world.write({**stores, "job:etc": world.push(dest="one two three")})
    assert world.b1000().returncode == 0
    roots = [world.root / name for name in ("one", "two", "three")]
    flip(next(roots[2].rglob("file1")))
    to = world.root / "to"
    gone = vanishing(world, *roots[:2])
    done = world.b1000("restore", "etc", "--to", str(to), environment=gone)
    assert done.returncode == 1
    told = "b1000: the same run is at three, two too: the same command with --from three brings"
    assert told in done.stderr


def test_a_storage_that_is_gone_before_anything_comes_is_replaced(world: World) -> None:
    """Of PATHs rsync says no more than that it cannot read where they should be."""
    world.files()
    stores = {f"dest:{name}": world.store(name) for name in ("one", "two")}
    world.write({**stores, "job:etc": world.push(dest="one two")})
    assert world.b1000().returncode == 0
    to = world.root / "to"
    gone = vanishing(world, world.root / "one", when="*--files-from*")
    done = world.b1000("restore", "etc", "--to", str(to), "file1", environment=gone)
    assert done.returncode == 0, done.stderr
    assert "the sources cannot be read (rsync exit 3" in done.stderr
    assert "compared with the files at two" in done.stdout
    assert list(tree(to)) == ["file1"]


def test_without_another_storage_it_is_not_verified(world: World) -> None:
    world.files()
    world.write({"dest:one": world.store("one"), "job:etc": world.push(dest="one")})
    assert world.b1000().returncode == 0
    one, to = world.root / "one", world.root / "to"
    words = ("restore", "etc", "--to", str(to))
    done = world.b1000(*words, "--json", environment=vanishing(world, one))
    assert done.returncode == 3, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["verified"], answer["exit"]) == (None, 3)
    assert "not compared" in answer["error"]
    assert tree(to) == tree(world.source)
    Path(f"{one}.away").rename(one)
    done = world.b1000(*words)
    assert done.returncode == 0, done.stderr
    assert "equal" in done.stdout, "the same command compares it"


def test_what_cannot_be_read_back_at_the_target_is_no_fault_of_a_storage(
    world: World, daemon: Callable[..., Daemon]
) -> None:
    """What has come is at fault, and no other storage is asked."""
    (world.source / "d").mkdir()
    (world.source / "d" / "file").write_text("text")
    stores = {
        f"dest:{name}": {"type": "active", "path": daemon({"b": CHROOT}).url("b")}
        for name in ("one", "two")
    }
    world.write({**stores, "job:etc": world.push(dest="one two")})
    assert world.b1000().returncode == 0
    to = world.root / "to"
    # Root may read all: then somebody else compares.
    other = "" if os.geteuid() else "setpriv --reuid=65534 --regid=65534 --clear-groups"
    wrapper = world.root / "bin"
    wrapper.mkdir()
    (wrapper / "rsync").write_text(
        f'#!/bin/sh\ncase "$*" in *--dry-run*) chmod 0 {to}/d; as="{other}";; esac\n'
        f'exec $as {shutil.which("rsync")} "$@"\n'
    )
    (wrapper / "rsync").chmod(0o755)
    changed = {"PATH": f"{wrapper}:{os.environ['PATH']}"}
    done = world.b1000("restore", "etc", "--to", str(to), environment=changed)
    (to / "d").chmod(0o700)
    assert done.returncode == 1, done.stderr
    (told,) = (line for line in done.stderr.splitlines() if "Permission denied" in line)
    assert told.startswith("b1000: what has come cannot be compared: "), told
    (row,) = (run for run in world.status() if run["direction"] == "restore")
    assert "what has come cannot be compared" in row["error"]
