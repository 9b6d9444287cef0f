"""Marks that clients bring to a storage, and what becomes of them."""

import os
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from b1000.b1k.mark import Mark, parse, render
from b1000.b1k.report_file import DestinationSection, ReportFile
from b1000.runs.states import CopyStatus, Status, Step
from tests.support.attacker import (
    COMPLETE,
    DAY,
    MARK,
    NEW,
    NEW_NAME,
    OLD,
    OLD_NAME,
    Attacker,
    kept,
    mark,
    send,
)
from tests.support.lying_client import Liar
from tests.support.mounting import needs_mounts
from tests.support.storage import Storage
from tests.support.world import ROOT, wait_until

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root has a chroot")


def log_of(storage: Storage) -> str:
    file = storage.tree() / ".b1000" / "marks.log"
    return file.read_text() if file.exists() else ""


def test_marks_come_to_their_backups(storage: Storage, tmp_path: Path) -> None:
    (storage.tree() / NEW).mkdir()
    box = tmp_path / "box"
    (box / DAY).mkdir(parents=True)
    (box / f"{NEW}.b1k").write_text(COMPLETE)
    sync = COMPLETE.replace("full", "sync")
    (box / "etc" / "host.b1k").write_text(sync)
    assert send(storage, box).returncode == 0
    for path in (f"{NEW}.b1k", "etc/host.b1k"):
        wait_until((storage.tree() / path).exists)
        assert (storage.tree() / path).read_text() == (box / path).read_text()
    beside = storage.tree() / "etc" / "host.b1k"
    said = sync.replace("complete", "writing")
    mark(storage, tmp_path, "etc/host.b1k", said)
    wait_until(lambda: beside.read_text() == said)
    mark(storage, tmp_path, "etc/host.b1k", sync)
    wait_until(lambda: beside.read_text() == sync)
    mark(storage, tmp_path, f"{NEW}.b1k", COMPLETE)
    assert log_of(storage) == ""


def test_a_job_may_be_called_as_no_backup_is(storage: Storage, tmp_path: Path) -> None:
    he = Attacker(storage, tmp_path, "b1000")
    for job in ("dumps.gz", "my.b1k", "let.keep"):
        for path, kind in ((f"{job}/host", "sync"), (NEW.replace("etc", job), "full")):
            assert he.rsync("-a", "--mkpath", f"{he.backup()}/", he.at(f"{path}/")) == 0, he.told
            mark(storage, tmp_path, f"{path}.b1k", COMPLETE.replace("full", kind))
            wait_until((storage.tree() / f"{path}.b1k").exists)
    assert log_of(storage) == ""


def test_the_first_mark_of_a_new_sync_is_early_and_no_fault(
    storage: Storage, tmp_path: Path
) -> None:
    first = COMPLETE.replace("full", "sync").replace("complete", "writing")
    for path in ("etc/new.b1k", "another/new.b1k"):
        mark(storage, tmp_path, path, first)
        wait_until(lambda: not [*storage.tree().glob(".b1000/marks/*/*.b1k")])
    # The box is taken from one by one: what is told of this one comes after those.
    mark(storage, tmp_path, "etc/new.b1k", first.replace("writing", "complete"))
    wait_until(lambda: "there is no such backup" in log_of(storage))
    assert len(log_of(storage).splitlines()) == 1
    assert not (storage.tree() / "etc" / "new.b1k").exists()
    assert not (storage.tree() / "another").exists()


def test_what_b1000_writes_is_taken(storage: Storage, tmp_path: Path) -> None:
    (storage.tree() / NEW).mkdir()
    target = DestinationSection("tele", "active", "rsync://tele/b1000", CopyStatus.DONE)
    run = ReportFile(
        "host", "etc", "", "push", "2026-11-22-05-06-07", Step.DONE, Status.OK, (target,)
    )
    began = datetime(2026, 11, 22, 5, 6, 7, tzinfo=UTC).timestamp()
    text = render(Mark(run, "uid", "full", "complete", began, began + 5, include="/etc"))
    mark(storage, tmp_path, f"{NEW}.b1k", text)
    beside = storage.tree() / f"{NEW}.b1k"
    wait_until(beside.exists)
    assert parse(beside.read_bytes(), NEW).complete
    done = storage.push("-an", f"{tmp_path}/", storage.at(f"{NEW}/"))
    assert "b1000-gate: this backup is complete" in done.stderr


