"""``b1000 check``: what is wrong with the configuration."""

from collections.abc import Sequence

from b1000.commands.output import USAGE_ERROR, say
from b1000.errors import counted


def check(argv: Sequence[str]) -> int:
    """Carry it out; gives the exit code."""
    from b1000.parsers.check import for_check

    arguments = for_check().parse_args(argv)

    from b1000.check import advice, connect
    from b1000.config import loader
    from b1000.logs import to_stderr

    config = loader.load(arguments.cfg)
    found = advice.advice(config, arguments.connect)
    found += connect.connect(config) if arguments.connect else []
    problems = [
        *config.problems,
        *(
            loader.Problem(
                config.line(each.section, each.option),
                each.section,
                each.option,
                each.text,
                each.warning,
                file=config.others.get(each.section, ""),
            )
            for each in found
        ),
    ]
    for problem in sorted(problems, key=lambda problem: problem.place):
        to_stderr(problem.shown(config.file))
    if arguments.connect:
        from b1000.check.daemons import marks_go_to

        for name, place in marks_go_to(config):
            say(f"[dest:{name}] its marks go to {place}")
    warnings = sum(problem.warning for problem in problems)
    wrong = len(problems) - warnings
    say(
        f"{config.file}: {counted(len(config.jobs), 'job')}, {counted(wrong, 'error')}, "
        f"{counted(warnings, 'warning')}"
    )
    return USAGE_ERROR if wrong else 0
