"""From the history of a subject to its verdict: is there a good, fresh, complete backup? Pure.

A subject is what is backed up: a host, a job and an instance, those of the
master where there is one, wherever the backup was made. All times are seconds
since the epoch, all ages seconds.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from b1000 import figures
from b1000.runs.states import Status, Step

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

_PATIENCE = 2.5  # usual intervals
LEAST_AGE = HOUR
AGE_AFTER_ONE = 26 * HOUR  # a daily backup, and some time for it
_TRIAL = 3 * DAY  # of good backups, before which nothing counts as usual
_SHRUNK = 0.5  # of the usual size
_SKEW = 10 * MINUTE  # by which clocks may differ before it is told
_MOST_SKEW = 26 * HOUR  # a clock further ahead says nothing of when a run was
LOOKED_AT = 5
"""How many runs of the past say what is usual."""


_DONE, _FAILED = Step.DONE.value, Status.FAILED.value  # looked up once, and not for each run


class Verdict(StrEnum):
    """The answer for one subject, or for a fleet."""

    OK = "OK"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"
    UNKNOWN = "UNKNOWN"

    @property
    def exit_code(self) -> int:
        """As Nagios counts."""
        return _CODES[self]


_CODES = {Verdict.OK: 0, Verdict.WARNING: 1, Verdict.CRITICAL: 2, Verdict.UNKNOWN: 3}
# What is certainly bad comes before what nobody knows.
_SEVERITY = {Verdict.OK: 0, Verdict.UNKNOWN: 1, Verdict.WARNING: 2, Verdict.CRITICAL: 3}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of the verdicts; UNKNOWN where there is none: no backup at all is not OK."""
    return max(verdicts, key=_SEVERITY.__getitem__, default=Verdict.UNKNOWN)


class Subject(NamedTuple):
    """What is backed up; ``host`` and ``instance`` are the master's where there is one."""

    host: str
    job: str
    instance: str

    @property
    def label(self) -> str:
        """How people are told of it."""
        return f"{self.host} {self.job}" + (f"/{self.instance}" if self.instance else "")


class Past(NamedTuple):
    """One run of the history, as the database tells of it; a tuple, for there are many.

    ``done`` counts copies that are DONE, ``vanished`` those that ended with a
    WARNING since files vanished meanwhile, ``total`` all. ``data_age`` is None
    where it could not be found out, 0 where nobody asked. ``made_on`` and
    ``listed_as`` are the host and instance that did the work, ``master_host`` and
    ``master_instance`` those it was done for, where they are others. ``missing``
    names destinations without a copy. ``relayed_by`` names the storages that told it for
    their client, ``also`` are the numbers of the rows by which others of them did.
    """

    started: float
    step: str = Step.DONE
    status: str = Status.OK
    done: int = 0
    total: int = 0
    vanished: int = 0
    data_age: float | None = 0.0
    bytes: int | None = None
    acknowledged: bool = False
    made_on: str = ""
    listed_as: str = ""
    master_host: str = ""
    master_instance: str = ""
    direction: str = ""
    copying_since: float | None = None
    error: str = ""
    missing: tuple[str, ...] = ()
    job_id: int = 0
    relayed_by: str = ""
    also: tuple[int, ...] = ()

    @property
    def good(self) -> bool:
        """At least one destination has it."""
        return self.done + self.vanished > 0

    @property
    def complete(self) -> bool:
        """Every destination has it, and the run came to its end."""
        return 0 < self.total == self.done and self.step == _DONE

    @property
    def ended(self) -> bool:
        """Nothing more is to be expected of it, unless it is retried."""
        return self.step == _DONE or self.status == _FAILED


class Plan(NamedTuple):
    """What people expect of a subject; None or 0: they did not say."""

    max_backup_age: float | None = None
    max_data_age: float | None = None
    max_copy_time: float | None = None
    ignored: bool = False


NO_PLAN = Plan()


class Finding(NamedTuple):
    """One thing that is wrong, in words."""

    verdict: Verdict
    text: str


