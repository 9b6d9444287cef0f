"""What a client is told of a storage, or a destination, that is not set up as it should be."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.end_to_end.test_behind_the_gate import backup, being_placed, configure, fulls
from tests.support.mounting import needs_mounts
from tests.support.storage import Storage
from tests.support.world import World, wait_until

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root has a chroot")


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    """The shipped one, with the module for deletions in sync trees too."""
    made = Storage(tmp_path / "storage", "b1000-sync")
    made.start()
    yield made
    made.stop()


def box(storage: Storage) -> str:
    """The address of the module for marks."""
    return storage.at("", module="b1000-marks").rstrip("/")


def why(world: World, *words: str) -> str:
    """Why the copy of the last run has failed."""
    assert world.b1000(*words).returncode == 1
    error = world.last("etc")["copies"][0]["error"]
    assert isinstance(error, str)
    assert "backing-up" not in error
    return error


# --- a disk that takes nothing


@contextmanager
def disk(storage: Storage, options: str = "size=256k") -> Iterator[None]:
    """A disk of its own at the client's directory."""
    tree = str(storage.tree())
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", tree], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", tree], check=True)


def remount(storage: Storage, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(storage.tree())], check=True)


def use_up(storage: Storage) -> Path:
    """A file that leaves no room beside it."""
    file = storage.tree() / "large"
    with open(file, "wb", buffering=0) as taking, suppress(OSError):
        while taking.write(bytes(4096)):
            pass
    return file


@needs_mounts
@pytest.mark.parametrize("kind", ["full", "sync"])
@pytest.mark.parametrize("began", [False, True])
def test_a_disk_without_space_is_told_as_that(
    world: World, storage: Storage, kind: str, began: bool
) -> None:
    world.files()
    configure(world, storage, world.push(type=kind))
    with disk(storage):
        if began:
            backup(world)
            wait_until(lambda: not being_placed(storage.tree() / ".b1000"))
        large = use_up(storage)
        assert "no space left at 127.0.0.1: free some (rsync exit " in why(world)
        large.unlink()
        backup(world, "--copy")


@needs_mounts
@pytest.mark.parametrize("began", [False, True])
def test_a_disk_that_is_read_only_is_told_as_that(
    world: World, storage: Storage, began: bool
) -> None:
    world.files()
    configure(world, storage)
    with disk(storage):
        if began:
            backup(world)
            wait_until(lambda: not being_placed(storage.tree() / ".b1000"))
        remount(storage, "ro")
        error = why(world)
        assert error.startswith("the file system is read-only at 127.0.0.1 (rsync exit ")
        assert "b1000-gate: the storage cannot write down this session: Read-only file" in error
        # How the storage calls its directories is nobody else's.
        assert str(storage.tree()) not in error
        remount(storage, "rw")
        backup(world, "--copy")
        assert fulls(storage)


@needs_mounts
def test_a_sync_whose_old_mark_cannot_be_changed_says_why(world: World, storage: Storage) -> None:
    """Its destination writes no marks any more; the last one says that the tree is complete."""
    world.files()
    configure(world, storage, world.push(type="sync"))
    with disk(storage):
        backup(world)
        wait_until(lambda: not being_placed(storage.tree() / ".b1000"))
        (mark,) = (storage.tree() / "etc").glob("*.b1k")
        assert "state = complete" in mark.read_text()
        configure(world, storage, world.push(type="sync"), mark="no")
        remount(storage, "ro")
        error = why(world)
        assert error.startswith("the file system is read-only at 127.0.0.1 (rsync exit ")
        remount(storage, "rw")
        assert "state = complete" in mark.read_text()
