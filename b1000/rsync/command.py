"""The arguments of one rsync. Pure."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from b1000.model import Destination, Limits, Pull, Transfer
from b1000.rsync import paths

PARTIAL_DIRECTORY = ".b1000-partial"
"""Where a receiver keeps what arrived of a file when it is interrupted."""

ASIDE = ".b1000-earlier"
"""Where what earlier attempts left waits while the next begins in an empty directory."""

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
    "--info=progress2",
    # Names as they are in log and error texts; without it every byte above 127 is escaped.
    "--8-bit-output",
)

_VERBOSITY = {1: (), 2: ("--out-format=%n%L",), 3: ("--out-format=%i %n%L",)}


# Behind the user's options, so that none of them changes the form of a number that is read.
_PLAIN_NUMBERS = "--no-human-readable"

# What a client sends cannot make a device here, whatever else the options say; and what its
# daemon greets with is not taken for rsync's own words.
_FROM_CLIENT = ("--no-motd", "--no-devices", "--no-specials")


class Part(NamedTuple):
    """What one of several ``streams`` copies: include and exclude options that come last."""

    rules: Sequence[str]
    streams: int


def connection(destination: Destination, limits: Limits, pull: Pull | None = None) -> list[str]:
    """The options that reach a destination, or a client, and notice when it falls silent."""
    password_file = (pull.password_file if pull else None) or destination.password_file
    return _connection(destination.remote or pull is not None, password_file, limits)


def _connection(remote: bool, password_file: str | None, limits: Limits) -> list[str]:
    options = []
    if limits.io_timeout:
        options.append(f"--timeout={limits.io_timeout}")
    if remote:
        if limits.connect_timeout:
            options.append(f"--contimeout={limits.connect_timeout}")
        options.append("--sockopts=TCP_NODELAY")
    if password_file:
        options.append(f"--password-file={password_file}")
    return options


def copy(
    sources: Sequence[str],
    directory: str,
    destination: Destination,
    exclude: Sequence[str],
    transfer: Transfer,
    limits: Limits,
    pull: Pull | None = None,
    bases: Sequence[str] = (),
    keep_existing: bool = False,
    part: Part | None = None,
    continued: bool = False,
) -> list[str]:
    """One attempt to copy ``sources``, of a client with ``pull``, into ``directory``.

    Files that are the same in one of the ``bases``, directories relative to
    ``directory`` or below the module, become hard links. ``keep_existing`` leaves
    alone what is there. With a ``part`` only that is copied, nothing deleted and no
    directory finished. One that is ``continued`` may find partial files there.
    """
    options = [*_ALWAYS, *connection(destination, limits, pull)]
    switches = [switch for name, switch in _SWITCHES.items() if getattr(transfer, name)]
    options += [switch for switch in switches if not part or switch != "--delete"]
    if transfer.hard_links and len(sources) > 1:
        # rsync 3.5.0 gives up where a name that two sources have is a hard link in the second,
        # while it lists them piece by piece ("hard-link gnum 1 precedes flist start 2").
        options.append("--no-inc-recursive")
    if destination.compress:
        options.append("--compress")
    if destination.bwlimit:
        rate = part_of(destination.bwlimit, part.streams) if part else destination.bwlimit
        options.append(f"--bwlimit={rate}")
        if continued and not destination.remote and not pull:
            # Between two local paths rsync sends whole files, also those that arrived in part.
            # Without a limit that is quicker than to compare them: 4 s against 27 s for 1 GB.
            options.append("--no-whole-file")
    options += [f"--link-dest={base}" for base in bases]
    options += [] if all(map(paths.is_plain, bases)) else ["-s"]
    options += ["--ignore-existing"] if keep_existing else []
    options += _VERBOSITY[destination.verbosity]
    options += [f"--exclude={pattern}" for pattern in (*exclude, *destination.exclude)]
    options += [*destination.rsync_options, _PLAIN_NUMBERS]
    options += _FROM_CLIENT if pull else ()
    # Behind all other rules: what they leave out or take in is that in each part.
    options += ["--omit-dir-times", *part.rules] if part else []
    # Behind -- nothing is taken as an option, whatever a file is called.
    return ["rsync", *options, "--", *sources, f"{directory}/"]


def survey(
    sources: Sequence[str],
    empty: str,
    destination: Destination,
    exclude: Sequence[str],
    transfer: Transfer,
    limits: Limits,
    pull: Pull | None = None,
) -> list[str]:
    """List what such a copy would copy, with its names there; ``empty`` is an empty directory."""
    options = ["--list-only", "--archive", *(["--relative"] if transfer.relative else [])]
    if pull:
        password_file = pull.password_file or destination.password_file
        options += _connection(True, password_file, limits)
    options += [f"--exclude={pattern}" for pattern in (*exclude, *destination.exclude)]
    options += destination.rsync_options
    options += _FROM_CLIENT if pull else ()
    # Last, so that no option of the user's changes the form of a line.
    options += [_PLAIN_NUMBERS, "--8-bit-output"]
    return ["rsync", *options, "--", *sources, f"{empty}/"]


_FACTORS = {"": 1.0, "k": 1.0, "m": 2.0**10, "g": 2.0**20}


def kib_of(bwlimit: str) -> float:
    """The KiB a second of a value of ``bwlimit``."""
    number = bwlimit.rstrip("kKmMgG")
    return float(number) * _FACTORS[bwlimit[len(number) :].lower()]


def part_of(bwlimit: str, count: int) -> str:
    """The share of one of ``count`` streams in a limit; no limit stays none."""
    kib = kib_of(bwlimit)
    return f"{max(1.0, kib / count):.2f}" if kib else bwlimit


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
    pull: Pull | None = None,
) -> list[str]:
    """Remove from ``directory`` what a killed receiver left there, and nothing else.

    Sends nothing (--existing --ignore-existing); of what is not in the sources
    only temporary files and the partial directory are at risk of deletion. If a
    source cannot be read, rsync deletes nothing. ``frame`` is a local directory
    with no more than the directories in which the sources stand at the
    destination: with it those take part too, where a source is a single file.
    With ``pull`` there is none: rsync takes no sources of two hosts.
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
    frames = [f"{frame}/./" if transfer.relative else f"{frame}/"]
    if pull:
        options += _FROM_CLIENT
        frames = []
    return [
        "rsync",
        *connection(destination, limits, pull),
        *options,
        "--",
        *sources,
        *frames,
        f"{directory}/",
    ]


