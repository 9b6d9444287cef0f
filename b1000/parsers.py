"""The words of the command line: which options each command takes, and its help."""

import argparse
import re
from collections.abc import Callable

from b1000 import __version__
from b1000.config import DEFAULT_FILE


def _parser(command: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"b1000 {command}".strip(),
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "-f",
        "--cfg",
        metavar="FILE",
        default=DEFAULT_FILE,
        help="configuration file (default: %(default)s)",
    )
    return parser


# --- b1000 [job[/instance]] ...

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
    parser = _parser("", _DESCRIPTION, _EPILOG)
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


# --- b1000 forget

_FORGET_EPILOG = """\
Refused (exit code 3) while a run of the same job/instance is at work.

With --post, a post is run where copies failed or the post itself did. It is not
run where pre did not succeed, since nothing was copied, nor where a later run
has begun, whose data it might remove; the answer says so.
"""


def for_forget() -> argparse.ArgumentParser:
    """``b1000 forget``."""
    parser = _parser(
        "forget", "Give up runs that failed: they are no longer retried.", _FORGET_EPILOG
    )
    parser.add_argument(
        "--post", action="store_true", help="run the post script of each before it is given up"
    )
    parser.add_argument("jobs", nargs="+", metavar="job[/instance]", help="whose runs to give up")
    return parser


# --- b1000 check


def for_check() -> argparse.ArgumentParser:
    """``b1000 check``."""
    parser = _parser(
        "check",
        "Report what is wrong with the configuration and with files that it names; run nothing.",
    )
    parser.add_argument(
        "--connect",
        action="store_true",
        help="also try destinations, directories, scripts and rsync itself",
    )
    return parser


# --- b1000 status

_STATUS_EPILOG = """\
exit codes:
  0  no last run that is shown FAILED
  1  one did
  2  wrong usage or configuration, or the journal cannot be read
"""


def for_status() -> argparse.ArgumentParser:
    """``b1000 status``."""
    parser = _parser(
        "status", "Show the last run of each job/instance, and what it waits for.", _STATUS_EPILOG
    )
    parser.add_argument("--json", action="store_true", help="as a JSON object")
    parser.add_argument(
        "--all",
        action="store_true",
        help="every run, also of jobs and instances that are no longer configured",
    )
    parser.add_argument("--failed", action="store_true", help="only runs that FAILED")
    parser.add_argument(
        "--last", type=_positive, metavar="N", default=1, help="the last N runs of each"
    )
    parser.add_argument(
        "--run", type=_positive, metavar="ID", help="all that happened in one run, by time"
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


def _positive(word: str) -> int:
    if not re.fullmatch(r"0*[1-9]\d{0,17}", word, re.ASCII):
        raise argparse.ArgumentTypeError(f"must be an integer >= 1, not {word!r}")
    return int(word)


# --- b1000 mark

_MARK_EPILOG = """\
For backups at local destinations that were made before there were marks. A mark is
written where the journal calls the copy DONE or WARNING, its directory is there
and no mark is; what the root of the destination holds besides is called legacy.

exit codes:
  0  all marks were written
  1  some could not be
  2  wrong usage or configuration, or the journal cannot be read
"""


def for_mark() -> argparse.ArgumentParser:
    """``b1000 mark``."""
    parser = _parser("mark", "Give complete backups their marks.", _MARK_EPILOG)
    parser.add_argument(
        "--adopt",
        action="store_true",
        required=True,
        help="write the marks of backups that have none",
    )
    parser.add_argument("jobs", nargs="*", metavar="job", help="of which jobs (default: all)")
    return parser


# --- b1000 restore

_RESTORE_EPILOG = """\
The newest complete backup of all storages is taken that is not known to be bad.
Where a newer one is known at a storage that does not answer, nothing is
restored without --any. What has come is compared with the list of sums of the
storage where there is one, else with its files by checksum. The same command
goes on with a restore that was interrupted.

exit codes:
  0  restored and verified
  1  failed, or something differs from the backup or is set aside there
  2  wrong usage, or refused: nothing was written
  3  restored, but older than the newest known, or not verified
"""


def for_restore() -> argparse.ArgumentParser:
    """``b1000 restore``."""
    parser = _parser(
        "restore", "Bring back the newest good backup of all storages.", _RESTORE_EPILOG
    )
    parser.add_argument("--to", metavar="DIR", default="", help="into this directory")
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
    parser.add_argument("--at", metavar="TIME", default="", help="the last one begun by then")
    parser.add_argument(
        "--from", dest="source", metavar="DEST", default="", help="from this destination only"
    )
    parser.add_argument("--host", metavar="H", default="", help="of this host or master")
    parser.add_argument(
        "--any", action="store_true", help="also one that is older than the newest, or unmarked"
    )
    parser.add_argument("--chown", metavar="U:G", default="", help="make all files theirs")
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
        "paths", nargs="*", metavar="PATH", help="only these, as they are in the backup"
    )
    return parser


# --- b1000 verify

_VERIFY_EPILOG = """\
Each new backup is counted; where a destination has `verify`, so many are read
that each byte is read within that time: what was never read comes first. The
first reading writes NAME.sha256.gz beside the backup, which
`zcat ../NAME.sha256.gz | sha256sum -c` checks inside it.

exit codes:
  0  nothing is wrong
  1  something is bad
  2  wrong usage or configuration
  3  the time of --for was over, or a storage could not be looked at
"""


