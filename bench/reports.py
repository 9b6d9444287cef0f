"""Many hosts that tell one database at once."""

import multiprocessing
import time
from collections.abc import Sequence
from pathlib import Path

import pymysql

from b1000.identity import myself
from b1000.jobs import Report
from b1000.locks import Locks
from b1000.reports.reporter import Reporter
from b1000.runs.events import Resolved, RunMoved
from b1000.runs.protocol import Deliver, Delivered
from b1000.runs.run import Copy, Snapshot
from b1000.runs.states import Step
from b1000.state.journal import Journal
from b1000.wire import pair
from bench.measure import Result
from bench.site import Site
from tests.support import build
from tests.support.database import Database, Schema, is_installed, make_template

_HOSTS, _AT_ONCE, _RUNS = 1000, 16, 5
_FORK = multiprocessing.get_context("fork")

_ONE_JOB = (
    "INSERT INTO jobs (host, name, instance, direction, start_time, last_op_time, step, status)"
    " VALUES (%s, 'etc', %s, 'push', '2026-11-22 10:11:12', NOW(), %s, 'OK')"
    " ON DUPLICATE KEY UPDATE job_id = LAST_INSERT_ID(job_id), step = VALUES(step)"
)
_ONE_COPY = (
    "INSERT INTO copies (job_id, destination, type, path, status, last_op_time)"
    " VALUES (LAST_INSERT_ID(), 'store', 'active', '/store', %s, NOW())"
    " ON DUPLICATE KEY UPDATE status = VALUES(status)"
)


def reports(site: Site) -> list[Result]:
    """Rows a second of 1,000 journals, 16 at once, against one statement for each state."""
    if not is_installed():
        print("reports: MariaDB is not installed; left out", flush=True)
        return []
    template = make_template(site.fresh("mariadb") / "template")
    server = Database(site.fresh("mariadb"), template).start()
    try:
        schema = Schema(server)
        settings = Report("main", **schema.report())  # type: ignore[arg-type]
        journals = [_journal(site, host) for host in range(_HOSTS)]
        ours = _at_once(_tell, [(settings, path) for path in journals])
        _check(schema)
        theirs = _at_once(_one_by_one, [(settings, host) for host in range(_HOSTS)])
    finally:
        server.close()
    rows = _HOSTS * _RUNS * 2
    return [
        Result(
            f"reports: {_HOSTS:,} hosts",
            "a statement for each state",
            rows / ours,
            rows / theirs,
            "/s",
            0.0,
            note="final rows of jobs and copies a second",
        )
    ]


def _journal(site: Site, host: int) -> Path:
    path = site.directory / "hosts" / f"host{host}" / "journal.sqlite3"
    path.parent.mkdir(parents=True)
    journal = Journal(path)
    with journal.transaction():
        for number in range(_RUNS):
            run = journal.begin_run(
                "etc",
                f"i{number}",
                f"host{host}",
                direction="push",
                kind="full",
                reports=("main",),
                supervisor=myself(),
            )
            for message in (
                Resolved(time.time(), Snapshot(), (Copy("store", "/store"),)),
                RunMoved(time.time(), Step.COPYING, run.status),
                RunMoved(time.time(), Step.DONE, run.status),
            ):
                build.record(journal, run, message)
    journal.close()
    return path


def _at_once(task: object, work: Sequence[tuple[object, ...]]) -> float:
    """Seconds that some processes take for all of the work."""
    began = time.perf_counter()
    with _FORK.Pool(_AT_ONCE) as pool:
        pool.starmap(task, work, chunksize=1)  # type: ignore[arg-type]
    return time.perf_counter() - began


def _tell(settings: Report, journal: Path) -> None:
    """What the reporter of one host does when its supervisor ends."""
    ours, theirs = pair()
    ours.send(Deliver(last=True))
    Reporter(settings, journal, Locks(journal.parent / "locks"), theirs).run()
    arrived = 0
    while ours.poll():
        message = ours.recv()
        arrived += len(message.states) if isinstance(message, Delivered) else 0
    if arrived != _RUNS:
        raise RuntimeError(f"{arrived} of {_RUNS} runs arrived")


def _one_by_one(settings: Report, host: int) -> None:
    """What a program does that tells each state of each run when it comes."""
    while True:
        try:
            connection = pymysql.connect(
                host=settings.server,
                port=settings.port,
                user=settings.user,
                password=settings.password,
                database=settings.db,
                autocommit=True,
            )
            break
        except pymysql.OperationalError:
            time.sleep(0.05)
    with connection, connection.cursor() as cursor:
        for number in range(_RUNS):
            for step, copy in (("INIT", "INIT"), ("COPYING", "COPYING"), ("DONE", "DONE")):
                cursor.execute(_ONE_JOB, [f"other{host}", f"i{number}", step])
                cursor.execute(_ONE_COPY, [copy])


def _check(schema: Schema) -> None:
    """Each run of each host stands there once, with its last state."""
    (found,) = schema.query(
        "SELECT count(*) AS runs, count(DISTINCT host) AS hosts FROM jobs WHERE step = 'DONE'"
    )
    if (found["runs"], found["hosts"]) != (_HOSTS * _RUNS, _HOSTS):
        raise RuntimeError(f"not all is there: {found}")
