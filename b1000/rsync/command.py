"""The arguments of one rsync. Pure."""

from collections.abc import Sequence

from b1000.expressions import expression
from b1000.jobs import Destination, Limits, Pull, Transport
from b1000.named import NamedTuple
from b1000.rsync import names, paths, transport
from b1000.rsync.source import Source

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
    f"--partial-dir={names.PARTIAL_DIRECTORY}",
    "--stats",
    "--info=progress2",
    # Names as they are in log and error texts; without it every byte above 127 is escaped.
    "--8-bit-output",
)

_VERBOSITY = {1: (), 2: ("--out-format=%n%L",), 3: ("--out-format=%i %n%L",)}


# Behind the user's options, so that none of them changes the form of a number that is read.
PLAIN_NUMBERS = "--no-human-readable"

# What a client sends cannot make a device here, whatever else the options say; and what its
# daemon greets with is not taken for rsync's own words.
_TO_STORAGE = ("--no-motd",)
FROM_CLIENT = ("--no-motd", "--no-devices", "--no-specials")


# In front of all other rules: no include of the user's takes them in.
_NOT_OURS = f"--exclude={names.PATTERN}"


class Manner(NamedTuple):
    """How one attempt goes about it.

    Files that are the same in one of the ``bases``, directories relative to the one of the copy,
    become hard links. ``keep_existing`` leaves alone what is there. One that
    is ``continued`` may find partial files. ``by_content``: sizes and times are not believed;
    ``anew``: nor is a daemon asked for checksums, and each file is transferred.
    """

    bases: Sequence[str] = ()
    keep_existing: bool = False
    continued: bool = False
    by_content: bool = False
    anew: bool = False


class Part(NamedTuple):
    """What one of several ``streams`` copies: include and exclude options that come last."""

    rules: Sequence[str]
    streams: int


def connection(destination: Destination, limits: Limits, pull: Pull | None = None) -> list[str]:
    """The options that reach a destination, or a client, and notice when it falls silent."""
    password_file = (pull.password_file if pull else None) or destination.password_file
    way = pull.transport if pull else destination.transport
    return reaching(way if pull or destination.remote else None, password_file, limits)


def reaching(way: Transport | None, password_file: str | None, limits: Limits) -> list[str]:
    """The same for any address, or for a path of this host, to which there is no ``way``."""
    options = []
    if limits.io_timeout:
        options.append(f"--timeout={limits.io_timeout}")
    if way:
        options += transport.arguments(way, limits.connect_timeout)
        options.append("--sockopts=TCP_NODELAY")
    if password_file:
        options.append(f"--password-file={password_file}")
    return options


def copy(
    source: Source,
    directory: str,
    destination: Destination,
    limits: Limits,
    *,
    manner: Manner = Manner(),  # noqa: B008
    part: Part | None = None,
) -> list[str]:
    """One attempt to copy a source into ``directory``.

    With a ``part`` only that is copied, nothing deleted and no directory finished. A whole one
    from this host tells of each name that a rule left out (:func:`names.hidden`).
    """
    transfer, pull = source.transfer, source.pull
    options = [*_ALWAYS, *connection(destination, limits, pull)]
    switches = [switch for name, switch in _SWITCHES.items() if getattr(transfer, name)]
    options += [switch for switch in switches if not part or switch != "--delete"]
    if transfer.hard_links and len(source.paths) > 1:
        # rsync 3.5.0 gives up where a name that two sources have is a hard link in the second,
        # while it lists them piece by piece ("hard-link gnum 1 precedes flist start 2").
        options.append("--no-inc-recursive")
    if destination.compress:
        options.append("--compress")
    if destination.bwlimit:
        rate = part_of(destination.bwlimit, part.streams) if part else destination.bwlimit
        options.append(f"--bwlimit={rate}")
        if manner.continued and not destination.remote and not pull:
            # Between two local paths rsync sends whole files, also those that arrived in part.
            # Without a limit that is quicker than to compare them: 4 s against 27 s for 1 GB.
            options.append("--no-whole-file")
    options += [f"--link-dest={base}" for base in manner.bases]
    options += [] if all(map(paths.is_plain, manner.bases)) else ["-s"]
    options += ["--ignore-existing"] if manner.keep_existing else []
    options += _VERBOSITY[destination.verbosity]
    options += excluding(source, destination)
    options += [*destination.rsync_options, PLAIN_NUMBERS]
    options += _by_content(destination, manner.anew) if manner.by_content else []
    options += ["--debug=FILTER"] if not part and not pull else []
    options += ["--debug=DUP"] if not part else []
    options += FROM_CLIENT if pull else _TO_STORAGE if destination.remote else ()
    # Behind all other rules: what they leave out or take in is that in each part.
    options += ["--omit-dir-times", *part.rules] if part else []
    # Behind -- nothing is taken as an option, whatever a file is called.
    return ["rsync", *options, "--", *source.paths, f"{directory}/"]