def for_verify() -> argparse.ArgumentParser:
    """``b1000 verify``."""
    parser = _parser("verify", "On a storage: count and read what lies there.", _VERIFY_EPILOG)
    parser.add_argument("--count", action="store_true", help="count only, read nothing")
    parser.add_argument("--all", action="store_true", help="read everything now")
    parser.add_argument("--dest", metavar="N", default="", help="only this destination")
    parser.add_argument(
        "--for",
        dest="seconds",
        type=_duration,
        metavar="TIME",
        help="end after that time, such as 4h or 30m",
    )
    parser.add_argument("--json", action="store_true", help="as a JSON object")
    parser.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        help="nothing on standard output, only what is wrong on standard error",
    )
    parser.add_argument(
        "jobs", nargs="*", metavar="job[/host]", help="whose backups (default: all)"
    )
    return parser


# --- b1000 prune

_PRUNE_EPILOG = """\
Nothing is removed without the option keep of a destination or store, nor where
the newest complete backup of a group is bad or much smaller than usual. The
newest complete backup stays whatever keep says, and so does each that has a
file NAME.keep beside it.

exit codes:
  0  all that no rule keeps has been removed
  1  a group was held back, or something could not be removed
  2  wrong usage or configuration
  3  the time of --for was over
"""


def for_prune() -> argparse.ArgumentParser:
    """``b1000 prune``."""
    parser = _parser(
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
        type=_group,
        help="remove all backups of a host or instance that will never come back",
    )
    parser.add_argument(
        "--for",
        dest="seconds",
        type=_duration,
        metavar="TIME",
        help="end after that time, such as 2h or 30m",
    )
    parser.add_argument("--json", action="store_true", help="as a JSON object")
    parser.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        help="nothing on standard output, only what is wrong on standard error",
    )
    parser.add_argument(
        "jobs", nargs="*", metavar="job[/host]", help="whose backups (default: all)"
    )
    return parser


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(word: str) -> int:
    found = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", word, re.ASCII)
    if not found:
        raise argparse.ArgumentTypeError(f"must be a time such as 2h or 30m, not {word!r}")
    return int(found[1]) * _SECONDS[found[2]]


def _group(word: str) -> str:
    if not re.fullmatch(r"[^/]+/[^/]+(/[^/]+)?", word):
        raise argparse.ArgumentTypeError(f"must be JOB/HOST or JOB/HOST/INSTANCE, not {word!r}")
    return word


# --- b1000 list

_LIST_EPILOG = """\
states: complete, writing, unfinished, legacy (from before there were marks), missing (the journal
knows it and the storage has it not), unknown (of no job that is known)

exit codes:
  0  backups or files were found
  1  none was, or a storage could not be asked; the rest is shown
  2  wrong usage or configuration, or the journal cannot be read
"""


def for_list() -> argparse.ArgumentParser:
    """``b1000 list``."""
    parser = _parser(
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


_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}


def _span(word: str) -> float:
    """A length of time in seconds."""
    parts = re.fullmatch(r"(\d{1,9})(s|min|m|h|d|w)", word, re.ASCII)
    if not parts or not int(parts[1]):
        raise argparse.ArgumentTypeError(f"must be a time such as 90min, 24h or 7d, not {word!r}")
    return float(int(parts[1]) * _SECONDS[parts[2]])


# --- b1000 monitor

_MONITOR_EPILOG = """\
exit codes, as Nagios counts them:
  0  OK: a good, fresh, complete backup of everything
  1  WARNING
  2  CRITICAL: of something there is none, or none that is fresh enough
  3  UNKNOWN: the database does not answer, or the command cannot be understood
"""


def for_monitor() -> argparse.ArgumentParser:
    """``b1000 monitor``."""
    parser = _parser(
        "monitor",
        "Ask the central database: is there a good, fresh, complete backup of everything?",
        _MONITOR_EPILOG,
    )
    parser.add_argument("--report", metavar="NAME", default="", help="the report to ask")
    parser.add_argument("--job", metavar="NAME", default="", help="only this job")
    parser.add_argument("--host", metavar="NAME", default="", help="only this host or master")
    parser.add_argument(
        "--learn", action="store_true", help="write what is usual into plan, where plan has nothing"
    )
    parser.add_argument(
        "--since", metavar="TIME", type=_span, default=0.0, help="tell what turned within: 24h, 7d"
    )
    parser.add_argument("--all", action="store_true", help="list what is OK, too")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as a JSON object")
    form.add_argument("--nagios", action="store_true", help="as lines with performance data")
    form.add_argument("--prometheus", action="store_true", help="as metrics")
    parser.add_argument("--output", metavar="FILE", default="", help="where to write the metrics")
    parser.add_argument(
        "--html", metavar="FILE", default="", help="write a page that shows everything"
    )
    parser.add_argument(
        "--notify", metavar="COMMAND", default="", help="run it with JSON of what turned, if any"
    )
    parser.add_argument(
        "--state", metavar="FILE", default="", help="where --notify keeps what was told"
    )
    return parser


PARSERS: dict[str, Callable[[], argparse.ArgumentParser]] = {
    "": for_jobs,
    "status": for_status,
    "check": for_check,
    "forget": for_forget,
    "list": for_list,
    "mark": for_mark,
    "monitor": for_monitor,
    "prune": for_prune,
    "restore": for_restore,
    "verify": for_verify,
}
"""Command → its parser, with "" for the jobs: what the manual and the completions tell."""
