"""At which other destinations earlier backups were than the last good one."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import chain

from b1000.monitor.statements import among, batches
from b1000.monitor.telling import Before, usual
from b1000.reports.source import SEPARATOR, DatabaseSource, Query

_RUNS_AT_ONCE = 5000
_DENSE = 10  # of an index alone so many in a row are read sooner than one that is looked for


def put_former_places(source: DatabaseSource, some: Sequence[Before], relayed: bool) -> None:
    """Tell runs of destinations that the last good one has not; an index holds all that is asked.

    What nearly all have is not even told, but to those who have it no more. Copies of a run that
    is DONE and OK are DONE. ``relayed``: of some runs others tell, too.
    """
    names = usual(some)
    _put(source, [each for each in some if each.known >= names], names, relayed)
    _put(source, [each for each in some if not each.known >= names], (), relayed)


def _put(
    source: DatabaseSource, some: Sequence[Before], names: Collection[str], relayed: bool
) -> None:
    numbers = [*chain.from_iterable(each.numbers for each in some)]
    if relayed:
        numbers += chain.from_iterable(each.others for each in some)
    numbers.sort()
    places: defaultdict[int, list[str]] = defaultdict(list)
    for number, name in _copies_elsewhere(source, numbers, names):
        places[number].append(name)
    if places:
        for each in some:
            each.put(places)


def _copies_elsewhere(
    source: DatabaseSource, numbers: Sequence[int], names: Collection[str]
) -> Iterator[tuple[int, str]]:
    """Copies of these runs, and perhaps of some others, at none of these destinations."""
    fields = source.dialect.joined(["c.job_id", "c.destination"])
    # As a comparison of the bare column it would make a range of each run for each name.
    others = f"COALESCE(c.destination, '') NOT IN ({', '.join('?' * len(names))})"
    where = f" AND {others}" if names else ""
    asked = [
        Query(fields, f"copies c WHERE {among(some, _DENSE)}{where}", tuple(names))
        for some in batches(numbers, _RUNS_AT_ONCE)
    ]
    for texts in source.texts_of_each(asked):
        for text in texts:
            number, _, name = text.partition(SEPARATOR)
            yield int(number), name
