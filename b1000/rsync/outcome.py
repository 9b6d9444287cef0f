"""What the end of an rsync means, and what its output says. Pure.

The exit code alone decides little: 5 is a wrong password as well as a daemon
that is full for a moment. :data:`VERDICTS` therefore goes by code and message.
Codes are those of rsync(1), "EXIT VALUES"; messages were seen with rsync 3.2.7
and 3.5.0.
"""

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import NamedTuple

from b1000.errors import signal_name
from b1000.runs.states import CopyStatus


class Retry(Enum):
    """Whether trying again can help."""

    NEVER = "never"
    ONCE = "once"
    YES = "yes"


class Outcome(NamedTuple):
    """The verdict on one attempt; ``reason`` is for people and "" where all is well.

    ``leftovers``: temporary files of this attempt may be at the destination. ``doubt`` is why
    what it wrote is not believed by size and time, said of it ("was ended by SIGTERM"), or "".
    """

    status: CopyStatus
    retry: Retry = Retry.NEVER
    reason: str = ""
    exit_code: int | None = None
    leftovers: bool = False
    doubt: str = ""


class Verdict(NamedTuple):
    """One row: for these codes and a message that fits, whether to retry, and in which words.

    ``{0}``, ``{1}`` in the words are the groups of the pattern, ``{place}`` is
    where the copy goes, ``{peer}`` the host at the other end: that of the place, or
    the one that is pulled from. ``reached``: data may have begun to arrive there.
    """

    codes: frozenset[int]
    message: str
    retry: Retry
    words: str
    status: CopyStatus = CopyStatus.FAILED
    reached: bool = True


_ANY = frozenset(range(1, 256))


def _row(codes: Iterable[int], message: str, retry: Retry, words: str) -> Verdict:
    return Verdict(frozenset(codes), message, retry, words)


def _door(codes: Iterable[int], message: str, retry: Retry, words: str) -> Verdict:
    """A row for what ended before any data was sent."""
    return Verdict(frozenset(codes), message, retry, words, reached=False)


