"""The arguments of the rsyncs that bring a backup back. Pure."""

from collections.abc import Sequence

from b1000.jobs import Limits, Transport
from b1000.named import NamedTuple
from b1000.rsync import names, transport
from b1000.rsync.command import FROM_CLIENT, PLAIN_NUMBERS, reaching

CORRUPT = ".b1000-corrupt"
"""Ends the name of a file in a backup that verify has found to be wrong."""

_ITEM = 11  # characters of an itemized change
TOLD = "--out-format=%i %n"
_KEPT = {"hard_links": "-H", "acls": "-A", "xattrs": "-X", "sparse": "-S"}
MANNERS = ("missing", "merge", "mirror")
RECEIVING = f"{names.OURS}-restoring"
"""A directory in which files arrive until they are whole; it goes when they are."""


class Way(NamedTuple):
    """How a backup is reached: an address without a slash at its end, or a local path."""

    address: str
    password_file: str | None = None
    limits: Limits = Limits()
    options: tuple[str, ...] = ()
    transport: Transport | None = None
    """How its daemon is reached; None for a local path."""


class Manner(NamedTuple):
    """How what is there is treated, and what of a backup is kept.

    ``existing`` is one of :data:`MANNERS`, "" for an empty directory. ``options`` are those of
    the mark. ``names`` is a file of paths ended by NUL, "" for all of the backup; ``exactly``
    these, without what lies below them. ``aside``: what verify has set aside is looked at too.
    ``resumed``: a file of which a part has come is gone on with, and not begun anew.
    ``by_content``: what has the same size and time is looked at, too. ``spared`` are paths below
    the target that stay as they are.
    """

    existing: str = ""
    options: Sequence[str] = ()
    chown: str = ""
    devices: bool = False
    names: str = ""
    exactly: bool = False
    aside: bool = False
    resumed: bool = True
    by_content: bool = False
    spared: tuple[str, ...] = ()


_SMALL = 2**29  # bytes of a backup: none of its files takes long to be sent again


def is_small(size: int | None) -> bool:
    """Whether a backup of so many bytes, None for unknown, is better not ``resumed`` within files.

    To look for the parts of files costs rsync a tenth of its time where files are small.
    """
    return size is not None and size <= _SMALL


def plain(
    way: Way, sources: Sequence[str], target: str, manner: Manner, *, make: bool
) -> list[str]:
    """The rsync as a person would type it: what --print shows. The manner has no names.

    Of sources with ``/./`` in them the paths from there on are kept. ``make``: the directories
    above the target are missing.
    """
    reached = transport.arguments(way.transport, 0) if way.transport else []
    options = [*_kept(manner), *reached, *_password(way), *_which(manner)]
    if any("/./" in each for each in sources):
        options.append("--relative")
    options += ["--mkpath"] if make else []
    return ["rsync", *options, "--", *sources, target]


def restore(way: Way, source: str, target: str, manner: Manner) -> list[str]:
    """Bring ``source``, of the way's address, to ``target``."""
    return [
        "rsync",
        *_kept(manner),
        "--modify-window=-1",
        *([f"--partial-dir={names.PARTIAL_DIRECTORY}"] if manner.resumed else []),
        *(["--checksum"] if manner.by_content else []),
        "--no-motd",
        "--8-bit-output",
        "--stats",
        PLAIN_NUMBERS,
        *way.options,
        *reaching(way.transport, way.password_file, way.limits),
        *_which(manner),
        "--",
        source,
        target,
    ]


def itemized(argv: list[str], *options: str) -> list[str]:
    """These arguments with more options, and a line for each name that is changed."""
    return [argv[0], *options, TOLD, *argv[1:]]


def changes(way: Way, source: str, target: str, manner: Manner) -> list[str]:
    """Tell what that would do, one line a name, and do nothing."""
    return itemized(restore(way, source, target, manner), "--dry-run")


def compared(way: Way, source: str, target: str, manner: Manner, by_content: bool) -> list[str]:
    """Tell what differs from the backup in content or attributes, and change nothing.

    Without ``by_content`` what has the same size and time counts as the same.
    """
    manner = manner._replace(existing="", by_content=by_content)
    return itemized(restore(way, source, target, manner), "--dry-run")


def listing(way: Way, source: str, target: str, manner: Manner) -> list[str]:
    """List what is there of it."""
    return [
        "rsync",
        "--list-only",
        "--prune-empty-dirs",
        "--recursive",
        "--no-motd",
        "--8-bit-output",
        PLAIN_NUMBERS,
        *way.options,
        *reaching(way.transport, way.password_file, way.limits),
        *_named(manner),
        "--",
        source,
        target,
    ]


def fetching(way: Way, source: str, directory: str) -> list[str]:
    """Fetch one file, as nothing but content."""
    return [
        "rsync",
        "--no-dirs",
        "--no-links",
        *FROM_CLIENT,
        *way.options,
        *reaching(way.transport, way.password_file, way.limits),
        "--",
        source,
        f"{directory}/",
    ]


def _kept(manner: Manner) -> list[str]:
    switches = [_KEPT[each] for each in manner.options if each in _KEPT]
    options = ["-a", *switches, "--numeric-ids"]
    options += [] if manner.devices else ["--no-devices", "--no-specials"]
    options += [f"--chown={manner.chown}"] if manner.chown else []
    return options


def _password(way: Way) -> list[str]:
    return [f"--password-file={way.password_file}"] if way.password_file else []


def _which(manner: Manner) -> list[str]:
    # What verify has set aside is wrong, and names of ours are no data.
    options = [] if manner.aside else [f"--exclude=*{CORRUPT}"]
    options.append(f"--exclude={names.PATTERN}")
    for path in manner.spared:
        pattern = names.pattern(path.encode("utf-8", "surrogateescape"))
        options.append(f"--exclude=/{pattern.decode('utf-8', 'surrogateescape')}")
    if manner.existing == "missing":
        options.append("--ignore-existing")
    elif manner.existing == "mirror":
        options.append("--delete")
    return [*options, *_named(manner)]


def _named(manner: Manner) -> list[str]:
    if not manner.names:
        return []
    # Given after --archive: with a list of names rsync enters no directory by itself.
    deeper = [] if manner.exactly else ["--recursive"]
    return [*deeper, "--from0", f"--files-from={manner.names}"]


def item(line: bytes) -> tuple[bytes, bytes]:
    """An itemized change and its name; two empty ones where a line is none."""
    change, blank, name = line.partition(b" ")
    if blank and (len(change) == _ITEM or change == b"*deleting"):
        return change, names.unescaped(name.lstrip(b" ") if change == b"*deleting" else name)
    return b"", b""
