"""The rules on what is usual: each tells its figure and its band, and is a WARNING. Pure."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import log
from operator import attrgetter
from typing import TypeVar

from b1000 import figures
from b1000.monitor.facts import Facts
from b1000.monitor.finding import RuleResult
from b1000.monitor.freshness import WEEK
from b1000.monitor.history import DAY, HOUR, MINUTE, PastRun, span
from b1000.monitor.severity import Verdict
from b1000.monitor.usual import LOOKED_BACK, Band, band, levels, median
from b1000.named import NamedTuple
from b1000.runs.states import Status

_SHRUNK = 0.5  # of the usual size, or of that of a month ago
_FEW_FILES = 0.3  # of the usual number
_SLOWER, _SLOW_RUNS = 1.6, 3
_LONGER, _LEAST_LONG = 4, 15 * MINUTE
_OLDER, _LEAST_DATA_AGE = 2.5, HOUR
_FLAPPING, _OF_RUNS = 3, 10
_SAME = 6  # runs with one size
_ATTEMPTS, _TRIED_RUNS = 3, 3
_LEAST_USUAL = 5  # runs that had it before something is usual
_MONTH = 30  # runs
_WILD = 0.25  # logarithm of the usual change from one run to the next
_RHYTHM, _SAME_HOUR, _NEAR = 3, 2 * HOUR, 0.35  # days or weeks alike, how much they may differ
_FAILED = Status.FAILED.value  # looked up once
_T = TypeVar("_T")


def _warning(code: str, text: str) -> RuleResult:
    return RuleResult(Verdict.WARNING, text, code)


def _alike(facts: Facts, column: Sequence[_T]) -> Sequence[_T]:
    """Of a column of good runs those of the last one's kind, which is one of them."""
    kinds = facts.good.kind
    if kinds.count(kinds[-1]) == len(kinds):
        return column
    return [each for each, kind in zip(column, kinds, strict=True) if kind == kinds[-1]]


def _like(facts: Facts) -> list[int]:
    """The sizes of earlier backups of its kind: a full is no larger incremental."""
    told = any(facts.good.kind[-2:])
    sizes = _alike(facts, facts.good.bytes) if told else facts.good.bytes
    return [size for size in sizes[:-1] if size]


def _size(facts: Facts) -> Iterator[RuleResult]:
    found = list(_unlike_most(facts))
    if found and not _has_rhythm(facts, attrgetter("bytes")):
        yield from found


def _has_rhythm(facts: Facts, amount: Callable[[PastRun], int | None]) -> bool:
    """Whether it was about as much at this hour of the days or weeks before, others between not.

    Nights and weekends change little, and some run a full on Sundays; a fault that lasts has no
    others.
    """
    last = facts.last_good
    if not last or not (now := amount(last)):
        return False
    past = [
        (last.local - run.local, 1 - _NEAR <= (amount(run) or 0) / now <= 1 + _NEAR)
        for run in facts.runs
        if run.good and 0 < last.local - run.local <= _RHYTHM * WEEK + _SAME_HOUR
    ]
    return any(_like_each(period, past) for period in (DAY, WEEK))


def _like_each(period: float, past: Sequence[tuple[float, bool]]) -> bool:
    """``past``: how long ago, and whether it was alike."""
    before: dict[int, bool] = {}
    for since, alike in past:
        number = round(since / period)
        if 0 < number <= _RHYTHM and abs(since - number * period) <= _SAME_HOUR:
            before[number] = before.get(number, False) or alike
    others = any(since < period - _SAME_HOUR and not alike for since, alike in past)
    return others and sum(before.values()) == _RHYTHM


