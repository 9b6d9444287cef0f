"""What a client can do, and cannot, at a storage as etc/rsyncd-storage.conf makes it.

Each try is made behind the gate, and then in a module as that file had it before: there the same
try does harm.
"""

import contextlib
import hashlib
import os
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from b1000.jobs import Destination, Limits, Transfer
from b1000.rsync import command
from b1000.rsync.source import Source
from tests.support.liar import Liar
from tests.support.storage import Storage
from tests.support.world import ROOT, wait_until

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root has a chroot")

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
BASE = f"--link-dest=../{OLD_NAME}"


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


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    """The shipped configuration, filled, with the module of before beside it."""
    made = Storage(tmp_path / "storage", "b1000-sync", more=BEFORE)
    fill(made)
    made.start()
    yield made
    made.stop()


# --- what is tried


def deletes_with_filters(he: Attacker) -> None:
    he.rsync("-r", "--delete", "--filter=R *", f"{he.files()}/", he.at(f"{DAY}/"))
    he.rsync("-r", "--delete", "--filter=R *", f"{he.files()}/", he.at(f"{OLD}/"))


def deletes_everything(he: Attacker) -> None:
    he.rsync("-r", "--delete", f"{he.files()}/", he.at(""))


def deletes_before_and_excluded(he: Attacker) -> None:
    for how in ("--delete-before", "--delete-excluded", "--del", "--delete-missing-args"):
        he.rsync("-r", how, "--delete", f"{he.files()}/", he.at(f"{OLD}/"))


def overwrites(he: Attacker) -> None:
    he.rsync("-a", f"{he.files('f', passwd='evil')}/", he.at(f"{OLD}/"))


def adds(he: Attacker) -> None:
    he.rsync("-a", "--ignore-existing", f"{he.files('f', more='planted')}/", he.at(f"{OLD}/"))


def changes_only_modes(he: Attacker) -> None:
    same = he.backup()
    (same / "passwd").chmod(0o777)
    he.rsync("-a", f"{same}/", he.at(f"{OLD}/"))


def writes_in_place_into_what_is_linked(he: Attacker) -> None:
    he.rsync("-a", BASE, f"{he.backup()}/", he.at(f"{NEW}/"))
    he.rsync("-a", "--inplace", f"{he.files('f', passwd='evil')}/", he.at(f"{NEW}/"))


def appends_to_what_is_linked(he: Attacker) -> None:
    he.rsync("-a", BASE, f"{he.backup()}/", he.at(f"{NEW}/"))
    longer = he.files("f", passwd="root:x:0:0\nevil:x:0:0\n")
    for how in ("--append", "--append-verify"):
        he.rsync("-a", how, f"{longer}/", he.at(f"{NEW}/"))


def changes_modes_of_what_is_linked(he: Attacker) -> None:
    he.rsync("-a", BASE, f"{he.backup()}/", he.at(f"{NEW}/"))
    (he.backup() / "passwd").chmod(0o777)
    he.rsync("-a", f"{he.backup()}/", he.at(f"{NEW}/"))


def changes_owners_and_times_of_what_is_linked(he: Attacker) -> None:
    he.rsync("-a", BASE, f"{he.backup()}/", he.at(f"{NEW}/"))
    os.chown(he.backup() / "passwd", 12345, 12345)
    os.utime(he.backup() / "passwd", (1, 1))
    he.rsync("-ac", f"{he.backup()}/", he.at(f"{NEW}/"))


def links_into_a_sync(he: Attacker) -> None:
    base = f"--link-dest=../2026-11-22-Sunday/{OLD_NAME}"
    he.rsync("-a", base, f"{he.backup()}/", he.at("etc/other/"))
    (he.backup() / "passwd").chmod(0o777)
    he.rsync("-a", f"{he.backup()}/", he.at("etc/other/"))


def links_by_a_path_of_the_module(he: Attacker) -> None:
    he.rsync("-a", f"--link-dest=/{OLD}", f"{he.backup()}/", he.at("etc/other/"))
    (he.backup() / "passwd").chmod(0o777)
    he.rsync("-a", f"{he.backup()}/", he.at("etc/other/"))


