"""Thinning out a storage: how quickly files go, and how quickly it is decided which."""

import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

from bench import measure
from bench.measure import Result, Taken
from bench.site import ROOT, Site
from tests.support.stored import a_mark, identify, put

_BACKUPS, _FILES = 200, 500
_DECIDED = 100_000
_DAY = timedelta(days=1)


def prune(site: Site) -> list[Result]:
    """All backups of a group but one, against `rm -rf` of as many."""
    ours, theirs = measure.pairs(lambda _: _ours(site), lambda _: _theirs(site), 3)
    name = f"{_BACKUPS} backups of {_FILES} files pruned"
    return [
        measure.compare(name, "rm -rf", measure.walls(ours), measure.walls(theirs), "s", 1.2),
        *_deciding(),
    ]


def _tree(root: Path) -> list[Path]:
    """Fulls of which each has half of its files in common with the last one."""
    newest = datetime.now().replace(microsecond=0) - _DAY
    identify(root, newest - 1000 * _DAY)
    made: list[Path] = []
    for ago in range(_BACKUPS, -1, -1):
        path = put(root, a_mark(when=newest - ago * _DAY))
        for number in range(_FILES):
            if made and number % 2:
                os.link(made[-1] / f"{number}", path / f"{number}")
            else:
                (path / f"{number}").write_bytes(b"content")
        made.append(path)
    return made


def _ours(site: Site) -> Taken:
    root = site.fresh("pruned")
    made = _tree(root)
    options = {"keep": "last 1", "keep_least": 1, "prune_most": "100 %"}
    taken = site.b1000({"dest:kept": {"type": "store", "path": root, **options}}, ("prune", "-q"))
    if sum(path.exists() for path in made) != 1:
        raise RuntimeError("one backup was to be left")
    return taken


def _theirs(site: Site) -> Taken:
    made = _tree(site.fresh("removed"))
    return measure.run(["rm", "-rf", "--", *map(str, made[:-1])])


_PROGRAM = """
import sys, time, resource
from datetime import datetime, timedelta
from b1000.jobs import Destination
from b1000 import keep
from b1000.storage.backup import Backup, Catalogue, Group, GroupKey, Root, State
from b1000.prune.pruning import Wish, plan
from b1000.prune import pruner
first = datetime(2020, 1, 1)
groups = []
for host in range({groups}):
    backups = tuple(
        Backup(f"etc/x/{{host}}-{{day}}", "full", State.COMPLETE,
               f"{{first + timedelta(days=day):%Y-%m-%d-%H-%M-%S}}")
        for day in range(1000)
    )
    groups.append(Group(GroupKey("/srv", "", "etc", f"host{{host}}"), backups))
root = Root("kept", "/srv")
catalogue = Catalogue(root, tuple(groups), 1)
lines = keep.parse("all 7d, daily 5w, monthly 13m, yearly 5y")
destination = Destination("kept", "/srv", keep=lines)
began = time.process_time()
now = datetime(2026, 11, 22)
found = plan(destination, [catalogue], now, Wish(more=True), None)
assert sum(len(each.verdict.decisions) for each in found.groups) == {decided}
print(time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _deciding() -> list[Result]:
    program = _PROGRAM.format(groups=_DECIDED // 1000, decided=_DECIDED)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    seconds, kibibytes = map(float, done.stdout.split())
    name = f"{_DECIDED:,} backups decided"
    return [
        Result(name, "10 s", seconds, 10, "s", 0, 1),
        Result("their memory, catalogue and all", "150 MiB", kibibytes / 1024, 150, "MiB", 0, 1),
    ]