# A message about a file ends in the system's words and their number; a file whose name is those
# words must not be taken for them.
VERDICTS: tuple[Verdict, ...] = (
    # Vanished while copying: the rest is there, and what vanished cannot be copied any more.
    Verdict(
        frozenset({24}),
        "",
        Retry.NEVER,
        "files vanished at the source while they were copied",
        CopyStatus.WARNING,
    ),
    # A full disk is not emptied by waiting a minute; `b1000 --copy` goes on once it is.
    _row(
        _ANY,
        r": No space left on device \(\d+\)$",
        Retry.NEVER,
        "no space left at {place}: free some",
    ),
    _row(
        _ANY,
        r": Disk quota exceeded \(\d+\)$",
        Retry.NEVER,
        "disk quota exceeded at {place}: free some",
    ),
    _row(
        _ANY,
        r": Read-only file system \(\d+\)$",
        Retry.NEVER,
        "the file system is read-only at {place}",
    ),
    # The daemon's own words about who may enter. Only "max connections" passes by itself.
    _door(
        {5},
        r"@ERROR: max connections \((\d+)\)",
        Retry.YES,
        "{peer} has reached its limit of {0} connections",
    ),
    _door(
        {5},
        r"@ERROR: [Uu]nknown module '(.*)'",
        Retry.NEVER,
        "{peer} has no module {0!r}: see the address, and the modules there",
    ),
    _door(
        {5},
        r"@ERROR: auth failed on module (\S+)",
        Retry.NEVER,
        "{peer} refuses user or password for module {0!r}: see USER@ in the address, "
        "and password_file",
    ),
    _door(
        {5},
        r"@ERROR: access denied to (\S+)",
        Retry.NEVER,
        "{peer} denies this host access to module {0!r}: see hosts allow there",
    ),
    _door(
        {5},
        r"@ERROR: (?:chdir|chroot) failed",
        Retry.NEVER,
        "the module's directory at {peer} is missing or closed",
    ),
    _door({5}, r"@ERROR: (.*)", Retry.NEVER, "{peer} says: {0}"),
    # Something that is no rsync daemon answers; or one that is just ending, or a proxy without it.
    _door(
        {5},
        r"server sent .* rather than greeting",
        Retry.NEVER,
        "what answers at {peer} is no rsync daemon",
    ),
    _door({5}, r"did not see server greeting", Retry.YES, "{peer} closed the connection at once"),
    _door({1}, r"module is read only", Retry.NEVER, "the module at {peer} is read only"),
    _door(
        {1},
        r"password file must (.*)",
        Retry.NEVER,
        "the password file must {0}: chmod 600, and owned by who runs b1000",
    ),
    _door(
        {1},
        r"could not open password file (.*): (.*) \(\d+\)$",
        Retry.NEVER,
        "the password file {0}: {1}",
    ),
    _door(
        {1},
        r"failed to read a password from (.*)$",
        Retry.NEVER,
        "the password file {0} is empty: the password stands in its first line",
    ),
    _door({1}, r"(\S+): unknown option", Retry.NEVER, "rsync does not know the option {0}"),
    # A receiver meets the broken connection (10, 12) before it has read the words.
    _door(
        {4, 10, 12},
        r"^(?:rsync: )?The server is configured to refuse (.*)",
        Retry.NEVER,
        "{peer} refuses the option {0}",
    ),
    _door(
        {4}, r"pre-xfer exec returned failure", Retry.NEVER, "the pre-xfer script at {peer} failed"
    ),
    # The network, the daemon or its host: down now, perhaps up in a minute.
    _door({10}, r": Connection refused \(\d+\)$", Retry.YES, "connection refused by {peer}"),
    _door({10}, r"getaddrinfo: ", Retry.YES, "the host name {peer} cannot be resolved"),
    _door({10}, r"failed to connect to ", Retry.YES, "{peer} cannot be reached"),
    _row({10, 12}, "", Retry.YES, "the connection to {peer} broke in mid-copy"),
    _row({30}, "", Retry.YES, "no data from {peer} for too long (io_timeout)"),
    _door({35}, "", Retry.YES, "{peer} did not answer in time (connect_timeout)"),
    _row({19, 20}, "", Retry.YES, "rsync was told to end by a signal"),
    _row({22}, "", Retry.YES, "rsync could not get memory"),
    # Writing failed. What is missing, forbidden or in the way stays so.
    _row(
        {11},
        r": No such file or directory \(\d+\)$",
        Retry.NEVER,
        "a directory is missing at {place}",
    ),
    _row({11}, r": Permission denied \(\d+\)$", Retry.NEVER, "no permission to write at {place}"),
    _row(
        {11},
        r": (?:File exists|Not a directory) \(\d+\)$",
        Retry.NEVER,
        "a file is in the way of a directory at {place}",
    ),
    _row({11}, r": File too large \(\d+\)$", Retry.NEVER, "a file is larger than {place} takes"),
    _row({11}, "", Retry.YES, "reading or writing a file failed"),
    # Some files could not be read or written: once more, in case they were only in the way.
    _row(
        {23},
        r"\[(?:[Rr]eceiver|generator)\] .*: Permission denied \(\d+\)$",
        Retry.ONCE,
        "not everything was copied: no permission to write at {place}",
    ),
    _row(
        {23},
        r'"(.*)"(?: \(in \S+\))?(?: failed)?: Permission denied \(\d+\)$',
        Retry.ONCE,
        "not everything was copied: no permission to read {0}",
    ),
    _row(
        {23},
        r'link_stat "(.*)"(?: \(in \S+\))? failed: No such file or directory \(\d+\)$',
        Retry.ONCE,
        "not everything was copied: {0} is missing at the source",
    ),
    _row({23}, "", Retry.ONCE, "not everything was copied"),
    # These stay as they are until somebody changes a configuration or a program.
    _door(
        {1},
        "",
        Retry.NEVER,
        "rsync does not take its arguments: see rsync_options, and "
        "the log at DEBUG for all of them",
    ),
    _door(
        {2},
        "",
        Retry.NEVER,
        "the rsyncs here and at {peer} do not understand each other's protocol",
    ),
    _door({3}, "", Retry.NEVER, "the sources cannot be read or {place} cannot be used"),
    _door({4}, "", Retry.NEVER, "{peer} refuses an option or does not know it"),
    _door({5}, "", Retry.NEVER, "{peer} refused to begin"),
    _door({6}, "", Retry.NEVER, "the daemon at {peer} cannot write its log"),
    _row({13, 14, 15, 16, 21}, "", Retry.YES, "rsync's processes lost each other"),
    _row({25}, "", Retry.NEVER, "--max-delete stopped the deletions"),
    _row(
        _ANY,
        "",
        Retry.NEVER,
        "rsync failed in a way that is not known here: see EXIT VALUES in rsync(1)",
    ),
)

