"""What is found of files that are known by their inodes, without looking at each of their names."""

import os
from itertools import chain
from pathlib import Path

import pytest

from b1000.verify import reading
from b1000.verify.reading import Found, Known, Missed, Pace
from b1000.verify.tree import Tree


def found(root: Path, known: Known) -> list[Found]:
    missed: list[Missed] = []
    some = reading.some_files(Tree(str(root), "full"), Pace(), missed, known)
    names = sorted(chain.from_iterable(some))
    assert not missed
    return names


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two files with two names each, one of them below, and one with a single name."""
    full = tmp_path / "full"
    (full / "below").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    for name in ("one", "below/two"):
        (full / name).write_text(name)
        os.link(full / name, tmp_path / "other" / Path(name).name)
    (full / "single").write_text("single")
    return tmp_path


def known_of(root: Path) -> Known:
    known = Known()
    for each in found(root, Known()):
        if each.links > 1:
            known.add(each, "sum")
    return known


def test_the_same_is_found_as_without(root: Path) -> None:
    known = known_of(root)
    assert len(known.files) == 2
    assert found(root, known) == found(root, Known())
    assert not known.differing


def test_known_files_are_not_looked_at_by_each_name(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, lstat, asked = known_of(root), os.lstat, []

    def noted(name: bytes, *, dir_fd: int) -> os.stat_result:
        asked.append(name)
        return lstat(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "lstat", noted)
    found(root, known)
    assert sorted(asked) == [b"below", b"single"]


def test_where_a_directory_says_other_inodes_each_name_is_looked_at(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "full" / "one").unlink()
    (root / "full" / "one").write_text("another file")
    names = reading._names
    of_two = (root / "other" / "two").stat().st_ino

    def wrong(directory: int) -> list[list[tuple[bytes, int]]]:
        return [[(name, of_two) for name, _ in some] for some in names(directory)]

    known = Known()
    monkeypatch.setattr(reading, "_names", wrong)
    right = found(root, known)
    assert known.differing == {root.stat().st_dev}
    for each in right:
        known.add(each, "sum")
    assert found(root, known) == right
    assert {each.name: each.size for each in right}[b"one"] == len("another file")


def test_another_file_of_that_name_is_looked_at(root: Path) -> None:
    known = known_of(root)
    new = root / "full" / "new"
    new.write_text("something else")
    new.rename(root / "full" / "one")
    (one,) = (each for each in found(root, known) if each.name == b"one")
    assert (one.size, one.links) == (len("something else"), 1)
