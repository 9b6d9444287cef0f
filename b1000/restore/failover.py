"""A backup is brought back from the first storage that gives it."""

import time
from collections.abc import Callable, Sequence

from b1000.restore.restoring import Restoring, Told, is_here, nobody
from b1000.rsync.outcome import Outcome
from b1000.rsync.verdicts import Retry

_MOST = 9  # times the least, before what is drawn


def bring(
    all_ways: Sequence[Restoring],
    retries: int,
    wait: float,
    told: Callable[[str], None],
    totalled: Told = nobody,
) -> tuple[Restoring, Outcome]:
    """Bring a backup back from the first storage that gives it; each is tried once before a retry.

    ``wait`` is the least before a retry, and grows. ``told`` hears of each failure, and how long
    it waits. Gives the one that succeeded, or the last one and its outcome.
    """
    left = list(all_ways)
    for turn in range(retries + 1):
        if turn:
            pause = rest(wait, turn)
            if pause >= 1:
                told(f"it is tried again in {pause:.0f} s")
            time.sleep(pause)
        for each in tuple(left):
            result = each.bring(totalled)
            if result.exit_code == 0:
                return each, result
            if is_here(result):
                return each, result
            told(f"{each.row.path}: {result.reason}")
            if result.retry is Retry.NEVER or (result.retry is Retry.ONCE and turn):
                left.remove(each)
        if not left:
            break
    return each, result


def rest(least: float, turn: int) -> float:
    """How many seconds to wait before a retry, the first of which is 1: as copies do."""
    import random  # with hashes, which a restore at the first go needs not

    return min(least * 2.0 ** (turn - 1), _MOST * least) + random.uniform(0, least)
