"""How one tree is divided among several rsyncs: by size and count, in rules of rsync. Pure.

Each rsync gets all sources and all excludes, and behind these its part: what to
leave to the others. So whatever a source, an exclude or a name means, it means
the same to each of them. A part names few things: large files, large
directories, and of the many small names in one directory those that have
certain bytes at one place counted from their end. A name that nobody knew
belongs to exactly one part.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from b1000.named import NamedTuple
from b1000.rsync import names

_FOR_EACH = 32 * 1024  # bytes that would take as long as all that a file costs beside its bytes
_LEAST = 64 * _FOR_EACH  # a tree that weighs less is not worth a second rsync
_FINE = 4  # what weighs more than this part of one stream's share is divided further
_MOST_DIRECTORIES = 200_000  # that are known each by itself
_MOST_DIVIDED = 200  # directories
_LARGE_FILES = 512  # that are known each by itself
_SAMPLE = 64  # names of one directory's files
_STRIDE = 3  # has no divisor in common with the bases in which names are numbered
_PLACES = 16  # from the end of a name at which its bytes are looked at
_LONGEST_PATH = 2048  # bytes in a rule


class _Directory:
    """What is below a directory; ``weight`` is that of all, once it has been summed up."""

    __slots__ = ("children", "count", "files", "sample", "stride", "weight")

    def __init__(self) -> None:
        self.children: dict[bytes, _Directory] = {}
        self.count = 0
        # The weight of its own files, and of directories in it that nobody knows by themselves.
        self.files = 0
        self.sample: list[bytes] = []
        self.stride = 1
        self.weight = 0

    def add(self, name: bytes, weight: int) -> None:
        if self.count % self.stride == 0:
            if len(self.sample) >= _SAMPLE:
                self.sample = self.sample[::_STRIDE]
                self.stride *= _STRIDE
            self.sample.append(name)
        self.count += 1
        self.files += weight


class TreeSurvey:
    """What a listing by rsync says of a tree; ``bytes`` and ``files`` are counted."""

    def __init__(self) -> None:
        self.bytes = 0
        self.files = 0
        self._root = _Directory()
        self._known: dict[bytes, _Directory] = {b"": self._root}
        self._large: list[tuple[int, bytes]] = []

    def take(self, line: bytes) -> None:
        """One line of ``rsync --list-only``, without its end."""
        found = names.listed(line)
        if not found or found.kind not in b"-d" or found.path == b".":
            return
        size, path = found.size, found.path
        if found.kind == b"d":
            self._know(path)
            return
        self.bytes += size
        self.files += 1
        above, _, name = path.rpartition(b"/")
        directory = self._known.get(above) or self._know(above)
        directory.add(name, size + _FOR_EACH)
        large = (size + _FOR_EACH, path)
        if len(self._large) < _LARGE_FILES:
            heapq.heappush(self._large, large)
        elif large > self._large[0]:
            heapq.heapreplace(self._large, large)

    def _know(self, path: bytes) -> _Directory:
        """The directory, or where there are too many of them one above it."""
        parts = path.split(b"/")
        found = self._root
        for depth, part in enumerate(parts, start=1):
            child = found.children.get(part)
            if child is None:
                if len(self._known) >= _MOST_DIRECTORIES:
                    return found
                child = found.children[part] = _Directory()
                self._known[b"/".join(parts[:depth])] = child
            found = child
        return found

    def parts(self, count: int) -> list[list[str]]:
        """The rules of up to ``count`` parts; fewer than two where dividing is not worth it."""
        for path in sorted(self._known, key=len, reverse=True):
            directory = self._known[path]
            directory.weight = directory.files + sum(
                child.weight for child in directory.children.values()
            )
        if self._root.weight < _LEAST or count < 2:
            return []
        fine = self._root.weight // (count * _FINE)
        large: dict[bytes, list[tuple[bytes, int]]] = defaultdict(list)
        for weight, path in self._large:
            if weight > fine:
                above, _, name = path.rpartition(b"/")
                large[above].append((name, weight))
        divided = list(self._divide(fine, large))
        shares = _share([unit for each in divided for unit in each.units()], count)
        used = [share for share in shares if share]
        return [_rules(divided, share) for share in used] if len(used) > 1 else []

    def _divide(
        self, fine: int, large: dict[bytes, list[tuple[bytes, int]]]
    ) -> "Iterator[_Divided]":
        """The directories that are too heavy for one part, each with what is in it."""
        waiting = [(-self._root.weight, b"", self._root)]
        number = 0
        while waiting:
            _, path, directory = heapq.heappop(waiting)
            number += 1
            heavy, light = [], []
            for name, child in directory.children.items():
                below = _join(path, name)
                room = number + len(waiting) < _MOST_DIVIDED and len(below) < _LONGEST_PATH
                if child.weight > fine and room:
                    heapq.heappush(waiting, (-child.weight, below, child))
                    heavy.append(name)
                else:
                    light.append((name, child.weight))
            files = [each for each in large.get(path, ()) if len(_join(path, each[0])) < 4000]
            rest = max(0, directory.files - sum(weight for _, weight in files))
            names = {name for name, _ in files}
            sample = [name for name in directory.sample if name not in names]
            light += [(name, rest // len(sample)) for name in sample]
            yield _Divided(path, tuple(heavy), tuple(files), *_by_byte(light, fine))


_Unit = tuple[int, bytes, str, object]
"""Weight, directory, kind and name of something that belongs to one part."""


class _Divided(NamedTuple):
    """A directory whose entries belong to several parts.

    ``heavy`` are directories that are divided themselves. Names with the byte at
    ``from_end`` from their end go by ``weights``, all others weigh ``rest``.
    """

    path: bytes
    heavy: tuple[bytes, ...]
    files: tuple[tuple[bytes, int], ...]
    from_end: int
    weights: dict[int, int]
    rest: int

    def units(self) -> Iterator[_Unit]:
        for name, weight in self.files:
            yield weight, self.path, "file", name
        for byte, weight in self.weights.items():
            yield weight, self.path, "byte", byte
        yield self.rest, self.path, "rest", b""

    def rules(self, share: "frozenset[tuple[bytes, str, object]]") -> Iterator[bytes]:
        """What one part says of this directory; the first rule that fits counts."""
        for name, _ in self.files:
            sign = b"+" if (self.path, "file", name) in share else b"-"
            yield sign + names.pattern(_join(b"/" + self.path, name))
        for name in self.heavy:
            yield b"+" + names.pattern(_join(b"/" + self.path, name)) + b"/"
        own = [byte for byte in self.weights if (self.path, "byte", byte) in share]
        others = [byte for byte in self.weights if byte not in own]
        if (self.path, "rest", b"") in share:
            if others:
                yield b"-" + self._with(others)
        else:
            if own:
                yield b"+" + self._with(own)
            yield b"-" + _join(names.wild(b"/" + self.path), b"*")

    def _with(self, some: Iterable[int]) -> bytes:
        inside = b"".join(b"\\" + bytes([byte]) for byte in sorted(some))
        return _join(names.wild(b"/" + self.path), b"*[" + inside + b"]" + b"?" * self.from_end)


def _rules(divided: Iterable[_Divided], share: Sequence[_Unit]) -> list[str]:
    """The rules of one part as options of rsync."""
    own = frozenset(unit[1:] for unit in share)
    return [
        ("--include=" if rule[:1] == b"+" else "--exclude=")
        + rule[1:].decode("utf-8", "surrogateescape")
        for each in divided
        for rule in each.rules(own)
    ]


def _share(units: Iterable[_Unit], count: int) -> list[list[_Unit]]:
    """The heaviest first, each to whoever has least."""
    shares: list[list[_Unit]] = [[] for _ in range(count)]
    least = [(0, number) for number in range(count)]
    for unit in sorted(units, key=lambda unit: (-unit[0], repr(unit[1:]))):
        weight, number = least[0]
        shares[number].append(unit)
        heapq.heapreplace(least, (weight + unit[0], number))
    return shares


def _by_byte(entries: Sequence[tuple[bytes, int]], fine: int) -> tuple[int, dict[int, int], int]:
    """The place at which bytes divide the names best, what each byte weighs, and what is left."""
    whole = sum(weight for _, weight in entries)
    best: tuple[int, int, dict[int, int], int] = (whole, 0, {}, whole)
    if whole > fine:
        for from_end in range(_PLACES):
            weights: dict[int, int] = defaultdict(int)
            rest = 0
            for name, weight in entries:
                if len(name) > from_end:
                    weights[name[-1 - from_end]] += weight
                else:
                    rest += weight
            found = (max([rest, *weights.values()]), from_end, dict(weights), rest)
            best = min(best, found, key=lambda each: each[0])
    return best[1:]


def _join(above: bytes, name: bytes) -> bytes:
    return above + name if above in (b"", b"/") else above + b"/" + name
