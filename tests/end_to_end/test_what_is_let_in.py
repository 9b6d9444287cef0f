"""What B1000 does at a storage as etc/rsyncd-storage.conf makes it: all of it is let in."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from b1000.jobs import Destination, Limits, Transfer
from b1000.rsync import command
from b1000.rsync.source import Source
from tests.support.attacker import COMPLETE, MARK, NEW, OLD, OLD_NAME, Attacker
from tests.support.storage import Storage
from tests.support.world import wait_until

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root has a chroot")

LIMITS = Limits()
ALL = Transfer(relative=True, hard_links=True, acls=True, xattrs=True, sparse=True)


def b1000(
    storage: Storage, source: Path, path: str, manner: command.Manner, **how: object
) -> "subprocess.CompletedProcess[str]":
    """One rsync as B1000 has it."""
    file = str(storage.password("client", "backing-up"))
    module = str(how.pop("module", "b1000"))
    transfer, part = how.pop("transfer", Transfer()), how.pop("part", None)
    address = storage.at("", module=module).rstrip("/")
    destination = Destination("tele", address, password_file=file)
    argv = command.copy(
        Source([f"{source}/"], (), transfer),  # type: ignore[arg-type]
        f"{address}/{path}",
        destination._replace(**how),  # type: ignore[arg-type]
        LIMITS,
        manner=manner,
        part=part,  # type: ignore[arg-type]
    )
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_what_b1000_does_is_let_in(storage: Storage, tmp_path: Path) -> None:
    source = Attacker(storage, tmp_path, "b1000").backup()
    new, plain = storage.tree() / NEW, command.Manner()
    linking = command.Manner(bases=(f"../{OLD_NAME}",))
    retry = linking._replace(keep_existing=True, continued=True)
    done = b1000(storage, source, NEW, linking)
    assert done.returncode == 0, done.stderr
    assert (new / "big").stat().st_ino == (storage.tree() / OLD / "big").stat().st_ino
    done = b1000(storage, source, NEW, linking)
    assert "b1000-gate: this backup has files already; a retry needs --ignore-exist" in done.stderr
    (source / "more").write_text("more")
    done = b1000(storage, source, NEW, retry)
    assert done.returncode == 0, done.stderr
    assert (new / "more").read_text() == "more"
    later = "etc/2026-11-23-Monday/host-2026-11-23-Mon-00:00:00"
    far = command.Manner(bases=(f"../../2026-11-22-Sunday/{OLD_NAME}",))
    done = b1000(storage, source, later, far, transfer=ALL, compress=True, verbosity=3)
    assert done.returncode == 0, done.stderr
    for _ in range(2):
        done = b1000(storage, source, "etc/host", plain, bwlimit="5000", verbosity=2)
        assert done.returncode == 0, done.stderr
    deleting = {"transfer": Transfer(delete=True), "module": "b1000-sync"}
    assert b1000(storage, source, "etc/host", plain, **deleting).returncode == 0
    assert not (storage.tree() / "etc" / "host" / "file").exists()
    assert "nothing is deleted in a full" in b1000(storage, source, OLD, plain, **deleting).stderr


def test_what_b1000_asks_is_let_in(storage: Storage, tmp_path: Path) -> None:
    """A claim, a comparison, and the question whether a full is closed."""
    source = Attacker(storage, tmp_path, "b1000").backup()
    file = str(storage.password("client", "backing-up"))
    address = storage.at("").rstrip("/")
    destination = Destination("tele", address, password_file=file)
    (tmp_path / "empty").mkdir()
    argv = command.claim(str(tmp_path / "empty"), f"{address}/{NEW}", destination, LIMITS)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (storage.tree() / NEW).is_dir()
    assert b1000(storage, source, NEW, command.Manner()).returncode == 0
    (storage.tree() / NEW / "passwd").write_text("rooted:0:0\n")
    whole = Source([f"{source}/"], ())
    for path, told in ((NEW, "<fc"), (OLD, "b1000-gate: this backup is complete")):
        argv = command.compared(whole, f"{address}/{path}", destination, LIMITS)
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert told in done.stdout + done.stderr


def test_a_retry_goes_on_with_what_has_arrived(storage: Storage, tmp_path: Path) -> None:
    he = Attacker(storage, tmp_path, "b1000")
    source = he.files("f", large=os.urandom(2_000_000))
    file = storage.password("client", "backing-up")
    words = ["--partial-dir=.b1000-partial", f"{source}/", he.at(f"{NEW}/")]
    begun = ["rsync", f"--password-file={file}", "-a", "--bwlimit=500", *words]
    with subprocess.Popen(begun, stderr=subprocess.DEVNULL) as first:
        wait_until(
            lambda: any(each.stat().st_size > 500_000 for each in storage.tree().rglob(".large.*"))
        )
        first.kill()
    wait_until(lambda: list(storage.tree().rglob(".b1000-partial/large")))
    done = storage.push("-a", "--ignore-existing", "--stats", "--no-h", *words)
    assert done.returncode == 0, done.stderr
    matched = re.search(r"Matched data: (\d+)", done.stdout)
    assert matched
    assert int(matched[1]) > 100_000
    assert (storage.tree() / NEW / "large").read_bytes() == (source / "large").read_bytes()


def test_streams_run_side_by_side(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(40):
        (source / f"file{number}").write_bytes(os.urandom(50_000))
    file = str(storage.password("client", "backing-up"))
    address = storage.at("").rstrip("/")
    destination = Destination("tele", address, password_file=file)
    keeping = command.Manner(keep_existing=True)
    streams = []
    for number in range(4):
        rules = [f"--include=/*[{2 * number}{2 * number + 1}]", "--exclude=/*"]
        argv = command.copy(
            Source([f"{source}/"], ()), f"{address}/{NEW}",
            destination._replace(bwlimit="400"), LIMITS,
            manner=keeping, part=command.Part(rules, 4),
        )  # fmt: skip
        streams.append(subprocess.Popen(argv, stdout=subprocess.DEVNULL))
    sessions = storage.tree() / ".b1000" / "sessions"
    wait_until(lambda: len(list(sessions.glob("*"))) == 4)
    assert [each.wait(60) for each in streams] == [0] * 4
    assert b1000(storage, source, NEW, keeping).returncode == 0
    there = {each.name: each.read_bytes() for each in (storage.tree() / NEW).iterdir()}
    assert there == {each.name: each.read_bytes() for each in source.iterdir()}


def test_a_sync_that_is_written_is_not_complete(storage: Storage, tmp_path: Path) -> None:
    path = storage.tree() / "etc" / "host.b1k"
    path.write_text(COMPLETE.replace("full", "sync"))
    source = Attacker(storage, tmp_path, "b1000").backup()
    done = storage.push("-an", f"{source}/", storage.at("etc/host/"))
    assert done.returncode == 0, done.stderr
    assert "state = complete\n" in path.read_text()
    assert b1000(storage, source, "etc/host", command.Manner()).returncode == 0
    assert path.read_text() == f"{MARK}type = sync\nstate = writing\n"
