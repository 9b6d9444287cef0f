"""``link_dest``: what is shared with an earlier full, with which one, and that it never changes."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.client import Client, last, pull
from tests.support.daemon import CHROOT, Daemon
from tests.support.world import World, tree

Daemons = Callable[..., Daemon]
REAL_RSYNC = shutil.which("rsync")
STRANGE = "below/" + os.fsdecode(b"\xe4 *?'\n")


@pytest.fixture(params=["local", "daemon", "module", "no chroot"])
def store(request: pytest.FixtureRequest, world: World, daemon: Daemons) -> Path:
    """The directory of a destination ``store`` with link_dest, which is configured with a job."""
    world.files(5)
    if request.param == "local":
        path, address = world.root / "store", str(world.root / "store")
    else:
        if request.param == "no chroot" and rsync_is("3.2.7"):
            pytest.skip("Debian 12's rsync finds no base without a chroot")
        started = daemon({"b1000": "" if request.param == "no chroot" else CHROOT})
        below = "" if request.param == "module" else "/a b/c:d"
        path, address = started.module("b1000"), f"{started.url('b1000')}{below}"
        path = path / below.removeprefix("/")
    configure(world, address)
    return path


def rsync_is(version: str) -> bool:
    told = subprocess.run(["rsync", "--version"], capture_output=True, text=True, check=True)
    return told.stdout.startswith(f"rsync  version {version} ")


def configure(
    world: World, address: object, job: dict[str, object] | None = None, **options: object
) -> None:
    destination = {"type": "active", "path": address, "link_dest": "yes", **options}
    world.write({"dest:store": destination, "job:etc": job or world.push()})


def fulls(store: Path, job: str = "etc") -> list[Path]:
    """The directories of a job, the oldest first."""
    found = (path for path in store.glob(f"{job}/*/*") if path.is_dir())  # and not their marks
    return sorted(found, key=lambda path: (path.parent.name, path.name[-8:]))


def shared(one: Path, other: Path) -> set[str]:
    """The names below both that are the same inode."""
    return {
        str(path.relative_to(one))
        for path in one.rglob("*")
        if (path.is_symlink() or not path.is_dir())
        and os.path.lexists(other / path.relative_to(one))
        and path.lstat().st_ino == (other / path.relative_to(one)).lstat().st_ino
    }


def base_of(full: Path) -> str:
    """Into what it is linked, as its mark says."""
    (base,) = re.findall(r"^base =(.*)$", (full.parent / f"{full.name}.b1k").read_text(), re.M)
    return str(base.strip())


State = dict[str, tuple[object, ...]]


def state(directory: Path) -> State:
    """All that an older backup must keep: content, mode, owner, time of each path in it."""
    return {
        name: (value, *_attributes(directory / name)) for name, value in tree(directory).items()
    }


def _attributes(path: Path) -> tuple[int, int, int, int]:
    found = path.lstat()
    return found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns


def backup(world: World, *words: str) -> str:
    done = world.b1000(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- what is shared


def test_unchanged_files_are_links_and_older_backups_never_change(
    world: World, store: Path
) -> None:
    (world.source / "link").symlink_to("file0")
    (world.source / "below").mkdir()
    (world.source / STRANGE).write_text("any byte")
    told = backup(world)
    assert "no earlier complete full of it is known there" in told
    (first,) = fulls(store)
    before = state(first)

    (world.source / "file0").write_text("another content, and longer\n")
    (world.source / "file1").chmod(0o600)
    os.utime(world.source / "file2", (1, 1))
    with (world.source / "file3").open("r+") as file:
        file.write("CONTENT")  # the same size
    (world.source / "new").write_text("new")
    told = backup(world)
    assert "no earlier" not in told
    _, second = fulls(store)
    assert tree(second) == tree(world.source)
    assert shared(first, second) == {"file4", "link", STRANGE}
    assert state(first) == before

    (world.source / "file4").unlink()
    backup(world)
    third = fulls(store)[2]
    assert shared(second, third) == set(tree(second)) - {"file4", "below"}
    assert (second / "file4").exists()
    assert state(first) == before
    assert world.last("etc")["copies"][0]["files"] == 6


def test_full_paths_and_hard_links(world: World, store: Path) -> None:
    os.link(world.source / "file0", world.source / "twin")
    text = world.config.read_text()
    world.config.write_text(
        text.replace("[job:etc]\n", "[job:etc]\nrelative = yes\nhard_links = yes\n")
    )
    backup(world)
    backup(world)
    first, second = fulls(store)
    inside = str(world.source).removeprefix("/")
    assert shared(first, second) == {f"{inside}/{name}" for name in tree(world.source)}
    assert (second / inside / "twin").stat().st_nlink == 4


def test_a_base_of_another_day(world: World, store: Path) -> None:
    backup(world)
    (first,) = fulls(store)
    another = first.parent.with_name("2020-01-01-Wednesday")
    first.parent.rename(another)
    with world.journal() as opened:
        days = (first.parent.name, another.name)
        opened.execute("UPDATE copies SET path = replace(path, ?, ?)", days)
    assert "no earlier" not in backup(world)
    old, new = fulls(store)
    assert old.parent == another
    assert len(shared(old, new)) == 5


# --- with which one


def test_each_instance_and_each_master_has_its_own(world: World) -> None:
    world.files()
    (world.root / "master").write_text("m1")
    job = world.push(instances="a b", master_host=f"!cat {world.root}/master")
    configure(world, world.root / "store", job)
    backup(world)
    backup(world, "etc/a")
    (world.root / "master").write_text("m2")
    told = backup(world, "etc/a")
    assert "no earlier complete full" in told
    (world.root / "master").write_text("m1")
    backup(world)
    a = [path for path in fulls(world.root / "store") if "-a-m1-" in path.name]
    b = [path for path in fulls(world.root / "store") if "-b-m1-" in path.name]
    (other,) = [path for path in fulls(world.root / "store") if "-a-m2-" in path.name]
    assert (len(a), len(b)) == (3, 2)
    assert len(shared(a[0], a[2])) == len(shared(b[0], b[1])) == 3
    assert not shared(a[0], b[0])
    assert not shared(a[0], other)


def test_another_address_under_the_same_name_is_another_place(world: World) -> None:
    world.files()
    configure(world, world.root / "store")
    backup(world)
    configure(world, world.root / "moved")
    told = backup(world)
    assert "no earlier complete full" in told
    assert tree(fulls(world.root / "moved")[0]) == tree(world.source)


def test_each_destination_has_its_own_and_one_without_the_option_none(world: World) -> None:
    world.files()
    world.write(
        {
            "dest:one": world.store("one", link_dest="yes"),
            "dest:two": world.store("two"),
            "job:etc": world.push(dest="one two"),
        }
    )
    backup(world)
    backup(world)
    one, two = (fulls(world.root / name) for name in ("one", "two"))
    assert len(shared(one[0], one[1])) == 3
    assert not shared(two[0], two[1])


def test_a_sync_links_nothing(world: World) -> None:
    world.files()
    configure(world, world.root / "store", world.push(type="sync"))
    told = backup(world) + backup(world)
    assert "full" not in told
    (made,) = (each for each in (world.root / "store" / "etc").iterdir() if each.is_dir())
    assert tree(made) == tree(world.source)


def test_what_failed_is_no_base(world: World) -> None:
    """An incomplete copy is passed over, whether its run was closed or not."""
    world.files()
    store = world.root / "store"
    configure(world, store)
    backup(world)
    (world.source / "file0").write_text("of the second run")
    configure(world, store, world.push(include=f"{world.source}/ {world.root}/missing"))
    assert world.b1000().returncode == 1
    assert "file0" in tree(fulls(store)[1])
    configure(world, store)
    backup(world)
    first, failed, third = fulls(store)
    assert shared(first, third) == {"file1", "file2"}
    assert "file0" not in shared(failed, third)
    (world.source / "file1").write_text("of the fourth run")
    configure(world, store, world.push(include=f"{world.source}/ {world.root}/missing"))
    assert world.b1000().returncode == 1
    backup(world, "forget", "etc")
    configure(world, store)
    backup(world)
    assert shared(third, fulls(store)[4]) == {"file0", "file2"}
    assert "file1" not in shared(fulls(store)[3], fulls(store)[4])


def test_a_complete_copy_is_a_base_although_its_run_failed_elsewhere(world: World) -> None:
    world.files()
    world.write(
        {
            "dest:store": world.store("store", link_dest="yes"),
            "dest:down": {"type": "active", "path": "rsync://127.0.0.1:9/x"},
            "job:etc": world.push(dest="store down"),
        }
    )
    assert [world.b1000().returncode for _ in range(2)] == [1, 1]
    first, second = fulls(world.root / "store")
    assert len(shared(first, second)) == 3


def test_an_empty_full_is_no_base(world: World) -> None:
    world.files()
    configure(world, world.root / "store")
    backup(world)
    for name in tree(world.source):
        (world.source / name).rename(world.root / name)
    backup(world)
    for number in range(3):
        (world.root / f"file{number}").rename(world.source / f"file{number}")
    backup(world)
    first, _, third = fulls(world.root / "store")
    assert len(shared(first, third)) == 3


def test_a_base_that_is_gone_costs_a_full_copy_and_a_line(world: World, store: Path) -> None:
    backup(world)
    (first,) = fulls(store)
    shutil.rmtree(first)
    told = backup(world)
    assert told.count("is no longer there; all is copied") == 1
    assert "link-dest arg" not in told
    (second,) = fulls(store)
    assert tree(second) == tree(world.source)
    run = world.last("etc")
    assert (run["status"], run["copies"][0]["error"]) == ("OK", "")
    backup(world)
    second, third = fulls(store)
    assert [base_of(second), base_of(third)] == ["", f"../{second.parent.name}/{second.name}"]


# --- what is known to be bad


def rot(file: Path) -> bytes:
    """One bit turns, and size and time stay; gives what was right."""
    before, right = file.stat(), file.read_bytes()
    wrong = bytes([right[0] ^ 1]) + right[1:]
    with file.open("r+b") as opened:
        opened.write(wrong)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    return right


def test_what_is_known_to_be_bad_is_no_base(world: World) -> None:
    """The rotten file is in each full that shares it, and in none that follows."""
    world.files(5)
    store = world.root / "store"
    configure(world, store, verify="1d", quarantine="no")
    for number in range(3):
        (world.source / f"file{number}").write_text(f"of run {number}")
        backup(world)
    assert world.b1000("verify").returncode == 0
    first, second, third = fulls(store)
    # The second and the third share it, the first has another.
    right = rot(third / "file1")
    assert world.b1000("verify", "--all").returncode == 1
    before = [state(each) for each in (first, second, third)]
    time.sleep(1.1)  # a name of the third's second would be that of the third
    assert "would send 2 files" in world.b1000("-n").stdout

    backup(world)
    fourth = fulls(store)[3]
    assert (fourth / "file1").read_bytes() == right
    assert state(fourth) == state(world.source)
    assert shared(first, fourth) == {"file0", "file3", "file4"}
    assert not shared(third, fourth) - shared(first, fourth)
    assert [state(each) for each in (first, second, third)] == before
    assert shared(second, third) == {"file0", "file1", "file3", "file4"}

    # Where all share it, all is copied.
    rot(first / "file0")
    assert world.b1000("verify", "--all").returncode == 1
    assert "all is copied" in backup(world)
    fifth = fulls(store)[4]
    assert state(fifth) == state(world.source)
    assert not any(shared(each, fifth) for each in (first, second, third, fourth))


def call_bad(world: World, address: str, place: str) -> None:
    """As a verify from this host does."""
    with world.journal() as opened:
        values = (address, place)
        opened.execute("INSERT INTO stored (root, path, bad) VALUES (?, ?, 'x')", values)


def place(directory: Path) -> str:
    """Where the directory of a full lies below its root."""
    return "/".join(directory.parts[-3:])


def test_what_is_known_to_be_bad_is_no_base_at_a_daemon(world: World, daemon: Daemons) -> None:
    world.files(5)
    started = daemon({"b1000": CHROOT})
    store = started.module("b1000")
    configure(world, started.url("b1000"))
    backup(world)
    (world.source / "file0").write_text("another, and longer")
    backup(world)
    first, second = fulls(store)
    rot(second / "file0")
    call_bad(world, started.url("b1000").replace("rsync://", "rsync://somebody@"), place(second))
    backup(world)
    third = fulls(store)[2]
    assert state(third) == state(world.source)
    assert shared(first, third) == {f"file{number}" for number in range(1, 5)}

    # One that had begun before: what it has linked may be wrong, and is never called complete.
    right = rot(third / "file1")
    interrupter = Interrupter(world)
    assert world.b1000(environment=interrupter.environment).returncode == 1
    for each in (first, third):  # they share it
        call_bad(world, started.url("b1000"), place(each))
    done = world.b1000("--copy")
    assert done.returncode == 1
    assert "whose content is not the source's (file1)" in done.stdout + done.stderr
    assert (fulls(store)[3] / "file4").exists()
    assert not shared(third, fulls(store)[3]) & {"file4"}
    backup(world, "forget", "etc")
    backup(world)
    fifth = fulls(store)[4]
    assert (fifth / "file1").read_bytes() == right
    assert state(fifth) == state(world.source)


def test_a_resumed_full_is_not_linked_into_what_is_bad_by_now(world: World) -> None:
    world.files(5)
    store = world.root / "store"
    configure(world, store)
    backup(world)
    (first,) = fulls(store)
    rot(first / "file0")
    before = state(first)
    interrupter = Interrupter(world)
    assert world.b1000(environment=interrupter.environment).returncode == 1
    call_bad(world, str(store), place(first))
    told = backup(world, "--copy")
    assert "is known to be bad; nothing more is linked into it" in told
    second = fulls(store)[1]
    assert state(second) == state(world.source)
    assert not shared(first, second)
    assert state(first) == before


@pytest.mark.parametrize("remote", [False, True])
def test_a_sync_that_is_known_to_be_bad_is_compared_by_content(
    world: World, daemon: Daemons, remote: bool
) -> None:
    world.files(5)
    started = daemon()
    store = started.module("b1000") if remote else world.root / "store"
    address = started.url("b1000") if remote else str(store)
    quarantine = None if remote else "no"
    configure(world, address, world.push(type="sync"), quarantine=quarantine)
    backup(world)
    (tree_,) = (path for path in (store / "etc").iterdir() if path.is_dir())
    inodes = {path.name: path.stat().st_ino for path in tree_.iterdir()}
    right = rot(tree_ / "file1")
    backup(world)
    assert (tree_ / "file1").read_bytes() != right
    call_bad(world, address, f"etc/{tree_.name}")
    assert "compares by content" in backup(world)
    assert state(tree_) == state(world.source)
    changed = {path.name for path in tree_.iterdir() if path.stat().st_ino != inodes[path.name]}
    assert changed == {"file1"}
    # It is as the source again, and so it is called.
    assert "compares by content" not in backup(world)
    with world.journal() as opened:
        assert opened.execute("SELECT bad FROM stored").fetchall() == [("",)]


def test_what_is_set_aside_in_a_sync_is_sent_again(world: World) -> None:
    world.files(5)
    store = world.root / "store"
    configure(world, store, world.push(type="sync"), verify="1d")
    backup(world)
    assert world.b1000("verify").returncode == 0
    (copied,) = (path for path in (store / "etc").iterdir() if path.is_dir())
    inodes = {path.name: path.stat().st_ino for path in copied.iterdir()}
    right = rot(copied / "file1")
    assert world.b1000("verify", "--all").returncode == 1
    assert not (copied / "file1").exists()
    assert "compares by content" not in backup(world)
    assert (copied / "file1").read_bytes() == right
    (copied / "file1.b1000-corrupt").unlink()
    assert state(copied) == state(world.source)
    kept = {path.name for path in copied.iterdir() if path.stat().st_ino == inodes[path.name]}
    assert kept == {"file0", "file2", "file3", "file4"}
    assert world.b1000("verify", "--all").returncode == 0
    with world.journal() as opened:
        assert opened.execute("SELECT bad FROM stored").fetchall() == [("",)]


# --- marks


def test_a_mark_is_believed_where_the_journal_is_lost(world: World) -> None:
    world.files(5)
    store = world.root / "store"
    configure(world, store)
    backup(world)
    backup(world)
    for path in world.status_dir.glob("journal*"):
        path.unlink()
    time.sleep(1.1)  # what a journal keeps apart: names of one second
    first, second = fulls(store)
    (second / "file0").unlink()
    (second / "file0").write_text("content 0\n")
    Path(f"{second}.b1k").unlink()
    assert "all is copied" not in backup(world)
    assert len(shared(first, fulls(store)[2])) == 5


# --- attempts that were interrupted


class Interrupter:
    """An ``rsync`` on PATH whose first copy with a base lacks the file ``last``, and fails."""

    def __init__(self, world: World, last: str = "file4") -> None:
        directory = world.root / "bin"
        directory.mkdir()
        program = directory / "rsync"
        program.write_text(
            "#!/bin/bash\n"
            "for word; do [[ $word == --link-dest* ]] && linking=yes; done\n"
            f"if [ $linking ] && [ ! -e {world.root}/broke ]; then\n"
            f"touch {world.root}/broke\n"
            f'{REAL_RSYNC} --exclude="{last}" "$@"\n{world.root}/between\nexit 12\nfi\n'
            f'exec {REAL_RSYNC} "$@"\n'
        )
        program.chmod(0o755)
        self._between = world.root / "between"
        self.between(":")
        self.environment = {"PATH": f"{directory}:/usr/bin:/bin"}

    def between(self, script: str) -> None:
        """What happens before it ends."""
        self._between.write_text(f"#!/bin/sh\n{script}\n")
        self._between.chmod(0o755)


# rsync sets the attributes of files that are there already in place: they are links by then.
CHANGES = (
    "chmod 600 {0}/file0; chown 7:8 {0}/file1; chown -h 7:8 {0}/link; touch -h -d @77 {0}/link; "
    "echo changed > {0}/file2; rm {0}/file3"
)


@pytest.mark.parametrize("how", ["retry", "resume"])
def test_a_second_attempt_changes_no_older_backup(world: World, store: Path, how: str) -> None:
    (world.source / "link").symlink_to("file0")
    (world.source / "below").mkdir()
    (world.source / "below" / "file").write_text("x")
    backup(world)
    (first,) = fulls(store)
    before = state(first)
    interrupter = Interrupter(world)
    interrupter.between(CHANGES.format(world.source))
    retries = 1 if how == "retry" else 0
    text = world.config.read_text()
    world.config.write_text(text.replace("copy_retries = 0", f"copy_retries = {retries}"))
    done = world.b1000(environment=interrupter.environment)
    assert done.returncode == 1 - retries, done.stdout
    if how == "resume":
        backup(world, "--copy")
    assert world.last("etc")["copies"][0]["attempts"] == 2
    assert state(first) == before
    second = fulls(store)[1]
    if "rsync://" in text:
        # There nothing can be begun anew: what had arrived stays as it was then.
        assert shared(first, second) == set(tree(first)) - {"below"}
    else:
        assert state(second) == state(world.source)
        assert shared(first, second) == {"file4", "below/file"}


def test_what_arrived_is_not_sent_again(world: World, daemon: Daemons) -> None:
    """To a daemon. A local copy with a base begins anew: it costs little, and no byte is sent."""
    world.files(5)
    started = daemon()
    store = started.module("b1000")
    configure(world, started.url("b1000"))
    backup(world)
    (world.source / "large").write_bytes(os.urandom(2**20))
    interrupter = Interrupter(world)
    assert world.b1000(environment=interrupter.environment).returncode == 1
    backup(world, "--copy")
    assert tree(fulls(store)[1]) == tree(world.source)
    with world.journal() as opened:
        (sent,) = opened.execute("SELECT sent FROM copies ORDER BY copy_id DESC").fetchone()
    assert sent < 2**19


def test_a_resumed_full_keeps_the_base_that_it_had(world: World) -> None:
    """Also where the option has gone since: what was linked is shared all the same."""
    world.files(5)
    store = world.root / "store"
    configure(world, store)
    backup(world)
    (first,) = fulls(store)
    before = state(first)
    interrupter = Interrupter(world)
    assert world.b1000(environment=interrupter.environment).returncode == 1
    (world.source / "file0").chmod(0o700)
    configure(world, store, link_dest="no")
    backup(world, "--copy")
    assert state(first) == before
    second = fulls(store)[1]
    assert state(second) == state(world.source)
    assert shared(first, second) == {f"file{number}" for number in range(1, 5)}


def test_a_daemon_keeps_what_has_arrived_as_it_was(world: World, daemon: Daemons) -> None:
    """Nothing is deleted or moved there, and no older backup changes."""
    world.files(5)
    started = daemon({"b1000": "refuse options = delete backup"})
    configure(world, started.url("b1000"))
    backup(world)
    (first,) = fulls(started.module("b1000"))
    before = state(first)
    interrupter = Interrupter(world)
    interrupter.between(f"chmod 600 {world.source}/file0")
    assert world.b1000(environment=interrupter.environment).returncode == 1
    told = backup(world, "--copy")
    assert "stays as it is" in told
    assert state(first) == before
    assert tree(fulls(started.module("b1000"))[1]) == tree(world.source)


def test_a_killed_attempt_leaves_nothing_behind(world: World, store: Path) -> None:
    """At a daemon it stays, and the log says so."""
    backup(world)
    interrupter = Interrupter(world)
    made = f"'{store}'/etc/*/*"
    interrupter.between(
        f'for each in {made}; do [ -e "$each/file4" ] || {{ echo x > "$each/.file4.AbCdEf"; '
        'mkdir -p "$each/.b1000-partial"; echo y > "$each/.b1000-partial/gone"; }; done'
    )
    assert world.b1000(environment=interrupter.environment).returncode == 1
    assert any(path.name == ".file4.AbCdEf" for path in store.rglob("*"))
    told = backup(world, "--copy")
    left = [path.name for path in store.rglob(".file4.*")]
    assert ("may be left in" in told) == bool(left) == ("rsync://" in world.config.read_text())
    copied = tree(fulls(store)[1])
    assert {name: copied[name] for name in copied if not name.startswith(".")} == tree(world.source)
    assert left or copied == tree(world.source)


# --- pull, and what is refused


@pytest.fixture
def client(daemon: Daemons) -> Iterator[Client]:
    """A client with data and no report yet."""
    made = Client(daemon({"reports": "", "backup": "read only = yes", "other": ""}))
    made.data()
    yield made
    made.stop()


def pulled(world: World, client: Client, minutes_ago: int, **keys: str) -> None:
    moment = time.localtime(time.time() - 60 * minutes_ago)
    report = client.report(start=time.strftime("%Y-%m-%d %H:%M:%S", moment), **keys).copying()
    report.keep_alive()
    running = world.start()
    try:
        report.end()
        assert running.wait(60) == 0
    finally:
        running.kill()
        running.communicate()
        report.kill()
        report.path.unlink(missing_ok=True)


def test_a_pull_links_to_what_it_pulled_of_the_same_client(world: World, client: Client) -> None:
    local = world.store("local", link_dest="yes", min_free=0)
    world.write({"global": {"host": "backup-2"}, "dest:local": local, "job:system": pull(client)})
    store = world.root / "local"
    pulled(world, client, 9)
    pulled(world, client, 7)
    first, second = fulls(store, "system")
    assert len(shared(first, second)) == 3
    assert last(world).snapshot.bases == {"local": str(first)}
    pulled(world, client, 5, master_host="another")
    assert last(world).snapshot.bases == {}
    assert not shared(second, fulls(store, "system")[2])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--inplace", "cannot be used here"),
        ("--append-verify", "cannot be used here"),
        ("--compare-dest=/x", "cannot be used here; link_dest = yes"),
        ("--copy-dest=/x", "cannot be used here; link_dest = yes"),
        ("--atimes", "older backups"),
        ("-xU", "older backups"),
    ],
)
def test_options_that_would_change_older_backups_are_refused(
    world: World, options: str, said: str
) -> None:
    configure(world, world.root / "store", rsync_options=options)
    done = world.b1000("check")
    assert done.returncode == 2
    assert said in done.stdout + done.stderr


def test_an_option_that_links_nothing_is_told(world: World) -> None:
    configure(world, world.root / "store", rsync_options="--ignore-times")
    done = world.b1000("check")
    assert (done.returncode, "links none" in done.stderr + done.stdout) == (0, True)
