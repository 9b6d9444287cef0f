"""The man page b1000(1), made from the parsers and the option table."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from b1000.config.options import TABLE
from b1000.parsers.every import PARSERS
from tools.completion.program import actions, help_text, value_name
from tools.troff import literal, page, rich, tagged, title

_ROOT = Path(__file__).parents[1]

_FILES = (
    ("status_dir", "What can be retried, as a readable file for each run; journal and locks."),
    ("journal", "The journal: all that B1000 remembers."),
)

_EXAMPLES = (
    ("b1000 check --connect", "Tell what is wrong with the configuration, or cannot be reached."),
    ("b1000 etc mysqldb/3306", "Run a job, and one instance of another."),
    ("b1000 -q --copy", "Go on with what failed or was interrupted; for cron, every ten minutes."),
)


def program_page() -> str:
    """b1000(1)."""
    parsers = {name: make() for name, make in PARSERS.items()}
    program = parsers.pop("")
    lines = [title("b1000", 1, "backups of many servers with rsync and cron"), ".SH SYNOPSIS"]
    lines += [_synopsis(parser) for parser in (program, *parsers.values())]
    lines += [
        ".SH DESCRIPTION",
        literal(program.description or ""),
        rich("Without a job all of them are run. The configuration is explained in"),
        r"\fBb1000.cfg\fR(5).",
        ".SH OPTIONS",
        *_arguments(program, shared=True),
        ".SH COMMANDS",
        rich("A command is the first word that is no option; a job of the same name is"),
        rich("reached as `job:NAME`. All commands have `-f` and `-h`."),
    ]
    for parser in parsers.values():
        lines += [f".SS {literal(parser.prog)}", literal(parser.description or "")]
        lines += _arguments(parser, shared=False)
        lines += _epilog(parser)
    # The commands have just been told, with all their options.
    *_, codes, signals = _blocks(program).items()
    lines += [".SH SIGNALS", literal(" ".join(signals[0].split()))]
    lines += [".SH EXIT STATUS", *_rows(codes[1])]
    lines += [
        ".SH FILES",
        tagged(rf"\fI{literal(program.get_default('cfg'))}\fR", "Configuration."),
    ]
    for name, words in _FILES:
        path = _resolved(TABLE["global"][name].default or "")
        lines.append(
            tagged(rf"\fI{literal(path)}\fR", f"{literal(words)} Option {rich(f'`{name}`')}.")
        )
    lines += _json()
    lines.append(".SH EXAMPLES")
    lines += [tagged(rich(f"`{example}`"), literal(words)) for example, words in _EXAMPLES]
    lines += [".SH SEE ALSO", r"\fBb1000.cfg\fR(5), \fBrsync\fR(1), \fBcrontab\fR(5)", ""]
    return page(lines)


_PAGES = {
    "status": ("docs/status.md", "JSON"),
    "list": ("docs/list.md", "JSON"),
    "monitor": ("docs/monitoring.md", "JSON"),
    "restore": ("docs/restore.md", "JSON"),
    "prune": ("docs/list.md", "JSON of prune"),
    "verify": ("docs/list.md", "JSON of verify"),
}
"""Command → the page that tells of its JSON, and under which heading."""


def _json() -> Iterator[str]:
    """The keys of all JSON forms, as the pages tell of them."""
    yield ".SH JSON"
    for command, (file, heading) in _PAGES.items():
        _, _, section = (_ROOT / file).read_text().partition(f"\n## {heading}\n")
        yield f".SS b1000 {command} \\-\\-json"
        for block in section.partition("\n## ")[0].strip().split("\n\n"):
            if not block.startswith("|"):
                yield f".PP\n{rich(' '.join(block.split()))}"
                continue
            head, _, *rows = [
                [cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()
            ]
            yield f".PP\n{literal(f'Keys {head[1]}'.strip())}:"
            yield from (tagged(rich(key), rich(words)) for key, words in rows)


def _synopsis(parser: argparse.ArgumentParser) -> str:
    words = [rf"\fB{literal(parser.prog)}\fR", r"[\fIoptions\fR]"]
    for action in actions(parser):
        if not action.option_strings:
            name = rf"\fI{literal(str(action.metavar or action.dest))}\fR"
            more = " ..." if action.nargs in ("*", "+") else ""
            words.append(f"[{name}]{more}" if action.nargs in ("*", "?") else f"{name}{more}")
    return ".PP\n" + " ".join(words)


def _arguments(parser: argparse.ArgumentParser, shared: bool) -> Iterator[str]:
    for action in actions(parser):
        if not shared and set(action.option_strings) & {"-f", "-h"}:
            continue
        value = rf" \fI{literal(value_name(action))}\fR" if action.nargs != 0 else ""
        names = [rf"\fB{literal(option)}\fR" for option in action.option_strings]
        tag = ", ".join(names) + value if names else value.strip()
        yield tagged(tag, literal(help_text(parser, action)))


def _blocks(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Heading → rows below it, of what ``--help`` says last; text without rows has none."""
    found = {}
    for block in re.split(r"\n\s*\n", (parser.epilog or "").strip("\n")):
        heading, _, rows = block.partition(":\n")
        found[heading if rows.startswith("  ") else block] = rows if rows.startswith("  ") else ""
    return found


def _epilog(parser: argparse.ArgumentParser) -> Iterator[str]:
    for heading, rows in _blocks(parser).items():
        if heading:
            text = " ".join(heading.split())
            yield f".PP\n{literal(f'{text[0].upper()}{text[1:]}:' if rows else text)}"
        yield from _rows(rows)


def _rows(rows: str) -> Iterator[str]:
    """A list of two columns; a line that is indented further goes on with the one above."""
    for row in re.findall(r"^  \S.*(?:\n   .*)*", rows, re.MULTILINE):
        name, _, words = row.strip().partition(" ")
        yield tagged(rf"\fB{literal(name)}\fR", literal(" ".join(words.split())))


def _resolved(default: str) -> str:
    """A default of the table with the defaults that it refers to in their places."""
    return re.sub(r"\$(\w+)", lambda found: TABLE["global"][found[1]].default or "", default)
