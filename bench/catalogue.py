"""How quickly it is known what lies at a storage: a tree of many backups with their marks."""

import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

from b1000.b1k import mark
from b1000.b1k.mark import Counts
from bench import measure
from bench.measure import Result, Taken
from bench.site import ROOT, Site
from tests.support.stored import a_mark

_HOSTS, _DAYS = 500, 200
BACKUPS = _HOSTS * _DAYS
_FIRST = datetime(2026, 1, 1, 1, 0, 0)
_ROUNDS = 5

_PROGRAM = """
import gc, resource, sys
gc.disable()  # as b1000 list does
from b1000.storage import catalogue, local
(root,) = local.roots("store", sys.argv[1])
found = catalogue.build(root, local.entries(root))
assert sum(len(group.backups) for group in found.groups) == found.marks == int(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def catalogue(site: Site) -> list[Result]:
    """The catalogue of 100,000 backups, against `find` with `cat` of each mark."""
    root = tree(site.fresh("stored"))
    argv = [sys.executable, "-c", _PROGRAM, str(root), str(BACKUPS)]
    environment = {"PYTHONPATH": str(ROOT)}

    def ours(_: int) -> Taken:
        return measure.run(argv, environment)

    def theirs(_: int) -> Taken:
        return measure.run(["find", str(root), "-name", "*.b1k", "-exec", "cat", "{}", "+"])

    taken, bare = measure.pairs(ours, theirs, _ROUNDS)
    name = f"catalogue of {BACKUPS:,} backups"
    kibibytes = float(subprocess.check_output(argv, env={**os.environ, **environment}))
    return [
        measure.compare(name, "find, cat", measure.walls(taken), measure.walls(bare), "s", 2),
        Result("its memory", "150 MiB", kibibytes / 1024, 150, "MiB", 0, 1),
    ]


def tree(root: Path) -> Path:
    """Fulls of many hosts, night after night, each with what a client says of it."""
    for host in range(_HOSTS):
        for day in range(_DAYS):
            when = _FIRST + timedelta(days=day, seconds=host)
            counts = Counts(1000 + day, 50, 3, 0, 123456789 + day, 0)
            written = a_mark(host=f"web{host}.example.com", when=when, counts=counts)
            directory = root / written.directory
            directory.mkdir(parents=True)
            (target,) = written.report.targets
            report = written.report._replace(targets=(target._replace(path=str(directory)),))
            whole = written._replace(report=report, include="/etc/", options=("acls",))
            Path(f"{directory}.b1k").write_text(mark.render(whole))
    return root
