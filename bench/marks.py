"""What marks cost: many small instances to a daemon, with and without them."""

import itertools
import os

from bench import measure
from bench.measure import Result, Taken
from bench.site import Site, tree_c

_COUNT = int(os.environ.get("B1000_BENCH_INSTANCES", "1000"))
_AT_ONCE, _ROUNDS = 4, 3


def marks(site: Site) -> list[Result]:
    """Time and processor time of 1,000 instances (``B1000_BENCH_INSTANCES``: of fewer)."""
    source = site.fresh("marked")
    names = tree_c(source, _COUNT)
    stores = itertools.count()

    def backed_up(mark: str) -> Taken:
        return site.b1000(
            {
                "global": {"workers": _AT_ONCE},
                "dest:store": site.store(f"{mark}{next(stores)}", mark=mark),
                "job:j": site.push(
                    source, instances=" ".join(names), include=f"{source}/$instance/"
                ),
            }
        )

    ours, theirs = measure.pairs(lambda _: backed_up("yes"), lambda _: backed_up("no"), _ROUNDS)
    there = len([*site.marks.glob("yes*/j/*/*.b1k")])
    if there != _COUNT * (_ROUNDS + 1) or [*site.marks.glob("no*/j/*/*.b1k")]:
        raise RuntimeError(f"{there} marks are there")
    question, rival = f"marks: {_COUNT} instances", "mark = no"
    walls = measure.walls(ours), measure.walls(theirs)
    cpus = measure.cpus(ours), measure.cpus(theirs)
    return [
        measure.compare(question, rival, walls[0], walls[1], "s", 1.02),
        measure.compare(f"{question}, CPU", rival, cpus[0], cpus[1], "s"),
    ]
