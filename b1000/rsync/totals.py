"""The figures that rsync prints at its end. Pure."""

import re
from collections.abc import Iterable

from b1000.named import NamedTuple

# Compiled here: every worker needs them once, and is forked after this.
_BLOCK = re.compile(r"\d.*\nNumber of created files: ")
_SIZE = re.compile(r"^Total file size: (\d+) bytes$", re.MULTILINE)
_FILES = re.compile(r"^Number of files: \d+ \(.*?reg: (\d+)", re.MULTILINE)
_ALL = re.compile(r"^Number of files: (\d+)", re.MULTILINE)
_DIRECTORIES = re.compile(r"^Number of files: \d+ \(.*?dir: (\d+)", re.MULTILINE)
_LINKS = re.compile(r"^Number of files: \d+ \(.*?link: (\d+)", re.MULTILINE)
_SENT = re.compile(r"^Total bytes sent: (\d+)$", re.MULTILINE)
_RECEIVED = re.compile(r"^Total bytes received: (\d+)$", re.MULTILINE)


class Totals(NamedTuple):
    """What rsync counted: bytes and regular files of the whole tree, and bytes that were sent.

    Also directories, symbolic links and all ``others`` in the tree; ``vanished`` are files that
    were gone when they were to be sent.
    """

    bytes: int | None = None
    files: int | None = None
    sent: int | None = None
    directories: int | None = None
    links: int | None = None
    others: int | None = None
    vanished: int | None = None


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
    files, directories, links = (number(each) or 0 for each in (_FILES, _DIRECTORIES, _LINKS))
    others = (number(_ALL) or 0) - files - directories - links
    return Totals(number(_SIZE), files, number(sent), directories, links, others)


def is_vanished(line: str) -> bool:
    """Whether rsync says of a file that it was gone when it was to be sent."""
    return bool(_VANISHED.match(line))


_VANISHED = re.compile(r"(?:rsync: (?:\[\w+\] )?)?(?:file has|directory has) vanished: ")


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