def _unlike_most(facts: Facts) -> Iterator[RuleResult]:
    last = facts.last_good
    if not last or last.bytes is None:
        return
    sizes = _like(facts)
    if not sizes:
        return
    shown = figures.size(last.bytes)
    usual = _usual_size(sizes, last.bytes)
    if usual and not usual.holds(last.bytes):
        verb = "shrank" if last.bytes < usual.low else "grew"
        between = f"{figures.size(int(usual.low))} to {figures.size(int(usual.high))}"
        expected = figures.size(round(usual.expected))
        code = "shrunk" if verb == "shrank" else "grown"
        yield _warning(code, f"it {verb} to {shown}, {expected} is usual ({between})")
        return
    middle = median(sizes)
    if not usual and middle and last.bytes < middle * _SHRUNK:
        yield _warning("shrunk", f"it shrank to {shown}, {figures.size(round(middle))} is usual")
        return
    then = median(sizes[-_MONTH - 2 : -_MONTH + 3]) if len(sizes) >= _MONTH else None
    if then and last.bytes < then * _SHRUNK and not _varies(sizes):
        text = f"it shrank to {shown}, it was {figures.size(round(then))} {_MONTH} runs before"
        yield _warning("shrunk", text)


def _varies(sizes: Sequence[int]) -> bool:
    """Whether each differs so much from the one before that one of a month ago says nothing."""
    return (median([abs(log(later / earlier)) for earlier, later in pairwise(sizes)]) or 0) > _WILD


def _usual_size(sizes: Sequence[int], size: int) -> Band | None:
    """The band that it is in, or the nearest: there is one for each level."""
    usual = band(sizes)
    if not usual or len(some := levels(sizes)) == 1:
        return usual
    bands = [found for each in some if (found := band(each))]
    return min(bands, key=lambda each: (not each.holds(size), abs(log(size / each.expected))))


def _same_size(facts: Facts) -> Iterator[RuleResult]:
    last = facts.last_good
    if not last or not last.bytes or len(facts.earlier) < 2 * _SAME:
        return
    if facts.earlier[-1].bytes != last.bytes:
        return
    sizes = [size for size in facts.good.bytes if size]
    if len(set(sizes[-_SAME:])) > 1 or len(set(sizes)) == 1:
        return
    start = len(sizes) - _SAME
    while start and sizes[start - 1] == last.bytes:
        start -= 1
    before = sizes[:start][-LOOKED_BACK:]
    varied = sum(one != other for one, other in pairwise(before))
    if len(before) >= _SAME and varied >= 0.8 * (len(before) - 1):
        count = len(sizes) - start
        text = (
            f"{count} backups in a row of exactly {figures.size(last.bytes)}, and it used to vary"
        )
        yield _warning("same_size", text)


def _files(facts: Facts) -> Iterator[RuleResult]:
    last = facts.last_good
    if not last or last.files is None:
        return
    counts = [count for count in _alike(facts, facts.good.files)[:-1] if count]
    usual = median(counts)
    if not usual or len(counts) < 3 or last.files >= usual * _FEW_FILES:
        return
    usual = min(median(each) or 0.0 for each in levels(counts))
    if last.files < usual * _FEW_FILES and not _has_rhythm(facts, attrgetter("files")):
        text = f"{last.files} files, {round(usual)} are usual, less than {_FEW_FILES:.0%} of them"
        yield _warning("files", text)


def _slow(facts: Facts) -> Iterator[RuleResult]:
    last = facts.last_good
    if not last or last.duration is None:
        return
    taken = [each for each in _alike(facts, facts.good.duration) if each is not None]
    recent, before = taken[-_SLOW_RUNS:], taken[:-_SLOW_RUNS]
    if len(before) < _SLOW_RUNS or min(recent) < MINUTE:
        return
    usual = median(before) or 0.0
    limit = max(usual * _SLOWER, usual + MINUTE)
    if min(recent) > limit:
        text = (
            f"its last {_SLOW_RUNS} backups took {span(min(recent))} and more, "
            f"{span(usual)} is usual, at most {span(limit)}"
        )
        yield _warning("slow", text)


def _hangs(facts: Facts) -> Iterator[RuleResult]:
    if not facts.live or facts.plan.max_copy_time:
        return
    taken = [
        run.duration for run in facts.runs if run.duration is not None and run.ended and run.good
    ]
    if not taken:
        return
    limit = max(_LONGER * max(taken[-LOOKED_BACK:]), _LEAST_LONG)
    for run in facts.live:
        if run.started <= facts.now and facts.now - run.started > limit:
            where = f" on {run.made_on}" if run.made_on else ""
            text = (
                f"a run{where} is at {run.step} for {span(facts.now - run.started)}, "
                f"its longest took {span(max(taken[-LOOKED_BACK:]))}"
            )
            yield _warning("hangs", text)


