"""Thinning out a storage: how quickly files go, and how quickly it is decided which."""

import os
from datetime import datetime, timedelta
from pathlib import Path

from bench import catalogue, measure
from bench.measure import Result, Taken
from bench.site import Site
from tests.support.stored import a_mark, identify, put

_BACKUPS = 200
_FILES = int(os.environ.get("B1000_BENCH_FILES", "1000000"))
_DAY = timedelta(days=1)


def prune(site: Site) -> list[Result]:
    """All backups of a group but one, against `rm -rf` of as many (``B1000_BENCH_FILES``: of fewer
    than 1,000,000 files); and a look at 100,000 backups."""
    rounds = 3 if _FILES <= 200_000 else 1
    pruned, bare = measure.pairs(
        lambda _: ours(site, tree(site)), lambda _: theirs(tree(site)), rounds
    )
    return [*compared(pruned, bare), *_deciding(site)]


def compared(pruned: list[Taken], bare: list[Taken]) -> list[Result]:
    """The time and the processor time of both."""
    name = f"{_FILES:,} files in {_BACKUPS} backups pruned"
    walls, cpus = measure.walls, measure.cpus
    return [
        measure.compare(name, "rm -rf", walls(pruned), walls(bare), "s", 1.2),
        measure.compare("its processor time", "rm -rf", cpus(pruned), cpus(bare), "s"),
    ]


def tree(site: Site) -> list[Path]:
    """Fulls of which each has half of its files in common with the last one, and one more."""
    root = site.fresh("kept")
    newest = datetime.now().replace(microsecond=0) - _DAY
    identify(root, newest - 1000 * _DAY)
    made: list[Path] = []
    for ago in range(_BACKUPS, -1, -1):
        path = put(root, a_mark(when=newest - ago * _DAY))
        for number in range(_FILES // _BACKUPS):
            if made and number % 2:
                os.link(f"{made[-1]}/{number}", f"{path}/{number}")
            else:
                with open(f"{path}/{number}", "wb", 0) as file:
                    file.write(b"content")
        made.append(path)
    return made


def ours(site: Site, made: list[Path]) -> Taken:
    """What a prune takes that keeps the last one."""
    options = {"keep": "last 1", "keep_least": 1, "prune_most": "100 %"}
    kept = {"type": "store", "path": made[0].parents[2], **options}
    taken = site.b1000({"dest:kept": kept}, ("prune", "-q"))
    if sum(path.exists() for path in made) != 1:
        raise RuntimeError("one backup was to be left")
    return taken


def theirs(made: list[Path]) -> Taken:
    """What `rm -rf` takes for as many."""
    return measure.run(["rm", "-rf", "--", *map(str, made[:-1])])


def _deciding(site: Site) -> list[Result]:
    """The whole command, from reading the marks on; the first time notes what it has seen."""
    root = catalogue.tree(site.fresh("stored"))
    identify(root, datetime(2020, 1, 1))
    keep = "all 7d, daily 5w, monthly 13m, yearly 5y"
    kept = {"dest:kept": {"type": "store", "path": root, "keep": keep}}
    home = site.fresh("home")
    # More than a quarter of each would go at once, so that all is decided and nothing goes.
    taken = [site.b1000(kept, ("prune", "-q"), home, (1,)) for _ in range(2)]
    results = []
    for time, each in zip(("the first time", "again"), taken, strict=True):
        name = f"{catalogue.BACKUPS:,} backups decided, {time}"
        results += [
            Result(name, "10 s", each.wall, 10, "s", 0, 1),
            Result("its processor time", "10 s", each.cpu, 10, "s", 0, 1),
            Result("its memory", "150 MiB", each.mebibytes, 150, "MiB", 0, 1),
        ]
    return results