class Judgement(NamedTuple):
    """The verdict on one subject, and what it was made from; None where it is not known.

    ``expected_by`` is "plan", "learned", or "default" as long as nothing is learned;
    ``unlearned`` then says why. ``relayed_by`` names the storages by whose relay a client
    told all this of itself.
    """

    subject: Subject
    verdict: Verdict
    reason: str
    last_good: float | None
    age: float | None
    max_age: float | None
    expected_by: str
    data_age: float | None
    bytes: int | None
    usual_bytes: float | None
    copies_done: int
    copies_total: int
    last_run: float | None
    unlearned: str = ""
    relayed_by: str = ""


class _Facts(NamedTuple):
    """All that rules look at. ``since``: ended runs after the last good one, without a copy."""

    runs: Sequence[Past]
    plan: Plan
    now: float
    live: Sequence[Past]
    ahead: Sequence[Past]
    last_good: Past | None
    age: float | None
    max_age: float | None
    expected_by: str
    unlearned: str
    since: Sequence[Past]
    usual_bytes: float | None
    usual_data_age: float | None

    @property
    def too_old(self) -> bool:
        return self.age is not None and self.max_age is not None and self.age > self.max_age


def judge(subject: Subject, history: Iterable[Past], plan: Plan | None, now: float) -> Judgement:
    """The verdict on a subject; ``history`` in any order, with at least its last good run."""
    facts = _facts(history, plan, now)
    findings = [finding for rule in RULES for finding in rule(facts)]
    findings.sort(key=lambda finding: -_SEVERITY[finding.verdict])
    last = facts.last_good
    shown = last or (facts.runs[-1] if facts.runs else None)
    return Judgement(
        subject,
        worst(finding.verdict for finding in findings) if findings else Verdict.OK,
        "; ".join(finding.text for finding in findings) or _all_is_well(facts),
        last.started if last else None,
        facts.age,
        facts.max_age,
        facts.expected_by,
        last.data_age if last else None,
        last.bytes if last else None,
        facts.usual_bytes,
        shown.done if shown else 0,
        shown.total if shown else 0,
        facts.runs[-1].started if facts.runs else None,
        facts.unlearned,
        shown.relayed_by if shown else "",
    )


# --- what is known


def _facts(history: Iterable[Past], plan: Plan | None, now: float) -> _Facts:
    runs = sorted(history, key=_by_time)
    live = _live(runs)
    ahead: Sequence[Past] = ()
    believed = runs
    if runs and runs[-1].started > now + _SKEW:
        ahead = [run for run in runs if run.started > now + _SKEW]
        believed = [run for run in runs if run.started <= now + _MOST_SKEW]
    good = [run for run in believed if run.good]
    starts = [run.started for run in good]
    max_age, expected_by = _expectation(starts, plan)
    last_good = _last_good(good, live, max_age, now)
    earlier = good[: good.index(last_good)][-LOOKED_AT:] if last_good else []
    since: Sequence[Past] = believed
    if last_good:
        since = () if last_good is believed[-1] else believed[believed.index(last_good) + 1 :]
    return _Facts(
        runs=runs,
        plan=plan or NO_PLAN,
        now=now,
        live=live,
        ahead=ahead,
        last_good=last_good,
        age=max(0.0, now - last_good.started) if last_good else None,
        max_age=max_age,
        expected_by=expected_by,
        unlearned=_unlearned(starts),
        since=[run for run in since if not (run.good or run.acknowledged or run in live)],
        usual_bytes=_median([run.bytes for run in earlier if run.bytes is not None]),
        usual_data_age=_median([run.data_age for run in earlier if run.data_age is not None]),
    )


_by_time = attrgetter("started", "job_id")


def _live(runs: Sequence[Past]) -> list[Past]:
    """Runs without an end; one that another run of its instance followed is dead."""
    if not [run for run in runs if not run.ended]:
        return []
    last = {(run.made_on, run.listed_as): run for run in runs}
    return [run for run in last.values() if not run.ended]


