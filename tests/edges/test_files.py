"""Files that are replaced as a whole, and what a killed writer leaves."""

import os
import subprocess
import sys
from pathlib import Path

from b1000.files import remove_unwritten, write_atomically

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
