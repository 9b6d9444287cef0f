"""The walk below a local destination: what it removes and refuses, and that it follows nothing."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from b1000.work import leftovers, loop
from tests.support.world import tree

KEPT = (".x.toolong", ".x.ab-def", "kept", "deep/kept.abcdef", "own/.kept", ".kept/file")
LEFT = (".file.1dZ4UH", "deep/.config.tqX0a1", "deep/er/.y.000000", "deep/.new\nline.abcdef")
PARTIAL = (".b1000-partial/file", "deep/.b1000-partial/below/big")


def plant(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(name)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The directory of a copy."""
    directory = tmp_path / "store" / "copy"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A directory elsewhere, in which nothing may change."""
    plant(tmp_path / "victim", "passwd", ".passwd.abcdef", "below/file")
    return tmp_path / "victim"


def test_files_of_killed_receivers_are_found_and_removed(made: Path, victim: Path) -> None:
    plant(made, ".old.abcdef")
    while time.time() < (made / ".old.abcdef").stat().st_ctime + 0.1:
        time.sleep(0.01)
    began = time.time()
    plant(made, *KEPT, *LEFT, *PARTIAL)
    before = tree(victim)
    (made / ".link.abcdef").symlink_to(victim / "passwd")
    (made / "aside").symlink_to(victim)
    os.mkfifo(made / ".pipe.abcdef")
    os.link(victim / "passwd", made / ".twin.abcdef")
    (made / ".dir.abcdef").mkdir()
    found = loop.run(leftovers.temporary(str(made), began, shared=False))
    assert sorted(found) == sorted(LEFT)
    loop.run(leftovers.remove(str(made), found[1:]))
    (made / ".pipe.abcdef").unlink()
    left = {name for name, content in tree(made).items() if content is not None}
    assert left == {found[0], *KEPT, ".old.abcdef", ".link.abcdef", "aside", ".twin.abcdef"}
    assert tree(victim) == before


def test_beside_files_of_the_user_only_what_was_to_be_one_of_ours(made: Path) -> None:
    long = "n" * 243
    plant(made, ".one.abcdef", "one", ".two.abcdef", ".two", ".user.abcdef", f".{long}.abcdef")
    found = loop.run(leftovers.temporary(str(made), 0, shared=True))
    assert sorted(found) == [f".{long}.abcdef", ".one.abcdef", ".two.abcdef"]


def test_a_path_that_has_become_a_link_is_not_followed(made: Path, victim: Path) -> None:
    (made / "deep").symlink_to(victim)
    with pytest.raises(NotADirectoryError):
        loop.run(leftovers.remove(str(made), ["deep/.passwd.abcdef"]))
    assert (victim / ".passwd.abcdef").exists()


def test_all_is_removed_and_no_link_followed(made: Path, victim: Path) -> None:
    before = tree(victim)
    plant(made, *KEPT, *PARTIAL, "closed/file")
    (made / "closed").chmod(0o500)
    (made / "link").symlink_to(victim)
    (made / ".b1000-earlier").symlink_to(victim)
    os.mkfifo(made / "pipe")
    deep = made
    for _ in range(300):
        deep = deep / "d"
        deep.mkdir()
    loop.run(leftovers.clear(str(made)))
    assert list(made.iterdir()) == []
    assert tree(victim) == before


def test_nothing_is_removed_through_a_link_in_its_place(made: Path, victim: Path) -> None:
    before = tree(victim)
    made.rmdir()
    made.symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):
        loop.run(leftovers.clear(str(made)))
    assert tree(victim) == before


def test_what_is_not_there_has_no_leftovers(made: Path) -> None:
    nowhere = str(made / "nowhere")
    assert loop.run(leftovers.temporary(nowhere, 0, shared=True)) == []
    assert loop.run(leftovers.stranger(nowhere)) == ""
    loop.run(leftovers.remove(nowhere, ["x"]))
    loop.run(leftovers.clear(nowhere))


def bound(path: Path) -> None:
    # A socket's address is shorter than many a path.
    above = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"/proc/self/fd/{above}/{path.name}")
    os.close(above)


def of_another(path: Path) -> None:
    path.mkdir(0o700)
    os.chown(path, 12345, 12345)


def open_to_others(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


STRANGERS: dict[str, Callable[[Path], object]] = {
    "a symbolic link": lambda path: path.symlink_to("/etc"),
    "a FIFO": os.mkfifo,
    "a socket": bound,
    "a device": lambda path: os.mknod(path, 0o20666, os.makedev(1, 3)),
    "a file": Path.touch,
    "a directory of user 12345": of_another,
    "a directory that others may write into": open_to_others,
}


@pytest.mark.parametrize("kind", STRANGERS)
@pytest.mark.parametrize("name", [".b1000-partial", ".b1000", "deep/er/.b1000-x"])
def test_what_bears_our_name_and_is_not_ours(made: Path, kind: str, name: str) -> None:
    if os.getuid() and ("device" in kind or "12345" in kind):
        pytest.skip("only root makes it")
    plant(made, *KEPT, *PARTIAL)
    (made / name).parent.mkdir(parents=True, exist_ok=True)
    if (made / name).is_dir():
        (made / name / "file").unlink()
        (made / name).rmdir()
    for directory in made.rglob(".b1000-partial"):
        directory.chmod(0o700)
    assert loop.run(leftovers.stranger(str(made))) == ""
    STRANGERS[kind](made / name)
    told = loop.run(leftovers.stranger(str(made)))
    assert told == f"{made / name} is {kind}, not a directory that B1000 made; remove it"
