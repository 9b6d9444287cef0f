"""What is told of a copy that is under way, and the file in which it is told."""

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b1000 import progress_files
from b1000.progress_files import Progress
from b1000.work import loop, waiting
from b1000.work.progress import ProgressWriter
from tests.support.world import ROOT

# Recorded: a large file and small ones with --out-format=%n, one message to standard error.
PRINTED = (
    b"./\none\n"
    b"\r          32768   0%    0.00kB/s    0:00:00  "
    b"\r       11206656  28%    9.92MB/s    0:00:02  "
    b"\r       30000000  74%   10.23MB/s    0:00:02 (xfr#1, to-chk=202/204)\n"
    b"two\n"
    b"\r       40000000  99%   10.14MB/s    0:00:03 (xfr#2, to-chk=201/204)1/\n"
    b"1/0\n"
    b"\r       40000100  99%   10.14MB/s    0:00:03 (xfr#3, to-chk=199/204)"
    b"\r       40000200  99%   10.14MB/s    0:00:03 (xfr#4, to-chk=198/204)\n"
    b"\nNumber of files: 204 (reg: 202, dir: 2)\nTotal file size: 40,000,200 bytes\n"
)
LINES = ["./", "one", "two", "1/", "1/0", "", "Number of files: 204 (reg: 202, dir: 2)"]


def taken(pieces: list[bytes]) -> list[str]:
    """The lines that remain when the progress has been taken out."""

    async def feed() -> list[str]:
        lines: list[str] = []
        told = ProgressWriter(Path("/nonexistent/file"))
        sink = told.sink(lines.append)
        for piece in pieces:
            sink.feed(piece)
        sink.close()
        told.end()
        return lines

    return loop.run(feed())


@given(st.lists(st.integers(0, len(PRINTED)), max_size=8).map(sorted))
def test_lines_are_whole_wherever_the_pipe_cuts(cuts: list[int]) -> None:
    ends = [0, *cuts, len(PRINTED)]
    pieces = [PRINTED[start:end] for start, end in itertools.pairwise(ends)]
    assert taken(pieces) == [*LINES, "Total file size: 40,000,200 bytes"]


def test_a_copy_tells_once_a_second_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "progress" / "7-store.json"
    seen: list[Progress | None] = []
    early: list[Progress | None] = []  # of the first second

    async def copy() -> float:
        began = time.monotonic()
        told = ProgressWriter(path)
        sink = told.sink(lambda _line: None)
        for number in range(1, 25):
            sink.feed(b"\r %d  %d%%  1.00MB/s 0:00:01 " % (number * 1000, number))
            await waiting.sleep(0.1)
            seen.append(progress_files.read(path))
            early.extend(seen[-1:] if time.monotonic() < began + 1 else [])
        assert path.stat().st_mode & 0o777 == 0o600
        told.end()
        return time.monotonic() - began

    took = loop.run(copy())
    assert not any(early), "a copy of less than a second is not told of"
    written = [each for each in dict.fromkeys(seen) if each]
    assert 2 <= len(written) <= took
    last = written[-1]
    assert last.bytes is not None
    assert last.rate
    assert last.percent == last.bytes // 1000
    assert last.rate == pytest.approx(24_000 / took, rel=0.4)
    assert last.left == pytest.approx((100_000 - last.bytes) / last.rate, rel=0.1)
    assert list(path.parent.iterdir()) == []


def test_while_rsync_lists_the_whole_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "7-store.json"

    async def copy() -> Progress | None:
        told = ProgressWriter(path)
        sink = told.sink(lambda _line: None)
        sink.feed(
            b"\r 500  80%  1.00MB/s 0:00:01 (xfr#1, ir-chk=1000/1251)\r 600 90% 1.00MB/s 0:00:01"
        )
        await waiting.sleep(1.1)
        return progress_files.read(path)

    told = loop.run(copy())
    assert told
    assert (told.bytes, told.percent, told.left) == (600, None, None)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"strange": 1}', "\x00"])
def test_a_file_that_makes_no_sense_tells_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "1-store.json"
    path.write_text(text)
    assert progress_files.read(path) is None


def test_what_dead_runs_left_is_removed(tmp_path: Path) -> None:
    for run_id in (1, 2):
        progress_files.write(progress_files.path_of(tmp_path, run_id, "a-b"), Progress(1, 2))
    (tmp_path / ".1-c.json").write_text("")
    (tmp_path / "notes").write_text("")
    progress_files.remove_stale(tmp_path, {2})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2-a-b.json", "notes"]
    progress_files.remove_stale(tmp_path / "nowhere", {2})


@pytest.mark.parametrize("kind", ["link", "fifo", "device", "directory"])
@pytest.mark.parametrize("name", ["1-store.json", ".1-store.json"])
def test_what_stands_in_the_place_of_a_file_is_not_written(
    tmp_path: Path, kind: str, name: str
) -> None:
    """Nor waited for, nor followed; progress only decorates."""
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    path = tmp_path / "progress" / "1-store.json"
    path.parent.mkdir()
    there = path.with_name(name)
    match kind:
        case "link":
            there.symlink_to(victim)
        case "fifo":
            os.mkfifo(there)
        case "directory":
            there.mkdir()
        case _ if os.getuid():
            pytest.skip("only root makes a device")
        case _:
            os.mknod(there, 0o20600, os.makedev(1, 3))
    assert progress_files.read(there) is None
    progress_files.write(path, Progress(5))
    assert (kind == "directory") or progress_files.read(path) == Progress(5)
    progress_files.remove(path)
    assert victim.read_text() == "as it was"


@pytest.mark.parametrize("kind", ["a link", "another's"])
def test_a_directory_that_is_not_ours_is_left_alone(tmp_path: Path, kind: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "1-store.json").write_text("as it was")
    place = tmp_path / "progress"
    if kind == "a link":
        place.symlink_to(victim)
    elif os.getuid():
        pytest.skip("only root gives a directory away")
    else:
        victim.rename(place)
        os.chown(place, 12345, 12345)
    progress_files.write(place / "1-store.json", Progress(5))
    progress_files.remove(place / "1-store.json")
    progress_files.remove_stale(place, ())
    assert {path.name: path.read_text() for path in place.iterdir()} == {
        "1-store.json": "as it was"
    }


def test_where_no_file_can_be_opened_nothing_is_told(tmp_path: Path) -> None:
    """A worker whose system has no descriptor left goes on copying."""
    text = (
        "import os\n"
        "from pathlib import Path\n"
        "from b1000.progress_files import Progress, write\n"
        "try:\n"
        "    while True:\n"
        "        os.dup(1)\n"
        "except OSError:\n"
        f"    write(Path({str(tmp_path)!r}, '1-store.json'), Progress(1))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert not [*tmp_path.iterdir()]
