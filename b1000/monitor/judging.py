"""Reads a fleet and judges it, by two processes where it is large."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from b1000.jobs import Report
from b1000.monitor import fleet, halves, meeting
from b1000.monitor.causes import Destination
from b1000.monitor.changes import then
from b1000.monitor.days import Days, days_of
from b1000.monitor.destinations import read_destinations
from b1000.monitor.drift import DriftNote, Trace, ignored_that_failed, trace_of
from b1000.monitor.extents import Extent, Hosts, Scope
from b1000.monitor.fleet import Fleet, Known
from b1000.monitor.histories import Histories, Stray
from b1000.monitor.history import DAY, Subject
from b1000.monitor.judgement import Judgement
from b1000.monitor.needed_copies import Moments
from b1000.monitor.severity import Verdict
from b1000.monitor.verdicts import judge
from b1000.named import NamedTuple
from b1000.reports.source import DatabaseSource
from b1000.wire import Wire

_LAST_SEEN: list[Fleet] = []
"""Kept until another is read, or the process ends: it takes long to free so many runs."""


class Task(NamedTuple):
    """What is asked of which database. Empty names mean all.

    ``extent`` is None where one host alone is asked for. ``earlier`` is with when all is compared,
    or what is bad alone where not ``all_turns`` are asked for. ``days``: of so many of the past it
    is told what each held. ``write`` makes a text of each verdict.
    """

    settings: Report
    known: Known
    extent: Extent | None
    now: float
    earlier: float
    all_turns: bool = False
    host: str = ""
    job: str = ""
    days: int = 0
    write: Callable[[Judgement], str] | None = None

    @property
    def moments(self) -> Moments:
        """For when it is judged."""
        return Moments(self.now, self.earlier)

    def wants(self, subject: Subject) -> bool:
        """Whether it is asked about this one."""
        return self.job in ("", subject.job) and self.host in ("", subject.host)


class Judged(NamedTuple):
    """What was found of the subjects whose runs a process has read.

    ``verdicts`` are those of now and of then, where that was asked for, by name; ``texts`` what
    ``Task.write`` made of those of now; ``traces`` of all that are not ignored; ``relayed`` is as
    ``histories.told`` needs it. ``since``: what is older may be unknown.
    """

    verdicts: Sequence[tuple[Judgement, Judgement | None]]
    texts: Mapping[Subject, str]
    traces: Mapping[Subject, Trace | None]
    silent: Sequence[Subject]
    strays: Sequence[Stray]
    relayed: Mapping[str, float]
    ignored: Sequence[Subject]
    ignored_notes: Sequence[tuple[Subject, DriftNote]]
    days: Mapping[Subject, Days]
    since: float
    destinations: Sequence[Destination]

    @property
    def subjects(self) -> set[Subject]:
        """All of them."""
        return {*self.traces, *self.ignored}


def judged(task: Task) -> Judged:
    """All that is asked. Raises NotDelivered where the database does not answer."""
    extent = task.extent
    if extent and extent.half and halves.worth_it(extent.daily):
        try:
            return _by_two(task, extent.half)
        except halves.OtherGoneError:
            pass
    return _half(task, Scope(task.host, task.job), meeting.alone)


def _by_two(task: Task, half: str) -> Judged:
    """Each reads and judges what hosts on one side of a name have told."""

    def others(wire: Wire) -> None:
        scope = Scope(job=task.job, hosts=Hosts(since=half))
        meet = meeting.second(wire.send, wire.recv)
        wire.send(_half(task, scope, meet))

    with halves.Other(others) as other:
        scope = Scope(job=task.job, hosts=Hosts(before=half))
        meet = meeting.first(other.tell, other.hear)
        found = _half(task, scope, meet)
        return _together(found, other.hear())


def _half(task: Task, scope: Scope, meet: meeting.Meeting) -> Judged:
    """What hosts of the scope have told, by a connection of its own."""
    known = task.known
    with DatabaseSource(task.settings) as source:
        reading = Histories(source, task.moments, scope)
        reading.read(task.extent)
        # Which a server adds up while it is found out whose the runs are.
        destinations: Callable[[], Sequence[Destination]] = tuple
        if not scope.hosts.since:
            destinations = read_destinations(source, task.now, task.host, task.job)
        planned = meet(reading.found, known.plans)
        histories, strays = reading.all(
            [subject for subject in planned if not known.is_ignored(subject, task.now)]
        )
        places = destinations()
    seen = fleet.divided(known, histories, planned, task.now)
    _LAST_SEEN[:] = [seen]
    verdicts, traces = _looked_at(seen, task)
    return Judged(
        verdicts,
        {each.subject: task.write(each) for each, _ in verdicts} if task.write else {},
        traces,
        [subject for subject, runs in seen.histories.items() if not runs],
        [each for each in strays if not known.is_ignored(each.subject, task.now)],
        reading.relayed,
        [*seen.ignored],
        ignored_that_failed(seen.ignored, known.replies, task.now),
        _days(seen, task, reading.since),
        reading.since,
        places,
    )


_Verdict = tuple[Judgement, Judgement | None]


def _looked_at(seen: Fleet, task: Task) -> tuple[list[_Verdict], dict[Subject, Trace | None]]:
    """Both of one subject after the other: it takes longer to look for its runs in memory."""
    verdicts, traces = [], {}
    for subject, runs in seen.histories.items():
        if task.wants(subject):
            verdicts.append(_verdict(seen, subject, task))
        traces[subject] = trace_of(subject, runs, task.now)
    return verdicts, traces


def _verdict(seen: Fleet, subject: Subject, task: Task) -> _Verdict:
    """Now, and then where that was asked for."""
    runs, plan = seen.histories[subject], seen.known.plans.get(subject)
    ack, stored = seen.known.ack(subject), seen.known.told_of(subject, runs)
    judgement = judge(subject, runs, plan, task.now, ack, stored=stored)
    if not task.all_turns and judgement.verdict is Verdict.OK:
        return judgement, None
    return judgement, then(subject, runs, plan, task.earlier, ack, stored=stored)


def _days(seen: Fleet, task: Task, since: float) -> dict[Subject, Days]:
    if not task.days:
        return {}
    # As many as are known of where there are too many runs to read them all.
    shown = max(1, min(task.days, int((task.now - since) // DAY)))
    return days_of(seen.histories, date.fromtimestamp(task.now), shown)


def _together(one: Judged, other: Judged) -> Judged:
    """Of both. What came to light late may be of both: then nobody has seen all of it."""
    if one.subjects & other.subjects:
        raise halves.OtherGoneError
    return Judged(
        [*one.verdicts, *other.verdicts],
        {**one.texts, **other.texts},
        {**one.traces, **other.traces},
        [*one.silent, *other.silent],
        [*one.strays, *other.strays],
        {
            job: max(one.relayed.get(job, 0.0), other.relayed.get(job, 0.0))
            for job in one.relayed.keys() | other.relayed.keys()
        },
        [*one.ignored, *other.ignored],
        [*one.ignored_notes, *other.ignored_notes],
        {**one.days, **other.days},
        one.since,
        one.destinations,
    )
