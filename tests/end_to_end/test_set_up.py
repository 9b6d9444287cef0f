"""What a client is told of a storage, or a destination, that is not set up as it should be."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.end_to_end.test_behind_the_gate import backup, being_placed, configure, fulls
from tests.support.daemon import Daemon
from tests.support.mounting import needs_mounts
from tests.support.storage import Storage
from tests.support.stored import NIGHT, a_mark, identify, put
from tests.support.world import ROOT, World, wait_until

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


# --- modules that are not the right ones


def checked(world: World) -> tuple[list[str], list[str]]:
    """What ``check --connect`` calls an error of the destination, and what a warning."""
    done = world.b1000("check", "--connect")
    found = re.findall(r"\[dest:store\] (\w+: .*)", done.stderr)
    warnings = [each for each in found if ": warning: " in each]
    errors = [each for each in found if each not in warnings]
    assert done.returncode == (2 if errors else 0), done.stderr
    return errors, warnings


def test_deletions_need_a_module_of_their_own(world: World, storage: Storage) -> None:
    world.files()
    job = world.push(type="sync", delete="yes")
    for module, mark_path, wrong in (
        ("b1000", None, f"path = {storage.at('', module='b1000-sync')[:-1]} and mark_path = "),
        ("b1000", box(storage), f"path = {storage.at('', module='b1000-sync')[:-1]}"),
        ("b1000-sync", None, f"such as mark_path = {box(storage)}"),
        ("b1000-sync", box(storage), ""),
    ):
        configure(world, storage, job, module=module, mark_path=mark_path)
        errors, _ = checked(world)
        assert len(errors) == bool(wrong)
        assert not wrong or wrong in errors[0]
        assert not fulls(storage)
        assert not (storage.tree() / "etc").exists()
        if module == "b1000":
            assert errors[0].startswith("path: ")
            assert errors[0].endswith(wrong) or errors[0].endswith(box(storage))
            assert "--delete (delete = yes) needs the module b1000-sync" in why(world)
            shutil.rmtree(storage.tree() / "etc", ignore_errors=True)
        elif wrong:
            assert errors[0].startswith("mark_path: ")
            error = why(world)
            assert error.startswith("its mark cannot be written: ")
            assert error.endswith(wrong)
        else:
            backup(world)


def test_a_daemon_that_refuses_to_delete_is_told_beforehand(
    world: World, daemon: Callable[..., Daemon]
) -> None:
    """One without a gate."""
    world.files()
    served = daemon({"b1000": "refuse options = delete*"})
    store = {"type": "active", "path": served.url("b1000")}
    world.write({"dest:store": store, "job:etc": world.push(type="sync", delete="yes")})
    (error,), _ = checked(world)
    assert "refuses the option --delete" in error
    assert "job etc has delete = yes: name a module that lets it, such as path = " in error
    world.write({"job:etc": world.push(type="sync"), "dest:store": store})
    assert checked(world)[0] == []


def test_fulls_whose_marks_no_module_takes_are_told_which_option_names_one(
    world: World, storage: Storage
) -> None:
    """They are copied all the same: that is a warning."""
    world.files()
    configure(world, storage, module="b1000-sync")
    errors, warnings = checked(world)
    assert not errors
    wanted = f"such as mark_path = {box(storage)}"
    assert [each for each in warnings if each.startswith("mark_path: ") and wanted in each]
    assert wanted in backup(world)


# --- trees that others write


def test_a_store_that_is_not_there_is_found(world: World) -> None:
    """So is one that is empty, and was not: its disk is not mounted."""
    root = world.root / "srv"
    wild, below = f"{root}/*", f"{root}/*/b1000"
    for path in (wild, below, root):
        world.write({"dest:store": {"type": "store", "path": path}})
        mend = "make it, mount its disk, or correct the path"
        assert checked(world) == ([f"path: {root}: No such file or directory: {mend}"], [])
    (root / "client-1").mkdir(parents=True)
    for path in (below, wild):
        world.write({"dest:store": {"type": "store", "path": path}})
        errors, (warning,) = checked(world)
        assert not errors
        assert f"no backup lies at {path} yet" in warning
    put(root / "client-1", a_mark(host="client-1", when=NIGHT))
    identify(root / "client-1", NIGHT)
    assert world.b1000("verify").returncode == 0
    assert checked(world) == ([], [])
    shutil.rmtree(root / "client-1")
    error = f"path: {wild} is empty, and was not; is its disk mounted?"
    assert checked(world) == ([error], [])
    assert world.b1000("verify").returncode == 3
    (root / "client-1").mkdir()
    assert checked(world) == ([error], [])


# --- what comes back


def reading(storage: Storage) -> dict[str, object]:
    """The options by which a client reads what it has sent."""
    return {
        "restore_path": storage.at("", module="b1000-restore").rstrip("/"),
        "restore_password_file": storage.password("reading", "reading\n"),
    }


def test_what_cannot_be_read_again_is_told_beforehand(world: World, storage: Storage) -> None:
    world.files()
    configure(world, storage)
    address = storage.at("").rstrip("/")
    module = storage.at("", module="b1000-restore").rstrip("/")
    told = (
        f"127.0.0.1 takes backups at {address}, and gives none back; restore_path names a module "
        f"that can be read, such as restore_path = {module}, and restore_password_file has its "
        "password"
    )
    assert checked(world) == ([], [f"restore_path: warning: {told}"])
    backup(world)
    for words in (["list"], ["list", "--all"], ["verify", "--dest", "store"]):
        done = world.b1000(*words)
        assert done.returncode
        assert done.stderr.count(told) == 1, done.stderr
        assert "JOB/DAY/NAME" not in done.stderr
    done = world.b1000("restore", "etc", "--to", str(world.root / "back"))
    assert done.returncode == 1
    assert told in done.stderr
    assert "JOB/DAY/NAME" not in done.stderr
    configure(world, storage, None, **reading(storage))
    assert checked(world) == ([], [])
    assert world.b1000("list").returncode == 0
    done = world.b1000("restore", "etc", "--to", str(world.root / "back"))
    assert done.returncode == 0, done.stderr


def test_a_restore_path_that_cannot_be_read_is_told_beforehand(
    world: World, storage: Storage
) -> None:
    world.files()
    right = reading(storage)
    for wrong, warning in (
        ({"restore_path": storage.at("", module="b1000-rest")[:-1]}, "has no module 'b1000-rest'"),
        ({"restore_password_file": world.root / "password"}, "refuses user or password"),
        ({"restore_password_file": world.root / "none"}, "/none: No such file or directory"),
        ({"restore_path": world.root / "mounted"}, "/mounted: No such file or directory"),
    ):
        configure(world, storage, None, **{**right, **wrong})
        errors, warnings = checked(world)
        assert not errors
        (found,) = (each for each in warnings if each.startswith("restore_path: "))
        assert warning in found
        assert "reading" not in found.replace(str(world.root), "")


def test_a_password_for_restores_that_is_not_there_is_told_without_a_try(
    world: World, storage: Storage
) -> None:
    world.files()
    configure(world, storage, None, **{**reading(storage), "restore_password_file": "/nowhere"})
    done = world.b1000("check")
    assert done.returncode == 0
    assert "[dest:store] restore_password_file: warning: /nowhere is not there; " in done.stderr


# --- marks that do not arrive


def test_a_mark_that_the_storage_does_not_bring_to_its_place_is_told(
    world: World, storage: Storage
) -> None:
    """What the module's post-xfer exec does no client hears of."""
    world.files()
    script = str(ROOT / "etc" / "scripts" / "b1000-marks")
    text = storage.config.read_text()
    assert text.count(script) == 1
    gone = world.root / "b1000-marks"
    configure(world, storage, None, **reading(storage))
    # A daemon reads its file for each connection.
    storage.config.write_text(text.replace(script, str(gone)))
    backup(world)
    waiting = storage.tree() / ".b1000" / "marks"
    assert len([*waiting.glob("*/*/*.b1k")]) == 1
    errors, (warning,) = checked(world)
    assert not errors
    assert "was taken, and does not lie beside it" in warning
    assert "whether b1000-marks, the post-xfer exec" in warning
    assert "may change its complete" not in warning
    # The next session brings all that waits.
    gone.symlink_to(script)
    backup(world)
    wait_until(lambda: not being_placed(storage.tree() / ".b1000"))
    assert checked(world) == ([], [])


# --- scripts


def test_a_script_that_is_not_there_is_found_without_a_try(world: World) -> None:
    """It may come before the first run, so that is a warning; with ``--connect`` it is an error."""
    world.files()
    plain = world.root / "plain.sh"
    plain.write_text(":\n")
    for pre, wrong in (
        ("/nowhere/dump.sh $start_time", "the script /nowhere/dump.sh is not there; copy it"),
        (f"{plain}", f"the script {plain} is not executable; chmod +x"),
        # What only a run can settle may be there then.
        ("/nowhere/$start_time/dump.sh", ""),
        ("dump.sh", ""),
    ):
        world.write({"dest:store": world.store(), "job:etc": world.push(pre=pre)})
        for words in (["check"], ["check", "--connect"]):
            done = world.b1000(*words)
            error = bool(wrong) and "--connect" in words
            assert done.returncode == (2 if error else 0), done.stderr
            assert done.stderr.count("[job:etc] pre: ") == bool(wrong)
            assert f"{'' if error or not wrong else 'warning: '}{wrong}" in done.stderr
