"""The arguments of one rsync. Pure."""

from collections.abc import Sequence

from b1000.model import Destination, Limits, Transfer

PARTIAL_DIRECTORY = ".b1000-partial"
"""Where a receiver keeps what arrived of a file when it is interrupted."""

_SWITCHES = {
    "delete": "--delete",
    "relative": "--relative",
    "hard_links": "--hard-links",
    "acls": "--acls",
    "xattrs": "--xattrs",
    "sparse": "--sparse",
}

# modify-window=-1 compares times to the nanosecond: without it a change of the same size within
# the same second is missed.
_ALWAYS = (
    "--archive",
    "--numeric-ids",
    "--modify-window=-1",
    "--mkpath",
    f"--partial-dir={PARTIAL_DIRECTORY}",
    "--stats",
    "--no-human-readable",
    "--info=progress2",
    # Names as they are in log and error texts; without it every byte above 127 is escaped.
    "--8-bit-output",
)

_VERBOSITY = {1: (), 2: ("--out-format=%n%L",), 3: ("--out-format=%i %n%L",)}


def connection(destination: Destination, limits: Limits) -> list[str]:
    """The options that reach a destination and notice when it falls silent."""
    options = []
    if limits.io_timeout:
        options.append(f"--timeout={limits.io_timeout}")
    if destination.remote:
        if limits.connect_timeout:
            options.append(f"--contimeout={limits.connect_timeout}")
        options.append("--sockopts=TCP_NODELAY")
    if destination.password_file:
        options.append(f"--password-file={destination.password_file}")
    return options


def copy(
    sources: Sequence[str],
    directory: str,
    destination: Destination,
    exclude: Sequence[str],
    transfer: Transfer,
    limits: Limits,
) -> list[str]:
    """One attempt to copy ``sources`` into ``directory`` at the destination."""
    options = [*_ALWAYS, *connection(destination, limits)]
    options += [switch for name, switch in _SWITCHES.items() if getattr(transfer, name)]
    if destination.compress:
        options.append("--compress")
    if destination.bwlimit:
        options.append(f"--bwlimit={destination.bwlimit}")
    options += _VERBOSITY[destination.verbosity]
    options += [f"--exclude={pattern}" for pattern in (*exclude, *destination.exclude)]
    options += destination.rsync_options
    # Behind -- nothing is taken as an option, whatever a file is called.
    return ["rsync", *options, "--", *sources, f"{directory}/"]


def rehearsed(argv: Sequence[str]) -> list[str]:
    """The same rsync as one that changes nothing."""
    return [argv[0], "--dry-run", *argv[1:]]


_TEMPORARY = ".*.[a-zA-Z0-9][a-zA-Z0-9][a-zA-Z0-9][a-zA-Z0-9][a-zA-Z0-9][a-zA-Z0-9]"
"""How a receiver calls a file until it is complete."""


def sweep(
    sources: Sequence[str],
    frame: str,
    directory: str,
    destination: Destination,
    exclude: Sequence[str],
    transfer: Transfer,
    limits: Limits,
) -> list[str]:
    """Remove from ``directory`` what a killed receiver left there, and nothing else.

    Sends nothing (--existing --ignore-existing); of what is not in the sources
    only temporary files and the partial directory are at risk of deletion. If a
    source cannot be read, rsync deletes nothing. ``frame`` is a local directory
    with no more than the directories in which the sources stand at the
    destination: with it those take part too, where a source is a single file.
    """
    options = ["--recursive", "--links", "--existing", "--ignore-existing", "--delete"]
    # With paths kept, sources and frame name the same directories; rsync 3.5.0 takes that for an
    # attack while it lists them piece by piece ("refusing flist for cleared dir_ndx").
    options += ["--relative", "--no-inc-recursive"] if transfer.relative else []
    # These stand first, so that no other rule can put more at risk.
    rules = (f"risk {_TEMPORARY}", f"risk {PARTIAL_DIRECTORY}/***", "protect *")
    options += [f"--filter={rule}" for rule in rules]
    # The list of sources must be that of the copy: by a name that is only converted there, or by
    # a path that is only kept there, rsync would not know a file again and take it for a leftover.
    options += [f"--exclude={pattern}" for pattern in (*exclude, *destination.exclude)]
    options += destination.rsync_options
    return [
        "rsync",
        *connection(destination, limits),
        *options,
        "--",
        *sources,
        f"{frame}/./" if transfer.relative else f"{frame}/",
        f"{directory}/",
    ]


def probe(empty: str, destination: Destination, limits: Limits) -> list[str]:
    """Ask a daemon, without a change to anything, whether it would take data."""
    return [
        "rsync",
        "--recursive",
        "--dry-run",
        *connection(destination, limits),
        "--",
        f"{empty}/",
        f"{destination.path}/",
    ]
