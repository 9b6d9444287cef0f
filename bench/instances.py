"""Many small instances to a daemon, against rsync started by xargs."""

import itertools
import os
from functools import partial
from pathlib import Path

from bench import measure
from bench.measure import Result, Taken
from bench.site import Site, tree_c

_COUNT = int(os.environ.get("B1000_BENCH_INSTANCES", "1000"))
_AT_ONCE, _ROUNDS = 4, 3


def instances(site: Site) -> list[Result]:
    """Rates and processor time of 1,000 instances (``B1000_BENCH_INSTANCES``: of fewer)."""
    source = site.fresh("instances")
    names = tree_c(source, _COUNT)
    listed = source.with_name(f"{source.name}.list")
    listed.write_text("\n".join(names))

    stores = (f"ours{number}" for number in itertools.count())

    def ours(_: int) -> Taken:
        return site.b1000(
            {
                "global": {"workers": _AT_ONCE},
                "dest:store": site.store(next(stores)),
                "job:j": site.push(
                    source, instances=" ".join(names), include=f"{source}/$instance/"
                ),
            }
        )

    def xargs(options: tuple[str, ...], number: int) -> Taken:
        words = ("rsync", "-a", "--mkpath", *options, f"{source}/{{}}/")
        target = (
            f"{site.daemon.url('b1000')}/{'-'.join(('xargs', *options)).replace('=', '')}{number}"
        )
        return measure.run(
            ["xargs", "-a", str(listed), "-P", str(_AT_ONCE), "-I", "{}", *words, f"{target}/{{}}/"]
        )

    found = []
    rivals: tuple[tuple[str, tuple[str, ...], float], ...] = (
        ("xargs -P 4 rsync", (), 4.0),
        ("xargs -P 4 rsync, TCP_NODELAY", ("--sockopts=TCP_NODELAY",), 0.58),
    )
    for rival, options, target in rivals:
        mine, theirs = measure.pairs(ours, partial(xargs, options), _ROUNDS)
        found.append(
            measure.compare(
                "instances: rate",
                rival,
                [_COUNT / each for each in measure.walls(mine)],
                [_COUNT / each for each in measure.walls(theirs)],
                "/s",
                target,
                "more",
            )
        )
    beyond = [
        (one - other) / _COUNT * 1000
        for one, other in zip(measure.cpus(mine), measure.cpus(theirs), strict=True)
    ]
    found.append(
        measure.compare(
            "instances: CPU beyond rsync",
            "5.5 ms for each instance",
            beyond,
            [5.5] * len(beyond),
            "ms",
            1.0,
        )
    )
    check(site.stored, names)
    return found


def check(stored: Path, names: list[str]) -> None:
    """Nobody is quick by doing nothing."""
    days = list(stored.glob("ours0/j/*/*/"))
    if len(days) != len(names) or len(list(days[0].iterdir())) != 5:
        raise RuntimeError(f"{len(days)} directories of {len(names)} are there")
