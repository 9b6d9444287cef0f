"""A survey as text: JSON, and plain columns for a pipe."""

import json
from collections.abc import Iterable, Sequence

from b1000 import figures
from b1000.errors import counted
from b1000.logs import printable
from b1000.monitor.causes import Cause, Destination
from b1000.monitor.history import span
from b1000.monitor.replies import Reply
from b1000.monitor.survey import Survey, summary, worst_first
from b1000.monitor.verdicts import Judgement, Verdict
from b1000.monitor.witnesses import Witnesses

FORMAT = 2
"""Of JSON: a change of what its keys mean changes it."""

COLUMNS = ("VERDICT", "HOST", "JOB", "INSTANCE", "AGE", "MAX", "COPIES", "SIZE")
_NUMBERS = ("AGE", "MAX", "SIZE")
GAP = "  "
_CLAIMED = "*"  # behind copies: what is told of them rests on a client's word
_MOST_UNLEARNED = 20


def as_json(found: Survey) -> str:
    """One object, with one line for each subject, which may be among its texts."""
    subjects = ",\n".join(
        found.texts.get(each.subject) or json_line(each) for each in found.judgements
    )
    notes = [
        {"kind": each.kind, "verdict": each.verdict, "text": each.text} for each in found.notes
    ]
    head = (
        f'{{"format": {FORMAT}, "verdict": "{found.verdict}", '
        f'"time": {json.dumps(figures.iso(found.when))}, "ignored": {found.ignored}, '
        f'"causes": {_encoded([_cause(each) for each in found.causes])}, '
        f'"destinations": {_encoded([_destination(each) for each in found.destinations])}, '
        f'"drift": {_encoded(notes)}'
    )
    if found.learned is not None:
        unlearned = [{**_named(each), "reason": each.unlearned} for each in found.unlearned]
        head += f', "learned": {found.learned}, "unlearned": {_encoded(unlearned)}'
    return f'{head}, "subjects": [\n{subjects}\n]}}'


def json_line(each: Judgement) -> str:
    """What is said there of a subject."""
    return _encoded(_object(each))


# One for all: json.dumps makes a new one for each object.
_ENCODER = json.JSONEncoder(ensure_ascii=False)


def _encoded(value: object) -> str:
    return figures.inert(_ENCODER.encode(value))


def _named(each: Judgement) -> dict[str, object]:
    return dict(zip(("host", "job", "instance"), each.subject, strict=True))


def _object(each: Judgement) -> dict[str, object]:
    last_good = _when(each.last_good)
    # Most often the same.
    last_run = last_good if each.last_run == each.last_good else _when(each.last_run)
    return {
        "job": each.subject.job,
        "host": each.subject.host,
        "instance": each.subject.instance,
        "verdict": each.verdict,
        "reason": each.reason,
        "last_good": last_good,
        "age": _whole(each.age),
        "max_age": _whole(each.max_age),
        "expected_by": each.expected_by,
        "data_age": each.data_age,
        "bytes": each.bytes,
        "copies_done": each.copies_done,
        "copies_total": each.copies_total,
        "relayed_by": each.relayed_by,
        "reasons": [{"code": code, "text": text} for code, text in each.reasons],
        "usual_bytes": _whole(each.usual_bytes),
        "missing": list(each.missing),
        "last_run": last_run,
        "changed": each.changed or None,
        **(_stored(each.stored) if each.stored.places else {}),
        **({"acknowledged": _reply(each.acknowledged)} if each.acknowledged else {}),
    }


def _reply(given: Reply) -> dict[str, object]:
    until = None if given.until is None else figures.iso(given.until)
    return {"by": given.by, "time": figures.iso(given.when), "until": until, "note": given.note}


def _cause(each: Cause) -> dict[str, object]:
    return {
        "kind": each.kind,
        "name": each.name,
        "verdict": each.verdict,
        "since": None if each.since is None else figures.iso(each.since),
        "subjects": len(each.subjects),
        "text": each.text,
    }


def _destination(each: Destination) -> dict[str, object]:
    return {
        "destination": each.name,
        "verdict": each.verdict,
        "last_good": None if each.last_good is None else figures.iso(each.last_good),
        "success": each.success,
        "bytes_per_day": round(each.bytes_per_day),
        "subjects": each.subjects,
        "alone": each.alone,
    }


def _stored(found: Witnesses) -> dict[str, object]:
    return {
        "kept": found.kept,
        "read": _when(found.read),
        "restored": _when(found.restored),
        "recovery_time": found.recovery,
    }


def _when(moment: float | None) -> str | None:
    return None if moment is None else figures.iso(moment)


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)


