"""Whoever knows the password of a client of a safe storage, and what must not change there."""

import hashlib
import os
import stat
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from tests.support.storage import Storage
from tests.support.world import wait_until

DAY = "etc/2026-11-22-Sunday"
OLD_NAME = "host-2026-11-22-Sun-01:02:03"
OLD = f"{DAY}/{OLD_NAME}"
NEW_NAME = "host-2026-11-22-Sun-05:06:07"
NEW = f"{DAY}/{NEW_NAME}"
MARK = "[dest:tele]\ntype = active\nstatus = DONE\n\n[backup]\nformat = 1\n"
COMPLETE = f"{MARK}type = full\nstate = complete\n"
BEFORE = """
[open]
    path = /srv/backup/%RSYNC_USER_NAME%
    read only = no
    write only = yes
"""
"""The module as it was before there was a gate."""


class Attacker:
    """Whoever knows the password of client-1; ``module`` is the one that is tried."""

    def __init__(self, storage: Storage, root: Path, module: str) -> None:
        self.storage = storage
        self.root = root / f"attack-{module}"
        self.root.mkdir()
        self.module = module
        self.told = ""

    def at(self, path: str) -> str:
        """An address in the module."""
        return self.storage.at(path, module=self.module)

    def rsync(self, *words: str) -> int:
        """What rsync says is kept."""
        done = self.storage.push(*words)
        self.told += done.stderr
        return done.returncode

    def files(self, name: str = "empty", **contents: str | bytes) -> Path:
        """A source of its own; in names a dot is written __."""
        made = self.root / name
        made.mkdir(exist_ok=True)
        for file, content in contents.items():
            path = made / file.replace("__", ".")
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return made

    def backup(self) -> Path:
        """A source that is what the complete backup has."""
        made = self.root / "same"
        if not made.exists():
            subprocess.run(["cp", "-a", self.storage.tree() / OLD, made], check=True)
        return made


class State(NamedTuple):
    """What is known of one path; a directory of others changes when something comes into it."""

    mode: int
    owner: tuple[int, int]
    changed: tuple[int, ...]
    content: str


def state(path: Path) -> State:
    found = path.lstat()
    content = ""
    if stat.S_ISREG(found.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    elif stat.S_ISLNK(found.st_mode):
        content = os.readlink(path)
    # A second name, which link_dest makes, changes the ctime of all but directories.
    changed = (found.st_mtime_ns, found.st_ctime_ns if stat.S_ISDIR(found.st_mode) else 0)
    return State(found.st_mode, (found.st_uid, found.st_gid), changed, content)


def kept(storage: Storage) -> dict[str, State]:
    """All that nobody may change: the complete backup, its mark, and the other client's tree."""
    tree = storage.tree()
    found = [*(tree / DAY).glob(f"{OLD_NAME}*"), *(tree / OLD).rglob("*")]
    if storage.tree("client-2").exists():
        found += [storage.tree("client-2"), *storage.tree("client-2").rglob("*")]
    return {str(path): state(path) for path in found if path.exists() or path.is_symlink()}


def fill(storage: Storage) -> None:
    """A complete full and a sync of the one client, a full of the other."""
    for client in ("client-1", "client-2"):
        old = storage.tree(client) / OLD
        (old / "sub").mkdir(parents=True)
        (old / "passwd").write_text("root:x:0:0\n")
        (old / "passwd").chmod(0o600)
        os.utime(old / "passwd", (1_700_000_000, 1_700_000_000))
        (old / "big").write_bytes(bytes(range(256)) * 4096)
        (old / "sub" / "file").write_text("below\n")
        (old / "link").symlink_to("passwd")
        Path(f"{old}.b1k").write_text(COMPLETE)
    (storage.tree() / "etc" / "host").mkdir()
    (storage.tree() / "etc" / "host" / "file").write_text("of a sync\n")


def send(storage: Storage, box: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Send a box of marks, and wait until the storage has looked at it."""
    done = storage.push("-rt", *words, f"{box}/", storage.at("", module="b1000-marks"))
    marks = storage.tree() / ".b1000" / "marks"
    wait_until(lambda: not any(files for _, _, files in os.walk(marks)))
    return done


def mark(storage: Storage, tmp_path: Path, path: str, content: str | bytes) -> None:
    """Send one mark."""
    box = tmp_path / f"box{time.monotonic_ns()}"
    (box / path).parent.mkdir(parents=True)
    (box / path).write_bytes(content.encode() if isinstance(content, str) else content)
    assert send(storage, box).returncode == 0
