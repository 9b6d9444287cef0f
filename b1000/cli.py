"""The command line: words in, exit code out. Nothing else prints and exits."""

import gc
import os
import sys
from collections.abc import Callable, Sequence

from b1000 import __version__
from b1000.errors import B1000Error, counted
from b1000.errors import words as words_of

TYPE_CHECKING = False  # type checkers know the name; to import it takes longer than all of -v
if TYPE_CHECKING:
    from typing import NoReturn

    from b1000.config.grammar import Selector
    from b1000.config.loader import Config
    from b1000.jobs import Job
    from b1000.runs.run import Base
    from b1000.status.bars import Bars
    from b1000.supervise.selection import Selection
    from b1000.terminal.screen import Screen

_USAGE_ERROR = 2
_UNKNOWN = 3  # as Nagios counts
_UNSAID = 120  # as Python ends where its last words cannot be written
_OBJECTS = 20_000  # that are made between looks for cycles
_PRINTED = "b1000-output"  # an option of Python's -X: the encoding of standard output


def main() -> "NoReturn":
    """The command ``b1000``."""
    # What importing makes has no cycles that are worth looking for every 700 objects.
    gc.set_threshold(_OBJECTS)
    _open_standard_streams()
    _name_files_in_utf8()
    _stand_somewhere()
    _leave(_guarded(sys.argv[1:]))


def _leave(code: int) -> "NoReturn":
    """End at once: Python would free each object first, which takes a tenth of a small run."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream:
                stream.flush()
        except (OSError, ValueError):
            code = code or _UNSAID
    os._exit(code)


def _open_standard_streams() -> None:
    """Where a standard stream is closed, the next file that is opened would take its place."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _name_files_in_utf8() -> None:
    """Paths and commands reach the system as the configuration has them, in any locale.

    Python would turn them into the locale's encoding, and fail where that lacks a character. It
    can be told otherwise when it starts only: the program begins anew in the same process. What
    is printed stays in the encoding of the terminal.
    """
    printed = sys._xoptions.get(_PRINTED)
    if isinstance(printed, str) and sys.stdout:
        sys.stdout.reconfigure(encoding=printed)  # type: ignore[union-attr]
    if sys.getfilesystemencoding() == "utf-8" or not sys.executable:
        return
    options = ["-X", "utf8"]
    if sys.stdout:
        options += ["-X", f"{_PRINTED}={sys.stdout.encoding}"]
    os.execv(sys.executable, [sys.executable, *options, *sys.orig_argv[1:]])


def _stand_somewhere() -> None:
    """Leave a directory that was removed: nothing can be found from there."""
    try:
        os.getcwd()
    except FileNotFoundError:
        os.chdir("/")


def _guarded(words: Sequence[str]) -> int:
    try:
        return run(words)
    except B1000Error as error:
        from b1000.logs import to_stderr

        to_stderr(error.told())
        return _USAGE_ERROR
    except BrokenPipeError:
        # Whoever read our output has seen enough; keep Python from complaining at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except OSError as error:
        # Whatever the file system or the system has for us: nothing that a traceback explains.
        from b1000.logs import to_stderr

        to_stderr(f"b1000: {words_of(error)}")
        return _USAGE_ERROR
    except KeyboardInterrupt:
        return 130


def _say(text: str) -> None:
    """What a command has to say, on standard output."""
    try:
        try:
            print(text, flush=True)
        except UnicodeEncodeError:
            encoding = sys.stdout.encoding
            print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise B1000Error(f"the output cannot be written: {error.strerror}") from None


def run(words: Sequence[str]) -> int:
    """Carry out a command line; gives the exit code."""
    if list(words) in (["-v"], ["--version"]):
        _say(f"b1000 {__version__}")  # at once, without what only other answers need
        return 0
    from b1000.stopping import end_plainly

    end_plainly()
    position = _command_position(words)
    if position is None:
        return _run_jobs(words)
    rest = [*words[:position], *words[position + 1 :]]
    return _COMMANDS[words[position]](rest)


