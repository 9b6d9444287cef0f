"""Of which runs a verdict has to know the copies, at more than one moment. Pure.

Of most runs it is enough that they are DONE and OK. The last good one is shown with its copies;
of those of the month before it only what is at other destinations than its own says anything.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import attrgetter

from b1000.monitor.changes import had_ended
from b1000.monitor.facts import MOST_SKEW
from b1000.monitor.history import PastRun
from b1000.monitor.verdicts import GONE_FOR
from b1000.named import NamedTuple

_started, _job_id = attrgetter("started"), attrgetter("job_id")


class Moments(NamedTuple):
    """For when it is judged."""

    now: float
    earlier: float


class Before(NamedTuple):
    """Runs of a subject before its last good ones: those from ``first`` on and before ``end``.

    ``known`` are the destinations that each run has which may be the last good one at a moment.
    """

    runs: list[PastRun]
    first: int
    end: int
    known: frozenset[str]

    @property
    def numbers(self) -> Iterator[int]:
        """Of their rows."""
        return map(_job_id, self.runs[self.first : self.end])

    @property
    def others(self) -> Iterator[int]:
        """Of rows by which others tell of the same."""
        return (number for run in self.runs[self.first : self.end] for number in run.also)

    def put(self, places: Mapping[int, Collection[str]]) -> None:
        """Tell the runs by their numbers where else they are; of some all places are known."""
        for index in range(self.first, self.end):
            run = self.runs[index]
            if run.done and not run.places:
                found = {name for each in (run.job_id, *run.also) for name in places.get(each, ())}
                if found - self.known:
                    self.runs[index] = run._replace(places=tuple(sorted(found - self.known)))


def last_good_ones(runs: Sequence[PastRun], moments: Moments) -> list[int]:
    """Places of those that may count as the last good one now or then.

    One that still copies counts where no other is fresh enough: then it is one of two.
    """
    places = _last_good_ones(runs, moments.now + MOST_SKEW)
    for place in _last_good_ones(runs, moments.earlier, moments.earlier):
        if place not in places:
            places.append(place)
    return places


def _last_good_ones(
    runs: Sequence[PastRun], until: float, ended_by: float | None = None
) -> list[int]:
    found = []
    place = len(runs)
    if place and runs[-1].started > until:
        place = bisect_right(runs, until, key=_started)
    while place:
        place -= 1
        run = runs[place]
        if run.good and (ended_by is None or had_ended(run, ended_by)):
            found.append(place)
            if run.ended:
                break
    return found


def needed(runs: Sequence[PastRun], moments: Moments, all_done: bool) -> list[int]:
    """Places of the runs whose copies are looked at; ``all_done``: each is DONE and OK."""
    places = last_good_ones(runs, moments)
    if not all_done:
        places += [place for place, run in enumerate(runs) if not run.done]
    return places


def before(runs: list[PastRun], moments: Moments) -> Before | None:
    """What is to be known of runs before the last good ones, of which the copies are known."""
    lasts = last_good_ones(runs, moments)
    if not lasts:
        return None
    known = [frozenset(runs[place].places + runs[place].lacking) for place in lasts]
    oldest = min([runs[place].started for place in lasts]) - GONE_FOR
    first = 0 if runs[0].started >= oldest else bisect_left(runs, oldest, key=_started)
    return Before(runs, first, max(lasts), known[0].intersection(*known[1:]))
