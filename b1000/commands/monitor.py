"""``b1000 monitor``: whether there is a good, fresh, complete backup of everything."""

import gc
from collections.abc import Sequence
from typing import Any

from b1000.commands.output import say, terminal
from b1000.errors import B1000Error

_UNKNOWN = 3  # as Nagios counts


def monitor(argv: Sequence[str]) -> int:
    """Carry it out; gives the exit code."""
    from b1000.parsers.monitor import for_monitor

    parser = for_monitor()
    try:
        arguments = parser.parse_intermixed_args(argv)
        _check(parser, arguments)
    except SystemExit as end:
        # Nagios takes 2 for CRITICAL.
        return _UNKNOWN if end.code else 0
    return _reply(arguments) if arguments.reply else _ask(arguments)


def _check(parser: Any, arguments: Any) -> None:
    """What fits together."""
    forms = ("json", "nagios", "prometheus", "html", "notify", "learn", "since", "all")
    if arguments.output and not arguments.prometheus:
        parser.error("--output needs --prometheus")
    if bool(arguments.notify) != bool(arguments.state):
        parser.error("--notify and --state need each other")
    if arguments.reply and not arguments.subject:
        parser.error(f"{arguments.reply} needs a SUBJECT, such as 'HOST JOB/INSTANCE'")
    if arguments.reply and (given := [each for each in forms if getattr(arguments, each)]):
        parser.error(f"--{given[0]} cannot be combined with {arguments.reply}")
    if not arguments.reply and (arguments.until or arguments.note):
        parser.error("--until and --note need ack, ignore or expect")


def _reply(arguments: Any) -> int:
    """An answer to a verdict, by people."""
    import time

    from b1000.config import loader
    from b1000.logs import printable, to_stderr
    from b1000.monitor.replying import ReplyRequest, reply
    from b1000.monitor.survey import database

    wanted = ReplyRequest(
        arguments.reply, " ".join(arguments.subject), arguments.until, arguments.note
    )
    try:
        config = loader.load(arguments.cfg)
        settings = database(config, arguments.report)
        asked = ("--report", arguments.report) if arguments.report else ()
        wanted = wanted._replace(listing=config.command("monitor", "--all", *asked))
        for line in reply(settings, wanted, time.time()):
            say(printable(line))
    except B1000Error as error:
        to_stderr(error.full_message())
        return _UNKNOWN
    return 0


def _ask(arguments: Any) -> int:
    """A verdict, in the form that is wanted."""
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
