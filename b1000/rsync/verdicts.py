"""What an exit code of rsync means, with what rsync said. Pure.

The exit code alone decides little: 5 is a wrong password as well as a daemon
that is full for a moment. :data:`VERDICTS` therefore goes by code and message.
Codes are those of rsync(1), "EXIT VALUES"; messages were seen with rsync 3.2.7
and 3.5.0.
"""

from collections.abc import Iterable
from enum import Enum

from b1000.named import NamedTuple
from b1000.rsync.helper_verdicts import COMPLAINTS
from b1000.runs.states import CopyStatus

MISSING = "is missing at the source"
"""Ends the reason where a name that was asked for is not there."""


class Retry(Enum):
    """Whether trying again can help."""

    NEVER = "never"
    ONCE = "once"
    YES = "yes"


class ExitMeaning(NamedTuple):
    """One row: for these codes and a message that fits, whether to retry, and in which words.

    ``{0}``, ``{1}`` in the words are the groups of the pattern, ``{place}`` is
    where the copy goes, ``{peer}`` the host at the other end: that of the place, or
    the one that is pulled from. ``reached``: data may have begun to arrive there.
    """

    codes: frozenset[int]
    message: str
    retry: Retry
    explanation: str
    status: CopyStatus = CopyStatus.FAILED
    reached: bool = True


_ANY = frozenset(range(1, 256))

# What a script of a daemon prints stands in a line of its own, or behind rsync's words.
_GATE = r"^(?:.*pre-xfer exec returned failure \(-?\d+\): )?b1000-gate: "
_REFUSED = frozenset({4, 5, 10, 12})
_FULL, _QUOTA, _READ_ONLY, _DENIED = (
    rf"the storage cannot .*: {words}\s*$"
    for words in (
        "No space left on device",
        "Disk quota exceeded",
        "Read-only file system",
        "Permission denied",
    )
)
BUSY = "another session writes into this backup"
KEPT = "this backup has files already"
BASE = "--link-dest must be"
"""How the sentences of a storage's gate begin that a copy goes by."""


def _row(codes: Iterable[int], message: str, retry: Retry, explanation: str) -> ExitMeaning:
    return ExitMeaning(frozenset(codes), message, retry, explanation)


def _door(codes: Iterable[int], message: str, retry: Retry, explanation: str) -> ExitMeaning:
    """A row for what ended before any data was sent."""
    return ExitMeaning(frozenset(codes), message, retry, explanation, reached=False)


# A message about a file ends in the system's words and their number; a file whose name is those
# words must not be taken for them.
VERDICTS: tuple[ExitMeaning, ...] = (
    # Vanished while copying: the rest is there, and what vanished cannot be copied any more.
    ExitMeaning(
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
    # The words of the gate of a storage (etc/scripts/b1000-gate).
    _door(_REFUSED, rf"{_GATE}({BUSY}.*)", Retry.YES, "{peer} refuses: {0}"),
    # It writes down who comes in, and marks that a sync begins: that fails in the system's words.
    _door(_REFUSED, rf"{_GATE}{_FULL}", Retry.NEVER, "no space left at {peer}: free some"),
    _door(_REFUSED, rf"{_GATE}{_QUOTA}", Retry.NEVER, "disk quota exceeded at {peer}: free some"),
    _door(_REFUSED, rf"{_GATE}{_READ_ONLY}", Retry.NEVER, "the file system is read-only at {peer}"),
    _door(_REFUSED, rf"{_GATE}{_DENIED}", Retry.NEVER, "no permission to write at {peer}"),
    _door(_REFUSED, rf"{_GATE}(.*)", Retry.NEVER, "{peer} refuses: {0}"),
    # The daemon's own words about who may enter. Only "max connections" passes by itself.
    _door(
        {5},
        r"@ERROR: max connections \((-?\d+)\)",
        Retry.YES,
        "{peer} has reached its limit of connections ({0})",
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
    _door(
        {4, 5},
        r"pre-xfer exec returned failure",
        Retry.NEVER,
        "the pre-xfer script at {peer} failed",
    ),
    _door({5}, r"@ERROR: (.*)", Retry.NEVER, "{peer} says: {0}"),
    # The helper of an encrypted transport, before rsync has seen a greeting.
    *(
        _door(
            {5} if each.greeting else {5, 12},
            each.message,
            Retry.YES if each.passes else Retry.NEVER,
            each.explanation,
        )
        for each in COMPLAINTS
    ),
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
        "the password file must {0}: chmod 600, and owned by the user who runs b1000",
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
    # The network, the daemon or its host: down now, perhaps up in a minute.
    _door({10}, r": Connection refused \(\d+\)$", Retry.YES, "connection refused by {peer}"),
    _door({10}, r"getaddrinfo: ", Retry.YES, "the host name {peer} cannot be resolved"),
    _door({10}, r"failed to connect to ", Retry.YES, "{peer} cannot be reached"),
    _row({10, 12}, "", Retry.YES, "the connection to {peer} broke in mid-copy"),
    _row({30}, "", Retry.YES, "no data from {peer} for too long (io_timeout)"),
    _door({35}, "", Retry.YES, "{peer} did not answer in time (connect_timeout)"),
    _row({19, 20}, "", Retry.YES, "rsync was ended by a signal"),
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
        f"not everything was copied: {{0}} {MISSING}",
    ),
    _row(
        {23},
        r"(?:rsync_xal_set|set_acl): .*: Operation not supported \(\d+\)$",
        Retry.NEVER,
        "not everything was copied: the file system at {place} keeps no such attributes or ACLs",
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
    _door({3}, r"\[sender\] change_dir ", Retry.NEVER, "the sources cannot be read"),
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
