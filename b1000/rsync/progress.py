"""What rsync says of its progress while it copies (``--info=progress2``). Pure.

It begins with a carriage return and stands on standard output between all else:
after each file, and every second within a large one.
"""

import re
from typing import NamedTuple

# As rsync 3.2.7 and 3.5.0 print it with --no-human-readable.
_PIECE = re.compile(
    rb" *(\d+) +(\d+)% +[\d.]+[kMGTP]?B/s +[\d:?]+ *(?:\(xfr#\d+, (ir|to)-chk=\d+/\d+\))?"
)


class Figures(NamedTuple):
    """Bytes copied, and their percentage of the tree.

    ``whole`` is False while rsync still lists what there is to copy, so that the
    percentage is one of what it has found so far; None where the piece does not tell.
    """

    bytes: int
    percent: int
    whole: bool | None


def split(text: bytes) -> tuple[Figures | None, bytes]:
    """The figures at the beginning of what follows a carriage return, and the rest of it."""
    found = _PIECE.match(text)
    if not found:
        return None, text
    whole = {b"ir": False, b"to": True}.get(found[3])
    return Figures(int(found[1]), int(found[2]), whole), text[found.end() :]
