"""``b1000 [job[/instance]] ...``: runs jobs, resumes what failed, or tells what it would do."""

import os
from collections.abc import Callable, Sequence

from b1000.commands.output import USAGE_ERROR, log_as, say, terminal
from b1000.logstyle import ERROR, WARNING

TYPE_CHECKING = False  # type checkers know the name; to import it takes longer than all of -v
if TYPE_CHECKING:
    from typing import TypeVar

    from b1000.config.loader import Config, ConfigUnreadable
    from b1000.config.sections import Problem
    from b1000.config.selectors import Selection, Selector
    from b1000.state.queries import Reader
    from b1000.status.bars import Bars

    Answer = TypeVar("Answer")


def run_jobs(argv: Sequence[str]) -> int:
    """Carry it out; gives the exit code."""
    from b1000.parsers.jobs import for_jobs

    arguments = for_jobs().parse_intermixed_args(argv)

    from b1000 import logs
    from b1000.config import loader
    from b1000.config.selectors import TO_RUN, JobSelection, can_be_run, resolve, selector
    from b1000.errors import UsageError
    from b1000.runs.task import TaskKind
    from b1000.supervise.ahead import fork_worker

    try:
        config = loader.load(arguments.cfg)
    except loader.ConfigUnreadable as error:
        _log_unreadable(error, logged=not arguments.dry_run, quiet=arguments.quiet)
        return USAGE_ERROR
    settings = config.settings
    if not arguments.dry_run:
        log_as(settings, arguments.quiet)
    selectors = [selector(word) for word in arguments.jobs]
    selection: Selection = {}
    if not arguments.copy:
        every = dict.fromkeys(config.jobs, JobSelection())
        selection = resolve(selectors, can_be_run(config.jobs), TO_RUN) or every
    if not selection and not arguments.copy:
        _announce(config, arguments.quiet)
        raise UsageError(f"there is no job in {config.file}", "a job is a section [job:NAME]")
    if arguments.dry_run:
        _announce(config, arguments.quiet)
        if arguments.copy:
            return _rehearse_copy(config, selectors, arguments.quiet)
        return _rehearse(config, selection, arguments.quiet)
    _announce(config, arguments.quiet)
    display = None if arguments.quiet else _display(settings.journal)
    everything = not (selectors or arguments.copy)
    ahead = fork_worker(config, selection)

    from b1000.supervise.supervisor import Supervisor  # while the worker imports what it needs

    supervisor = Supervisor(config, selection, display=display, everything=everything, ahead=ahead)
    code = supervisor.recover(selectors, TaskKind.RESUME) if arguments.copy else supervisor.run()
    logs.log_where()
    return code


def _log_unreadable(error: "ConfigUnreadable", logged: bool, quiet: bool) -> None:
    from b1000 import logs
    from b1000.config import loader

    if error.log_file and logged:
        defaults = loader.log_defaults()
        logs.set_up(error.log_file, *defaults, quiet, style=error.log_style, host=error.host)
    for problem, line in zip(error.problems, error.lines, strict=True):
        logs.announce(_level(problem), line, quiet)


def _announce(config: "Config", quiet: bool) -> None:
    """What is wrong with the configuration, on standard error and in the log where there is one."""
    from b1000 import logs

    for problem in config.problems:
        logs.announce(_level(problem), problem.shown(config.file), quiet)


def _level(problem: "Problem") -> int:
    return WARNING if problem.warning else ERROR


def _rehearse(config: "Config", selection: "Selection", quiet: bool) -> int:
    from pathlib import Path

    from b1000.runs.run import Bases
    from b1000.state.queries import Reader, may_exist
    from b1000.work.rehearsal import JournalLookups, rehearse

    journal = Path(config.settings.journal)

    def foretell(text: str, failed: bool) -> None:
        _foretell(text, failed, quiet)

    def ask(question: "Callable[[Reader], Answer]", without: "Answer") -> "Answer":
        """The journal's answer; it is open for the time of the question alone."""
        if not may_exist(journal):
            return without
        with Reader(journal, untouched=True) as reader:
            return question(reader)

    past = JournalLookups(
        lambda job, instance: ask(lambda reader: reader.bases(job, instance), Bases()),
        lambda job, instances, whose: ask(
            lambda reader: reader.owner_of_directory(job, instances, whose), None
        ),
        lambda: ask(lambda reader: reader.unsettled(), {}),
        lambda job, instance, now: ask(lambda reader: reader.name_free_at(job, instance, now), now),
    )
    return int(not rehearse(config.jobs, selection, config.settings.host, foretell, past))


def _rehearse_copy(config: "Config", selectors: "Sequence[Selector]", quiet: bool) -> int:
    """What ``--copy`` would go on with."""
    from b1000.supervise.recovery import foretell

    would = foretell(config, selectors)
    for text, fine in would:
        _foretell(text, not fine, quiet)
    return int(not all(fine for _, fine in would))


def _foretell(text: str, failed: bool, quiet: bool) -> None:
    from b1000.logs import to_stderr

    if not quiet:
        say(text)
    elif failed:
        to_stderr(text)


def _display(journal: str) -> "Bars | None":
    """Bars below the log, where standard output is a terminal whose cursor can be moved."""
    if not os.isatty(1):
        return None
    from pathlib import Path

    from b1000 import logs
    from b1000.progress_files import directory_of
    from b1000.status.bars import ERASE, Bars

    screen = terminal()
    if not screen or not screen.moves:
        return None
    logs.write_before_each_line(ERASE)
    return Bars(screen, directory_of(Path(journal)))
