"""To whom a restore gives all files, and to whom it can give any: rsync takes a name that it does
not know without a word, and leaves the owner that it was.
"""

import grp
import os
import pwd
from collections.abc import Callable

from b1000.errors import UsageError

_LARGEST = 2**32 - 2


def check(chown: str) -> None:
    """Whether all can be given to ``U:G``, each of which may be left out. Raises UsageError."""
    user, _, group = chown.partition(":")
    if chown.count(":") > 1 or not (user or group):
        raise UsageError(f"--chown {chown!r} is no U:G", "such as alice:users, alice or :users")
    uid = _number(user, "user", lambda name: pwd.getpwnam(name).pw_uid)
    gid = _number(group, "group", lambda name: grp.getgrnam(name).gr_gid)
    own = os.geteuid()
    if own and not (uid in (None, own) and gid in (None, os.getegid(), *os.getgroups())):
        raise UsageError(f"--chown {chown}: only root can give files to others")


def _number(name: str, what: str, find: Callable[[str], int]) -> int | None:
    if not name:
        return None
    if name.isascii() and name.isdecimal() and int(name) <= _LARGEST:
        return int(name)
    try:
        return find(name)
    except KeyError:
        text = f"--chown: this host has no {what} {name!r}"
        raise UsageError(text, "or give a number") from None
