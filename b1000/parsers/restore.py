"""The words of ``b1000 restore``."""

import argparse

from b1000.parsers.words import command, given

_RESTORE_EPILOG = """\
The newest complete backup of all storages is taken that is not known to be bad.
Where a newer one is known at a storage that does not answer, nothing is
restored without --any; with it also a bad one, where there is no other or --at is
its start to the second. What has come is compared with the list of sums of the
storage where there is one, else with its files by checksum. The same command
goes on with a restore that was interrupted.

exit codes:
  0  restored and verified
  1  failed, or something differs from the backup or is set aside there
  2  wrong usage, or refused: nothing was written
  3  restored, but older than the newest known, known to be bad, or not verified
"""


def for_restore() -> argparse.ArgumentParser:
    """``b1000 restore``."""
    parser = command(
        "restore", "Bring back the newest good backup of all storages.", _RESTORE_EPILOG
    )
    parser.add_argument("--to", metavar="DIR", type=given, help="into this directory")
    parser.add_argument(
        "--in-place", action="store_true", help="each include to the place where it was"
    )
    existing = parser.add_mutually_exclusive_group()
    for word, text in (
        ("missing", "add only what is not there"),
        ("merge", "replace what differs, delete nothing"),
        ("mirror", "replace what differs, delete what the backup has not"),
    ):
        existing.add_argument(
            f"--{word}", dest="existing", action="store_const", const=word, help=text
        )
    parser.add_argument("--at", metavar="TIME", type=given, help="the last one begun by then")
    parser.add_argument(
        "--from",
        dest="source",
        metavar="DEST",
        type=given,
        help="from this destination only; DEST/CLIENT is one client of a store",
    )
    parser.add_argument("--host", metavar="H", type=given, help="of this host or master")
    parser.add_argument(
        "--any", action="store_true", help="also an older, an unmarked or a bad one"
    )
    parser.add_argument("--chown", metavar="U:G", type=given, help="make all files theirs")
    parser.add_argument("--devices", action="store_true", help="make devices and FIFOs too")
    parser.add_argument("--no-verify", action="store_true", help="do not compare afterwards")
    parser.add_argument("--yes", action="store_true", help="delete with --mirror without asking")
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="show the choice and what would be replaced"
    )
    parser.add_argument(
        "--print", action="store_true", help="print the plain rsync commands that do it"
    )
    parser.add_argument("--json", action="store_true", help="as a JSON object")
    parser.add_argument("job", metavar="job[/instance]", help="whose backup")
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        default=[],
        help="only these: /... as they were at the source, else as they are in the backup",
    )
    return parser
