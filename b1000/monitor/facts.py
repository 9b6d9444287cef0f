"""From the history of a subject to the facts that the rules of the monitor look at. Pure."""

from collections.abc import Iterable, Sequence
from operator import add, sub

from b1000.monitor import freshness
from b1000.monitor.freshness import Expectation, Past
from b1000.monitor.history import (
    DAY,
    HOUR,
    MINUTE,
    NO_PLAN,
    Columns,
    PastRun,
    PlanRow,
    bad_ones,
    columns_of,
    good_ones,
    in_order,
)
from b1000.monitor.usual import LOOKED_BACK, median
from b1000.named import NamedTuple
from b1000.runs.states import Status, Step

SKEW = 10 * MINUTE
"""By which clocks may differ before it is told."""
_DONE, _FAILED = Step.DONE.value, Status.FAILED.value  # looked up once
_PAUSE, _TIMES, _OTHERS = 21 * DAY, 8, 7  # times as long as usual; other intervals
_LONGER = 2  # times its longest that a run may take before it counts for nothing
MOST_SKEW = 26 * HOUR
"""A clock further ahead says nothing of when a run was."""


class Facts(NamedTuple):
    """All that rules look at.

    ``columns`` are those of ``runs``, ``good`` those of ``earlier`` with the last good one.
    ``earlier``: good runs before the last one, the latest last, at most ``LOOKED_BACK``.
    ``since``: ended runs after the last good one that made none. ``due``: by when the
    next was expected, where that is over. ``in_time``: the next is under way, began when it
    was expected, and takes no longer than usual.
    """

    runs: Sequence[PastRun]
    plan: PlanRow
    now: float
    live: Sequence[PastRun]
    ahead: Sequence[PastRun]
    last_good: PastRun | None
    age: float | None
    expected: Expectation
    unlearned: str
    since: Sequence[PastRun]
    earlier: Sequence[PastRun]
    due: float | None
    in_time: bool
    columns: Columns
    good: Columns
    rests: bool = False
    """Whether it never runs on some days of the week."""
    newcomer: bool = False
    """Whether what is missed may be its first weekend, on which it never runs."""

    @property
    def missed(self) -> float | None:
        """By when a backup was expected that did not come, though nothing failed."""
        return None if self.since or self.live else self.due

    @property
    def before(self) -> float | None:
        """When the last good one of a day before that of the last began."""
        if self.last_good:
            midnight = self.last_good.local // DAY * DAY
            for run in reversed(self.earlier):
                if run.started + run.offset < midnight:
                    return run.started
        return None

    @property
    def max_age(self) -> float | None:
        """How old the last good backup may be."""
        return self.expected.max_age

    @property
    def late(self) -> bool:
        """The last good backup is older than it may get."""
        limit = self.expected.max_age
        over = self.age is not None and limit is not None and self.age > limit
        return over and not self.in_time

    @property
    def too_old(self) -> bool:
        """It is older by so much that it counts as none."""
        limit = self.expected.critical_age
        over = self.age is not None and limit is not None and self.age > limit
        return over and not self.in_time


def facts_of(history: Iterable[PastRun], plan: PlanRow | None, now: float) -> Facts:
    """What the rules look at; ``history`` in any order."""
    runs = in_order(history)
    columns = columns_of(runs)
    live = _live(runs, columns)
    ahead: Sequence[PastRun] = ()
    believed = runs
    if runs and runs[-1].started > now + SKEW:
        ahead = _ahead(runs, now)
        believed = [run for run in runs if run.started <= now + MOST_SKEW]
    good, of_good = _good(believed, columns if believed is runs else columns_of(believed))
    past = _past(believed, good, of_good, live)
    here = freshness.clock(past, now + (believed[-1].offset if believed else 0.0))
    expected = expectation(past, plan, here)
    last_good = _last_good(good, live, expected.max_age, now)
    age = None
    if last_good:
        age = max(0.0, now - last_good.started)
        if past.good and past.good[-1] != last_good.local:
            past = Past([each for each in past.good if each <= last_good.local], past.failed)
        expected = _in_real_time(expected, here - now - last_good.offset)
    since: Sequence[PastRun] = believed
    if last_good:
        since = () if last_good is believed[-1] else believed[believed.index(last_good) + 1 :]
        if last_good is not good[-1]:
            good = good[: good.index(last_good) + 1]
            of_good = columns_of(good)
    facts = Facts(
        runs=runs,
        plan=plan or NO_PLAN,
        now=now,
        live=live,
        ahead=ahead,
        last_good=last_good,
        age=age,
        expected=expected,
        unlearned=freshness.unlearned(past.good) or freshness.inexpressible(expected),
        since=[run for run in since if not (run.good or run.acknowledged or run in live)],
        earlier=good[-LOOKED_BACK - 1 : -1],
        due=None,
        in_time=False,
        columns=columns,
        good=of_good.last(LOOKED_BACK + 1),
        rests=freshness.rests(past.good, expected),
    )
    if facts.late and live and _began_in_time(facts, past):
        return facts._replace(in_time=True)
    return _missed(facts, past, here, bool(since)) if facts.late and past.good else facts


