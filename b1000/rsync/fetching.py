"""The arguments of an rsync that fetches files as nothing but content. Pure."""

from collections.abc import Sequence

from b1000.jobs import Limits, Transport
from b1000.rsync.command import FROM_CLIENT, reaching


def fetch(
    module: str,
    names: str,
    directory: str,
    *,
    largest: int,
    password_file: str | None,
    limits: Limits,
    way: Transport,
) -> list[str]:
    """Fetch regular files, named in the file ``names`` (ended by NUL), as nothing but content.

    Names are those below the module: below a directory of it, and without a chroot,
    the daemon of rsync 3.5.0 looks for them in another place than it has listed.
    """
    reached = reaching(way, password_file, limits)
    listed = (f"--files-from={names}", "--from0", "--no-relative")
    return _fetching(listed, [f"{module}/"], directory, largest, reached)


def fetch_all(
    patterns: Sequence[str],
    directory: str,
    *,
    largest: int,
    password_file: str | None,
    limits: Limits,
    way: Transport,
) -> list[str]:
    """The same of all files that fit addresses with wildcards; one may fit none."""
    reached = reaching(way, password_file, limits)
    return _fetching(["--ignore-missing-args"], patterns, directory, largest, reached)


def _fetching(
    options: Sequence[str],
    sources: Sequence[str],
    directory: str,
    largest: int,
    reached: Sequence[str],
) -> list[str]:
    return [
        "rsync",
        *options,
        "--no-dirs",
        "--no-links",
        "--times",
        "--ignore-times",
        f"--max-size={largest}",
        *FROM_CLIENT,
        *reached,
        "--",
        *sources,
        f"{directory}/",
    ]
