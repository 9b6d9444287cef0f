"""Reading a storage: how quickly, how often each inode, and at whose cost."""

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from bench import measure
from bench.measure import Result, Taken
from bench.site import Site, tree_a, tree_b
from tests.support.stored import a_mark, identify, put

_SMALL, _LARGE, _MEBIBYTES = 20_000, 4, 128
_FULLS, _SHARED, _ROUNDS, _MANY_ROUNDS = 30, 1000, 3, 9
_UNTIL_IT_READS = 1.0  # seconds
_DAY = timedelta(days=1)
# Two processes, at the priority that verify gives itself.
_SUMS = "find . -type f -print0 | xargs -0 -n 64 -P 2 sha256sum >/dev/null"


def verify(site: Site) -> list[Result]:
    """All files of a full, against sha256sum; thirty that share all, against one; and a foreground
    rsync, beside it and alone.
    """
    return [*_sums(site), _shared(site), *_beside(site)]


def _root(site: Site, name: str, fulls: int = 1) -> tuple[Path, list[Path]]:
    root = site.fresh(name)
    newest = datetime.now().replace(microsecond=0) - _DAY
    identify(root, newest - 100 * _DAY)
    return root, [put(root, a_mark(when=newest - ago * _DAY)) for ago in range(fulls)]


def _verified(site: Site, root: Path) -> Taken:
    """Read all of it once more: the list of sums is there already."""
    argv, environment = _command(site, root)
    if not list(root.glob("*/*/*.gz")):
        measure.run(argv, environment)
    _forget(root)
    return measure.run(argv, environment)


def _command(site: Site, root: Path) -> tuple[list[str], dict[str, str]]:
    home = root.with_name(f"{root.name}-home")
    home.mkdir(exist_ok=True)
    store = {"dest:kept": {"type": "store", "path": root}}
    return site.command(store, ("verify", "--all", "-q"), home)


def _forget(tree: Path) -> None:
    """What is read comes from the disk, for whoever reads it."""
    os.sync()
    for path in tree.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def _sums(site: Site) -> list[Result]:
    small, (full,) = _root(site, "small")
    tree_a(full / "tree", _SMALL)
    large, (other,) = _root(site, "large")
    tree_b(other / "tree", _LARGE, _MEBIBYTES)
    return [
        _against_sums(site, f"{_SMALL} files of 1 to 16 KiB read", small),
        _against_sums(site, f"{_LARGE} of {_MEBIBYTES} MiB read", large),
    ]


def _against_sums(site: Site, what: str, root: Path) -> Result:
    def theirs(_: int) -> Taken:
        _forget(root)
        return measure.run(
            ["nice", "-n", "19", "ionice", "-c", "3", "sh", "-c", f"cd {root} && {_SUMS}"]
        )

    ours, rival = measure.pairs(lambda _: _verified(site, root), theirs, _ROUNDS)
    # So much in a second: 0.9 of the rival's.
    most = round(1 / 0.9, 2)
    rival_name = "xargs -P 2 sha256sum"
    return measure.compare(what, rival_name, measure.walls(ours), measure.walls(rival), "s", most)


def _shared(site: Site) -> Result:
    one, (first,) = _root(site, "one")
    many, fulls = _root(site, "many", _FULLS)
    for number in range(_SHARED):
        data = os.urandom(1 << 20)
        (first / f"{number}").write_bytes(data)
        (fulls[0] / f"{number}").write_bytes(data)
        for other in fulls[1:]:
            os.link(fulls[0] / f"{number}", other / f"{number}")
    ours, theirs = measure.pairs(
        lambda _: _verified(site, many), lambda _: _verified(site, one), _MANY_ROUNDS
    )
    name = f"{_FULLS} fulls that share {_SHARED} files of 1 MiB"
    return measure.compare(name, "one", measure.walls(ours), measure.walls(theirs), "s", 1.2)


def _beside(site: Site) -> list[Result]:
    """A foreground rsync of small files, with and without a verify beside it: of files that come
    from the disk, and of some that are in memory, where the processor decides.
    """
    root, (full,) = _root(site, "idle")
    tree_b(full / "tree", 4, 512)
    argv, environment = _command(site, root)
    measure.run(argv, environment)  # the list of sums
    from_disk = _foreground(site, root, tree_a(site.fresh("foreground") / "tree", 10_000))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        in_memory = _foreground(site, root, tree_a(Path(memory) / "tree", 10_000))
    return [
        measure.compare(
            f"a foreground rsync, {where}", "alone", beside, alone, "s", 1.1, note="10,000 files"
        )
        for where, (beside, alone) in (("from disk", from_disk), ("in memory", in_memory))
    ]


def _foreground(site: Site, root: Path, source: Path) -> tuple[list[float], list[float]]:
    """Seconds of each round with a verify beside it, and alone."""
    argv, environment = _command(site, root)

    def alone(number: int) -> Taken:
        into = source.with_name(f"copy{number}")
        if not str(source).startswith("/dev/shm"):
            _forget(source)
        try:
            return measure.run(["rsync", "-a", f"{source}/", f"{into}/"])
        finally:
            shutil.rmtree(into)

    def beside(number: int) -> Taken:
        loop = f"while :; do {shlex.join(argv)}; done"
        process = subprocess.Popen(
            ["sh", "-c", loop], env={**os.environ, **environment}, start_new_session=True
        )
        try:
            time.sleep(_UNTIL_IT_READS)
            return alone(number)
        finally:
            # Readers have sessions of their own, and end with the one for which they read.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    found = measure.pairs(beside, alone, _MANY_ROUNDS)
    return measure.walls(found[0]), measure.walls(found[1])