def moves_backups_into_it(he: Attacker) -> None:
    he.rsync("-a", f"{he.files('f', passwd='evil')}/", he.at("etc/host/"))
    later = he.files("g", passwd="not so evil")
    he.rsync("-ab", f"--backup-dir=/{OLD}", f"{later}/", he.at("etc/host/"))


def keeps_partial_files_in_it(he: Attacker) -> None:
    he.rsync("-a", f"--partial-dir=/{OLD}", f"{he.files('f', passwd='e')}/", he.at(f"{NEW}/"))


def keeps_temporary_files_in_it(he: Attacker) -> None:
    he.rsync("-a", f"--temp-dir=/{OLD}", f"{he.files('f', passwd='e')}/", he.at(f"{NEW}/"))


def puts_a_file_in_its_place(he: Attacker) -> None:
    source = he.files("f")
    (source / OLD_NAME).write_text("a file")
    he.rsync("-r", "--force", f"{source}/", he.at(f"{DAY}/"))


def goes_through_a_link_with_keep_dirlinks(he: Attacker) -> None:
    (he.files("f") / "way").symlink_to(f"/{OLD}")
    he.rsync("-a", f"{he.root}/f/", he.at("etc/host/"))
    (he.files("g") / "way").mkdir()
    (he.root / "g" / "way" / "passwd").write_text("evil")
    he.rsync("-aK", f"{he.root}/g/", he.at("etc/host/"))


def goes_through_a_link_in_a_retry(he: Attacker) -> None:
    (he.files("f") / "way").symlink_to(f"../{OLD_NAME}")
    he.rsync("-a", f"{he.root}/f/", he.at(f"{NEW}/"))
    (he.files("g") / "way").mkdir()
    (he.root / "g" / "way" / "planted").write_text("evil")
    he.rsync("-a", "--ignore-existing", f"{he.root}/g/", he.at(f"{NEW}/"))


def goes_through_links_of_links_in_a_retry(he: Attacker) -> None:
    source = he.files("f")
    (source / "a").mkdir()
    # By its words alone the second stays in the backup.
    (source / "a" / "up").symlink_to("..")
    (source / "a" / "way").symlink_to(f"up/../{OLD_NAME}")
    he.rsync("-a", f"{source}/", he.at(f"{NEW}/"))
    (he.files("g") / "a" / "way").mkdir(parents=True)
    (he.root / "g" / "a" / "way" / "planted").write_text("evil")
    he.rsync("-a", "--ignore-existing", f"{he.root}/g/", he.at(f"{NEW}/"))


def goes_through_a_link_in_a_sync_with_ignore_existing(he: Attacker) -> None:
    (he.files("f") / "way").symlink_to(f"/{OLD}")
    he.rsync("-a", f"{he.root}/f/", he.at("etc/host/"))
    (he.files("g") / "way").mkdir()
    (he.root / "g" / "way" / "planted").write_text("evil")
    he.rsync("-a", "--ignore-existing", f"{he.root}/g/", he.at("etc/host/"))


def goes_on_in_place_with_a_partial_file_that_is_linked(he: Attacker) -> None:
    source = he.files("f")
    shutil.copy2(he.backup() / "big", source / "big")
    (source / ".b1000-partial").mkdir()
    os.link(source / "big", source / ".b1000-partial" / "other")
    he.rsync("-aH", BASE, f"{source}/", he.at(f"{NEW}/"))
    other = (source / "big").read_bytes()[: 2**19] + b"evil" * 2**17
    words = ("--partial-dir=.b1000-partial", "--ignore-existing", "--no-whole-file")
    he.rsync("-a", *words, f"{he.files('g', other=other)}/", he.at(f"{NEW}/"))


def writes_at_the_day(he: Attacker) -> None:
    source = he.files("f")
    (source / OLD_NAME).mkdir()
    (source / OLD_NAME / "passwd").write_text("evil")
    he.rsync("-r", f"{source}/", he.at(f"{DAY}/"))


