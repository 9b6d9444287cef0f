"""``b1000 monitor``: is there a good, fresh, complete backup of everything?

One survey of the fleet, and the forms in which it is told.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from b1000.config.loader import Config
from b1000.errors import B1000Error
from b1000.logs import printable
from b1000.model import Report
from b1000.reports.source import Source
from b1000.reports.target import NotDelivered
from b1000.views import figures, fleet
from b1000.views.drift import Note, drift
from b1000.views.fleet import Days
from b1000.views.verdicts import Judgement, Subject, Verdict, judge, span, worst

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_DATABASES = ("mysql", "sqlite")
_ORDER = {Verdict.CRITICAL: 0, Verdict.WARNING: 1, Verdict.UNKNOWN: 2, Verdict.OK: 3}
_COLUMNS = ("VERDICT", "HOST", "JOB", "INSTANCE", "AGE", "MAX", "COPIES", "SIZE", "REASON")


class NoVerdict(B1000Error):
    """The question cannot be answered: exit code 3."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The answer. ``judgements`` stand in the order of names; ``days`` only if they were asked."""

    when: float
    report: str
    judgements: Sequence[Judgement]
    notes: Sequence[Note]
    days: dict[Subject, Days] | None = None
    learned: int | None = None

    @property
    def verdict(self) -> Verdict:
        """That of the fleet."""
        return worst(
            [each.verdict for each in self.judgements]
            + [note.verdict for note in self.notes if note.verdict is not Verdict.OK]
        )

    @property
    def counts(self) -> Counter[Verdict]:
        """How many subjects have which verdict."""
        return Counter(each.verdict for each in self.judgements)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: empty names mean all. ``days``: how many the page shows."""

    report: str = ""
    job: str = ""
    host: str = ""
    learn: bool = False
    days: int = 0

    def wants(self, subject: Subject) -> bool:
        """Whether it is asked about this one."""
        return self.job in ("", subject.job) and self.host in ("", subject.host)


def database(config: Config, name: str) -> Report:
    """The report that is asked: the one of that name, or the only one in a database."""
    known = {each.name: each for each in config.reports.values() if each.type in _DATABASES}
    listed = f"there is {', '.join(sorted(known))}" if known else "there is none"
    if name:
        if name not in known:
            raise NoVerdict(f"{name} is no report of type mysql or sqlite in {config.file}", listed)
        return known[name]
    if len(known) != 1:
        hint = f"choose one with --report: {', '.join(sorted(known))}" if known else listed
        raise NoVerdict(f"{config.file} has not exactly one report of type mysql or sqlite", hint)
    return next(iter(known.values()))


def survey(settings: Report, question: Question, now: float | None = None) -> Survey:
    """Ask the database of a report. Raises NoVerdict where it does not answer."""
    moment = time.time() if now is None else now
    learned = None
    days = None
    try:
        with Source(settings, read_only=not question.learn) as source:
            seen = fleet.read(source, moment, question.wants)
            judgements = _judged(seen, moment)
            if question.learn:
                learned = fleet.learn(source, judgements, seen.plans)
            if question.days:
                days = fleet.read_days(source, moment, question.days)
    except NotDelivered as error:
        raise NoVerdict(
            f"the database of report {settings.name} does not answer: {error}"
        ) from None
    notes = [*seen.notes, *drift(seen.histories, moment)]
    return Survey(moment, settings.name, judgements, notes, days, learned)


def _judged(seen: fleet.Fleet, now: float) -> list[Judgement]:
    return [
        judge(subject, runs, seen.plans.get(subject), now)
        for subject, runs in sorted(seen.histories.items())
    ]


# --- forms


def as_json(found: Survey) -> str:
    """One object, with one line for each subject."""
    subjects = ",\n".join(
        json.dumps(_object(each), ensure_ascii=False) for each in found.judgements
    )
    notes = [
        {"kind": each.kind, "verdict": each.verdict, "text": each.text} for each in found.notes
    ]
    head = (
        f'{{"verdict": "{found.verdict}", "time": {json.dumps(figures.iso(found.when))}, '
        f'"drift": {json.dumps(notes, ensure_ascii=False)}'
    )
    return f'{head}, "subjects": [\n{subjects}\n]}}'


def _object(each: Judgement) -> dict[str, object]:
    return {
        "job": each.subject.job,
        "host": each.subject.host,
        "instance": each.subject.instance,
        "verdict": each.verdict,
        "reason": each.reason,
        "last_good": None if each.last_good is None else figures.iso(each.last_good),
        "age": _whole(each.age),
        "max_age": _whole(each.max_age),
        "expected_by": each.expected_by,
        "data_age": each.data_age,
        "bytes": each.bytes,
        "copies_done": each.copies_done,
        "copies_total": each.copies_total,
    }


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)


def unknown_as_json(reason: str) -> str:
    """What ``as_json`` says where there is no answer."""
    return json.dumps(
        {"verdict": Verdict.UNKNOWN, "reason": reason, "subjects": []}, ensure_ascii=False
    )


def as_text(found: Survey) -> str:
    """Plain columns, the worst first."""
    lines = [_COLUMNS, *(_cells(each) for each in _worst_first(found))]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS) - 1)]
    table = [
        "  ".join(
            [*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]
        ).rstrip()
        for line in lines
    ]
    below = _below(found)
    return "\n".join([*table, "", *below])


def as_table(found: Survey, width: int, encoding: str) -> str:
    """The same for a terminal, in colour."""
    # Here: a pipe does without, and it takes longer to import than an answer to be made.
    import io

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    styles = {"OK": "green", "WARNING": "yellow", "CRITICAL": "bold red", "UNKNOWN": "magenta"}
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in _COLUMNS:
        numeric = column in ("AGE", "MAX", "SIZE")
        table.add_column(
            column,
            justify="right" if numeric else "left",
            no_wrap=column not in ("HOST", "REASON"),
            overflow="fold",
            ratio=1 if column == "REASON" else None,
            min_width=20 if column == "REASON" else None,
        )
    for each in _worst_first(found):
        verdict, *cells = _cells(each)
        table.add_row(Text(verdict, styles[verdict]), *(Text(cell) for cell in cells))
    sheet = io.StringIO()
    console = Console(
        file=sheet, width=width, force_terminal=True, highlight=False, markup=False, emoji=False
    )
    console.print(table)
    console.print()
    for line in _below(found):
        console.print(Text(line))
    return sheet.getvalue().rstrip("\n").encode(encoding, "backslashreplace").decode(encoding)


def _worst_first(found: Survey) -> list[Judgement]:
    return sorted(found.judgements, key=lambda each: (_ORDER[each.verdict], each.subject))


def _cells(each: Judgement) -> tuple[str, ...]:
    return (
        each.verdict,
        printable(each.subject.host),
        printable(each.subject.job),
        printable(each.subject.instance) or "-",
        "-" if each.age is None else span(each.age),
        "-" if each.max_age is None else span(each.max_age),
        f"{each.copies_done}/{each.copies_total}",
        "-" if each.bytes is None else figures.size(each.bytes),
        printable(each.reason),
    )


def _below(found: Survey) -> list[str]:
    lines = [f"drift: {printable(note.text)}" for note in found.notes if note.verdict is Verdict.OK]
    lines += [
        f"{note.verdict}: {printable(note.text)}"
        for note in found.notes
        if note.verdict is not Verdict.OK
    ]
    if found.learned is not None:
        lines.append(f"learned: {figures.count(found.learned, 'new row')} in plan")
    return [*lines, summary(found)]


def summary(found: Survey) -> str:
    """The verdict and how many subjects have which."""
    if not found.judgements and not found.notes:
        return f"{found.verdict}: report {found.report} knows of no such backup"
    counts = ", ".join(
        f"{found.counts[verdict]} {verdict.lower()}"
        for verdict in _ORDER
        if found.counts[verdict] or verdict is Verdict.OK
    )
    return f"{found.verdict}: {counts} of {figures.count(len(found.judgements), 'subject')}"


_TOLD = 3  # subjects by name on the line of Nagios


def as_nagios(found: Survey) -> str:
    """One line with performance data."""
    bad = [each for each in _worst_first(found) if each.verdict is not Verdict.OK]
    told = [f"{each.subject.label}: {each.reason}" for each in bad[:_TOLD]]
    told += [note.text for note in found.notes if note.verdict is not Verdict.OK][:_TOLD]
    if len(bad) > _TOLD:
        told.append(f"and {len(bad) - _TOLD} more")
    text = nagios_line("; ".join([summary(found), *told]))
    oldest = max((each.age for each in found.judgements if each.age is not None), default=None)
    values = [f"{verdict.lower()}={found.counts[verdict]};;;0" for verdict in reversed(_ORDER)]
    if oldest is not None:
        values.append(f"oldest={round(oldest)}s;;;0")
    return f"B1000 {text} | {' '.join(values)}"


def nagios_line(text: str) -> str:
    """What Nagios takes for one line without performance data."""
    return printable(text).replace("|", "/")


def unknown_as_nagios(reason: str) -> str:
    """What ``as_nagios`` says where there is no answer."""
    return f"B1000 {Verdict.UNKNOWN}: {nagios_line(reason)}"


# --- Prometheus

_LABELS = ("backup_host", "backup_job", "backup_instance")
_GAUGES: tuple[tuple[str, str, Callable[[Judgement], float | None]], ...] = (
    ("verdict", "0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN", lambda each: each.verdict.exit_code),
    (
        "last_good_timestamp_seconds",
        "Start of the last good backup, seconds since the epoch",
        lambda each: each.last_good,
    ),
    ("max_age_seconds", "How old the last good backup may get", lambda each: each.max_age),
    ("data_age_seconds", "How old its data was when it began", lambda each: each.data_age),
    ("size_bytes", "Size of the last good backup", lambda each: each.bytes),
    ("copies_done", "Copies of the last good backup that are DONE", lambda each: each.copies_done),
    ("copies_wanted", "Copies that it should have", lambda each: each.copies_total),
)


def as_prometheus(found: Survey) -> str:
    """The text exposition. Raises NoVerdict where prometheus-client is not installed."""
    from prometheus_client import Gauge

    registry = _registry()
    for name, words, value in _GAUGES:
        gauge = Gauge(f"b1000_backup_{name}", words, _LABELS, registry=registry)
        for each in found.judgements:
            number = value(each)
            if number is not None:
                gauge.labels(*each.subject).set(number)
    counts = Gauge("b1000_backups", "Subjects by verdict", ("verdict",), registry=registry)
    for verdict in _ORDER:
        counts.labels(verdict).set(found.counts[verdict])
    return _exposed(registry, found.verdict, found.when, True)


def unknown_as_prometheus(when: float) -> str:
    """What ``as_prometheus`` says where there is no answer."""
    return _exposed(_registry(), Verdict.UNKNOWN, when, False)


def _registry() -> "CollectorRegistry":
    try:
        from prometheus_client import CollectorRegistry
    except ImportError:
        raise NoVerdict(
            "--prometheus needs the package prometheus-client",
            "pip install 'b1000[prometheus]', or Debian's python3-prometheus-client",
        ) from None
    return CollectorRegistry(auto_describe=False)


def _exposed(registry: "CollectorRegistry", verdict: Verdict, when: float, up: bool) -> str:
    from prometheus_client import Gauge, generate_latest

    for name, words, value in (
        ("verdict", "The worst verdict: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN", verdict.exit_code),
        ("database_up", "Whether the central database answered", int(up)),
        ("timestamp_seconds", "When this was found out, seconds since the epoch", when),
    ):
        Gauge(f"b1000_monitor_{name}", words, registry=registry).set(value)
    return str(generate_latest(registry).decode())
