"""What the gate of a storage is told of backups that are known to be bad.

Its clients have journals of their own. A file below ``.b1000/bad`` of the root, which no client can
reach, says that nothing may be linked into the full of that name any more.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence

from b1000.verify.reading import Tree

_BOX = ".b1000"
_BAD = "bad"
_DIRECTORY = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


def condemn(tree: Tree) -> None:
    """Nothing is to be linked into a backup any more; a root without a gate is asked by nobody.

    Raises OSError.
    """
    *above, name = tree.place.split("/")
    with contextlib.suppress(FileNotFoundError), _opened(tree.root, [_BOX]) as box:
        with contextlib.suppress(FileExistsError):
            os.mkdir(_BAD, 0o700, dir_fd=box)
        with _opened(tree.root, [_BOX, _BAD, *above], make=2) as directory:
            os.close(
                os.open(name, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=directory)
            )


def forget(tree: Tree) -> None:
    """It is there no more. OSError."""
    *above, name = tree.place.split("/")
    with (
        contextlib.suppress(FileNotFoundError),
        _opened(tree.root, [_BOX, _BAD, *above]) as directory,
    ):
        os.unlink(name, dir_fd=directory)


@contextlib.contextmanager
def _opened(root: str, below: Sequence[str], make: int | None = None) -> Iterator[int]:
    """A directory below a root, on whose way is no link; behind the first ``make`` all are made."""
    descriptor = os.open(root, _DIRECTORY & ~os.O_NOFOLLOW)
    try:
        for number, name in enumerate(below):
            if make is not None and number >= make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=descriptor)
            outer, descriptor = descriptor, os.open(name, _DIRECTORY, dir_fd=descriptor)
            os.close(outer)
        yield descriptor
    finally:
        os.close(descriptor)
