"""The words of ``b1000 list``."""

import argparse
from collections.abc import Sequence

from b1000.parsers.words import command

_LIST_EPILOG = """\
states: complete, writing, unfinished, legacy (from before there were marks), missing (the journal
or a database knows it and the storage has it not), unknown (of no job that is known)

exit codes:
  0  backups or files were found
  1  none was, or a storage could not be asked; the rest is shown
  2  wrong usage or configuration, or the journal cannot be read
"""


def for_list() -> argparse.ArgumentParser:
    """``b1000 list``."""
    parser = command(
        "list", "Show which backups lie at the storages, and what is known of them.", _LIST_EPILOG
    )
    parser.add_argument("--host", metavar="NAME", default="", help="only backups of this host")
    parser.add_argument(
        "--dest", metavar="NAME", default="", help="only at this destination or store"
    )
    parser.add_argument(
        "--at", metavar="TIME", default="", help="only backups that began at or before this time"
    )
    parser.add_argument(
        "--files",
        metavar="PATTERN",
        default="",
        help="where a path lies in them, with size and time",
    )
    parser.add_argument(
        "--all", action="store_true", help="also groups that are no longer configured"
    )
    parser.add_argument("--json", action="store_true", help="as a JSON object")
    parser.add_argument(
        "jobs", nargs="*", metavar="job[/instance]", help="what to show (default: all jobs)"
    )
    return parser


def words_of(argv: Sequence[str]) -> argparse.Namespace:
    """What was said; a name that begins with a dash is a pattern all the same, and no option."""
    parser = for_list()
    words: list[str] = []
    for word in argv:
        is_pattern = word[:1] == "-" and word[:2] != "--" and word[:2] not in ("-f", "-h")
        if words[-1:] == ["--files"] and is_pattern:
            word = f"{words.pop()}={word}"
        words.append(word)
    return parser.parse_intermixed_args(words)
