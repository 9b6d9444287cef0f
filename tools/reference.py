"""The reference of all options, made from the option table."""

from collections.abc import Iterable

from b1000.config import allowed
from b1000.config.options import SECTIONS, TABLE, Option

_HEAD = """\
# Reference of the configuration

<!-- Made from b1000/config/options/; a change by hand is lost.
     Anew: make generated -->

## How it is written

`option = value`, in sections. A line that is indented more than an option
continues its value. A comment is a line of its own that begins with `#` or `;`;
behind a value there is none: ` #` and ` ;` there are an error, but for commands,
where they are the shell's, and for `log_format` and `password`, of which they are
a part. The file is UTF-8, option names are in lower case. Beside it `conf.d/*.cfg` is read,
in the order of names, as if it were one file; `[global]` stands in the main file alone.

- **Names** of jobs, destinations, reports and instances begin with a letter or
  a digit; dots, dashes and underscores may follow. Hosts and masters may also
  hold colons. In a list they are separated by spaces or commas.
- **References**: `$name` or `${name}` is the value of that option in the same
  section, or else in `[global]`. It is put in as text before anything else is
  read. `$$` is a `$` that the shell is to see; `$1`, `$?` and `$(date)` reach
  the shell as they are. In jobs three more are known: `$instance` (empty where
  there is none), `$host` and `$start_time`, the start of the run as
  `2026-11-22-02-17-01`.
- **Commands** are run by `/bin/sh -c`. They see `B1000_JOB`, `B1000_INSTANCE`,
  `B1000_HOST`, `B1000_START_TIME`, `B1000_DIRECTION` and `B1000_RUN` in their
  environment; `on_failure` and `on_success` also `B1000_STATUS`, `B1000_STEP`,
  `B1000_ERROR`, `B1000_DURATION` (seconds) and `B1000_BYTES` (of the largest copy; empty
  where nothing is known).
- **Dynamic** options may be given by a command: `!COMMAND`, or without the `!`
  where the value begins with `/`. It runs once for each run (for `instances`:
  once for each job) and must end with exit code 0; what it prints is checked
  like any other value.
- **Paths, patterns and options for rsync** are split into words as a shell
  would: blanks divide them, commas do not, and quotes keep blanks, `#` and `;`.
- **Passwords** are read as they are. Nothing can refer to `password`, and no
  error shows it.
- Times are in seconds.
"""

_SECTIONS = {
    "global": (
        "[global]",
        "For all of B1000. Options that stand in the table of jobs too are what jobs have\n"
        "that say nothing else.",
    ),
    "job": ("[job:NAME]", "What is copied. A job has at least one destination and one report."),
    "dest": ("[dest:NAME]", "Where copies go."),
    "report": ("[report:NAME]", "Where each state of each run is told."),
}


def reference() -> str:
    """The reference as Markdown: one table for each kind of section."""
    return "\n".join([_HEAD, *(_section(kind) for kind in SECTIONS), _rsync_options()])


def _section(kind: str) -> str:
    heading, words = _SECTIONS[kind]
    # What a job shares with [global] comes last: few will look for it there.
    options = sorted(TABLE[kind].values(), key=lambda option: "global" in option.sections)
    lines = [
        f"## {heading}",
        "",
        words,
        "",
        "| option | value | default | what it does |",
        "|---|---|---|---|",
        *map(_row, options),
    ]
    return "\n".join(lines) + "\n"


_RSYNC = """\
## rsync_options

What a destination may add is an option of rsync 3.5, in any form that rsync(1)
has for it. Those that would leave data out, keep what is old or break another
promise are refused.

"""


def _rsync_options() -> str:
    """What may be added to an rsync, and what may not."""
    refused = (f"- {_spelled(names)}: {reason}." for reason, names in allowed.REFUSED.items())
    return "\n".join([f"{_RSYNC}Allowed: {_spelled(allowed.ALLOWED)}.\n\nRefused:\n", *refused, ""])


def _spelled(names: str) -> str:
    return " ".join(f"`{name.removesuffix('=')}`" for name in names.split())


def _row(option: Option) -> str:
    value = f"{option.kind.description}; *dynamic*" if option.dynamic else option.kind.description
    whose = f" Only for {' and '.join(option.of)}." if option.of else ""
    cells = (f"`{option.name}`", value, _default(option), f"{option.help}{whose}")
    return f"| {' | '.join(_escaped(cells))} |"


def _default(option: Option) -> str:
    if option.required:
        return "**required**" + (f", or `{option.unless}`" if option.unless else "")
    others = [f"`{text}` for {variant}" for variant, text in option.defaults.items()]
    return ", ".join([*([] if option.default is None else [f"`{option.default}`"]), *others])


def _escaped(cells: Iterable[str]) -> Iterable[str]:
    return (cell.replace("|", "\\|") for cell in cells)
