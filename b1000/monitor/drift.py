"""What comes and goes in a fleet without anybody having said so. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import sub

from b1000.monitor.facts import MOST_SKEW
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


class Trace(NamedTuple):
    """What comes and goes is told by of one subject, of whose runs some are known.

    ``began`` and ``last`` are when the first and the last began, ``due`` is after how long a next
    one should have come, ``size`` what its last backups have, and ``good`` whether there is one.
    """

    began: float
    last: float
    made_on: str
    due: float
    size: float | None
    good: bool


def trace_of(subject: Subject, runs: Sequence[PastRun], now: float) -> Trace | None:
    """``runs`` in the order of time; None where none says whether the instance is listed."""
    if runs and runs[-1].started > now + MOST_SKEW:
        # A clock so far ahead says nothing of when the others should have run.
        runs = [run for run in runs if run.started <= now + MOST_SKEW]
    if subject.instance:
        # A failure of the job itself does not.
        runs = [run for run in runs if run.listed_as or run.master_instance]
    if not runs:
        return None
    return Trace(
        runs[0].started,
        runs[-1].started,
        runs[-1].made_on,
        _interval(runs),
        median([run.bytes for run in runs[-_SIZES:] if run.bytes]),
        any(run.good for run in runs),
    )


def drift(
    silent: Collection[Subject],
    traces: Mapping[Subject, Trace | None],
    now: float,
    since: float = 0.0,
) -> list[tuple[Subject, DriftNote]]:
    """Instances that vanished, came, or seem to have another host now, by name.

    ``silent`` have no run at all. One that began near ``since`` may have begun before.
    """
    known = {subject: trace for subject, trace in traces.items() if trace}
    newest: dict[tuple[str, str], float] = {}
    for subject, trace in known.items():
        key = (trace.made_on, subject.job)
        newest[key] = max(newest.get(key, 0.0), trace.last)
    came = _arrivals(known, now, since)
    notes = [
        (subject, DriftNote("never_ran", f"{subject.label} is planned, and never ran"))
        for subject in silent
    ]
    moved: set[Subject] = set()
    hosts: dict[str, list[Subject]] = {}
    for subject in sorted(traces):
        hosts.setdefault(subject.host, []).append(subject)
    for host, its in hosts.items():
        if heir := _heir(its, hosts, came, known, now):
            moved.update(its)
            notes.append((its[0], _renaming(host, its, heir, hosts[heir], (known, now))))
        notes += _arrivals_at(host, its, came, (known, now))
    for subject, trace in known.items():
        if now - trace.last > LEAST_AGE and subject not in moved:
            others = newest[trace.made_on, subject.job]
            notes += [(subject, note) for note in _departure(subject, trace, others, now)]
    return sorted(notes)


_Known = tuple[Mapping[Subject, Trace], float]
"""All traces, and the time of now."""


def _heir(
    its: Sequence[Subject],
    hosts: Mapping[str, Sequence[Subject]],
    came: Collection[Subject],
    traces: Mapping[Subject, Trace],
    now: float,
) -> str:
    """The one host that began with all jobs of another when those stopped, if there is one."""
    ran = [subject for subject in its if subject in traces]
    if not ran or any(now - traces[each].last <= traces[each].due for each in ran):
        return ""
    found = [
        other
        for other in {each.host for each in came if each.host != its[0].host}
        if all(
            (heir := subject._replace(host=other)) in came
            and traces[heir].began > traces[subject].last
            and _alike(traces[subject].size, traces[heir].size)
            for subject in ran
        )
        and all(each in came for each in hosts[other])
    ]
    return found[0] if len(found) == 1 else ""


def _alike(before: float | None, after: float | None) -> bool:
    """Whether sizes are about the same, as far as they are known."""
    return not (before and after) or 1 / _ALIKE <= after / before <= _ALIKE


def _renaming(
    host: str, its: Sequence[Subject], heir: str, new: Sequence[Subject], known: _Known
) -> DriftNote:
    traces, now = known
    last = max(traces[each].last for each in its if each in traces)
    began = min(traces[each].began for each in new)
    text = (
        f"{host} has not run for {span(now - last)}, and {heir} began {span(now - began)} ago with "
        f"the same jobs and about the same sizes: renamed?"
    )
    return DriftNote("renamed", text)


def _arrivals_at(
    host: str, its: Sequence[Subject], came: Collection[Subject], known: _Known
) -> Iterator[tuple[Subject, DriftNote]]:
    """A host that came as one note, or those of its instances that did."""
    traces, now = known
    if len(its) > 1 and all(each in came for each in its):
        began = min(traces[each].began for each in its)
        lacking = sum(not traces[each].good for each in its)
        text = (
            f"host {host} is new: its first run began {span(now - began)} ago, {len(its)} subjects"
        )
        never = f", {lacking} of them never backed up" if lacking else ""
        yield its[0], DriftNote("new", text + never)
        return
    for each in its:
        if each in came:
            yield each, _arrival(each, traces[each], now)


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


def _departure(subject: Subject, trace: Trace, others: float, now: float) -> Iterator[DriftNote]:
    """``others``: when the rest of its job ran last where it ran last."""
    silent = others - trace.last
    if silent > LEAST_AGE and silent > trace.due:
        text = (
            f"{subject.label} has vanished from {trace.made_on}: its last run is "
            f"{span(now - trace.last)} old, that of the rest of the job {span(now - others)}"
        )
        yield DriftNote("vanished", text)


def _arrivals(traces: Mapping[Subject, Trace], now: float, since: float) -> set[Subject]:
    """Subjects that are new in a fleet that is not."""
    oldest = min((trace.began for trace in traces.values()), default=now)
    oldest = max(oldest, since)
    return {
        subject
        for subject, trace in traces.items()
        if now - trace.began <= _NEW_FOR and trace.began - oldest > DAY
    }


def _interval(runs: Sequence[PastRun]) -> float:
    """After how long a next run should have come: a usual interval and a half."""
    starts = [run.started for run in runs]
    usual = median(list(map(sub, starts[1:], starts)))
    return AGE_AFTER_ONE if usual is None else max(LEAST_AGE, usual * 1.5)


def _arrival(subject: Subject, trace: Trace, now: float) -> DriftNote:
    text = f"{subject.label} is new: its first run began {span(now - trace.began)} ago"
    if not trace.good:
        text += ", and it was never backed up"
    return DriftNote("new", text)
