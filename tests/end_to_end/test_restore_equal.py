"""What comes back is as it was: content, owners, modes, times, links, ACLs, xattrs, holes."""

import os
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.daemon import CHROOT, Daemon
from tests.support.terminal import Terminal
from tests.support.world import ROOT, World, tree

ACL = struct.pack(
    "<I" + "HHI" * 5,
    2,
    *(1, 6, 0xFFFFFFFF),
    *(2, 4, 1234),
    *(4, 4, 0xFFFFFFFF),
    *(16, 6, 0xFFFFFFFF),
    *(32, 0, 0xFFFFFFFF),
)
"""system.posix_acl_access of a file that user 1234 may read."""

ODD = ("-rf", " blank ", "new\nline", "back\\slash", "\\#012", "*[?]", "ümläut", "\udcff\udcfe")


@pytest.fixture
def backed_up(world: World) -> World:
    """A tree with all that a tree can have, and its backup in a local tree."""
    return back_up(world, world.store())


ONLY_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only in a chroot links stay as they are")


@pytest.fixture(params=["in a local tree", pytest.param("at a daemon", marks=ONLY_ROOT)])
def anywhere(request: pytest.FixtureRequest, world: World, daemon: Callable[..., Daemon]) -> World:
    """The same, and its backup at a daemon."""
    if request.param == "at a daemon":
        url = daemon({"b": CHROOT}).url("b")
        return back_up(world, {"type": "active", "path": url})
    return back_up(world, world.store())


def back_up(world: World, store: dict[str, object]) -> World:
    source = world.source
    for number, name in enumerate(ODD):
        (source / name).mkdir(mode=0o750)
        (source / name / name).write_text(f"content {number}")
        os.utime(source / name / name, ns=(1, 1_500_000_000_123_456_789 + number))
    (source / "plain").write_text("plain")
    (source / "plain").chmod(0o4751)
    os.link(source / "plain", source / "second")
    (source / "link").symlink_to("/nowhere/at all")
    with (source / "holes").open("wb") as file:
        file.truncate(4 * 2**20)
        file.seek(2**20)
        file.write(b"data")
    os.mkfifo(source / "fifo")
    with socket.socket(socket.AF_UNIX) as made:
        os.chdir(source)
        made.bind("socket")
        os.chdir("/")
    os.setxattr(source / "plain", "user.colour", b"blue")
    os.setxattr(source / "holes", "system.posix_acl_access", ACL)
    if os.getuid() == 0:
        os.chown(source / "plain", 1234, 4321)
        os.chown(source / "link", 1234, 4321, follow_symlinks=False)
        os.chown(source / " blank ", 77, 78)
    os.utime(source / "new\nline", ns=(5, 1_400_000_000_000_000_005))
    kept = dict.fromkeys(("hard_links", "acls", "xattrs", "sparse"), "yes")
    world.write({"dest:store": store, "job:etc": world.push(**kept)})
    assert world.b1000().returncode == 0
    return world


def differences(one: Path, other: Path, *more: str) -> list[str]:
    """What bare rsync finds to differ, whatever B1000 says."""
    found = subprocess.run(
        [
            *("rsync", "-aHAX", "--numeric-ids", "--modify-window=-1", "--checksum", "--delete"),
            *("--dry-run", "--itemize-changes", *more, f"{one}/", f"{other}/"),
        ],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=True,
    )
    return [line for line in found.stdout.splitlines() if not line.startswith("skipping ")]


def files(directory: Path) -> dict[str, bytes]:
    """The regular files below a directory: a FIFO is not to be read."""
    return {
        os.fsdecode(os.path.relpath(each, directory)): each.read_bytes()
        for each in directory.rglob("*")
        if stat.S_ISREG(each.lstat().st_mode)
    }


