"""What one copy copies. Pure."""

from collections.abc import Sequence

from b1000.jobs import Pull, Transfer
from b1000.named import NamedTuple


class Source(NamedTuple):
    """What one copy copies: ``paths``, of a client with ``pull``, without what is excluded.

    ``same`` are names that several of the paths bring, although it is one thing.
    """

    paths: Sequence[str]
    exclude: Sequence[str] = ()
    transfer: Transfer = Transfer()
    pull: Pull | None = None
    same: frozenset[str] = frozenset()