def writes_at_the_job_and_at_the_top(he: Attacker) -> None:
    below = he.files("f") / OLD
    below.mkdir(parents=True)
    (below / "passwd").write_text("evil")
    he.rsync("-r", f"{he.root}/f/etc/", he.at("etc/"))
    he.rsync("-r", f"{he.root}/f/", he.at(""))


def asks_with_wildcards(he: Attacker) -> None:
    source = f"{he.files('f', passwd='evil')}/"
    for name in (OLD_NAME[:-1] + "?", OLD_NAME[:-1] + "[0-9]", OLD_NAME[:-4] + "*"):
        he.rsync("-r", "--old-args", source, he.at(f"{DAY}/{name}/"))


def replaces_the_mark(he: Attacker) -> None:
    source = he.files("f")
    (source / f"{OLD_NAME}.b1k").write_text(COMPLETE.replace("complete", "writing"))
    he.rsync("-r", f"{source}/", he.at(f"{DAY}/"))
    he.rsync("-r", f"{source}/{OLD_NAME}.b1k", he.at(f"{DAY}/{OLD_NAME}.b1k"))


def puts_a_directory_in_place_of_the_mark(he: Attacker) -> None:
    he.rsync("-r", "--force", f"{he.files('f', x='x')}/", he.at(f"{DAY}/{OLD_NAME}.b1k/"))
    (he.files("g") / f"{OLD_NAME}.b1k").mkdir()
    he.rsync("-r", "--force", "--delete", f"{he.root}/g/", he.at(f"{DAY}/"))


def protects_it_and_adds_sums(he: Attacker) -> None:
    source = he.files("f")
    for ending in ("keep", "sha256.gz"):
        (source / f"{OLD_NAME}.{ending}").write_text("mine")
    he.rsync("-r", f"{source}/", he.at(f"{DAY}/"))


def tells_the_daemon_other_options(he: Attacker) -> None:
    """What the daemon is told is not what its own rsync would say."""
    _lies(he, lambda words: [words[0], "--inplace", *words[1:]])


def tells_options_behind_the_path(he: Attacker) -> None:
    _lies(he, lambda words: [*words, "--inplace"])


def _lies(he: Attacker, edit: Callable[[Sequence[str]], Sequence[str]]) -> None:
    he.rsync("-a", BASE, f"{he.backup()}/", he.at(f"{NEW}/"))
    with Liar(he.storage.port, edit) as liar:
        he.rsync("-a", f"{he.files('f', passwd='evil')}/", liar.through(he.at(f"{NEW}/")))


ATTACKS: list[tuple[Callable[[Attacker], None], str]] = [
    (deletes_with_filters, "option --delete"),
    (deletes_everything, "the path must be"),
    (deletes_before_and_excluded, "--delete"),
    (overwrites, "this backup is complete"),
    (adds, "this backup is complete"),
    (changes_only_modes, "this backup is complete"),
    (writes_in_place_into_what_is_linked, "--inplace"),
    (appends_to_what_is_linked, "--append"),
    (changes_modes_of_what_is_linked, "a retry needs --ignore-existing"),
    (changes_owners_and_times_of_what_is_linked, "a retry needs --ignore-existing"),
    (links_into_a_sync, "--link-dest must be"),
    (links_by_a_path_of_the_module, "--link-dest must be"),
    (moves_backups_into_it, "option -b "),
    (keeps_partial_files_in_it, "--partial-dir must be"),
    (keeps_temporary_files_in_it, "temp-dir"),
    (puts_a_file_in_its_place, "the path must be"),
    (goes_through_a_link_with_keep_dirlinks, "option -K "),
    (goes_through_a_link_in_a_retry, "a symbolic link in this backup leads out of it"),
    (goes_through_links_of_links_in_a_retry, "a symbolic link in this backup leads out of it"),
    (goes_through_a_link_in_a_sync_with_ignore_existing, "--ignore-existing is for fulls"),
    (goes_on_in_place_with_a_partial_file_that_is_linked, "a partial file in this backup has"),
    (writes_at_the_day, "the path must be"),
    (writes_at_the_job_and_at_the_top, "the path must be"),
    (asks_with_wildcards, "the path must be"),
    (replaces_the_mark, "the path must be"),
    (puts_a_directory_in_place_of_the_mark, "the path must be"),
    (protects_it_and_adds_sums, "the path must be"),
    (tells_the_daemon_other_options, "option --inplace"),
    (tells_options_behind_the_path, "the path must be"),
]


