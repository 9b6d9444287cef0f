"""What `b1000 prune` has to say: lines for people, JSON for programs."""

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from b1000.errors import counted
from b1000.figures import iso, size
from b1000.logstyle import inert, printable
from b1000.prune import removal
from b1000.prune.pruner import Outcome
from b1000.prune.pruning import GroupPlan, Plan
from b1000.storage.backup import Backup


def subject(plan: GroupPlan) -> str:
    """A group as people name it: JOB/HOST or JOB/HOST/INSTANCE, and its client."""
    key = plan.group.key
    client = f" of {key.client}" if key.client else ""
    return "/".join(filter(None, (key.job, key.host or key.unmarked, key.instance))) + client


def forecast(plan: Plan) -> Iterator[str]:
    """All backups of a destination with keep or remove, and why."""
    for group in plan.groups:
        if not group.verdict.decisions:
            continue
        yield printable(f"{plan.destination}: {subject(group)}")
        for each in group.verdict.decisions:
            freed = "" if each.keep else f" ({size(frees(group, each.name))} by itself)"
            word = "keep  " if each.keep else "remove"
            yield f"  {word} {each.name}{freed}: {'; '.join(each.reasons)}"


def frees(group: GroupPlan, place: str) -> int:
    """The bytes that removing one backup alone would free."""
    return removal.freed_by(os.path.join(group.root.path, place))


def warnings(plan: Plan) -> Iterator[str]:
    """Why something was held back, and what else an operator is to know."""
    for path, why in plan.refused.items():
        where = "" if path else f"destination {plan.destination}: "
        yield printable(f"{where}nothing is removed: {why}")
    for group in plan.groups:
        if group.verdict.held_back:
            why = f"{subject(group)} is held back: {group.verdict.held_back}"
            yield printable(f"{plan.destination}: {why}")
        yield from (f"{plan.destination}: {note}" for note in group.verdict.notes)
    yield from (f"{plan.destination}: {printable(note)}" for note in plan.notes)


def removed(outcome: Outcome) -> str:
    """One removal as a line."""
    gone = outcome.removal
    path = gone.root.whole(gone.backup.place)
    if outcome.trouble:
        return printable(f"{path}: not removed: {outcome.trouble}")
    return printable(f"removed {path}: {gone.reason}")


def total(plans: Sequence[Plan], outcomes: Sequence[Outcome], dry: bool) -> str:
    """The last line."""
    lying = sum(len(group.verdict.decisions) for plan in plans for group in plan.groups)
    if dry:
        going = sum(1 for plan in plans for _ in plan.removals())
        return f"{counted(going, 'backup')} of {lying} would be removed"
    gone = sum(not each.trouble for each in outcomes)
    return f"{counted(gone, 'backup')} of {lying} removed"


def as_json(
    plans: Sequence[Plan], outcomes: Sequence[Outcome], troubles: Sequence[str], dry: bool
) -> str:
    """The answer of --json."""
    became = {(each.removal.root.path, each.removal.backup.place): each for each in outcomes}
    backups = []
    for plan in plans:
        for group in plan.groups:
            known = {each.place: each for each in group.group.backups}
            for decision in group.verdict.decisions:
                outcome = became.get((group.root.path, decision.name))
                backups.append(
                    {
                        "destination": plan.destination,
                        "path": group.root.whole(decision.name),
                        **_whose(group, known[decision.name]),
                        "decision": "keep" if decision.keep else "remove",
                        "reasons": list(decision.reasons),
                        "held_back": group.verdict.held_back,
                        "frees": frees(group, decision.name) if dry and not decision.keep else None,
                        "removed": outcome is not None and not outcome.trouble,
                        "error": outcome.trouble if outcome else "",
                    }
                )
    told = [text for plan in plans for text in warnings(plan)]
    whole = {"format": 1, "backups": backups, "notes": [*told, *troubles]}
    return inert(json.dumps(whole, indent=2, ensure_ascii=False))


def _whose(group: GroupPlan, backup: Backup) -> dict[str, Any]:
    key = group.group.key
    return {
        "job": key.job,
        "instance": key.instance,
        "host": key.host,
        "started": None if backup.started is None else iso(backup.started),
        "type": backup.type,
        "state": str(backup.state),
    }
