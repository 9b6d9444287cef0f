"""A destination that has to be mounted: where it is not, nothing is made on the file system of /.

The mounts are real ones, in a namespace of mounts of each program's own.
"""

import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.mounting import needs_mounts
from tests.support.stored import NIGHT, a_mark, identify, put
from tests.support.world import ROOT, World

pytestmark = needs_mounts


@pytest.fixture
def disk(world: World) -> Path:
    """A mount point on the file system of /, and a job whose destination is below it."""
    if os.stat(world.root).st_dev != os.stat("/").st_dev:
        pytest.skip("the directory of the tests is a mount of its own")
    world.files()
    place = world.root / "usb"
    place.mkdir()
    configure(world, place)
    return place


def configure(world: World, place: Path, kind: str = "full", **options: object) -> None:
    store = world.store(path=f"{place}/b1000", must_be_mounted="yes")
    world.write({"dest:store": {**store, **options}, "job:etc": world.push(type=kind)})


def mounted(world: World, mounting: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """The program where something is mounted: its mounts end with it."""
    program = f'exec "$0" -m b1000 -f {world.config} "$@"'
    return subprocess.run(
        ["unshare", "--mount", "sh", "-ec", f"{mounting}\n{program}", sys.executable, *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
    )


@pytest.mark.parametrize("kind", ["full", "sync"])
def test_nothing_is_made_where_nothing_is_mounted(world: World, disk: Path, kind: str) -> None:
    configure(world, disk, kind)
    assert world.b1000().returncode == 1
    (copy,) = world.last("etc")["copies"]
    told = f"nothing is mounted at {disk}/b1000 or above it (must_be_mounted): mount it"
    assert told in copy["error"]
    assert list(disk.iterdir()) == []
    for words in (["-n"], ["check", "--connect"]):
        done = world.b1000(*words)
        assert done.returncode in (1, 2)
        assert told in done.stdout + done.stderr
    assert list(disk.iterdir()) == []


def test_what_lies_where_a_disk_is_not_mounted_is_none_of_its_backups(
    world: World, disk: Path
) -> None:
    """It is neither listed, nor read, nor removed, nor restored."""
    configure(world, disk, keep="last 3", verify="1d")
    root = disk / "b1000"
    identify(root, NIGHT - timedelta(days=1))
    lying = [put(root, a_mark(host="client", when=NIGHT + timedelta(days=n))) for n in range(5)]
    words = {"list": 1, "prune": 1, "verify": 3, "restore": 1}
    for command, code in words.items():
        more = ["etc", "--to", str(world.root / "back")] if command == "restore" else []
        done = world.b1000(command, *more)
        assert (done.returncode, done.stdout.count("complete")) == (code, 0), done.stderr
        assert f"nothing is mounted at {root} or above it (must_be_mounted)" in done.stderr
    assert all(each.is_dir() for each in lying)
    there = mounted(world, f"mount --bind {disk} {disk}", "list")
    assert (there.returncode, there.stdout.count("  complete  ")) == (0, 5)


@pytest.mark.parametrize(
    "mounting",
    ["mount -t tmpfs none {0}", "mkdir -p {1}/bound; mount --bind {1}/bound {0}"],
)
def test_what_is_mounted_is_written_to(world: World, disk: Path, mounting: str) -> None:
    shell = mounting.format(disk, world.root)
    checked = mounted(world, shell, "check", "--connect")
    assert (checked.returncode, "must_be_mounted" in checked.stderr) == (0, False)
    done = mounted(world, shell)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(disk.iterdir()) == []  # the mount was the program's own


def test_a_link_to_a_mount_is_followed(world: World, disk: Path) -> None:
    (world.root / "link").symlink_to(disk)
    configure(world, world.root / "link")
    done = mounted(world, f"mount -t tmpfs none {disk}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_disk_that_is_mounted_meanwhile_is_used_by_the_next_attempt(
    world: World, disk: Path
) -> None:
    # What the first attempt tells of mounts the disk: the log is a pipe that is read until then.
    world.write(
        {
            "global": {"copy_retries": 50, "copy_retry_min_sleep": 1},
            "dest:store": world.store(path=f"{disk}/b1000", must_be_mounted="yes"),
            "job:etc": world.push(),
        }
    )
    program = (
        f'"$0" -m b1000 -f {world.config} | while read -r line; do echo "$line"; '
        f'case "$line" in *"attempt 1 failed"*) mount -t tmpfs none {disk};; esac; done'
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", program, sys.executable],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
    )
    assert "attempt 1 failed" in done.stdout
    (copy,) = world.last("etc")["copies"]
    assert copy["status"] == "DONE", done.stdout
    assert copy["attempts"] > 1


def test_without_the_option_check_warns_of_the_file_system_of_root(
    world: World, disk: Path
) -> None:
    configure(world, disk, must_be_mounted=None)
    done = world.b1000("check", "--connect")
    assert done.returncode == 0
    assert "lies on the file system of /" in done.stderr
    assert "must_be_mounted = yes" in done.stderr
    on_a_disk = mounted(world, f"mount -t tmpfs none {disk}", "check", "--connect")
    assert "file system of /" not in on_a_disk.stderr


def test_it_is_not_for_daemons(world: World) -> None:
    store = {"type": "active", "path": "rsync://store/b1000", "must_be_mounted": "yes"}
    world.write({"dest:store": store, "job:etc": world.push()})
    done = world.b1000("check")
    assert done.returncode == 2
    assert "[dest:store] must_be_mounted: it is for local paths" in done.stderr


def test_what_one_file_system_leaves_out_is_told(world: World, disk: Path) -> None:
    """A disk below a source, which is neither included itself nor excluded."""
    if not shutil.which("mkfs.ext4"):
        pytest.skip("mkfs.ext4 is not installed")
    place = world.source / "da ta"
    place.mkdir()
    image = world.root / "image"
    with image.open("wb") as file:
        file.truncate(2**23)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    shell = f"mount -o loop {image} '{place}' || exit 99; mount -t tmpfs none {disk}"

    def told(include: str, exclude: str = "", options: str = "-x") -> bool:
        more = {"exclude": exclude} if exclude else {}
        store = world.store(path="rsync://localhost/b1000", rsync_options=options)
        world.write({"dest:store": store, "job:etc": world.push(include=include, **more)})
        done = mounted(world, shell, "check")
        if done.returncode == 99:
            pytest.skip("no loop device")
        assert done.returncode == 0, done.stderr
        found = f"leaves out what is mounted at {place}: include it" in done.stderr
        assert found == ("leaves out" in done.stderr)
        return found

    assert told(f"{world.source}/")
    assert told(str(world.root), options="-vx")
    assert not told(f"{world.source}/", options="--no-x")
    assert not told(f"{world.source}/ '{place}'")
    assert not told(f"{world.source}/", exclude="'/da ta/'")
    assert not told(str(world.source), exclude=f"'/{world.source.name}/da ta/*'")


@pytest.mark.parametrize(
    ("options", "fill"),
    [("size=64k", "head -c 1M /dev/zero > fill || true"), ("nr_inodes=2", ": > fill")],
)
def test_check_tells_of_a_disk_that_is_full(world: World, options: str, fill: str) -> None:
    world.files()
    place = world.root / "small"
    place.mkdir()
    full = {"type": "active", "path": place / "b1000"}
    settings = {"status_dir": place / "status"}
    world.write({"global": settings, "dest:store": full, "job:etc": world.push()})
    mounting = f"mount -t tmpfs -o {options} none {place}; (cd {place}; {fill}) 2>/dev/null"
    done = mounted(world, mounting, "check", "--connect")
    assert done.returncode == 2, done.stderr
    for what, path in (("[global] status_dir", "status"), ("[dest:store] path", "b1000")):
        told = f"{what}: {place}/{path}: no space left on its disk; free some"
        assert told in done.stderr
    assert mounted(world, mounting.partition(";")[0], "check", "--connect").returncode == 0
