"""The directory of a file report or of a database file."""

from pathlib import Path


def make_readable(path: Path) -> None:
    """Make a directory and the missing ones above it, which all may enter, whatever the umask.

    Raises OSError.
    """
    if not path.parent.exists():
        make_readable(path.parent)
    path.mkdir(exist_ok=True)
    path.chmod(0o755)
