"""The words of ``b1000 status``."""

import argparse

from b1000.parsers.words import command, positive

_STATUS_EPILOG = """\
exit codes:
  0  no last run that is shown FAILED
  1  one did
  2  wrong usage or configuration, or the journal cannot be read
"""


def for_status() -> argparse.ArgumentParser:
    """``b1000 status``."""
    parser = command(
        "status", "Show the last run of each job/instance, and what it waits for.", _STATUS_EPILOG
    )
    parser.add_argument("--json", action="store_true", help="as a JSON object")
    parser.add_argument(
        "--all",
        action="store_true",
        help="every row, also of jobs and instances that are no longer configured",
    )
    parser.add_argument("--failed", action="store_true", help="only runs that FAILED")
    parser.add_argument(
        "--last", type=positive, metavar="N", default=1, help="the last N runs of each"
    )
    parser.add_argument(
        "--run", type=positive, metavar="ID", help="all that happened in one run, by time"
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="again every second, with progress; arrows and page keys scroll, Ctrl-C or q ends it",
    )
    parser.add_argument(
        "jobs", nargs="*", metavar="job[/instance]", help="what to show (default: all jobs)"
    )
    return parser
