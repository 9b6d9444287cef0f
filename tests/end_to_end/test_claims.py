"""The directory of a full belongs to the run that made it, also among several journals."""

import socket
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from b1000.work import claiming
from tests.support.daemon import Daemon
from tests.support.world import World

Place = Callable[[str], str]


@pytest.fixture(params=["local", "daemon"])
def storage(
    request: pytest.FixtureRequest, tmp_path: Path, daemon: Callable[..., Daemon]
) -> tuple[str, Path]:
    """The path of a destination, and the directory that is behind it."""
    if request.param == "local":
        return str(tmp_path / "store"), tmp_path / "store"
    served = daemon({"b1000": "write only = yes"})
    return served.url("b1000"), served.module("b1000")


def host(root: Path, path: str, content: str, **destination: object) -> World:
    """A host with a journal and a source of its own, under the same name as the others."""
    root.mkdir()
    world = World(root)
    (world.source / "file").write_text(content)
    (world.source / f"of {root.name}").write_text(content)
    world.write(
        {
            "global": {"host": "client"},
            "dest:store": {"type": "active", "path": path, **destination},
            "job:etc": world.push(),
        }
    )
    return world


def backups(where: Path) -> list[Path]:
    return sorted(path for path in where.glob("etc/*/*") if path.is_dir())


def test_a_claim_says_what_the_daemon_wants_to_hear_first(
    tmp_path: Path, daemon: Callable[..., Daemon]
) -> None:
    """What a daemon is told by --early-input decides whether it goes on at all."""
    early = tmp_path / "early"
    early.write_text("#!/bin/sh\ngrep -q open\n")
    early.chmod(0o755)
    (tmp_path / "word").write_text("open")
    served = daemon({"b1000": f"early exec = {early}"})
    options = f"--early-input={tmp_path / 'word'} --protocol=31"
    world = host(tmp_path / "a", served.url("b1000"), "x", rsync_options=options)
    checked = world.b1000("check", "--connect")
    assert checked.returncode == 0, checked.stderr
    assert "0 errors" in checked.stdout
    done = world.b1000()
    assert done.returncode == 0, done.stdout
    assert len(backups(served.module("b1000"))) == 1


def test_two_journals_never_share_a_directory(tmp_path: Path, storage: tuple[str, Path]) -> None:
    path, where = storage
    worlds = [host(tmp_path / name, path, name) for name in ("a", "b", "c")]
    codes = []
    for _ in range(4):
        started = [(world, world.start()) for world in worlds]
        for world, program in started:
            out, err = program.communicate(timeout=120)
            codes.append(program.returncode)
            run = world.last("etc")
            if program.returncode:
                assert "is there already and this run did not make it" in run["error"], out + err
                assert not run["copies"][0]["attempts"] > 1
    for backup in backups(where):
        (mine,) = backup.glob("of *")
        assert (backup / "file").read_text() == mine.name.removeprefix("of ")
    assert len(backups(where)) == codes.count(0)


def test_what_is_there_already_is_left_alone(tmp_path: Path, storage: tuple[str, Path]) -> None:
    path, where = storage
    world = host(tmp_path / "a", path, "new", link_dest="yes")
    assert world.b1000().returncode == 0
    # As if others had begun one in each of the seconds in which the next run may begin.
    now = datetime.now().timestamp()
    for second in range(int(now), int(now) + 60):
        moment = datetime.fromtimestamp(second)
        directory = where / f"etc/{moment:%Y-%m-%d-%A}/client-{moment:%Y-%m-%d-%a-%H:%M:%S}"
        directory.mkdir(parents=True, exist_ok=True)
        if not (directory / "file").exists():
            (directory / "file").write_text("of others")
    before = {each: (each / "file").read_text() for each in backups(where)}
    for words in ((), ("--copy",), ("--copy",)):
        said = world.b1000(*words)
        assert said.returncode == 1
        assert "is there already and this run did not make it" in said.stderr
    assert {each: (each / "file").read_text() for each in backups(where)} == before
    assert not [each for each in backups(where) if (each / "of a").exists()][1:]


def test_a_daemon_that_did_not_answer_is_asked_again(
    tmp_path: Path, daemon: Callable[..., Daemon]
) -> None:
    """An attempt that never reached the storage has made nothing."""
    served = daemon({"b1000": ""})
    world = host(tmp_path / "a", served.url("b1000"), "new")
    served.stop()
    assert world.b1000().returncode == 1
    served.start()
    assert world.b1000("--copy").returncode == 0
    (backup,) = backups(served.module("b1000"))
    assert (backup / "file").read_text() == "new"


def test_a_daemon_with_one_connection_is_enough(
    tmp_path: Path, daemon: Callable[..., Daemon]
) -> None:
    """It counts that of the claim for a moment after its end."""
    options = f"max connections = 1\nlock file = {tmp_path / 'connections'}"
    world = host(tmp_path / "a", daemon({"b1000": options}).url("b1000"), "new")
    done = world.b1000()
    assert done.returncode == 0, done.stdout + done.stderr
    assert world.last("etc")["copies"][0]["attempts"] == 1


@pytest.mark.parametrize(
    ("line", "made"),
    [
        ("created 3 directories for etc/2026-11-22-Sunday/x", True),
        ("created 1 directory for x", True),
        ("created directory x", True),
        ("created", False),
        ("./", False),
    ],
)
def test_what_rsync_says_of_it(line: str, made: bool) -> None:
    assert claiming.is_made([line]) is made


def test_what_bears_the_machines_own_name_needs_no_claim(
    tmp_path: Path, daemon: Callable[..., Daemon]
) -> None:
    """Two journals of this machine: the later run takes the next second, and both are whole."""
    served = daemon({"b1000": "write only = yes"})
    worlds = []
    for name in ("a", "b", "c"):
        world = host(tmp_path / name, served.url("b1000"), name)
        world.write(
            {
                "global": {"host": socket.gethostname(), "log_level": "DEBUG"},
                "dest:store": {"type": "active", "path": served.url("b1000")},
                "job:etc": world.push(),
            }
        )
        worlds.append(world)
    for _ in range(3):
        for world, program in [(world, world.start()) for world in worlds]:
            out, err = program.communicate(timeout=120)
            assert program.returncode == 0, out + err
            assert "--dirs" not in out, f"{world.root}: it claims"
    made = backups(served.module("b1000"))
    assert len(made) == 9
    for backup in made:
        (mine,) = backup.glob("of *")
        assert (backup / "file").read_text() == mine.name.removeprefix("of ")
