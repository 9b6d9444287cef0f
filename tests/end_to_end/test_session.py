"""A session of somebody at a terminal: two windows of tmux, and what their screens showed."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.world import ROOT, World

BAR = "━"


class Tmux:
    """A server of tmux with a shell in each window."""

    def __init__(self, world: World) -> None:
        self._world = world
        # The path of a socket may have 107 bytes.
        self._directory = tempfile.mkdtemp(prefix="b1000-tmux-")
        self._commands = 0
        self._program = shlex.join([sys.executable, "-m", "b1000", "-f", str(world.config)])
        self._do("-f", "/dev/null", "new-session", "-d", "-s", "0", "-x", "80", "-y", "24", "sh")
        self._do("new-window", "-d", "-t", "0:1", "sh")

    def _do(self, *words: str) -> str:
        kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME")}
        return subprocess.run(
            ["tmux", "-u", "-S", f"{self._directory}/socket", *words],
            env={**kept, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", "PS1": "$ "},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def b1000(self, window: int, *words: str) -> None:
        """Somebody types a command."""
        self._commands += 1
        line = f"{self._program} {shlex.join(words)}; echo end {self._commands}, code $?"
        self.keys(window, line, "Enter")

    def finish(self, window: int) -> tuple[int, str]:
        """Wait for the end of the command that was typed last: its exit code, and all it showed."""
        end = rf"^end {self._commands}, code (\d+)$"
        screen = self.wait(window, lambda screen: re.search(end, screen, re.MULTILINE))
        (code,) = re.findall(end, screen, re.MULTILINE)
        return int(code), screen.rpartition("; echo end")[2]

    def keys(self, window: int, *keys: str) -> None:
        """Somebody presses keys."""
        self._do("send-keys", "-t", f"0:{window}", *keys)

    def screen(self, window: int) -> str:
        """What a window shows and what has scrolled out of it, with wrapped lines in one."""
        return self._do("capture-pane", "-p", "-J", "-S", "-", "-t", f"0:{window}")

    def wait(self, window: int, shown: Callable[[str], object]) -> str:
        """Wait until a screen shows something; gives all of it."""
        until = time.monotonic() + 60
        while not shown(screen := self.screen(window)):
            assert time.monotonic() < until, f"it never showed:\n{screen}"
            time.sleep(0.1)
        return screen

    def close(self) -> None:
        """End it, with all that runs in it."""
        subprocess.run(
            ["tmux", "-S", f"{self._directory}/socket", "kill-server"],
            capture_output=True,
            check=False,
        )
        shutil.rmtree(self._directory)


@pytest.fixture
def tmux(world: World) -> Iterator[Tmux]:
    """tmux, where there is one."""
    if not shutil.which("tmux"):
        pytest.skip("there is no tmux")
    server = Tmux(world)
    yield server
    server.close()


def bars(screen: str) -> list[str]:
    """The lines that show how far a copy is."""
    return [line for line in screen.splitlines() if BAR in line]


def test_a_session_of_an_operator(world: World, tmux: Tmux) -> None:
    (world.source / "large").write_bytes(os.urandom(30_000_000))
    world.write(
        {
            "dest:store": world.store(bwlimit=600),
            "dest:off": {"type": "active", "path": "rsync://127.0.0.1:1/x"},
            "job:bad": world.push(dest="off"),
            "job:one": world.push(),
            "job:two": world.push(),
        }
    )
    # The first window runs; the copies go on until somebody ends them.
    tmux.b1000(0)
    running = tmux.wait(0, lambda screen: sum("left" in bar for bar in bars(screen)) == 2)
    one, two = sorted(bars(running))
    told = r"one store +[━╸╺]+ +\d+% +[\d.]+ [KM]iB +[\d.]+ KiB/s +\d:\d\d:\d\d left"
    assert re.fullmatch(told, one.rstrip())
    assert two.startswith("two store ")
    refused = "[bad ] FAILED at COPYING: off: connection refused by 127.0.0.1 "
    assert refused in " ".join(running.split())

    # The second one watches, and sees them move.
    tmux.b1000(1, "status", "--watch")
    watched = tmux.wait(1, lambda screen: len(bars(screen)) == 2)
    assert re.search(r"^one +\d+ +\S+ \S+ +COPYING +OK ", watched, re.MULTILINE)
    (run,) = re.findall(r"^bad +(\d+) +\S+ \S+ +COPYING +FAILED ", watched, re.MULTILINE)

    def moved(screen: str) -> bool:
        then, now = (re.findall(r"(\d+)%", " ".join(bars(each))) for each in (watched, screen))
        return then < now and len(then) == len(now)

    tmux.wait(1, moved)
    tmux.keys(1, "C-c")
    assert tmux.finish(1)[0] == 1

    # What failed, and how it came about.
    tmux.b1000(1, "status", "--run", run)
    code, story = tmux.finish(1)
    assert code == 1
    assert f"run {run}: bad, push full, host client" in story
    assert "off: attempt 1 failed (exit code 10): connection refused" in " ".join(story.split())
    resumes = f"b1000 --copy bad -f {world.config} resumes it"
    assert "".join(resumes.split()) in "".join(story.split())

    # Ctrl-C says what it ends, and leaves no bar behind.
    tmux.keys(0, "C-c")
    ended = tmux.wait(0, lambda screen: re.search(r"^end 1, code 130$", screen, re.MULTILINE))
    assert "stopped by SIGINT; ending one, two" in " ".join(ended.split())
    assert not bars(ended)