HOSTILE = {
    "writing": (f"{OLD}.b1k", COMPLETE.replace("complete", "writing"), "complete already"),
    "another-complete": (f"{OLD}.b1k", f"{COMPLETE}files = 1\n", "complete already"),
    "never-sent": (f"{DAY}/{NEW_NAME}.b1k", COMPLETE, "no such backup"),
    "no-job": ("nix/host.b1k", COMPLETE.replace("full", "sync"), "no such backup"),
    "other-type": (f"{OLD}.b1k", COMPLETE.replace("full", "sync"), "of the other type"),
    "sync-as-full": ("etc/host.b1k", COMPLETE, "of the other type"),
    "no-section": (f"{OLD}.b1k", "type = full\nstate = complete\n", "one section [backup]"),
    "two-states": (
        "etc/host.b1k",
        f"{MARK}type = sync\nstate = complete\nstate = writing\n",
        "one",
    ),
    "other-state": ("etc/host.b1k", f"{MARK}type = sync\nstate = perfect\n", "must be full or"),
    "binary": ("etc/host.b1k", b"\xff\xfe", "no text"),
    "control": ("etc/host.b1k", f"{MARK}type = sync\rstate = complete\n", "control"),
    "large": ("etc/host.b1k", f"{MARK}type = sync\nstate = complete\n{'#' * 65536}", "65536"),
    "of-a-day": ("etc/2026-11-22-Sunday.b1k", COMPLETE, "no mark of a backup"),
    "other-date": ("etc/2026-11-23-Monday/" + OLD_NAME + ".b1k", COMPLETE, "no mark of a backup"),
    "of-a-mark": (f"{OLD}.b1k.b1k", COMPLETE, "no mark of a backup"),
}


