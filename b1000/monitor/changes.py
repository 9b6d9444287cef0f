"""What the verdict on a subject was at an earlier moment. Pure."""

from collections.abc import Sequence

from b1000.monitor.history import PastRun, PlanRow, Subject
from b1000.monitor.replies import Reply
from b1000.monitor.verdicts import Judgement, judge
from b1000.monitor.witnesses import Witnesses


def then(
    subject: Subject,
    runs: Sequence[PastRun],
    plan: PlanRow | None,
    when: float,
    ack: Reply | None = None,
    *,
    stored: Witnesses,
) -> Judgement | None:
    """By what was known at that time; None where the subject was not known either."""
    known = [_as_it_was(run, when) for run in runs if run.started <= when]
    said = ack if ack and ack.when <= when else None
    return judge(subject, known, plan, when, said, stored=stored) if known or plan else None


def had_ended(run: PastRun, when: float) -> bool:
    """Whether it had by that time; of one without an end nothing else is known now."""
    return run.duration is None or run.started + run.duration <= when or not run.ended


def _as_it_was(run: PastRun, when: float) -> PastRun:
    """One that had not ended yet had no copy that is known of."""
    if had_ended(run, when):
        return run
    return run._replace(
        step="COPYING", status="OK", done=0, vanished=0, bytes=None, files=None, duration=None,
        missing=(), lacking=(), places=(), error="",
    )  # fmt: skip
