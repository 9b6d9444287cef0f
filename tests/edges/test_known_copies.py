"""What a MariaDB knows of copies whose marks are missing; of an older installation too."""

from pathlib import Path
from typing import Any

import pytest

from b1000.jobs import Report
from b1000.marks import adopting
from b1000.reports import known
from b1000.reports.expected import Terms
from b1000.runs.states import CopyStatus
from b1000.storage import layout
from b1000.storage.backup import Root
from tests.edges.test_database import ORIGINAL_TABLES
from tests.support.database import Database, Schema
from tests.support.stored import a_mark, put

ROWS = """
INSERT INTO jobs (host, name, instance, master_host, master_instance, direction, start_time,
                  last_op_time, step, status, data_age, ack)
VALUES (%(host)s, 'etc', '', '', '', 'push', %(start)s, NOW(), 'DONE', 'OK', 0, 0)
"""
COPIES = """
INSERT INTO copies (job_id, destination, type, path, status, last_op_time)
SELECT MAX(job_id), %(dest)s, %(type)s, %(path)s, %(status)s, NOW() FROM jobs
"""


@pytest.mark.parametrize("old", [False, True])
def test_what_a_database_calls_complete_is_marked(
    database: Schema, database_server: Database, tmp_path: Path, old: bool
) -> None:
    schema = database
    if old:
        schema = Schema(database_server, None)
        for statement in filter(str.strip, ORIGINAL_TABLES.split(";")):
            schema.query(statement)
    full, tree = a_mark(host="web1"), a_mark(host="web1", kind="sync")
    strange = a_mark(host="web2")

    def tell(host: str, start: str, path: str, **copy: Any) -> None:
        schema.query(ROWS, {"host": host, "start": start})
        given = {"dest": "store", "type": "active", "path": path, "status": "DONE", **copy}
        schema.query(COPIES, given)

    at = "rsync://web1@s/b1000"
    tell("web1", "2026-11-22 01:00:00", f"{at}/{full.directory}")
    tell("web1", "2026-11-20 01:00:00", f"{at}/{tree.directory}")
    tell("web1", "2026-11-21 01:00:00", f"{at}/{tree.directory}", status="WARNING")
    tell("web2", "2026-11-22 01:00:00", f"{at}/{strange.directory}", type="passive")
    tell("we b/../3", "2026-11-22 01:00:00", f"{at}/{full.directory}")

    report = Report(name="central", **schema.report())  # type: ignore[arg-type]
    places = [place for each in (full, tree, strange) if (place := layout.place(each.directory))]
    told = [*known.copies(report, "etc", places)]
    assert {each.host for each in told} == {"web1"}
    assert told[0].started == full.started
    assert [each.status for each in told if each.start_time < "2026-11-22"] == [
        CopyStatus.WARNING,
        CopyStatus.DONE,
    ]
    for each in (full, tree, strange):
        put(tmp_path, each, marked=False)
    done = adopting.adopt_told(
        Root("kept", str(tmp_path)),
        "etc",
        places,
        lambda job, some: known.copies(report, job, some),
    )
    assert [each for each in done if each.trouble] == []
    found = sorted(path.name for path in tmp_path.rglob("*.b1k"))
    assert found == sorted(f"{each.directory.rpartition('/')[2]}.b1k" for each in (full, tree))
    assert not [*known.copies(report, "other", places)]

    def expected(host: str, *jobs: str, at: str = at, pulls: bool = True) -> list[str]:
        found = known.expected_at(report, Terms(host, (at,), jobs, 0.0, pulls))
        return [each.path for each in found]

    both = [f"{at}/{each.directory}" for each in (tree, full)]
    assert expected("web1") == expected("web1", "etc", pulls=False) == both
    # Each host has a tree of its own behind the same address.
    assert expected("web2") == expected("web1", "other") == expected("web1", at="/srv") == []
    if old:
        return
    tell("db1", "2026-11-22 02:00:00", f"/srv/{full.directory}")
    schema.query("UPDATE jobs SET direction = 'passive', relayed_by = 's' WHERE host = 'db1'")
    assert expected("s", at="/srv") == [f"/srv/{full.directory}"]
    assert expected("s", at="/srv", pulls=False) == expected("db1", at="/srv") == []
