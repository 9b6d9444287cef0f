"""Only what is named is restored: from a daemon with and without a chroot, and as it is printed."""

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.daemon import CHROOT, Daemon
from tests.support.world import World

NAMED = ("below/deep/a*b", "-x", "back\\slash", "[1]", "two words", "new\nline")
OTHERS = ("below/deep/aXb", "below/c", "1")


@pytest.fixture(params=["", CHROOT], ids=["without a chroot", "with one"])
def backed_up(request: pytest.FixtureRequest, world: World, daemon: Callable[..., Daemon]) -> World:
    for name in (*NAMED, *OTHERS):
        file = world.source / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"content of {name}")
    url = daemon({"b": request.param}).url("b")
    world.write({"dest:store": {"type": "active", "path": f"{url}/deep"}, "job:etc": world.push()})
    assert world.b1000().returncode == 0
    return world


def files(top: Path) -> dict[str, str]:
    """The content of all files below a directory."""
    return {str(p.relative_to(top)): p.read_text() for p in top.rglob("*") if p.is_file()}


def test_from_a_daemon(backed_up: World) -> None:
    to = backed_up.root / "to"
    done = backed_up.b1000("restore", "etc", "--to", str(to), "--", *NAMED, "below")
    assert (done.returncode, done.stderr) == (0, "")
    expected = {name: f"content of {name}" for name in (*NAMED, *OTHERS[:2])}
    assert files(to) == expected
    listed = backed_up.b1000("restore", "etc", "--to", str(to), "--merge", "--no-verify", "1")
    assert listed.returncode == 3
    assert "not verified" in listed.stdout


def test_as_it_is_printed(backed_up: World) -> None:
    to = backed_up.root / "to"
    plain = [name for name in NAMED if "\n" not in name]
    done = backed_up.b1000("restore", "etc", "--to", str(to), "--print", "--", *plain)
    assert done.returncode == 0, done.stderr
    argv = shlex.split(done.stdout)
    assert subprocess.run(argv, check=False, capture_output=True).returncode == 0
    assert files(to) == {name: f"content of {name}" for name in plain}
