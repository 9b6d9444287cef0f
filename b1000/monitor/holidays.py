"""Days on which nobody works, though it is a day of the week on which all do. Pure.

No calendar knows them all. But what runs on weekdays alone and did not run anywhere, while the
rest of the fleet goes on as ever, has not been forgotten by each of them on its own.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

from b1000.monitor.history import DAY, HOUR, Subject, span
from b1000.monitor.judgement import Judgement, Reason
from b1000.monitor.severity import Verdict
from b1000.named import NamedTuple

_LEAST, _LEAST_HOSTS = 3, 2  # subjects, and hosts of theirs, that have the day off
_SHARE = 0.9  # of all that were due on that day by their clock
_WELL = 0.8  # of the others, which know no such day
_LONGEST = 5 * DAY  # Christmas with a weekend: then they are missed, whatever the reason
_NO_BACKUP = frozenset({"never", "missed", "too_old", "failed"})
_MONDAY = 4  # of the days of a week since the epoch, modulo 7
_LATE = 2 * HOUR  # that its first run after the weekend may be
_EPOCH = date(1970, 1, 1).toordinal()


class DayOff(NamedTuple):
    """The first day of weekday jobs on which none of these ran, by the clock of their hosts."""

    day: date
    subjects: tuple[Subject, ...]


def days_off(judgements: Iterable[Judgement], now: float) -> list[DayOff]:
    """Those that are still missed, by the hosts of each zone; the latest first."""
    of_zone: defaultdict[float, list[Judgement]] = defaultdict(list)
    for each in judgements:
        of_zone[each.offset].append(each)
    found: defaultdict[int, list[Judgement]] = defaultdict(list)
    for offset, some in of_zone.items():
        for day, missed in _off(some, now + offset).items():
            found[day] += missed
    return [
        DayOff(date.fromordinal(day + _EPOCH), tuple(each.subject for each in found[day]))
        for day in sorted(found, reverse=True)
    ]


def _off(some: Sequence[Judgement], here: float) -> dict[int, list[Judgement]]:
    """Of one zone, by day; ``here`` is its local time."""
    silent: defaultdict[int, list[Judgement]] = defaultdict(list)
    for each in some:
        missed = each.missed if each.rests and "bad" not in each.codes else None
        if missed is not None and here - missed <= _LONGEST:
            silent[int(missed // DAY)].append(each)
    return {day: missed for day, missed in silent.items() if _is_off(day, missed, some)}


def _is_off(day: int, missed: Sequence[Judgement], some: Sequence[Judgement]) -> bool:
    since = [each for each in some if each.rests and _began(each.last_run, each) >= day]
    rested = [each for each in since if _went_on_after(day, each)]
    off = [*missed, *rested]
    if len(off) < _LEAST or len({each.made_on for each in off}) < _LEAST_HOSTS:
        return False
    if len(off) < _SHARE * (len(missed) + len(since)):
        return False
    others = [each for each in some if not each.rests]
    well = [each for each in others if not each.codes & _NO_BACKUP]
    # Had a site lost its power, or its network, the others would not run either.
    goes_on = any(_began(each.last_good, each) >= day for each in well)
    return goes_on and len(well) >= _WELL * len(others)


def _went_on_after(day: int, each: Judgement) -> bool:
    """Whether it did not run on that day either, and is well again, or about to be."""
    if each.verdict is Verdict.OK and _began(each.last_good, each) < day:
        return _began(each.last_run, each) > day
    return _began(each.last_good, each) > day > _began(each.before, each)


def _began(moment: float | None, each: Judgement) -> int:
    """The day of a run by the clock of its host."""
    return -1 if moment is None else int((moment + each.offset) // DAY)


def settled(some: Sequence[Judgement], judgements: Sequence[Judgement]) -> list[Judgement]:
    """The same, with newcomers OK on a first weekend on which nobody else runs their job.

    ``judgements``: those on the whole fleet.
    """
    if not any(each.newcomer for each in some):
        return list(some)
    of_job: defaultdict[str, list[Judgement]] = defaultdict(list)
    for each in judgements:
        if each.rests:
            of_job[each.subject.job].append(each)
    return [_settled(each, of_job[each.subject.job]) for each in some]


def _settled(each: Judgement, others: Sequence[Judgement]) -> Judgement:
    if not each.newcomer or each.missed is None or each.codes != {"missed"}:
        return each
    day = int(each.missed // DAY)
    last = (each.last_good or 0.0) + each.offset
    monday = day + (_MONDAY - day) % 7
    if last + (each.age or 0.0) > monday * DAY + last % DAY + _LATE:
        return each
    rested = sum(_still_rests(day, other) or _went_on_after(day, other) for other in others)
    if rested < _LEAST_HOSTS or rested < _SHARE * len(others):
        return each
    text = f"{span(each.age or 0.0)} old; {rested} others of job {each.subject.job} rest, too"
    return each._replace(verdict=Verdict.OK, reason=text, reasons=(), missed=None)


def _still_rests(day: int, each: Judgement) -> bool:
    return each.verdict is Verdict.OK and _began(each.last_run, each) < day


def softened(judgements: Sequence[Judgement], off: Iterable[DayOff]) -> list[Judgement]:
    """The same, with what a day off explains as missed and not yet as lost."""
    subjects = {subject for day in off for subject in day.subjects}
    if not subjects:
        return list(judgements)
    return [_softened(each) if each.subject in subjects else each for each in judgements]


def _softened(each: Judgement) -> Judgement:
    if each.verdict is not Verdict.CRITICAL:
        return each
    reasons = tuple(
        Reason("missed", reason.text) if reason.code == "too_old" else reason
        for reason in each.reasons
    )
    return each._replace(verdict=Verdict.WARNING, reasons=reasons)
