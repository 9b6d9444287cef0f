"""Push jobs from the configuration to the directory at the destination."""

import re
from collections.abc import Callable

from tests.support.daemon import Daemon
from tests.support.world import World, tree


def test_a_full_backup_into_a_local_directory(world: World) -> None:
    world.files()
    world.write({"dest:store": world.store(), "job:etc": world.push()})
    done = world.b1000()
    assert done.returncode == 0, done.stderr
    run = world.last("etc")
    assert (run["step"], run["status"]) == ("DONE", "OK")
    (copy,) = run["copies"]
    assert re.fullmatch(
        rf"{world.root}/store/etc/\d{{4}}-\d\d-\d\d-[A-Z][a-z]+day/"
        r"client-\d{4}-\d\d-\d\d-[A-Z][a-z][a-z]-\d\d:\d\d:\d\d",
        copy["path"],
    )
    assert tree(world.source) == tree(world.root / copy["path"])


def test_a_sync_backup_to_a_daemon(world: World, daemon: Callable[..., Daemon]) -> None:
    world.files()
    storage = daemon()
    world.write(
        {
            "dest:store": {"type": "active", "path": storage.url("b1000")},
            "job:etc": world.push(type="sync"),
        }
    )
    assert world.b1000().returncode == 0
    assert tree(storage.module("b1000") / "etc" / "client") == tree(world.source)