def _command_position(words: Sequence[str]) -> int | None:
    """Where the first word that is no option stands, if it is a command."""
    position = 0
    while position < len(words):
        word = words[position]
        if word == "--":
            return None
        if not word.startswith("-") or word == "-":
            return position if word in _COMMANDS else None
        # The value of -f is no word of its own, and other short options may stand before f.
        takes_next = word == "--cfg" or (word.endswith("f") and not {"f", "-"} & {*word[1:-1]})
        position += 2 if takes_next else 1
    return None


# --- b1000 [job[/instance]] ...


def _run_jobs(words: Sequence[str]) -> int:
    from b1000 import parsers

    arguments = parsers.for_jobs().parse_intermixed_args(words)

    import logging

    from b1000 import logs
    from b1000.config import grammar, loader
    from b1000.errors import UsageError
    from b1000.supervise.plan import Action
    from b1000.supervise.selection import select
    from b1000.supervise.supervisor import Supervisor

    try:
        config = loader.load(arguments.cfg)
    except loader.ConfigUnreadable as error:
        if error.log_file and not arguments.dry_run:
            logs.set_up(error.log_file, *loader.log_defaults(), arguments.quiet)
        for line in error.lines:
            logs.announce(logging.ERROR, line)
        return _USAGE_ERROR
    settings = config.settings
    selectors = [grammar.selector(word) for word in arguments.jobs]
    selection = {} if arguments.copy else select(config.jobs, selectors)
    if not selection and not arguments.copy:
        for problem in config.problems:
            logs.to_stderr(problem.shown(config.file))
        raise UsageError(f"there is no job in {config.file}", "a job is a section [job:NAME]")
    if arguments.dry_run:
        for problem in config.problems:
            if not (arguments.quiet and problem.warning):
                logs.to_stderr(problem.shown(config.file))
        if arguments.copy:
            return _rehearse_copy(config, selectors, arguments.quiet)
        return _rehearse(config, selection, arguments.quiet)
    logs.set_up(settings.log_file, settings.log_level, settings.log_format, arguments.quiet)
    for problem in config.problems:
        level = logging.WARNING if problem.warning else logging.ERROR
        logs.announce(level, problem.shown(config.file), arguments.quiet)
    display = None if arguments.quiet else _display(settings.journal)
    everything = not (selectors or arguments.copy)
    supervisor = Supervisor(config, selection, display=display, everything=everything)
    code = supervisor.recover(selectors, Action.RESUME) if arguments.copy else supervisor.run()
    logs.tell_where()
    return code


def _rehearse(config: "Config", selection: "Selection", quiet: bool) -> int:
    from pathlib import Path

    from b1000.state.queries import Reader, may_exist
    from b1000.work.rehearsal import Past, rehearse

    journal = Path(config.settings.journal)

    def say(text: str, failed: bool) -> None:
        _foretell(text, failed, quiet)

    def bases(job: "Job", instance: str) -> "Sequence[Base]":
        if not may_exist(journal):
            return ()
        with Reader(journal, untouched=True) as reader:
            return reader.bases(job, instance)

    def owner(job: str, instances: "Sequence[str]", whose: str) -> str | None:
        if not may_exist(journal):
            return None
        with Reader(journal, untouched=True) as reader:
            return reader.owner_of_directory(job, instances, whose)

    past = Past(bases, owner)
    return int(not rehearse(config.jobs, selection, config.settings.host, say, past))


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
        _say(text)
    elif failed:
        to_stderr(text)


def _display(journal: str) -> "Bars | None":
    """Bars below the log, where standard output is a terminal whose cursor can be moved."""
    if not os.isatty(1):
        return None
    from pathlib import Path

    from b1000 import logs
    from b1000.progress import directory_of
    from b1000.status.bars import ERASE, Bars

    screen = _screen()
    if not screen or not screen.moves:
        return None
    logs.write_before_each_line(ERASE)
    return Bars(screen, directory_of(Path(journal)))


def _screen() -> "Screen | None":
    """The terminal behind standard output, if there is one."""
    from b1000.terminal.screen import screen_of

    # There is no sys.stdout where it was closed when the program began.
    return screen_of(1, os.environ, sys.stdout.encoding) if sys.stdout else None


# --- b1000 forget


