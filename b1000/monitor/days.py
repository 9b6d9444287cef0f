"""What each of the last days held of each subject, for the page. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from b1000.monitor.history import DAY, PastRun, Subject
from b1000.runs.states import Status, Step

_EPOCH = date(1970, 1, 1).toordinal()
_WEEK, _WEEKS = 7, 4  # days; how many of them say on which days there is a backup


@dataclass(slots=True)
class Days:
    """What each of the last days held of one subject, the oldest first.

    ``runs``: None for no run, 0 for runs without a copy, 1 for a good one, 2 for
    a complete one. ``bytes``: the largest backup. ``durations``: the longest run, in seconds.
    ``missed``: places of days without a backup whose weekday has had one.
    """

    runs: list[int | None]
    bytes: list[int | None] = field(default_factory=list)
    durations: list[float | None] = field(default_factory=list)
    missed: frozenset[int] = frozenset()


def days_of(
    histories: Mapping[Subject, Sequence[PastRun]], today: date, count: int
) -> dict[Subject, Days]:
    """The last days of each subject, today included; the days are those of the hosts."""
    first = today.toordinal() - count + 1
    return {subject: _days(runs, first, count) for subject, runs in histories.items()}


def _days(runs: Sequence[PastRun], first: int, count: int) -> Days:
    found = Days([None] * count, [None] * count, [None] * count)
    good = set()
    for run in runs:
        day = int(run.local // DAY) + _EPOCH
        reached = _reached(run)
        if reached:
            good.add(day)
        place = day - first
        if not 0 <= place < count:
            continue
        found.runs[place] = max(found.runs[place] or 0, reached)
        if run.bytes is not None and reached:
            found.bytes[place] = max(found.bytes[place] or 0, run.bytes)
        if run.duration is not None:
            found.durations[place] = max(found.durations[place] or 0.0, run.duration)
    if len(good) > 1:
        found.missed = frozenset(
            place
            # Today is not over: whether something is missing of it, the verdict says.
            for place in range(count - 1)
            if first + place not in good and _was_expected(good, first + place)
        )
    return found


def _reached(run: PastRun) -> int:
    if run.step == Step.DONE and run.status == Status.OK and run.good:
        return 2
    return int(run.good)


def _was_expected(good: set[int], day: int) -> bool:
    """Whether the weekday has had a backup in the weeks before, but for one of four."""
    known = [day - _WEEK * week for week in range(1, _WEEKS + 1) if day - _WEEK * week >= min(good)]
    had = sum(each in good for each in known)
    return len(known) > 1 and had >= max(2, min(len(known), _WEEKS - 1))
