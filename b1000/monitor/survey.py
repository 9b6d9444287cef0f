"""``b1000 monitor``: one survey of the fleet. Is there a good, fresh, complete backup of all?"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from b1000.config.loader import Config
from b1000.errors import B1000Error, counted
from b1000.jobs import Report
from b1000.monitor import fleet
from b1000.monitor.causes import Cause, Destination, causes, explained, with_subjects
from b1000.monitor.days import Days
from b1000.monitor.drift import DriftNote, drift
from b1000.monitor.extents import extent_of
from b1000.monitor.histories import told
from b1000.monitor.history import DAY, PlanRow, Subject
from b1000.monitor.holidays import DayOff, days_off, settled, softened
from b1000.monitor.judging import Judged, Task, judged
from b1000.monitor.verdicts import Judgement, Verdict, worst
from b1000.named import NamedTuple
from b1000.reports.source import DatabaseSource
from b1000.reports.target import NotDelivered

SHOWN_DAYS = 30
"""Of the past, on the page."""

ORDER = {Verdict.CRITICAL: 0, Verdict.WARNING: 1, Verdict.UNKNOWN: 2, Verdict.OK: 3}


class NoVerdict(B1000Error):
    """The question cannot be answered: exit code 3."""


class Survey(NamedTuple):
    """The answer. ``judgements`` stand in the order of names; ``days`` only if they were asked."""

    when: float
    report: str
    judgements: Sequence[Judgement]
    notes: Sequence[DriftNote]
    days: Mapping[Subject, Days] | None = None
    learned: int | None = None
    unlearned: Sequence[Judgement] = ()
    """Those of which nothing was learned though they were backed up, each with its reason."""
    causes: Sequence[Cause] = ()
    destinations: Sequence[Destination] = ()
    ignored: int = 0
    since: float = 0.0
    """Compared with so many seconds ago, where that was asked."""
    texts: Mapping[Subject, str] = {}
    """Of some of the judgements, as they were asked for."""

    @property
    def verdict(self) -> Verdict:
        """That of the fleet."""
        return worst(
            [each.verdict for each in self.judgements]
            + [note.verdict for note in self.notes if note.verdict is not Verdict.OK]
        )

    @property
    def explained(self) -> dict[Subject, Cause]:
        """The subjects of which a cause tells all."""
        return explained(self.judgements, self.causes)

    @property
    def counts(self) -> Counter[Verdict]:
        """How many subjects have which verdict."""
        return Counter(each.verdict for each in self.judgements)


class MonitorQuestion(NamedTuple):
    """What is asked: empty names mean all. ``days``: how many the page shows.

    ``since``: seconds ago, with which all is compared.
    """

    report: str = ""
    job: str = ""
    host: str = ""
    learn: bool = False
    days: int = 0
    since: float = 0.0

    def wants(self, subject: Subject) -> bool:
        """Whether it is asked about this one."""
        return self.job in ("", subject.job) and self.host in ("", subject.host)


def database(config: Config, name: str) -> Report:
    """The report that is asked: the one of that name, or the only one in a database."""
    known = {each.name: each for each in config.reports.values() if each.is_database}
    listed = f"there is {', '.join(sorted(known))}" if known else "there is none"
    mistakes = [
        problem.shown(config.file)
        for problem in config.errors
        if problem.section == f"report:{name}"
        or (not name and not known and problem.section.startswith("report:"))
    ]
    if mistakes:
        raise NoVerdict("; ".join(mistakes))
    if name:
        if name not in known:
            raise NoVerdict(f"{name} is no report of type mysql or sqlite in {config.file}", listed)
        return known[name]
    if len(known) != 1:
        hint = f"choose one with --report: {', '.join(sorted(known))}" if known else listed
        raise NoVerdict(f"{config.file} has not exactly one report of type mysql or sqlite", hint)
    return next(iter(known.values()))


def survey(
    settings: Report,
    question: MonitorQuestion,
    now: float | None = None,
    write: Callable[[Judgement], str] | None = None,
) -> Survey:
    """Ask the database of a report. Raises NoVerdict where it does not answer.

    ``write`` is used by all processes that judge, for ``Survey.texts``.
    """
    moment = time.time() if now is None else now
    learned = None
    unlearned: list[Judgement] = []
    try:
        task = _task(settings, question, moment)._replace(write=write)
        seen = judged(task)
        judgements, off = _with_days_off(seen, task)
        if question.learn:
            learned, unlearned = _learned(settings, judgements, task.known.plans)
    except NotDelivered as error:
        raise NoVerdict(
            f"the database of report {settings.name} does not answer: {error}"
        ) from None
    notes = [
        note._replace(subject=each) for each, note in _notes(seen, moment) if question.wants(each)
    ]
    common = causes(judgements, moment, seen.destinations, off)
    return Survey(
        moment,
        settings.name,
        judgements,
        notes,
        seen.days if question.days else None,
        learned,
        unlearned,
        common,
        with_subjects(seen.destinations, judgements, common),
        sum(map(question.wants, seen.ignored)),
        question.since,
        _texts(seen, judgements),
    )


def _task(settings: Report, question: MonitorQuestion, now: float) -> Task:
    """What is known beside runs, and how much of those is to be read."""
    with DatabaseSource(settings) as source:
        known = fleet.known(source, question.host, question.job)
        earlier = now - question.since if question.since else None
        extent = None if question.host else extent_of(source, now, question.job, earlier)
    return Task(
        settings,
        known,
        extent,
        now,
        now - (question.since or DAY),
        bool(question.since),
        question.host,
        question.job,
        question.days,
    )


def _learned(
    settings: Report, judgements: Sequence[Judgement], plans: Mapping[Subject, PlanRow]
) -> tuple[int, list[Judgement]]:
    """How many plans were made, and of which subjects none could be."""
    with DatabaseSource(settings, read_only=False) as source:
        learned = fleet.learn(source, judgements, plans)
    return learned, [each for each in judgements if each.unlearned and each.subject not in plans]


def _notes(seen: Judged, now: float) -> list[tuple[Subject, DriftNote]]:
    return [
        *told(seen.strays, seen.relayed),
        *drift(seen.silent, seen.traces, now, seen.since),
        *sorted(seen.ignored_notes),
    ]


def _texts(seen: Judged, judgements: Sequence[Judgement]) -> dict[Subject, str]:
    """Of those that are still as they were judged first, without a look at others."""
    if not seen.texts:
        return {}
    first = {each.subject: each for each, _ in seen.verdicts}
    return {
        each.subject: seen.texts[each.subject] for each in judgements if each is first[each.subject]
    }


def _with_days_off(seen: Judged, task: Task) -> tuple[list[Judgement], list[DayOff]]:
    """The verdicts by name, each with what it was then where that was another, and days off.

    What turned is told of all where that was asked, else of what is bad.
    """
    both = sorted(seen.verdicts, key=lambda each: each[0].subject)
    found = [judgement for judgement, _ in both]
    found = settled(found, found)
    off = days_off(found, task.now)
    before = settled([was for _, was in both if was], found)
    # Most that did not run on a day off were judged then by themselves.
    was_off = softened(before, [*off, *days_off(before, task.earlier)])
    return _with_turns(softened(found, off), was_off), off


def _with_turns(found: Sequence[Judgement], before: Sequence[Judgement]) -> list[Judgement]:
    """The same, each with the verdict of before where that was another."""
    verdicts = {each.subject: each.verdict for each in before}
    return [
        each
        if verdicts.get(each.subject, each.verdict) is each.verdict
        else each._replace(changed=verdicts[each.subject].value)
        for each in found
    ]


def worst_first(found: Survey) -> list[Judgement]:
    """By verdict, then what is oldest against its limit; newly wrong before long known."""
    return sorted(
        found.judgements,
        key=lambda each: (
            ORDER[each.verdict],
            -round(each.ratio, 1),
            each.acknowledged is not None,
            not each.changed,
            each.subject,
        ),
    )


def summary(found: Survey) -> str:
    """The verdict and how many subjects have which."""
    if not found.judgements and not found.notes:
        return f"{found.verdict}: report {found.report} knows of no such backup"
    counts = ", ".join(
        f"{found.counts[verdict]} {verdict.lower()}"
        for verdict in ORDER
        if found.counts[verdict] or verdict is Verdict.OK
    )
    acknowledged = sum(each.acknowledged is not None for each in found.judgements)
    more = [f"{acknowledged} acknowledged"] if acknowledged else []
    more += [f"{found.ignored} ignored"] if found.ignored else []
    beside = f" ({', '.join(more)})" if more else ""
    return f"{found.verdict}: {counts} of {counted(len(found.judgements), 'subject')}{beside}"
