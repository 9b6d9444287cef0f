"""Every signal that would end the program ends it in order; the others disturb nothing."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.world import ROOT, World, wait_until

ENDING = [
    *("HUP", "INT", "QUIT", "TRAP", "ABRT", "USR1", "USR2", "ALRM", "TERM", "STKFLT"),
    *("XCPU", "VTALRM", "PROF", "IO", "PWR", "SYS", "RTMIN", "RTMAX"),
]
NUMBERS = [*(getattr(signal, f"SIG{name}") for name in ENDING), 40]
DISTURBING = ["CHLD", "CONT", "URG", "WINCH", "PIPE", "XFSZ"]


@pytest.fixture
def ready(world: World) -> World:
    """A job whose ``pre`` says that it began, and waits until it may end."""
    world.files()
    world.write(
        {
            "dest:store": world.store(),
            "job:etc": world.push(
                pre=f": > {world.root}/began; until test -e {world.root}/go; do sleep 0.05; done"
            ),
        }
    )
    return world


def begun(world: World) -> "subprocess.Popen[str]":
    """The program, once its script runs."""
    program = world.start()
    wait_until((world.root / "began").exists)
    return program


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_ends_what_is_under_way_in_order(ready: World, number: int) -> None:
    program = begun(ready)
    program.send_signal(number)
    out, err = program.communicate(timeout=30)
    assert program.returncode == 128 + number, (out, err)
    assert "Traceback" not in out + err
    assert ready.processes() == []
    run = ready.last("etc")
    name = f"signal {number}" if number == 40 else signal.Signals(number).name
    assert (run["step"], run["status"]) == ("PRE", "FAILED")
    assert run["error"] == f"interrupted by {name}"
    assert f"stopped by {name}; ending etc" in out


def handles(program: "subprocess.Popen[str]", number: int) -> bool:
    """Whether the program has a handler of its own for a signal by now (proc(5), SigCgt)."""
    status = Path(f"/proc/{program.pid}/status").read_text()
    (handled,) = re.findall(r"^SigCgt:\s*(\w+)$", status, re.MULTILINE)
    return bool(int(handled, 16) >> (number - 1) & 1)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_before_anything_was_begun_is_a_plain_exit_too(world: World, number: int) -> None:
    # It takes long to read, so that the signal comes meanwhile.
    jobs = {f"job:etc{each}": world.push() for each in range(5000)}
    world.write({"dest:store": world.store(), **jobs})
    program = world.start()
    wait_until(lambda: handles(program, number) and handles(program, signal.SIGTERM))
    program.send_signal(number)
    out, err = program.communicate(timeout=30)
    assert (program.returncode, out, err) == (128 + number, "", "")


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGALRM", 142), ("SIGINT", 130)])
def test_a_signal_is_not_lost_where_nothing_can_be_raised(name: str, code: int) -> None:
    """As while Python tidies up behind an import: what is raised there, it only prints."""
    program = (
        "import os, signal, sys, time; from b1000 import cli, stopping\n"
        "class Ending:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), getattr(signal, sys.argv.pop())); time.sleep(0)\n"
        "def carry_out(command, argv):\n"
        "    Ending()\n"
        "    time.sleep(60)\n"
        "cli._carry_out = carry_out; cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, name],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_an_error_of_a_library_does_not_hide_the_signal(name: str) -> None:
    """Where a signal comes while argparse parses, its own cleaning up fails (Python 3.11)."""
    program = """if True:
        import argparse, os, signal, sys
        from b1000 import cli

        def parse(self, *words):
            try:
                os.kill(os.getpid(), getattr(signal, sys.argv.pop()))
            finally:
                raise AttributeError("no save_nargs")

        argparse.ArgumentParser.parse_known_args = parse
        argparse.ArgumentParser.parse_known_intermixed_args = parse
        raise SystemExit(cli.main())
    """
    words = [sys.executable, "-c", program, name]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.Signals[name], "", "")


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A database server that takes connections and says nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    yield listener
    listener.close()


@pytest.mark.parametrize("name", ["TERM", "QUIT", "USR1"])
def test_a_signal_ends_the_wait_for_reports(ready: World, silent: socket.socket, name: str) -> None:
    number = getattr(signal, f"SIG{name}")
    ready.write(
        {
            "global": {"report_wait_end": 300},
            "report:far": {
                "type": "mysql",
                "server": "127.0.0.1",
                "port": silent.getsockname()[1],
                "user": "u",
                "password": "p",
                "db": "d",
            },
            "dest:store": ready.store(),
            "job:etc": ready.push(report="far"),
        }
    )
    program = ready.start()
    assert program.stdout
    assert any(re.search(r"\[etc +\] DONE", line) for line in program.stdout)
    program.send_signal(number)
    program.communicate(timeout=30)
    assert program.returncode == 128 + number
    assert ready.last("etc")["status"] == "OK", "it was over"


def test_what_ends_nothing_disturbs_nothing(ready: World) -> None:
    program = begun(ready)
    for name in DISTURBING:
        program.send_signal(getattr(signal, f"SIG{name}"))
    (ready.root / "go").touch()
    out, err = program.communicate(timeout=60)
    assert (program.returncode, err) == (0, ""), out
    assert ready.last("etc")["status"] == "OK"


IGNORING = """
import os, signal, sys
for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGCHLD, signal.SIGALRM):
    signal.signal(number, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-m", "b1000", "-f", sys.argv[1]])
"""


def test_what_was_ignored_stays_so_here_and_is_heard_by_scripts(world: World) -> None:
    """Of a launcher that ignores signals only the program keeps that: scripts begin anew."""
    world.files()
    seen = world.root / "seen"
    world.write(
        {
            "dest:store": world.store(),
            "job:etc": world.push(
                pre=f"grep SigIgn /proc/self/status > {seen}.new; mv {seen}.new {seen};"
                f" until test -e {world.root}/go; do sleep 0.05; done"
            ),
        }
    )
    program = subprocess.Popen(
        [sys.executable, "-c", IGNORING, str(world.config)],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_until(seen.exists)
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGALRM):
        program.send_signal(number)
    (world.root / "go").touch()
    out, _ = program.communicate(timeout=60)
    assert program.returncode == 0, out
    ignored = int(seen.read_text().split()[1], 16)
    # 32 and 33 are the C library's own: no program can set them.
    assert ignored & ~(1 << 31 | 1 << 32) == 0
    assert world.last("etc")["status"] == "OK"


def test_nohup_is_respected(world: World) -> None:
    world.files()
    world.write(
        {
            "dest:store": world.store(),
            "job:etc": world.push(pre=f": > {world.root}/began; sleep 1"),
        }
    )
    program = subprocess.Popen(
        ["nohup", sys.executable, "-m", "b1000", "-f", str(world.config)],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until((world.root / "began").exists)
    program.send_signal(signal.SIGHUP)
    assert program.wait(30) == 0
