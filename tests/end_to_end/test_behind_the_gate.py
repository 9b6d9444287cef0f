"""Pushes to a storage that its clients cannot hurt: its gate, and the options that it refuses."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from b1000.b1k import mark
from b1000.check import daemons
from b1000.verify.condemning import condemn
from b1000.verify.tree import Tree
from tests.end_to_end.test_link_dest import Interrupter, rot, shared, state
from tests.support.daemon import Daemon
from tests.support.processes import kill
from tests.support.storage import SHIPPED, Storage
from tests.support.world import ROOT, World, tree, wait_until

REAL_RSYNC = shutil.which("rsync")
FULL = "etc/*-*day/*-??:??:??"


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    """The shipped one, with the module for deletions in sync trees too."""
    made = Storage(tmp_path / "storage", "b1000-sync")
    made.start()
    yield made
    made.stop()


def configure(
    world: World, storage: Storage, job: dict[str, object] | None = None, **options: object
) -> None:
    password = world.root / "password"
    password.write_text("backing-up\n")
    password.chmod(0o600)
    path = storage.at("", module=str(options.pop("module", "b1000"))).rstrip("/")
    store = {"type": "active", "path": path, "password_file": password, **options}
    world.write(
        {
            "global": {"log_level": "DEBUG"},
            "dest:store": store,
            "job:etc": job or world.push(),
        }
    )


def backup(world: World, *words: str) -> str:
    done = world.b1000(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fulls(storage: Storage) -> list[Path]:
    return sorted(storage.tree().glob(FULL), key=lambda path: (path.parent.name, path.name[-8:]))


def is_marked(full: Path) -> Path:
    """Where the mark of a full lies."""
    return full.with_name(f"{full.name}{mark.SUFFIX}")


def read_mark(storage: Storage, full: Path) -> mark.Mark:
    return mark.parse(is_marked(full).read_bytes(), str(full.relative_to(storage.tree())))


def seal(full: Path) -> None:
    """Say that it is complete, as a mark does."""
    full.with_name(f"{full.name}.b1k").write_text("[backup]\ntype = full\nstate = complete\n")


def refusals(storage: Storage) -> list[str]:
    """What the gate said, whoever was told."""
    return re.findall(r"b1000-gate: .*", (storage.directory / "log").read_text())


def attempts(log: str) -> list[str]:
    """The command lines of the rsyncs that copied, as the log has them."""
    return re.findall(r"store: (rsync --archive .*)", log)


def many(directory: Path, count: int = 90, size: int = 10_000) -> None:
    """Files enough that a tree is divided."""
    for number in range(count):
        below = directory / f"d{number % 7}"
        below.mkdir(exist_ok=True)
        (below / f"file{number}").write_bytes(os.urandom(size))


def test_fulls_with_links_go_in_and_nothing_is_refused(world: World, storage: Storage) -> None:
    world.files(5)
    (world.source / "link").symlink_to("file0")
    configure(world, storage, link_dest="yes")
    backup(world)
    (first,) = fulls(storage)
    wait_until(is_marked(first).exists)
    assert read_mark(storage, first).complete
    before = state(first)
    (world.source / "file0").chmod(0o600)
    backup(world)
    first, second = fulls(storage)
    assert state(first) == before
    assert tree(second) == tree(world.source)
    assert shared(first, second) == {f"file{number}" for number in range(1, 5)} | {"link"}
    another = first.parent.with_name("2020-01-01-Wednesday")
    assert not refusals(storage)
    assert another.name not in backup(world)


# --- what the storage knows to be bad


@pytest.mark.parametrize("quarantine", ["no", "yes"])
def test_no_full_is_linked_into_one_that_the_storage_knows_to_be_bad(
    world: World, storage: Storage, quarantine: str
) -> None:
    """Its client has a journal of its own, and cannot read there."""
    world.files(5)
    configure(world, storage, link_dest="yes")
    backup(world)
    backup(world)
    first, second = fulls(storage)
    wait_until(is_marked(second).exists)
    (world.root / "kept").mkdir()
    kept = World(world.root / "kept")
    store = {"type": "store", "path": storage.tree(), "verify": "1d"}
    kept.write({"dest:kept": {**store, "quarantine": quarantine, "keep": "last 3"}})
    assert kept.b1000("mark", "--adopt").returncode == 0
    assert kept.b1000("verify").returncode == 0
    right = rot(second / "file0")
    assert kept.b1000("verify", "--all").returncode == 1
    noted = storage.tree() / ".b1000" / "bad"
    bad = {path.name for path in noted.rglob("*") if path.is_file()}
    # Of the newest a wrong file is set aside, so that the next full sends it again.
    assert bad == ({first.name} if quarantine == "yes" else {first.name, second.name})
    before = [state(first), state(second)]

    assert ("takes no link into" in backup(world)) == (quarantine == "no")
    third = fulls(storage)[2]
    wait_until(is_marked(third).exists)
    base = read_mark(storage, third).base
    assert base == (f"../{second.parent.name}/{second.name}" if quarantine == "yes" else "")
    assert (third / "file0").read_bytes() == right
    assert state(third) == state(world.source)
    assert bool(shared(second, third)) == (quarantine == "yes")
    assert [state(first), state(second)] == before
    backup(world)
    fourth = fulls(storage)[3]
    assert len(shared(third, fourth)) == 5
    wait_until(is_marked(fourth).exists)
    if quarantine == "no":
        assert kept.b1000("prune", "--gone", "etc/client").returncode == 0
        assert not [path for path in noted.rglob("*") if path.is_file()]


def test_a_full_that_had_begun_is_not_called_complete_with_what_is_bad(
    world: World, storage: Storage
) -> None:
    world.files(5)
    configure(world, storage, link_dest="yes")
    backup(world)
    (first,) = fulls(storage)
    rot(first / "file0")
    interrupter = Interrupter(world)
    assert world.b1000(environment=interrupter.environment).returncode == 1
    condemn(Tree(str(storage.tree()), str(first.relative_to(storage.tree()))))
    # What it had linked the gate has removed by then, and all is copied.
    told = backup(world, "--copy")
    assert "takes no link into" in told
    second = fulls(storage)[1]
    assert state(second) == state(world.source)
    assert not shared(first, second)


# --- attempts that were interrupted


def interrupted(world: World, storage: Storage) -> None:
    """A push of which everything is killed in the middle, when some files have arrived."""
    started = world.start()
    wait_until(lambda: len(arrived(storage)) > 3)
    # All of it has a mark of the run but the program itself.
    started.kill()
    kill(world.processes())
    started.communicate()
    wait_until(lambda: not world.processes())


def arrived(storage: Storage) -> list[Path]:
    return sorted(storage.tree().glob(f"{FULL}/file*"))


@pytest.fixture
def cut(world: World, storage: Storage) -> World:
    """A host whose last push was killed; what limited it is gone."""
    for number in range(40):
        (world.source / f"file{number:02}").write_bytes(os.urandom(4_000))
    configure(world, storage, bwlimit="50k")
    interrupted(world, storage)
    assert 3 < len(arrived(storage)) < 40
    configure(world, storage)
    return world


def test_what_was_killed_goes_on_and_is_compared(cut: World, storage: Storage) -> None:
    inodes = {path: path.stat().st_ino for path in arrived(storage)}
    told = backup(cut, "--copy")
    assert "compares by content" in told
    assert "stays as it is" in told
    (full,) = fulls(storage)
    assert tree(full) == {
        **tree(cut.source),
        **{n: v for n, v in tree(full).items() if n[0] == "."},
    }
    assert {path: path.stat().st_ino for path in inodes} == inodes
    assert cut.last("etc")["copies"][0]["attempts"] == 2
    (compared,) = re.findall(r"store: (rsync --dry-run .*)", told)
    assert "--checksum" in compared
    assert "--ignore-existing" not in compared
    # One session was refused, and that not counted.
    assert refusals(storage) == [
        "b1000-gate: this backup has files already; a retry needs --ignore-existing"
    ]


def test_a_file_that_differs_then_makes_it_failed_for_good(cut: World, storage: Storage) -> None:
    name = arrived(storage)[0].name
    (cut.source / name).write_text("changed since")
    before = {path: path.read_bytes() for path in arrived(storage)}
    for _ in range(2):
        done = cut.b1000("--copy")
        assert done.returncode == 1
        error = cut.last("etc")["copies"][0]["error"]
        assert "whose content is not the source's" in error
        assert "a new run makes a new directory" in error
        assert {path: path.read_bytes() for path in before} == before
    backup(cut)
    second = fulls(storage)[1]
    assert cut.last("etc")["copies"][0]["status"] == "DONE"
    assert tree(second) == tree(cut.source)


def test_without_a_doubt_what_has_arrived_stays_as_it_was(world: World, storage: Storage) -> None:
    """A connection that breaks leaves whole files; those of the source have changed since."""
    many(world.source)
    (world.source / "file").write_text("as it was")
    configure(world, storage, rsync_options="--bwlimit=200k")
    program = world.root / "bin" / "rsync"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/bash\n"
        f'[[ $* == *--archive* ]] || exec {REAL_RSYNC} "$@"\n'
        f'{REAL_RSYNC} --exclude=/d3 "$@"; exit 12\n'
    )
    program.chmod(0o755)
    done = world.b1000(environment={"PATH": f"{program.parent}:/usr/bin:/bin"})
    assert done.returncode == 1
    (world.source / "file").write_text("as it is now")
    (world.source / "new").write_text("new")
    configure(world, storage)
    told = backup(world, "--copy")
    assert "--dry-run" not in told
    (full,) = fulls(storage)
    assert tree(full) == {**tree(world.source), "file": b"as it was"}


def test_a_retry_of_a_full_with_links(world: World, storage: Storage) -> None:
    world.files(5)
    configure(world, storage, link_dest="yes")
    backup(world)
    (first,) = fulls(storage)
    seal(first)
    before = state(first)
    program = world.root / "bin" / "rsync"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/bash\n"
        f'[[ $* == *--link-dest* ]] || exec {REAL_RSYNC} "$@"\n'
        f'{REAL_RSYNC} --exclude=/file4 "$@"; exit 12\n'
    )
    program.chmod(0o755)
    assert world.b1000(environment={"PATH": f"{program.parent}:/usr/bin:/bin"}).returncode == 1
    (world.source / "file0").chmod(0o600)
    backup(world, "--copy")
    assert state(first) == before
    second = fulls(storage)[1]
    # What was linked goes before a retry, and is looked at anew.
    assert state(second) == state(world.source)
    assert shared(first, second) == set(tree(world.source)) - {"file0"}
    assert not refusals(storage)


# --- several at once


def test_streams_go_in_side_by_side(world: World, storage: Storage) -> None:
    many(world.source)
    configure(world, storage, streams=4)
    argvs = attempts(backup(world))
    assert [("--omit-dir-times" in argv) for argv in argvs] == [True] * 4 + [False]
    assert all("--ignore-existing" in argv for argv in argvs)
    (full,) = fulls(storage)
    assert state(full) == state(world.source)
    assert not refusals(storage)


def test_streams_of_a_retry(world: World, storage: Storage) -> None:
    """They are refused where they may change what is there, and then go in all the same."""
    many(world.source)
    configure(world, storage, streams=4)
    program = world.root / "bin" / "rsync"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/bash\n"
        f"[[ $* == *--omit-dir-times* ]] || exit 12\n"
        f'exec {REAL_RSYNC} --exclude=file1* "$@"\n'
    )
    program.chmod(0o755)
    assert world.b1000(environment={"PATH": f"{program.parent}:/usr/bin:/bin"}).returncode == 1
    argvs = attempts(backup(world, "--copy"))
    assert ["--ignore-existing" in argv for argv in argvs] == [False] * 5 + [True] * 5
    (full,) = fulls(storage)
    assert state(full) == state(world.source)


def test_hard_links_take_one_rsync(world: World, storage: Storage) -> None:
    many(world.source)
    for number in range(0, 90, 7):
        os.link(
            world.source / "d0" / f"file{number}", world.source / f"d{number % 5 + 1}" / "twin"
        ) if not (world.source / f"d{number % 5 + 1}" / "twin").exists() else None
    configure(world, storage, world.push(hard_links="yes"), streams=4)
    assert len(attempts(backup(world))) == 1
    (full,) = fulls(storage)
    for twin in world.source.glob("d?/twin"):
        assert (full / twin.relative_to(world.source)).stat().st_nlink == twin.stat().st_nlink == 2


# --- what else a job may ask for


@pytest.mark.parametrize(
    "options",
    [
        {"relative": "yes", "acls": "yes", "xattrs": "yes", "sparse": "yes"},
        {"hard_links": "yes"},
    ],
)
def test_options_of_jobs(world: World, storage: Storage, options: dict[str, str]) -> None:
    world.files()
    other = world.root / "other"
    other.mkdir()
    (other / "of the other").write_text("x")
    job = world.push(include=f"{world.source}/ {other}/", **options)
    configure(world, storage, job, compress="yes", bwlimit="100m", verbosity=3)
    backup(world)
    (full,) = fulls(storage)
    assert {path.name for path in full.rglob("*file*")} == {"file0", "file1", "file2"}
    assert list(full.rglob("of the other"))
    assert not refusals(storage)


@pytest.mark.parametrize("delete", ["no", "yes"])
def test_a_sync_is_brought_up_to_date(world: World, storage: Storage, delete: str) -> None:
    many(world.source)
    job = world.push(type="sync", delete=delete)
    module = "b1000-sync" if delete == "yes" else "b1000"
    box = storage.at("", module="b1000-marks").rstrip("/")  # no module is called b1000-sync-marks
    configure(world, storage, job, streams=4, module=module, mark_path=box)
    backup(world)
    (made,) = (path for path in (storage.tree() / "etc").iterdir() if path.is_dir())
    (world.source / "d1" / "file1").write_text("changed")
    (world.source / "d2" / "file2").unlink()
    argvs = attempts(backup(world))
    assert not [argv for argv in argvs if "--ignore-existing" in argv]
    assert tree(made).items() >= tree(world.source).items()
    assert (made / "d2" / "file2").exists() == (delete == "no")
    assert not refusals(storage)


def test_a_rehearsal_says_what_would_be_sent(world: World, storage: Storage) -> None:
    world.files()
    configure(world, storage, link_dest="yes")
    backup(world)
    (full,) = fulls(storage)
    wait_until(lambda: not full.name.endswith(f"{datetime.now():%H:%M:%S}"))
    told = backup(world, "-n")
    assert "would send 3 files" in told
    assert "does not let it be seen what would be linked" in told


# --- what is refused is not tried again


@pytest.mark.parametrize(
    ("options", "job", "said"),
    [
        ({}, {"type": "sync", "delete": "yes"}, "--delete"),
        ({"rsync_options": "--iconv=utf8,latin1"}, {}, "b1000-gate: rsync's option --iconv is not"),
    ],
)
def test_a_refusal_is_final(
    world: World,
    storage: Storage,
    options: dict[str, str],
    job: dict[str, object],
    said: str,
) -> None:
    world.files()
    configure(world, storage, world.push(**job), **options)
    text = world.config.read_text()
    world.config.write_text(text.replace("copy_retries = 0", "copy_retries = 3"))
    assert world.b1000().returncode == 1
    copy = world.last("etc")["copies"][0]
    assert said in copy["error"]
    assert copy["attempts"] == 1


def test_a_complete_backup_takes_nothing_more(cut: World, storage: Storage) -> None:
    seal(fulls(storage)[0])
    before = state(fulls(storage)[0])
    assert cut.b1000("--copy").returncode == 1
    assert "b1000-gate: this backup is complete" in cut.last("etc")["copies"][0]["error"]
    assert state(fulls(storage)[0]) == before


# --- what a storage lets its client do


def checked(world: World) -> list[str]:
    """The warnings of ``check --connect``, each without its place."""
    done = world.b1000("check", "--connect")
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"\[dest:store\] path: warning: (.*)", done.stderr)


def being_placed(box: Path) -> list[Path]:
    """Marks that a client sent, and that do not lie beside their backups yet."""
    return [*box.glob("marks/**/*.b1k"), *box.glob("taken")]


def test_a_safe_storage_is_quiet(world: World, storage: Storage) -> None:
    world.files()
    for module in ("b1000", "b1000-sync"):
        box = storage.at("", module="b1000-marks").rstrip("/")
        configure(world, storage, module=module, mark_path=box)
        assert not checked(world)
        backup(world)
        wait_until(is_marked(fulls(storage)[-1]).exists)
        wait_until(lambda: not being_placed(storage.tree() / ".b1000"))
        before = state(storage.module("backup"))
        assert not checked(world)
        assert state(storage.module("backup")) == before


LINES = (daemons.REFUSED, daemons.GATE, daemons.WRITE_ONLY, daemons.USERS)


def test_the_lines_that_are_named_are_those_that_are_shipped() -> None:
    shipped = SHIPPED.read_text()
    assert all(line in shipped for line in LINES)


@pytest.mark.parametrize(
    ("module", "findings"),
    [
        ("", ["delete what", "change its complete", "read what is there", "without a password"]),
        ("write only = yes", ["delete what", "change its complete", "without a password"]),
        (
            "write only = yes\nrefuse options = delete*\nauth users = *\nsecrets file = {secrets}",
            ["change its complete"],
        ),
        (
            "refuse options = delete*\nauth users = *\nsecrets file = {secrets}\n"
            "pre-xfer exec = {gate}",
            [],
        ),
    ],
)
def test_what_a_storage_lets_its_client_do(
    world: World, daemon: Callable[..., Daemon], module: str, findings: list[str]
) -> None:
    world.files()
    secrets = world.root / "secrets"
    secrets.write_text("client-1:backing-up\n")
    secrets.chmod(0o600)
    gate = ROOT / "etc" / "scripts" / "b1000-gate"
    served = daemon({"b1000": module.format(secrets=secrets, gate=gate)})
    password = world.root / "password"
    password.write_text("backing-up\n")
    password.chmod(0o600)
    address = served.url("b1000").replace("rsync://", "rsync://client-1@")
    store = {"type": "active", "path": address, "password_file": password}
    world.write({"dest:store": store, "job:etc": world.push()})
    backup(world)
    (full,) = served.module("b1000").glob(FULL)
    seal(full)
    before = state(served.module("b1000"))
    found = checked(world)
    assert len(found) == len(findings), found
    for each, expected in zip(found, findings, strict=True):
        assert each.startswith(f"{address}: ")
        assert expected in each
        assert any(line in each for line in LINES)
    assert state(served.module("b1000")) == before
    # What is there no more can be changed by nobody.
    shutil.rmtree(full)
    full.with_name(f"{full.name}.b1k").unlink()
    assert not [each for each in checked(world) if "complete" in each]


def test_where_no_module_takes_marks_that_is_told(world: World, storage: Storage) -> None:
    world.files()
    configure(world, storage, module="b1000-sync")
    done = world.b1000("check", "--connect")
    assert done.returncode == 0, done.stdout + done.stderr
    box = storage.at("", module="b1000-marks").rstrip("/")
    assert f"such as mark_path = {box}" in done.stderr
    configure(world, storage, module="b1000-sync", mark_path=box)
    done = world.b1000("check", "--connect")
    assert "mark_path" not in done.stderr
    assert f"its marks go to {box}" in done.stdout
    configure(world, storage, module="b1000-sync", mark_path=box.replace("marks", "marx"))
    done = world.b1000("check", "--connect")
    assert "mark_path: warning" in done.stderr
    assert "such as mark_path" not in done.stderr


def test_a_mark_that_is_pending_is_no_fault_of_the_storage(world: World, storage: Storage) -> None:
    world.files()
    configure(world, storage, mark_path="rsync://127.0.0.1:1/box")
    config = world.config.read_text()
    world.config.write_text(config.replace("[global]", "[global]\nmark_wait = 0"))
    backup(world)
    assert len(fulls(storage)) == 1
    configure(world, storage)
    assert not checked(world)


def test_a_gate_that_refuses_is_told(world: World, storage: Storage) -> None:
    world.files()
    configure(world, storage)
    path = storage.at("").rstrip("/")
    world.config.write_text(world.config.read_text().replace(path, f"{path}/a/b"))
    done = world.b1000("check", "--connect")
    assert done.returncode == 2
    assert "refuses: the path must be JOB/DAY/NAME/" in done.stderr


def test_options_that_the_gate_does_not_know_are_told(world: World, storage: Storage) -> None:
    """Of what stands in rsync_options; the first one that is refused names it."""
    world.files()
    known = "--fsync --preallocate -S --checksum-choice=md5 --max-alloc=2g -y"
    configure(world, storage, rsync_options=known)
    assert not checked(world)
    for option, named in {
        "-s": "-s",
        "--iconv=utf8,latin1": "--iconv",
        "--no-implied-dirs": "--no-implied-dirs",
        "--delay-updates": "--delay-updates",
    }.items():
        job = world.push(relative="yes")
        configure(world, storage, job, rsync_options=f"--fsync {option}")
        done = world.b1000("check", "--connect")
        assert done.returncode == 2, option
        assert re.search(rf"\[dest:store\] \w+: .*{named}", done.stderr), done.stderr
        assert world.b1000().returncode == 1
        assert named in world.last("etc")["copies"][0]["error"]
