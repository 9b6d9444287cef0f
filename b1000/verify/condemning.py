"""What the gate of a storage is told of backups that are known to be bad.

Its clients have journals of their own. A file below ``.b1000/bad`` of the root, which no client can
reach, says that nothing may be linked into the full of that name any more.
"""

import contextlib
import os

from b1000.files import opened_below
from b1000.verify.tree import Tree

_BOX = ".b1000"
_BAD = "bad"


def condemn(tree: Tree) -> None:
    """Nothing is to be linked into a backup any more; a root without a gate is asked by nobody.

    Raises OSError.
    """
    *above, name = tree.place.split("/")
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
    with (
        contextlib.suppress(FileNotFoundError),
        opened_below(tree.root, [_BOX]) as box,
        opened_below(f"/proc/self/fd/{box}", [_BAD, *above], make=0o700) as directory,
    ):
        os.close(os.open(name, flags, 0o600, dir_fd=directory))


def forget(tree: Tree) -> None:
    """It is there no more. OSError."""
    *above, name = tree.place.split("/")
    with (
        contextlib.suppress(FileNotFoundError),
        opened_below(tree.root, [_BOX, _BAD, *above]) as directory,
    ):
        os.unlink(name, dir_fd=directory)