# Of the user's options only those that say how to reach the daemon: others could keep files.
_REACHES = re.compile(r"-[46]$|--(?:ipv[46]$|port=|address=|sockopts=)")


def set_aside(empty: str, directory: str, destination: Destination, limits: Limits) -> list[str]:
    """Move all that is in ``directory`` into :data:`ASIDE` below it, but for partial files.

    ``empty`` is a local directory with nothing in it.
    """
    rules = (f"protect /{ASIDE}/***", f"protect {PARTIAL_DIRECTORY}/***", "risk *")
    moved = ("--links", "--devices", "--specials", "--backup", f"--backup-dir={ASIDE}")
    return _emptying(rules, moved, empty, directory, destination, limits)


def drop_aside(empty: str, directory: str, destination: Destination, limits: Limits) -> list[str]:
    """Remove :data:`ASIDE` below ``directory``, and nothing else."""
    rules = (f"risk /{ASIDE}/***", "protect *")
    return _emptying(rules, (), empty, directory, destination, limits)


def _emptying(
    rules: Sequence[str],
    options: Sequence[str],
    empty: str,
    directory: str,
    destination: Destination,
    limits: Limits,
) -> list[str]:
    return [
        "rsync",
        "--recursive",
        "--mkpath",
        "--delete",
        *connection(destination, limits),
        *(option for option in destination.rsync_options if _REACHES.match(option)),
        *options,
        *(f"--filter={rule}" for rule in rules),
        "--",
        f"{empty}/",
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


def listing(address: str, password_file: str | None, limits: Limits) -> list[str]:
    """What is at an address of a daemon: one line for each name, without what is below."""
    return [
        "rsync",
        "--list-only",
        "--no-motd",
        _PLAIN_NUMBERS,
        *_connection(True, password_file, limits),
        "--",
        address,
    ]


def fetch(
    module: str,
    names: str,
    directory: str,
    largest: int,
    password_file: str | None,
    limits: Limits,
) -> list[str]:
    """Fetch regular files, named in the file ``names`` (ended by NUL), as nothing but content.

    Names are those below the module: below a directory of it, and without a chroot,
    the daemon of rsync 3.5.0 looks for them in another place than it has listed.
    """
    return [
        "rsync",
        f"--files-from={names}",
        "--from0",
        "--no-relative",
        "--no-dirs",
        "--no-links",
        "--times",
        "--ignore-times",
        f"--max-size={largest}",
        *_FROM_CLIENT,
        *_connection(True, password_file, limits),
        "--",
        f"{module}/",
        f"{directory}/",
    ]


def deliver(file: str, target: str, password_file: str | None, limits: Limits) -> list[str]:
    """Send one file, as nothing but content, into a directory at a daemon."""
    connected = _connection(True, password_file, limits)
    return ["rsync", "--no-motd", "--ignore-times", *connected, "--", file, f"{target}/"]
