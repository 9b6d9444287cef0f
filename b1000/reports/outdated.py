"""Which files of a file report are beyond those that are kept. Pure.

Their names hold local times, which go back in autumn, in another time zone, and where a clock
was ahead: what counts is the order of runs, which the journal knows.
"""

from collections.abc import Collection, Mapping

Runs = Mapping[str, int | None]
"""Start time → number of the run; None of one that is not over, or that can be retried."""

_BEFORE_ALL, _FUTURE = -1, -2  # as numbers of runs, which begin with 1


def outdated(there: Collection[str], runs: Runs, keep: int, latest: str) -> list[str]:
    """The start times of the files that go, of all that are ``there``.

    ``runs`` are those of them that the journal knows. What it does not know (of an older program,
    of another journal) has the place of its name among these; a name after ``latest`` was dated
    by a clock that was ahead, and is the first to go.
    """
    places: dict[str, int] = {}
    last = _BEFORE_ALL
    # The run before a file in the order of names is the last of all that are named so or earlier.
    for start_time in sorted(there):
        last = max(last, runs.get(start_time) or _BEFORE_ALL)
        places[start_time] = last

    def age(start_time: str) -> tuple[int, bool, str]:
        if run_id := runs.get(start_time):
            return run_id, False, ""
        return _FUTURE if start_time > latest else places[start_time], True, start_time

    finished = [each for each in there if runs.get(each, 0) is not None]
    return sorted(finished, key=age, reverse=True)[keep:]
