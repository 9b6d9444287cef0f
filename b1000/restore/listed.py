"""Files of names for the rsyncs of a restore, each in a private directory."""

import os
from collections.abc import Iterable, Sequence

from b1000.errors import B1000Error, message_of
from b1000.rsync import names, paths


class RestoreFailed(B1000Error):
    """A restore came to no good end."""


class TargetFailed(RestoreFailed):
    """The same, for what no other storage changes."""


def write(directory: str, wanted: Sequence[str], name: str = "names") -> str:
    """A file of names for rsync. Raises RestoreFailed."""
    path = os.path.join(directory, name)
    try:
        with open(path, "wb") as file:
            file.writelines(os.fsencode(each) + b"\0" for each in wanted)
    except OSError as error:
        raise RestoreFailed(f"names cannot be stored on this host: {message_of(error)}") from None
    return path


def read(path: str) -> list[str]:
    """The names in such a file."""
    with open(path, "rb") as file:
        return [os.fsdecode(name) for name in file.read().split(b"\0")[:-1]]


def patterns(wanted: Iterable[str]) -> list[str]:
    """The same as patterns: a daemon takes what it is asked for by name as one."""
    return [os.fsdecode(names.pattern(os.fsencode(each))) for each in wanted]


def from_module(directory: str, source: str, listing: str) -> tuple[str, str]:
    """The top of the module of ``source``, and a file of the names as they are found from there.

    rsync 3.5.0's daemon without a chroot lists those below another directory, and then looks for
    them in the module's own. Raises RestoreFailed.
    """
    module, below = paths.parted(source)
    found = [f"{below}./{name}" for name in read(listing)]
    return f"{module}/", write(directory, found, "names-of-module")
