"""Into which full a new one links at a local tree: journal, marks and what lies there."""

import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from b1000.b1k import mark
from b1000.b1k.mark import Counts, Mark
from b1000.runs.run import Base, Bases
from b1000.storage import basing
from tests.support.stored import NIGHT, a_mark, put

DAY = timedelta(days=1)
WHOSE = ("web1", "", "", "")
NOW = NIGHT + DAY


def base(directory: Path, when: datetime = NIGHT) -> Base:
    """A full as the journal knows it."""
    return Base("store", str(directory), *WHOSE, when.timestamp())


def chosen(root: Path, *known: Base, bad: Sequence[Path] = (), now: datetime = NOW) -> str | None:
    """Into which a full that begins now links."""
    own = root / a_mark(when=now).directory
    bases = Bases(known, frozenset(map(str, bad)))
    return basing.choose(bases, WHOSE, str(own), now.timestamp())


def test_the_newest_that_journal_or_mark_calls_complete(tmp_path: Path) -> None:
    older, newer = put(tmp_path, a_mark(when=NIGHT - DAY)), put(tmp_path, a_mark())
    assert chosen(tmp_path) == str(newer)
    assert chosen(tmp_path, base(older, NIGHT - DAY)) == str(newer)
    assert chosen(tmp_path, base(newer), base(older, NIGHT - DAY)) == str(newer)
    # By the order of runs, which the journal knows: a clock was set back between them.
    assert chosen(tmp_path, base(older, NIGHT - DAY), base(newer)) == str(older)
    assert chosen(tmp_path, bad=[newer]) == str(older)
    assert chosen(tmp_path, bad=[newer, older]) is None


def test_a_pending_mark_does_not_matter_and_an_unknown_directory_is_nothing(tmp_path: Path) -> None:
    unmarked = put(tmp_path, a_mark(), marked=False)
    assert chosen(tmp_path, base(unmarked)) == str(unmarked)
    assert chosen(tmp_path) is None


@pytest.mark.parametrize(
    "other",
    [
        a_mark(state=mark.WRITING),
        a_mark(host="web2"),
        a_mark(host="web1-db", instance="1"),
        a_mark(job="other"),
        a_mark(instance="3306"),
        a_mark(master=("web1", "")),
        a_mark(when=NOW + DAY),
        a_mark(counts=Counts(files=0, bytes=0)),
        a_mark(kind="sync"),
    ],
)
def test_what_is_none(tmp_path: Path, other: Mark) -> None:
    put(tmp_path, other)
    assert chosen(tmp_path) is None
    older = put(tmp_path, a_mark(when=NIGHT - DAY))
    assert chosen(tmp_path, base(older, NIGHT - DAY)) == str(older)
    assert chosen(tmp_path) == str(older)


def test_a_mark_that_says_writing_of_another_run_wins_over_the_journal(tmp_path: Path) -> None:
    writing = put(tmp_path, a_mark(state=mark.WRITING))
    older = put(tmp_path, a_mark(when=NIGHT - DAY))
    known = (base(writing, NIGHT - 5 * DAY), base(older, NIGHT - DAY))
    assert chosen(tmp_path, *known) == str(older)
    shutil.rmtree(older)
    assert chosen(tmp_path, known[0]) is None


def test_of_what_has_gone_an_older_one_takes_the_place(tmp_path: Path) -> None:
    older, newer = put(tmp_path, a_mark(when=NIGHT - DAY)), put(tmp_path, a_mark())
    known = (base(newer), base(older, NIGHT - DAY))
    newer.rename(tmp_path / "away")
    assert chosen(tmp_path, *known) == str(older)
    # Nothing is there as long as the disk is not: rsync says so, if it stays so.
    (tmp_path / "etc").rename(tmp_path / "unmounted")
    assert chosen(tmp_path, *known) == str(newer)
    assert basing.choose(Bases(known), WHOSE, "/nonexistent/etc/d/n", 0.0) == str(newer)
    assert basing.choose(Bases(), WHOSE, "/nonexistent/etc/d/n", 0.0) is None


def test_no_link_is_followed(tmp_path: Path) -> None:
    real = tmp_path / "real"
    put(real, a_mark())
    root = tmp_path / "root"
    root.mkdir()
    (root / "etc").symlink_to(real / "etc")
    assert chosen(root) is None
    other = tmp_path / "other"
    full = put(other, a_mark())
    moved = full.rename(tmp_path / "moved")
    full.symlink_to(moved)
    assert chosen(other) is None
