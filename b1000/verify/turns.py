"""Roots take turns, so that what lies at one of them does not cost the time of all others."""

import math
import time
from collections.abc import Callable, Sequence

from b1000.named import NamedTuple
from b1000.storage.backup import Root
from b1000.verify import reading_plan
from b1000.verify.findings import Look
from b1000.verify.judging import Terms
from b1000.verify.reading import OutOfTime


class Step(NamedTuple):
    """One backup that is read, or else counted."""

    look: Look
    terms: Terms
    reads: bool = True


def take(
    steps: Sequence[Step],
    carry_out: Callable[[Step], None],
    until: float | None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Carry out the steps, those of one root in their order; they raise OutOfTime once their terms
    say so. Raises it where time was over before all had come to their ends.

    Each turn of a round has an equal share of its time, and the last one all that the others have
    left. What did not come to its end is gone on with in another round. Where there is no end of
    time, a round is as long as a night, and twice as long as the one before.
    """
    of_root: dict[Root, list[Step]] = {}
    for step in steps:
        of_root.setdefault(step.look.root, []).append(step)
    looked = [(each.look.root, each.look.backup) for each in steps]
    waiting = [of_root[root] for root in reading_plan.in_turns(looked)]
    seconds = reading_plan.NIGHT
    while waiting:
        if until is not None:
            seconds = until - clock()
            if seconds <= 0:
                raise OutOfTime
        share = seconds / len(waiting)
        cut = []
        for turn in waiting:
            end = until
            if len(waiting) > 1 and (until is None or turn is not waiting[-1]):
                end = min(clock() + share, until or math.inf)
            try:
                while turn:
                    carry_out(turn[0]._replace(terms=turn[0].terms.ending(end)))
                    del turn[0]
            except OutOfTime:
                cut.append(turn)
        waiting = cut
        seconds *= 2
