"""The words of ``b1000``."""

import argparse

from b1000 import __version__
from b1000.parsers.words import command

_DESCRIPTION = "Carry out the backup jobs of an ini file."
_EPILOG = """\
commands, as the first word (a job of that name is reached as job:NAME):
  status   the last run of each job/instance
  check    what is wrong with the configuration
  forget   give up runs that failed
  list     which backups lie at the storages
  monitor  whether there is a good, fresh, complete backup of everything
  mark     give backups marks that were made before there were any
  restore  bring back the newest good backup of all storages
  verify   count and read what lies at a storage
  prune    remove the backups at a storage that no rule keeps
`b1000 COMMAND --help` tells their options.

exit codes:
  0      everything that was asked for succeeded
  1      at least one job/instance FAILED, all others were done
  2      wrong usage or configuration, nothing was run
  3      nothing failed, but something is still running from before
  128+N  stopped by signal N

Each signal that would end a program ends this one in order; a second one at
once. SIGKILL and faults (SIGSEGV, SIGBUS, SIGFPE, SIGILL) cannot be in order:
what they leave running ends by itself, or is ended by the next b1000. SIGPIPE,
SIGXFSZ, and a signal that was ignored when it began (nohup) end nothing.
"""


def for_jobs() -> argparse.ArgumentParser:
    """``b1000 [job[/instance]] ...``, without a command."""
    parser = command("", _DESCRIPTION, _EPILOG)
    parser.add_argument("-v", "--version", action="version", version=f"b1000 {__version__}")
    parser.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        help="nothing on standard output, only failures on standard error",
    )
    parser.add_argument(
        "-c",
        "--copy",
        action="store_true",
        help="resume runs that failed while copying, or were interrupted",
    )
    parser.add_argument(
        "-n",
        "--dry-run",
        action="store_true",
        help="show what would be run and sent, and change nothing",
    )
    parser.add_argument(
        "jobs", nargs="*", metavar="job[/instance]", help="what to run (default: all jobs)"
    )
    return parser