_NOISE = re.compile(r"rsync error: |rsync warning: |\(see the rsync manpage|\s*$")
_CONSEQUENCE = re.compile(
    r"rsync: \[\w+\] (?:read|write) error: (?:Connection reset by peer|Broken pipe) \(\d+\)$"
)
_DECORATION = re.compile(r"^(?:Password: )?(?:rsync: )?(?:\[\w+\] )?(?:@?ERROR: )?| \(\d+\)$")
_MKDIR_LOST = re.compile(r"mkdir .* failed: File exists")
_SHOWN_LINES = 3
_SHOWN_LENGTH = 400


def judge(
    exit_code: int,
    errors: Sequence[str],
    place: str = "the destination",
    peer: str | None = None,
) -> Outcome:
    """The verdict on an rsync that ended by itself.

    ``exit_code`` as subprocess gives it (negative: the signal that killed it);
    ``errors`` are the lines of its standard error, oldest first; ``place`` says
    where the copy was to go, in words (:func:`b1000.rsync.paths.place`), ``peer``
    the host at the other end where that is not the place.
    """
    if exit_code == 0:
        return Outcome(CopyStatus.DONE, exit_code=0)
    if exit_code < 0:
        return Outcome(
            CopyStatus.FAILED,
            Retry.YES,
            f"rsync was killed by {signal_name(-exit_code)}",
            exit_code,
            leftovers=True,
            doubt=_doubt(exit_code),
        )
    told = [line for line in errors if not _NOISE.match(line)]
    for row in VERDICTS:
        if exit_code not in row.codes:
            continue
        found = next((match for line in told if (match := re.search(row.message, line))), None)
        if found or not row.message:
            words = row.words.format(
                *(found.groups() if found else ()), place=place, peer=peer or place
            )
            reason = f"{words} (rsync exit {exit_code}{_quoted(told)})"
            return Outcome(row.status, row.retry, reason, exit_code, row.reached, _doubt(exit_code))
    raise AssertionError("the last row fits every code")


# Of rsync(1) and its source: crashed and terminated siblings, SIGUSR1, a signal that it handled.
_ENDED_BY_SIGNAL = frozenset({15, 16, 19, 20})
_SHELL = 128  # what a shell adds to the number of the signal that ended its command


def _doubt(exit_code: int) -> str:
    """A sender that handles a signal sends some data twice, under the names of later files."""
    if exit_code < 0:
        return f"was ended by {signal_name(-exit_code)}"
    if exit_code in _ENDED_BY_SIGNAL:
        return f"was ended by a signal (rsync exit {exit_code})"
    if _SHELL < exit_code <= _SHELL + 64:
        return f"was ended, perhaps by a signal (exit {exit_code})"
    return ""


