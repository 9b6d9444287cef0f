"""`b1000 restore` on real trees and over real daemons."""

import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from b1000.state.opening import open_journal
from tests.support.daemon import Daemon
from tests.support.stored import a_mark, identify, put
from tests.support.world import World, wait_until

TODAY = datetime.now().replace(microsecond=0) - timedelta(hours=2)
DAY = timedelta(days=1)


def tree(path: Path) -> dict[str, tuple[str, int, int, bytes]]:
    """Kind, mode, time and content of all that lies below a directory."""
    found = {}
    for each in sorted(path.rglob("*")):
        status = each.lstat()
        content = os.readlink(each).encode() if each.is_symlink() else b""
        if each.is_file() and not each.is_symlink():
            content = each.read_bytes()
        when = 0 if each.is_dir() else status.st_mtime_ns
        found[str(each.relative_to(path))] = (oct(status.st_mode), when, status.st_nlink, content)
    return found


@pytest.fixture
def two(world: World) -> tuple[World, Path, Path]:
    """Two stores, and a configuration that knows both."""
    one, other = world.root / "one", world.root / "other"
    for each in (one, other):
        identify(each, TODAY - 100 * DAY)
    world.write(
        {
            "dest:one": {"type": "store", "path": one},
            "dest:other": {"type": "store", "path": other},
        }
    )
    return world, one, other


def test_a_backup_comes_back_as_it_was(world: World) -> None:
    source = world.files()
    odd = source / "-a \\ name\nwith\tall"
    odd.mkdir()
    (odd / "file").write_text("x")
    (odd / "file").chmod(0o640)
    (source / "link").symlink_to("file0")
    os.link(source / "file1", source / "second")
    world.write({"dest:store": world.store(), "job:etc": world.push(hard_links="yes")})
    assert world.b1000().returncode == 0
    to = world.root / "new" / "place"
    done = world.b1000("restore", "etc", "--to", str(to))
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(to) == tree(source)
    assert done.stdout.splitlines()[-1].endswith("by checksum: equal")