@pytest.mark.parametrize(("path", "content", "told"), HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_mark_is_refused(
    storage: Storage, tmp_path: Path, path: str, content: str | bytes, told: str
) -> None:
    before = kept(storage)
    mark(storage, tmp_path, path, content)
    wait_until(lambda: told in log_of(storage))
    assert kept(storage) == before
    assert sorted(each.name for each in (storage.tree() / "etc").iterdir()) == [
        "2026-11-22-Sunday",
        "host",
    ]


@pytest.mark.parametrize("size", [2**28, pytest.param(2**30, marks=pytest.mark.exhaustive)])
def test_a_mark_of_no_file_is_not_taken(storage: Storage, tmp_path: Path, size: int) -> None:
    """Links, devices, pipes, directories, and one larger than any."""
    (storage.directory / "secret").write_text(f"{MARK}type = sync\nstate = complete\n")
    before = kept(storage)
    box = tmp_path / "box"
    (box / "etc" / "dir.b1k" / "x.b1k").mkdir(parents=True)
    (box / "etc" / "host.b1k").symlink_to(storage.directory / "secret")
    os.mkfifo(box / "etc" / "pipe.b1k")
    os.mknod(box / "etc" / "device.b1k", 0o20666, os.makedev(1, 5))
    with (box / "etc" / "sparse.b1k").open("wb") as file:
        file.truncate(size)
    (box / "evil").mkdir()
    (box / "evil" / "sh").write_text("no mark")
    target = storage.at("", module="b1000-marks")
    for words in (["-a"], ["-rl"], ["-rD"], ["-r", "--delete"], ["-rb"], ["-rK"], ["-r", "-H"]):
        assert "is not B1000's" in storage.push(*words, f"{box}/", target).stderr
    send(storage, box)
    (box / "etc" / "sparse.b1k").unlink()
    # What its rsync keeps from the daemon does not help.
    with Liar(
        storage.port, lambda words: ["-re.iLsfxCIvu" if "l" in word[:4] else word for word in words]
    ) as liar:
        storage.push("-rlD", f"{box}/", liar.through(target))
    wait_until(lambda: str(size) in log_of(storage))
    left = storage.tree() / ".b1000" / "marks"
    wait_until(lambda: not any(each for each in left.rglob("*") if not each.is_dir()))
    assert kept(storage) == before
    assert not list((storage.tree() / "etc").glob("*.b1k"))
    assert not (left / "evil" / "sh").exists()


@pytest.mark.parametrize("place", ["link", "job-link", "mark-link", "mark-directory"])
def test_a_mark_follows_no_link(storage: Storage, tmp_path: Path, place: str) -> None:
    """Whoever made it: the administrator, or a client before there was a gate."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "host").mkdir(parents=True)
    (elsewhere / "file").write_text("mine")
    etc = storage.tree() / "etc"
    if place == "link":
        (etc / "other").symlink_to(elsewhere)
    if place == "job-link":
        (storage.tree() / "web").symlink_to(elsewhere)
    if place == "mark-link":
        (etc / "host.b1k").symlink_to(elsewhere / "file")
    if place == "mark-directory":
        (etc / "host.b1k").mkdir()
    path = {"link": "etc/other.b1k", "job-link": "web/host.b1k"}.get(place, "etc/host.b1k")
    mark(storage, tmp_path, path, COMPLETE.replace("full", "sync"))
    wait_until(lambda: path in log_of(storage))
    assert sorted(each.name for each in elsewhere.iterdir()) == ["file", "host"]
    assert (elsewhere / "file").read_text() == "mine"
    he = Attacker(storage, tmp_path, "b1000")
    he.rsync("-a", f"{he.files()}/", he.at(path.replace(".b1k", "/")))
    assert ("symbolic link" in he.told) == (place in ("link", "job-link"))
    assert ("no regular file" in he.told) == place.startswith("mark")


SCRIPT = ROOT / "etc" / "scripts" / "b1000-marks"


def look(storage: Storage) -> int:
    """What the daemon runs after each session."""
    box = storage.tree() / ".b1000" / "marks"
    environment = {"RSYNC_MODULE_PATH": str(box), "RSYNC_USER_NAME": "client-1"}
    return subprocess.run([SCRIPT], env=environment, check=False, timeout=60).returncode


@needs_mounts
def test_a_mark_outlives_a_full_disk(storage: Storage) -> None:
    """The client was told that it has arrived, and sends it no more."""
    above = storage.tree() / ".b1000"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", storage.tree()], check=True)
    try:
        for path in (NEW, "etc/host"):
            (storage.tree() / path).mkdir(parents=True)
            (above / "marks" / path).parent.mkdir(parents=True, exist_ok=True)
        (above / "marks" / f"{NEW}.b1k").write_text(COMPLETE)
        (above / "marks" / "etc" / "host.b1k").write_text(COMPLETE.replace("full", "sync"))
        (above / "taken" / DAY).mkdir(parents=True)
        with open(storage.tree() / "full", "wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        for _ in range(2):
            assert look(storage) == 0
            assert not [*(storage.tree() / "etc").rglob("*.b1k"), *above.rglob(".b1000-mark*")]
        (storage.tree() / "full").unlink()
        assert look(storage) == 0
        assert (storage.tree() / f"{NEW}.b1k").read_text() == COMPLETE
        assert (storage.tree() / "etc" / "host.b1k").exists()
        assert not (above / "taken").exists()
    finally:
        subprocess.run(["umount", storage.tree()], check=True)


def test_a_mark_that_a_power_cut_left_on_its_way_arrives(storage: Storage, tmp_path: Path) -> None:
    (storage.tree() / NEW).mkdir()
    left = storage.tree() / ".b1000" / "taken" / f"{NEW}.b1k"
    left.parent.mkdir(parents=True)
    left.write_text(COMPLETE)
    (left.parent / "no directory.b1k").mkdir()
    mark(storage, tmp_path, "etc/host.b1k", COMPLETE.replace("full", "sync"))
    wait_until((storage.tree() / "etc" / "host.b1k").exists)
    assert (storage.tree() / f"{NEW}.b1k").read_text() == COMPLETE
    wait_until(lambda: not (storage.tree() / ".b1000" / "taken").exists())
