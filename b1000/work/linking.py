"""``link_dest``: into which earlier full a new one links, and how it never changes that.

rsync sets the attributes of a file that is there already in place. A file that
is a hard link into an earlier backup would change there too. So each attempt at
a full with a base begins in an empty directory: what an attempt before it left
is moved aside, and serves as a second base.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence

from b1000.errors import B1000Error
from b1000.model import Base, Copy, Destination, Limits
from b1000.rsync import command, outcome, paths
from b1000.work.assignment import Assignment
from b1000.work.output import Tail
from b1000.work.process import Lines


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
        limits: Limits,
    ) -> None:
        self._assignment = assignment
        self._destination = destination
        self._made = made
        self._base = base
        self._limits = limits
        self._ways = paths.linked(made, base) if base else ()
        self._told = False
        self._aside = False
        self.keep_existing = False
        """What is there is left as it is, since it could not be moved aside."""

    def __bool__(self) -> bool:
        return self._base is not None

    @property
    def directories(self) -> list[str]:
        """What rsync is to link to."""
        return [*self._ways, *([command.ASIDE] if self._aside else [])]

    def tell_absence(self) -> None:
        """Say once that there is nothing to link to."""
        if not self._base:
            self._tell("no earlier complete full of it is known there; all is copied")

    def heard(self, take: Callable[[str], None]) -> Lines:
        """A sink for rsync's errors, without its complaints that a base is missing."""
        unseen = len(self._ways)

        def hear(line: str) -> None:
            nonlocal unseen
            missing = outcome.missing_base(line)
            if missing is None:
                take(line)
                return
            unseen -= not missing.endswith(f"/{command.ASIDE}")
            if not unseen:
                self._tell(f"the last full {self._base} is there no more; all is copied")

        return Lines(hear)

    def _tell(self, what: str) -> None:
        if not self._told:
            self._told = True
            self._assignment.log.info("%s: %s", self._destination.name, what)

    async def clear(self, descriptors: tuple[int, ...]) -> None:
        """An attempt before this one may have left files: move them aside."""
        trouble = await self._run(command.set_aside, "set aside", descriptors)
        self._aside = True
        self.keep_existing = bool(trouble)
        if trouble:
            self._assignment.log.warning(
                "%s: what an earlier attempt copied stays as it is, since it cannot be moved "
                "aside and may be shared with an older backup%s",
                self._destination.name,
                trouble,
            )

    async def tidy(self, descriptors: tuple[int, ...]) -> None:
        """The copy is complete: remove what was moved aside."""
        if not self._aside:
            return
        trouble = await self._run(command.drop_aside, "drop aside", descriptors)
        if trouble:
            self._assignment.log.warning(
                "%s: %s/%s may be left of an interrupted attempt; it can be removed%s",
                self._destination.name,
                self._made,
                command.ASIDE,
                trouble,
            )

    async def _run(
        self,
        words: Callable[[str, str, Destination, Limits], list[str]],
        purpose: str,
        descriptors: tuple[int, ...],
    ) -> str:
        """Run one rsync from an empty directory; gives what went wrong, or ""."""
        err = Tail()
        with tempfile.TemporaryDirectory(prefix="b1000-empty-") as empty:
            argv = words(empty, self._made, self._destination, self._limits)
            try:
                code = await self._assignment.rsync(
                    f"{self._destination.name} ({purpose})",
                    argv,
                    Tail().sink(),
                    err.sink(),
                    descriptors,
                )
            except (B1000Error, OSError) as error:
                return f": {error}"
        return (err.words() or f": rsync exit {code}") if code else ""
