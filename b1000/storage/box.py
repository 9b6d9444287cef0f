"""Marks that a storage has taken from its clients, and that nobody has brought to their backups."""

import os
import time
from collections.abc import Iterator
from itertools import chain, islice

from b1000.b1k.mark import SUFFIX
from b1000.errors import counted
from b1000.storage.backup import Root

_ON_THEIR_WAY = 3600.0  # seconds: a session that is under way has some
_MOST = 10_000  # files that are looked at: clients put them there


def notes(root: Root) -> Iterator[str]:
    """What an operator is told of those of a tree on this host; nothing of one that is remote."""
    if root.remote:
        return
    before = time.time() - _ON_THEIR_WAY
    above = f"{root.address}/.b1000"
    files = chain(_files(f"{above}/marks"), _files(f"{above}/taken"))
    if old := sum(_is_older(file, before) for file in islice(files, _MOST)):
        yield (
            f"{counted(old, 'mark')} of clients did not come to the backups, which count as"
            " unfinished: see whether b1000-marks, the post-xfer exec of the module for marks, can"
            f" be run, and its words in {above}/marks.log"
        )


def _files(top: str) -> Iterator[str]:
    for above, _, names in os.walk(top):
        yield from (os.path.join(above, name) for name in names if name.endswith(SUFFIX))


def _is_older(file: str, before: float) -> bool:
    try:
        return os.lstat(file).st_ctime < before
    except OSError:
        return False  # it has gone to its place meanwhile
