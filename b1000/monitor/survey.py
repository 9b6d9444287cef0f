"""``b1000 monitor``: one survey of the fleet. Is there a good, fresh, complete backup of all?"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date

from b1000.config.loader import Config
from b1000.errors import B1000Error, counted
from b1000.jobs import Report
from b1000.monitor import fleet
from b1000.monitor.causes import Cause, Destination, causes, explained, with_subjects
from b1000.monitor.changes import then
from b1000.monitor.days import Days, days_of
from b1000.monitor.destinations import read_destinations
from b1000.monitor.drift import DriftNote, drift, ignored_that_failed
from b1000.monitor.halves import halved
from b1000.monitor.history import DAY, Subject
from b1000.monitor.holidays import DayOff, days_off, softened
from b1000.monitor.verdicts import Judgement, Verdict, judge, worst
from b1000.monitor.witnesses import NOTHING_TOLD
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
    days: dict[Subject, Days] | None = None
    learned: int | None = None
    unlearned: Sequence[Judgement] = ()
    """Those of which nothing was learned though they were backed up, each with its reason."""
    causes: Sequence[Cause] = ()
    destinations: Sequence[Destination] = ()
    ignored: int = 0
    since: float = 0.0
    """Compared with so many seconds ago, where that was asked."""

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


def survey(settings: Report, question: MonitorQuestion, now: float | None = None) -> Survey:
    """Ask the database of a report. Raises NoVerdict where it does not answer."""
    moment = time.time() if now is None else now
    learned = None
    unlearned: list[Judgement] = []
    try:
        with DatabaseSource(settings, read_only=not question.learn) as source:
            seen, places = _read(source, question, moment)
            judging = _judging(seen, question, moment)
            judgements, off = judging()
            if question.learn:
                learned = fleet.learn(source, judgements, seen.plans)
                unlearned = [
                    each for each in judgements if each.unlearned and each.subject not in seen.plans
                ]
    except NotDelivered as error:
        raise NoVerdict(
            f"the database of report {settings.name} does not answer: {error}"
        ) from None
    everything = [
        *seen.notes,
        *drift(seen.histories, moment, seen.since),
        *ignored_that_failed(seen.ignored, seen.replies, moment),
    ]
    notes = [
        note._replace(subject=subject) for subject, note in everything if question.wants(subject)
    ]
    days = None
    if question.days:
        # As many as are known of where there are too many runs to read them all.
        shown = max(1, min(question.days, int((moment - seen.since) // DAY)))
        days = days_of(seen.histories, date.fromtimestamp(moment), shown)
    known = causes(judgements, moment, places, off)
    return Survey(
        moment,
        settings.name,
        judgements,
        notes,
        days,
        learned,
        unlearned,
        known,
        with_subjects(places, judgements, known),
        sum(question.wants(subject) for subject in seen.ignored),
        question.since,
    )


def _read(
    source: DatabaseSource, question: MonitorQuestion, now: float
) -> tuple[fleet.Fleet, list[Destination]]:
    """What is known of subjects, and of destinations, which a server adds up meanwhile."""
    asked: list[Callable[[], list[Destination]]] = []

    def ask() -> None:
        asked.append(read_destinations(source, now, question.host, question.job))

    seen = fleet.read(source, now, question.host, question.job, ask)
    return seen, asked[0]()


def _judging(
    seen: fleet.Fleet, question: MonitorQuestion, now: float
) -> Callable[[], tuple[list[Judgement], list[DayOff]]]:
    """Begin with the verdicts; what is given has them all, and days off.

    What turned is told of all where that is asked, else of what is bad.
    """
    earlier = now - (question.since or DAY)

    def verdicts(subject: Subject) -> tuple[Judgement, Judgement | None]:
        """Now, and then where that was asked for."""
        runs, plan = seen.histories[subject], seen.plans.get(subject)
        ack, stored = seen.ack(subject), seen.stored.get(subject, NOTHING_TOLD)
        judgement = judge(subject, runs, plan, now, ack, stored=stored)
        if not question.since and judgement.verdict is Verdict.OK:
            return judgement, None
        return judgement, then(subject, runs, plan, earlier, ack, stored=stored)

    wanted = [subject for subject in sorted(seen.histories) if question.wants(subject)]
    finished = halved(verdicts, wanted)

    def all_of_them() -> tuple[list[Judgement], list[DayOff]]:
        both = finished()
        found = [judgement for judgement, _ in both]
        off = days_off(found, now)
        before = [was for _, was in both if was]
        # Most that did not run on a day off were judged then by themselves.
        was_off = softened(before, [*off, *days_off(before, earlier)])
        return _with_turns(softened(found, off), was_off), off

    return all_of_them


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
