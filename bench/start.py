"""What a run costs that has nothing to do."""

import sys
import time
from pathlib import Path

from bench import measure
from bench.measure import Result, Taken
from bench.site import Site

_ROUNDS = 15


def fixed_cost(site: Site) -> list[Result]:
    """One run of one job with nothing to copy, beyond rsync's own time."""
    source, home = _one_file(site), site.fresh("home")

    def rsync(_: int) -> Taken:
        target = f"{site.daemon.url('b1000')}/sync/j/client/"
        return measure.run(
            ["rsync", "-a", "--mkpath", "--sockopts=TCP_NODELAY", f"{source}/", target]
        )

    mine, theirs = measure.pairs(lambda _: _run(site, source, home, "sync"), rsync, _ROUNDS)
    return [
        _beyond("start: beyond rsync", measure.walls(mine), measure.walls(theirs), 120.0),
        _beyond("start: CPU beyond rsync", measure.cpus(mine), measure.cpus(theirs), 120.0),
    ]


def _beyond(question: str, mine: list[float], theirs: list[float], limit: float) -> Result:
    """The milliseconds that ours took longer, against a limit."""
    beyond = [(one - other) * 1000 for one, other in zip(mine, theirs, strict=True)]
    return measure.compare(question, f"{limit:.0f} ms", beyond, [limit] * len(beyond), "ms", 1.0)


def claim(site: Site) -> list[Result]:
    """A full that claims its directory by a connection of its own, against a sync.

    That is so where backups do not bear the machine's own name.
    """
    source = _one_file(site)
    homes = {kind: site.fresh("home") for kind in ("full", "sync")}
    full, sync = measure.pairs(
        lambda _: _run(site, source, homes["full"], "full", "client"),
        lambda _: _run(site, source, homes["sync"], "sync"),
        _ROUNDS,
    )
    return [
        measure.compare(
            question, "a sync", _milliseconds(which(full)), _milliseconds(which(sync)), "ms"
        )
        for question, which in (("claim: a full", measure.walls), ("its CPU", measure.cpus))
    ]


def _milliseconds(seconds: list[float]) -> list[float]:
    return [each * 1000 for each in seconds]


def _one_file(site: Site) -> Path:
    source = site.fresh("one")
    (source / "file").write_text("content\n")
    return source


def _run(site: Site, source: Path, home: Path, kind: str, host: str = "") -> Taken:
    # Of two runs in one second the later waits for the next, which is no work.
    time.sleep(1 - time.time() % 1)
    job = site.push(source, type=kind)
    named: dict[str, object] = {"host": host} if host else {}
    sections = {"global": named, "dest:store": site.store(kind), "job:j": job}
    return site.b1000(sections, home=home)


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
            _milliseconds(measure.walls(mine)),
            _milliseconds(measure.walls(theirs)),
            "ms",
            2.0,
        )
    ]
