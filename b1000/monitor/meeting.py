"""What two processes tell each other that have read runs of half of the hosts each.

One subject may be backed up by hosts of both: then the first judges it, with all that has to do
with it. All other names are of no concern to the other.
"""

from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

from b1000.monitor.history import Subject
from b1000.monitor.tracks import Track, Tracks
from b1000.named import NamedTuple

_Job = tuple[str, str]
"""A job on a host: failures of the job itself are those of all its instances."""


class Names(NamedTuple):
    """Of what one has read runs: jobs, and subjects whose they may be."""

    jobs: Set[_Job]
    subjects: Set[Subject]


def names_of(subjects: Mapping[Track, Set[Subject]]) -> Names:
    """Of these tracks."""
    return Names({track[:2] for track in subjects}, set().union(*subjects.values()))


def shared(mine: Mapping[Track, Set[Subject]], theirs: Names) -> list[Track]:
    """My tracks that have to do with what the other has read, one by way of another perhaps."""
    jobs, subjects = set(theirs.jobs), set(theirs.subjects)
    found: list[Track] = []
    left = mine
    while True:
        more = [
            track
            for track, its in left.items()
            if track[:2] in jobs or not subjects.isdisjoint(its)
        ]
        if not more:
            return found
        found += more
        jobs.update(track[:2] for track in more)
        subjects.update(*(mine[track] for track in more))
        gone = set(found)
        left = {track: its for track, its in left.items() if track not in gone}


def planned_here(mine: Names, theirs: Names, planned: Iterable[Subject]) -> list[Subject]:
    """Which of them I judge: mine, and those that are nobody's, if their job is mine."""
    return [
        each
        for each in planned
        if each in mine.subjects or (each[:2] in mine.jobs and each not in theirs.subjects)
    ]


Meeting = Callable[[Tracks, Iterable[Subject]], list[Subject]]
"""Called with what was read and what is planned; gives what is planned of what stays here."""


def alone(_: Tracks, planned: Iterable[Subject]) -> list[Subject]:
    """Nobody else has read anything."""
    return list(planned)


def first(tell: Callable[[object], None], hear: Callable[[], Any]) -> Meeting:
    """That of the one to whom all is given that both have to do with."""

    def meet(found: Tracks, planned: Iterable[Subject]) -> list[Subject]:
        tell(names_of(found.subjects))
        given, theirs = hear()
        found.add(given)
        others = set(theirs)
        return [each for each in planned if each not in others]

    return meet


def second(tell: Callable[[object], None], hear: Callable[[], Any]) -> Meeting:
    """That of the other."""

    def meet(found: Tracks, planned: Iterable[Subject]) -> list[Subject]:
        theirs = hear()
        given = found.give(shared(found.subjects, theirs))
        mine = planned_here(names_of(found.subjects), theirs, planned)
        tell((given, mine))
        return mine

    return meet
