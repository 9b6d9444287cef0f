"""What comes back is as it was: content, owners, modes, times, links, ACLs, xattrs, holes."""

import os
import socket
import stat
import struct
import subprocess
from pathlib import Path

import pytest

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
    """A tree with all that a tree can have, and its backup."""
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
    world.write({"dest:store": world.store(), "job:etc": world.push(**kept)})
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


def test_all_is_as_it_was(backed_up: World) -> None:
    world = backed_up
    to = world.root / "to"
    done = world.b1000("restore", "etc", "--to", str(to))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert differences(world.source, to, "--no-specials") == [], "FIFOs only with --devices"
    assert not os.path.lexists(to / "fifo")
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
    for each in (world.root, *world.root.parents):
        if each.stat().st_mode & 0o5 != 0o5 and each != Path("/"):
            each.chmod(each.stat().st_mode | 0o5)
    for each in (world.root / "store", *(world.root / "store").rglob("*")):
        if not each.is_symlink():
            each.chmod(each.stat().st_mode | (0o5 if each.is_dir() else 0o4))
    home = world.root / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    world.write({"dest:store": {"type": "store", "path": world.root / "store"}})
    text = world.config.read_text().replace(str(world.status_dir), str(home / "status"))
    world.config.write_text(text)
    done = subprocess.run(
        [
            PYTHON,
            "-m",
            "b1000",
            "-f",
            str(world.config),
            "restore",
            "etc",
            "--to",
            home / "to",
        ],
        env={"PYTHONPATH": str(ROOT)},
        cwd="/",
        capture_output=True,
        text=True,
        errors="surrogateescape",
        user=65534,
        group=65534,
        extra_groups=(),
    )
    assert done.returncode == 0, done.stderr
    assert {each.lstat().st_uid for each in (home / "to").rglob("*")} == {65534}
    assert files(home / "to") == files(world.source)


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
