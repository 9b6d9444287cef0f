"""What a long history costs: status, and one more transition."""

import sys
import time
from pathlib import Path

from b1000.identity import myself
from b1000.runs.events import Resolved, RunMoved
from b1000.runs.run import Copy as CopyOf
from b1000.runs.run import Snapshot
from b1000.runs.states import Step
from b1000.state.journal import Journal
from bench import measure
from bench.measure import Result, Taken
from bench.site import ROOT, Site
from tests.support import build

_SUBJECTS = 1000
_FEW, _MANY = 1, 200  # runs of each job/instance; each has five transitions
_ROUNDS = 9


def status(site: Site) -> list[Result]:
    """``b1000 status`` with 1,000 job/instances: a million transitions against some thousand."""
    sides = []
    for runs in (_MANY, _FEW):
        home = site.fresh(f"history{runs}")
        argv, _ = site.command(
            {
                "dest:store": site.store("nothing"),
                "job:j": site.push(home, instances=" ".join(_names())),
            },
            ("status", "--json"),
            home,
        )
        journal = home / "status" / "journal.sqlite3"
        journal.parent.mkdir()
        _fill(journal, runs)
        sides.append(argv)

    def shown(argv: list[str]) -> Taken:
        return measure.run(argv, {"PYTHONPATH": str(ROOT)})

    mine, theirs = measure.pairs(lambda _: shown(sides[0]), lambda _: shown(sides[1]), _ROUNDS)
    return [
        measure.compare(
            f"status, {_SUBJECTS * _MANY * 5:,} transitions",
            f"the same with {_SUBJECTS * _FEW * 5:,}",
            [each * 1000 for each in measure.walls(mine)],
            [each * 1000 for each in measure.walls(theirs)],
            "ms",
            1.3,
        )
    ]


def transition(site: Site) -> list[Result]:
    """One durable transition behind a long history, against the same at the beginning."""
    found: list[list[float]] = []
    journals = []
    for runs in (_MANY * 4, _FEW):
        path = site.fresh(f"transition{runs}") / "journal.sqlite3"
        _fill(path, runs)
        journals.append(Journal(path))
        found.append([])
    for _ in range(_ROUNDS):
        for journal, taken in zip(journals, found, strict=True):
            taken.append(_cost(journal))
    return [
        measure.compare(
            f"transition behind {_SUBJECTS * _MANY * 4:,} runs",
            f"behind {_SUBJECTS * _FEW:,}",
            [each * 1000 for each in found[0]],
            [each * 1000 for each in found[1]],
            "ms",
            1.1,
        )
    ]


def _names() -> list[str]:
    return [f"i{number:04}" for number in range(_SUBJECTS)]


def _cost(journal: Journal, count: int = 200) -> float:
    """Seconds of one commit with one transition."""
    with journal.transaction():
        run = journal.begin_run(
            "j",
            "i0000",
            "client",
            direction="push",
            kind="full",
            reports=("main",),
            supervisor=myself(),
        )
    began = time.perf_counter()
    for _ in range(count):
        with journal.transaction():
            build.record(journal, run, RunMoved(time.time(), Step.INIT, run.status))
            journal.record_delivered("main", run.run_id, 2**62)
    taken = time.perf_counter() - began
    with journal.transaction():
        build.record(journal, run, RunMoved(time.time(), Step.COPYING, run.status))
        build.record(journal, run, RunMoved(time.time(), Step.DONE, run.status))
    return taken / count


def _fill(path: Path, runs: int) -> None:
    """So many runs of each job/instance, a day apart, delivered and DONE."""
    start = time.time() - runs * 86400
    moment = start
    journal = Journal(path, lambda: moment)
    me = myself()
    for number in range(runs):
        moment = start + number * 86400
        with journal.transaction():
            for name in _names():
                run = journal.begin_run(
                    "j",
                    name,
                    "client",
                    direction="push",
                    kind="full",
                    reports=("main",),
                    supervisor=me,
                )
                copies = (CopyOf("store", f"/store/{name}/{run.start_time}"),)
                for message in (
                    Resolved(moment, Snapshot(), copies),
                    RunMoved(moment, Step.PRE, run.status),
                    RunMoved(moment, Step.COPYING, run.status),
                    RunMoved(moment, Step.DONE, run.status),
                ):
                    build.record(journal, run, message)
                journal.record_delivered("main", run.run_id, 2**62)
    journal.close()


if __name__ == "__main__":
    _fill(Path(sys.argv[1]), int(sys.argv[2]))
