"""What turned bad, or good again, since it was last told, and how a program is told of it. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence

from b1000 import figures
from b1000.errors import counted
from b1000.monitor.causes import Cause, explained
from b1000.monitor.drift import DriftNote
from b1000.monitor.history import Subject
from b1000.monitor.severity import SEVERITY, Verdict
from b1000.monitor.verdicts import Judgement
from b1000.named import NamedTuple

FORMAT = 1
"""Of what a command is told: a change of what its keys mean changes it."""
ITSELF = Subject("", "", "")
"""Whether the database answers is told like the verdict on a subject without a name."""

Told = Mapping[Subject, Verdict]
"""The worst that was told of each that is bad; what is not in it is OK."""


class Turn(NamedTuple):
    """A subject that is worse than what was told of it, or good again."""

    subject: Subject
    was: Verdict
    verdict: Verdict
    reason: str
    codes: tuple[str, ...] = ()
    cause: str = ""

    @property
    def bad(self) -> bool:
        """Whether it turned bad."""
        return self.verdict is not Verdict.OK

    @property
    def text(self) -> str:
        """One line for people."""
        name = self.subject.label if any(self.subject) else "b1000 monitor"
        return f"{name}: {self.was} -> {self.verdict}: {self.reason}"


def turns(
    judgements: Sequence[Judgement],
    notes: Iterable[DriftNote],
    causes: Iterable[Cause],
    told: Told,
) -> list[Turn]:
    """What is to be told, the worst first. What gets a little better is not: it is still bad."""
    because = explained(judgements, causes)
    found = []
    for each in judgements:
        was = told.get(each.subject, Verdict.OK)
        if each.acknowledged or not _turned(was, each.verdict):
            continue
        codes = tuple(reason.code for reason in each.reasons)
        cause = because[each.subject].text if each.subject in because else ""
        found.append(Turn(each.subject, was, each.verdict, each.reason, codes, cause))
    for note in notes:
        was = told.get(note.subject, Verdict.OK)
        if _turned(was, note.verdict):
            found.append(Turn(note.subject, was, note.verdict, note.text, (note.kind,)))
    return sorted(found, key=lambda turn: (-SEVERITY[turn.verdict], turn.subject))


def of_itself(told: Told, reason: str) -> list[Turn]:
    """The same of the monitor: ``reason`` why there is no answer; empty where there is one."""
    was, now = told.get(ITSELF, Verdict.OK), Verdict.UNKNOWN if reason else Verdict.OK
    if was is now:
        return []
    return [Turn(ITSELF, was, now, reason or "the database answers")]


def _turned(was: Verdict, now: Verdict) -> bool:
    return was is not now and (now is Verdict.OK or SEVERITY[now] > SEVERITY[was])


def then_told(told: Told, found: Iterable[Turn], gone: Iterable[Subject] = ()) -> Told:
    """What has been told once these are; ``gone`` are subjects of which nothing is asked now."""
    after = {**told, **{turn.subject: turn.verdict for turn in found}}
    away = set(gone)
    return {
        subject: verdict
        for subject, verdict in after.items()
        if verdict is not Verdict.OK and subject not in away
    }


def message(found: Sequence[Turn], causes: Sequence[Cause], verdict: Verdict, now: float) -> str:
    """What the command reads: one JSON object."""
    bad = [_object(turn) for turn in found if turn.bad]
    good = [_object(turn) for turn in found if not turn.bad]
    reported = [
        {"kind": each.kind, "name": each.name, "verdict": each.verdict, "text": each.text}
        | {"subjects": len(each.subjects)}
        for each in causes
    ]
    ours = {turn.cause for turn in found}
    lines = [each.text for each in causes if each.text in ours]
    lines += [turn.text for turn in found if not turn.cause]
    told = json.dumps(
        {
            "format": FORMAT,
            "time": figures.iso(now),
            "verdict": verdict,
            "summary": f"{counted(len(bad), 'backup')} turned bad, {len(good)} good again",
            "text": "\n".join(lines),
            "causes": reported,
            "turned_bad": bad,
            "turned_good": good,
        },
        ensure_ascii=False,
    )
    return figures.inert(told)


def _object(turn: Turn) -> dict[str, object]:
    host, job, instance = turn.subject
    return {
        "host": host,
        "job": job,
        "instance": instance,
        "verdict": turn.verdict,
        "was": turn.was,
        "reason": turn.reason,
        "codes": list(turn.codes),
        "cause": turn.cause or None,
    }
