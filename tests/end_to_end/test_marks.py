"""Marks beside backups: when they come, what they say, and what becomes of those that cannot."""

from pathlib import Path

from b1000.b1k import mark, root_id
from tests.support.world import World


def read(path: Path, root: Path) -> mark.Mark:
    """A mark as a storage reads it."""
    place = str(path.relative_to(root)).removesuffix(".b1k")
    return mark.parse(path.read_bytes(), place)


def test_a_full_has_its_mark_beside_it(world: World) -> None:
    (world.files() / "sub").mkdir()
    (world.source / "link").symlink_to("file0")
    world.write({"dest:store": world.store(), "job:etc": world.push(hard_links="yes")})
    assert world.b1000().returncode == 0
    root = world.root / "store"
    (found,) = root.glob("*/*/*.b1k")
    told = read(found, root)
    assert told.complete
    assert (root / told.directory).is_dir()
    assert told.counts == mark.Counts(3, 2, 1, 0, told.counts.bytes, 0)
    assert told.options == ("hard_links",)
    with world.journal() as journal:
        assert journal.execute("SELECT first_uid FROM runs").fetchall() == [(told.run,)]
        assert not journal.execute("SELECT * FROM pending").fetchall()
    identity = root_id.parse((root / root_id.FILE).read_bytes())
    assert identity.created <= told.started
