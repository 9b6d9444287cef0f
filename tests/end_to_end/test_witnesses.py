"""List, database, monitor and page agree on what was counted, read and restored, in all cases."""

import itertools
import json
import re
import time
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from b1000.b1k import mark
from b1000.runs.stored import Memory
from b1000.state.journal import Journal
from tests.support.rows import Rows
from tests.support.stored import a_mark, identify, put
from tests.support.world import World, open_sqlite

NIGHT = (datetime.now() - timedelta(days=1)).replace(hour=1, minute=17, second=1, microsecond=0)


class Case(NamedTuple):
    """What is known of the one backup of a host; ``stale``: a sync has written there since."""

    state: str
    counted: bool
    read: bool
    restored: bool
    flaw: str
    kind: str = "full"
    stale: bool = False

    @property
    def good(self) -> bool:
        return self.state == "complete" and self.flaw not in ("bad", "short")

    @property
    def proven(self) -> bool:
        """Whether what was seen of it says something of what lies there now."""
        return self.good and not self.flaw and not self.stale

    def memory(self, now: float) -> Memory:
        now -= 2 * 86400.0 if self.stale else 0.0
        found = Memory(
            first_seen=now - 500,
            counted=now - 400 if self.counted else None,
            read=now - 300 if self.read else None,
            restored=now - 200 if self.restored else None,
            drilled=now - 200 if self.restored else None,
            recovery=61.5 if self.restored else None,
        )
        text = "a is wrong"
        flaws = {
            "": found,
            "bad": found._replace(bad=text),
            "short": found._replace(short=text),
            "unread": found._replace(unread=text),
        }
        return flaws[self.flaw]


CASES = [
    Case(state, counted, read, restored, flaw)
    for state in ("complete", "writing", "unfinished")
    for counted, read, restored in itertools.product((False, True), repeat=3)
    for flaw in ("", "bad", "short", "unread")
]
CASES += [
    each._replace(kind="sync", stale=stale)
    for each in CASES
    if each.state != "unfinished"  # a sync tree without a mark is of no job that is known
    for stale in (False, True)
]


def on_the_page(text: str) -> dict[str, list[Any]]:
    (found,) = re.findall(r'<script type="application/json" id="facts">(.*?)</script>', text)
    return {each[0]: each[-4:] for each in json.loads(found)["subjects"]}


def test_none_says_more_than_was_proven(world: World) -> None:
    root, now = world.root / "kept", time.time()
    identify(root, NIGHT - timedelta(days=400))
    rows = Rows(world.root / "central.sqlite3")
    store = {"type": "store", "path": root, "keep": "all ever", "report": "central"}
    world.write({"report:central": rows.section, "dest:kept": store})
    world.status_dir.mkdir()
    journal = Journal(world.status_dir / "journal.sqlite3")
    with journal.transaction():
        for number, case in enumerate(CASES):
            host = f"h{number}"
            state = mark.WRITING if case.state == "writing" else mark.COMPLETE
            if case.state == "unfinished":
                # Of a group that is known by the mark of an older one.
                put(root, a_mark(host=host, when=NIGHT - timedelta(days=1)))
            written = a_mark(host=host, when=NIGHT, kind=case.kind, state=state)
            path = put(root, written, case.state != "unfinished")
            known = case.memory(now)._asdict()
            journal.remember(str(root), str(path.relative_to(root)), known)
            rows.run(host, "etc", "", now - NIGHT.timestamp(), "kept:DONE")
    journal.close()

    world.b1000("prune", "-q")
    listed = json.loads(world.b1000("list", "--all", "--json").stdout)["backups"]
    newest = {each["host"]: each for each in listed if each["started"][:10] == f"{NIGHT:%Y-%m-%d}"}
    page = world.root / "page.html"
    told = json.loads(world.b1000("monitor", "--json", "--html", str(page)).stdout)["subjects"]
    subjects = {each["host"]: each for each in told}
    shown = on_the_page(page.read_text())
    metrics = world.b1000("monitor", "--prometheus").stdout
    with open_sqlite(world.root / "central.sqlite3") as connection:
        names = [each[1] for each in connection.execute("PRAGMA table_info(stored)")]
        stored = {
            row[names.index("path")]: dict(zip(names, row, strict=True))
            for row in connection.execute("SELECT * FROM stored")
        }

    for number, case in enumerate(CASES):
        host = f"h{number}"
        backup, subject = newest[host], subjects[host]
        row = stored[backup["path"]]
        expected = {
            "counted": case.proven and case.counted,
            "read": case.proven and case.read,
            "restored": case.proven and case.restored,
        }
        assert backup["state"] == row["state"] == case.state, case
        wrong = case.flaw in ("bad", "short")
        assert (backup["bad"], row["bad"]) == (wrong, int(wrong)), case
        for name, wanted in expected.items():
            assert (backup[name] is not None) == wanted, (case, name)
            assert (row[f"{name}_utc"] is not None) == wanted, (case, name)
        assert (subject["read"] is not None) == expected["read"], case
        if case.good or wrong:
            assert (subject["restored"] is not None) == (case.restored and not wrong), case
        kept = int(case.good) + (case.state == "unfinished")
        assert subject["kept"] == kept, case
        on_page = shown[host]
        assert on_page[0] == kept, case
        assert (on_page[1] is not None) == expected["read"], case
        assert (on_page[2] is None) == (subject["restored"] is None), case
        label = f'{{backup_host="{host}",backup_instance="",backup_job="etc"}}'
        assert (f"b1000_backup_read_timestamp_seconds{label}" in metrics) == expected["read"], case
        restored = f"b1000_backup_restored_timestamp_seconds{label}" in metrics
        assert restored == (subject["restored"] is not None), case
        assert f"b1000_backup_kept{label} {float(kept)}" in metrics, case
        found = {each["code"] for each in subject["reasons"]}
        if case.state == "complete":
            assert ("bad" in found) == wrong, (case, found)
            assert ("unreadable" in found) == (case.flaw == "unread"), case
