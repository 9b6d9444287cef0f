"""What comes and goes in a fleet without anybody having said so. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from b1000.monitor.history import DAY, HOUR, PastRun, Subject, span
from b1000.monitor.replies import IGNORE, Replies
from b1000.monitor.severity import Verdict
from b1000.runs.states import Status


class DriftNote(NamedTuple):
    """Something to know of the fleet that is no subject's verdict, or explains one."""

    kind: str
    text: str
    verdict: Verdict = Verdict.OK
    subject: Subject = Subject("", "", "")


_NEW_FOR = 7 * DAY
LEAST_AGE = HOUR
AGE_AFTER_ONE = 26 * HOUR


def drift(
    histories: Mapping[Subject, Sequence[PastRun]], now: float, since: float = 0.0
) -> list[tuple[Subject, DriftNote]]:
    """Instances that vanished, came, or seem to have another host now, by name.

    Histories are in the order of time; one that begins near ``since`` may have begun before.
    """
    histories = {subject: _own(subject, runs) for subject, runs in histories.items()}
    newest: dict[tuple[str, str], float] = {}
    for subject, runs in histories.items():
        if runs:
            key = (runs[-1].made_on, subject.job)
            newest[key] = max(newest.get(key, 0.0), runs[-1].started)
    came = _arrivals(histories, now, since)
    heirs: dict[tuple[str, str], dict[Subject, float]] = {}
    for subject, began in came.items():
        heirs.setdefault((subject.job, subject.instance), {})[subject] = began
    notes = []
    for subject, runs in histories.items():
        if not runs or now - runs[-1].started <= LEAST_AGE:
            continue
        others = newest[runs[-1].made_on, subject.job]
        new = heirs.get((subject.job, subject.instance), {})
        if others > runs[-1].started + LEAST_AGE or new:
            notes += [(subject, note) for note in _departure(subject, runs, others, new, now)]
    notes += [(each, _arrival(each, histories[each], start, now)) for each, start in came.items()]
    return sorted(notes)


def ignored_that_failed(
    histories: Mapping[Subject, Sequence[PastRun]],
    replies: Mapping[Subject, Replies],
    now: float,
) -> list[tuple[Subject, DriftNote]]:
    """Subjects that nobody wants to know of, and that ran and FAILED since that was said."""
    notes = []
    for subject, runs in sorted(histories.items()):
        said = replies.get(subject, {}).get(IGNORE)
        since = max(now - _NEW_FOR, said.when if said else 0.0)
        last = runs[-1] if runs else None
        if last and last.status == Status.FAILED and since < last.started <= now:
            why = f": {last.error}" if last.error else ""
            ago = span(now - last.started)
            text = f"{subject.label} is ignored, and ran and FAILED {ago} ago{why}"
            notes.append((subject, DriftNote("ignored", text)))
    return notes


def _own(subject: Subject, runs: Sequence[PastRun]) -> Sequence[PastRun]:
    """Without failures of the job itself, which say nothing of whether an instance is listed."""
    if not subject.instance:
        return runs
    return [run for run in runs if run.listed_as or run.master_instance]


def _departure(
    subject: Subject,
    runs: Sequence[PastRun],
    others: float,
    new: Mapping[Subject, float],
    now: float,
) -> Iterator[DriftNote]:
    """``others``: when the rest of its job ran last where it ran last; ``new``: what came."""
    last = runs[-1]
    interval = _interval(runs)
    silent = now - last.started
    heir = [
        each for each, began in new.items() if each.host != subject.host and began > last.started
    ]
    if silent > interval and len(heir) == 1:
        text = (
            f"{subject.label} has not run for {span(silent)}, and {heir[0].label} "
            f"began {span(now - new[heir[0]])} ago: renamed?"
        )
        yield DriftNote("renamed", text)
    elif others - last.started > interval:
        text = (
            f"{subject.label} has vanished from {last.made_on}: its last run is "
            f"{span(silent)} old, that of the rest of the job {span(now - others)}"
        )
        yield DriftNote("vanished", text)


def _arrivals(
    histories: Mapping[Subject, Sequence[PastRun]], now: float, since: float
) -> dict[Subject, float]:
    """When subjects began that are new in a fleet that is not."""
    oldest = min((runs[0].started for runs in histories.values() if runs), default=now)
    oldest = max(oldest, since)
    return {
        subject: runs[0].started
        for subject, runs in histories.items()
        if runs and now - runs[0].started <= _NEW_FOR and runs[0].started - oldest > DAY
    }


def _interval(runs: Sequence[PastRun]) -> float:
    """After how long a next run should have come: a usual interval and a half."""
    gaps = [later.started - earlier.started for earlier, later in pairwise(runs)]
    return max(LEAST_AGE, median(gaps) * 1.5) if gaps else AGE_AFTER_ONE


def _arrival(subject: Subject, runs: Sequence[PastRun], start: float, now: float) -> DriftNote:
    text = f"{subject.label} is new: its first run began {span(now - start)} ago"
    if not any(run.good for run in runs):
        text += ", and it was never backed up"
    return DriftNote("new", text)
