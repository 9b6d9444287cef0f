"""The words of ``b1000 prune``."""

import argparse

from b1000.parsers.words import command, group, of_storages

_PRUNE_EPILOG = """\
Nothing is removed without the option keep of a destination or store, nor where
the newest complete backup of a group is bad or much smaller than usual. The
newest complete backup stays whatever keep says, and so does each that has a
file NAME.keep beside it.

exit codes:
  0  all that no rule keeps has been removed
  1  a group was held back, or something could not be removed
  2  wrong usage or configuration, such as no keep anywhere
  3  the time of --for was over
"""


def for_prune() -> argparse.ArgumentParser:
    """``b1000 prune``."""
    parser = command(
        "prune", "On a storage: remove the backups that no rule of keep holds.", _PRUNE_EPILOG
    )
    parser.add_argument(
        "-n",
        "--dry-run",
        action="store_true",
        help="show what would be kept and removed, why, and what it would free",
    )
    parser.add_argument(
        "--more",
        action="store_true",
        help="even more than prune_most at once, and where a pattern of keep fits no group",
    )
    parser.add_argument(
        "--gone",
        action="append",
        default=[],
        metavar="JOB/HOST[/INSTANCE]",
        type=group,
        help="remove all backups of a host or instance that will never come back",
    )
    of_storages(parser, "2h")
    return parser
