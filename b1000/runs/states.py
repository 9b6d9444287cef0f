"""The step machine: the states of runs and copies, and the moves between them.

Everything else that speaks of states (the journal's CHECKs, the verdict of a
run, what ``--copy`` may resume) is derived from the tables here.
"""

from collections.abc import Iterable
from enum import StrEnum


class Step(StrEnum):
    """Where a run stands."""

    INIT = "INIT"
    PRE = "PRE"
    COPYING = "COPYING"
    POST = "POST"
    DONE = "DONE"


class Status(StrEnum):
    """How a run fares so far, from best to worst."""

    OK = "OK"
    WARNING = "WARNING"
    FAILED = "FAILED"


class CopyStatus(StrEnum):
    """Where one copy of a run stands."""

    INIT = "INIT"
    COPYING = "COPYING"
    DONE = "DONE"
    WARNING = "WARNING"
    FAILED = "FAILED"


class Ending(StrEnum):
    """How a run came to its end; a run without one is live, or its supervisor died."""

    FINISHED = "FINISHED"
    INTERRUPTED = "INTERRUPTED"
    CLOSED = "CLOSED"


# A run without a pre script goes from INIT to COPYING, one without post from COPYING to DONE.
# COPYING ▸ COPYING and POST ▸ COPYING are the resumption of a run that failed or died there.
MOVES: dict[Step, frozenset[Step]] = {
    Step.INIT: frozenset({Step.INIT, Step.PRE, Step.COPYING}),
    Step.PRE: frozenset({Step.PRE, Step.COPYING}),
    Step.COPYING: frozenset({Step.COPYING, Step.POST, Step.DONE}),
    Step.POST: frozenset({Step.POST, Step.COPYING, Step.DONE}),
    Step.DONE: frozenset({Step.DONE}),
}

COPY_MOVES: dict[CopyStatus, frozenset[CopyStatus]] = {
    CopyStatus.INIT: frozenset({CopyStatus.COPYING, CopyStatus.FAILED}),
    CopyStatus.COPYING: frozenset(
        {CopyStatus.COPYING, CopyStatus.DONE, CopyStatus.WARNING, CopyStatus.FAILED}
    ),
    CopyStatus.DONE: frozenset(),
    CopyStatus.WARNING: frozenset(),
    CopyStatus.FAILED: frozenset({CopyStatus.COPYING, CopyStatus.FAILED}),
}

COMPLETE = frozenset({CopyStatus.DONE, CopyStatus.WARNING})
"""Copies in these states have all data at their destination."""

BEGUN = frozenset({Step.PRE, Step.COPYING, Step.POST, Step.DONE})
"""A run that reached one of these steps supersedes the earlier runs of its job/instance."""

RESUMED_WHEN_FAILED = frozenset({Step.COPYING})
RESUMED_WHEN_DIED = frozenset({Step.COPYING, Step.POST})
"""Steps from which ``--copy`` goes on: after a failure, and after the supervisor died."""


def can_be_retried(step: Step, status: Status, ending: Ending | None, died: bool) -> bool:
    """Whether ``--copy`` goes on with such a run, if nothing has superseded it.

    ``died``: it has no ending, and its supervisor is not alive.
    """
    if died or ending is Ending.INTERRUPTED:
        return step in RESUMED_WHEN_DIED
    return status is Status.FAILED and ending is Ending.FINISHED and step in RESUMED_WHEN_FAILED


_SEVERITY = {Status.OK: 0, Status.WARNING: 1, Status.FAILED: 2}


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of the statuses; OK if there is none."""
    return max(statuses, key=_SEVERITY.__getitem__, default=Status.OK)


def status_of_copies(copies: Iterable[CopyStatus]) -> Status:
    """What ended copies make of their run: anything but DONE or WARNING fails it."""
    verdict = {CopyStatus.DONE: Status.OK, CopyStatus.WARNING: Status.WARNING}
    return worst(verdict.get(copy, Status.FAILED) for copy in copies)
