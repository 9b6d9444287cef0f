"""Several rsyncs in one tree: to a daemon, from one, and where each connection has its rate."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from b1000.state.queries import Reader
from bench import measure
from bench.measure import Result, Taken
from bench.rate import held
from bench.site import Site, check, check_a, tree_a
from tests.support.client import Client, pull
from tests.support.daemon import Daemon

_ROUNDS = 3
_RATE, _HELD_FILES = 4e6, 10_000  # bytes a second; of tree A, 85 MB
_BARE = ("rsync", "-a", "--mkpath", "--sockopts=TCP_NODELAY")


def streams(site: Site) -> list[Result]:
    """The first full of tree A with ``streams``, against one bare rsync."""
    source = tree_a(site.fresh("a"))
    found = [_pushed(site, source, "2 streams, A to a daemon", 2, 0.9)]
    if measure.installed("fpsync"):
        rival = ("fpsync -n 2", partial(_fpsync, site))
        found.append(_pushed(site, source, "2 streams, A to a daemon", 2, None, rival))
    else:
        print("streams: fpsync is not installed; left out", flush=True)
    return [*found, _pulled(site)]


def rate(site: Site) -> list[Result]:
    """A fifth of tree A with four streams, where each connection has 4 MB/s."""
    source = tree_a(site.fresh("fifth"), _HELD_FILES)
    with held(site.daemon.port, _RATE) as port:
        question = "4 streams, 4 MB/s for each"
        return [_pushed(site, source, question, 4, 0.4, port=port, files=_HELD_FILES)]


Rival = tuple[str, Callable[[str, str], Taken]]
"""Its name, and what copies a directory to an address, each with a slash at its end."""


def _fpsync(site: Site, source: str, target: str) -> Taken:
    return measure.run(["fpsync", "-n", "2", "-t", str(site.fresh("fpsync")), source, target])


_RSYNC: Rival = ("rsync -a", lambda source, target: measure.run([*_BARE, source, target]))


def _pushed(
    site: Site,
    source: Path,
    question: str,
    count: int,
    target: float | None,
    rival: Rival = _RSYNC,
    *,
    port: int | None = None,
    files: int = 50_000,
) -> Result:
    address = f"rsync://127.0.0.1:{port or site.daemon.port}/b1000"
    rival_name, copy = rival
    short = f"{count}{port or ''}{rival_name.split()[0]}"

    def ours(number: int) -> Taken:
        path = f"{address}/{short}{number}"
        store = {"type": "active", "path": path, "streams": count}
        return site.b1000({"dest:store": store, "job:j": site.push(source)})

    def bare(number: int) -> Taken:
        return copy(f"{source}/", f"{address}/bare{short}{number}/")

    mine, theirs = measure.pairs(ours, bare, _ROUNDS)
    (made,) = (each for each in site.stored.glob(f"{short}1/j/*/*") if each.is_dir())
    check(made, files)
    check(site.stored / f"bare{short}1", files)
    return measure.compare(
        question, rival_name, measure.walls(mine), measure.walls(theirs), "s", target
    )


def _pulled(site: Site) -> Result:
    """What the copy of a pull took, as the journal has it: the rest is waiting for the client."""
    daemon = Daemon(site.fresh("client") / "daemon", {"reports": "", "backup": "", "other": ""})
    client = Client(daemon.start())
    tree_a(client.backup)

    def ours(number: int) -> Taken:
        home = site.fresh("home")
        report = client.report().copying().keep_alive()
        waiting = threading.Thread(target=lambda: report.end(600))
        waiting.start()
        store = {"type": "active", "path": home / "store", "streams": 2, "min_free": 0}
        whole = site.b1000(
            {
                "global": {"host": "backup-2"},
                "dest:local": store,
                "job:system": pull(client),
            },
            home=home,
        )
        waiting.join()
        report.kill()
        report.path.unlink()
        report.notification().unlink(missing_ok=True)
        with Reader(home / "status" / "journal.sqlite3") as reader:
            run = reader.last_run("system", "")
            assert run
            (attempt,) = reader.attempts(run.run_id)
        assert attempt.ended
        (made,) = (home / "store").glob("*/*/*/")
        if number == 1:
            check_a(made)
        return Taken(attempt.ended - attempt.began, whole.cpu)

    def rsync(number: int) -> Taken:
        target = site.fresh(f"bare{number}")
        return measure.run([*_BARE, f"{daemon.url('backup')}/", f"{target}/made/"])

    try:
        mine, theirs = measure.pairs(ours, rsync, _ROUNDS)
    finally:
        client.stop()
        daemon.stop()
    return measure.compare(
        "2 streams, A pulled from a daemon",
        "rsync -a",
        measure.walls(mine),
        measure.walls(theirs),
        "s",
        0.9,
        note="the copy alone",
    )