@pytest.mark.parametrize(
    ("attack", "told"), ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS]
)
def test_a_client_cannot_hurt_what_is_complete(
    storage: Storage, tmp_path: Path, attack: Callable[[Attacker], None], told: str
) -> None:
    before = kept(storage)
    behind = Attacker(storage, tmp_path, "b1000")
    attack(behind)
    assert told in behind.told
    assert kept(storage) == before
    shutil.rmtree(storage.tree())
    shutil.rmtree(storage.tree("client-2"))
    fill(storage)
    before = kept(storage)
    attack(Attacker(storage, tmp_path, "open"))
    assert kept(storage) != before, "the try does no harm where nothing stands in its way"


def test_a_client_cannot_reach_another_one(storage: Storage, tmp_path: Path) -> None:
    """With a directory for each there is no way, by whatever module."""
    before = kept(storage)
    for module in ("b1000", "open"):
        he = Attacker(storage, tmp_path, module)
        source = he.files("f", passwd="evil")
        (source / "way").symlink_to("../../../../client-2")
        names = he.files("names", list="../../../client-2/x\n") / "list"
        for path in (f"../client-2/{OLD}/", f"etc/../../client-2/{OLD}/", f"/../client-2/{OLD}/"):
            he.rsync("-r", f"{source}/", he.at(path))
        he.rsync("-a", f"{source}/", he.at("web/other/"))
        he.rsync("-a", "-K", f"{source}/", he.at("web/other/way/"))
        he.rsync("-aR", f"--files-from={names}", f"{source}/", he.at("web/more/"))
        for option in ("link-dest", "backup-dir", "partial-dir", "temp-dir"):
            way = f"--{option}=../../../client-2/{OLD}"
            he.rsync("-ab" if option == "backup-dir" else "-a", way, f"{source}/", he.at("web/x/"))
        edit = lambda words: [words[0], f"--files-from=/../client-2/{OLD}/passwd", *words[1:]]  # noqa: E731
        with Liar(storage.port, edit) as liar:
            he.rsync("-a", f"{source}/", liar.through(he.at("web/y/")))
    others = str(storage.tree("client-2"))
    after = kept(storage)
    found = {path: value for path, value in after.items() if path.startswith(others)}
    assert found == {path: value for path, value in before.items() if path.startswith(others)}


def test_nobody_reads_but_by_a_password_for_restores(storage: Storage, tmp_path: Path) -> None:
    for module, password, works in [
        ("b1000", "backing-up", False),
        ("b1000-marks", "backing-up", False),
        ("b1000-restore", "backing-up", False),
        ("b1000-restore", "reading", True),
    ]:
        taken = tmp_path / f"taken-{module}-{password}"
        path = storage.at(f"{OLD}/", module=module)
        assert (storage.push("-a", path, f"{taken}/", password=password).returncode == 0) == works
        assert (taken / "passwd").exists() == works
        other = storage.at(f"../client-2/{OLD}/", module=module)
        storage.push("-a", other, f"{taken}/", password=password)
        assert storage.push("-r", f"{taken}/", path, password="reading").returncode
    for words in (["-r"], ["-r", "--delete"]):
        (tmp_path / "empty").mkdir(exist_ok=True)
        to = storage.at("etc/", module="b1000-restore")
        assert storage.push(*words, f"{tmp_path}/empty/", to, password="reading").returncode


