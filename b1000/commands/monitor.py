"""``b1000 monitor``: whether there is a good, fresh, complete backup of everything."""

import gc
from collections.abc import Sequence

from b1000.commands.output import say, terminal
from b1000.errors import B1000Error

_UNKNOWN = 3  # as Nagios counts


def monitor(argv: Sequence[str]) -> int:
    """Carry it out; gives the exit code."""
    from b1000.parsers.monitor import for_monitor

    parser = for_monitor()
    try:
        arguments = parser.parse_args(argv)
        if arguments.output and not arguments.prometheus:
            parser.error("--output needs --prometheus")
        if bool(arguments.notify) != bool(arguments.state):
            parser.error("--notify and --state need each other")
    except SystemExit as end:
        # Nagios takes 2 for CRITICAL.
        return _UNKNOWN if end.code else 0

    from b1000.logs import to_stderr
    from b1000.monitor.answer import Form, OutputOptions, answer, unknown
    from b1000.monitor.survey import MonitorQuestion

    # Thousands of histories without a cycle: to look for those takes as long as all the rest.
    gc.disable()
    form = next(
        (each for each in Form if getattr(arguments, each.value, False)),
        Form.NONE if arguments.html else Form.TABLE,
    )
    wanted = OutputOptions(
        form, arguments.output, arguments.html, arguments.all, arguments.notify, arguments.state
    )
    question = MonitorQuestion(arguments.report, arguments.job, arguments.host, arguments.learn)
    question = question._replace(since=arguments.since)
    try:
        given = answer(arguments.cfg, question, wanted, terminal())
    except Exception as error:
        # An internal error is no WARNING about backups, as Python's own exit code would be.
        import traceback

        to_stderr(traceback.format_exc().rstrip())
        given = unknown(f"internal error: {type(error).__name__}: {error}", wanted)
    if given.complaint:
        to_stderr(f"b1000: {given.complaint}")
    try:
        if given.text:
            say(given.text)
    except B1000Error as error:
        to_stderr(error.full_message())
        return _UNKNOWN
    return given.exit_code
