"""``b1000 monitor`` of a fleet with a year of daily runs. ``plans`` tells how each query is run.

``python -m bench.monitor`` writes monitor.md, beside this file, anew.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import measure
from bench.measure import Result
from bench.site import ROOT, Site, site
from tests.support.database import Database, is_installed, make_template, program

_SUBJECTS, _DAYS = 10_000, 300
_ROUNDS = 5
_MIB = 2**20
_HOST, _HOST_EXIT = "host0077.example.org", 1

# Of 10 subjects of a host six are its own, and four are instances of the master it replicates.
# One run in a hundred fails at one of its two destinations; of 20 hosts nothing is heard for days.
_SUBJECT = f"""
SELECT seq AS number,
    CONCAT('host', LPAD(seq DIV 10, 4, '0'), '.example.org') AS host,
    IF(seq % 10 < 2, 'etc', 'mysql') AS name,
    CASE seq % 10 WHEN 0 THEN '' WHEN 1 THEN 'x' ELSE 3300 + seq % 10 END AS instance,
    IF(seq % 10 < 6, '', CONCAT('master', seq DIV 10, '.example.org')) AS master_host,
    IF(seq % 10 < 6, '', 3300 + seq % 10) AS master_instance
FROM seq_0_to_{_SUBJECTS - 1}"""
_DAY = f"""
INSERT INTO jobs (host, name, instance, master_host, master_instance, direction, start_time,
    last_op_time, step, status, data_age, backup_type, started_utc, ended_utc, duration, bytes,
    files, attempts, error, transition)
SELECT host, name, instance, master_host, master_instance, 'push', local.start, local.start,
    IF(local.fails, 'COPYING', 'DONE'), IF(local.fails, 'FAILED', 'OK'), 0, 'full', local.utc,
    local.utc + INTERVAL 100 SECOND, 100, 1000000 + number * 300, 10, 1,
    IF(local.fails, 'copy to far: connection refused', ''), 10
FROM (
    SELECT subject.*, (number + %(day)s) %% 97 = 0 AS fails,
        NOW() - INTERVAL %(day)s DAY + INTERVAL number %% 36000 SECOND AS start,
        UTC_TIMESTAMP() - INTERVAL %(day)s DAY + INTERVAL number %% 36000 SECOND AS utc
    FROM ({_SUBJECT.replace("%", "%%")}) subject
    WHERE number >= 200 OR %(day)s > 5) local"""
_COPIES = """
INSERT INTO copies (job_id, destination, type, path, status, last_op_time, copy_started_utc,
    copy_ended_utc, copy_duration, copy_bytes, copy_files, sent, copy_attempts, exit_code,
    copy_error, copy_transition)
SELECT job_id, %(destination)s, 'active',
    CONCAT('rsync://', %(destination)s, '/b1000/', name, '/', host, '-', start_time),
    IF(status = 'FAILED' AND %(destination)s = 'far', 'FAILED', 'DONE'), last_op_time,
    started_utc, ended_utc, duration, bytes, files, bytes, 1, 0, '', 10
FROM jobs WHERE job_id >= %(first)s"""

# Each index is read where the last good run of a subject stands, and nowhere else.
_LAST_GOOD = """
SELECT COALESCE(NULLIF(j.master_host, ''), j.host) AS host, j.name,
    COALESCE(NULLIF(j.master_instance, ''), j.instance) AS instance, MAX(j.started_utc)
FROM (
    SELECT (
        SELECT j.job_id FROM jobs j
        WHERE j.host = t.host AND j.name = t.name AND j.instance = t.instance
        AND EXISTS (SELECT 1 FROM copies c WHERE c.job_id = j.job_id AND c.status = 'DONE')
        ORDER BY j.start_time DESC LIMIT 1) AS job_id
    FROM (SELECT DISTINCT host, name, instance FROM jobs) t) last
JOIN jobs j ON j.job_id = last.job_id
GROUP BY 1, 2, 3"""


class _Fleet:
    """A server with the rows of a fleet, and a configuration that names it."""

    def __init__(self, site: Site) -> None:
        template = make_template(site.fresh("mariadb") / "template")
        self.server = Database(site.fresh("mariadb"), template, "--innodb-buffer-pool-size=1G")
        self.server.start("--innodb-flush-log-at-trx-commit=0", "--innodb-log-file-size=256M")
        self.server.create_database("b")
        self._fill()
        self._home = site.fresh("monitor")
        central = {
            "type": "mysql",
            "server": self.server.socket,
            "db": "b",
            "user": "root",
            "password": "",
        }
        self._argv, self._environment = site.command(
            {"report:central": central, "report:one": {**central, "db": "one"}},
            ("monitor",),
            self._home,
        )

    def _fill(self) -> None:
        with self.server.connect("b") as connection, connection.cursor() as cursor:
            for day in range(_DAYS, 0, -1):
                cursor.execute(_DAY, {"day": day})
                first = cursor.lastrowid
                for destination in ("near", "far"):
                    cursor.execute(_COPIES, {"destination": destination, "first": first})
            cursor.execute("ANALYZE TABLE jobs, copies")
        self._leave_alone(_HOST)

    def _leave_alone(self, host: str) -> None:
        """A second database, with the rows of one host and of no other."""
        self.server.create_database("one")
        with self.server.connect("one") as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO jobs SELECT * FROM b.jobs WHERE host = %s", host)
            cursor.execute("INSERT INTO copies SELECT c.* FROM jobs JOIN b.copies c USING (job_id)")
            cursor.execute("ANALYZE TABLE jobs, copies")

    def ours(self, *words: str, report: str = "central", exit_code: int = 2) -> tuple[float, float]:
        """Seconds, and MiB at most, of ``b1000 monitor``."""
        argv = [*self._argv, "--report", report, *words]
        began = time.perf_counter()
        with (self._home / "told").open("wb") as told:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=told,
                env={**os.environ, **self._environment},
            )
            _, status, usage = os.wait4(process.pid, 0)
        taken = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != exit_code:
            raise RuntimeError(f"{exit_code} was to be said, not {process.returncode}")
        return taken, usage.ru_maxrss * 1024 / _MIB

    def theirs(self) -> float:
        """Seconds of the bare statement, in MariaDB's own client."""
        client = [program("mariadb"), "--no-defaults", f"--socket={self.server.socket}", "-uroot"]
        return measure.run([*client, "--batch", "--execute", _LAST_GOOD, "b"]).wall

    def page(self) -> Path:
        """Where the page may be written."""
        return self._home / "index.html"


