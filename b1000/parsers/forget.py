"""The words of ``b1000 forget``."""

import argparse

from b1000.parsers.words import command

_FORGET_EPILOG = """\
Refused while a run of the same job/instance is at work.

With --post, a post is run where copies failed or the post itself did. It is not
run where pre did not succeed, since nothing was copied, nor where a later run
has begun, whose data it might remove; the answer says so.

Restores that failed or were interrupted are given up, too. What has come stays.

exit codes:
  0  all that failed was given up, or there was nothing to give up
  1  a post failed, whose run is not given up
  2  wrong usage or configuration, or the journal cannot be opened
  3  something was left as it is, since it is at work
"""


def for_forget() -> argparse.ArgumentParser:
    """``b1000 forget``."""
    parser = command(
        "forget",
        "Give up what failed: runs, which are no longer retried, and restores.",
        _FORGET_EPILOG,
    )
    parser.add_argument(
        "--post", action="store_true", help="run the post script of each before it is given up"
    )
    parser.add_argument("jobs", nargs="+", metavar="job[/instance]", help="whose runs to give up")
    return parser
