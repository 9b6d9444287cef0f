"""Standard output: what a command says there, and the terminal behind it."""

import os
import sys

from b1000.errors import B1000Error

TYPE_CHECKING = False  # type checkers know the name; to import it takes longer than all of -v
if TYPE_CHECKING:
    from b1000.jobs import Settings
    from b1000.terminal.screen import Screen

USAGE_ERROR = 2
"""The exit code of wrong usage or configuration."""


def say(text: str) -> None:
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
        _say_no_more()
        raise B1000Error(f"the output cannot be written: {error.strerror}") from None


def say_of_acts(text: str) -> str:
    """The same of acts that go on all the same; gives why it cannot be written.

    It is "" where it was, and where whoever read it has seen enough. Nothing is written later.
    """
    try:
        say(text)
    except BrokenPipeError:
        _say_no_more()
    except B1000Error as error:
        return str(error)
    return ""


def _say_no_more() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def log_as(settings: "Settings", quiet: bool = False) -> None:
    """Log as the configuration has it."""
    from b1000 import logs

    how = (settings.log_file, settings.log_level, settings.log_format, quiet)
    logs.set_up(*how, style=settings.log_style, host=settings.host)


def terminal() -> "Screen | None":
    """The terminal behind standard output, if there is one."""
    from b1000.terminal.screen import screen_of

    # There is no sys.stdout where it was closed when the program began.
    return screen_of(1, os.environ, sys.stdout.encoding) if sys.stdout else None
