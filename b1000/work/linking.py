"""``link_dest``: into which earlier full a new one links, and how it never changes that.

rsync sets the attributes of a file that is there already in place. A file that
is a hard link into an earlier backup would change there too. So an attempt at a
full with a base never meets files that it may change: at a local destination it
begins in an empty directory, at a daemon what is there stays as it is.
"""

from collections.abc import Callable, Mapping, Sequence

from b1000.jobs import Destination
from b1000.rsync import outcome, paths
from b1000.runs.run import Base, Copy
from b1000.work.assignment import Assignment
from b1000.work.sinks import Lines


def settled(
    bases: Sequence[Base], whose: tuple[str, str, str, str], copies: Sequence[Copy]
) -> Mapping[str, str]:
    """Of the bases those of this data that stand where the copies go, by destination.

    ``whose`` is host, instance, master host and master instance.
    """
    fitting = {
        base.destination: base.path
        for base in bases
        if (base.host, base.instance, base.master_host, base.master_instance) == whose
    }
    return {
        copy.destination: fitting[copy.destination]
        for copy in copies
        if copy.destination in fitting and paths.between(copy.path, fitting[copy.destination])
    }


class Linking:
    """The base of one copy; ``base`` is None where it has none.

    ``made`` is the directory of the copy.
    """

    def __init__(
        self,
        assignment: Assignment,
        destination: Destination,
        made: str,
        base: str | None,
    ) -> None:
        self._assignment = assignment
        self._destination = destination
        self._base = base
        way = paths.between(made, base) if base else None
        self.directories = () if way is None else (way,)
        """What rsync is to link to: the way up alone, since a storage may take no other."""
        self._logged = False

    def __bool__(self) -> bool:
        return self._base is not None

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
                self._log_once(f"the last full {self._base} is there no more; all is copied")

        return Lines(read_line)

    def _log_once(self, what: str) -> None:
        if not self._logged:
            self._logged = True
            self._assignment.log.info("%s: %s", self._destination.name, what)
