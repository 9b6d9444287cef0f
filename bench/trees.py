"""Whole trees: the first backup, against bare rsync."""

from bench import measure
from bench.measure import Result, Taken
from bench.site import Site, check, tree_a, tree_b

_ROUNDS = 3


def first_full(site: Site) -> list[Result]:
    """The first full of many small and of a few large files, one stream."""
    found = []
    for name, source, files in (
        ("A", tree_a(site.fresh("a")), 50_000),
        ("B", tree_b(site.fresh("b") / "large"), 4),
    ):

        def ours(number: int, name: str = name, source: object = source) -> Taken:
            return site.b1000(
                {"dest:store": site.store(f"first{name}{number}"), "job:j": site.push(source)}  # type: ignore[arg-type]
            )

        def rsync(number: int, name: str = name, source: object = source) -> Taken:
            target = f"{site.daemon.url('b1000')}/bare{name}{number}/"
            return measure.run(
                ["rsync", "-a", "--mkpath", "--sockopts=TCP_NODELAY", f"{source}/", target]
            )

        mine, theirs = measure.pairs(ours, rsync, _ROUNDS)
        (made,) = site.stored.glob(f"first{name}1/j/*/*")
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
