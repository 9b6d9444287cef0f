"""What the parsers of all commands have in common, and what their words may be."""

import argparse
import os
import re
import sys
from contextlib import suppress

from b1000.config import DEFAULT_FILE
from b1000.errors import B1000Error, near

TYPE_CHECKING = False  # type checkers know the name; to import it takes longer than all of -v
if TYPE_CHECKING:
    from typing import Any, NoReturn

_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}


class _Help(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal. argparse makes one for each option, and loads shutil to ask."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    """The width of the terminal; 80 where there is none."""
    columns = 0
    with suppress(KeyError, ValueError):
        columns = int(os.environ["COLUMNS"])
    if columns <= 0:
        with suppress(AttributeError, OSError, ValueError):
            columns = os.get_terminal_size(sys.__stdout__.fileno()).columns  # type: ignore[union-attr]
    return columns if columns > 0 else 80


class _Parser(argparse.ArgumentParser):
    """A parser that says who has an option that it has not itself, or which was meant."""

    def _print_message(self, message: str, file: "Any" = None) -> None:
        """argparse goes on where standard output cannot be written, and ends with 0."""
        if file is not sys.stdout:
            super()._print_message(message, file)
            return
        try:
            print(message, end="", flush=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise B1000Error(f"the output cannot be written: {error.strerror}") from None

    def error(self, message: str) -> "NoReturn":
        """End with exit code 2."""
        _, unrecognized, words = message.partition("unrecognized arguments: ")
        option = words.split(" ")[0].split("=")[0]
        if unrecognized and option.startswith("-"):
            having = _commands_with(option)
            known = self._option_string_actions
            close = near(option, known) if option.startswith("--") else ""
            message += f" ({option} is for {', '.join(having)})" if having else close
        super().error(message)


def _commands_with(option: str) -> list[str]:
    from b1000.parsers.every import PARSERS

    return [
        f"b1000 {name}" if name else "running jobs"
        for name, make in PARSERS.items()
        if any(option in action.option_strings for action in make()._actions)
    ]


def command(name: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    """A parser of one command, "" for none, with what all of them take."""
    parser = _Parser(
        prog=f"b1000 {name}".strip(),
        description=description,
        epilog=epilog,
        formatter_class=_Help,
        allow_abbrev=False,
    )
    parser.add_argument(
        "-f",
        "--cfg",
        metavar="FILE",
        default=DEFAULT_FILE,
        help="configuration file (default: %(default)s)",
    )
    return parser


def of_storages(parser: argparse.ArgumentParser, example: str) -> None:
    """What all that looks through storages for hours takes; ``example`` of how long."""
    parser.add_argument(
        "--for",
        dest="seconds",
        type=duration,
        metavar="TIME",
        help=f"end after that time, such as {example} or 30m",
    )
    parser.add_argument("--json", action="store_true", help="as a JSON object")
    parser.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        help="nothing on standard output, only what is wrong on standard error",
    )
    parser.add_argument(
        "jobs", nargs="*", metavar="job[/host]", help="whose backups (default: all)"
    )


def given(word: str) -> str:
    """A word that is not empty, as a variable of a script may be that nobody has set."""
    if not word:
        raise argparse.ArgumentTypeError("must not be empty")
    return word


def positive(word: str) -> int:
    """A number from 1 on."""
    if not re.fullmatch(r"0*[1-9]\d{0,17}", word, re.ASCII):
        raise argparse.ArgumentTypeError(f"must be an integer >= 1, not {word!r}")
    return int(word)


def duration(word: str) -> int:
    """How long something may take, in seconds."""
    found = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", word, re.ASCII)
    if not found:
        raise argparse.ArgumentTypeError(f"must be a time such as 2h or 30m, not {word!r}")
    return int(found[1]) * _SECONDS[found[2]]


def span(word: str) -> float:
    """A length of time in seconds."""
    parts = re.fullmatch(r"(\d{1,9})(s|min|m|h|d|w)", word, re.ASCII)
    if not parts or not int(parts[1]):
        raise argparse.ArgumentTypeError(f"must be a time such as 90min, 24h or 7d, not {word!r}")
    return float(int(parts[1]) * _SECONDS[parts[2]])


def coming(word: str) -> float:
    """A time to come, in seconds since the epoch: so long from now, or one that is named."""
    import time

    from b1000.errors import UsageError
    from b1000.storage.moments import latest

    try:
        return time.time() + span(word)
    except argparse.ArgumentTypeError:
        pass
    try:
        return latest(word)
    except UsageError as error:
        raise argparse.ArgumentTypeError(f"{error}, or a length such as 7d") from None


def group(word: str) -> str:
    """Whose backups: JOB/HOST or JOB/HOST/INSTANCE."""
    if not re.fullmatch(r"[^/]+/[^/]+(/[^/]+)?", word):
        raise argparse.ArgumentTypeError(f"must be JOB/HOST or JOB/HOST/INSTANCE, not {word!r}")
    return word
