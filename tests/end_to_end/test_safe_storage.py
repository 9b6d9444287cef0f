"""What a client can do, and cannot, at a storage as etc/rsyncd-storage.conf makes it.

Each try is made behind the gate, and then in a module as that file had it before: there the same
try does harm.
"""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.attacker import (
    COMPLETE,
    DAY,
    MARK,
    NEW,
    OLD,
    OLD_NAME,
    Attacker,
    fill,
    kept,
    mark,
)
from tests.support.lying_client import Liar
from tests.support.storage import Storage
from tests.support.world import wait_until

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root has a chroot")

BASE = f"--link-dest=../{OLD_NAME}"


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


def puts_directories_in_place_of_what_is_linked(he: Attacker) -> None:
    """rsync sets the times of directories last, whatever bears the name."""
    he.rsync("-a", BASE, f"{he.backup()}/", he.at(f"{NEW}/"))
    source = he.files("f")
    for name in ("passwd", "big", "link", "sub/file"):
        (source / name).mkdir(parents=True)
        os.utime(source / name, (1, 1))
    he.rsync("-a", "--ignore-existing", BASE, f"{source}/", he.at(f"{NEW}/"))
    assert not he.told


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


def goes_through_a_link_whose_way_comes_later(he: Attacker) -> None:
    """It leads nowhere until the session that goes through it."""
    (he.files("f") / "way").symlink_to(f"mid/../../{OLD_NAME}")
    he.rsync("-a", f"{he.root}/f/", he.at(f"{NEW}/"))
    for name in ("mid", "way"):
        (he.files("g") / name).mkdir()
    (he.root / "g" / "way" / "planted").write_text("evil")
    he.rsync("-a", "--ignore-existing", f"{he.root}/g/", he.at(f"{NEW}/"))


def goes_through_a_link_in_a_sync_with_ignore_existing(he: Attacker) -> None:
    (he.files("f") / "way").symlink_to(f"/{OLD}")
    he.rsync("-a", f"{he.root}/f/", he.at("etc/host/"))
    (he.files("g") / "way").mkdir()
    (he.root / "g" / "way" / "planted").write_text("evil")
    he.rsync("-a", "--ignore-existing", f"{he.root}/g/", he.at("etc/host/"))


def goes_through_a_link_in_a_sync_whose_directory_is_not_named(he: Attacker) -> None:
    """The storage is told of no relative paths, and gets one: it makes no directory first."""
    _goes_through_a_link_in_a_sync(he, f"/{OLD}")


def goes_through_a_link_in_a_sync_whose_way_comes_later(he: Attacker) -> None:
    """It leads nowhere, or to another place, until the session that goes through it."""
    _goes_through_a_link_in_a_sync(he, f"mid/../../../{OLD}")
    (he.files("f") / "mid").mkdir()
    (he.root / "f" / "there").mkdir()
    (he.root / "f" / "way").unlink()
    (he.root / "f" / "way").symlink_to("mid")
    he.rsync("-a", f"{he.root}/f/", he.at("etc/host/"))
    (he.root / "g" / "mid" / "x").unlink()
    (he.root / "g" / "mid").rmdir()
    (he.root / "g" / "mid").symlink_to(f"/{OLD}")
    _goes_through_a_link_in_a_sync(he, "mid")


def _goes_through_a_link_in_a_sync(he: Attacker, target: str) -> None:
    (he.files("f") / "way").unlink(missing_ok=True)
    (he.root / "f" / "way").symlink_to(target)
    he.rsync("-a", f"{he.root}/f/", he.at("etc/host/"))
    for name in ("mid", "way"):
        if not (he.files("g") / name).is_symlink():
            (he.root / "g" / name).mkdir(exist_ok=True)
    if not (he.root / "g" / "mid").is_symlink():
        (he.root / "g" / "mid" / "x").write_text("makes the directory")
    for name in ("passwd", "planted"):
        (he.root / "g" / "way" / name).write_text("evil")
    names = he.files("names", list="mid\nmid/x\nway/passwd\nway/planted\n") / "list"

    def edit(words: Sequence[str]) -> Sequence[str]:
        kept = [each for each in words if each != "--no-implied-dirs"]
        return [re.sub("^(-[a-zA-Z]*)R", r"\1", each) for each in kept]

    with Liar(he.storage.port, edit) as liar:
        how = ("-lptR", "--dirs", "--no-implied-dirs", f"--files-from={names}")
        he.rsync(*how, f"{he.root}/g/", liar.through(he.at("etc/host/")))


