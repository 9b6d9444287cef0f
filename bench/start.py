"""What a run costs that has nothing to do."""

import sys

from bench import measure
from bench.measure import Result, Taken
from bench.site import Site

_ROUNDS = 15


def fixed_cost(site: Site) -> list[Result]:
    """One run of one job with nothing to copy, beyond rsync's own time."""
    source = site.fresh("one")
    (source / "file").write_text("content\n")
    home = site.fresh("home")

    def ours(_: int) -> Taken:
        return site.b1000(
            {"dest:store": site.store("idle"), "job:j": site.push(source, type="sync")}, home=home
        )

    def rsync(_: int) -> Taken:
        target = f"{site.daemon.url('b1000')}/idle/j/client/"
        return measure.run(
            ["rsync", "-a", "--mkpath", "--sockopts=TCP_NODELAY", f"{source}/", target]
        )

    mine, theirs = measure.pairs(ours, rsync, _ROUNDS)
    beyond = [
        (one - other) * 1000
        for one, other in zip(measure.walls(mine), measure.walls(theirs), strict=True)
    ]
    return [
        measure.compare("start: beyond rsync", "120 ms", beyond, [120.0] * len(beyond), "ms", 1.0)
    ]


def version(_: Site) -> list[Result]:
    """``b1000 -v`` against Python that does nothing."""
    mine, theirs = measure.pairs(
        lambda _: measure.run([sys.executable, "-m", "b1000", "-v"]),
        lambda _: measure.run([sys.executable, "-c", "pass"]),
        _ROUNDS,
    )
    return [
        measure.compare(
            "b1000 -v",
            "python -c pass",
            [each * 1000 for each in measure.walls(mine)],
            [each * 1000 for each in measure.walls(theirs)],
            "ms",
            2.0,
        )
    ]
