"""The host is gone, its journal with it: a fresh one has the configuration, and gets all back."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.daemon import Daemon
from tests.support.database import Schema, program
from tests.support.world import World, tree


def test_a_fresh_host_gets_the_last_backup_of_everything(
    world: World, daemon: Callable[..., Daemon], database: Schema
) -> None:
    storages = {"one": daemon(), "two": daemon()}
    server, dumps = database.server, world.root / "dumps"
    for name in ("a", "b"):
        server.create_database(f"{database.name}_{name}", None)
        server.query("CREATE TABLE stock (item INT PRIMARY KEY)", f"{database.name}_{name}")
        server.query("INSERT INTO stock VALUES (1), (2), (3)", f"{database.name}_{name}")
    dump = (
        f"mkdir -p {dumps}/$instance && {program('mariadb-dump')} --no-defaults"
        f" --socket={server.socket} -uroot {database.name}_$instance > {dumps}/$instance/all.sql"
    )
    mysql = {"instances": "a b", "pre": dump, "include": f"{dumps}/$instance/"}
    world.write(
        {
            "report:main": {**database.report(), "path": None},
            **{
                f"dest:{name}": {"type": "active", "path": each.url("b1000")}
                for name, each in storages.items()
            },
            "job:etc": world.push(dest="one two"),
            "job:mysql": world.push(dest="one two", **mysql),
        }
    )
    world.files()
    assert world.b1000().returncode == 0
    # The last night one of the storages was away, so that the newest lies at the other alone.
    storages["one"].stop()
    (world.source / "last").write_text("of the last night")
    server.query("INSERT INTO stock VALUES (4)", f"{database.name}_a")
    time.sleep(1.1)
    assert world.b1000().returncode == 1
    storages["one"].start()
    lost = {"etc": tree(world.source), "mysql/a": tree(dumps / "a"), "mysql/b": tree(dumps / "b")}
    for each in (world.source, dumps, world.status_dir):
        shutil.rmtree(each)

    for subject, was in lost.items():
        to = world.root / "back" / subject
        done = world.b1000("restore", subject, "--to", str(to))
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert tree(to) == was
    assert tree(world.root / "back" / "etc")["last"] == b"of the last night"
    for name, count in (("a", 4), ("b", 3)):
        server.create_database(f"{database.name}_back_{name}", None)
        loaded = server.load(
            Path(world.root / "back" / "mysql" / name / "all.sql"), f"{database.name}_back_{name}"
        )
        assert loaded.returncode == 0, loaded.stderr
        found = server.value("SELECT COUNT(*) FROM stock", f"{database.name}_back_{name}")
        assert found == count

    # With the one storage that has the last night away, the database knows what is missing.
    shutil.rmtree(world.status_dir)
    storages["two"].stop()
    done = world.b1000("restore", "etc", "--to", str(world.root / "older"))
    assert done.returncode == 2
    assert "destination two has a newer one" in done.stderr
    assert "destination one" in done.stderr or storages["one"].url("") in done.stderr