class _DataLimit(NamedTuple):
    age: float
    by: str


def _data_too_old(facts: Facts) -> Iterator[RuleResult]:
    last = facts.last_good
    if not last or not last.data_age:
        return
    limit = _data_limit(facts)
    if limit and last.data_age > limit.age:
        where = f" on {last.made_on}" if last.made_on else ""
        text = f"its data{where} was {span(last.data_age)} old, at most {span(limit.age)} is"
        yield _warning("data_age", f"{text} {limit.by}")


def _data_limit(facts: Facts) -> _DataLimit | None:
    """The plan's, or by what is usual; no older than a backup may get, if it ever was younger."""
    if facts.plan.max_data_age:
        return _DataLimit(facts.plan.max_data_age, "planned")
    ages: Sequence[float] = [run.data_age for run in facts.earlier if run.data_age is not None]
    usual, longest = median(ages), facts.expected.longest or facts.max_age
    if usual is None:
        return _DataLimit(longest, "usual here") if longest else None
    limit = max(_LEAST_DATA_AGE, usual * _OLDER)
    if longest and usual <= longest < limit:
        return _DataLimit(longest, "a backup here")
    return _DataLimit(limit, "usual here")


def _data_age_unknown(facts: Facts) -> Iterator[RuleResult]:
    if facts.plan.max_data_age and facts.last_good and facts.last_good.data_age is None:
        text = (
            f"how old its data was is unknown, at most {span(facts.plan.max_data_age)} is planned"
        )
        yield _warning("data_age_unknown", text)


def _takes_long(facts: Facts) -> Iterator[RuleResult]:
    limit = facts.plan.max_copy_time
    for run in facts.live if limit else ():
        taken = facts.now - (run.copying_since or run.started)
        if limit and taken > limit:
            what = f"a run on {run.made_on}" if run.made_on else "a run"
            text = f"{what} is at {run.step} for {span(taken)}, at most {span(limit)} is planned"
            yield _warning("copy_time", text)


def _flapping(facts: Facts) -> Iterator[RuleResult]:
    some = facts.runs[-_OF_RUNS - 1 :]
    if len([run for run in some if run.status == _FAILED]) < _FLAPPING:
        return
    last = [run for run in some if run.ended][-_OF_RUNS:]
    failed = [run for run in last if run.status == _FAILED and not run.acknowledged]
    if len(failed) >= _FLAPPING and facts.last_good and len(last) > len(failed):
        text = f"{len(failed)} of its last {len(last)} runs FAILED"
        yield _warning("flapping", text)


def _attempts(facts: Facts) -> Iterator[RuleResult]:
    recent = facts.runs[-_TRIED_RUNS:]
    # A run tells those of all its copies together, and each takes one.
    others = max(facts.last_good.total - 1, 0) if facts.last_good else 0
    least = min([run.attempts for run in recent], default=0) - others
    if least < _ATTEMPTS:
        return
    before = [run.attempts for run in facts.runs[: -len(recent)][-_OF_RUNS:]]
    # What every run needs is usual, as files that always vanish are.
    usual = len(before) >= _LEAST_USUAL and min(before) - others >= _ATTEMPTS
    if len(recent) == _TRIED_RUNS and not usual:
        text = f"its last {_TRIED_RUNS} runs took {least} attempts and more, 1 is usual"
        yield _warning("attempts", text)


def _clock(facts: Facts) -> Iterator[RuleResult]:
    for run in [run for run in facts.ahead if not run.acknowledged][-1:]:
        whose = f"the clock of {run.made_on}" if run.made_on else "a clock"
        far = span(run.started - facts.now)
        yield _warning("clock", f"{whose} was {far} ahead of ours: a run is dated so")


UNUSUAL: tuple[Callable[[Facts], Iterator[RuleResult]], ...] = (
    _size,
    _same_size,
    _files,
    _slow,
    _hangs,
    _data_too_old,
    _data_age_unknown,
    _takes_long,
    _flapping,
    _attempts,
    _clock,
)
