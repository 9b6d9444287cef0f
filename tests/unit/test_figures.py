"""Numbers and times for people, and what rsync says of its progress."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b1000 import figures
from b1000.rsync.progress import Figures, split


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 * 2**20, "5.0 MiB"),
        (3 * 2**30, "3.0 GiB"),
        (2**40, "1.0 TiB"),
        (5000 * 2**40, "5000.0 TiB"),
    ],
)
def test_sizes(count: int, shown: str) -> None:
    assert figures.size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00:00"), (59.9, "0:00:59"), (3661, "1:01:01"), (360000, "100:00:00")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert figures.clock(seconds) == shown


@given(st.integers(0, 2**62))
def test_a_size_is_never_wide(count: int) -> None:
    assert len(figures.size(min(count, 2**50))) <= 10


# As rsync 3.5.0 printed them.
@pytest.mark.parametrize(
    ("piece", "told", "rest"),
    [
        (b"          32768   0%    0.00kB/s    0:00:00  ", Figures(32768, 0, None), b""),
        (b"       11206656  28%    9.92MB/s    0:00:02  ", Figures(11206656, 28, None), b""),
        (
            b"       30000000  74%   10.23MB/s    0:00:02 (xfr#1, to-chk=202/204)",
            Figures(30000000, 74, True),
            b"",
        ),
        (
            b"            100   0%    0.00kB/s    0:00:00 (xfr#1, ir-chk=1199/1251)name",
            Figures(100, 0, False),
            b"name",
        ),
        (b"          100  0% 1.00MB/s ??:??:??", Figures(100, 0, None), b""),
    ],
)
def test_the_progress_of_rsync(piece: bytes, told: Figures, rest: bytes) -> None:
    assert split(piece) == (told, rest)


@pytest.mark.parametrize(
    "line", [b"", b"./", b"file 100% done", b"Number of files: 3 (reg: 2, dir: 1)", b"   12  5"]
)
def test_other_lines_are_no_progress(line: bytes) -> None:
    assert split(line) == (None, line)


def test_json_steers_no_terminal() -> None:
    text = "a\x9b2J\x1b]\x7f\u202e\n\t\u2028é"
    written = figures.inert(json.dumps({text: [text]}, indent=2, ensure_ascii=False))
    assert json.loads(written) == {text: [text]}
    assert written.replace("\n", "").isprintable()
    assert "é" in written
