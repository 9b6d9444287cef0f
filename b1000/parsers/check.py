"""The words of ``b1000 check``."""

import argparse

from b1000.parsers.words import command

_CHECK_EPILOG = """\
exit codes:
  0  there may be warnings, and no error
  2  an error, or wrong usage
"""


def for_check() -> argparse.ArgumentParser:
    """``b1000 check``."""
    parser = command(
        "check",
        "Report what is wrong with the configuration and with files that it names; run nothing.",
        _CHECK_EPILOG,
    )
    parser.add_argument(
        "--connect",
        action="store_true",
        help="also try destinations, report databases, directories, the journal, scripts and rsync",
    )
    return parser
