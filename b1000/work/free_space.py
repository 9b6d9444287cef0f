"""A guard of a copy under way: free space, of which rsync itself takes no notice."""

import os

from b1000 import figures
from b1000.jobs import Destination


class Space:
    """Watches the free space of a local destination."""

    def __init__(self, destination: Destination) -> None:
        assert destination.min_free
        self._least = destination.min_free
        self._destination = destination.path
        self._path = destination.path
        while not os.path.exists(self._path):
            self._path = os.path.dirname(self._path)

    def short(self) -> str | None:
        """Why copying must not go on; None where there is space enough."""
        try:
            space = os.statvfs(self._path)
        except OSError as error:
            return f"the free space at {self._destination} cannot be seen: {error.strerror}"
        free = space.f_bavail * space.f_frsize
        least = self._least.bytes_of(space.f_blocks * space.f_frsize)
        if free >= least:
            return None
        return (
            f"only {_amount(free, least)} are free at {self._destination}, "
            f"less than the {_amount(least, free)} of min_free: free some, or lower it"
        )


def _amount(count: int, beside: int) -> str:
    """A number of bytes, in a unit in which it can be told from the one that stands beside it."""
    same = figures.size(count) == figures.size(beside)
    return f"{count} B" if same else figures.size(count).replace(".0 ", " ")
