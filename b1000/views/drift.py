"""What comes and goes in a fleet without anybody having said so. Pure."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from b1000.views.verdicts import (
    AGE_AFTER_ONE,
    DAY,
    LEAST_AGE,
    LOOKED_AT,
    Past,
    Subject,
    Verdict,
    span,
)


class Note(NamedTuple):
    """Something to know of the fleet that is no subject's verdict, or explains one."""

    kind: str
    text: str
    verdict: Verdict = Verdict.OK


_NEW_FOR = 7 * DAY


def drift(histories: Mapping[Subject, Sequence[Past]], now: float) -> list[Note]:
    """Instances that vanished, came, or seem to have another host now, by name.

    A history of fewer than ``LOOKED_AT`` runs is taken for a whole one.
    """
    last = {
        subject: max(runs, key=lambda run: run.started)
        for subject, runs in histories.items()
        if runs
    }
    newest: dict[tuple[str, str], float] = {}
    for subject, run in last.items():
        place = (run.made_on, subject.job)
        newest[place] = max(newest.get(place, 0.0), run.started)
    came = _arrivals(histories, now)
    heirs: dict[tuple[str, str], list[Subject]] = {}
    for subject in came:
        heirs.setdefault((subject.job, subject.instance), []).append(subject)
    notes = []
    for subject, run in sorted(last.items()):
        silent = now - run.started
        if silent <= LEAST_AGE:
            continue
        interval = _interval(histories[subject])
        others = newest[run.made_on, subject.job]
        heir = [
            other
            for other in heirs.get((subject.job, subject.instance), ())
            if other.host != subject.host and came[other] > run.started
        ]
        if silent > interval and len(heir) == 1:
            text = (
                f"{subject.label} has not run for {span(silent)}, and {heir[0].label} "
                f"began {span(now - came[heir[0]])} ago: renamed?"
            )
            notes.append(Note("renamed", text))
        elif others - run.started > interval:
            text = (
                f"{subject.label} has vanished from {run.made_on}: its last run is "
                f"{span(silent)} old, that of the rest of the job {span(now - others)}"
            )
            notes.append(Note("vanished", text))
    return [
        *notes,
        *(_arrival(subject, histories[subject], came[subject], now) for subject in came),
    ]


def _arrivals(histories: Mapping[Subject, Sequence[Past]], now: float) -> dict[Subject, float]:
    """When subjects began that are new in a fleet that is not."""
    first = {
        subject: min(run.started for run in runs) for subject, runs in histories.items() if runs
    }
    oldest = min(first.values(), default=now)
    return {
        subject: start
        for subject, start in sorted(first.items())
        if len(histories[subject]) < LOOKED_AT and now - start <= _NEW_FOR and start - oldest > DAY
    }


def _interval(runs: Sequence[Past]) -> float:
    """After how long a next run should have come: a usual interval and a half."""
    starts = sorted(run.started for run in runs)
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    return max(LEAST_AGE, median(gaps) * 1.5) if gaps else AGE_AFTER_ONE


def _arrival(subject: Subject, runs: Sequence[Past], start: float, now: float) -> Note:
    text = f"{subject.label} is new: its first run began {span(now - start)} ago"
    if not any(run.good for run in runs):
        text += ", and it was never backed up"
    return Note("new", text)
