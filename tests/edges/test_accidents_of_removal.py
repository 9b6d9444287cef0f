"""The accidents of other tools in the act of removing, on real trees; the rest of the table is in
tests/unit/test_accidents.py.
"""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from b1000.prune.removal import NotRemoved, Removals
from b1000.storage import catalogue, layout, local
from b1000.storage.backup import Root
from tests.support.mounting import needs_mounts
from tests.support.stored import NIGHT, a_mark, identify, put

DAY = timedelta(days=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "srv"
    identify(root, NIGHT - 9 * DAY)
    return root


def listed(root: Path) -> list[str]:
    """The backups that a look finds, by their places."""
    found = catalogue.build(Root("kept", str(root)), local.entries(Root("kept", str(root))))
    return [backup.place for group in found.groups for backup in group.backups]


def remove(root: Path, place: str) -> dict[str, str]:
    """Remove one, as a prune does."""
    area = Removals(str(root))
    return area.delete([area.take(place)])


def test_tmpreaper_a_symlinked_job_directory(root: Path, tmp_path: Path) -> None:
    """A directory is exchanged for a link between the look and the act: what it leads to goes."""
    outside = put(tmp_path / "outside", a_mark())
    (root / "etc").symlink_to(tmp_path / "outside" / "etc")
    assert listed(root) == []
    with pytest.raises(NotRemoved):
        remove(root, a_mark().directory)
    (root / "etc").unlink()
    mine = put(root, a_mark())
    day = mine.parent
    day.rename(day.with_name("away"))
    day.symlink_to(outside.parent)
    with pytest.raises(NotRemoved):
        remove(root, a_mark().directory)
    day.unlink()
    day.mkdir()
    mine.symlink_to(outside)
    with pytest.raises(NotRemoved):
        remove(root, a_mark().directory)
    assert (outside / "file").exists()
    assert Path(f"{outside}.b1k").exists()
    mine.unlink()
    day.rmdir()
    (root / layout.REMOVED).symlink_to(tmp_path / "outside")
    whole = put(root, a_mark())
    with pytest.raises(NotRemoved):
        remove(root, a_mark().directory)
    assert Path(f"{whole}.b1k").exists(), "what cannot be moved away is as complete as it was"
    with pytest.raises(NotRemoved):
        Removals(str(root)).left()
    assert (outside / "file").exists()


def test_xargs_a_name_with_a_newline(root: Path, tmp_path: Path) -> None:
    """`find | xargs rm` takes a name apart: what comes behind the newline is a path of its own."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    backup = put(root, a_mark())
    for name in (b"a\n" + os.fsencode(str(victim)).replace(b"/", b"\\"), b"-rf", b"\xff\n..", b" "):
        Path(os.fsdecode(os.path.join(os.fsencode(backup), name))).mkdir()
    (backup / "below").mkdir()
    Path(os.fsdecode(os.fsencode(backup / "below") + b"/x\n--no-preserve-root")).write_text("")
    strange = [root / "etc" / "2026-11-22-Sunday\nx", root / "etc\n..", root / "etc" / "a\nb"]
    for each in strange:
        each.mkdir()
    assert listed(root) == [a_mark().directory]
    assert remove(root, a_mark().directory) == {}
    assert victim.exists()
    assert all(each.is_dir() for each in strange)
    assert [*(root / layout.REMOVED).iterdir()] == []


def test_rm_an_immutable_file(root: Path) -> None:
    """`rm -rf || true`: it stays, and nobody hears of it; or what is left looks whole."""
    backup = put(root, a_mark())
    if subprocess.run(["chattr", "+i", backup / "file"], capture_output=True).returncode:
        pytest.skip("the file system has no immutable files")
    try:
        (trouble,) = remove(root, a_mark().directory).values()
        assert "Operation not permitted" in trouble
        assert listed(root) == []
        assert not Path(f"{backup}.b1k").exists()
    finally:
        (left,) = (root / layout.REMOVED).iterdir()
        subprocess.run(["chattr", "-i", left / "file"], check=True)
    area = Removals(str(root))
    assert area.delete(area.left()) == {}


@pytest.mark.parametrize("flag", ["i", "a"])
def test_chattr_what_cannot_be_moved_loses_its_mark(root: Path, flag: str) -> None:
    """The operator has made the backup immutable: it stays, and stays complete."""
    backup = put(root, a_mark())
    if subprocess.run(["chattr", f"+{flag}", backup], capture_output=True).returncode:
        pytest.skip("the file system has no immutable files")
    try:
        with pytest.raises(NotRemoved, match="Operation not permitted"):
            remove(root, a_mark().directory)
    finally:
        subprocess.run(["chattr", f"-{flag}", backup], check=True)
    assert Path(f"{backup}.b1k").exists()
    assert remove(root, a_mark().directory) == {}


_AS_NOBODY = """
import os, sys
from b1000.prune.removal import NotRemoved, Removals
os.chdir(sys.argv[1])
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
area = Removals(".")
for place in sys.argv[2:]:
    try:
        print(area.delete([area.take(place)]))
    except NotRemoved as error:
        print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_rm_modes_of_the_source_are_in_the_way_of_who_is_not_root(root: Path) -> None:
    """Directories that nobody may write to are moved by who owns them; of others nothing goes."""
    places = [a_mark(when=NIGHT - ago * DAY) for ago in range(3)]
    closed, unreadable, anothers = (put(root, each) for each in places)
    (closed / "below").mkdir(mode=0o555)
    (closed / "below" / "file").touch()
    closed.chmod(0o555)
    unreadable.chmod(0)
    subprocess.run(["chown", "-R", "65534", root], check=True)
    subprocess.run(["chown", "-R", "0:0", anothers], check=True)
    done = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, root, *(each.directory for each in places)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.splitlines() == [
        "{}",
        "{}",
        "it is another user's, who alone may move it",
    ], done.stderr
    assert not closed.exists()
    assert not unreadable.exists()
    assert (anothers / "file").exists()
    assert Path(f"{anothers}.b1k").exists()


def test_find_delete_what_is_protected_at_the_last_moment(root: Path) -> None:
    """Somebody puts the sign beside it after it was looked at."""
    backup = put(root, a_mark())
    Path(f"{backup}.keep").touch()
    with pytest.raises(NotRemoved, match="keep lies beside it"):
        remove(root, a_mark().directory)
    assert Path(f"{backup}.b1k").exists()


_MOUNTED = """
set -e
mount --bind "$1" "$2"
mount --bind "$1" "$3"
exec "$4" -c "
import sys
from b1000.prune.removal import Removals
area = Removals(sys.argv[1])
print(area.delete([area.take(sys.argv[2])]))
" "$5" "$6"
"""


@needs_mounts
def test_rsnapshot_a_mount_inside(root: Path, tmp_path: Path) -> None:
    """Somebody has mounted a disk in a backup; also where another one has a name in Latin-1."""
    other = tmp_path / "disk"
    other.mkdir()
    (other / "precious").write_text("x")
    backup = put(root, a_mark())
    inside = backup / "größe"
    inside.mkdir()
    beside = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 "))
    beside.mkdir()
    words = [other, inside, beside, sys.executable, root, a_mark().directory]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", _MOUNTED, "sh", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert "a file system is mounted at" in done.stdout
    assert "größe; unmount it" in done.stdout
    assert (other / "precious").exists()