def _by_content(destination: Destination, anew: bool) -> list[str]:
    """With the user's choice to compute no checksums (none) rsync would give up."""
    compare = "--ignore-times" if anew else "--checksum"
    chosen = any(_CHECKSUMS.match(option) for option in destination.rsync_options)
    return ["--checksum-choice=auto", compare] if chosen else [compare]


_CHECKSUMS = expression(r"--(?:checksum-choice|cc)=(?:[^,]+,)?none$")


def excluding(source: Source, destination: Destination) -> list[str]:
    """The rules that come first: what is never copied, or not at this destination."""
    patterns = (*source.exclude, *destination.exclude)
    return [_NOT_OURS, *(f"--exclude={pattern}" for pattern in patterns)]


def compared(source: Source, directory: str, destination: Destination, limits: Limits) -> list[str]:
    """Tell, without a change to anything, what in ``directory`` is not the source's by content."""
    plain = destination._replace(verbosity=1, bwlimit=None)
    kept = source._replace(transfer=source.transfer._replace(delete=False))
    argv = copy(kept, directory, plain, limits, manner=Manner(by_content=True))
    at = argv.index("--")
    return rehearsed([*argv[:at], "--debug=NONE", "--out-format=%i %n", *argv[at:]])


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


def probe(
    empty: str, directory: str, destination: Destination, limits: Limits, *more: str
) -> list[str]:
    """Ask a daemon, without a change to anything, whether it would take data there.

    ``more`` options say how.
    """
    return [
        "rsync",
        "--recursive",
        "--dry-run",
        "--mkpath",
        *more,
        *connection(destination, limits),
        *chosen_way(destination),
        "--",
        f"{empty}/",
        f"{directory}/",
    ]


def claim(empty: str, directory: str, destination: Destination, limits: Limits) -> list[str]:
    """Make ``directory`` and those above it, from an empty one, and say whether it was made."""
    return [
        "rsync",
        "--dirs",
        "--mkpath",
        "--info=name1",
        # Beside one that may change what is there a storage lets nobody in.
        "--ignore-existing",
        "--no-motd",
        *connection(destination, limits),
        *chosen_way(destination),
        "--",
        f"{empty}/",
        f"{directory}/",
    ]


def chosen_way(destination: Destination) -> list[str]:
    """Of the user's options those that say how to reach the daemon, and a place there."""
    return [option for option in destination.rsync_options if _REACHES.match(option)]


_REACHES = expression(
    r"-[46s]+$|--(?:(?:ipv[46]|secluded-args|protect-args|no-iconv)$"
    r"|(?:port|address|sockopts|early-input|protocol|iconv)=)"
)


def marks(tree: str, target: str, destination: Destination, limits: Limits) -> list[str]:
    """Send the marks in a staged tree, as nothing but content, below ``target`` at a daemon."""
    return [
        "rsync",
        "--recursive",
        "--ignore-times",
        "--mkpath",
        "--no-motd",
        *reaching(destination.transport, destination.password_file, limits),
        *chosen_way(destination),
        "--",
        f"{tree}/",
        f"{target}/",
    ]


def deliver(file: str, pull: Pull, limits: Limits) -> list[str]:
    """Send one file, as nothing but content, into the directory of a client's reports."""
    connected = reaching(pull.transport, pull.password_file, limits)
    return ["rsync", "--no-motd", "--ignore-times", *connected, "--", file, f"{pull.source}/"]