def _last_good(
    good: Sequence[Past], live: Sequence[Past], max_age: float | None, now: float
) -> Past | None:
    """The last good run; one that still copies counts only where no other is fresh enough."""
    ended = [run for run in good if run not in live]
    if ended and (max_age is None or now - ended[-1].started <= max_age):
        return ended[-1]
    return good[-1] if good else None


def learned_age(good: Sequence[float]) -> float | None:
    """How old a backup may get, from the ascending start times of the good ones of the past."""
    if not good:
        return None
    if _unlearned(good):
        return AGE_AFTER_ONE
    gaps = [later - earlier for earlier, later in pairwise(good[-LOOKED_AT - 1 :])]
    return max(LEAST_AGE, (_median(gaps) or 0) * _PATIENCE)


def _unlearned(good: Sequence[float]) -> str:
    """Why the good backups, by their ascending start times, do not say yet what is usual."""
    if not good or good[-1] - good[0] >= _TRIAL:
        return ""
    known = f"of {span(good[-1] - good[0])}" if len(good) > 1 else "a single one"
    return f"its good backups are {known}, and {span(_TRIAL)} of them say what is usual"


def _expectation(good: Sequence[float], plan: Plan | None) -> tuple[float | None, str]:
    if plan and plan.max_backup_age:
        return plan.max_backup_age, "plan"
    learned = learned_age(good)
    # A row without an age still says that there has to be a backup.
    if plan and learned is None:
        return learned, "plan"
    return learned, "default" if _unlearned(good) else "learned"


def _median(values: Sequence[float]) -> float | None:
    """As ``statistics`` does it, without its questions about kinds of numbers."""
    ascending = sorted(values)
    half = len(ascending) // 2
    if len(ascending) % 2:
        return ascending[half]
    return (ascending[half - 1] + ascending[half]) / 2 if ascending else None


# --- the rules: each tells what it finds wrong

_EXPECTED = {
    "plan": "planned",
    "learned": "usual here",
    "default": f"expected until {int(_TRIAL / DAY)} days of backups say what is usual",
}


def _never(facts: _Facts) -> Iterator[Finding]:
    if facts.last_good:
        return
    text = "never backed up"
    if not facts.runs:
        text += ": it is planned, and no run of it is known"
    elif facts.live:
        text += f": a run is under way for {span(facts.now - facts.live[-1].started)}"
    if facts.since:
        text += f": {_failures(facts)}"
    yield Finding(Verdict.CRITICAL, text)


def _too_old(facts: _Facts) -> Iterator[Finding]:
    if not facts.too_old or facts.age is None or facts.max_age is None:
        return
    usual = _EXPECTED[facts.expected_by]
    text = (
        f"the last good backup is {span(facts.age)} old, at most {span(facts.max_age)} is {usual}"
    )
    running = [run for run in facts.live if run is not facts.last_good]
    if facts.since:
        text += f"; {_failures(facts)}"
    if running:
        text += f"; a run is at {running[-1].step} for {span(facts.now - running[-1].started)}"
    elif not facts.since:
        text += "; nothing has run since"
    yield Finding(Verdict.CRITICAL, text)


def _failed_since(facts: _Facts) -> Iterator[Finding]:
    if facts.since and facts.last_good and not facts.too_old:
        good = f"the last good backup is {span(facts.age or 0)} old"
        yield Finding(Verdict.WARNING, f"{_failures(facts)}; {good}")


def _incomplete(facts: _Facts) -> Iterator[Finding]:
    last = facts.last_good
    if not last or last.complete or (last.acknowledged and last.done):
        return
    lacking = last.total - last.done - last.vanished
    if last in facts.live:
        text = f"{last.done} of {last.total} copies are there, the run is still at {last.step}"
    elif lacking > 0:
        where = f": {', '.join(last.missing)}" if last.missing else ""
        verb = "is" if lacking == 1 else "are"
        text = f"{lacking} of {last.total} copies of the last good backup {verb} missing{where}"
    elif last.vanished:
        text = "files vanished while the last good backup copied them"
    else:
        text = f"the last good backup has its copies, and its run {_ending(last)}"
    yield Finding(Verdict.WARNING, text)


