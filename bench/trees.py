"""Whole trees: the first backup, against bare rsync."""

import shutil

from bench import measure
from bench.measure import Result, Taken
from bench.site import Site, check, tree_a, tree_b

_ROUNDS = 9


def first_full(site: Site) -> list[Result]:
    """The first full of many small and of a few large files, one stream."""
    found = []
    for name, source, files in (
        ("A", tree_a(site.fresh("a")), 50_000),
        ("B", tree_b(site.fresh("b") / "large"), 4),
    ):

        def ours(number: int, name: str = name, source: object = source) -> Taken:
            _forget(site, f"first{name}{number - 1}")
            return site.b1000(
                {"dest:store": site.store(f"first{name}{number}"), "job:j": site.push(source)}  # type: ignore[arg-type]
            )

        def rsync(number: int, name: str = name, source: object = source) -> Taken:
            _forget(site, f"bare{name}{number - 1}")
            target = f"{site.daemon.url('b1000')}/bare{name}{number}/"
            return measure.run(
                ["rsync", "-a", "--mkpath", "--sockopts=TCP_NODELAY", f"{source}/", target]
            )

        mine, theirs = measure.pairs(ours, rsync, _ROUNDS)
        (made,) = site.stored.glob(f"first{name}{_ROUNDS}/j/*/*/")
        check(made, files)
        found.append(
            measure.compare(
                f"first full of {name}",
                "rsync -a",
                measure.walls(mine),
                measure.walls(theirs),
                "s",
                1.05,
            )
        )
    return found


def _forget(site: Site, below: str) -> None:
    """Make room: all rounds of B would take 18 GiB, which may be memory."""
    shutil.rmtree(site.stored / below, ignore_errors=True)
