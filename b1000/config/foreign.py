"""Places as other tools write them, each with what it is and the way that works here. Pure."""

import re

from b1000.errors import BadValue
from b1000.expressions import expression

_RULE = "rsync://HOST[:PORT]/MODULE[/PATH]"
_SSH = f"the same by ssh is {_RULE} with transport = ssh, where the host has an rsync daemon"

# pattern, what it is, what would be right. No text is repeated: it may hold a password.
_PLACES: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (expression(r"[\"'].*[\"']$"), "the quotes are part of it", "the same without quotes"),
    (expression(r"~"), "~ is the shell's word for a home, and none here", "a path from / on"),
    (
        expression(r"rsync://[^/]+/*$"),
        "the rsync address names no module",
        f"{_RULE}; `rsync rsync://HOST/` lists them",
    ),
    (
        expression(r"(?!(?-i:rsync:))rsync://", re.IGNORECASE),
        "rsync:// is in capitals",
        f"written {_RULE}",
    ),
    (
        expression(r"(?:ssh|sftp|scp)://", re.IGNORECASE),
        "it is an address of ssh, which B1000 writes otherwise",
        _SSH,
    ),
    (
        expression(r"(?!rsync:)[a-z0-9]+://", re.IGNORECASE),
        "it is an address of a kind that rsync does not know",
        f"a path from / on, or {_RULE}",
    ),
    (
        expression(r"(?!rsync:)(?:[^/]*@)?(?:[\w.-]+|\[[\da-fA-F:]+\])?::"),
        "it is rsync's HOST::MODULE",
        f"written {_RULE} here",
    ),
    (
        expression(r"(?!rsync:)(?:[^/]*@)?(?:[\w.-]+|\[[\da-fA-F:]+\]):"),
        "it is HOST:PATH, which is ssh's, and B1000 writes otherwise",
        _SSH,
    ),
)


def other_tools_path(text: str) -> BadValue | None:
    """What a text is that is neither a path nor an address of a daemon; None where nobody knows."""
    for pattern, what, hint in _PLACES:
        if pattern.match(text):
            return BadValue(what, hint)
    return None


def place_in_list(text: str) -> BadValue | None:
    """What a ``dest`` list is that holds a place instead of names; None where it holds none."""
    if re.search(r"(?:^|,)\s*/|(?:^|[\s,])(?:~|[A-Za-z0-9._@-]+:)", text):
        return BadValue(
            "it names sections, and holds an address or a path",
            "a section [dest:NAME] has that as its path, and NAME stands here",
        )
    return None
