"""``b1000 forget``: gives up runs and restores that failed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from b1000.commands.output import log_as

if TYPE_CHECKING:
    from b1000.config.loader import Config
    from b1000.config.selectors import Selector

_UNDER_WAY = 3


def forget(argv: Sequence[str]) -> int:
    """Carry it out; gives the exit code."""
    from b1000.parsers.forget import for_forget

    arguments = for_forget().parse_intermixed_args(argv)

    from b1000 import logs
    from b1000.config import loader
    from b1000.config.selectors import selector
    from b1000.errors import UsageError
    from b1000.runs.task import TaskKind
    from b1000.supervise.supervisor import Supervisor

    config = loader.load(arguments.cfg)
    log_as(config.settings)
    selectors = [selector(word) for word in arguments.jobs]
    kind = TaskKind.FORGET_WITH_POST if arguments.post else TaskKind.FORGET
    restored, left = _restores(config, selectors)
    unknown = [each for each in selectors if each not in restored]
    try:
        code = Supervisor(config, {}).recover(selectors, kind)
    except UsageError:
        # Of a job that was only restored here no run is known.
        if unknown == selectors:
            raise
        code = Supervisor(config, {}).recover(unknown, kind) if unknown else 0
    logs.log_where()
    return code or left


def _restores(config: "Config", selectors: "Sequence[Selector]") -> "tuple[list[Selector], int]":
    """Give up the restores that are open; the selectors that mean some, and the exit code."""
    from pathlib import Path

    from b1000.identity import is_alive
    from b1000.logs import for_all
    from b1000.runs.run import label
    from b1000.state import queries
    from b1000.state.opening import open_journal
    from b1000.status.restores import is_asked

    path = Path(config.settings.journal)
    if not queries.may_exist(path):
        return [], 0
    open_journal(path).close()  # one of an older program is brought up to date
    with queries.Reader(path) as reader:
        found = [each for each in reader.last_restores() if each.is_open]
    meant: list[Selector] = []
    code = 0
    for each in found:
        asking = [one for one in selectors if is_asked(each, [one])]
        if not asking:
            continue
        meant += asking
        what = f"the restore of {label(each.job, each.instance)} to {each.target}"
        if each.ended is None and is_alive(each.process):
            code = _UNDER_WAY
            for_all().warning("%s is at work; it is not given up", what)
            continue
        from b1000.restore import noting
        from b1000.work.tree import end_marked  # with the loop of workers; there seldom are any

        if each.ended is None:
            end_marked(noting.marks(each.process))
        noting.is_given_up(path, each)
        for_all().info("%s is given up; what has come stays there", what)
    return meant, code
