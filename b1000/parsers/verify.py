"""The words of ``b1000 verify``."""

import argparse

from b1000.parsers.words import command, of_storages

_VERIFY_EPILOG = """\
Each new backup is counted; where a destination has `verify`, so many are read
that each byte is read within that time: what was never read comes first. The
first reading writes NAME.sha256.gz beside the backup, which
`zcat ../NAME.sha256.gz | sha256sum -c` checks inside it.

--drill counts and reads nothing: of jobs and stores with the option `drill` it
restores, where that is due, the newest complete backup of what was drilled
longest ago, runs the command, and removes what it has restored. A job that is
named is drilled whether that is due or not.

exit codes:
  0  nothing is wrong
  1  something is bad, or a drill failed
  2  wrong usage or configuration
  3  the time of --for was over, or a storage could not be looked at
"""


def for_verify() -> argparse.ArgumentParser:
    """``b1000 verify``."""
    parser = command("verify", "On a storage: count and read what lies there.", _VERIFY_EPILOG)
    parser.add_argument("--count", action="store_true", help="count only, read nothing")
    parser.add_argument("--all", action="store_true", help="read, or drill, everything now")
    parser.add_argument(
        "--drill",
        action="store_true",
        help="restore what was drilled longest ago, and let its command judge it",
    )
    parser.add_argument(
        "--dest", metavar="N", default="", help="only this destination; at a daemon rsync sums"
    )
    of_storages(parser, "4h")
    return parser
