"""The arguments of an rsync that only lists. Pure."""

import re
from collections.abc import Sequence

from b1000.jobs import PLAIN, Destination, Limits, Transfer, Transport
from b1000.rsync import names
from b1000.rsync.command import FROM_CLIENT, PLAIN_NUMBERS, connection, excluding, reaching
from b1000.rsync.source import Source

TOTALS = "--stats"
"""Has rsync count; no daemon hears of it, so that none can refuse it."""
LAST = b"total size is "
"""Begins the last line of that. With it all is done and every complaint was made, some 20 ms before
rsync ends: one of its processes sleeps so long before it looks whether the other has ended.
"""


def whole(source: Source, empty: str, destination: Destination, limits: Limits) -> list[str]:
    """List what a copy would copy, with its names there; ``empty`` is an empty directory."""
    rules = excluding(source, destination)
    return _survey(source, empty, destination, limits, rules=rules)


def named(
    pattern: str, source: Source, empty: str, destination: Destination, limits: Limits
) -> list[str]:
    """List of the same what a pattern fits, and all directories."""
    patterns = (*source.exclude, *destination.exclude, f"{names.PATTERN}/*")
    rules = [f"--exclude={each}" for each in patterns]
    rules += ["--include=*/", f"--include={pattern}", "--exclude=*"]
    return _survey(source, empty, destination, limits, rules=rules)


def tops(source: Source, empty: str, destination: Destination, limits: Limits) -> list[str]:
    """List only the names at the top of what a copy would copy, and tell of each found twice."""
    flat = ("--no-recursive", "--dirs", "--debug=DUP")
    plain = source._replace(transfer=Transfer())
    rules = excluding(source, destination)
    return _survey(plain, empty, destination, limits, rules=rules, how=flat)


def _survey(
    source: Source,
    empty: str,
    destination: Destination,
    limits: Limits,
    *,
    rules: Sequence[str],
    how: Sequence[str] = (),
) -> list[str]:
    options = ["--list-only", "--archive", *(["--relative"] if source.transfer.relative else [])]
    options += connection(destination, limits, source.pull) if source.pull else []
    options += [*rules, *destination.rsync_options]
    options += FROM_CLIENT if source.pull else ()
    # Last, so that no option of the user's changes the form of a line, or goes deeper.
    options += [*how, PLAIN_NUMBERS, "--8-bit-output"]
    return ["rsync", *options, "--", *source.paths, f"{empty}/"]


def address(
    address: str, password_file: str | None, limits: Limits, transport: Transport = PLAIN
) -> list[str]:
    """What is at an address of a daemon: one line for each name, without what is below."""
    return [
        "rsync",
        "--list-only",
        "--no-motd",
        PLAIN_NUMBERS,
        *reaching(transport, password_file, limits),
        "--",
        address,
    ]


_DAY = "/[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]-*day"
_BACKUPS = (f"{_DAY}/*/", "/*/")
# Of a job's directory: all in it, and all in those of its days, but of a backup itself only more.
_TOPS = ("+ /*", f"+ {_DAY}/*")
_BRACKETS = r"\[!?\]?[^\]]*\]"


def inside(pattern: str, *, whole: bool, plain: bool) -> tuple[str, ...]:
    """Rules that let in what a pattern of :mod:`fnmatch` fits in backups, and perhaps more.

    ``whole``: it is of a path below the backup, else of a name at any depth. ``plain``: it is
    one path, so that no directory is gone through but those above it.
    """
    # The characters that mean the same to rsync, whatever comes before or behind them.
    loose = re.sub(rf"{_BRACKETS}|[^A-Za-z0-9._ /-]", "*", pattern)
    loose = re.sub(r"\*+", "**" if whole and not plain else "*", loose)
    if not whole:
        return "+ */", f"+ {loose}"
    if not plain:
        return "+ */", *(f"+ {top}{loose}" for top in _BACKUPS)
    parts = loose.split("/")
    above = ["/".join(parts[:depth]) + "/" for depth in range(1, len(parts))]
    return tuple(f"+ {top}{each}" for top in _BACKUPS for each in (*above, loose))


def backups(
    address: str,
    password_file: str | None,
    limits: Limits,
    way: Sequence[str] = (),
    transport: Transport = PLAIN,
    *,
    more: Sequence[str] = (),
) -> list[str]:
    """List the directories of backups, and what lies beside them, in that of a job at a daemon.

    ``more`` are rules for what is in the backups.
    """
    return [
        "rsync",
        "--list-only",
        "--recursive",
        "--no-motd",
        PLAIN_NUMBERS,
        *way,
        *(f"--filter={rule}" for rule in (*_TOPS, *more, "- *")),
        *reaching(transport, password_file, limits),
        "--",
        address,
    ]


def sums(
    address: str,
    empty: str,
    *,
    password_file: str | None,
    limits: Limits,
    transport: Transport,
    names_file: str = "",
) -> list[str]:
    """Have a daemon sum all files below an address, or those that a file names (ended by NUL).

    ``empty`` is an empty directory, which stays so. :func:`b1000.rsync.names.summed` reads it.
    """
    chosen = ["--from0", f"--files-from={names_file}"] if names_file else []
    return [
        "rsync",
        "--dry-run",
        "--recursive",
        "--checksum",
        "--checksum-choice=md5",
        "--no-motd",
        "--8-bit-output",
        f"--out-format={names.SUMMED}",
        *chosen,
        *reaching(transport, password_file, limits),
        "--",
        address,
        f"{empty}/",
    ]
