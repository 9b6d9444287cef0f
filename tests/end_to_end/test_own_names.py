"""Names that begin with ``.b1000``: never taken from a source, never trusted at a destination."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.edges.test_leftovers import STRANGERS, plant
from tests.support.client import Client, pull
from tests.support.daemon import Daemon
from tests.support.world import World, tree

Daemons = Callable[..., Daemon]

OURS = (".b1000-earlier/x", "deep/.b1000-partial", "deep/er/.b1000")
TOLD = (".b1000-earlier", "deep/.b1000-partial", "deep/er/.b1000")


def plain(directory: Path) -> dict[str, bytes | str | None]:
    """What is to be copied of it."""
    found = tree(directory)
    return {name: found[name] for name in found if "/.b1000" not in f"/{name}"}


def warned(world: World, job: str = "etc") -> None:
    (copy,) = world.last(job)["copies"]
    assert copy["status"] == "WARNING"
    for name in TOLD:
        assert name in copy["error"]


@pytest.mark.parametrize("to", ["local", "daemon"])
@pytest.mark.parametrize("how", ["full", "sync", "relative", "streams"])
def test_a_push_leaves_them_out(world: World, daemon: Daemons, to: str, how: str) -> None:
    world.files()
    plant(world.source, *OURS, ".b1001")
    if how == "streams":
        for number in range(80):
            (world.source / f"large{number}").write_bytes(b"x" * 10_000)
    address = str(world.root / "store") if to == "local" else daemon().url("b1000")
    store = {"type": "active", "path": address, "streams": 3 if how == "streams" else 1}
    more = {"type": "sync"} if how == "sync" else {"relative": "yes" if how == "relative" else "no"}
    world.write({"dest:store": store, "job:etc": world.push(**more)})
    assert world.b1000().returncode == 0
    warned(world)
    (found,) = {path.parent for path in world.root.rglob("file0")} - {world.source}
    assert tree(found) == plain(world.source)
    ours = {path for path in world.root.rglob(".b1000*") if world.source not in path.parents}
    assert ours == ({world.root / "store" / ".b1000-id"} if to == "local" else set())


def test_more_than_a_few_are_counted(world: World) -> None:
    world.files()
    plant(world.source, *(f"d/.b1000-{number}" for number in range(50)), "other.o")
    world.write({"dest:store": world.store(), "job:etc": world.push(exclude="*.o")})
    assert world.b1000().returncode == 0
    assert world.last("etc")["copies"][0]["error"].endswith(" and 45 more")


def test_a_source_that_holds_nothing_else_is_empty(world: World) -> None:
    """With delete rsync would empty the destination."""
    world.files()
    world.write({"dest:store": world.store(), "job:etc": world.push(type="sync", delete="yes")})
    assert world.b1000().returncode == 0
    for path in world.source.iterdir():
        path.unlink()
    plant(world.source, ".b1000-x")
    assert world.b1000().returncode == 1
    assert len(tree(world.root / "store" / "etc" / "client")) == 3


def test_a_link_in_the_source_leads_nowhere(world: World) -> None:
    """What an interrupted full with a base left is removed: by no rsync, and through no link."""
    victim = world.root / "victim"
    plant(victim, "passwd")
    world.files()
    (world.source / "passwd").write_text("of a user")
    (world.source / ".b1000-earlier").symlink_to(victim)
    (world.source / ".b1000-partial").symlink_to(victim)
    world.write({"dest:store": world.store(link_dest="yes"), "job:etc": world.push()})
    assert world.b1000().returncode == 0
    (world.source / "large").write_bytes(os.urandom(3_000_000))
    slow = world.store(link_dest="yes", bwlimit=100)
    world.write({"dest:store": slow, "job:etc": world.push(copy_timeout=1)})
    assert world.b1000().returncode == 1
    made = Path(world.last("etc")["copies"][0]["path"])
    # As an older program would have copied it.
    (made / ".b1000-earlier").symlink_to(victim)
    world.write({"dest:store": world.store(link_dest="yes"), "job:etc": world.push()})
    done = world.b1000("--copy")
    assert done.returncode == 0, done.stdout
    assert "begins anew in an empty directory, since the attempt before was ended" in done.stdout
    assert tree(victim) == {"passwd": b"passwd"}
    assert tree(made) == plain(world.source)


@pytest.mark.parametrize("kind", STRANGERS)
def test_what_bears_such_a_name_at_a_destination_ends_the_copy(world: World, kind: str) -> None:
    if os.getuid() and ("device" in kind or "12345" in kind):
        pytest.skip("only root makes it")
    world.files()
    plant(world.source, "deep/er/file")
    world.write({"dest:store": world.store(), "job:etc": world.push(type="sync")})
    assert world.b1000().returncode == 0
    made = world.root / "store" / "etc" / "client"
    STRANGERS[kind](made / "deep" / ".b1000-partial")
    (world.source / "file0").write_text("changed")
    done = world.b1000()
    assert done.returncode == 1
    (copy,) = world.last("etc")["copies"]
    assert copy["error"].startswith(f"{made}/deep/.b1000-partial is {kind}, not a directory")
    assert copy["attempts"] == 1
    assert (made / "file0").read_text() != "changed"


# --- pull


@pytest.fixture
def client(daemon: Daemons) -> Iterator[Client]:
    """A client with data, names of ours among it."""
    made = Client(daemon({"reports": "", "backup": "read only = yes", "other": ""}))
    made.data()
    plant(made.backup, *OURS)
    yield made
    made.stop()


def pulled(world: World, client: Client) -> int:
    report = client.report().copying().keep_alive()
    running = world.start()
    try:
        report.end()
        running.communicate(timeout=60)
    finally:
        running.kill()
        report.kill()
        report.path.unlink(missing_ok=True)
    return running.returncode


def test_a_pull_leaves_them_out(world: World, client: Client) -> None:
    local = world.store("local", min_free=0)
    world.write({"global": {"host": "backup-2"}, "dest:local": local, "job:system": pull(client)})
    assert pulled(world, client) == 0
    warned(world, "system")
    (found,) = filter(Path.is_dir, (world.root / "local").glob("system/*/*"))
    assert tree(found) == plain(client.backup)


@pytest.mark.parametrize(
    "kind", ["a symbolic link", "a FIFO", "a device", "a directory of user 12345"]
)
def test_a_pull_is_ended_by_what_is_not_ours(world: World, client: Client, kind: str) -> None:
    if os.getuid() and ("device" in kind or "12345" in kind):
        pytest.skip("only root makes it")
    local = world.store("local", min_free=0)
    job = {**pull(client), "type": "sync"}
    world.write({"global": {"host": "backup-2"}, "dest:local": local, "job:system": job})
    assert pulled(world, client) == 0
    (made,) = filter(Path.is_dir, (world.root / "local" / "system").iterdir())
    STRANGERS[kind](made / ".b1000-partial")
    for each in client.reports.iterdir():
        each.unlink()
    assert pulled(world, client) == 1
    error = world.last("system")["copies"][0]["error"]
    assert f"{made}/.b1000-partial is {kind}, not a directory that B1000 made" in error
