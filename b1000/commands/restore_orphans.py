"""What restores have left whose b1000 was killed."""

import time

from b1000.restore import noting
from b1000.runs.stored import Restore


def end_orphans(begun: Restore) -> None:
    """End the rsyncs of such a restore."""
    from b1000.work.tree import TreeEnding  # with the loop of workers; there seldom are any

    ending = TreeEnding(noting.marks(begun.process))
    while (pause := ending.step()) is not None:
        time.sleep(pause)