def goes_through_a_link_in_place_of_a_backup(he: Attacker) -> None:
    """It is from before there was a gate."""
    (he.storage.tree() / NEW).symlink_to(OLD_NAME)
    he.rsync("-a", f"{he.files('f', passwd='evil')}/", he.at(f"{NEW}/"))


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
    # Let in: what it meets is in this backup alone.
    (puts_directories_in_place_of_what_is_linked, ""),
    (links_into_a_sync, "--link-dest must be"),
    (links_by_a_path_of_the_module, "--link-dest must be"),
    (moves_backups_into_it, "option -b "),
    (keeps_partial_files_in_it, "--partial-dir must be"),
    (keeps_temporary_files_in_it, "temp-dir"),
    (puts_a_file_in_its_place, "the path must be"),
    (goes_through_a_link_with_keep_dirlinks, "option -K "),
    (goes_through_a_link_in_a_sync_with_ignore_existing, "--ignore-existing is for fulls"),
    # Let in: the link is gone by then.
    (goes_through_a_link_in_a_retry, ""),
    (goes_through_links_of_links_in_a_retry, ""),
    (goes_through_a_link_whose_way_comes_later, ""),
    (goes_through_a_link_in_a_sync_whose_directory_is_not_named, ""),
    (goes_through_a_link_in_a_sync_whose_way_comes_later, ""),
    (goes_through_a_link_in_place_of_a_backup, "no directory, or a symbolic link"),
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


def test_partial_files_are_kept_nowhere_else(storage: Storage, tmp_path: Path) -> None:
    """rsync before 3.4 goes on in place with what lies behind a link of that name."""
    before = kept(storage)
    he = Attacker(storage, tmp_path, "b1000")
    for name, path in (("f", NEW), ("g", "etc/host")):
        source = he.files(name, passwd="evil", big=bytes(range(256)) * 4000 + b"evil" * 4096)
        (source / ".b1000-partial").symlink_to(f"/{OLD}")
        words = ("--partial-dir=.b1000-partial", "--no-whole-file", f"{source}/", he.at(f"{path}/"))
        he.rsync("-a", *words)
        found = storage.tree() / path
        assert (found / "passwd").read_text() == "evil"
        assert not (found / ".b1000-partial").is_symlink()
        (source / ".b1000-partial").unlink()
        (source / ".b1000-partial").write_text("a file, which would stop it")
        he.rsync("-a", "--ignore-existing" if path == NEW else "-t", *words)
        assert not (found / ".b1000-partial").exists()
    assert "daemon refused to receive file" in he.told
    assert kept(storage) == before


@pytest.mark.parametrize("path", ["etc/host", NEW])
def test_a_backup_keeps_its_links(storage: Storage, tmp_path: Path, path: str) -> None:
    """They go before a session, which sends them again."""
    he = Attacker(storage, tmp_path, "b1000")
    links = {"top": "/", "job": "..", "old": f"/{OLD}", "inside": "file", "nowhere": "/etc/passwd"}
    source = he.files("f", file="x")
    for name, target in links.items():
        (source / name).symlink_to(target)
    retry = ["--ignore-existing"] if path == NEW else []
    for _ in range(2):
        assert he.rsync("-a", *retry, f"{source}/", he.at(f"{path}/")) == 0
    found = storage.tree() / path
    assert {each: os.readlink(found / each) for each in links} == links
    Path(f"{found}.b1k").write_text(MARK)
    there = {each.name: each.lstat().st_ino for each in found.iterdir()}
    assert he.rsync("-an", *retry, f"{source}/", he.at(f"{path}/")) == 0
    assert {each.name: each.lstat().st_ino for each in found.iterdir()} == there
    assert he.rsync("-r", *retry, f"{he.files()}/", he.at(f"{path}/")) == 0
    assert {each.name for each in found.iterdir()} == {"file"}


