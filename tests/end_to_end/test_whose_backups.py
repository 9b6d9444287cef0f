"""A client writes backups of another into its own directory of their storage."""

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from b1000.b1k.mark import Counts
from tests.support.client import is_at
from tests.support.daemon import Daemon
from tests.support.database import Database, Schema
from tests.support.hosts import ClientHost, StorageHost
from tests.support.rows import HOUR, Rows
from tests.support.stored import a_mark, identify, put
from tests.support.world import World, wait_until


@pytest.mark.parametrize("kind", ["sqlite", "mysql"])
def test_a_bad_backup_stays_bad_whatever_others_put_beside_it(
    kind: str, world: World, request: pytest.FixtureRequest
) -> None:
    server: Database = request.getfixturevalue("database_server")
    rows = Rows(Schema(server) if kind == "mysql" else world.root / "central.sqlite3")
    store: dict[str, object] = {"type": "store", "path": world.root / "kept" / "*"}
    world.write(
        {
            "global": {"host": "backup-1", "report_wait_end": 30},
            "report:central": rows.section,
            "dest:kept": {**store, "report": "central"},
        }
    )

    def said() -> tuple[int, dict[str, Any]]:
        assert world.b1000("verify", "-q").returncode in (0, 1)
        done = world.b1000("monitor", "--json")
        subjects = {each["host"]: each for each in json.loads(done.stdout)["subjects"]}
        return done.returncode, subjects["client-2"]

    old, own, other = (datetime.fromtimestamp(rows.now - ago * HOUR) for ago in (26, 2, 1))
    for host in ("client-1", "client-2"):
        identify(world.root / "kept" / host, old - timedelta(days=9))
        for ago in (26, 2):
            rows.run(host, "etc", "", ago * HOUR, "kept:DONE")
    put(world.root / "kept" / "client-1", a_mark(host="client-1", when=own))
    put(world.root / "kept" / "client-2", a_mark(host="client-2", when=old))
    put(
        world.root / "kept" / "client-2",
        a_mark(host="client-2", when=own, counts=Counts(files=5, bytes=4)),
    )
    code, found = said()
    assert (code, found["verdict"], found["kept"]) == (2, "CRITICAL", 1)
    assert [each["code"] for each in found["reasons"]] == ["bad"]

    for when in (own, other):
        put(world.root / "kept" / "client-1", a_mark(host="client-2", when=when))
        code, found = said()
        assert (code, found["verdict"]) == (2, "CRITICAL")
    assert found["kept"] == 1
    bad, claimed = found["reasons"]
    assert (bad["code"], claimed["code"]) == ("bad", "claimed")
    assert (
        f"{world.root}/kept/client-1 at backup-1 claims to hold a backup of it" in claimed["text"]
    )

    # What people know they may acknowledge: it is no worse than a WARNING until more is wrong.
    assert world.b1000("monitor", "ack", "client-2 etc").returncode == 0
    code, found = said()
    assert (code, found["verdict"]) == (1, "WARNING")


def test_the_newest_that_was_pulled_is_bad(tmp_path: Path, daemon: Callable[..., Daemon]) -> None:
    """The storage began to wait before the client began: by its name it is older than the run."""
    shared = daemon({"reports": "", "backup": "read only = yes"})
    client = ClientHost(tmp_path / "client", "ext", shared)
    storage = StorageHost(tmp_path / "storage", "backup-2")
    client.passive()
    central = {"type": "sqlite", "path": storage.root / "central.sqlite3"}
    kept = {**storage.store("kept"), "min_free": 0, "report": "central"}
    storage.pulls(
        client, report="central", dest="kept", more={"report:central": central, "dest:kept": kept}
    )
    pulling = storage.start()
    wait_until(lambda: is_at(storage, "INIT", "ext"))
    began = time.time()
    wait_until(lambda: time.time() > began + 2.1)
    running = client.start()
    for each in (running, pulling):
        out, err = each.communicate(timeout=60)
        assert each.returncode == 0, out + err
    next(
        each for each in (storage.root / "kept" / "ext").glob("*/*/**/*") if each.is_file()
    ).unlink()
    assert storage.b1000("verify", "-q", "--dest", "kept").returncode == 1
    done = storage.b1000("monitor", "--json")
    (subject,) = json.loads(done.stdout)["subjects"]
    assert (done.returncode, [each["code"] for each in subject["reasons"]]) == (2, ["bad"])
