"""Where b1000 restore --in-place brings a backup whose mark says what this host does not."""

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.daemon import CHROOT, Daemon
from tests.support.stored import a_mark, put
from tests.support.world import World, tree

KEY = "authorized_keys"
IN_PLACE = ("restore", "etc", "--in-place", "--merge")


@pytest.fixture(params=["local", "remote"])
def lying(request: pytest.FixtureRequest, world: World, daemon: Callable[..., Daemon]) -> World:
    """A storage whose mark says that the home of a victim was included, with a key for it."""
    world.files()
    store = world.store()
    if request.param == "remote":
        store = {"type": "active", "path": daemon({"b": CHROOT}).url("b")}
    world.write({"dest:store": store, "job:etc": world.push()})
    assert world.b1000().returncode == 0
    home(world).mkdir()
    (mark,) = world.root.glob("**/etc/*/*.b1k")
    text = mark.read_text()
    claimed = text.replace(f"include = {world.source}/", f"include = {home(world)}/")
    claimed = claimed.replace("files = 3\n", "files = 4\n")
    assert claimed != text
    mark.write_text(claimed)
    (mark.with_suffix("") / KEY).write_text("of a thief")
    return world


def home(world: World) -> Path:
    return world.root / "victim-home"


def refused(world: World, *words: str) -> str:
    """What is told where nothing is restored."""
    before = tree(world.source)
    done = world.b1000(*IN_PLACE, *words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert not list(home(world).iterdir())
    assert tree(world.source) == before
    assert "nothing was restored; " in done.stderr
    return done.stderr


def test_the_journal_knows_better_than_a_mark(lying: World) -> None:
    world = lying
    for words in ((), ("-n",), ("--print",), ("--json",)):
        told = refused(world, *words)
        assert f"destination store says that {home(world)}/ was included, and the journal" in told
        assert f"of this host that it was {world.source}/: the storage is wrong or lies" in told
    # What is named goes to where it was by the journal, and so does the command that is told.
    (world.source / "file0").unlink()
    done = world.b1000(*IN_PLACE, str(world.source / "file0"))
    assert done.returncode == 0, done.stderr
    assert "the storage is wrong or lies" in done.stderr
    assert (world.source / "file0").read_text() == "content 0\n"
    done = world.b1000(*command(world, told))
    assert (world.source / KEY).exists(), done.stderr
    assert not list(home(world).iterdir())
    done = world.b1000("restore", "etc", "--to", str(world.root / "to"))
    assert "the storage is wrong or lies" in done.stderr
    assert (world.root / "to" / KEY).exists()


def command(world: World, told: str) -> list[str]:
    """The words of the command that is told."""
    name, *words = shlex.split(told.split("`")[1])
    assert (name, *words[:4]) == ("b1000", *IN_PLACE)
    assert words[-2:] == ["-f", str(world.config)]
    return words


def test_without_a_journal_the_configuration_does(lying: World) -> None:
    world = lying
    shutil.rmtree(world.status_dir)
    for words in ((), ("-n",), ("--print",), (KEY,), (f"/{KEY}",), (str(home(world)), KEY)):
        told = refused(world, *words)
        assert f"destination store says that {home(world)}/ was included, and job etc" in told
        assert f"of {world.config} includes {world.source}/; nothing was restored" in told
        assert "--to DIR elsewhere" in told
        assert not world.status_dir.exists()
    for words, place in (((), home(world)), ((KEY,), home(world) / KEY)):
        assert command(world, refused(world, *words))[4:-2] == [str(place)]


def test_who_names_a_place_gets_it_there(lying: World) -> None:
    """As where the configuration was changed since."""
    world = lying
    shutil.rmtree(world.status_dir)
    told = refused(world)
    done = world.b1000(*IN_PLACE, str(home(world) / "file0"))
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(tree(home(world))) == ["file0"]
    assert f"file0 goes to {home(world)}/file0\n" in done.stdout
    shutil.rmtree(world.status_dir)
    ran = world.b1000(*command(world, told))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert sorted(tree(home(world))) == sorted([KEY, "file0", "file1", "file2"])
    assert f"all of it goes to {home(world)}/\n" in ran.stdout


def test_the_journal_knows_a_run_by_the_id_that_it_began_with(
    world: World, daemon: Callable[..., Daemon]
) -> None:
    """Its mark bears that; one that was resumed has another since."""
    world.files()
    storage = daemon()
    store = {"type": "active", "path": storage.url("b1000")}
    world.write({"dest:store": store, "job:etc": world.push()})
    storage.stop()
    assert world.b1000().returncode == 1
    storage.start()
    assert world.b1000("--copy").returncode == 0
    with world.journal() as journal:
        assert journal.execute("SELECT uid <> first_uid FROM runs").fetchall() == [(1,)]
    world.write({"dest:store": store, "job:etc": world.push(include="/changed/since")})
    (world.source / "file0").unlink()
    done = world.b1000(*IN_PLACE)
    assert (done.returncode, done.stderr) == (0, "")
    assert (world.source / "file0").exists()


def test_a_mark_that_bears_the_id_of_another_run_is_not_believed(world: World) -> None:
    """Of a job that does include the place."""
    world.files()
    home(world).mkdir()
    (home(world) / KEY).write_text("of the victim")
    keys = world.push(include=f"{home(world)}/")
    world.write({"dest:store": world.store(), "job:etc": world.push(), "job:keys": keys})
    assert world.b1000().returncode == 0
    ours, theirs = (next(world.root.glob(f"store/{job}/*/*.b1k")) for job in ("etc", "keys"))
    said = {key: _line(theirs, key) for key in ("run", "include")}
    text = ours.read_text()
    for key, line in said.items():
        text = text.replace(_line(ours, key), line)
    ours.write_text(text)
    done = world.b1000(*IN_PLACE)
    assert done.returncode == 2
    assert "and job etc of" in done.stderr
    assert sorted(tree(home(world))) == [KEY]


def _line(mark: Path, key: str) -> str:
    (found,) = (line for line in mark.read_text().splitlines() if line.startswith(f"{key} = "))
    return found


@pytest.mark.parametrize("instances", ["no", "fixed", "dynamic"])
def test_a_fresh_host_restores_in_place_what_its_configuration_includes(
    world: World, instances: str
) -> None:
    world.files()
    options: dict[str, object] = {"include": f"{world.source}/ {world.root}/second"}
    if instances != "no":
        told = "a b" if instances == "fixed" else "!echo a b"
        pre = f"mkdir -p {world.source}/$instance && touch {world.source}/$instance/dump"
        options = {"instances": told, "pre": pre, "include": f"{world.source}/$instance"}
    else:
        (world.root / "second").touch()
        options["relative"] = "yes"
    world.write({"dest:store": world.store(), "job:etc": world.push(**options)})
    assert world.b1000().returncode == 0
    was = tree(world.source)
    for each in (world.source, world.status_dir):
        shutil.rmtree(each)
    subjects = ["etc"] if instances == "no" else ["etc/a", "etc/b"]
    for number, subject in enumerate(subjects):
        words = ("restore", subject, "--in-place", "--merge")
        goes = f" goes to {world.source}"
        planned = world.b1000(*words, "-n")
        assert planned.stdout.count(goes) == 1
        printed = world.b1000(*words, "--print").stdout
        assert "goes to" not in printed
        if not number:
            answer = world.b1000(*words, "-n", "--json")
            assert "goes to" not in answer.stdout
            assert json.loads(answer.stdout)["to"] == "/"
        done = world.b1000(*words)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count(goes) == 1
        assert done.stdout.index(goes) < done.stdout.index("restored")
    for name, content in was.items():
        if instances == "no" or not name.startswith("file"):
            assert tree(world.source)[name] == content


def test_a_job_that_is_not_configured_goes_where_it_is_named(world: World) -> None:
    """As on a storage, on which a client's backup is to be brought to its place."""
    put(world.root / "one", a_mark()._replace(include="/srv/far/ /root/.ssh"))
    put(world.root / "two", a_mark("www")._replace(include="/"))
    stores = {f"dest:{name}": {"type": "store", "path": world.root / name} for name in _TWO}
    world.write(stores)
    options = ("--host", "web1", "--from", "one", "--any", "--print")
    done = world.b1000(*IN_PLACE, *options)
    assert done.returncode == 2
    assert "the content of /srv/far/ lies beside other includes" in done.stderr
    done = world.b1000(*IN_PLACE, *options, "/root/.ssh/file")
    assert (done.returncode, done.stderr) == (0, "")
    done = world.b1000(*IN_PLACE, *options, ".ssh/file")
    assert done.returncode == 2
    done = world.b1000("restore", "www", "--in-place", "--merge")
    assert done.returncode == 2
    assert f"says that / was included, and {world.config} has no job www" in done.stderr
    assert "named, as /..., are restored there, --to DIR elsewhere" in done.stderr


_TWO = ("one", "two")


def test_the_command_that_is_told_has_all_that_was_asked_for(world: World) -> None:
    put(world.root / "one", a_mark()._replace(include=f"{world.source}/"))
    world.write({"dest:one": {"type": "store", "path": world.root / "one"}})
    words = "--host web1 --from one --at 2026-12-01 --chown 0:0 --any --devices --no-verify --yes"
    done = world.b1000("restore", "etc", "--in-place", "--mirror", *words.split())
    told = done.stderr.split("`")[1].split()
    assert {*words.split(), "--mirror", "--in-place", str(world.source)} < {*told}