def test_all_is_as_it_was(anywhere: World) -> None:
    world = anywhere
    to = world.root / "to"
    done = world.b1000("restore", "etc", "--to", str(to))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert differences(world.source, to, "--no-specials") == [], "FIFOs only with --devices"
    assert not os.path.lexists(to / "fifo")
    assert "not made: 2 devices, sockets and FIFOs (--devices makes them)" in done.stdout
    assert (to / "holes").stat().st_blocks < 4 * 2**20 // 512
    assert (to / "plain").stat().st_ino == (to / "second").stat().st_ino
    # Again, with what is no file; and into what is there already, which is a detour.
    for words in (["--to", str(world.root / "all"), "--devices"], ["--to", str(to), "--merge"]):
        done = world.b1000("restore", "etc", *words)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert differences(world.source, world.root / "all") == []
    # Names one by one.
    some = ["-rf", " blank / blank ", "new\nline", "*[?]", "link"]
    done = world.b1000("restore", "etc", "--to", str(world.root / "some"), "--", *some)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    expected = {
        name: content
        for name, content in files(world.source).items()
        if any(name == each or name.startswith(f"{each}/") for each in some)
    }
    assert files(world.root / "some") == expected
    assert os.readlink(world.root / "some" / "link") == "/nowhere/at all"


PYTHON = "/usr/bin/python3"
"""One that others may run: that of the tests may lie in somebody's home."""


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_owners_may_be_others_and_who_is_not_root_gets_what_he_may(backed_up: World) -> None:
    world = backed_up
    given = world.root / "given"
    done = world.b1000("restore", "etc", "--to", str(given), "--chown", "12:34")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    owners = {(each.lstat().st_uid, each.lstat().st_gid) for each in (given, *given.rglob("*"))}
    assert owners == {(12, 34)}
    if not os.access(PYTHON, os.X_OK) or not all(each.stat().st_mode & 1 for each in ROOT.parents):
        return
    # Below pytest's own directories nobody else gets in.
    with tempfile.TemporaryDirectory() as open_to_all:
        place = Path(open_to_all)
        subprocess.run(["cp", "-a", world.root / "store", place / "store"], check=True)
        for each in (place, place / "store", *(place / "store").rglob("*")):
            if not each.is_symlink():
                each.chmod(each.stat().st_mode | (0o5 if each.is_dir() else 0o4))
        home = place / "home"
        home.mkdir()
        os.chown(home, 65534, 65534)
        store = {"type": "store", "path": place / "store"}
        world.write({"dest:store": store, "global": {"status_dir": home / "status"}})
        config = shutil.copy(world.config, place / "b1000.cfg")
        done = as_nobody(config, "restore", "etc", "--to", home / "to")
        assert done.returncode == 0, done.stderr
        assert "only root can keep owners" in done.stdout
        assert {each.lstat().st_uid for each in (home / "to").rglob("*")} == {65534}
        assert files(home / "to") == files(world.source)
        for words in (["--chown", "0:0"], ["--chown", ":0"]):
            done = as_nobody(config, "restore", "etc", "--to", home / "given", *words)
            assert done.returncode == 2
            assert "only root can give files to others" in done.stderr
        assert not (home / "given").exists()
        # Who may only read the journal is told that, and nothing is made.
        status = shutil.copytree(world.status_dir, place / "status")
        for each in (status, *status.rglob("*")):
            each.chmod(0o755 if each.is_dir() else 0o644)
        world.write({"dest:store": store, "global": {"status_dir": status}})
        reader = shutil.copy(world.config, place / "reader.cfg")
        done = as_nobody(reader, "restore", "etc", "--to", home / "read")
        assert done.returncode == 2
        told = f"the journal {status}/journal.sqlite3 cannot be opened: Permission denied"
        assert told in done.stderr
        assert not (home / "read").exists()
        own = as_nobody(config, "restore", "etc", "--to", home / "own", "--chown", "65534:65534")
        assert own.returncode == 0, own.stderr
        # Of a directory of root nothing can be changed, and it is that which is told.
        theirs = place / "theirs"
        theirs.mkdir()
        (theirs / "file").touch()
        done = as_nobody(config, "restore", "etc", "--to", theirs, "--merge")
        assert done.returncode == 1
        assert f"not restored: {theirs / '.b1000-restoring'}: Permission denied" in done.stderr
        theirs.chmod(0o777)
        done = as_nobody(config, "restore", "etc", "--to", theirs, "--missing", "plain")
        assert done.returncode == 0, done.stderr
        assert (theirs / "plain").read_text() == "plain"