@contextlib.contextmanager
def waiting(he: Attacker, source: Path, *words: str) -> "Iterator[subprocess.Popen[bytes]]":
    """A session into the new full that sends nothing until the end of the block."""
    file = he.storage.password("waiting", "backing-up")
    log = he.storage.directory / "log"
    before = log.read_text().count(f"to {he.module}/{NEW}/")
    with Liar(he.storage.port) as liar:
        liar.going_on.clear()
        to = liar.through(he.at(f"{NEW}/"))
        session = subprocess.Popen(
            ["rsync", f"--password-file={file}", "-a", *words, f"{source}/", to],
            stderr=subprocess.DEVNULL,
        )
        sessions = he.storage.tree() / ".b1000" / "sessions"
        wait_until(lambda: log.read_text().count(f"to {he.module}/{NEW}/") > before)
        if he.module == "b1000":
            wait_until(lambda: living(sessions))
        yield session
        liar.going_on.set()
        session.wait(60)


def living(sessions: Path) -> list[str]:
    """What is written down of sessions that are not over."""
    return [
        each.read_text() for each in sessions.glob("*") if Path("/proc", each.stem, "stat").exists()
    ]


KEEPING = ("--ignore-existing", "--partial-dir=.b1000-partial", "--no-whole-file")


@pytest.mark.parametrize("how", [(), KEEPING], ids=["plain", "keeping"])
def test_a_session_that_waits_changes_nothing_afterwards(
    storage: Storage, tmp_path: Path, how: tuple[str, ...]
) -> None:
    """It was let in when the directory was empty; meanwhile another one links into it."""
    for module in ("b1000", "open"):
        he = Attacker(storage, tmp_path, module)
        before = kept(storage)
        evil = tmp_path / f"evil-{module}"
        shutil.copytree(he.backup(), evil, symlinks=True)
        (evil / "passwd").chmod(0o777)
        (evil / "other").write_bytes((evil / "big").read_bytes()[: 2**19] + b"evil" * 2**17)
        source = he.backup()
        (source / ".b1000-partial").mkdir()
        os.link(source / "big", source / ".b1000-partial" / "other")
        with waiting(he, evil, *how):
            words = ("--ignore-existing", BASE, f"{source}/", he.at(f"{NEW}/"))
            linked = he.rsync("-aH", *words)
        assert bool(linked) == (module == "b1000")
        assert (kept(storage) == before) == (module == "b1000")
        assert ("another session writes" in he.told) == (module == "b1000")
        shutil.rmtree(storage.tree() / NEW)


def test_two_sessions_are_alone_where_files_are_shared(storage: Storage, tmp_path: Path) -> None:
    """The second could give a partial file of the first another name."""
    he = Attacker(storage, tmp_path, "b1000")
    assert he.rsync("-a", BASE, f"{he.backup()}/", he.at(f"{NEW}/")) == 0
    with waiting(he, he.files("f", other="x"), *KEEPING):
        assert he.rsync("-aH", *KEEPING, f"{he.backup()}/", he.at(f"{NEW}/")) != 0
    assert "another session writes" in he.told


def test_a_session_ends_when_its_full_is_complete(storage: Storage, tmp_path: Path) -> None:
    he = Attacker(storage, tmp_path, "b1000")
    assert he.rsync("-a", f"{he.backup()}/", he.at(f"{NEW}/")) == 0
    source = he.files("f", planted="evil")
    with waiting(he, source, "--ignore-existing") as session:
        mark(storage, tmp_path, f"{NEW}.b1k", COMPLETE)
        sessions = storage.tree() / ".b1000" / "sessions"
        wait_until(lambda: not living(sessions))
    assert session.returncode != 0
    assert not (storage.tree() / NEW / "planted").exists()
    assert he.rsync("-a", "--ignore-existing", f"{source}/", he.at(f"{NEW}/")) != 0
    assert "this backup is complete" in he.told


# --- marks


