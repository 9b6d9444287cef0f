"""Directories that B1000 writes: whether it could now, and who else can."""

import os
from collections.abc import Iterator
from pathlib import Path

from b1000.check.finding import Finding


def private(section: str, option: str, directory: str) -> Iterator[Finding]:
    """The journal holds commands that run as the user of B1000: nobody else may write there."""
    try:
        mode = os.stat(directory).st_mode
    except OSError:
        return
    if mode & 0o022:
        text = f"others can write in {directory}; chmod go-w {directory}"
        yield Finding(section, option, text)


def writable(section: str, option: str, directory: str) -> Iterator[Finding]:
    """A directory that B1000 writes; where it is missing it will be made."""
    existing = Path(directory)
    # Not Path.exists: it raises where a directory may not be searched.
    while not os.path.exists(existing):
        existing = existing.parent
    if not existing.is_dir():
        yield Finding(section, option, f"{directory} cannot be: {existing} is no directory")
    elif not os.access(existing, os.W_OK | os.X_OK):
        yield Finding(section, option, f"{directory}: no permission to write in {existing}")
    elif _is_full(existing):
        yield Finding(section, option, f"{directory}: no space left on its disk; free some")


def _is_full(directory: Path) -> bool:
    """Whether its file system has no block left, or no inode; root has those that are reserved."""
    space = os.statvfs(directory)
    root = os.geteuid() == 0
    blocks = space.f_bfree if root else space.f_bavail
    inodes = space.f_ffree if root else space.f_favail
    # Some have no fixed number of inodes, and tell 0 of both.
    return (space.f_blocks > 0 and not blocks) or (space.f_files > 0 and not inodes)
