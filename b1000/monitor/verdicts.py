"""From the history of a subject to its verdict: is there a good, fresh, complete backup? Pure.

A subject is what is backed up: a host, a job and an instance, those of the
master where there is one, wherever the backup was made. All times are seconds
since the epoch, all ages seconds.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from b1000.monitor.bands import UNUSUAL
from b1000.monitor.facts import Facts, facts_of
from b1000.monitor.finding import RuleResult, ending
from b1000.monitor.freshness import AGE_AFTER_ONE, TRIAL
from b1000.monitor.history import DAY, HOUR, PastRun, PlanRow, Subject, span
from b1000.monitor.judgement import Judgement, Reason
from b1000.monitor.replies import Reply, acknowledged, softened
from b1000.monitor.severity import SEVERITY, Verdict, worst
from b1000.monitor.usual import median
from b1000.monitor.witnesses import NOTHING_TOLD, Witnesses, wrong
from b1000.runs.states import Step

GONE_FOR = 30 * DAY
"""So long a destination that is gone is missed."""
_NO_RUN = PastRun(0.0, data_age=None)

__all__ = ["Judgement", "Reason", "RuleResult", "Verdict", "judge", "worst"]


def judge(
    subject: Subject,
    history: Iterable[PastRun],
    plan: PlanRow | None,
    now: float,
    ack: Reply | None = None,
    *,
    stored: Witnesses = NOTHING_TOLD,
) -> Judgement:
    """The verdict on a subject; ``history`` in any order, with at least its last good run.

    ``ack``: by which what is wrong was acknowledged, if it was. ``stored``: what storages tell.
    """
    facts = facts_of(history, plan, now)
    findings = _findings(facts, stored)
    last = facts.last_good
    kept, newest = last or _NO_RUN, facts.runs[-1] if facts.runs else _NO_RUN
    shown = last or newest
    verdict = findings[0].verdict if findings else Verdict.OK
    reason = "; ".join([finding.text for finding in findings]) or _all_is_well(facts)
    known = acknowledged(findings, ack, last.started if last else None, now)
    if known:
        verdict, reason = softened(verdict), f"acknowledged {known.text}; {reason}"
    return Judgement(
        subject,
        verdict,
        reason,
        last.started if last else None,
        facts.age,
        facts.max_age,
        facts.expected.by,
        kept.data_age,
        kept.bytes,
        median([size for size in facts.good.bytes[-16:-1] if size]),
        shown.done,
        shown.total,
        newest.started if facts.runs else None,
        facts.unlearned,
        shown.relayed_by,
        tuple([Reason(finding.code, finding.text) for finding in findings]),
        (*kept.lacking, *gone(facts)) if not kept.acknowledged else (),
        kept.places,
        newest.lacking,
        newest.made_on,
        acknowledged=known,
        longest=facts.expected.longest,
        stored=stored,
        offset=newest.offset, rests=facts.rests, missed=facts.missed, before=facts.before,
        newcomer=facts.newcomer,
    )  # fmt: skip


def _findings(facts: Facts, stored: Witnesses) -> list[RuleResult]:
    """The worst first."""
    found = [finding for rule in RULES for finding in rule(facts)]
    if stored is not NOTHING_TOLD:
        found += wrong(stored, facts.last_good, facts.now)
    return sorted(found, key=lambda finding: -SEVERITY[finding.verdict])


# --- the rules: each tells what it finds wrong

_EXPECTED = {
    "plan": "planned",
    "learned": "usual here",
    "default": f"expected until {int(TRIAL / DAY)} days of backups say what is usual",
}
_CRITICAL, _WARNING = Verdict.CRITICAL, Verdict.WARNING


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
    yield RuleResult(_CRITICAL, text, "never")


def _not_fresh(facts: Facts) -> Iterator[RuleResult]:
    """Two steps: missed, and too old."""
    if not facts.late or facts.age is None or facts.max_age is None:
        return
    parts = []
    if facts.due is not None and facts.expected.by != "plan":
        parts.append(f"missed: expected by {_clock_text(facts)}; last good {_ago(facts.age)} ago")
    if facts.too_old:
        parts.append(
            f"the last good backup is {span(facts.age)} old, "
            f"at most {span(facts.max_age)} is {_usually(facts)}"
        )
    running = [run for run in facts.live if run is not facts.last_good]
    if facts.since:
        parts.append(_failures(facts))
    if running:
        parts.append(f"a run is at {running[-1].step} for {span(facts.now - running[-1].started)}")
    elif not facts.since:
        parts.append("nothing has run since")
    verdict, code = (_CRITICAL, "too_old") if facts.too_old else (_WARNING, "missed")
    yield RuleResult(verdict, "; ".join(parts), code)


def _ago(age: float) -> str:
    """A night that was missed is told in hours."""
    return f"{age // HOUR:.0f} h" if DAY <= age < 2 * DAY else span(age)


def _usually(facts: Facts) -> str:
    """Who says how old it may be."""
    if facts.expected.by == "default" and facts.max_age == AGE_AFTER_ONE:
        return "expected after a single backup"
    by_hour = " at this hour of the week" if facts.expected.profile else ""
    return _EXPECTED[facts.expected.by] + by_hour


def _clock_text(facts: Facts) -> str:
    """When it was expected, on the clock of its host."""
    assert facts.due is not None
    here = facts.now + facts.runs[-1].offset
    moment = datetime.fromtimestamp(facts.due, UTC)
    return f"{moment:%a %H:%M}" if here - facts.due < 6 * DAY else f"{moment:%Y-%m-%d %H:%M}"


def _failed_since(facts: Facts) -> Iterator[RuleResult]:
    if facts.since and facts.last_good and not facts.late:
        good = f"the last good backup is {span(facts.age or 0)} old"
        yield RuleResult(_WARNING, f"{_failures(facts)}; {good}", "failed")


def _incomplete(facts: Facts) -> Iterator[RuleResult]:
    last = facts.last_good
    if not last or last.complete or (last.acknowledged and last.done):
        return
    lacking = last.total - last.done - last.vanished
    code = "incomplete"
    if last in facts.live:
        text = f"{last.done} of {last.total} copies are there, the run is still at {last.step}"
    elif lacking > 0:
        where = f": {', '.join(last.missing)}" if last.missing else ""
        verb = "is" if lacking == 1 else "are"
        text = f"{lacking} of {last.total} copies of the last good backup {verb} missing{where}"
    elif last.vanished:
        if last.step == Step.DONE and _always_vanish(facts):
            return
        text = "files vanished while the last good backup copied them"
        code = "vanished"
    else:
        text = f"the last good backup has its copies, and its run {ending(last)}"
        code = "run_failed"
    yield RuleResult(_WARNING, text, code)


def _always_vanish(facts: Facts) -> bool:
    """Whether files vanish in every run, as far as is known: of five at least."""
    some = facts.earlier[-5:]
    return len(some) == 5 and all(run.status == "WARNING" for run in some)


def gone(facts: Facts) -> tuple[str, ...]:
    """Destinations that it had in the last 30 days, and has no more."""
    last = facts.last_good
    if not last or not last.places or last in facts.live:
        return ()
    # Of most it is not known.
    others = {*facts.columns.places} - {(), last.places}
    if others:
        others &= {run.places for run in facts.runs if 0 < last.started - run.started <= GONE_FOR}
    if not others:
        return ()
    known = {place for places in others for place in places}
    now = {*last.places, *last.lacking}
    return tuple(sorted(known - now))


def _destination_gone(facts: Facts) -> Iterator[RuleResult]:
    last = facts.last_good
    if lost := gone(facts):
        if last and last.acknowledged:
            return
        are = "is no longer a destination" if len(lost) == 1 else "are no longer destinations"
        text = f"{', '.join(lost)} {are} of it, and had copies within 30 days"
        yield RuleResult(_WARNING, text, "destination_gone")


RULES: tuple[Callable[[Facts], Iterator[RuleResult]], ...] = (
    _never,
    _not_fresh,
    _failed_since,
    _incomplete,
    _destination_gone,
    *UNUSUAL,
)


# --- words


def _all_is_well(facts: Facts) -> str:
    last = facts.last_good
    assert last is not None
    assert facts.age is not None
    copies = f"{last.done} of {last.total} copies"
    running = ", a new one is under way" if facts.live else ""
    usual = ", files vanished as usual" if last.vanished else ""
    return f"{span(facts.age)} old, {copies}{running}{usual}"


def _failures(facts: Facts) -> str:
    last = facts.since[-1]
    where = f" on {last.made_on}" if last.made_on else ""
    ago = f"{span(facts.now - last.started)} ago"
    made = "copied nothing" if last.empty else "made no copy"
    if len(facts.since) == 1:
        run = "a later run" if facts.last_good else "its only run"
        return f"{run}{where}, {ago}, {made}: it {ending(last)}"
    runs = f"{len(facts.since)} {'later ' if facts.last_good else ''}runs"
    return f"{runs} made no copy, the last{where} {ago} {ending(last)}"
