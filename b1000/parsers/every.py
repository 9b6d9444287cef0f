"""All parsers, for what is made from them."""

import argparse
from collections.abc import Callable

from b1000.parsers.check import for_check
from b1000.parsers.forget import for_forget
from b1000.parsers.jobs import for_jobs
from b1000.parsers.list import for_list
from b1000.parsers.mark import for_mark
from b1000.parsers.monitor import for_monitor
from b1000.parsers.prune import for_prune
from b1000.parsers.restore import for_restore
from b1000.parsers.status import for_status
from b1000.parsers.verify import for_verify

PARSERS: dict[str, Callable[[], argparse.ArgumentParser]] = {
    "": for_jobs,
    "status": for_status,
    "check": for_check,
    "forget": for_forget,
    "list": for_list,
    "mark": for_mark,
    "monitor": for_monitor,
    "prune": for_prune,
    "restore": for_restore,
    "verify": for_verify,
}
"""Command → its parser, with "" for the jobs: what the manual and the completions tell."""
