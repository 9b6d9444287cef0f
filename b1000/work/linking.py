"""``link_dest``: into which earlier full a new one links, and how it never changes that.

rsync sets the attributes of a file that is there already in place. A file that
is a hard link into an earlier backup would change there too. So an attempt at a
full with a base never meets files that it may change: at a local destination it
begins in an empty directory, at a daemon what is there stays as it is.
"""

from collections.abc import Callable, Mapping, Sequence

from b1000.addresses import one_place
from b1000.jobs import Destination
from b1000.rsync import outcome, paths
from b1000.runs.run import Base, Bases, Copy
from b1000.work.assignment import Assignment
from b1000.work.sinks import Lines

ROTTEN = "linked into an older backup that is known to be bad"
"""Why what an attempt left is not believed."""
BAD = "left what is known to be bad"
"""The same of a sync, whose tree is that of the run before."""


def settled(
    bases: Bases,
    whose: tuple[str, str, str, str],
    copies: Sequence[Copy],
    destinations: Mapping[str, Destination],
    now: float,
) -> Mapping[str, str]:
    """Into which full of this data each copy links that is to link, by destination.

    ``whose`` is host, instance, master host and master instance. What lies at a daemon, its
    storage alone sees.
    """
    found: dict[str, str] = {}
    for copy in copies:
        destination = destinations[copy.destination]
        beside = tuple(base for base in bases.known if _stands_beside(base, copy, whose))
        base: str | None = beside[0].path if beside else None
        if destination.link_dest and not destination.remote:
            from b1000.storage import basing  # with all that is known of storages

            base = basing.choose(bases._replace(known=beside), whose, copy.path, now)
        if base:
            found[copy.destination] = base
    return found


def _stands_beside(base: Base, copy: Copy, whose: tuple[str, str, str, str]) -> bool:
    same = (base.destination, *base.whose) == (copy.destination, *whose)
    return same and paths.between(copy.path, base.path) is not None


def distrust(bad: frozenset[str], destination: Destination, path: str, base: str | None) -> str:
    """Why what lies in the directory of a copy that began before is not believed, or "".

    What a quarantine has set aside is sent again by itself; a daemon's tree it does not reach.
    """
    if one_place(path) in bad:
        return BAD if destination.remote or not destination.quarantine else ""
    return ROTTEN if base and one_place(base) in bad else ""


class Linking:
    """The base of one copy; ``base`` is None where it has none.

    ``made`` is the directory of the copy. Into a base that is known to be ``bad`` nothing more
    is linked; what an attempt has linked is shared all the same.
    """

    def __init__(
        self,
        assignment: Assignment,
        destination: Destination,
        made: str,
        base: str | None,
        bad: bool = False,
    ) -> None:
        self._assignment = assignment
        self._destination = destination
        self._base = base
        way = paths.between(made, base) if base else None
        self.directories = () if way is None or bad else (way,)
        """What rsync is to link to: the way up alone, since a storage may take no other."""
        self.linked: bool | None = False if base else None
        """Whether files may be links into the base."""
        self._missing = self._logged = False
        if base and bad:
            self._log_once(f"the full {base} is known to be bad; nothing more is linked into it")

    def __bool__(self) -> bool:
        return self._base is not None

    def refuse(self) -> None:
        """The storage lets nothing be linked into the base, and has said why."""
        self.directories = ()
        self._logged = False
        self._log_once(f"the storage takes no link into {self._base}; all is copied")

    def wrote(self) -> None:
        """An rsync that ended now may have written."""
        self.linked = self.linked or (bool(self.directories) and not self._missing)

    def log_absence(self) -> None:
        """Say once that there is nothing to link to."""
        if not self._base:
            self._log_once("no earlier complete full of it is known there; all is copied")

    def heard(self, take: Callable[[str], None]) -> Lines:
        """A sink for rsync's errors, without its complaints that a base is missing."""
        unseen = len(self.directories)

        def read_line(line: str) -> None:
            nonlocal unseen
            missing = outcome.missing_base(line)
            if missing is None:
                take(line)
                return
            unseen -= 1
            if not unseen:
                self._missing = True
                self._log_once(f"the last full {self._base} is no longer there; all is copied")

        return Lines(read_line)

    def _log_once(self, what: str) -> None:
        if not self._logged:
            self._logged = True
            self._assignment.log.info("%s: %s", self._destination.name, what)
