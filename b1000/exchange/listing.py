"""What a daemon lists, and no more of it than may be."""

from b1000.expressions import expression
from b1000.named import NamedTuple
from b1000.work.sinks import Lines

MOST_ENTRIES = 10_000
_MOST_BYTES = 4 * 2**20
_ENTRY = expression(
    r"(?P<kind>[-dlpscb])\S{9,10} +(?P<size>[0-9]{1,18}) (?P<stamp>\S{10} \S{8}) (?P<name>.+)"
)


class ListedEntry(NamedTuple):
    """One line of a listing; ``kind`` as in the first letter of ls -l."""

    name: str
    kind: str
    size: int
    stamp: str


class Listing:
    """Takes what ``rsync --list-only`` prints, no more of it than may be.

    ``kind`` is that of the entries which are wanted, "" for all.
    """

    def __init__(self, kind: str = "") -> None:
        self._kind = kind
        self.entries: dict[str, ListedEntry] = {}
        self.too_much = False
        self._bytes = 0

    def sink(self) -> Lines:
        """The sink for its output."""
        return Lines(self._take)

    def _take(self, line: str) -> None:
        if self.too_much or (self._kind and not line.startswith(self._kind)):
            return
        self._bytes += len(line)
        if len(self.entries) >= MOST_ENTRIES or self._bytes > _MOST_BYTES:
            self.too_much = True
            return
        found = _ENTRY.fullmatch(line)
        if found and found["name"] != ".":
            entry = ListedEntry(found["name"], found["kind"], int(found["size"]), found["stamp"])
            self.entries[entry.name] = entry