def test_over_a_daemon_by_its_restore_path(world: World, daemon: Callable[..., Daemon]) -> None:
    world.files()
    url = daemon().url("b1000")
    world.write({"dest:store": {"type": "active", "path": url}, "job:etc": world.push()})
    assert world.b1000().returncode == 0
    to = world.root / "to"
    done = world.b1000("restore", "etc", "--to", str(to), "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["verified"] is True
    assert answer["choice"]["destination"] == "store"
    assert tree(to) == tree(world.source)


def test_the_newest_of_all_storages_is_taken(two: tuple[World, Path, Path]) -> None:
    world, one, other = two
    put(one, a_mark(when=TODAY - 2 * DAY))
    newest = put(other, a_mark(when=TODAY - DAY))
    put(one, a_mark(when=TODAY), marked=False)
    done = world.b1000("restore", "etc", "--to", str(world.root / "to"))
    assert done.returncode == 0
    assert str(newest) in done.stdout
    assert "is passed over: unfinished" in done.stderr
    old = world.b1000(
        "restore", "etc", "--to", str(world.root / "old"), "--at", f"{TODAY - 2 * DAY:%Y-%m-%d}"
    )
    assert str(one) in old.stdout


def test_an_unfinished_one_of_the_same_time_is_passed_over(two: tuple[World, Path, Path]) -> None:
    world, one, other = two
    put(one, a_mark(when=TODAY - DAY))
    unfinished = put(one, a_mark(when=TODAY), marked=False)
    whole = put(other, a_mark(when=TODAY))
    done = world.b1000("restore", "etc", "--to", str(world.root / "to"))
    assert done.returncode == 0, done.stderr
    assert f"at other: {whole}" in done.stdout
    assert f"{unfinished} is passed over: unfinished" in done.stderr


def test_one_that_is_known_bad_is_passed_over_with_a_word(two: tuple[World, Path, Path]) -> None:
    world, one, other = two
    good = put(one, a_mark(when=TODAY - 2 * DAY))
    bad = put(other, a_mark(when=TODAY - DAY))
    world.b1000("prune")
    place = str(bad.relative_to(other))
    path = world.status_dir / "journal.sqlite3"
    with closing(open_journal(path)) as journal, journal.transaction():
        journal.remember(str(other), place, {"bad": "file: wrong"})
    done = world.b1000("restore", "etc", "--to", str(world.root / "to"))
    assert done.returncode == 0
    assert str(good) in done.stdout
    assert f"{bad} is passed over: known to be bad: file: wrong" in done.stderr


def test_several_hosts_are_an_error_with_the_list(two: tuple[World, Path, Path]) -> None:
    world, one, _ = two
    put(one, a_mark(host="web1"))
    put(one, a_mark(host="web2"))
    done = world.b1000("restore", "etc", "--to", str(world.root / "to"))
    assert done.returncode == 2
    assert "2 hosts have such backups: web1, web2" in done.stderr
    assert not (world.root / "to").exists()
    chosen = world.b1000("restore", "etc", "--to", str(world.root / "to"), "--host", "web2")
    assert chosen.returncode == 0


def test_never_silently_older(world: World, daemon: Callable[..., Daemon]) -> None:
    world.files()
    far = daemon()
    sections: dict[str, dict[str, object]] = {
        "dest:near": world.store("near"),
        "dest:far": {"type": "active", "path": far.url("b1000")},
    }
    world.write({**sections, "job:etc": world.push(dest="near")})
    assert world.b1000().returncode == 0
    world.write({**sections, "job:etc": world.push(dest="far")})
    time.sleep(1.1)
    assert world.b1000().returncode == 0
    world.write({**sections, "job:etc": world.push(dest="near far")})
    far.stop()
    to = world.root / "to"
    done = world.b1000("restore", "etc", "--to", str(to))
    assert done.returncode == 2
    assert "destination far has a newer one" in done.stderr
    assert "near" in done.stderr
    assert not to.exists()
    older = world.b1000("restore", "etc", "--to", str(to), "--any")
    assert older.returncode == 3
    assert tree(to) == tree(world.source)


def test_a_target_that_is_not_empty_is_refused(two: tuple[World, Path, Path]) -> None:
    world, one, _ = two
    put(one, a_mark())
    to = world.root / "to"
    to.mkdir()
    for number in range(12):
        (to / f"old{number:02}").touch()
    for words in ((), ("-n",)):
        done = world.b1000("restore", "etc", "--to", str(to), *words)
        assert done.returncode == 2
        assert "old00, old01" in done.stderr
        assert "and 2 more" in done.stderr
        assert not (to / "file").exists()
    file = to / "old00"
    done = world.b1000("restore", "etc", "--to", str(file))
    assert done.returncode == 2
    assert done.stderr == f"b1000: nothing can be restored to {file}: Not a directory\n"


def test_missing_merge_and_mirror(two: tuple[World, Path, Path]) -> None:
    world, one, _ = two
    backup = put(one, a_mark())
    (backup / "gone").write_text("was here")
    to = world.root / "to"

    def again() -> None:
        to.mkdir(exist_ok=True)
        (to / "file").write_text("changed here")
        (to / "extra").write_text("new here")
        (to / "gone").unlink(missing_ok=True)

    again()
    assert world.b1000("restore", "etc", "--to", str(to), "--missing").returncode == 0
    assert (to / "file").read_text() == "changed here"
    assert (to / "gone").read_text() == "was here"
    again()
    assert world.b1000("restore", "etc", "--to", str(to), "--merge").returncode == 0
    assert (to / "file").read_text() == "text"
    assert (to / "extra").exists()
    again()
    asked = world.b1000("restore", "etc", "--to", str(to), "--mirror")
    assert asked.returncode == 2
    assert "1 name would be deleted: extra" in asked.stderr
    assert (to / "extra").exists()
    assert world.b1000("restore", "etc", "--to", str(to), "--mirror", "--yes").returncode == 0
    assert not (to / "extra").exists()


def test_a_mirror_of_an_empty_backup_is_refused(two: tuple[World, Path, Path]) -> None:
    world, one, _ = two
    backup = put(one, a_mark())
    (backup / "file").unlink()
    to = world.root / "to"
    to.mkdir()
    (to / "mine").touch()
    done = world.b1000("restore", "etc", "--to", str(to), "--mirror", "--yes")
    assert done.returncode == 2
    assert (to / "mine").exists()


def test_only_the_paths_that_are_named(world: World) -> None:
    source = world.files()
    (source / "below").mkdir()
    (source / "below" / "-x *").write_text("x")
    world.write({"dest:store": world.store(), "job:etc": world.push()})
    assert world.b1000().returncode == 0
    to = world.root / "to"
    done = world.b1000("restore", "etc", "--to", str(to), "below", "file1")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in to.rglob("*")) == ["-x *", "below", "file1"]
    strange = world.b1000("restore", "etc", "--to", str(world.root / "two"), "no/such", "file0")
    assert strange.returncode == 1
    assert "no/such is not in the backup" in strange.stderr
    assert strange.stderr.count("\n") == 2, "nobody waits for another try"
    assert (world.root / "two" / "file0").exists()
    outside = world.b1000("restore", "etc", "--to", str(world.root / "three"), "../x")
    assert outside.returncode == 2


