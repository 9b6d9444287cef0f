"""Files that are replaced as a whole, and what a killed writer leaves."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from b1000.files import private_directory, remove_unwritten, walked, write_atomically
from b1000.prune import removal
from b1000.storage import contents

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


def test_a_tree_is_walked_however_deep_it_is_and_however_long_its_paths(tmp_path: Path) -> None:
    """Whoever fills a backup decides on both; one tree must not end what is asked of all."""
    backup = tmp_path / "backup"
    backup.mkdir()
    at = os.open(backup, os.O_RDONLY)
    try:
        for _ in range(1100):
            os.mkdir("deep", dir_fd=at)
            below = os.open("deep", os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = below
        os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=at))
        os.symlink("/", "link", dir_fd=at)
        (found,) = contents.in_tree(str(backup), contents.Pattern("leaf"))
        assert found.path == "deep/" * 1100 + "leaf"
        (found,) = contents.in_tree(str(backup), contents.Pattern("deep/*k"))
        assert found.kind == "link"
        blocks = os.fstat(at).st_blocks * 512
        assert removal.freed_by(str(backup)) >= 1100 * blocks
        assert removal.newest_change(str(backup)) == os.lstat("link", dir_fd=at).st_ctime
    finally:
        os.close(at)
        subprocess.run(["rm", "-rf", backup], check=True)


def test_a_tree_is_walked_but_for_what_cannot_be_read(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    top = os.open(tmp_path, os.O_RDONLY)
    found: list[str] = []
    failed: list[OSError] = []
    try:
        for above, entry in walked(top, failed.append):
            found.append(f"{above}{entry.name}")
            if entry.name == "a":
                shutil.rmtree(tmp_path / "a")
                (tmp_path / "a").symlink_to(tmp_path / "b")
    finally:
        os.close(top)
    assert sorted(found) == ["a", "b", "b/file"]