def monitor(site: Site) -> list[Result]:
    """Time and memory of ``--json``, time of one host and of the page, with 10,000 subjects."""
    if not is_installed():
        print("monitor: MariaDB is not installed; left out", flush=True)
        return []
    fleet = _Fleet(site)
    try:
        ours, theirs, pages, hosts, alone = [], [], [], [], []
        most = 0.0
        for number in range(_ROUNDS + 1):
            taken, memory = fleet.ours("--json")
            bare = fleet.theirs()
            page, _ = fleet.ours("--html", str(fleet.page()))
            host, _ = fleet.ours("--json", "--host", _HOST, exit_code=_HOST_EXIT)
            its, _ = fleet.ours("--json", report="one", exit_code=_HOST_EXIT)
            most = max(most, memory)
            if number:
                ours.append(taken)
                theirs.append(bare)
                pages.append(page)
                hosts.append(host)
                alone.append(its)
        (rows,) = fleet.server.query("SELECT COUNT(*) AS runs FROM jobs", "b")
        size = f"{fleet.page().stat().st_size / _MIB:.1f} MiB"
    finally:
        fleet.server.close()
    name = f"{_SUBJECTS:,} subjects, {rows['runs']:,} runs"
    return [
        measure.compare(
            "monitor --json", "the last good run of each in SQL", ours, theirs, "s", 12.0, note=name
        ),
        Result("monitor --json: memory", "300 MiB", most, 300.0, "MiB", 0.0, 1.0),
        measure.compare(
            "monitor --host", "a database of that host alone", hosts, alone, "s", 1.5, note=_HOST
        ),
        measure.compare("monitor --html", "the same", pages, theirs, "s", note=f"a page of {size}"),
    ]


# --- how the server runs the queries

_ENTRY = re.compile(r"^# Time:|^# User@Host:", re.MULTILINE)


def plans(fleet: _Fleet) -> Iterator[tuple[str, Sequence[str], int]]:
    """Each kind of statement that a page needs, the plan that it was run by, how often it was."""
    log = fleet.server.directory / "slow"
    settings = (
        f"slow_query_log_file = '{log}'",
        "log_slow_verbosity = 'query_plan,explain'",
        "long_query_time = 0",
        "slow_query_log = 1",
    )
    for setting in settings:
        fleet.server.query(f"SET GLOBAL {setting}")
    fleet.ours("--json", "--html", str(fleet.page()))
    fleet.server.query("SET GLOBAL slow_query_log = 0")
    kinds: dict[str, tuple[str, list[str], int]] = {}
    for entry in _ENTRY.split(log.read_text("utf-8", "replace")):
        plan = [line[len("# explain: ") :] for line in entry.split("\n") if "# explain:" in line]
        told = " ".join(line for line in entry.split("\n") if line and line[0] != "#")
        statement = re.search(r"\(?SELECT .*", told)
        text = _shortened(statement[0].rstrip(";")) if statement else ""
        if not plan or not text or "SET GLOBAL" in text:
            continue
        kind = re.sub(r"[0-9]+", "", text)
        first = kinds.get(kind, (text, plan, 0))
        kinds[kind] = (first[0], first[1], first[2] + 1)
    yield from kinds.values()


def _shortened(statement: str) -> str:
    """Lists of numbers and repeated parts of a union told by their first."""
    text = statement.replace("\x1f", "|").replace("\x1e", "$")
    text = re.sub(r"IN \((\d+)(, \d+)+\)", r"IN (\1, ...)", text)
    first, union, _ = text.partition(" UNION ALL ")
    return first + (" UNION ALL ..." if union else "")


def _document(fleet: _Fleet) -> Iterator[str]:
    yield "# How MariaDB runs the queries of `b1000 monitor`"
    yield ""
    (version,) = fleet.server.query("SELECT VERSION() AS version")
    (rows,) = fleet.server.query("SELECT COUNT(*) AS runs FROM jobs", "b")
    yield (
        f"MariaDB {version['version']}, {_SUBJECTS:,} subjects, {rows['runs']:,} runs with two "
        "copies each, for `--json --html FILE`."
    )
    yield "From the server's own log, by `python -m bench.monitor`."
    yield "`|` and `$` stand for the control characters between fields and after rows."
    for statement, plan, times in plans(fleet):
        yield ""
        yield f"## {times} times" if times > 1 else "## once"
        yield ""
        yield "```"
        yield statement
        yield ""
        yield from plan[:6]
        if len(plan) > 6:
            yield f"... and {len(plan) - 6} lines of the same kind"
        yield "```"


if __name__ == "__main__":
    with site() as place:
        known = _Fleet(place)
        try:
            lines = list(_document(known))
        finally:
            known.server.close()
    (ROOT / "bench" / "monitor.md").write_text("\n".join(lines) + "\n")
    sys.exit(0)
