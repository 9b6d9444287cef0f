"""The words of ``b1000 check``."""

import argparse

from b1000.parsers.words import command


def for_check() -> argparse.ArgumentParser:
    """``b1000 check``."""
    parser = command(
        "check",
        "Report what is wrong with the configuration and with files that it names; run nothing.",
    )
    parser.add_argument(
        "--connect",
        action="store_true",
        help="also try destinations, directories, scripts and rsync itself",
    )
    return parser