def test_what_is_printed_does_the_same(two: tuple[World, Path, Path]) -> None:
    world, one, _ = two
    backup = put(one, a_mark())
    to = world.root / "to"
    done = world.b1000("restore", "etc", "--to", str(to), "--print")
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert not to.exists()
    subprocess.run(shlex.split(line), check=True)
    assert tree(to) == tree(backup)


def test_a_dry_run_writes_nothing(two: tuple[World, Path, Path]) -> None:
    world, one, _ = two
    put(one, a_mark())
    to = world.root / "to"
    done = world.b1000("restore", "etc", "--to", str(to), "-n")
    assert done.returncode == 0
    assert "1 file, 4 B, would be restored" in done.stdout
    assert "the newest of 1 backup that is good" in done.stdout
    assert "are free at" in done.stdout
    told = json.loads(world.b1000("restore", "etc", "--to", str(to), "-n", "--json").stdout)
    assert (told["files"], told["bytes"]) == (1, 4)
    assert told["reasons"] == ["the newest of 1 backup that is good"]
    assert not to.exists()


def test_an_interrupted_one_goes_on_from_the_same_backup(two: tuple[World, Path, Path]) -> None:
    world, one, _ = two
    first = put(one, a_mark(when=TODAY - DAY))
    for number in range(2000):
        (first / f"many{number}").write_text("x" * 100)
    to = world.root / "to"
    program = world.start("restore", "etc", "--to", str(to))
    wait_until(lambda: to.exists() and any(to.iterdir()))
    program.kill()
    program.communicate()
    put(one, a_mark(when=TODAY))
    assert str(first) in world.b1000("restore", "etc", "--to", str(to), "-n").stdout
    done = world.b1000("restore", "etc", "--to", str(to))
    assert done.returncode == 0, done.stderr
    assert str(first) in done.stdout
    assert tree(to) == tree(first)
    again = world.b1000("restore", "etc", "--to", str(to))
    assert again.returncode == 2, "a target that is finished is somebody's"


def test_a_byte_that_was_flipped_is_found(world: World) -> None:
    """While it is compared the storage says something else than when it was read."""
    world.files()
    world.write({"dest:store": world.store(), "job:etc": world.push()})
    assert world.b1000().returncode == 0
    (backup,) = (world.root / "store" / "etc").glob("*/*/")
    wrapper = world.root / "bin"
    wrapper.mkdir()
    rsync = subprocess.run(["which", "rsync"], capture_output=True, text=True, check=True)
    (wrapper / "rsync").write_text(
        f'#!/bin/sh\ncase "$*" in *--dry-run*) printf X > {shlex.quote(str(backup))}/file1;;'
        f' esac\nexec {rsync.stdout.strip()} "$@"\n'
    )
    (wrapper / "rsync").chmod(0o755)
    path = {"PATH": f"{wrapper}:{os.environ['PATH']}"}
    done = world.b1000("restore", "etc", "--to", str(world.root / "to"), environment=path)
    assert done.returncode == 1
    assert "differs from the backup: file1" in done.stderr


def test_in_place_changes_nothing_above(world: World) -> None:
    source = world.source / "conf"
    source.mkdir()
    (source / "a").write_text("right")
    world.write(
        {"dest:store": world.store(), "job:etc": world.push(include=f"{source} {source}.d/one")}
    )
    Path(f"{source}.d").mkdir()
    Path(f"{source}.d/one").write_text("one")
    assert world.b1000().returncode == 0
    (source / "a").write_text("wrong!")
    Path(f"{source}.d/one").unlink()
    above = [world.source, Path(f"{source}.d")]
    for each in above:
        each.chmod(0o1751)
        if os.getuid() == 0:
            os.chown(each, 12345, 23456)
        os.utime(each, (1, 1))
    before = [_attributes(each) for each in above]
    assert world.b1000("restore", "etc", "--in-place").returncode == 2
    done = world.b1000("restore", "etc", "--in-place", "--merge")
    assert done.returncode == 0, done.stderr
    assert (source / "a").read_text() == "right"
    assert Path(f"{source}.d/one").read_text() == "one"
    assert [_attributes(each) for each in above] == before


def _attributes(path: Path) -> tuple[int, int, int, float]:
    """Owner, group, mode and time."""
    found = path.stat()
    return found.st_uid, found.st_gid, found.st_mode, found.st_mtime


def test_nothing_to_restore(two: tuple[World, Path, Path]) -> None:
    world, one, _ = two
    put(one, a_mark(), marked=False)
    done = world.b1000("restore", "etc", "--to", str(world.root / "to"))
    assert done.returncode == 1
    assert "no complete backup fits" in done.stderr
