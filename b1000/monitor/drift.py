"""What comes and goes in a fleet without anybody having said so. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from operator import sub

from b1000.monitor.history import DAY, HOUR, PastRun, Subject, span
from b1000.monitor.replies import IGNORE, Replies
from b1000.monitor.severity import Verdict
from b1000.monitor.usual import median
from b1000.named import NamedTuple
from b1000.runs.states import Status


class DriftNote(NamedTuple):
    """Something to know of the fleet that is no subject's verdict, or explains one."""

    kind: str
    text: str
    verdict: Verdict = Verdict.OK
    subject: Subject = Subject("", "", "")


_NEW_FOR = 7 * DAY
_SIZES, _ALIKE = 5, 1.35  # runs whose sizes are compared, and by how much they may differ
LEAST_AGE = HOUR
AGE_AFTER_ONE = 26 * HOUR


def drift(
    histories: Mapping[Subject, Sequence[PastRun]], now: float, since: float = 0.0
) -> list[tuple[Subject, DriftNote]]:
    """Instances that vanished, came, or seem to have another host now, by name.

    Histories are in the order of time; one that begins near ``since`` may have begun before.
    """
    silent = [subject for subject, runs in histories.items() if not runs]
    histories = {subject: _own(subject, runs) for subject, runs in histories.items()}
    newest: dict[tuple[str, str], float] = {}
    for subject, runs in histories.items():
        if runs:
            key = (runs[-1].made_on, subject.job)
            newest[key] = max(newest.get(key, 0.0), runs[-1].started)
    came = _arrivals(histories, now, since)
    notes = [
        (subject, DriftNote("never_ran", f"{subject.label} is planned, and never ran"))
        for subject in silent
    ]
    moved: set[Subject] = set()
    hosts: dict[str, list[Subject]] = {}
    for subject in sorted(histories):
        hosts.setdefault(subject.host, []).append(subject)
    for host, its in hosts.items():
        if heir := _heir(its, hosts, came, histories, now):
            moved.update(its)
            notes.append((its[0], _renaming(host, its, heir, hosts[heir], (histories, now))))
        notes += _arrivals_at(host, its, came, (histories, now))
    for subject, runs in histories.items():
        if runs and now - runs[-1].started > LEAST_AGE and subject not in moved:
            others = newest[runs[-1].made_on, subject.job]
            notes += [(subject, note) for note in _departure(subject, runs, others, now)]
    return sorted(notes)


_Known = tuple[Mapping[Subject, Sequence[PastRun]], float]
"""All histories, and the time of now."""


def _heir(
    its: Sequence[Subject],
    hosts: Mapping[str, Sequence[Subject]],
    came: Mapping[Subject, float],
    histories: Mapping[Subject, Sequence[PastRun]],
    now: float,
) -> str:
    """The one host that began with all jobs of another when those stopped, if there is one."""
    ran = [subject for subject in its if histories[subject]]
    if not ran or any(
        now - histories[subject][-1].started <= _interval(histories[subject]) for subject in ran
    ):
        return ""
    found = [
        other
        for other in {each.host for each in came if each.host != its[0].host}
        if all(
            (heir := subject._replace(host=other)) in came
            and came[heir] > histories[subject][-1].started
            and _alike(histories[subject], histories[heir])
            for subject in ran
        )
        and all(each in came for each in hosts[other])
    ]
    return found[0] if len(found) == 1 else ""


def _alike(before: Sequence[PastRun], after: Sequence[PastRun]) -> bool:
    """Whether their sizes are about the same, as far as they are known."""
    old, new = ([run.bytes for run in runs[-_SIZES:] if run.bytes] for runs in (before, after))
    before_all, after_all = median(old), median(new)
    return not (before_all and after_all) or 1 / _ALIKE <= after_all / before_all <= _ALIKE


def _renaming(
    host: str, its: Sequence[Subject], heir: str, new: Sequence[Subject], known: _Known
) -> DriftNote:
    histories, now = known
    last = max(histories[each][-1].started for each in its if histories[each])
    began = min(histories[each][0].started for each in new)
    text = (
        f"{host} has not run for {span(now - last)}, and {heir} began {span(now - began)} ago with "
        f"the same jobs and about the same sizes: renamed?"
    )
    return DriftNote("renamed", text)


def _arrivals_at(
    host: str, its: Sequence[Subject], came: Mapping[Subject, float], known: _Known
) -> Iterator[tuple[Subject, DriftNote]]:
    """A host that came as one note, or those of its instances that did."""
    histories, now = known
    if len(its) > 1 and all(each in came for each in its):
        began = min(came[each] for each in its)
        lacking = sum(not any(run.good for run in histories[each]) for each in its)
        text = (
            f"host {host} is new: its first run began {span(now - began)} ago, {len(its)} subjects"
        )
        never = f", {lacking} of them never backed up" if lacking else ""
        yield its[0], DriftNote("new", text + never)
        return
    for each in its:
        if each in came:
            yield each, _arrival(each, histories[each], came[each], now)


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
    now: float,
) -> Iterator[DriftNote]:
    """``others``: when the rest of its job ran last where it ran last."""
    last = runs[-1]
    silent = others - last.started
    if silent > LEAST_AGE and silent > _interval(runs):
        text = (
            f"{subject.label} has vanished from {last.made_on}: its last run is "
            f"{span(now - last.started)} old, that of the rest of the job {span(now - others)}"
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
    starts = [run.started for run in runs]
    usual = median(list(map(sub, starts[1:], starts)))
    return AGE_AFTER_ONE if usual is None else max(LEAST_AGE, usual * 1.5)


def _arrival(subject: Subject, runs: Sequence[PastRun], start: float, now: float) -> DriftNote:
    text = f"{subject.label} is new: its first run began {span(now - start)} ago"
    if not any(run.good for run in runs):
        text += ", and it was never backed up"
    return DriftNote("new", text)
