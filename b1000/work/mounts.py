"""Whether a local destination lies on a file system of its own, or only on its mount point."""

import contextlib
import os
import re

from b1000.errors import words

_MOUNTS = "/proc/self/mountinfo"
_ESCAPED = re.compile(r"\\([0-7]{3})")


def unmounted(path: str) -> str:
    """Why a path is on no mounted file system but the one of ``/``; "" where it is on another.

    It, or a directory above it, has to be a mount point.
    """
    real = os.path.realpath(path)
    with contextlib.suppress(OSError):
        os.stat(f"{real}/.")  # an automounter mounts what is looked at
    try:
        known = _mount_points()
    except OSError as error:
        return f"what is mounted cannot be known (must_be_mounted): {words(error)}"
    place = real
    while place != "/":
        if place in known:
            return ""
        place = os.path.dirname(place)
    return f"nothing is mounted at {path} or above it (must_be_mounted): mount it"


def is_on_root(path: str) -> bool:
    """Whether what is written to the path fills the file system of ``/``."""
    place = os.path.realpath(path)
    while True:
        try:
            return os.stat(place).st_dev == os.stat("/").st_dev
        except OSError:
            place = os.path.dirname(place)


def _mount_points() -> set[str]:
    """Where a file system is mounted, bound directories included (proc(5)).

    Not those where an automounter only waits.
    """
    found = set()
    with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            if not after.startswith("autofs "):
                place = before.split(" ")[4]
                found.add(_ESCAPED.sub(lambda digits: chr(int(digits[1], 8)), place))
    return found