def as_nobody(config: Path | str, *words: object) -> "subprocess.CompletedProcess[str]":
    """Run b1000 as a user who may do nothing."""
    return subprocess.run(
        [PYTHON, "-m", "b1000", "-f", str(config), *map(str, words)],
        env={"PYTHONPATH": str(ROOT)},
        cwd="/",
        capture_output=True,
        text=True,
        errors="surrogateescape",
        user=65534,
        group=65534,
        extra_groups=(),
        check=False,
    )


def test_each_manner_against_extra_older_newer_and_equal_files(world: World) -> None:
    for name in ("older", "newer", "equal", "gone"):
        (world.source / name).write_text(f"{name} in backup")
        os.utime(world.source / name, (1_600_000_000, 1_600_000_000))
    world.write({"dest:store": world.store(), "job:etc": world.push()})
    assert world.b1000().returncode == 0
    kept = {"older": b"older here", "newer": b"newer here", "extra": b"extra here"}
    right = {name: f"{name} in backup".encode() for name in ("older", "newer", "equal", "gone")}
    expected = {
        "--missing": {**right, **kept},
        "--merge": {**right, "extra": b"extra here"},
        "--mirror": right,
    }
    for manner, wanted in expected.items():
        to = world.root / manner
        to.mkdir()
        for name, content in kept.items():
            (to / name).write_bytes(content)
        os.utime(to / "older", (1_500_000_000, 1_500_000_000))
        (to / "equal").write_text("equal in backup")
        os.utime(to / "equal", (1_600_000_000, 1_600_000_000))
        inode = (to / "equal").stat().st_ino
        done = world.b1000("restore", "etc", "--to", str(to), manner, "--yes")
        assert done.returncode == 0, done.stderr
        assert tree(to) == wanted, manner
        assert (to / "equal").stat().st_ino == inode, "what is equal is left alone"
        assert ("1 name will be deleted: extra" in done.stderr) == (manner == "--mirror")


def test_a_directory_with_other_things_in_it_stays_as_it_is(world: World) -> None:
    """As / would have to, where a backup of /etc and /srv comes back into it."""
    (world.source / "conf").mkdir(mode=0o700)
    (world.source / "conf" / "a").write_text("a")
    world.write({"dest:store": world.store(), "job:etc": world.push(include=world.source / "conf")})
    assert world.b1000().returncode == 0
    to = world.root / "to"
    to.mkdir()
    (to / "extra").write_text("extra")
    for manner in ("--missing", "--merge", "--mirror"):
        shutil.rmtree(to / "conf", ignore_errors=True)
        to.chmod(0o711)
        if os.getuid() == 0:
            os.chown(to, 12, 34)
        os.utime(to, (1, 1))
        before = to.stat()
        done = world.b1000("restore", "etc", "--to", str(to), manner, "--yes")
        assert done.returncode == 0, done.stderr
        assert (to / "conf" / "a").read_text() == "a"
        after = to.stat()
        for what in ("st_mode", "st_uid", "st_gid", "st_mtime"):
            assert getattr(after, what) == getattr(before, what), (manner, what)
    assert not (to / "extra").exists()


def test_whoever_is_asked_before_deleting_may_say_no(world: World) -> None:
    world.files()
    world.write({"dest:store": world.store(), "job:etc": world.push()})
    assert world.b1000().returncode == 0
    to = world.root / "to"
    to.mkdir()
    (to / "extra\x1b[31m").write_text("extra")
    argv = [sys.executable, "-m", "b1000", "-f", str(world.config)]
    for typed, code in ((b"no\n", 2), (b"yes\n", 0)):
        terminal = Terminal([*argv, "restore", "etc", "--to", str(to), "--mirror"], {}, columns=200)
        while "Delete them?" not in terminal.text:
            assert terminal.read(30), terminal.text
        assert "1 name would be deleted: extra\\x1b[31m" in terminal.text
        terminal.keys(typed)
        assert terminal.finish() == code
        assert bool(list(to.glob("extra*"))) == bool(code)
