"""A survey for Nagios: one line, then one for each that is bad, with performance data.

Notes that are bad are nobody's verdict, and make the exit code like one: they are told with them.
"""

from b1000.logs import printable
from b1000.monitor.severity import Verdict
from b1000.monitor.survey import ORDER, Survey, summary, worst_first

_MOST_NAMED = 3  # subjects by name on the first line
_LONGEST_PART = 160  # characters of each; below, all of it is told
_MOST_BYTES = 7000  # of all lines: Nagios cuts off what is longer than 8 KiB


def as_nagios(found: Survey) -> str:
    """What a plugin says: the first line alone tells what is wrong, causes before subjects."""
    explained = found.explained
    bad = [each for each in worst_first(found) if each.verdict is not Verdict.OK]
    own = [each for each in bad if each.subject not in explained]
    notes = [note for note in found.notes if note.verdict is not Verdict.OK]
    named = [each.text for each in found.causes[:_MOST_NAMED]]
    named += [f"{each.subject.label}: {each.reason}" for each in own[:_MOST_NAMED]]
    named += [note.text for note in notes[:_MOST_NAMED]]
    parts = [_cut(text) for text in named]
    if more := sum(max(0, len(some) - _MOST_NAMED) for some in (own, notes)):
        parts.append(f"and {more} more")
    first = f"B1000 {nagios_line('; '.join([summary(found), *parts]))} | {_performance(found)}"
    lines = [f"{each.verdict}: {nagios_line(each.text)}" for each in found.causes]
    lines += [
        f"{each.verdict}: {nagios_line(f'{each.subject.label}: {each.reason}')}" for each in bad
    ]
    lines += [f"{note.verdict}: {nagios_line(note.text)}" for note in notes]
    return "\n".join([first, *_fitting(lines, _MOST_BYTES - len(first.encode()))])


def _cut(text: str) -> str:
    """As much of it as the first line has room for: pagers and pages show no more."""
    return text if len(text) <= _LONGEST_PART else f"{text[: _LONGEST_PART - 3]}..."


def _fitting(lines: list[str], room: int) -> list[str]:
    """As many as there is room for."""
    for number, line in enumerate(lines):
        room -= len(line.encode()) + 1
        if room < 0:
            return [*lines[:number], f"and {len(lines) - number} more lines"]
    return lines


def _performance(found: Survey) -> str:
    """Numbers with the thresholds beyond which they are WARNING and CRITICAL."""
    limits = {Verdict.WARNING: "0;", Verdict.CRITICAL: ";0", Verdict.UNKNOWN: "0;"}
    values = [
        f"{verdict.lower()}={found.counts[verdict]};{limits.get(verdict, ';')};0"
        for verdict in reversed(ORDER)
    ]
    aged = [each for each in found.judgements if each.age is not None]
    if aged:
        oldest = max(aged, key=lambda each: each.age or 0.0)
        limit = "" if oldest.max_age is None else str(round(oldest.max_age))
        values.append(f"oldest={round(oldest.age or 0.0)}s;{limit};;0")
    return " ".join(values)


def nagios_line(text: str) -> str:
    """What Nagios takes for one line without performance data."""
    return printable(text).replace("|", "/")


def unknown_as_nagios(reason: str) -> str:
    """What ``as_nagios`` says where there is no answer."""
    return f"B1000 {Verdict.UNKNOWN}: {nagios_line(reason)}"
