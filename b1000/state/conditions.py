"""Conditions on runs, in SQL: what ``runs/states.py`` says of one run, said of all."""

from collections.abc import Iterable, Sized

from b1000.runs.states import RESUMED_WHEN_DIED, RESUMED_WHEN_FAILED


def placeholders(values: Sized) -> str:
    """``?, ?``: as many as there are values."""
    return ", ".join("?" * len(values))


def quoted(values: Iterable[str]) -> str:
    """The states as a list of SQL literals."""
    return ", ".join(f"'{value}'" for value in sorted(values))


SUPERSEDED = """(NOT runs.own_dump AND EXISTS (
    SELECT 1 FROM runs AS later WHERE later.job = runs.job AND later.instance = runs.instance
    AND later.run_id > runs.run_id AND later.begun))"""
"""Whether a later run of the same job/instance has begun to prepare or copy.

A run whose every include contains its own start time is never superseded.
"""

UNCLOSED = f"""(runs.status = 'FAILED' AND runs.ending <> 'CLOSED' AND (
    runs.ending = 'FINISHED' AND runs.step IN ({quoted(RESUMED_WHEN_FAILED)})
    OR runs.ending = 'INTERRUPTED' AND runs.step IN ({quoted(RESUMED_WHEN_DIED)})))"""
"""Whether a run that is over left something to do: states.can_be_retried, in SQL."""

CAN_BE_RETRIED = f"({UNCLOSED} AND NOT {SUPERSEDED})"
"""Whether ``--copy`` would go on with a run that is over."""
