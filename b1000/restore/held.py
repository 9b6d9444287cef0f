"""The directories into which is restored stay the same ones, whoever renames what is above them."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from b1000.restore.restoring import Restoring


@contextmanager
def held(ways: Sequence[Restoring]) -> Iterator[list[Restoring]]:
    """The same ways into directories that are open, by which their rsyncs reach them.

    Raises OSError where one cannot be opened.
    """
    with ExitStack() as opened:
        by_path = {}
        for path in dict.fromkeys(part.target for way in ways for part in way.parts):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.callback(os.close, descriptor)
            by_path[path] = descriptor
        yield [_by(by_path, way) for way in ways]


def _by(opened: dict[str, int], way: Restoring) -> Restoring:
    parts, names = [], {}
    for part in way.parts:
        path = f"/proc/self/fd/{opened[part.target]}/"
        if not os.path.isdir(path):  # there is no /proc
            parts.append(part)
            continue
        names[path] = part.target
        is_target = part.above and os.path.join(part.above, "") == part.target
        above = path if is_target else part.above
        parts.append(part._replace(target=path, above=above))
    descriptors = (*way.keeping.descriptors, *opened.values())
    keeping = way.keeping._replace(descriptors=descriptors, names=names)
    return way._replace(parts=tuple(parts), keeping=keeping)
