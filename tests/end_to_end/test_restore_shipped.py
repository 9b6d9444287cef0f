"""b1000 restore from storages as they are shipped, and where the way to one is written wrongly."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.storage import Storage
from tests.support.terminal import Terminal
from tests.support.world import World, tree


@pytest.fixture
def shipped(world: World, tmp_path: Path) -> Iterator[tuple[World, Storage]]:
    """A backup at the shipped storage, and the password for restores in another file."""
    made = Storage(tmp_path / "storage")
    made.start()
    source = world.files()
    (source / "below").mkdir()
    (source / "below" / "new\nline").write_text("text")
    world.write(
        {
            "dest:far": {
                "type": "active",
                "path": made.at("", module="b1000").rstrip("/"),
                "password_file": made.password("backing", "backing-up\n"),
                "restore_path": made.at("", module="b1000-restore").rstrip("/"),
                "restore_password_file": made.password("reading", "reading\n"),
            },
            "job:etc": world.push(dest="far"),
        }
    )
    done = world.b1000()
    assert done.returncode == 0, done.stderr
    yield world, made
    made.stop()


def change(world: World, old: str, new: str) -> None:
    text = world.config.read_text()
    assert old in text
    world.config.write_text(text.replace(old, new))


def test_all_and_one_file(shipped: tuple[World, Storage]) -> None:
    world, _ = shipped
    to = world.root / "to"
    done = world.b1000("restore", "etc", "--to", str(to))
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(to) == tree(world.source)
    lost = world.source / "below" / "new\nline"
    lost.unlink()
    done = world.b1000("restore", "etc", "--in-place", "--missing", str(lost), "--json")
    assert done.returncode == 0, done.stderr
    assert lost.read_text() == "text"
    answer = json.loads(done.stdout)
    assert (answer["files"], answer["transferred"], answer["verified"]) == (1, 1, True)


def test_the_option_is_named_that_a_storage_needs(shipped: tuple[World, Storage]) -> None:
    """Its gate refuses who reads before rsync says that the module can only be written to."""
    world, _ = shipped
    change(world, "restore_path", "# restore_path")
    change(world, "restore_password_file", "# restore_password_file")
    for words in (["restore", "etc", "--to", str(world.root / "to")], ["list"]):
        done = world.b1000(*words)
        assert done.returncode == 1
        assert "restore_path names a module that can be read" in done.stderr
    assert not (world.root / "to").exists()


def test_a_wrong_password_is_told_with_its_option(shipped: tuple[World, Storage]) -> None:
    world, storage = shipped
    storage.password("reading", "backing-up\n")
    done = world.b1000("restore", "etc", "--to", str(world.root / "to"))
    assert done.returncode == 1
    assert "far has one of" in done.stderr
    assert "refuses user or password for module 'b1000-restore'" in done.stderr
    assert "restore_password_file has the password of who reads" in done.stderr
    assert "backing-up" not in done.stdout + done.stderr
    assert not (world.root / "to").exists()


def test_a_destination_that_is_written_wrongly_is_told(shipped: tuple[World, Storage]) -> None:
    world, _ = shipped
    change(world, "type = active", "type = active\ntransport = tsl")
    told = "[dest:far] transport: 'tsl' is not known; one of: plain, tls, ssh"
    for words, code in (
        (["restore", "etc", "--to", str(world.root / "to")], 1),
        (["restore", "etc", "--to", str(world.root / "to"), "--from", "far"], 2),
        (["list"], 1),
        (["list", "--dest", "far"], 2),
    ):
        done = world.b1000(*words)
        assert done.returncode == code
        assert told in done.stderr, words


def test_a_terminal_is_told_who_is_asked_and_a_pipe_is_not(
    shipped: tuple[World, Storage],
) -> None:
    world, _ = shipped
    argv = [sys.executable, "-m", "b1000", "-f", str(world.config), "restore", "etc", "--to"]
    terminal = Terminal([*argv, str(world.root / "one")], {}, columns=80)
    assert terminal.finish() == 0
    assert "asking far" in terminal.text
    assert os.listdir(world.root / "one")
    assert "asking" not in world.b1000("restore", "etc", "--to", str(world.root / "two")).stdout
