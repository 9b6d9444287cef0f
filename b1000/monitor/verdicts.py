"""From the history of a subject to its verdict: is there a good, fresh, complete backup? Pure.

A subject is what is backed up: a host, a job and an instance, those of the
master where there is one, wherever the backup was made. All times are seconds
since the epoch, all ages seconds.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from b1000 import figures
from b1000.monitor.facts import LEAST_AGE, TOLERANCE, TRIAL, Facts, facts_of
from b1000.monitor.history import DAY, PastRun, PlanRow, Subject, span
from b1000.runs.states import Status, Step

_SHRUNK = 0.5  # of the usual size


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


class RuleResult(NamedTuple):
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


def judge(
    subject: Subject, history: Iterable[PastRun], plan: PlanRow | None, now: float
) -> Judgement:
    """The verdict on a subject; ``history`` in any order, with at least its last good run."""
    facts = facts_of(history, plan, now)
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


# --- the rules: each tells what it finds wrong

_EXPECTED = {
    "plan": "planned",
    "learned": "usual here",
    "default": f"expected until {int(TRIAL / DAY)} days of backups say what is usual",
}


def _never(facts: Facts) -> Iterator[RuleResult]:
    if facts.last_good:
        return
    text = "never backed up"
    if not facts.runs:
        text += ": it is planned, and no run of it is known"
    elif facts.live:
        text += f": a run is under way for {span(facts.now - facts.live[-1].started)}"
    if facts.since:
        text += f": {_failures(facts)}"
    yield RuleResult(Verdict.CRITICAL, text)


def _too_old(facts: Facts) -> Iterator[RuleResult]:
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
    yield RuleResult(Verdict.CRITICAL, text)


def _failed_since(facts: Facts) -> Iterator[RuleResult]:
    if facts.since and facts.last_good and not facts.too_old:
        good = f"the last good backup is {span(facts.age or 0)} old"
        yield RuleResult(Verdict.WARNING, f"{_failures(facts)}; {good}")


def _incomplete(facts: Facts) -> Iterator[RuleResult]:
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
    yield RuleResult(Verdict.WARNING, text)


def _shrunk(facts: Facts) -> Iterator[RuleResult]:
    last, usual = facts.last_good, facts.usual_bytes
    if last and last.bytes is not None and usual and last.bytes < usual * _SHRUNK:
        text = f"it shrank to {figures.size(last.bytes)}, {figures.size(usual)} is usual"
        yield RuleResult(Verdict.WARNING, text)


def _data_too_old(facts: Facts) -> Iterator[RuleResult]:
    last, planned = facts.last_good, facts.plan.max_data_age
    if not last or last.data_age is None:
        return
    limit = planned or _usual_data_age(facts)
    if limit is not None and last.data_age > limit:
        where = f" on {last.made_on}" if last.made_on else ""
        usual = "planned" if planned else "usual here"
        text = f"its data{where} was {span(last.data_age)} old, at most {span(limit)} is {usual}"
        yield RuleResult(Verdict.WARNING, text)


def _usual_data_age(facts: Facts) -> float | None:
    """By the rule for backups; where no earlier run tells, as old as a backup may get."""
    if facts.usual_data_age is None:
        return facts.max_age
    return max(LEAST_AGE, facts.usual_data_age * TOLERANCE)


def _data_age_unknown(facts: Facts) -> Iterator[RuleResult]:
    if facts.plan.max_data_age and facts.last_good and facts.last_good.data_age is None:
        text = (
            f"how old its data was is unknown, at most {span(facts.plan.max_data_age)} is planned"
        )
        yield RuleResult(Verdict.WARNING, text)


def _takes_long(facts: Facts) -> Iterator[RuleResult]:
    limit = facts.plan.max_copy_time
    for run in facts.live if limit else ():
        taken = facts.now - (run.copying_since or run.started)
        if limit and taken > limit:
            what = f"a run on {run.made_on}" if run.made_on else "a run"
            text = f"{what} is at {run.step} for {span(taken)}, at most {span(limit)} is planned"
            yield RuleResult(Verdict.WARNING, text)


def _clock(facts: Facts) -> Iterator[RuleResult]:
    run = next((run for run in reversed(facts.ahead) if not run.acknowledged), None)
    if run:
        whose = f"the clock of {run.made_on}" if run.made_on else "a clock"
        far = span(run.started - facts.now)
        yield RuleResult(Verdict.WARNING, f"{whose} was {far} ahead of ours: a run is dated so")


RULES: tuple[Callable[[Facts], Iterator[RuleResult]], ...] = (
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


def _all_is_well(facts: Facts) -> str:
    last = facts.last_good
    assert last is not None
    assert facts.age is not None
    copies = f"{last.done} of {last.total} copies"
    running = ", a new one is under way" if facts.live else ""
    return f"{span(facts.age)} old, {copies}{running}"


def _failures(facts: Facts) -> str:
    last = facts.since[-1]
    where = f" on {last.made_on}" if last.made_on else ""
    ago = f"{span(facts.now - last.started)} ago"
    if len(facts.since) == 1:
        run = "a later run" if facts.last_good else "its only run"
        return f"{run}{where}, {ago}, made no copy: it {_ending(last)}"
    runs = f"{len(facts.since)} {'later ' if facts.last_good else ''}runs"
    return f"{runs} made no copy, the last{where} {ago} {_ending(last)}"


def _ending(run: PastRun) -> str:
    """How a run ended, as a verb and why."""
    why = f": {run.error}" if run.error else ""
    if run.status == Status.FAILED:
        return f"FAILED at {run.step}{why}"
    if run.step == Step.DONE:
        return f"ended with {run.status}{why}"
    return f"never came to its end, {run.step} is the last that is known of it"
