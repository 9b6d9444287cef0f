"""At which other destinations earlier backups were than the last good one."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import chain

from b1000.monitor.needed_copies import Before
from b1000.monitor.statements import DENSE, RUNS_AT_ONCE, among, batches
from b1000.named import NamedTuple
from b1000.reports.source import SEPARATOR, DatabaseSource, Query

_LEAST_ALIKE = 10  # subjects that are asked for by themselves


class _Reading(NamedTuple):
    """``at_once``: of so many runs; ``dense`` is as in ``among``."""

    at_once: int
    dense: int


_OF_NEARLY_ALL = 0.9  # of the subjects: runs in between are mostly theirs, and soon passed over
_IN_A_ROW = _Reading(5000, 10)
_ONE_BY_ONE = _Reading(RUNS_AT_ONCE, DENSE)


def put_former_places(source: DatabaseSource, some: Sequence[Before], relayed: bool) -> None:
    """Tell runs of destinations that the last good one has not; an index holds all that is asked.

    What that one has is not even told: those that know the same are asked for together. Copies of
    a run that is DONE and OK are DONE. ``relayed``: of some runs others tell, too.
    """
    alike: defaultdict[frozenset[str], list[Before]] = defaultdict(list)
    for each in some:
        alike[each.known].append(each)
    groups = [each for each in alike.values() if len(each) >= _LEAST_ALIKE]
    groups.append([each for its in alike.values() if len(its) < _LEAST_ALIKE for each in its])
    for its in groups:
        nearly_all = len(its) >= _OF_NEARLY_ALL * len(some)
        _put(source, its, relayed, _IN_A_ROW if nearly_all else _ONE_BY_ONE)


def _put(source: DatabaseSource, some: Sequence[Before], relayed: bool, how: _Reading) -> None:
    numbers = [*chain.from_iterable(each.numbers for each in some)]
    if relayed:
        numbers += chain.from_iterable(each.others for each in some)
    if not numbers:
        return
    numbers.sort()
    names = some[0].known.intersection(*(each.known for each in some[1:]))
    places: defaultdict[int, list[str]] = defaultdict(list)
    for number, name in _copies_elsewhere(source, numbers, names, how):
        places[number].append(name)
    if places:
        for each in some:
            each.put(places)


def _copies_elsewhere(
    source: DatabaseSource, numbers: Sequence[int], names: Collection[str], how: _Reading
) -> Iterator[tuple[int, str]]:
    """Copies of these runs, and perhaps of some others, at none of these destinations."""
    fields = source.dialect.joined(["c.job_id", "c.destination"])
    # As a comparison of the bare column it would make a range of each run for each name.
    others = f"COALESCE(c.destination, '') NOT IN ({', '.join('?' * len(names))})"
    where = f" AND {others}" if names else ""
    asked = [
        Query(fields, f"copies c WHERE {among(some, how.dense)}{where}", tuple(names))
        for some in batches(numbers, how.at_once)
    ]
    for texts in source.texts_of_each(asked):
        for text in texts:
            number, _, name = text.partition(SEPARATOR)
            yield int(number), name
