"""What the completions know of the command line, as the parsers have it.

The jobs are read by the shell itself, from the configuration that ``-f`` names:
a key that is pressed starts no Python. Only names that are right are offered,
so that nothing of a file means anything to the shell.
"""

import argparse
import shlex
from collections.abc import Iterator, Mapping
from typing import NamedTuple

MADE = "# Made from b1000/parsers/; a change by hand is lost. Anew: make generated"
JOB_NAME = r"s/^\[job:\([A-Za-z0-9][A-Za-z0-9._-]*\)\][[:space:]]*$/\1/p"
"""The script of sed that prints the jobs of a configuration."""

JOBS = "jobs"
FILES = "files"
ANYTHING = "anything"


class Flag(NamedTuple):
    """An option: ``value`` is what it takes, "" for nothing."""

    names: tuple[str, ...]
    words: str
    value: str
    choices: tuple[str, ...] = ()


class Command(NamedTuple):
    """A command; ``jobs`` tells whether jobs may follow it."""

    name: str
    words: str
    flags: tuple[Flag, ...]
    jobs: bool


class Program(NamedTuple):
    """All that a completion has to know: the commands and the default configuration."""

    commands: tuple[Command, ...]
    file: str

    @property
    def named(self) -> tuple[Command, ...]:
        """The commands that are words."""
        return tuple(command for command in self.commands if command.name)


def actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The options and arguments that ``--help`` shows."""
    # argparse has no public way to ask for them.
    return (action for action in parser._actions if action.help != argparse.SUPPRESS)


def help_text(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """What ``--help`` says of it, on one line."""
    known = {**vars(action), "prog": parser.prog}
    return " ".join(((action.help or "") % known).split())


def value_name(action: argparse.Action) -> str:
    """What stands for its value in ``--help``."""
    if action.choices:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return str(action.metavar or action.dest.upper())


def program(parsers: Mapping[str, argparse.ArgumentParser]) -> Program:
    """What the parsers say; that of the program itself has no name."""
    commands = (
        Command(
            name,
            (parser.description or "").partition(".")[0],
            tuple(_flag(parser, each) for each in actions(parser) if each.option_strings),
            any(_takes(each) == JOBS for each in actions(parser) if not each.option_strings),
        )
        for name, parser in parsers.items()
    )
    return Program(tuple(commands), str(parsers[""].get_default("cfg")))


def _flag(parser: argparse.ArgumentParser, action: argparse.Action) -> Flag:
    words = help_text(parser, action)
    choices = tuple(map(str, action.choices or ()))
    value = "" if action.nargs == 0 else _takes(action)
    return Flag(tuple(action.option_strings), words, value, choices)


def _takes(action: argparse.Action) -> str:
    name = value_name(action).lower()
    if name.startswith("job"):
        return JOBS
    return FILES if name in ("file", "path", "directory") else ANYTHING


def filled(template: str, found: Program, **more: str) -> str:
    """The template with what stands in it between two ``@`` replaced by what the program has."""
    text = template
    takers = [command.name or "-" for command in found.commands if command.jobs]
    values = {
        "FILE": shlex.quote(found.file),
        "SED": JOB_NAME,
        "COMMANDS": f'" {" ".join(command.name for command in found.named)} "',
        "TAKERS": f'" {" ".join(takers)} "',
        **more,
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def patterns_of(command: Command) -> tuple[str, ...]:
    """How the shell's ``$command`` is written for it: before its first word, and after a job."""
    return (command.name,) if command.name else ("", "-")


def quoted_patterns_of(command: Command) -> tuple[str, ...]:
    """The same as words of a shell."""
    return tuple(pattern or '""' for pattern in patterns_of(command))
