"""``b1000 status``: the last runs, or one run from its beginning to its end."""

import sys
from collections.abc import Sequence

from b1000.commands.output import say, terminal


def status(argv: Sequence[str]) -> int:
    """Carry it out; gives the exit code."""
    from b1000.parsers.status import for_status

    parser = for_status()
    arguments = parser.parse_intermixed_args(argv)
    if arguments.watch and arguments.json:
        parser.error("--watch cannot be combined with --json")
    if arguments.run is not None and (arguments.jobs or arguments.failed or arguments.last > 1):
        parser.error("--run cannot be combined with a job, --failed or --last")

    from b1000.config import loader
    from b1000.config.selectors import selector
    from b1000.status.answer import Asked
    from b1000.status.question import StatusQuestion

    selectors = tuple(selector(word) for word in arguments.jobs)
    question = StatusQuestion(selectors, arguments.all, arguments.failed, arguments.last)
    asked = Asked(loader.load(arguments.cfg), question, arguments.run)
    if arguments.watch and sys.stdout:
        from b1000.status.watch import watch

        return watch(asked.for_people, sys.stdout)
    answer = asked.for_programs() if arguments.json else asked.for_people(terminal())
    say(answer.text)
    if answer.damaged or answer.notes:
        from b1000.logs import to_stderr

        if answer.notes:
            to_stderr(answer.notes)
        if answer.damaged:
            to_stderr(f"b1000: {answer.damaged}")
    return answer.exit_code
