"""The id file of a root, ``.b1000-id``: which root it is, and since when it has marks. Pure.

It is written once and never changes: unmarked directories that are older than its time were
made before there were marks.
"""

from b1000.b1k import checks
from b1000.errors import BadValue
from b1000.expressions import expression
from b1000.named import NamedTuple

FILE = ".b1000-id"
LONGEST = 4096
"""Bytes of it that are read."""
EMPTY, GARBLED = "is empty", "holds no id"
"""What is wrong with a file that can be read, and be written anew."""

_TEXT = expression(rb"uid = (?P<uid>[A-Za-z0-9][A-Za-z0-9._:-]{0,99})\ntime = (?P<time>\S{20})\n")


class RootId(NamedTuple):
    """``created`` is in seconds since the epoch."""

    uid: str
    created: float


def render(root: RootId) -> str:
    """The text of the file."""
    return f"uid = {root.uid}\ntime = {checks.instant_text(root.created)}\n"


def damage(data: bytes) -> str:
    """What is wrong with what the file holds; "" for nothing."""
    try:
        parse(data)
    except BadValue:
        return GARBLED if data else EMPTY
    return ""


def remedy(wrong: str, adopting: str) -> str:
    """What an operator does about a file that is ``wrong`` so, with the command that adopts."""
    if wrong in (EMPTY, GARBLED):
        return f"`{adopting}` writes it anew"
    return f"mend that, or remove it and let `{adopting}` write a new one"


def parse(data: bytes) -> RootId:
    """What the file says. Raises BadValue."""
    found = _TEXT.fullmatch(data)
    if not found:
        raise BadValue("it is no id of a root", "uid = UID and time = YYYY-MM-DDTHH:MM:SSZ")
    return RootId(found["uid"].decode(), checks.seconds(found["time"].decode("ascii", "replace")))