def is_repeated(line: str) -> bool:
    """Whether a line of rsync's standard error says no more than the verdict on it will."""
    return bool(_NOISE.match(line) or _MKDIR_LOST.search(line))


def _quoted(told: Sequence[str]) -> str:
    """The last lines that rsync itself had to say, without what only follows from them."""
    causes = [line for line in told if not _CONSEQUENCE.match(line)] or told
    plain = dict.fromkeys(_DECORATION.sub("", line.strip()) for line in causes)
    lines = " | ".join(list(plain)[-_SHOWN_LINES:])
    if len(lines) > _SHOWN_LENGTH:
        lines = lines[: _SHOWN_LENGTH - 3] + "..."
    return f": {lines}" if lines else ""


def lost_race(exit_code: int, errors: Iterable[str]) -> bool:
    """Whether another rsync made the same missing parent (--mkpath) at the same moment.

    rsync 3.5.0 gives up then; run at once again, it finds the directory.
    """
    return exit_code == 11 and any(_MKDIR_LOST.search(line) for line in errors)


def is_without_checksums(result: Outcome) -> bool:
    """Whether a daemon refused to compare by content (``refuse options = checksum``)."""
    return bool(re.search(r" refuses the option --checksum\b", result.reason))


def is_crowded(result: Outcome) -> bool:
    """Whether a daemon refused since it has its limit of connections."""
    return result.exit_code == 5 and "max connections" in result.reason


_NO_BASE = re.compile(r"(?:rsync: )?--link-dest arg (?:does not exist|is not a dir): (.*)")


def missing_base(line: str) -> str | None:
    """The directory that rsync was to link to and did not find; it goes on without it."""
    found = _NO_BASE.match(line)
    return found[1] if found else None


class Totals(NamedTuple):
    """What rsync counted: bytes and regular files of the whole tree, and bytes that were sent."""

    bytes: int | None = None
    files: int | None = None
    sent: int | None = None


def totals(lines: Iterable[str], pulled: bool = False) -> Totals:
    """The totals of ``--stats --no-human-readable``; none where rsync printed none.

    What is ``pulled`` was sent by the other end: this one received it.
    Names of files come before them and may look like them, but no list of names
    is in the order of the first two lines.
    """
    _, begin, block = "\n".join(["", *lines]).rpartition("\nNumber of files: ")
    if not _BLOCK.match(block):
        return Totals()

    def number(pattern: re.Pattern[str]) -> int | None:
        found = pattern.search(begin + block)
        return int(found[1]) if found else None

    sent = _RECEIVED if pulled else _SENT
    return Totals(bytes=number(_SIZE), files=number(_FILES) or 0, sent=number(sent))


class Forecast(NamedTuple):
    """What an rsync --dry-run would do: regular files sent, their bytes, files deleted."""

    files: int
    bytes: int
    deleted: int


def forecast(lines: Iterable[str]) -> Forecast | None:
    """The forecast in the totals of ``--dry-run --stats``; None where rsync printed none."""
    block = "\n".join(lines)
    files = re.search(r"^Number of regular files transferred: (\d+)", block, re.MULTILINE)
    size = re.search(r"^Total transferred file size: (\d+) bytes", block, re.MULTILINE)
    deleted = re.search(r"^Number of deleted files: (\d+)", block, re.MULTILINE)
    if not files or not size:
        return None
    return Forecast(int(files[1]), int(size[1]), int(deleted[1]) if deleted else 0)


# Compiled here: every worker needs them once, and is forked after this.
_BLOCK = re.compile(r"\d.*\nNumber of created files: ")
_SIZE = re.compile(r"^Total file size: (\d+) bytes$", re.MULTILINE)
_FILES = re.compile(r"^Number of files: \d+ \(.*?reg: (\d+)", re.MULTILINE)
_SENT = re.compile(r"^Total bytes sent: (\d+)$", re.MULTILINE)
_RECEIVED = re.compile(r"^Total bytes received: (\d+)$", re.MULTILINE)