def _missed(facts: Facts, past: Past, here: float, ran: bool) -> Facts:
    """The same with what was missed, and when it counts as lost.

    ``ran``: there were runs since, also such as were acknowledged. So it is no day of rest.
    """
    rest = 0.0
    if facts.expected.by != "plan" and not (ran or facts.live):
        rest = freshness.first_weekend(past, here)
    due = freshness.due(past, facts.expected, here)
    expected = freshness.given_up(past, facts.expected, due, rest)
    return facts._replace(due=due, expected=expected, newcomer=rest > 0)


def _ahead(runs: Sequence[PastRun], now: float) -> list[PastRun]:
    """Those dated later than now; of years ahead only until their host has told a later one.

    Rows are numbered as they are told. What is hours ahead counts as a backup, and is told.
    """
    told: dict[str, int] = {}
    for run in runs:
        if run.started <= now + SKEW:
            told[run.made_on] = max(run.job_id, told.get(run.made_on, 0))
    return [
        run
        for run in runs
        if now + SKEW < run.started <= now + MOST_SKEW
        or (run.started > now + MOST_SKEW and run.job_id >= told.get(run.made_on, 0))
    ]


def _good(runs: list[PastRun], columns: Columns) -> tuple[list[PastRun], Columns]:
    """Those that are good, most often all, and their columns."""
    if columns.all_good:
        return runs, columns
    good = good_ones(runs)
    return good, columns_of(good)


def _began_in_time(facts: Facts, past: Past) -> bool:
    """Whether a backup of this hour is on its way: then it is not the one that is missed."""
    if facts.expected.by == "plan" or not facts.last_good:
        return False
    taken = [run.duration for run in (*facts.earlier, facts.last_good) if run.duration is not None]
    longest = max(taken, default=facts.expected.gap / 2)
    for run in facts.live:
        under_way = facts.now - run.started
        if run is facts.last_good or not 0 <= under_way <= max(_LONGER * longest, 15 * MINUTE):
            continue
        limit = freshness.learned(past, run.local).max_age
        if limit is not None and run.local - facts.last_good.local <= limit:
            return True
    return False


def _past(
    believed: Sequence[PastRun],
    good: Sequence[PastRun],
    columns: Columns,
    live: Sequence[PastRun],
) -> Past:
    """Local times, in their own order: the hour that comes twice is there twice."""
    starts = [*map(add, columns.started, columns.offset)]
    if len(good) == len(believed):
        failed = []
    else:
        failed = [run.local for run in bad_ones(believed) if run not in live]
    if good and good[0].offset != good[-1].offset:
        starts.sort()
        failed.sort()
    return Past(_since_pause(starts, failed), failed)


def _since_pause(starts: list[float], failed: Sequence[float]) -> list[float]:
    """Those after the only pause of weeks, as after failures of a month or a false date of years.

    It is no rhythm, and as one it would let the next silence be as long. Seven others say so.
    """
    gaps = [*map(sub, starts[1:], starts)]
    if len(gaps) <= _OTHERS or (longest := max(gaps)) < max(_PAUSE, _TIMES * (median(gaps) or 0.0)):
        return starts
    if sum(gap >= _PAUSE for gap in gaps) > 1:
        return starts
    first = gaps.index(longest) + 1
    if first == len(starts) - 1 and failed and failed[-1] > starts[first - 1]:
        return starts  # One alone says less than those before, without an interval of failures.
    return starts[first:]


def _live(runs: Sequence[PastRun], columns: Columns) -> list[PastRun]:
    """Runs without an end; one that another run of its instance followed is dead."""
    # For most that is all to be asked.
    if columns.step.count(_DONE) == len(runs):
        return []
    if not [run for run in runs if run.step != _DONE and run.status != _FAILED]:
        return []
    last = {(run.made_on, run.listed_as): run for run in runs}
    return [run for run in last.values() if not run.ended]


def _last_good(
    good: Sequence[PastRun], live: Sequence[PastRun], max_age: float | None, now: float
) -> PastRun | None:
    """The last good run; one that still copies counts only where no other is fresh enough."""
    ended = [run for run in good if run not in live] if live else good
    if ended and (max_age is None or now - ended[-1].started <= max_age):
        return ended[-1]
    return good[-1] if good else None


def expectation(past: Past, plan: PlanRow | None, here: float) -> Expectation:
    """The plan's, where it says one; ``here`` is the local time of now."""
    if plan and plan.max_backup_age:
        return Expectation(plan.max_backup_age, plan.max_backup_age, "plan")
    learned = freshness.learned(past, here)
    # A row without an age still says that there has to be a backup.
    if plan and learned.max_age is None:
        return Expectation(None, None, "plan", DAY)
    return learned


def _in_real_time(expected: Expectation, ahead: float) -> Expectation:
    """The ages as they are where the clocks changed since the last good backup."""
    if not ahead or expected.by == "plan":
        return expected
    return expected._replace(
        max_age=expected.max_age and expected.max_age - ahead,
        critical_age=expected.critical_age and expected.critical_age - ahead,
    )
