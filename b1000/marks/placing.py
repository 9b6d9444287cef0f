"""Writes marks, and the id of a root, into a local tree. No link is followed below the root."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from b1000.b1k import root_id
from b1000.b1k.root_id import RootId
from b1000.files import open_file, opened_below, remove_unwritten, write_atomically
from b1000.marks.marking import Written

_MODE = 0o644


def sync(root: str) -> None:
    """Make all that was written on the file system of a root survive a power cut. OSError."""
    import ctypes

    with opened_below(root, ()) as descriptor:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), root)


def identify(root: str, uid: str, created: float) -> None:
    """Write the id file of a root where it has none; ``created`` in seconds. OSError.

    Of several who do so at once, one has written it.
    """
    path = Path(root, root_id.FILE)
    if os.path.lexists(path):
        return
    temporary = path.with_name(f".b1000-{os.urandom(8).hex()}")
    write_atomically(temporary, root_id.render(RootId(uid, created)), _MODE)
    try:
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()


def identify_anew(root: str, uid: str, created: float) -> bool:
    """Replace the id file of a root if it holds no id; gives whether it did. OSError.

    What is no file, and what cannot be read, stays.
    """
    path = Path(root, root_id.FILE)
    with os.fdopen(open_file(path, os.O_RDONLY, follow=False), "rb") as file:
        if not root_id.damage(file.read(root_id.LONGEST)):
            return False
    write_atomically(path, root_id.render(RootId(uid, created)), _MODE)
    return True


def put(mark: Written, root: str, *, durable: bool = False) -> None:
    """Write one mark below a root, in the place of the one that is there. OSError.

    The directories above it are made where they are missing: the root itself is not.
    """
    *above, name = mark.file.split("/")
    with opened_below(root, above, make=0o777) as directory:
        # The path of a descriptor leads to that directory, whatever its name leads to by now.
        write_atomically(Path(f"/proc/self/fd/{directory}/{name}"), mark.text, _MODE, durable)
        if durable:
            os.fsync(directory)


def tidy(marks: Iterable[Written], root: str) -> None:
    """Remove what writers that were killed have left where these marks lie. OSError."""
    for above in {mark.file.rpartition("/")[0] for mark in marks}:
        with opened_below(root, above.split("/")) as directory:
            remove_unwritten(Path(f"/proc/self/fd/{directory}"))


def is_there(mark: Written) -> bool:
    """Whether there is a directory beside which it is to lie."""
    try:
        with opened_below(mark.root, mark.place.split("/")):
            return True
    except OSError:
        return False
