"""The log: lines of many processes stay whole, and a rotation during a run loses none."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.world import ROOT, World, wait_until

# Each process writes numbered lines, of which every third is longer than a pipe takes at once.
WRITERS = """
import logging, os, sys
from b1000 import logs
path, writers, lines = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
logs.set_up(path, "INFO", "<%(threadName)s> %(message)s", quiet=False)
children = []
for writer in range(writers):
    child = os.fork()
    if not child:
        log = logs.for_run(f"job/{writer}")
        for number in range(lines):
            log.info("%d:%s.", number, "é" * (9000 if number % 3 == 0 else 9))
        os._exit(0)
    children.append(child)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""


def start_writers(path: str, writers: int, lines: int) -> "subprocess.Popen[str]":
    """Forked processes that log side by side, as workers do."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITERS, path, str(writers), str(lines)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    )


def messages(text: str) -> dict[str, str]:
    """Label → what was logged with it, parts of a line joined; each line must be whole."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        parts = re.fullmatch(r"<(job/\d)> ([0-9:é.]+)", line)
        assert parts, line[:100]
        found[parts[1]] = found.get(parts[1], "") + parts[2]
    return found


def expected(lines: int) -> str:
    """All that one writer logs."""
    return "".join(f"{n}:{'é' * (9000 if n % 3 == 0 else 9)}." for n in range(lines))


def test_lines_of_many_processes_stay_whole_while_the_file_is_rotated(tmp_path: Path) -> None:
    log = tmp_path / "b1000.log"
    rotated = 0
    with start_writers(str(log), 4, 400) as writers:
        while writers.poll() is None:
            time.sleep(0.005)
            if log.exists():
                os.rename(log, tmp_path / f"b1000.log.{rotated}")
                rotated += 1
    assert writers.returncode == 0
    assert rotated > 1
    old = [tmp_path / f"b1000.log.{number}" for number in range(rotated)]
    files = [file for file in [*old, log] if file.exists()]
    # Whoever was about to write when a file was moved wrote into it a little later.
    found = [line for file in files for line in file.read_text().splitlines()]
    for writer in range(4):
        own = [line for line in found if line.startswith(f"<job/{writer}> ")]
        numbers = [int(re.match(r"<.*?> (\d+):", line)[1]) for line in own]  # type: ignore[index]
        assert sorted(numbers) == list(range(400))
    for line in found:
        assert re.fullmatch(r"<job/\d> \d+:(é{9}|é{9000})\.", line), line[:100]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o640}


def test_lines_of_many_processes_stay_whole_in_a_pipe() -> None:
    writers = start_writers("/dev/stdout", 4, 100)
    out, err = writers.communicate(timeout=60)
    assert (writers.returncode, err) == (0, "")
    assert messages(out) == {f"job/{writer}": expected(100) for writer in range(4)}
    assert all(len(line.encode()) < 4096 for line in out.splitlines())


def test_a_log_file_that_cannot_be_made_anew_goes_to_standard_error(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    path = tmp_path / "log" / "b1000.log"
    script = (
        "import os, shutil, sys; from b1000 import logs\n"
        "logs.set_up(sys.argv[1], 'INFO', '%(message)s', quiet=False)\n"
        "log = logs.for_run('job'); log.info('first')\n"
        "shutil.rmtree(os.path.dirname(sys.argv[1])); log.info('second')\n"
        "os.mkdir(os.path.dirname(sys.argv[1])); log.info('third')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert (done.stdout, done.stderr, path.read_text()) == ("", "second\n", "third\n")


def rotate(log: Path) -> None:
    """Rotate with the shipped configuration, or as it would."""
    if not shutil.which("logrotate", path="/usr/sbin:/usr/bin"):
        os.rename(log, f"{log}.1")
        return
    shipped = (ROOT / "etc" / "logrotate.d" / "b1000").read_text()
    assert "/var/log/b1000.log" in shipped
    config = log.parent / "logrotate.conf"
    config.write_text(shipped.replace("/var/log/b1000.log", str(log)))
    config.chmod(0o644)
    subprocess.run(
        ["logrotate", "--force", "--state", str(log.parent / "logrotate.state"), str(config)],
        check=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )


def test_a_run_that_is_under_way_goes_on_in_the_new_file(world: World) -> None:
    directory = world.root / "log"
    directory.mkdir(mode=0o755)
    log = directory / "b1000.log"
    world.files()
    world.write(
        {
            "global": {"log_file": log},
            "dest:store": world.store(),
            "job:etc": world.push(
                pre=f"echo before; until test -e {world.root}/rotated; do sleep 0.02; done;"
                " echo after"
            ),
        }
    )
    program = world.start()
    wait_until(lambda: log.exists() and "before" in log.read_text())
    rotate(log)
    assert not log.exists()
    (world.root / "rotated").touch()
    out, err = program.communicate(timeout=60)
    assert (program.returncode, out, err) == (0, "", "")
    old, new = Path(f"{log}.1").read_text(), log.read_text()
    assert re.search(r"\[etc +\] .*before\n\Z", old)
    assert re.match(r".*\[etc +\] .*after\n", new)
    # The worker tells of its script, the supervisor of the steps: both went on in the new file.
    assert re.search(r"\[etc +\] DONE in [\d.]+ s\n.*\[b1000 +\] ended in [\d.]+ s: 1 OK\n\Z", new)
    assert log.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("word", ["nocreate", "missingok", "delaycompress"])
def test_logrotate_leaves_the_file_to_b1000(word: str) -> None:
    text = (ROOT / "etc" / "logrotate.d" / "b1000").read_text()
    assert re.search(rf"^    {word}$", text, re.MULTILINE)
    assert "copytruncate" not in text
