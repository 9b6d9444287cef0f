"""What no restore touches: the journal of this host, its storages, and the backups in them."""

import subprocess
from pathlib import Path

import pytest

from b1000.errors import UsageError
from b1000.restore import targets
from b1000.restore.part import Part
from tests.support.stored import NIGHT, a_mark, identify, put
from tests.support.world import World, tree


@pytest.mark.parametrize("manner", ["--missing", "--merge", "--mirror"])
@pytest.mark.parametrize("read", [False, True])
def test_a_journal_does_not_go_back_in_time(world: World, manner: str, read: bool) -> None:
    """Its complete runs would be interrupted ones again, and --copy would go on with them."""
    var = world.source / "var"
    (var / "lib").mkdir(parents=True)
    (var / "file").write_text("right")
    world.status_dir = var / "lib" / "b1000"
    world.write(
        {
            "global": {"status_dir": world.status_dir},
            "dest:store": world.store(),
            "job:etc": world.push(include=var),
        }
    )
    for _ in range(2):
        assert world.b1000().returncode == 0
    if read:
        assert world.b1000("verify", "--all").returncode == 0
    (var / "file").unlink()
    (world.status_dir / "new").touch()
    done = world.b1000("restore", "etc", "--in-place", manner, "--yes")
    assert done.returncode == 0, done.stderr
    assert f"{world.status_dir} stays as it is: it is b1000's own" in done.stderr
    assert ("the list of sums" in done.stdout) == read
    assert (var / "file").read_text() == "right"
    assert (world.status_dir / "new").exists()
    assert world.last("etc")["status"] == "OK"
    assert world.b1000("status").returncode == 0
    # Whoever asks for it by name, or brings it elsewhere, gets it.
    to = world.root / "to"
    done = world.b1000("restore", "etc", "--to", str(to), str(world.status_dir))
    assert done.returncode == 0, done.stderr
    assert (to / "var" / "lib" / "b1000" / "journal.sqlite3").exists()


def test_a_mirror_leaves_the_storages_of_this_host(world: World) -> None:
    srv = world.root / "srv"
    root = srv / "backup" / "client-1"
    identify(root, NIGHT)
    put(root, a_mark())
    world.write({"dest:one": {"type": "store", "path": srv / "backup" / "*"}})
    (srv / "extra").touch()
    before = tree(srv / "backup")
    done = world.b1000("restore", "etc", "--to", str(srv), "--mirror", "--yes")
    assert done.returncode == 0, done.stderr
    assert "1 name will be deleted: extra" in done.stderr
    assert f"{srv / 'backup'} stays as it is" in done.stderr
    assert tree(srv / "backup") == before
    assert (srv / "file").read_text() == "text"
    printed = world.b1000("restore", "etc", "--to", str(srv), "--mirror", "--print").stdout
    subprocess.run(["sh", "-c", printed], check=True)
    assert tree(srv / "backup") == before


@pytest.mark.parametrize("job", ["etc", "www"])
@pytest.mark.parametrize("below", ["", "new", "new/deeper"])
def test_nothing_is_restored_into_a_backup(world: World, below: str, job: str) -> None:
    root = world.root / "one"
    backup = put(root, a_mark(job=job))
    put(root, a_mark())
    before = tree(root)
    alias = world.root / "alias"
    alias.symlink_to(backup)
    world.write({"dest:one": {"type": "store", "path": root}})
    for top in (backup, alias):
        to = Path(top, below)
        for words in ([], ["--merge"]):
            done = world.b1000("restore", "etc", "--to", str(to), *words)
            assert done.returncode == 2
            assert f"is in a backup, {backup}; a directory elsewhere" in done.stderr or not below
    assert tree(root) == before


def test_no_mirror_deletes_what_lies_at_a_storage_or_the_journal(world: World) -> None:
    """Whoever mistypes DIR, such as the storage itself, or a client there, or a job."""
    srv = world.root / "srv"
    client = srv / "client-1"
    put(client, a_mark())
    put(client, a_mark(job="www"))
    world.write({"dest:one": {"type": "store", "path": srv / "*"}})
    before = tree(srv)
    locks = world.status_dir / "locks"
    locks.mkdir(parents=True)
    for to in (srv, client, client / "www", client / "new", world.status_dir, locks):
        done = world.b1000("restore", "etc", "--to", str(to), "--mirror", "--yes")
        assert done.returncode == 2
        assert f"{to} is b1000's own, and what lies there would be deleted" in done.stderr
    assert tree(srv) == before
    done = world.b1000("restore", "etc", "--to", str(client / "new"), "--merge")
    assert done.returncode == 0, done.stderr


def test_all_of_a_host_is_not_mirrored() -> None:
    with pytest.raises(UsageError, match="/ is not mirrored"):
        targets.check_mirrored([Part("etc", "/etc/"), Part("", "/")])
    targets.check_mirrored([Part("etc", "/"), Part("", "/", names="/names"), Part("", "/srv/")])