def send(storage: Storage, box: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Send a box of marks, and wait until the storage has looked at it."""
    done = storage.push("-rt", *words, f"{box}/", storage.at("", module="b1000-marks"))
    marks = storage.tree() / ".b1000" / "marks"
    wait_until(lambda: not [each for each in marks.rglob("*") if not each.is_dir()])
    return done


def mark(storage: Storage, tmp_path: Path, path: str, content: str | bytes) -> None:
    """Send one mark."""
    box = tmp_path / f"box{time.monotonic_ns()}"
    (box / path).parent.mkdir(parents=True)
    (box / path).write_bytes(content.encode() if isinstance(content, str) else content)
    assert send(storage, box).returncode == 0


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


def test_a_mark_of_no_file_is_not_taken(storage: Storage, tmp_path: Path) -> None:
    """Links, devices, pipes, directories, and one larger than any."""
    (storage.directory / "secret").write_text(f"{MARK}type = sync\nstate = complete\n")
    before = kept(storage)
    box = tmp_path / "box"
    (box / "etc" / "dir.b1k" / "x.b1k").mkdir(parents=True)
    (box / "etc" / "host.b1k").symlink_to(storage.directory / "secret")
    os.mkfifo(box / "etc" / "pipe.b1k")
    os.mknod(box / "etc" / "device.b1k", 0o20666, os.makedev(1, 5))
    with (box / "etc" / "sparse.b1k").open("wb") as file:
        file.truncate(2**28)
    (box / "evil").mkdir()
    (box / "evil" / "sh").write_text("no mark")
    target = storage.at("", module="b1000-marks")
    for words in (["-a"], ["-rl"], ["-rD"], ["-r", "--delete"], ["-rb"], ["-rK"], ["-r", "-H"]):
        assert "is not B1000's" in storage.push(*words, f"{box}/", target).stderr
    send(storage, box)
    # What its rsync keeps from the daemon does not help.
    with Liar(
        storage.port, lambda words: ["-re.iLsfxCIvu" if "l" in word[:4] else word for word in words]
    ) as liar:
        storage.push("-rlD", f"{box}/", liar.through(target))
    wait_until(lambda: "268435456" in log_of(storage))
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


# --- what B1000 does

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


# --- the gate by itself


def gate(request: str, *words: str, shell: str = "sh", **more: str) -> str:
    """What the gate says of a session; "" where it is let in."""
    arguments = ["rsyncd", "--server", *words, ".", f"/{request}"]
    environment = {
        "RSYNC_MODULE_NAME": "b1000",
        "RSYNC_MODULE_PATH": "/nowhere/client-1",
        "RSYNC_USER_NAME": "client-1",
        "RSYNC_PID": str(os.getpid()),
        "RSYNC_REQUEST": f"b1000/{request}",
        **{f"RSYNC_ARG{number}": word for number, word in enumerate(arguments)},
        **more,
    }
    script = str(ROOT / "etc" / "scripts" / "b1000-gate")
    done = subprocess.run(
        [*shell.split(), script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert bool(done.returncode) == bool(done.stdout)
    return done.stdout.removeprefix("b1000-gate: ").rstrip("\n")


SHELLS = [each for each in ("dash", "bash --posix", "busybox sh") if shutil.which(each.split()[0])]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_names_that_are_let_in(shell: str) -> None:
    let_in = [
        "etc/host/",
        "etc/host:3306-db1.example-3307/",
        "a.b_c/2026-W48/",
        "etc/2026-11-22-Sunday/host-2026-11-22-Sun-01:02:03/",
        "etc/2024-02-29-Thursday/h.x_y:1-2024-02-29-Thu-23:59:59/",
    ]
    for request in let_in:
        assert gate(request, "-nlogDtpre.iLsfxCIvu", shell=shell) == "", request
    refused = [
        "", "/", "etc", "etc/", "etc/host", "/etc/host/", "etc//host/", "etc/host//", "./host/",
        "etc/./", "etc/../", "../etc/", "etc/../host/", "etc/..", ".b1000/marks/", ".b1000-id/x/",
        "etc/.b1000/", "etc/host.b1k/", "etc/host.keep/", "etc/host.gz/", "etc/ho st/", "etc/h?st/",
        "etc/h[o]st/", "etc/h*/", "etc/h\\?/", "etc/h\nst/", "etc/hést/", "-e/host/", "etc/-host/",
        "etc/2026-11-22-Sunday/", "etc/2026-11-22-Sunday/host", "etc/2026-11-22-Sunday/host/",
        "etc/2026-11-22-Sunday/host-2026-11-23-Mon-01:02:03/",
        "etc/2026-11-22-Sunday/host-2026-11-22-Mon-01:02:03/",
        "etc/2026-11-22-Sun/host-2026-11-22-Sun-01:02:03/",
        "etc/2026-13-22-Sunday/host-2026-13-22-Sun-01:02:03/",
        "etc/2026-11-22-Sunday/-2026-11-22-Sun-01:02:03/",
        "etc/2026-11-22-Sunday/host-2026-11-22-Sun-01:02:03.b1k/",
        "etc/2026-11-22-Sunday/host-2026-11-22-Sun-01:02:03/etc/",
        "etc/2026-11-22-Sunday/../host/", "etc/host/sub/", "etc/host/sub/deep/",
    ]  # fmt: skip
    for request in refused:
        assert gate(request, "-nr", shell=shell).startswith("the path must be "), request


@pytest.mark.parametrize("shell", SHELLS)
def test_the_options_that_are_let_in(shell: str) -> None:
    full = "etc/2026-11-22-Sunday/host-2026-11-22-Sun-01:02:03/"
    other = "host-2026-11-22-Sun-00:00:00"
    for words in [
        ["-nlHogDtpAXrRSzce.iLsfxCIvu", "--timeout=300", "--stats", "-@-1", "--numeric-ids"],
        ["-nre.LsfxCIvu", "--partial-dir", ".b1000-partial", "--mkpath", "--log-format=%i"],
        ["-nr", "--link-dest", f"../{other}", "--link-dest=../../2026-11-22-Sunday/" + other],
        ["-nr", "--modify-window=-1", "--ignore-existing", "--fsync", "--usermap=*:1", "-B2048"],
    ]:
        assert gate(full, *words, shell=shell) == "", words
    for words in [
        ["-nrK"], ["-nrb"], ["-nru"], ["-nrm"], ["-nrC"], ["-nrs"], ["-nre"], ["-nr", "-e", "--x"],
        ["-nr", "--inplace"], ["-nr", "--append"], ["-nr", "--sender"], ["-nr", "--daemon"],
        ["-nr", "--partial-dir", "/x"], ["-nr", "--partial-dir=x"], ["-nr", "--partial-dir"],
        ["-nr", "--link-dest", "/etc"], ["-nr", "--link-dest", "../../../x"], ["-nr", "--partial"],
        ["-nr", "--link-dest", f"../../../{other}"], ["-nr", "--link-dest=.."], ["-nr", "x"],
        ["-nr", "--link-dest", f"../../2026-11-23-Monday/{other}"], ["-nr", "--link-dest", "../x"],
        ["-nr", f"--link-dest=../2026-11-22-Sunday/{other}"], ["-nr", "--link-dest", ""],
        ["-nr", "--backup-dir=/x"], ["-nr", "--suffix=x"], ["-nr", "--temp-dir=/x"],
        ["-nr", "--compare-dest=../x"], ["-nr", "--copy-dest=../x"], ["-nr", "--force"],
        ["-nr", "--delete"], ["-nr", "--delete-excluded"], ["-nr", "--remove-source-files"],
        ["-nr", "--files-from=x"], ["-nr", "--write-devices"], ["-nr", "--copy-as=root"],
        ["-nr", "--fake-super"], ["-nr", "--iconv=utf8"], ["-nr", "--log-file=/x"], ["-nr", "."],
        ["-nr", "--no-implied-dirs"], ["-nr", "--existing"], ["-nr", "--trust-sender"], ["-"],
    ]:  # fmt: skip
        assert gate(full, *words, shell=shell), words
    base = ["-nr", "--link-dest", f"../{other}"]
    assert gate("etc/host/", *base, shell=shell).startswith("--link-dest must be")


def test_without_a_user_nobody_is_let_in() -> None:
    for more in (
        {"RSYNC_USER_NAME": ""},
        {"RSYNC_USER_NAME": "../x"},
        {"RSYNC_MODULE_PATH": "/srv/backup/"},
        {"RSYNC_MODULE_PATH": "/srv//.b1000/marks"},
    ):
        assert "every client would have every tree" in gate("etc/host/", "-nr", **more)


REFUSED = (
    "--delete --del --delete-before --delete-during --delete-delay --delete-after "
    "--delete-excluded --delete-missing-args --force --inplace --append --append-verify "
    "--backup -b --backup-dir=/x --suffix=x --temp-dir=/x -T/x --keep-dirlinks -K "
    "--delay-updates --remove-source-files --write-devices -M--copy-devices"
)


def test_what_is_refused_behind_the_gate(tmp_path: Path) -> None:
    """Should the gate fail open, each spelling of the worst is still refused."""
    storage = Storage(tmp_path / "storage", without=["pre-xfer exec"])
    storage.start()
    (tmp_path / "source").mkdir()
    try:
        for option in REFUSED.split():
            words = ["-r", option, *(["--backup"] if "suffix" in option else [])]
            words += ["--delete"] if option.startswith("--delete-") else []
            for module in ("b1000", "b1000-marks"):
                to = storage.at("etc/host/" if module == "b1000" else "", module=module)
                done = storage.push(*words, f"{tmp_path}/source/", to)
                assert "configured to refuse" in done.stderr, (option, done.stderr)
    finally:
        storage.stop()


def test_a_module_without_users_is_closed(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "storage", without=["auth users"])
    storage.start()
    (tmp_path / "source").mkdir()
    try:
        for module in ("b1000", "b1000-marks"):
            done = storage.rsync("-r", f"{tmp_path}/source/", f"{storage.url(module)}/etc/host/")
            assert done.returncode != 0, module
        assert sorted(each.name for each in storage.module("backup").iterdir()) == [
            "client-1",
            "client-2",
        ]
    finally:
        storage.stop()


def test_one_tree_for_all_keeps_what_is_complete(tmp_path: Path) -> None:
    """The commented form: what it gives up is what is not complete."""
    storage = Storage(tmp_path / "storage", "b1000-shared")
    top = storage.module("backup")
    shutil.rmtree(top)
    (top / OLD).mkdir(parents=True)
    (top / OLD / "passwd").write_text("root:x:0:0\n")
    (top / f"{OLD}.b1k").write_text(COMPLETE)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "passwd").write_text("evil")
    storage.start()
    try:
        for path, told in {
            OLD: "this backup is complete",
            NEW: "",
            "etc": "the path must be",
            ".b1000/sessions": "the path must be",
        }.items():
            to = storage.at(f"{path}/", "client-2", "b1000-shared")
            words = ("-a", "--mkpath", f"{tmp_path}/source/", to)
            done = storage.push(*words, client="client-2")
            assert told in done.stderr
            assert bool(done.returncode) == bool(told), done.stderr
        assert (top / OLD / "passwd").read_text() == "root:x:0:0\n"
        assert (top / NEW / "passwd").read_text() == "evil"
    finally:
        storage.stop()


def test_nothing_is_made_for_a_client_that_has_no_directory(storage: Storage) -> None:
    """Its disk may not be mounted."""
    shutil.rmtree(storage.tree())
    for module in ("b1000", "b1000-marks"):
        to = storage.at("etc/host/" if module == "b1000" else "", module=module)
        assert storage.push("-r", "--mkpath", f"{storage.directory}/backup/", to).returncode != 0
    assert not storage.tree().exists()


def test_a_file_system_that_follows_no_links(storage: Storage, tmp_path: Path) -> None:
    """What etc/rsyncd-storage.conf advises: then no session goes through a link, whatever else."""
    tree = storage.module("backup")
    subprocess.run(["mount", "--bind", tree, tree], check=True)
    try:
        options = "remount,bind,nosymfollow"
        if subprocess.run(["mount", "-o", options, tree], check=False).returncode:
            pytest.skip("this kernel has no nosymfollow")
        before = kept(storage)
        goes_through_a_link_in_a_retry(Attacker(storage, tmp_path, "open"))
        assert kept(storage) == before
        assert os.readlink(storage.tree() / NEW / "way") == f"../{OLD_NAME}"
    finally:
        subprocess.run(["umount", "-l", tree], check=True)
