"""The fleet as one HTML page that needs no server, and asks nobody for anything. Pure.

``page.html`` has its look and its script; here are the facts that it shows.
Names and reasons are facts in JSON: nothing of them is ever read as HTML.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta

from b1000 import figures
from b1000.logs import printable
from b1000.monitor.causes import Destination
from b1000.monitor.days import Days
from b1000.monitor.history import DAY
from b1000.monitor.severity import Verdict
from b1000.monitor.survey import SHOWN_DAYS, Survey, summary, worst_first
from b1000.monitor.verdicts import Judgement

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_LEVELS = "FPC"  # failed, incomplete, complete: as Days.runs counts
_LATE = frozenset({"missed", "too_old"})
_MOST_PRINTED = 500  # of what is bad
_OVERDUE, _MISSED, _NONE = "O", "M", "N"


def page(found: Survey, template: str) -> str:
    """The page; ``template`` is ``page.html``."""
    last = date.fromtimestamp(found.when)
    known = next(iter((found.days or {}).values()), None)
    count = len(known.runs) if known else SHOWN_DAYS
    days = [last - timedelta(days=ago) for ago in range(count - 1, -1, -1)]
    places: dict[str, int] = {each.name: index for index, each in enumerate(found.destinations)}
    facts = {
        "when": round(found.when, 3),
        "verdict": found.verdict.exit_code,
        "days": [str(day) for day in days],
        "subjects": [_subject(each, found, count, places) for each in found.judgements],
        "causes": _causes(found),
        "storages": [_storage(each) for each in found.destinations],
        "notes": [[note.verdict.exit_code, note.text] for note in found.notes],
    }
    values = {
        "policy": _policy(template),
        # For who reads without script; others see it in the way of their country.
        "made": f"{datetime.fromtimestamp(found.when).astimezone():%Y-%m-%d %H:%M %z}",
        "summary": html.escape(summary(found)),
        "bad": _bad(found),
        "facts": _inert(json.dumps(facts, ensure_ascii=False, separators=(",", ":"))),
    }
    return re.sub(r"@(policy|made|summary|facts|bad)@", lambda mark: values[mark[1]], template)


def _causes(found: Survey) -> list[list[object]]:
    """Each with a name of its own in the address, and the places of the subjects it explains."""
    place = {each.subject: number for number, each in enumerate(found.judgements)}
    return [
        [
            each.verdict.exit_code,
            each.text,
            f"{each.kind} {each.name}",
            sorted(place[subject] for subject in each.subjects if subject in place),
        ]
        for each in found.causes
    ]


def _bad(found: Survey) -> str:
    """What is bad as items of a list, for who reads without script or on paper."""
    causes = [f"{each.verdict}: {each.text}" for each in found.causes]
    bad = [each for each in worst_first(found) if each.verdict is not Verdict.OK]
    lines = causes + [f"{each.verdict}: {each.subject.label}: {each.reason}" for each in bad]
    if len(lines) > _MOST_PRINTED:
        lines = [*lines[:_MOST_PRINTED], f"and {len(lines) - _MOST_PRINTED:,} more"]
    return "".join(f"<li>{html.escape(printable(line))}</li>" for line in lines)


def _policy(template: str) -> str:
    """Nothing may be loaded, and nothing may run but what stands in the template."""
    sources = {}
    for tag in ("script", "style"):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", template, re.DOTALL)
        digest = hashlib.sha256(body.encode()).digest()
        sources[tag] = f"{tag}-src 'sha256-{base64.b64encode(digest).decode()}'"
    return (
        f"default-src 'none'; {sources['script']}; {sources['style']}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _inert(text: str) -> str:
    """JSON in which no tag can begin or end, and no character steers who reads it."""
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return figures.inert(text)


def _storage(each: Destination) -> list[object]:
    return [
        each.name,
        each.verdict.exit_code,
        _whole(each.last_good),
        None if each.success is None else round(each.success, 3),
        round(each.bytes_per_day),
        each.subjects,
        each.alone,
    ]


def _subject(each: Judgement, found: Survey, count: int, places: Mapping[str, int]) -> list[object]:
    days = (found.days or {}).get(each.subject) or Days([None] * count)
    # What is usual by the hour may be less than a day, and a day is seen as a whole.
    most = None if each.max_age is None else max(each.max_age, DAY)
    runs = marks(days.runs, most, _before(each, found.when, count), days.missed)
    if runs[-1:] in (_NONE, _OVERDUE):
        runs = runs[:-1] + (_OVERDUE if each.codes & _LATE else _NONE)
    durations = [seconds for seconds in days.durations if seconds is not None]
    return [
        *each.subject,
        each.verdict.exit_code,
        each.reason,
        _whole(each.last_good),
        _whole(each.max_age),
        each.expected_by,
        _whole(each.data_age),
        each.bytes,
        _whole(each.usual_bytes),
        each.copies_done,
        each.copies_total,
        runs,
        levels(days.bytes),
        each.relayed_by,
        levels([_whole(seconds) for seconds in days.durations]),
        _whole(durations[-1]) if durations else None,
        each.changed,
        sorted({places[name] for name in (*each.places, *each.failing) if name in places}),
        each.stored.kept if each.stored.places else None,
        _whole(each.stored.read),
        _whole(each.stored.restored),
        _whole(each.stored.recovery),
    ]


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


def _before(each: Judgement, when: float, count: int) -> float | None:
    """How many days before the first that is shown the last good backup was, if it was before."""
    if each.last_good is None:
        return None
    before = (when - each.last_good) / DAY - count
    return before if before > 0 else None


def marks(
    days: Sequence[int | None],
    max_age: float | None,
    before: float | None = None,
    missed: Collection[int] = (),
) -> str:
    """One letter for each of consecutive days.

    C, P and F: the day has a complete backup, a good one, only failures. A day
    without a run is O where the last good one was too old by then, M where one was
    ``missed``, as its weekday has one, else N.
    ``before`` is how many days before the first it was, None where there was none.
    """
    found = []
    gap = before
    for place, day in enumerate(days):
        gap = 0.0 if day else (None if gap is None else gap + 1)
        if day is not None:
            found.append(_LEVELS[day])
        else:
            overdue = gap is not None and max_age is not None and gap * DAY > max_age
            found.append(_OVERDUE if overdue else _MISSED if place in missed else _NONE)
    return "".join(found)


def levels(sizes: Sequence[int | None]) -> str:
    """One digit of base 36 for each size against the largest; a dot for none."""
    most = max((size for size in sizes if size), default=0)
    return "".join(
        "." if size is None else _DIGITS[size * 35 // most if most else 0] for size in sizes
    )
