"""The words of ``b1000 monitor``."""

import argparse

from b1000.parsers.words import coming, command, span

_MONITOR_EPILOG = """\
exit codes, as Nagios counts them:
  0  OK: a good, fresh, complete backup of everything
  1  WARNING
  2  CRITICAL: of something there is none, or none that is fresh enough
  3  UNKNOWN: the database does not answer, or the command cannot be understood
"""


def for_monitor() -> argparse.ArgumentParser:
    """``b1000 monitor``."""
    parser = command(
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
        "--since", metavar="TIME", type=span, default=0.0, help="what has changed within: 24h, 7d"
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
        "--notify", metavar="COMMAND", default="", help="run it with JSON of what has changed"
    )
    parser.add_argument(
        "--state", metavar="FILE", default="", help="where --notify keeps what it has reported"
    )
    parser.add_argument(
        "--until",
        metavar="TIME",
        type=coming,
        default=0.0,
        help="when the answer ends: 7d, or 2026-11-30",
    )
    parser.add_argument("--note", metavar="TEXT", default="", help="why it is answered so")
    parser.add_argument(
        "reply",
        nargs="?",
        choices=("ack", "ignore", "expect"),
        help="answer: the problem is known, is not to be reported, or a backup is expected",
    )
    parser.add_argument(
        "subject", nargs="*", metavar="SUBJECT", help="HOST, 'HOST JOB' or 'HOST JOB/INSTANCE'"
    )
    return parser
