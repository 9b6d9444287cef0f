"""What a storage tells databases of its backups: late perhaps, and never lost."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from b1000.b1k.mark import Counts
from tests.support.database import Database, Schema
from tests.support.stored import a_mark, identify, put
from tests.support.world import World, open_sqlite

TODAY = datetime.now().replace(hour=1, minute=17, second=1, microsecond=0)


def sqlite_rows(file: Path) -> dict[str, dict[str, Any]]:
    with open_sqlite(file) as connection:
        cursor = connection.execute("SELECT * FROM stored")
        names = [each[0] for each in cursor.description]
        found = [dict(zip(names, row, strict=True)) for row in cursor]
    return {row["path"]: row for row in found}


def test_verify_and_prune_tell_what_they_find(world: World, database_server: Database) -> None:
    root, file = world.root / "kept" / "web1", world.root / "central.sqlite3"
    schema = Schema(database_server)
    identify(root, TODAY - timedelta(days=400))
    fulls = [put(root, a_mark(when=TODAY - timedelta(days=ago))) for ago in range(9, -1, -1)]
    short = put(root, a_mark(host="web2", when=TODAY, counts=Counts(files=5, bytes=4)))
    sick = [put(root, a_mark(host="web3", when=TODAY - timedelta(days=ago))) for ago in (9, 8, 7)]
    sick.append(put(root, a_mark(host="web3", when=TODAY, counts=Counts(files=5, bytes=4))))
    sections: dict[str, dict[str, object]] = {
        "global": {"host": "backup-1", "report_wait_end": 5},
        "report:central": schema.report(),
        "report:file": {"type": "sqlite", "path": file},
        "dest:kept": {
            "type": "store",
            "path": world.root / "kept" / "*",
            "verify": "30d",
            "keep": "all 5d",
            "prune_most": "100%",
            "report": "central, file",
        },
    }
    world.write(sections)
    database_server.stop()
    try:
        assert world.b1000("verify", "--all").returncode == 1
        status = world.b1000("status")
        assert "report central: 15 updates pending since" in status.stdout + status.stderr
    finally:
        database_server.start()
    rows = sqlite_rows(file)
    assert {*rows} == {*map(str, fulls), str(short), *map(str, sick)}
    newest = rows[str(fulls[-1])]
    assert (newest["storage"], newest["destination"]) == ("backup-1", "kept")
    assert (newest["host"], newest["name"], newest["state"]) == ("web1", "etc", "complete")
    assert newest["start_time"] == f"{TODAY:%Y-%m-%d %H:%M:%S}"
    assert newest["read_utc"] >= newest["counted_utc"] >= newest["first_seen_utc"]
    assert (newest["read_share"], newest["bad"], newest["verify_every"]) == (1, 0, 30 * 86400)
    assert (rows[str(short)]["counted_utc"], rows[str(short)]["bad"]) == (None, 1)
    assert "its mark says 5" in rows[str(short)]["error"]

    shutil.rmtree(fulls[8])
    Path(f"{fulls[8]}.b1k").unlink()
    world.write({**sections, "global": {"host": "backup-1", "report_wait_end": 60}})
    assert world.b1000("prune").returncode == 1
    rows = sqlite_rows(file)
    removed = rows[str(fulls[0])]
    assert (removed["state"], removed["removed_utc"] is None) == ("removed", False)
    assert removed["reason"]
    assert rows[str(sick[-1])]["held"]
    assert {row["held"] for path, row in rows.items() if path != str(sick[-1])} == {None}
    assert rows[str(fulls[8])]["state"] == "missing"
    assert rows[str(fulls[9])]["state"] == "complete"
    # What the server has missed has arrived by the same.
    there = {row["path"]: row for row in schema.query("SELECT * FROM stored")}
    for path, row in rows.items():
        same = ("state", "bad", "error", "reason", "transition", "files", "run", "held")
        assert {name: there[path][name] for name in same} == {name: row[name] for name in same}
    assert "pending" not in world.b1000("status").stdout


def test_runs_deliver_what_a_verify_could_not(world: World, database_server: Database) -> None:
    schema = Schema(database_server)
    world.files()
    told = world.store(report="central", verify="1d")
    sections = {"report:central": schema.report(), "dest:store": told, "job:etc": world.push()}
    world.write(sections)
    assert world.b1000().returncode == 0
    (backup,) = (world.root / "store" / "etc").glob("*/*/")
    world.write({**sections, "global": {"report_wait_end": 0}})
    assert world.b1000("verify").returncode == 0
    world.write({**sections, "global": {"report_wait_end": 30}})
    assert world.b1000("--copy").returncode == 0
    (row,) = schema.query("SELECT * FROM stored")
    assert (row["path"], row["host"], row["read_share"]) == (str(backup), "client", 1)
    assert row["read_utc"] is not None


def test_what_could_not_be_removed_is_not_told_to_be_gone(world: World) -> None:
    """It is noted before it is tried; what lies there afterwards counts."""
    root, file = world.root / "kept", world.root / "central.sqlite3"
    store = {"type": "store", "path": root, "keep": "last 1", "keep_least": 1, "report": "file"}
    world.write(
        {
            "report:file": {"type": "sqlite", "path": file},
            "dest:kept": {**store, "prune_most": "100%"},
        }
    )
    identify(root, TODAY - timedelta(days=400))
    fulls = [put(root, a_mark(when=TODAY - timedelta(days=ago))) for ago in range(3)]
    (root / ".b1000-removed").touch()
    done = world.b1000("prune")
    assert done.returncode == 1
    assert "Not a directory" in done.stderr
    assert all(Path(f"{each}.b1k").exists() for each in fulls)
    for row in sqlite_rows(file).values():
        assert (row["state"], row["removed_utc"], row["reason"]) == ("complete", None, None)
    (root / ".b1000-removed").unlink()
    assert world.b1000("prune").returncode == 0
    assert [row["state"] for row in sqlite_rows(file).values()].count("removed") == 2


def test_the_monitor_misses_the_newest_backup_of_a_storage(world: World) -> None:
    world.files()
    places = {f"d{number}": world.root / f"d{number}" for number in (1, 2)}
    world.write(
        {
            "report:file": {"type": "sqlite", "path": world.root / "central.sqlite3"},
            **{
                f"dest:{name}": {"type": "active", "path": path, "report": "file"}
                for name, path in places.items()
            },
            "job:etc": world.push(dest="d1 d2", report="file"),
        }
    )

    def judged() -> tuple[str, str]:
        assert world.b1000("verify", "-q").returncode in (0, 3)
        (subject,) = json.loads(world.b1000("monitor", "--json").stdout)["subjects"]
        return subject["verdict"], "; ".join(each["text"] for each in subject["reasons"])

    assert world.b1000().returncode == 0
    assert judged()[0] == "OK"
    for number, verdict in (("1", "WARNING"), ("2", "CRITICAL")):
        shutil.rmtree(places[f"d{number}"] / "etc")
        said = judged()
        assert said[0] == verdict
        assert f"the newest backup is not at d{number} of client any more" in said[1]
    assert world.b1000().returncode == 0
    assert judged()[0] == "OK"