def test_a_link_deeper_than_any_path_leads_out_too(storage: Storage, tmp_path: Path) -> None:
    """The client sees less above it than the storage does."""
    deep = "/".join(["d" * 200] * 20)
    found = storage.tree() / NEW
    found.mkdir()
    at = os.open(found, os.O_RDONLY)
    for part in deep.split("/"):
        os.mkdir(part, dir_fd=at)
        at, above = os.open(part, os.O_RDONLY, dir_fd=at), at
        os.close(above)
    os.symlink(f"/{OLD}", "way", dir_fd=at)
    os.close(at)
    assert len(f"/{NEW}/{deep}/way") < os.pathconf("/", "PC_PATH_MAX") < len(f"{found}/{deep}/way")
    he = Attacker(storage, tmp_path, "b1000")
    assert he.rsync("-a", "--ignore-existing", f"{he.files('f', x='x')}/", he.at(f"{NEW}/")) == 0
    above = os.open(found, os.O_RDONLY)
    for part in deep.split("/"):
        at = os.open(part, os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = at
    assert os.listdir(above) == []
    os.close(above)


def test_nobody_reads_by_sums_of_blocks(storage: Storage, tmp_path: Path) -> None:
    """Whoever sends a file that differs is told a sum of each block of what is there."""
    he = Attacker(storage, tmp_path, "b1000")
    source = he.files("f", passwd="x" * 11)
    words = ("-aI", "--no-whole-file", "--debug=deltasum4", BASE, f"{source}/")
    for module, size, told in (("open", 1, "sum1=00720072"), ("b1000", 1, ""), ("b1000", 700, "")):
        done = storage.push(*words, f"--block-size={size}", storage.at(f"{NEW}/", module=module))
        assert told in done.stdout
        assert ("sum1=00720072" in done.stdout) == bool(told)
        refused = "--block-size must be from 700 to 999999" in done.stderr
        assert refused == (module == "b1000" and size < 700)
        shutil.rmtree(storage.tree() / NEW, ignore_errors=True)


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


def test_the_box_for_marks_is_never_a_link(tmp_path: Path) -> None:
    """Not even one that is put there when the daemon has looked, before it goes there."""
    storage = Storage(tmp_path / "storage", without=["early exec"])
    fill(storage)
    storage.start()
    he = Attacker(storage, tmp_path, "b1000-marks")
    planted = he.files("f") / f"{OLD}.b1k"
    planted.parent.mkdir(parents=True)
    planted.write_text(MARK)
    box = storage.tree() / ".b1000" / "marks"
    box.parent.mkdir()
    before = kept(storage)
    try:
        for target in ("../../client-2", str(storage.tree("client-2")), "/"):
            box.symlink_to(target)
            he.told = ""
            assert he.rsync("-rt", f"{he.root}/f/", he.at("")) != 0
            assert "the box for marks is no directory of the client" in he.told
            box.unlink()
    finally:
        storage.stop()
    assert kept(storage) == before


def test_a_file_system_that_follows_no_links(storage: Storage, tmp_path: Path) -> None:
    """What etc/rsyncd-storage.conf advises: then no session goes through a link, whatever else."""
    tree = storage.module("backup")
    subprocess.run(["mount", "--bind", tree, tree], check=True)
    try:
        options = "remount,bind,nosymfollow"
        if subprocess.run(["mount", "-o", options, tree], check=False).returncode:
            pytest.skip("this kernel has no nosymfollow")
        before = kept(storage)
        for module in ("open", "b1000"):
            he = Attacker(storage, tmp_path, module)
            goes_through_a_link_in_a_retry(he)
            assert "b1000-gate" not in he.told
            assert kept(storage) == before
            assert os.readlink(storage.tree() / NEW / "way") == f"../{OLD_NAME}"
            shutil.rmtree(storage.tree() / NEW)
    finally:
        subprocess.run(["umount", "-l", tree], check=True)
