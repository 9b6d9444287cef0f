"""Places as other tools write them, each with what it is and the way that works here. Pure."""

import re

from b1000.errors import BadValue

_RULE = "rsync://HOST[:PORT]/MODULE[/PATH]"
_DAEMON = f"an rsync daemon serves a directory of it as {_RULE}"

# pattern, what it is, what would be right. No text is repeated: it may hold a password.
_PLACES: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (re.compile(r"[\"'].*[\"']$"), "the quotes are part of it", "the same without quotes"),
    (re.compile(r"~"), "~ is the shell's word for a home, and none here", "a path from / on"),
    (
        re.compile(r"rsync://[^/]+/*$"),
        "the rsync address names no module",
        f"{_RULE}; `rsync rsync://HOST/` lists them",
    ),
    (
        re.compile(r"(?:ssh|sftp|scp)://", re.IGNORECASE),
        "it is an address of ssh, by which B1000 reaches no host",
        _DAEMON,
    ),
    (
        re.compile(r"(?!rsync:)[a-z0-9]+://", re.IGNORECASE),
        "it is an address of a kind that rsync does not know",
        f"a path from / on, or {_RULE}",
    ),
    (
        re.compile(r"(?!rsync:)(?:[^/]*@)?(?:[\w.-]+|\[[\da-fA-F:]+\])?::"),
        "it is rsync's HOST::MODULE",
        f"written {_RULE} here",
    ),
    (
        re.compile(r"(?!rsync:)(?:[^/]*@)?(?:[\w.-]+|\[[\da-fA-F:]+\]):"),
        "it is HOST:PATH, which is ssh's, by which B1000 reaches no host",
        _DAEMON,
    ),
)


def other_tools_path(text: str) -> BadValue | None:
    """What a text is that is neither a path nor an address of a daemon; None where nobody knows."""
    for pattern, what, hint in _PLACES:
        if pattern.match(text):
            return BadValue(what, hint)
    return None
