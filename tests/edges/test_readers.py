"""What verify reads: by processes, of which one may die, and lists that are the same."""

import hashlib
import os
import resource
import signal
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from b1000 import wire
from b1000.errors import B1000Error
from b1000.verify import listing, sums
from b1000.verify.listing import Lists
from b1000.verify.noted import File, Notes
from b1000.verify.readers import Readers, _Reader, _ready
from b1000.verify.reading import Found, OutOfTime, Pace, files
from b1000.verify.tree import Tree


def test_answers_that_come_together_are_all_taken(tmp_path: Path) -> None:
    ours, theirs = wire.pair()
    with ours, theirs:
        theirs.send((1,))
        theirs.send((2,))
        assert ours.recv() == (1,)
        # The second one is here already, and not in the socket any more.
        reader = _Reader(ours, deque([[]]))
        assert _ready([reader]) == [reader]
        assert ours.recv() == (2,)
    for number in range(1000):
        (tmp_path / f"{number}").write_text(f"{number}")
    tree = Tree(str(tmp_path.parent), tmp_path.name)
    before = psutil.Process().children()  # such as servers of other tests
    readers = Readers()
    children = [each for each in psutil.Process().children() if each not in before]
    found = list(readers.sums(tree, files(tree, Pace(), []), Pace()))
    assert len({each.name for each, read in found if read.digest}) == 1000
    readers.close()
    assert not psutil.wait_procs(children, timeout=30)[1]


def test_what_was_asked_for_when_time_was_over_is_no_answer_to_the_next(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number}").write_text(f"{number}")
    tree = Tree(str(tmp_path.parent), tmp_path.name)
    found = list(files(tree, Pace(), []))

    def ending() -> Iterator[Found]:
        yield from found[:200]
        raise OutOfTime

    readers = Readers()
    with pytest.raises(OutOfTime):
        list(readers.sums(tree, ending(), Pace()))
    for each, read in readers.sums(tree, found[200:], Pace()):
        assert each in found[200:]
        assert read.digest == hashlib.sha256(each.name).hexdigest()
    readers.close()


def test_one_that_was_killed_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    tree = Tree(str(tmp_path.parent), tmp_path.name)
    before = psutil.Process().children()
    readers = Readers(1)
    (child,) = [each for each in psutil.Process().children() if each not in before]
    os.kill(child.pid, signal.SIGKILL)
    os.waitpid(child.pid, 0)
    with pytest.raises(B1000Error, match="was killed"):
        list(readers.sums(tree, files(tree, Pace(), []), Pace()))
    readers.close()


def test_a_list_that_was_changed_is_found_out_beside_one_that_is_the_same(tmp_path: Path) -> None:
    one, other = (Tree(str(tmp_path), name) for name in ("one", "other"))
    listed = {b"a": "0" * 64, b"b": "1" * 64}
    data, seal = sums.sealed(listed)
    listing.write(one, data)
    listing.write(other, data)
    lists = Lists()
    assert lists.read(one, seal) == lists.read(other, seal) == listed
    data, different = sums.sealed({b"a": "0" * 64})
    listing.write(other, data)
    with pytest.raises(ValueError, match="was changed"):
        lists.read(other, seal)
    assert lists.read(other, different) == {b"a": "0" * 64}
    assert lists.read(one, seal) == listed
    (tmp_path / "one.sha256.gz").unlink()
    with pytest.raises(ValueError, match="is gone"):
        lists.read(one, seal)


def test_a_disk_that_is_full_is_told_with_the_file_that_could_not_be_written(
    tmp_path: Path,
) -> None:
    noted = Notes(tmp_path).of("/srv", "etc/web1")
    noted.resume(0.0)
    noted.add(File(4, 5, b"6"), "0" * 64)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(B1000Error) as told:
            noted.write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    (file,) = tmp_path.iterdir()
    assert str(told.value) == f"{file} could not be written: File too large"
