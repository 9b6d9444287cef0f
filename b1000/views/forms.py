"""A survey as text: JSON, plain columns, a table for a terminal, the line of Nagios."""

import json

from b1000.logs import printable
from b1000.views import figures
from b1000.views.monitor import ORDER, Survey, summary
from b1000.views.screen import STYLES, Screen
from b1000.views.verdicts import Judgement, Verdict, span

_COLUMNS = ("VERDICT", "HOST", "JOB", "INSTANCE", "AGE", "MAX", "COPIES", "SIZE", "REASON")
_NUMBERS = ("AGE", "MAX", "SIZE")


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


def as_table(found: Survey, screen: Screen) -> str:
    """The same for a terminal: as wide as that is, in colour."""
    # Here: a pipe does without, and it takes longer to import than an answer to be made.
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in _COLUMNS:
        why = column == "REASON"
        table.add_column(
            column,
            justify="right" if column in _NUMBERS else "left",
            no_wrap=not why,
            overflow="fold",
            ratio=1 if why else None,
            min_width=24 if why else None,
        )
    for each in _worst_first(found):
        verdict, *cells = _cells(each)
        table.add_row(Text(verdict, STYLES[verdict]), *(Text(cell) for cell in cells))
    below = [Text(line) for line in _below(found)]
    below[-1].stylize(STYLES[found.verdict])
    return screen.render([table, Text(""), *below])


def _worst_first(found: Survey) -> list[Judgement]:
    return sorted(found.judgements, key=lambda each: (ORDER[each.verdict], each.subject))


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
    values = [f"{verdict.lower()}={found.counts[verdict]};;;0" for verdict in reversed(ORDER)]
    if oldest is not None:
        values.append(f"oldest={round(oldest)}s;;;0")
    return f"B1000 {text} | {' '.join(values)}"


def nagios_line(text: str) -> str:
    """What Nagios takes for one line without performance data."""
    return printable(text).replace("|", "/")


def unknown_as_nagios(reason: str) -> str:
    """What ``as_nagios`` says where there is no answer."""
    return f"B1000 {Verdict.UNKNOWN}: {nagios_line(reason)}"