def _shrunk(facts: _Facts) -> Iterator[Finding]:
    last, usual = facts.last_good, facts.usual_bytes
    if last and last.bytes is not None and usual and last.bytes < usual * _SHRUNK:
        text = f"it shrank to {figures.size(last.bytes)}, {figures.size(usual)} is usual"
        yield Finding(Verdict.WARNING, text)


def _data_too_old(facts: _Facts) -> Iterator[Finding]:
    last, planned = facts.last_good, facts.plan.max_data_age
    if not last or last.data_age is None:
        return
    limit = planned or _usual_data_age(facts)
    if limit is not None and last.data_age > limit:
        where = f" on {last.made_on}" if last.made_on else ""
        usual = "planned" if planned else "usual here"
        text = f"its data{where} was {span(last.data_age)} old, at most {span(limit)} is {usual}"
        yield Finding(Verdict.WARNING, text)


def _usual_data_age(facts: _Facts) -> float | None:
    """By the rule for backups; where no earlier run tells, as old as a backup may get."""
    if facts.usual_data_age is None:
        return facts.max_age
    return max(LEAST_AGE, facts.usual_data_age * _PATIENCE)


def _data_age_unknown(facts: _Facts) -> Iterator[Finding]:
    if facts.plan.max_data_age and facts.last_good and facts.last_good.data_age is None:
        text = (
            f"how old its data was is unknown, at most {span(facts.plan.max_data_age)} is planned"
        )
        yield Finding(Verdict.WARNING, text)


def _takes_long(facts: _Facts) -> Iterator[Finding]:
    limit = facts.plan.max_copy_time
    for run in facts.live if limit else ():
        taken = facts.now - (run.copying_since or run.started)
        if limit and taken > limit:
            what = f"a run on {run.made_on}" if run.made_on else "a run"
            text = f"{what} is at {run.step} for {span(taken)}, at most {span(limit)} is planned"
            yield Finding(Verdict.WARNING, text)


def _clock(facts: _Facts) -> Iterator[Finding]:
    run = next((run for run in reversed(facts.ahead) if not run.acknowledged), None)
    if run:
        whose = f"the clock of {run.made_on}" if run.made_on else "a clock"
        far = span(run.started - facts.now)
        yield Finding(Verdict.WARNING, f"{whose} was {far} ahead of ours: a run is dated so")


RULES: tuple[Callable[[_Facts], Iterator[Finding]], ...] = (
    _never,
    _too_old,
    _failed_since,
    _incomplete,
    _shrunk,
    _data_too_old,
    _data_age_unknown,
    _takes_long,
    _clock,
)


# --- words


def _all_is_well(facts: _Facts) -> str:
    last = facts.last_good
    assert last is not None
    assert facts.age is not None
    copies = f"{last.done} of {last.total} copies"
    running = ", a new one is under way" if facts.live else ""
    return f"{span(facts.age)} old, {copies}{running}"


def _failures(facts: _Facts) -> str:
    last = facts.since[-1]
    where = f" on {last.made_on}" if last.made_on else ""
    ago = f"{span(facts.now - last.started)} ago"
    if len(facts.since) == 1:
        run = "a later run" if facts.last_good else "its only run"
        return f"{run}{where}, {ago}, made no copy: it {_ending(last)}"
    runs = f"{len(facts.since)} {'later ' if facts.last_good else ''}runs"
    return f"{runs} made no copy, the last{where} {ago} {_ending(last)}"


def _ending(run: Past) -> str:
    """How a run ended, as a verb and why."""
    why = f": {run.error}" if run.error else ""
    if run.status == Status.FAILED:
        return f"FAILED at {run.step}{why}"
    if run.step == Step.DONE:
        return f"ended with {run.status}{why}"
    return f"never came to its end, {run.step} is the last that is known of it"


def span(seconds: float) -> str:
    """A length of time in at most two units."""
    left = max(0, int(seconds))
    if left < MINUTE:
        return f"{left} s"
    days, left = divmod(left, int(DAY))
    hours, left = divmod(left, int(HOUR))
    minutes = left // int(MINUTE)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"))
    first = next(place for place, (number, _) in enumerate(parts) if number)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number)
