"""The command line: words in, exit code out. Nothing else exits."""

import gc
import os
import sys
from collections.abc import Sequence

from b1000 import __version__
from b1000.commands.output import USAGE_ERROR, say
from b1000.config import COMMANDS
from b1000.errors import B1000Error
from b1000.errors import message_of as words_of

TYPE_CHECKING = False  # type checkers know the name; to import it takes longer than all of -v
if TYPE_CHECKING:
    from typing import NoReturn


_UNSAID = 120  # as Python ends where its last words cannot be written
_OBJECTS = 100_000  # that are made between looks for cycles; all imports together make fewer
_OTHERS_WRITE = 0o002
_PRINTED = "b1000-output"  # an option of Python's -X: the encoding of standard output


def main() -> "NoReturn":
    """The command ``b1000``."""
    # What importing makes has no cycles that are worth looking for every 700 objects.
    gc.set_threshold(_OBJECTS)
    _open_standard_streams()
    _name_files_in_utf8()
    _stand_somewhere()
    # Also what rsync makes on the way to a backup is for nobody else to write.
    os.umask(os.umask(0) | _OTHERS_WRITE)
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


def _guarded(argv: Sequence[str]) -> int:
    try:
        return run(argv)
    except B1000Error as error:
        _tell(error)
        return USAGE_ERROR
    except BrokenPipeError:
        # Whoever read our output has seen enough; keep Python from complaining at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except OSError as error:
        # Whatever the file system or the system has for us: nothing that a traceback explains.
        from b1000.logs import to_stderr

        to_stderr(f"b1000: {words_of(error)}")
        return USAGE_ERROR
    except KeyboardInterrupt:
        return 130
    except Exception:
        from b1000.stopping import ended_by

        # Where a signal came, a library's own cleaning up may fail, as argparse's does, and
        # that error replaces the one by which the program ends.
        if not ended_by():
            raise
        return 128 + ended_by()


def _tell(error: B1000Error) -> None:
    """On standard error, and in the log where there is one: such an error stops all backups."""
    from b1000 import logs
    from b1000.logstyle import ERROR

    logs.announce(ERROR, error.full_message())


def run(argv: Sequence[str]) -> int:
    """Carry out a command line; gives the exit code."""
    if list(argv) in (["-v"], ["--version"]):
        say(f"b1000 {__version__}")  # at once, without what only other answers need
        return 0
    from b1000.stopping import end_plainly

    end_plainly()
    position = _command_position(argv)
    if position is None:
        return _carry_out("", argv)
    rest = [*argv[:position], *argv[position + 1 :]]
    return _carry_out(argv[position], rest)


def _command_position(argv: Sequence[str]) -> int | None:
    """Where the first word that is no option stands, if it is a command."""
    position = 0
    while position < len(argv):
        word = argv[position]
        if word == "--":
            return None
        if not word.startswith("-") or word == "-":
            return position if word in COMMANDS else None
        # The value of -f is no word of its own, and other short options may stand before f.
        takes_next = word == "--cfg" or (word.endswith("f") and not {"f", "-"} & {*word[1:-1]})
        position += 2 if takes_next else 1
    return None


def _carry_out(command: str, argv: Sequence[str]) -> int:
    """What only one command needs is imported for it alone."""
    match command:
        case "status":
            from b1000.commands.status import status

            return status(argv)
        case "check":
            from b1000.commands.check import check

            return check(argv)
        case "forget":
            from b1000.commands.forget import forget

            return forget(argv)
        case "monitor":
            from b1000.commands.monitor import monitor

            return monitor(argv)
        case "mark":
            from b1000.commands.mark import mark

            return mark(argv)
        case "verify":
            from b1000.commands.verify import verify

            return verify(argv)
        case "restore":
            from b1000.commands.restore import restore

            return restore(argv)
        case "prune":
            from b1000.commands.prune import prune

            return prune(argv)
        case "list":
            from b1000.commands.list import list_backups

            return list_backups(argv)
        case _:
            from b1000.commands.jobs import run_jobs

            return run_jobs(argv)
