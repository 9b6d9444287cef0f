"""Symbolic links at the target of a restore: nothing is brought to where they lead.

Where only what is missing is brought, an older rsync (3.2.7) takes a link to a directory for the
directory of the backup, and writes through it. A newer one gives up there.
"""

import os
from collections.abc import Iterable, Iterator

from b1000.restore.part import Part
from b1000.rsync import names


def to_directories(part: Part) -> Iterator[str]:
    """Those of a part of the target that lead to a directory, by their paths from there."""
    left = [part.receiving]
    while left:
        try:
            with os.scandir(left.pop()) as entries:
                found = list(entries)
        except OSError:
            continue  # nothing can be brought there either
        for entry in found:
            if not entry.is_symlink():
                left += [entry.path] if entry.is_dir(follow_symlinks=False) else []
            elif os.path.isdir(entry.path):
                yield os.path.relpath(entry.path, part.target)


def patterns(links: Iterable[str]) -> list[str]:
    """What rsync is to leave out: directories of these names, with all that is below them."""
    found = []
    for link in links:
        path = b"/" + os.fsencode(link)
        found += [names.pattern(path) + b"/", names.wild(path) + b"/**"]
    return [os.fsdecode(each) for each in found]
