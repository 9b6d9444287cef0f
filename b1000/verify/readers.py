"""Processes that read files for ``b1000 verify``: two, since one processor cannot keep up."""

import os
import select
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from errno import EIO

from b1000 import wire
from b1000.errors import B1000Error
from b1000.named import NamedTuple
from b1000.verify import priority, reading
from b1000.verify.reading import Found, OutOfTime, Pace, Read
from b1000.verify.tree import Tree
from b1000.wire import Wire

_BATCH_FILES, _BATCH_BYTES = 64, 1 << 20
_WAITING = 2  # batches that a reader has before it


class _Batch(NamedTuple):
    tree: Tree
    pace: Pace
    names: tuple[bytes, ...]


class _Reader(NamedTuple):
    wire: Wire
    waiting: deque[list[Found]]


class Readers:
    """So many processes, forked at once: before anything is open that they must not hold."""

    def __init__(self, number: int = 2) -> None:
        self._readers = [_Reader(_forked(), deque()) for _ in range(number)]

    def sums(self, tree: Tree, found: Iterable[Found], pace: Pace) -> Iterator[tuple[Found, Read]]:
        """Read files of a backup, and give each with its sum, in no order. Raises OutOfTime."""
        readers = self._readers[:1] if pace.rate else self._readers
        source = iter(found)
        late = False
        while True:
            for reader in readers:
                try:
                    while not late and len(reader.waiting) < _WAITING and (batch := _batch(source)):
                        names = tuple(each.name for each in batch)
                        reader.waiting.append(batch)
                        _send(reader.wire, _Batch(tree, pace, names))
                except OutOfTime:
                    late = True  # what readers have before them is not left to the next that asks
            busy = [reader for reader in readers if reader.waiting]
            if not busy:
                break
            for reader in _ready(busy):
                results = _received(reader.wire)
                batch = reader.waiting.popleft()
                late = late or len(results) < len(batch)
                yield from zip(batch, results, strict=False)
        if late:
            raise OutOfTime

    def close(self) -> None:
        """Let them end."""
        for reader in self._readers:
            reader.wire.close()


def _batch(source: Iterator[Found]) -> list[Found]:
    batch: list[Found] = []
    size = 0
    for found in source:
        batch.append(found)
        size += found.size
        if size >= _BATCH_BYTES or len(batch) == _BATCH_FILES:
            break
    return batch


def _ready(busy: Sequence[_Reader]) -> list[_Reader]:
    # With one answer the next may have come: that one is not in the socket any more.
    if here := [reader for reader in busy if reader.wire.poll()]:
        return here
    waiting = select.poll()
    by_descriptor = {reader.wire.fileno(): reader for reader in busy}
    for descriptor in by_descriptor:
        waiting.register(descriptor, select.POLLIN)
    return [by_descriptor[descriptor] for descriptor, _ in waiting.poll()]


def _send(end: Wire, batch: _Batch) -> None:
    try:
        end.send(batch)
    except OSError:
        raise _killed() from None


def _received(end: Wire) -> list[Read]:
    try:
        results: list[Read] = end.recv()[0]
    except EOFError:
        raise _killed() from None
    return results


def _killed() -> B1000Error:
    return B1000Error("a process that read files was killed", "out of memory?")


# --- in the child


def _forked() -> Wire:
    ours, theirs = wire.pair()
    parent = os.getpid()
    if os.fork():
        theirs.close()
        return ours
    code = 1
    try:
        _close_all_but(theirs.fileno())
        priority.yield_to_all()
        _serve(theirs, parent)
        code = 0
    finally:
        os._exit(code)


def _close_all_but(descriptor: int) -> None:
    """No lock, no journal and no other's end stays open here."""
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, os.sysconf("SC_OPEN_MAX"))


def _serve(end: Wire, parent: int) -> None:
    while True:
        try:
            batch: _Batch = end.recv()
        except EOFError:
            return
        # In a tuple: the wire sends no empty value.
        end.send((_read(batch, batch.pace._replace(parent=parent)),))


def _read(batch: _Batch, pace: Pace) -> list[Read]:
    """What became of a batch; less than all of it where time is over."""
    results: list[Read] = []
    for directory, names in _by_directory(batch.names):
        try:
            with batch.tree.opened(*filter(None, directory.split(b"/"))) as descriptor:
                results += (reading.read(descriptor, name, pace) for name in names)
        except OutOfTime:
            break
        except OSError as error:
            results += [Read("", error=error.errno or EIO)] * len(names)
    return results


def _by_directory(names: Iterable[bytes]) -> Iterator[tuple[bytes, list[bytes]]]:
    current: bytes | None = None
    some: list[bytes] = []
    for name in names:
        above, _, last = name.rpartition(b"/")
        if above != current and some:
            assert current is not None
            yield current, some
            some = []
        current = above
        some.append(last)
    if some:
        assert current is not None
        yield current, some
