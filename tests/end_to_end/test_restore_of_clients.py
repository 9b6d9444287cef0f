"""A store holds what many clients have put there, and each may call what it has after any host."""

import gzip
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.stored import NIGHT, a_mark, put
from tests.support.world import World

NEWER = NIGHT + timedelta(hours=5)


@pytest.fixture
def stores(world: World) -> World:
    store = {"type": "store", "path": world.root / "srv" / "*"}
    own = {"type": "active", "path": world.root / "own"}
    job = world.push(dest="own")
    world.write(
        {"global": {"host": "storage"}, "dest:clients": store, "dest:own": own, "job:etc": job}
    )
    put(world.root / "srv" / "c1", a_mark(host="web1"))
    put(world.root / "srv" / "c2", a_mark(host="web2"))
    put(world.root / "own", a_mark(host="storage"))
    return world


def restored(world: World, *words: str) -> tuple[int, str, str]:
    to = world.root / f"to{len(list(world.root.glob('to*')))}"
    done = world.b1000("restore", "etc", "--to", str(to), *words)
    content = (to / "file").read_text() if to.exists() else ""
    return done.returncode, done.stderr, content


def forge(world: World, host: str, text: str = "evil") -> Path:
    """What client c1 calls a backup of another host, newer than what that has."""
    forged = put(world.root / "srv" / "c1", a_mark(host=host, when=NEWER))
    (forged / "file").write_text(text)
    return forged


@pytest.mark.parametrize(("host", "whose"), [("web2", "clients/c2"), ("storage", "own")])
def test_no_client_has_its_files_restored_as_those_of_another_host(
    stores: World, host: str, whose: str
) -> None:
    assert restored(stores, "--host", host)[::2] == (0, "text")
    forge(stores, host)
    for words in (("--host", host), ("--host", host, "--any")):
        code, told, content = restored(stores, *words)
        assert (code, content) == (2, "")
        assert "lie in the directories of several clients: clients/c1, " in told
        assert f"{whose}; choose one with --from" in told
    assert restored(stores, "--host", host, "--from", whose)[2] == "text"
    assert restored(stores, "--host", host, "--from", "clients/c1")[2] == "evil"


def test_the_same_host_in_two_stores_is_one_client(stores: World) -> None:
    second = {"type": "store", "path": stores.root / "disk2" / "*"}
    store = {"type": "store", "path": stores.root / "srv" / "*"}
    stores.write({"global": {"host": "storage"}, "dest:clients": store, "dest:disk2": second})
    newer = put(stores.root / "disk2" / "c2", a_mark(host="web2", when=NEWER))
    (newer / "file").write_text("newer")
    assert restored(stores, "--host", "web2")[::2] == (0, "newer")
    assert restored(stores, "--host", "web2", "--from", "clients")[2] == "text"


def test_what_this_host_puts_into_its_own_store_is_no_other_client(stores: World) -> None:
    store = {"type": "store", "path": stores.root / "srv" / "*"}
    own = {"type": "active", "path": stores.root / "srv" / "self"}
    job = stores.push(dest="own")
    settings = {"host": "storage"}
    stores.write({"global": settings, "dest:clients": store, "dest:own": own, "job:etc": job})
    put(stores.root / "srv" / "self", a_mark(host="storage"))
    assert restored(stores)[::2] == (0, "text")
    assert restored(stores, "--from", "clients/self")[::2] == (0, "text")
    forge(stores, "storage")
    code, told, _ = restored(stores)
    assert code == 2
    assert "several clients: clients/c1, own; choose one with --from" in told


def test_where_the_same_run_lies_too_is_told_as_it_can_be_asked_for(stores: World) -> None:
    second = {"type": "store", "path": stores.root / "disk2" / "*"}
    store = {"type": "store", "path": stores.root / "srv" / "*"}
    stores.write({"global": {"host": "storage"}, "dest:clients": store, "dest:disk2": second})
    put(stores.root / "disk2" / "c2", a_mark(host="web2"))
    backup = stores.root / "srv" / "c2" / a_mark(host="web2").directory
    Path(f"{backup}.sha256.gz").write_bytes(gzip.compress(b"0" * 64 + b"  file\n"))
    code, told, _ = restored(stores, "--host", "web2")
    assert code == 1
    assert "the same run is at disk2/c2 too: the same command with --from disk2/c2" in told
    assert restored(stores, "--host", "web2", "--from", "disk2/c2")[0] == 0


def test_a_client_that_is_not_there_is_refused(stores: World) -> None:
    code, told, _ = restored(stores, "--from", "clients/c9")
    assert code == 2
    assert "destination 'clients' has no client 'c9'; there are: c1, c2" in told
    code, told, _ = restored(stores, "--from", "own/c1")
    assert code == 2
    assert "destination 'own' has no client 'c1'; it has no clients" in told


def test_what_is_begun_goes_on_with_the_backup_of_the_same_client(stores: World) -> None:
    """Another one may call what it has the same run."""
    to = stores.root / "to"
    words = ("restore", "etc", "--host", "web2", "--to", str(to))
    assert stores.b1000(*words).returncode == 0
    forged = put(stores.root / "srv" / "c1", a_mark(host="web2"))
    (forged / "file").write_text("evil")
    assert restored(stores, "--host", "web2")[0] == 2
    (to / "file").unlink()
    (to / "rest").touch()
    with stores.journal() as journal:
        journal.execute("UPDATE restores SET error = 'it was interrupted'")
    assert stores.b1000(*words).returncode == 0
    assert (to / "file").read_text() == "text"
