"""What a restore takes from a daemon, against bare rsync; with the comparison, and without.

Both read the same backup from the same daemon, in pairs, with what is read in the page cache.
TMPDIR says on which file system all that lies.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from bench import measure
from bench.measure import Result, Side, Taken
from bench.site import Site, check, tree_a

_FILES = int(os.environ.get("B1000_BENCH_FILES", "50000"))
_FEW = 100
_ROUNDS = int(os.environ.get("B1000_BENCH_ROUNDS", "9"))
_ROUNDS_OF_FEW = 3 * _ROUNDS
_UNVERIFIED = 3
_TARGET = 1.05


def restore(site: Site) -> list[Result]:
    """Time of tree A (``B1000_BENCH_FILES``: of fewer files), and of one that is there at once."""
    few, many = _Backup(site, "few", _FEW), _Backup(site, "many", _FILES)
    return [
        # What a restore takes beside its rsync, whatever it restores.
        few.asked("", "rsync -a", few.unverified, few.bare),
        many.asked("", "rsync -a", many.unverified, many.bare, _TARGET),
        many.asked(", compared", "and rsync -n --checksum", many.compared, many.bare_compared),
    ]


class _Backup:
    """One at the daemon of a site."""

    def __init__(self, site: Site, name: str, files: int) -> None:
        self._site, self._name, self._files = site, name, files
        self._sections = {
            "dest:store": site.store(name),
            "job:j": site.push(tree_a(site.fresh(name), files)),
        }
        self._home = site.fresh("home")
        site.b1000(self._sections, home=self._home)
        (kept,) = site.stored.glob(f"{name}/j/*/*/")
        self._address = f"{site.daemon.url('b1000')}/{kept.relative_to(site.stored)}/"

    def asked(
        self, what: str, rival: str, ours: Side, theirs: Side, target: float | None = None
    ) -> Result:
        rounds = _ROUNDS_OF_FEW if self._files == _FEW else _ROUNDS
        one, other = measure.pairs(ours, theirs, rounds)
        question = f"restore of {self._files} files{what}"
        return measure.compare(
            question, rival, measure.walls(one), measure.walls(other), "s", target
        )

    def unverified(self, number: int) -> Taken:
        return self._ours(number, _UNVERIFIED, "--no-verify")

    def compared(self, number: int) -> Taken:
        return self._ours(number, 0)

    def _ours(self, number: int, code: int, *more: str) -> Taken:
        with self._target("ours", number) as to:
            words = ("restore", "j", "--to", to, *more)
            command = self._site.command(self._sections, words, self._home)
            return measure.run(*command, accepted=(code,))

    def bare(self, number: int) -> Taken:
        with self._target("bare", number) as to:
            return self._rsync(to)

    def bare_compared(self, number: int) -> Taken:
        with self._target("bare", number) as to:
            first, then = self._rsync(to), self._rsync(to, "--dry-run", "--checksum")
            return Taken(first.wall + then.wall, first.cpu + then.cpu)

    def _rsync(self, to: str, *more: str) -> Taken:
        options = ("-a", "--numeric-ids", "--sockopts=TCP_NODELAY")
        return measure.run(["rsync", *options, *more, self._address, to])

    @contextmanager
    def _target(self, whose: str, number: int) -> Iterator[str]:
        """A directory that is not there. What came is counted, and goes at once: what the system
        does then for its memory is done before the next side begins.
        """
        to = self._site.directory / f"to-{self._name}-{whose}-{number}"
        yield str(to)
        check(to, self._files)
        shutil.rmtree(to)
