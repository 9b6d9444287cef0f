"""What each of the last days held of each subject, for the page. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date

from b1000.monitor.history import DAY, PastRun, Subject
from b1000.named import NamedTuple
from b1000.runs.states import Status, Step

_EPOCH = date(1970, 1, 1).toordinal()
_WEEK, _WEEKS = 7, 4  # days; how many of them say on which days there is a backup


class Days(NamedTuple):
    """What each of the last days held of one subject, the oldest first.

    ``runs``: None for no run, 0 for runs without a copy, 1 for a good one, 2 for
    a complete one. ``bytes``: the largest backup. ``durations``: the longest run, in seconds.
    ``missed``: places of days without a backup whose weekday has had one.
    """

    runs: Sequence[int | None]
    bytes: Sequence[int | None] = ()
    durations: Sequence[float | None] = ()
    missed: frozenset[int] = frozenset()


def days_of(
    histories: Mapping[Subject, Sequence[PastRun]], today: date, count: int
) -> dict[Subject, Days]:
    """The last days of each subject, today included; the days are those of the hosts."""
    first = today.toordinal() - count + 1
    return {subject: _days(runs, first, count) for subject, runs in histories.items()}


def _days(runs: Sequence[PastRun], first: int, count: int) -> Days:
    reached: list[int | None] = [None] * count
    sizes: list[int | None] = [None] * count
    durations: list[float | None] = [None] * count
    good, missed = set(), frozenset[int]()
    for run in runs:
        day = int(run.local // DAY) + _EPOCH
        how_far = _reached(run)
        if how_far:
            good.add(day)
        place = day - first
        if not 0 <= place < count:
            continue
        reached[place] = max(reached[place] or 0, how_far)
        if run.bytes is not None and how_far:
            sizes[place] = max(sizes[place] or 0, run.bytes)
        if run.duration is not None:
            durations[place] = max(durations[place] or 0.0, run.duration)
    if len(good) > 1:
        missed = frozenset(
            place
            # Today is not over: whether something is missing of it, the verdict says.
            for place in range(count - 1)
            if first + place not in good and _was_expected(good, first + place)
        )
    return Days(reached, sizes, durations, missed)


def _reached(run: PastRun) -> int:
    if run.step == Step.DONE and run.status == Status.OK and run.good:
        return 2
    return int(run.good)


def _was_expected(good: set[int], day: int) -> bool:
    """Whether the weekday has had a backup in the weeks before, but for one of four."""
    known = [day - _WEEK * week for week in range(1, _WEEKS + 1) if day - _WEEK * week >= min(good)]
    had = sum(each in good for each in known)
    return len(known) > 1 and had >= max(2, min(len(known), _WEEKS - 1))
