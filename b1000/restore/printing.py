"""The plain commands of a restore, for people without B1000."""

import os
from collections.abc import Sequence

from b1000.restore import listed, places
from b1000.restore.part import Part
from b1000.restore.restoring import Restoring
from b1000.rsync import restoring as arguments


def commands(way: Restoring) -> list[list[str]]:
    """The rsyncs that do the same."""
    return [
        arguments.plain(
            way.way,
            _sources(way, part),
            part.target,
            way.manner._replace(spared=part.spared),
            make=not os.path.isdir(os.path.dirname(part.target.rstrip("/")) or "/"),
        )
        for part in way.parts
    ]


def _sources(way: Restoring, part: Part) -> list[str]:
    """What is named: where the top of a backup would change DIR, all that is in it."""
    source = way.source(part)
    if part.names:
        return [f"{source}./{each}" for each in _as_named(way, listed.read(part.names))]
    tops = places.tops(way.row.backup)
    if part.source or not part.above or not tops or way.manner.existing == "mirror":
        return [source]
    return [f"{source}{each}" for each in _as_named(way, tops)]


def _as_named(way: Restoring, words: Sequence[str]) -> list[str]:
    return listed.patterns(words) if way.way.transport else [*words]
