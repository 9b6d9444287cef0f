"""`b1000 verify` on real trees: what it finds, what it writes, what coreutils say of that."""

import gzip
import json
import os
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from b1000.b1k import root_id
from b1000.b1k.mark import Counts
from b1000.verify.reading import Missed, Pace, files
from b1000.verify.tree import Tree
from tests.support.stored import a_mark, put
from tests.support.world import World

TODAY = datetime.now().replace(microsecond=0) - timedelta(hours=2)
DAY = timedelta(days=1)
ODD = [
    *(b"plain", b"-dash", b"back\\slash", b"new\nline", b"\xff bytes", b"two  blanks ", b"n\\n"),
    *(b"return\r", b"re\rturn", b"\r", b"\\r", b"\n\r", b" first", b"*star", b"a" * 255, b"\\"),
]


def backup(root: Path, ago: int = 0) -> Path:
    """A full with files of odd names."""
    counts = Counts(files=len(ODD) + 1, bytes=4)
    path = put(root, a_mark(when=TODAY - ago * DAY, counts=counts))
    for name in ODD:
        (Path(os.fsdecode(os.fsencode(path) + b"/" + name))).write_text(repr(name))
    return path


def test_a_list_of_sums_is_one_of_coreutils(world: World, root: Path) -> None:
    path = backup(root)
    done = world.b1000("verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "1 backup counted, 1 read, 0 bad\n"
    listed = gzip.decompress(Path(f"{path}.sha256.gz").read_bytes())
    checked = subprocess.run(
        ["sha256sum", "-c", "--strict"], input=listed, cwd=path, capture_output=True
    )
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count(b": OK") == len(ODD) + 1
    again = world.b1000("verify", "--json")
    assert json.loads(again.stdout)["findings"] == []


def test_a_root_with_marks_gets_its_id(world: World, root: Path) -> None:
    world.write({"dest:kept": {"type": "store", "path": root, "verify": "1d", "keep": "last 1"}})
    identity = root / root_id.FILE
    identity.unlink()
    put(root, a_mark(when=TODAY), marked=False)
    assert world.b1000("verify", "--count").returncode == 0
    assert not identity.exists()  # a mount point of a disk that is away looks no better
    put(root, a_mark(when=TODAY))
    assert world.b1000("prune").returncode == 1
    assert not identity.exists()
    assert world.b1000("verify", "--count").returncode == 0
    told = root_id.parse(identity.read_bytes())
    assert told.created == TODAY.timestamp()  # as old as the first that has a mark
    assert world.b1000("verify", "--count").returncode == 0
    assert root_id.parse(identity.read_bytes()) == told
    assert world.b1000("prune").returncode == 0
    strange = world.b1000("verify", "etcc")
    assert strange.returncode == 2
    assert "no backups of etcc lie there; there are those of etc/" in strange.stderr


def damage(path: Path, how: str) -> None:
    """Damage one file, whose time stays as it was."""
    file = path / "plain"
    before = file.stat()
    match how:
        case "flipped":
            data = bytearray(file.read_bytes())
            data[0] ^= 1
            file.write_bytes(data)
        case "truncated":
            file.write_bytes(file.read_bytes()[:-1])
        case "swapped":
            other = path / "-dash"
            other.rename(path / "x")
            file.rename(other)
            (path / "x").rename(file)
            return
        case "removed":
            file.unlink()
            return
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("how", ["flipped", "truncated", "swapped", "removed"])
def test_what_has_changed_is_bad(world: World, root: Path, how: str) -> None:
    older, path = backup(root, 1), backup(root)
    assert world.b1000("verify").returncode == 0
    damage(path, how)
    done = world.b1000("verify", "--all")
    assert done.returncode == 1
    assert f"{path} " in done.stderr
    assert "plain" in done.stderr
    assert str(older) not in done.stderr
    listed = json.loads(world.b1000("list", "--all", "--json").stdout)["backups"]
    assert [each["bad"] for each in listed] == [False, True]
    if how != "removed":
        assert (path / "plain.b1000-corrupt").exists()
        assert not (path / "plain").exists()


def test_all_that_share_a_bad_file_are_named(world: World, root: Path) -> None:
    first = backup(root, 9)
    fulls = [first]
    for ago in range(8, -1, -1):
        path = put(root, a_mark(when=TODAY - ago * DAY))
        (path / "file").unlink()
        os.link(first / "plain", path / "file")
        fulls.append(path)
    assert world.b1000("verify").returncode == 0
    damage(first, "flipped")
    done = world.b1000("verify", "--all")
    assert done.returncode == 1
    assert all(str(path) in done.stderr for path in fulls)


def test_one_that_is_short_is_told_and_more_is_no_fault(world: World, root: Path) -> None:
    short = put(root, a_mark(counts=Counts(files=5, bytes=4), when=TODAY - DAY))
    gone = put(root, a_mark(counts=Counts(files=5, vanished=4), host="web2"))
    more = put(root, a_mark(counts=Counts(files=0), host="web3"))
    done = world.b1000("verify", "--count")
    assert done.returncode == 1
    assert f"{short} is short: 1 file, and its mark says 5" in done.stderr
    assert str(gone) not in done.stderr
    assert f"{more} has 1 more file than" in done.stderr
    assert not Path(f"{short}.sha256.gz").exists()


def test_what_killed_attempts_may_have_left_is_told_and_stays(world: World, root: Path) -> None:
    left = "file.Xy12ab", ".file.Xy12ab", ".b1000-partial/other"
    for host, may in (("web1", True), ("web2", False)):
        path = put(root, a_mark(host=host, when=TODAY)._replace(leftovers=may))
        (path / ".b1000-partial").mkdir()
        for name in left:
            (path / name).write_text("text")
    done = world.b1000("verify", "--count", "--json")
    assert done.returncode == 0
    findings = json.loads(done.stdout)["findings"]
    told = [each["text"] for each in findings if "killed" in each["text"]]
    assert told == [
        "may hold 2 files of attempts that were killed, not removed, since a name proves nothing: "
        ".b1000-partial/other, .file.Xy12ab"
    ]
    assert len([*root.glob("*/*/*/.file.Xy12ab")]) == 2


@pytest.mark.parametrize("how", ["changed", "gone"])
def test_a_list_that_is_gone_or_changed_is_found_out(world: World, root: Path, how: str) -> None:
    path = backup(root)
    assert world.b1000("verify").returncode == 0
    listed = Path(f"{path}.sha256.gz")
    right = listed.read_bytes()

    def spoil() -> None:
        listed.unlink()
        if how == "changed":
            listed.write_bytes(gzip.compress(b""))

    spoil()
    done = world.b1000("verify", "--all", "--json")
    assert done.returncode == 1
    (finding,) = json.loads(done.stdout)["findings"]
    assert (finding["path"], finding["kind"], finding["bad"]) == (str(path), "list", True)
    assert ("was changed by somebody" if how == "changed" else "is gone") in done.stderr
    # All files have the sums of which the hash of the list was made.
    assert listed.read_bytes() == right
    assert world.b1000("verify", "--all").returncode == 0
    damage(path, "flipped")
    spoil()
    for _ in range(2):
        done = world.b1000("verify", "--all")
        assert done.returncode == 1
        assert "the files are not those that were read first" in done.stderr
    (each,) = json.loads(world.b1000("list", "--all", "--json").stdout)["backups"]
    assert each["bad"]


def test_a_list_is_written_through_no_link(world: World, root: Path) -> None:
    path = backup(root)
    outside = world.root / "outside"
    outside.mkdir()
    day = path.parent
    moved = day.rename(day.with_name("moved"))
    tree = Tree(str(root), path.relative_to(root).as_posix())
    day.symlink_to(moved)
    missed: list[Missed] = []
    assert not list(files(tree, Pace(), missed))
    assert [each.name for each in missed] == [b""]
    with pytest.raises(NotADirectoryError), tree.beside(".sha256.gz"):
        pass
    day.unlink()
    moved.rename(day)
    assert len(list(files(tree, Pace(), []))) == len(ODD) + 1


@pytest.mark.parametrize("kind", ["full", "sync"])
def test_the_next_run_holds_the_right_bytes_again(world: World, kind: str) -> None:
    world.files()
    link = {"link_dest": "yes"} if kind == "full" else {}
    store = {**world.store(), **link, "verify": "1d"}
    world.write({"dest:store": store, "job:etc": world.push(type=kind)})
    fulls = "*/*/" if kind == "full" else "*/"
    there = world.root / "store" / "etc"
    assert world.b1000().returncode == 0
    (first,) = there.glob(fulls)
    assert world.b1000("verify").returncode == 0
    file = first / "file1"
    before = file.stat()
    file.write_text("CONTENT 1\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert world.b1000("verify", "--all").returncode == 1
    assert world.b1000().returncode == 0
    newest = max(there.glob(fulls), key=lambda path: path.name)
    assert (newest != first) == (kind == "full")
    assert (newest / "file1").read_text() == "content 1\n"
    if kind == "sync":
        assert world.b1000("verify", "--all").returncode == 0
    listed = json.loads(world.b1000("list", "--json").stdout)["backups"]
    assert [each["bad"] for each in listed] == ([True, False] if kind == "full" else [False])
    assert (first / "file1.b1000-corrupt").read_text() == "CONTENT 1\n"


def test_nothing_is_renamed_through_a_link(world: World, root: Path) -> None:
    path = backup(root)
    (path / "d").mkdir()
    (path / "d" / "passwd").write_text("in the backup")
    assert world.b1000("verify").returncode == 0
    outside = world.root / "outside"
    outside.mkdir()
    (outside / "passwd").write_text("of the host")
    (path / "d" / "passwd").unlink()
    (path / "d").rmdir()
    (path / "d").symlink_to(outside)
    assert world.b1000("verify", "--all").returncode == 1
    assert [each.name for each in outside.iterdir()] == ["passwd"]


def test_only_in_the_newest_a_file_is_set_aside_and_bad_stays_bad(world: World, root: Path) -> None:
    older, newest = backup(root, 1), backup(root)
    assert world.b1000("verify").returncode == 0
    damage(older, "flipped")
    damage(newest, "flipped")
    for _ in range(2):
        assert world.b1000("verify", "--all").returncode == 1
    assert (older / "plain").exists()
    assert (newest / "plain.b1000-corrupt").exists()
    listed = json.loads(world.b1000("list", "--all", "--json").stdout)["backups"]
    assert [each["bad"] for each in listed] == [True, True]


def test_a_name_of_the_future_is_not_the_newest_of_which_files_are_set_aside(
    world: World, root: Path
) -> None:
    newest, ahead = backup(root), backup(root, -400)
    assert world.b1000("verify").returncode == 0
    for each in (newest, ahead):
        damage(each, "flipped")
    assert world.b1000("verify", "--all").returncode == 1
    assert (newest / "plain.b1000-corrupt").exists()
    assert (ahead / "plain").exists()


def test_when_time_is_over_the_rest_waits(world: World, root: Path) -> None:
    backup(root)
    slow = {"type": "store", "path": root, "verify": "1d", "verify_rate": "1k"}
    world.write({"dest:kept": slow})
    for number in range(8):
        (backup(root, 1) / f"large{number}").write_bytes(os.urandom(4096))
    done = world.b1000("verify", "--for", "1s")
    assert done.returncode == 3
    assert "the rest waits" in done.stderr
    world.write({"dest:kept": {**slow, "verify_rate": None}})
    assert world.b1000("verify").returncode == 0
