"""Files that are replaced as a whole, and what a killed writer leaves."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from b1000.files import private_directory, remove_unwritten, write_atomically

_WRITER = """\
import os, sys
from pathlib import Path
from b1000 import files
os.rename = lambda *_: (print("written", flush=True), sys.stdin.read())
files.write_atomically(Path(sys.argv[1]), "new", 0o600)
"""


def test_what_a_killed_writer_left_goes_at_once_and_what_is_being_written_stays(
    tmp_path: Path,
) -> None:
    file = tmp_path / "file"
    write_atomically(file, "old", 0o600)
    command = [sys.executable, "-c", _WRITER, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        writer.stdout.readline()
        remove_unwritten(tmp_path)
        assert len(os.listdir(tmp_path)) == 2
        writer.kill()
        writer.wait()
    remove_unwritten(tmp_path)
    assert os.listdir(tmp_path) == ["file"]
    assert file.read_text() == "old"


def test_a_private_directory_is_ours_alone_and_goes_with_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with private_directory("ours-") as path:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
        assert Path(path).parent == tmp_path
        (Path(path) / "a" / "b").mkdir(parents=True)
        (Path(path) / "a" / "file").touch()
        (Path(path) / "link").symlink_to(kept)
    assert os.listdir(tmp_path) == ["kept"]
    assert os.listdir(kept) == ["file"]


def test_a_private_directory_lies_elsewhere_where_tmpdir_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    with private_directory("ours-") as path:
        assert os.path.isdir(path)
    assert not os.path.exists(path)