def _forget(words: Sequence[str]) -> int:
    from b1000 import parsers

    arguments = parsers.for_forget().parse_intermixed_args(words)

    from b1000 import logs
    from b1000.config import grammar, loader
    from b1000.supervise.plan import Action
    from b1000.supervise.supervisor import Supervisor

    config = loader.load(arguments.cfg)
    settings = config.settings
    logs.set_up(settings.log_file, settings.log_level, settings.log_format, quiet=False)
    selectors = [grammar.selector(word) for word in arguments.jobs]
    action = Action.FORGET_WITH_POST if arguments.post else Action.FORGET
    code = Supervisor(config, {}).recover(selectors, action)
    logs.tell_where()
    return code


# --- b1000 check


def _check(words: Sequence[str]) -> int:
    from b1000 import parsers

    arguments = parsers.for_check().parse_args(words)

    from b1000.check import connect as check
    from b1000.config import loader
    from b1000.logs import to_stderr

    config = loader.load(arguments.cfg)
    found = check.advice(config) + (check.connect(config) if arguments.connect else [])
    problems = [
        *config.problems,
        *(
            loader.Problem(
                config.line(each.section, each.option),
                each.section,
                each.option,
                each.text,
                each.warning,
            )
            for each in found
        ),
    ]
    for problem in sorted(problems, key=lambda problem: problem.line):
        to_stderr(problem.shown(config.file))
    warnings = sum(problem.warning for problem in problems)
    wrong = len(problems) - warnings
    _say(
        f"{config.file}: {counted(len(config.jobs), 'job')}, {counted(wrong, 'error')}, "
        f"{counted(warnings, 'warning')}"
    )
    return _USAGE_ERROR if wrong else 0


# --- b1000 status


def _status(words: Sequence[str]) -> int:
    from b1000 import parsers

    parser = parsers.for_status()
    arguments = parser.parse_intermixed_args(words)
    if arguments.watch and arguments.json:
        parser.error("--watch is for people: it does not go with --json")
    if arguments.run is not None and (arguments.jobs or arguments.failed or arguments.last > 1):
        parser.error("--run shows one run: it goes with no job, --failed or --last")

    from b1000.config import grammar, loader
    from b1000.status.answer import Asked
    from b1000.status.overview import Question

    selectors = tuple(grammar.selector(word) for word in arguments.jobs)
    question = Question(selectors, arguments.all, arguments.failed, arguments.last)
    asked = Asked(loader.load(arguments.cfg), question, arguments.run)
    if arguments.watch and sys.stdout:
        from b1000.status.watch import watch

        return watch(lambda screen: asked.for_people(screen, with_bars=True), sys.stdout)
    answer = asked.for_programs() if arguments.json else asked.for_people(_screen())
    _say(answer.text)
    if answer.damaged:
        from b1000.logs import to_stderr

        to_stderr(f"b1000: {answer.damaged}")
    return answer.exit_code


# --- b1000 monitor


def _monitor(words: Sequence[str]) -> int:
    from b1000 import parsers

    parser = parsers.for_monitor()
    try:
        arguments = parser.parse_args(words)
        if arguments.output and not arguments.prometheus:
            parser.error("--output is the file of --prometheus")
    except SystemExit as end:
        # Nagios takes 2 for CRITICAL.
        return _UNKNOWN if end.code else 0

    from b1000.logs import to_stderr
    from b1000.monitor.answer import Form, Wanted, answer, unknown
    from b1000.monitor.survey import Question

    # Thousands of histories without a cycle: to look for those takes as long as all the rest.
    gc.disable()
    form = next(
        (each for each in Form if getattr(arguments, each.value, False)),
        Form.NONE if arguments.html else Form.TABLE,
    )
    wanted = Wanted(form, arguments.output, arguments.html)
    question = Question(arguments.report, arguments.job, arguments.host, arguments.learn)
    try:
        given = answer(arguments.cfg, question, wanted, _screen())
    except Exception as error:
        # A mistake of ours is no WARNING about backups, as Python's own exit code would be.
        import traceback

        to_stderr(traceback.format_exc().rstrip())
        given = unknown(f"a mistake of b1000 itself: {type(error).__name__}: {error}", wanted)
    if given.complaint:
        to_stderr(f"b1000: {given.complaint}")
    try:
        if given.text:
            _say(given.text)
    except B1000Error as error:
        to_stderr(error.told())
        return _UNKNOWN
    return given.exit_code


_COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "status": _status,
    "check": _check,
    "forget": _forget,
    "monitor": _monitor,
}
