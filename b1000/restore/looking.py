"""What is at the target of a restore, or in its backup, before anything is brought."""

from collections.abc import Collection

from b1000.files import private_directory
from b1000.restore.receiving import Leftover
from b1000.restore.restoring import Restoring
from b1000.rsync import names
from b1000.rsync import restoring as arguments
from b1000.rsync.restoring import Manner


def leftovers(way: Restoring) -> list[Leftover]:
    """What killed rsyncs have left in an own directory. Raises RestoreFailed."""
    (part,) = way.parts
    manner = way.manner._replace(existing="mirror")
    argv = arguments.changes(way.way, way.source(part), part.target, manner)
    changes = way.itemized(argv)
    to_come = {name for change, name in changes if change.startswith(">f")}
    extra = [name for change, name in changes if change == "*deleting"]
    return [_leftover(name, to_come) for name in extra if names.is_temporary(_last(name))]


def _leftover(name: str, to_come: Collection[str]) -> Leftover:
    above = name.removesuffix(_last(name))
    of = [above + each for each in names.wanted(_last(name)) if above + each in to_come]
    return Leftover(name, min(of, default=""))  # of two the first comes first


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def is_empty(way: Restoring) -> bool:
    """Whether a part of the backup holds nothing at all. Raises RestoreFailed."""
    with private_directory("b1000-empty-") as empty:
        for part in way.parts:
            manner = Manner(names=part.names)
            argv = arguments.changes(way.way, way.source(part), f"{empty}/", manner)
            if not any(name.rstrip("/") != "." for _, name in way.itemized(argv)):
                return True
    return False
