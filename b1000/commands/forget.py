"""``b1000 forget``: gives up runs that failed."""

from collections.abc import Sequence

from b1000.commands.output import log_as


def forget(argv: Sequence[str]) -> int:
    """Carry it out; gives the exit code."""
    from b1000.parsers.forget import for_forget

    arguments = for_forget().parse_intermixed_args(argv)

    from b1000 import logs
    from b1000.config import loader
    from b1000.config.selectors import selector
    from b1000.runs.task import TaskKind
    from b1000.supervise.supervisor import Supervisor

    config = loader.load(arguments.cfg)
    log_as(config.settings)
    selectors = [selector(word) for word in arguments.jobs]
    kind = TaskKind.FORGET_WITH_POST if arguments.post else TaskKind.FORGET
    code = Supervisor(config, {}).recover(selectors, kind)
    logs.log_where()
    return code
