"""Progress of copies under way: small files beside the journal, for whoever looks.

They decorate, and nothing depends on them: one that cannot be written or read
is left out. Only what the journal knows to be under way counts.
"""

import contextlib
import functools
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from b1000.expressions import expression
from b1000.files import read_file
from b1000.named import NamedTuple

_NAME = expression(r"(\d+)-(.+)\.json")
DIRECTORY = "progress"
_LONGEST = 4096  # bytes of a file that is read


class Progress(NamedTuple):
    """How far one copy is.

    ``bytes`` is None until the first has been copied, ``percent`` until the
    whole is known, ``rate`` (bytes a second) and ``left`` (seconds) until they
    can be told. ``waiting`` says for what it waits before it begins.
    """

    bytes: int | None = None
    percent: int | None = None
    rate: float | None = None
    left: float | None = None
    waiting: str = ""


def directory_of(journal: Path) -> Path:
    """Where the files of one journal are."""
    return journal.parent / DIRECTORY


@functools.cache
def directory_beside(locks: Path) -> Path:
    """The same, of the journal whose locks are in a directory."""
    return locks.with_name(DIRECTORY)


def path_of(directory: Path, run_id: int, destination: str) -> Path:
    """The file of one copy."""
    return directory / f"{run_id}-{destination}.json"


def path_of_restore(directory: Path, restore_id: int) -> Path:
    """The file of one restore."""
    return directory / f"restore-{restore_id}.json"


@contextlib.contextmanager
def _closed(directory: Path) -> Iterator[int]:
    """A descriptor of the directory; OSError where it is not one of this user's own."""
    descriptor = os.open(
        directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    )
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise PermissionError(f"{directory} belongs to another user")
        yield descriptor
    finally:
        os.close(descriptor)


def write(path: Path, progress: Progress) -> None:
    """Replace the file: readers see the old text or the new one."""
    temporary = f".{path.name}"
    with contextlib.suppress(OSError):
        import json  # most copies are over before anything is told of them

        text = json.dumps(progress._asdict()).encode()
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with _closed(path.parent) as directory:
            # Whatever is there under that name is not opened.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=directory)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(temporary, flags, 0o600, dir_fd=directory)
            try:
                os.write(descriptor, text)
            finally:
                os.close(descriptor)
            os.rename(temporary, path.name, src_dir_fd=directory, dst_dir_fd=directory)


def read(path: Path) -> Progress | None:
    """What a file says; None where there is none that could be read."""
    try:
        import json

        return Progress(**json.loads(read_file(path, _LONGEST, follow=False)))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def remove(path: Path) -> None:
    """Remove the file of a copy that has ended."""
    with contextlib.suppress(OSError), _closed(path.parent) as directory:
        for name in (path.name, f".{path.name}"):
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=directory)


def remove_stale(directory: Path, live: Collection[int]) -> None:
    """Remove what dead runs left; ``live`` are the numbers of those that are under way."""
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            found = _NAME.fullmatch(name.removeprefix("."))
            if found and int(found[1]) not in live:
                remove(directory / name.removeprefix("."))
