"""What b1000 restore is asked for at night: a name mistyped, one file, no terminal."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.daemon import CHROOT, Daemon
from tests.support.stored import NIGHT, a_mark, identify, put
from tests.support.terminal import Terminal
from tests.support.world import World, tree

ODD = "new\nline -x *[?] 'q' \\ é"


@pytest.fixture(params=["local", "remote"])
def stored(request: pytest.FixtureRequest, world: World, daemon: Callable[..., Daemon]) -> World:
    """A backup of a tree with an odd name, in a local tree and at a daemon."""
    below = world.source / "conf" / "below"
    below.mkdir(parents=True)
    (below / ODD).write_text("odd")
    (below / "file").write_text("right")
    (world.source / "conf" / "plain").write_text("plain")
    store = world.store()
    if request.param == "remote":
        store = {"type": "active", "path": daemon({"b": CHROOT}).url("b")}
    world.write({"dest:store": store, "job:etc": world.push(include=world.source / "conf")})
    assert world.b1000().returncode == 0
    return world


# --- names that nobody knows


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ect"], "there is no job 'ect'; did you mean 'etc'?; known jobs: etc, mysql"),
        (["mysql/3306x"], "job 'mysql' has no instance '3306x'; did you mean '3306'?"),
        (["mysql/3306x"], "known instances: 3306, 3307"),
        (["etc/3306"], "job 'etc' has no instances; ask for 'etc' alone"),
        (["etc", "--host", "web9"], "no backup of etc is of 'web9'; did you mean 'web1'?"),
        (["mysql"], "several instances fit: mysql/3306, mysql/3307"),
        (["etc", "--from", "stroe"], "there is no destination 'stroe'; did you mean 'store'?"),
        (["etc", "--host", ""], "argument --host: must not be empty"),
        (["etc", "--at", ""], "argument --at: must not be empty"),
        (["etc", "--chown", "nobody-there"], "this host has no user 'nobody-there'"),
        (["etc", "--chown", ":nobody-there"], "this host has no group 'nobody-there'"),
        (["etc", "--chown", "1:2:3"], "is no U:G"),
    ],
)
def test_what_is_mistyped_is_told_and_nothing_written(
    world: World, words: list[str], expected: str
) -> None:
    root = world.root / "store"
    identify(root, NIGHT)
    put(root, a_mark())
    for instance in ("3306", "3307"):
        put(root, a_mark("mysql", instance=instance))
    world.write({"dest:store": {"type": "store", "path": root}})
    done = world.b1000("restore", *words, "--to", str(world.root / "to"))
    assert done.returncode == 2
    assert expected in done.stderr
    assert not (world.root / "to").exists()


def test_a_job_that_is_known_and_has_no_backup_is_no_mistake(world: World) -> None:
    (world.root / "store").mkdir()
    world.write({"dest:store": world.store(), "job:etc": world.push()})
    done = world.b1000("restore", "etc", "--to", str(world.root / "to"))
    assert done.returncode == 1
    assert "no complete backup fits" in done.stderr
    put(world.root / "store", a_mark(host="client"))
    early = world.b1000("restore", "etc", "--to", str(world.root / "to"), "--at", "2020-01-01")
    assert early.returncode == 1
    assert "no backup of etc had begun at 2020-01-01 23:59:59; the oldest is of" in early.stderr


def test_where_others_pull_it_is_told_whom_to_ask(world: World) -> None:
    sections = {
        f"dest:{name}": {"type": "passive", "host": f"backup-{name}", "timeout": 60}
        for name in ("1", "2")
    }
    job = {"direction": "passive", "dest": "1 2", "report": "main"}
    world.write({**sections, "job:dump": job})
    done = world.b1000("restore", "dump", "--to", str(world.root / "to"))
    assert done.returncode == 1
    assert done.stderr == (
        "b1000: no complete backup fits; its backups lie at backup-1, backup-2: there"
        " `b1000 list --host client` shows them,"
        " and `b1000 restore JOB --host client --to DIR` gives one back\n"
    )


def test_a_directory_whose_name_no_journal_can_hold_is_refused(stored: World) -> None:
    to = os.path.join(stored.root, "\udcff")
    done = stored.b1000("restore", "etc", "--to", to)
    assert done.returncode == 2
    assert "is no UTF-8, and no journal can hold it" in done.stderr
    assert not os.path.exists(to)


def test_a_path_that_is_named_twice_is_one(stored: World) -> None:
    words = ["conf/plain", "conf//plain", "conf/below/../plain"]
    done = stored.b1000("restore", "etc", "--to", str(stored.root / "to"), *words, "--json")
    assert json.loads(done.stdout)["files"] == 1


def test_a_missing_job_is_told_and_no_missing_path(world: World) -> None:
    done = world.b1000("restore", "--to", "/nowhere")
    assert done.returncode == 2
    assert done.stderr.endswith("the following arguments are required: job[/instance]\n")


# --- one file


def test_one_file_by_its_place_at_the_source(stored: World) -> None:
    to = stored.root / "to"
    path = stored.source / "conf" / "below" / ODD
    done = stored.b1000("restore", "etc", "--to", str(to), str(path), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"] == 1
    assert {name for name, content in tree(to).items() if content} == {f"conf/below/{ODD}"}
    again = stored.b1000("restore", "etc", "--to", str(to), str(path), "--merge")
    assert "1 file (0 transferred)" in again.stdout


def test_a_name_with_a_newline_is_compared_with_the_list_of_sums(world: World) -> None:
    root = world.root / "one"
    identify(root, NIGHT)
    backup = put(root, a_mark())
    (backup / ODD).write_text("odd")
    world.write({"dest:one": {"type": "store", "path": root}})
    assert world.b1000("verify", "--all").returncode == 0
    done = world.b1000("restore", "etc", "--to", str(world.root / "to"), ODD, "--json")
    assert json.loads(done.stdout)["against"] == "the list of sums at one, 1 file"
    status = (backup / ODD).stat()
    (backup / ODD).write_text("ODD")
    os.utime(backup / ODD, ns=(status.st_atime_ns, status.st_mtime_ns))
    done = world.b1000("restore", "etc", "--to", str(world.root / "two"), ODD, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["differing"] == [ODD]


@pytest.mark.parametrize("manner", ["--missing", "--merge", "--mirror"])
def test_one_file_in_its_place(stored: World, manner: str) -> None:
    conf = stored.source / "conf"
    (conf / "below" / ODD).unlink()
    (conf / "below" / "file").write_text("changed here")
    (conf / "plain").write_text("mine")
    above = [stored.source, conf, conf / "below"]
    for each in above:
        each.chmod(0o1751)
        os.utime(each, (1, 1))
    names = [str(conf / "below" / ODD), "conf/below/file"]
    done = stored.b1000("restore", "etc", "--in-place", manner, "--yes", *names)
    assert done.returncode == 0, done.stderr
    assert (conf / "below" / ODD).read_text() == "odd"
    kept = "changed here" if manner == "--missing" else "right"
    assert (conf / "below" / "file").read_text() == kept
    assert (conf / "plain").read_text() == "mine", "it was not asked for"
    found = [(oct(each.stat().st_mode)[-4:], each.stat().st_mtime) for each in above]
    assert found == [("1751", 1)] * 3
    assert sorted(os.listdir(conf / "below")) == sorted(["file", ODD])


def test_a_directory_in_its_place_and_those_above_that_are_gone(stored: World) -> None:
    conf = stored.source / "conf"
    was = tree(stored.source)
    (conf / "below").chmod(0o755)
    subprocess.run(["rm", "-r", conf / "below"], check=True)
    os.utime(conf, (1, 1))
    done = stored.b1000("restore", "etc", "--in-place", "--merge", str(conf / "below" / ODD))
    assert done.returncode == 0, done.stderr
    assert os.listdir(conf / "below") == [ODD]
    assert conf.stat().st_mtime == 1
    (conf / "below" / "extra").touch()
    done = stored.b1000("restore", "etc", "--in-place", "--mirror", "--yes", str(conf / "below"))
    assert done.returncode == 0, done.stderr
    assert "1 name will be deleted: below/extra" in done.stderr
    assert tree(stored.source) == was


def test_what_has_no_place_or_lies_behind_a_link_is_refused(stored: World) -> None:
    conf, outside = stored.source / "conf", stored.root / "outside"
    done = stored.b1000("restore", "etc", "--in-place", "--merge", "elsewhere/x")
    assert done.returncode == 2
    assert "nothing tells where 'elsewhere/x' was; use --to DIR" in done.stderr
    outside.mkdir()
    (conf / "below").rename(stored.root / "moved")
    (conf / "below").symlink_to(outside)
    done = stored.b1000("restore", "etc", "--in-place", "--merge", str(conf / "below" / "file"))
    assert done.returncode == 2
    assert f"{conf / 'below'} is a symbolic link" in done.stderr
    assert not list(outside.iterdir())


def test_a_link_in_the_backup_leads_to_no_file_of_the_storage(world: World) -> None:
    root, secret = world.root / "one", world.root / "secret"
    secret.mkdir()
    (secret / "file").write_text("of the storage")
    backup = put(root, a_mark()._replace(include="/srv/data/"))
    (backup / "link").symlink_to(secret)
    world.write({"dest:one": {"type": "store", "path": root}})
    in_place = ["--in-place", "--merge", "/srv/data/link/file"]
    for words in (in_place, ["--to", "/nowhere", "link/file"]):
        done = world.b1000("restore", "etc", *words, "--print")
        assert done.returncode == 2, done.stdout
        assert f"{backup / 'link'} is a symbolic link" in done.stderr


def test_a_run_of_its_own_directory_has_no_place(world: World) -> None:
    dumps = world.root / "dumps"
    world.write(
        {
            "dest:store": world.store(),
            "job:etc": world.push(
                include=f"{dumps}/$start_time", pre=f"mkdir -p {dumps}/$start_time"
            ),
        }
    )
    assert world.b1000().returncode == 0
    done = world.b1000("restore", "etc", "--in-place", "--merge")
    assert done.returncode == 2
    assert "has no place of its own; use --to DIR" in done.stderr


def test_in_place_where_only_a_part_of_each_path_was_kept(world: World) -> None:
    """Not to the root of the host, where it would be by its path in the backup."""
    below = world.source / "conf" / "below"
    below.mkdir(parents=True)
    (below / "file").write_text("right")
    (below / "other").write_text("right")
    job = world.push(include=f"{world.source}/./conf/below", relative="yes")
    world.write({"dest:store": world.store(), "job:etc": job})
    assert world.b1000().returncode == 0
    was = tree(world.source)
    for path in ((), ("conf/below/file",), (str(below / "file"),)):
        (below / "file").write_text("wrong")
        done = world.b1000("restore", "etc", "--in-place", "--merge", *path)
        assert done.returncode == 0, done.stderr
        assert tree(world.source) == was
    subprocess.run(["rm", "-r", world.source / "conf"], check=True)
    printed = world.b1000("restore", "etc", "--in-place", "--merge", "--print").stdout
    subprocess.run(["sh", "-c", printed], check=True)
    assert tree(world.source) == was


@pytest.mark.parametrize("mark", ["no", "yes"])
def test_what_no_mark_says_the_journal_of_the_host_knows(world: World, mark: str) -> None:
    world.files()
    os.link(world.source / "file0", world.source / "link")
    job = world.push(include=world.source, hard_links="yes")
    world.write({"dest:store": world.store(mark=mark), "job:etc": job})
    assert world.b1000().returncode == 0
    was = tree(world.source)
    for each in (*world.root.glob("store/*/*/*.b1k"), *world.source.iterdir()):
        each.unlink()
    done = world.b1000("restore", "etc", "--in-place", "--merge")
    assert done.returncode == 0, done.stderr
    assert tree(world.source) == was
    assert (world.source / "file0").stat().st_nlink == 2


def test_a_path_that_is_not_there_is_told_by_its_name(stored: World) -> None:
    done = stored.b1000("restore", "etc", "--to", str(stored.root / "to"), "conf/nosuch")
    assert done.returncode == 1
    command = f"b1000 list --files PATTERN -f {stored.config}"
    told = f"conf/nosuch is not in the backup; `{command}` finds paths"
    assert done.stderr.endswith(f"b1000: not restored: {told}\n")
    assert "link_stat" not in done.stderr


def test_files_of_another_host_come_in_place_here_only_if_that_is_meant(world: World) -> None:
    """As on a storage, where the command of the client that is gone may be typed."""
    put(world.root / "one", a_mark()._replace(include=f"{world.source}/"))
    world.write({"dest:one": {"type": "store", "path": world.root / "one"}})
    words = ["restore", "etc", "--in-place", "--merge", str(world.source)]
    argv = [*_python(), "-f", str(world.config), *words]
    terminal = Terminal(argv, {}, columns=100)
    terminal.read_until(lambda: "Restore it in place here?" in terminal.text)
    assert "the backup is of web1, and this host is client" in terminal.text
    terminal.keys(b"no\n")
    assert terminal.finish() == 2
    assert not list(world.source.iterdir())
    named = world.b1000(*words, "--host", "web1")
    assert (named.returncode, named.stderr) == (0, "")
    piped = world.b1000(*words)
    assert piped.returncode == 0
    assert "--host web1 says that this is meant" in piped.stderr


# --- where nobody looks


def test_it_is_restored_though_nobody_reads_what_it_says(stored: World) -> None:
    for number, words in enumerate(([], ["--json"])):
        to = stored.root / f"to{number}"
        argv = ["restore", "etc", "--to", str(to), *words]
        program = subprocess.Popen(
            [*_python(), "-f", str(stored.config), *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert program.stdout
        program.stdout.close()
        assert program.stderr
        assert (program.wait(), program.stderr.read()) == (0, b"")
        program.stderr.close()
        assert tree(to) == tree(stored.source)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
def test_a_full_disk_behind_its_output_keeps_nothing_from_coming_back(stored: World) -> None:
    to = stored.root / "to"
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*_python(), "-f", str(stored.config), "restore", "etc", "--to", str(to)],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert b"the output cannot be written: No space left on device" in done.stderr
    assert tree(to) == tree(stored.source)


def _python() -> list[str]:
    return [sys.executable, "-m", "b1000"]


# --- storages that do not answer, or are not asked


def test_a_storage_that_is_silent_is_told_where_nothing_is_known_of_it(
    world: World, daemon: Callable[..., Daemon]
) -> None:
    far = daemon()
    put(world.root / "near", a_mark(host="client"))
    world.write(
        {
            "dest:near": world.store("near"),
            "dest:far": {"type": "active", "path": far.url("b1000")},
            "job:etc": world.push(dest="near far"),
        }
    )
    far.stop()
    done = world.b1000("restore", "etc", "--to", str(world.root / "to"))
    assert done.returncode == 0
    assert "destination far does not answer: connection refused" in done.stderr
    assert "whether it has a newer one, nothing on this host tells" in done.stderr


def test_an_older_one_by_from_is_told(world: World) -> None:
    world.files()
    stores = {"dest:one": world.store("one"), "dest:two": world.store("two")}
    for where in ("one two", "one"):
        world.write({**stores, "job:etc": world.push(dest=where)})
        assert world.b1000().returncode == 0
    world.write({**stores, "job:etc": world.push(dest="one two")})
    done = world.b1000("restore", "etc", "--to", str(world.root / "to"), "--from", "two")
    assert done.returncode == 3
    assert "destination one has a newer one, of" in done.stderr
    newest = world.b1000("restore", "etc", "--to", str(world.root / "t1"), "--from", "one")
    assert (newest.returncode, newest.stderr) == (0, "")


# --- the plain commands


def test_what_is_printed_leaves_the_directory_above_as_it_is(stored: World) -> None:
    (backup,) = stored.root.glob("**/etc/*/client-*/")
    backup.chmod(0o700)
    to = stored.root / "to"
    to.mkdir(mode=0o755)
    (to / "mine").touch()
    os.utime(to, (1, 1))
    printed = stored.b1000("restore", "etc", "--to", str(to), "--merge", "--print").stdout
    subprocess.run(["sh", "-c", printed], check=True)
    assert tree(to / "conf") == tree(stored.source / "conf")
    assert oct(to.stat().st_mode)[-3:] == "755"


def test_what_is_printed_makes_directories_and_takes_odd_names(stored: World) -> None:
    to = stored.root / "a 'b'" / "$c" / "-d"
    # rsync 3.5.0 asks daemons for no name that has both a backslash and a pattern's letters.
    odd = ODD.replace("\\", "$(x)")
    (stored.source / "conf" / "below" / odd).write_text("odd")
    assert stored.b1000().returncode == 0
    printed = stored.b1000(
        "restore", "etc", "--to", str(to), "--print", f"conf/below/{odd}", "conf/plain"
    ).stdout
    assert shlex.split(printed)[0] == "rsync"
    subprocess.run(["sh", "-c", printed], check=True)
    assert (to / "conf" / "below" / odd).read_text() == "odd"
    assert sorted(Path(each).name for each in tree(to)) == sorted(["conf", "below", odd, "plain"])
    (stored.source / "conf" / "plain").unlink()
    words = ["--in-place", "--merge", "--print", "conf/plain"]
    subprocess.run(["sh", "-c", stored.b1000("restore", "etc", *words).stdout], check=True)
    assert (stored.source / "conf" / "plain").read_text() == "plain"