def unknown_as_json(reason: str, when: float) -> str:
    """What ``as_json`` says where there is no answer."""
    return _encoded(
        {
            "format": FORMAT,
            "verdict": Verdict.UNKNOWN,
            "time": figures.iso(when),
            "reason": reason,
            "subjects": [],
            "causes": [],
            "destinations": [],
            "drift": [],
        }
    )


def as_text(found: Survey, everything: bool = False) -> str:
    """Plain columns: causes, then what is bad, the worst first, a line each; then the rest."""
    shown = shown_of(found, everything)
    rows = [(cells_of(each), printable(each.reason)) for each in shown]
    widths = widths_of([COLUMNS, *(cells for cells, _ in rows)])
    lines = [
        f"{laid_out(cells, widths)}  {reason}" for cells, reason in [(COLUMNS, "REASON"), *rows]
    ]
    return "\n".join(
        [
            *above(found),
            *(lines if shown else []),
            *rest(found, shown),
            "",
            *below(found, everything),
        ]
    )


def shown_of(found: Survey, everything: bool) -> list[Judgement]:
    """What is bad, or all."""
    return [each for each in worst_first(found) if everything or each.verdict is not Verdict.OK]


def above(found: Survey) -> list[str]:
    """What explains many of the lines below."""
    return [f"{each.verdict}: {printable(each.text)}" for each in found.causes]


def rest(found: Survey, shown: Sequence[Judgement]) -> list[str]:
    """How many are not shown, and what turned good."""
    lines = []
    if found.since:
        for each in worst_first(found):
            if each.changed:
                turn = f"{each.changed} -> {each.verdict}"
                lines.append(f"changed: {printable(each.subject.label)}: {turn}")
        lines = lines or [f"changed: nothing within {span(found.since)}"]
    left = len(found.judgements) - len(shown)
    if left:
        lines.append(f"and {left:,} OK" if shown else f"{left:,} OK")
    return lines


def widths_of(lines: Iterable[Sequence[str]]) -> list[int]:
    """How wide each column is."""
    return [max(map(len, column)) for column in zip(*lines, strict=True)]


def laid_out(cells: Sequence[str], widths: Sequence[int]) -> str:
    """The cells as one line; of no width: left out."""
    return GAP.join(
        cell.rjust(width) if column in _NUMBERS else cell.ljust(width)
        for cell, width, column in zip(cells, widths, COLUMNS, strict=True)
        if width
    )


def cells_of(each: Judgement) -> tuple[str, ...]:
    """What stands in the columns."""
    return (
        each.verdict,
        printable(each.subject.host),
        printable(each.subject.job),
        printable(each.subject.instance) or "-",
        "-" if each.age is None else span(each.age),
        "-" if each.max_age is None else span(each.max_age),
        f"{each.copies_done}/{each.copies_total}{_CLAIMED if each.relayed_by else ''}",
        "-" if each.bytes is None else figures.size(each.bytes),
    )


def storages(found: Survey) -> list[str]:
    """How each destination fares, the worst first."""
    lines = []
    for each in found.destinations:
        ago = "never" if each.last_good is None else f"{span(found.when - each.last_good)} ago"
        share = "" if each.success is None else f", {each.success:.0%} of the copies well"
        lines.append(
            f"{each.verdict}: storage {printable(each.name)}: last copy {ago}{share}, "
            f"{figures.size(each.bytes_per_day)} a day, {counted(each.subjects, 'subject')}, "
            f"{each.alone} of them here alone"
        )
    return lines


def below(found: Survey, everything: bool = False) -> list[str]:
    """What came and went, what was learned, and how many fare how; storages, if all is told."""
    lines = storages(found) if everything else []
    lines += [
        f"acknowledged: {printable(f'{each.subject.label}: {each.reason}')}"
        for each in found.judgements
        if each.acknowledged and each.verdict is Verdict.OK
    ]
    lines += [
        f"drift: {printable(note.text)}" for note in found.notes if note.verdict is Verdict.OK
    ]
    lines += [
        f"{note.verdict}: {printable(note.text)}"
        for note in found.notes
        if note.verdict is not Verdict.OK
    ]
    if any(each.relayed_by for each in found.judgements):
        lines.append(f"{_CLAIMED} as the client itself says, relayed by the storage that pulls")
    if found.learned is not None:
        lines.append(f"learned: {counted(found.learned, 'new row')} in plan")
    lines += [
        printable(f"not learned: {each.subject.label}: {each.unlearned}")
        for each in found.unlearned[:_MOST_UNLEARNED]
    ]
    if len(found.unlearned) > _MOST_UNLEARNED:
        lines.append(f"not learned: {len(found.unlearned) - _MOST_UNLEARNED} more")
    return [*lines, summary(found)]
