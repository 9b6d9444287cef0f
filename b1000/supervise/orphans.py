"""Processes that nobody supervises any more."""

import contextlib
import signal
import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil
_LOOKS = 20  # a process that forks while it is looked for is found by a later look
_PAUSE = 0.05  # seconds


def kill_at_once(spared: Mapping[str, Collection[str]]) -> None:
    """Kill everything that was started under these uids, without a grace period.

    ``spared`` maps each uid to its commands that had ended by themselves.
    """
    if not spared:
        return
    import psutil  # here: most programs never need it, and it takes time to import

    from b1000.work.tree import every_process

    def belongs(member: "psutil.Process") -> bool:
        try:
            environment = member.environ()
            uid = environment.get("B1000_RUN", "")
            if uid not in spared or environment.get("B1000_COMMAND") in spared[uid]:
                return False
            return bool(member.status() != psutil.STATUS_ZOMBIE)
        except (psutil.Error, OSError):
            return False

    for _ in range(_LOOKS):
        found = [member for member in every_process() if belongs(member)]
        if not found:
            return
        for member in found:
            with contextlib.suppress(psutil.Error):
                member.send_signal(signal.SIGKILL)
        time.sleep(_PAUSE)
