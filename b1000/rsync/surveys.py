"""The arguments of an rsync that only lists. Pure."""

from collections.abc import Sequence

from b1000.jobs import PLAIN, Destination, Limits, Transfer, Transport
from b1000.rsync import names
from b1000.rsync.command import FROM_CLIENT, PLAIN_NUMBERS, connection, excluding, reaching
from b1000.rsync.source import Source


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


# Of a job's directory: all in it, and all in those of its days, but nothing of a backup itself.
_TOPS = ("+ /[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]-*day/*", "- /*/*", "- /*/*/*")


def backups(
    address: str,
    password_file: str | None,
    limits: Limits,
    way: Sequence[str] = (),
    transport: Transport = PLAIN,
) -> list[str]:
    """List the directories of backups, and what lies beside them, in that of a job at a daemon."""
    return [
        "rsync",
        "--list-only",
        "--recursive",
        "--no-motd",
        PLAIN_NUMBERS,
        *way,
        *(f"--filter={rule}" for rule in _TOPS),
        *reaching(transport, password_file, limits),
        "--",
        address,
    ]
