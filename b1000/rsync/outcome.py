"""What the end of an rsync means. Pure."""

import re
from collections.abc import Iterable, Sequence

from b1000.errors import signal_name
from b1000.expressions import expression
from b1000.named import NamedTuple
from b1000.rsync import helper_verdicts
from b1000.rsync.verdicts import BASE, BUSY, KEPT, VERDICTS, Retry
from b1000.runs.states import CopyStatus


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


_NOISE = expression(
    rf"rsync error: (?!{helper_verdicts.OF_A_DAEMON})|rsync warning: |\(see the rsync manpage|\s*$"
    rf"|{helper_verdicts.CHATTER}"
)
_CONSEQUENCE = expression(
    r"rsync: \[\w+\] (?:read|write) error: (?:Connection reset by peer|Broken pipe) \(\d+\)$"
    r"|.*pre-xfer exec returned failure \(-?\d+\): *$"
    rf"|{helper_verdicts.FOLLOWING}"
)
_DECORATION = expression(r"^(?:Password: )?(?:rsync: )?(?:\[\w+\] )?(?:@?ERROR: )?| \(\d+\)$")
_MKDIR_LOST = expression(r"mkdir .* failed: File exists")
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
    where the copy was to go, in words (:func:`b1000.rsync.paths.host_or_path`), ``peer``
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
    lines = [line for line in errors if not _NOISE.match(line)]
    for row in VERDICTS:
        if exit_code not in row.codes:
            continue
        found = next((match for line in lines if (match := re.search(row.message, line))), None)
        if found or not row.message:
            explanation = row.explanation.format(
                *(found.groups() if found else ()), place=place, peer=peer or place
            )
            reason = f"{explanation} (rsync exit {exit_code}{_quoted(lines)})"
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


def _quoted(messages: Sequence[str]) -> str:
    """The last lines that rsync itself had to say, without what only follows from them."""
    causes = [line for line in messages if not _CONSEQUENCE.match(line)] or messages
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


def is_without_module(result: Outcome) -> bool:
    """Whether a daemon has no such module."""
    return result.exit_code == 5 and bool(re.search(r"[Uu]nknown module", result.reason))


_SHUT = tuple(
    ".*".join(map(re.escape, re.split(r"\{\w+\}", each.explanation)))
    for each in helper_verdicts.COMPLAINTS
    if not each.passes
)


def is_shut(result: Outcome) -> bool:
    """Whether TLS or ssh lead to no daemon, and will not the next time."""
    return any(re.match(pattern, result.reason) for pattern in _SHUT)


def is_crowded(result: Outcome) -> bool:
    """Whether a daemon refused since it has its limit of connections."""
    return result.exit_code == 5 and "max connections" in result.reason


def is_at_the_gate(result: Outcome) -> bool:
    """Whether the gate of a storage let nobody in, since a client has no business there."""
    return " refuses: " in result.reason and "b1000-gate: " in result.reason


def is_kept(result: Outcome) -> bool:
    """Whether the gate of a storage lets no session in that may change files which are there.

    One that may, which this one would be, is let in with no other into the same backup.
    """
    return f" refuses: {KEPT}" in result.reason or f" refuses: {BUSY}" in result.reason


def is_refused_base(result: Outcome) -> bool:
    """Whether the gate takes no such way to the directory that is linked to."""
    return f" refuses: {BASE}" in result.reason


_NO_BASE = expression(r"(?:rsync: )?--link-dest arg (?:does not exist|is not a dir): (.*)")


def missing_base(line: str) -> str | None:
    """The directory that rsync was to link to and did not find; it goes on without it."""
    found = _NO_BASE.match(line)
    return found[1] if found else None
