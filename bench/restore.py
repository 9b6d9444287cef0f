"""What a restore takes from a daemon, against bare rsync; with the comparison, and without."""

import os
import shutil

from bench import measure
from bench.measure import Result, Taken
from bench.site import Site, check, tree_a

_FILES = int(os.environ.get("B1000_BENCH_FILES", "50000"))
_ROUNDS = 3
_UNVERIFIED = 3


def restore(site: Site) -> list[Result]:
    """Time of tree A (``B1000_BENCH_FILES``: of fewer files)."""
    sections = {
        "dest:store": site.store("kept"),
        "job:j": site.push(tree_a(site.fresh("a"), _FILES)),
    }
    home = site.fresh("home")
    site.b1000(sections, home=home)
    (kept,) = site.stored.glob("kept/j/*/*/")
    address = f"{site.daemon.url('b1000')}/{kept.relative_to(site.stored)}/"
    rsync = ["rsync", "-a", "--numeric-ids", "--sockopts=TCP_NODELAY"]

    def ours(number: int, *more: str, code: int = _UNVERIFIED) -> Taken:
        to = _emptied(site, f"ours{number}")
        words = ("restore", "j", "--to", to, *more)
        taken = measure.run(*site.command(sections, words, home), accepted=(code,))
        check(site.directory / f"ours{number}", _FILES)
        return taken

    def bare(number: int) -> Taken:
        return measure.run([*rsync, address, _emptied(site, f"bare{number}")])

    def compared(number: int) -> Taken:
        first = bare(number)
        then = measure.run(
            [*rsync, "--dry-run", "--checksum", address, f"{site.directory}/bare{number}"]
        )
        return Taken(first.wall + then.wall, first.cpu + then.cpu)

    question = f"restore of {_FILES} files"
    results = []
    for name, rival, mine, theirs, target in (
        (question, "rsync -a", lambda number: ours(number, "--no-verify"), bare, 1.05),
        (
            f"{question}, compared",
            "and rsync -n --checksum",
            lambda n: ours(n, code=0),
            compared,
            None,
        ),
    ):
        one, other = measure.pairs(mine, theirs, _ROUNDS)
        walls = measure.walls(one), measure.walls(other)
        results.append(measure.compare(name, rival, *walls, "s", target))
    return results


def _emptied(site: Site, name: str) -> str:
    """A directory that is not there; that of the round before makes room."""
    for old in site.directory.glob(f"{name[:4]}[0-9-]*"):
        shutil.rmtree(old)
    return str(site.directory / name)
