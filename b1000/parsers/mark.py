"""The words of ``b1000 mark``."""

import argparse

from b1000.parsers.words import command

_MARK_EPILOG = """\
For backups at local destinations and stores that were made before there were
marks. A mark is written where the journal, or a database of `report`, calls the
copy DONE or WARNING, its directory is there and no mark is; what the root of the
destination holds besides is called legacy. A root that holds marks gets its id.

exit codes:
  0  all marks were written
  1  some could not be
  2  wrong usage or configuration, or the journal cannot be read
"""


def for_mark() -> argparse.ArgumentParser:
    """``b1000 mark``."""
    parser = command("mark", "Give complete backups their marks.", _MARK_EPILOG)
    parser.add_argument(
        "--adopt",
        action="store_true",
        required=True,
        help="write the marks of backups that have none",
    )
    parser.add_argument("jobs", nargs="*", metavar="job", help="of which jobs (default: all)")
    return parser
