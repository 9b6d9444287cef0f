"""Marks beside backups: when they come, what they say, and what becomes of those that cannot."""

import fcntl
import json
from collections.abc import Callable
from pathlib import Path

from b1000.b1k import mark, root_id
from tests.support.daemon import Daemon
from tests.support.stored import a_mark, put
from tests.support.world import Sections, World, open_sqlite

Daemons = Callable[..., Daemon]


def read(path: Path, root: Path) -> mark.Mark:
    """A mark as a storage reads it."""
    place = str(path.relative_to(root)).removesuffix(".b1k")
    return mark.parse(path.read_bytes(), place)


def test_a_full_has_its_mark_beside_it(world: World) -> None:
    (world.files() / "sub").mkdir()
    (world.source / "link").symlink_to("file0")
    other, elsewhere = world.root / "other", world.root / "not" / "yet"
    world.write(
        {
            "dest:store": world.store(),
            "dest:other": world.store(path=other, mark_path=elsewhere),
            "job:etc": world.push(dest="store other", hard_links="yes"),
        }
    )
    assert world.b1000().returncode == 0
    root = world.root / "store"
    (found,) = root.glob("*/*/*.b1k")
    # With a place of their own, made where it is missing, they lie there instead.
    assert (marks(other), marks(elsewhere)) == ([], [str(found.relative_to(root))])
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


def marks(root: Path) -> list[str]:
    """All marks below a root, by name."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*.b1k"))


def remote(path: str, **options: object) -> dict[str, object]:
    """The options of a destination at a daemon."""
    return {"type": "active", "path": path, **options}


def test_at_a_daemon_a_mark_lies_beside_the_backup(world: World, daemon: Daemons) -> None:
    world.files()
    storage = daemon()
    world.write(
        {"dest:store": remote(f"{storage.url('b1000')}/sub"), "job:etc": world.push(type="sync")}
    )
    done = world.b1000()
    assert done.returncode == 0, done.stderr
    root = storage.module("b1000") / "sub"
    assert marks(root) == ["etc/client.b1k"]
    assert read(root / "etc/client.b1k", root).complete


def test_where_the_daemon_has_a_module_for_marks_they_go_there(
    world: World, daemon: Daemons
) -> None:
    world.files()
    storage = daemon({"b1000": "", "b1000-marks": ""})
    world.write({"dest:store": remote(storage.url("b1000")), "job:etc": world.push()})
    done = world.b1000()
    assert done.returncode == 0, done.stderr
    assert not marks(storage.module("b1000"))
    assert len(marks(storage.module("b1000-marks"))) == 1
    assert (
        f"its marks go to {storage.url('b1000-marks')}" in world.b1000("check", "--connect").stdout
    )


def test_a_daemon_is_asked_once_whether_it_has_such_a_module(world: World, daemon: Daemons) -> None:
    world.files()
    storage = daemon()
    job = world.push(type="sync", instances="one two")
    sections: Sections = {"global": {"workers": 1}, "dest:store": remote(storage.url("b1000"))}
    world.write({**sections, "job:etc": job})
    done = world.b1000()
    assert done.returncode == 0, done.stderr
    assert marks(storage.module("b1000")) == ["etc/client-one.b1k", "etc/client-two.b1k"]
    asked = (storage.directory / "log").read_text()
    assert asked.count("unknown module 'b1000-marks'") == 1


def test_a_storage_that_is_away_for_marks_fails_nothing_and_gets_them_later(
    world: World, daemon: Daemons
) -> None:
    world.files()
    storage = daemon({"b1000": "", "box": ""})
    box = remote(storage.url("b1000"), mark_path="rsync://127.0.0.1:1/box")
    sections: Sections = {"global": {"mark_wait": 1}, "dest:store": box, "job:etc": world.push()}
    world.write(sections)
    done = world.b1000()
    assert done.returncode == 0, done.stderr
    assert not marks(storage.module("box"))
    (told,) = json.loads(world.b1000("status", "--json").stdout)["pending"]
    assert (told["report"], told["destination"], told["updates"]) == ("", "store", 1)
    assert "127.0.0.1" in told["error"]
    with world.journal() as journal:
        ((uid,),) = journal.execute("SELECT first_uid FROM runs").fetchall()
    world.write({**sections, "dest:store": {**box, "mark_path": storage.url("box")}})
    assert world.b1000("--copy").returncode == 0
    (name,) = marks(storage.module("box"))
    assert read(storage.module("box") / name, storage.module("box")).run == uid
    assert not json.loads(world.b1000("status", "--json").stdout)["pending"]


def test_a_mark_that_is_refused_is_told_at_once_and_fails_nothing(
    world: World, daemon: Daemons
) -> None:
    world.files()
    storage = daemon({"b1000": "", "b1000-marks": "read only = yes"})
    world.write(
        {
            "global": {"mark_wait": 600},
            "dest:store": remote(storage.url("b1000")),
            "job:etc": world.push(),
        }
    )
    done = world.b1000(timeout=60)
    assert done.returncode == 0
    assert "marks at store" in done.stderr
    assert "read" in done.stderr
    assert "unreachable" not in done.stderr
    assert not marks(storage.module("b1000"))


def test_a_sync_says_that_it_is_being_written_before_it_is(world: World) -> None:
    world.files()
    seen = world.root / "seen"
    job = world.push(type="sync")
    world.write({"dest:store": world.store(), "job:etc": job})
    assert world.b1000().returncode == 0
    root = world.root / "store"
    first = read(root / "etc/client.b1k", root)
    assert first.complete
    directory = world.root / "bin"
    directory.mkdir()
    (directory / "rsync").write_text(f"#!/bin/sh\ncp {root}/etc/client.b1k {seen}\nexit 23\n")
    (directory / "rsync").chmod(0o755)
    done = world.b1000(environment={"PATH": f"{directory}:/usr/bin:/bin"})
    assert done.returncode == 1
    assert not mark.parse(seen.read_bytes(), "etc/client").complete
    assert not read(root / "etc/client.b1k", root).complete
    assert world.b1000("--copy").returncode == 0
    last = read(root / "etc/client.b1k", root)
    assert last.complete
    assert last.run == mark.parse(seen.read_bytes(), "etc/client").run != first.run


def test_a_sync_that_comes_back_after_its_removal_is_marked(world: World) -> None:
    world.files()
    world.write(
        {"dest:store": world.store(keep="all ever"), "job:etc": world.push(type="sync")},
    )
    assert world.b1000().returncode == 0
    assert world.b1000("prune", "--gone", "etc/client").returncode == 0
    root = world.root / "store"
    assert [*(root / "etc").iterdir()] == []
    assert world.b1000().returncode == 0
    assert read(root / "etc/client.b1k", root).complete


def test_a_sync_whose_mark_cannot_be_written_is_not_begun(world: World) -> None:
    world.files()
    world.write({"dest:store": world.store(), "job:etc": world.push(type="sync")})
    (world.root / "store/etc/client.b1k").mkdir(parents=True)
    done = world.b1000()
    assert done.returncode == 1
    assert "its mark cannot be written" in done.stderr
    assert not (world.root / "store/etc/client/file0").exists()


def test_without_mark_nothing_lies_beside(world: World) -> None:
    world.files()
    world.write({"dest:store": world.store(mark="no"), "job:etc": world.push()})
    assert world.b1000().returncode == 0
    assert not marks(world.root / "store")


def test_what_has_marks_no_more_does_not_bear_that_of_yesterday(
    world: World, daemon: Daemons
) -> None:
    world.files()
    storage = daemon()
    for store, root in (
        (world.store(), world.root / "store"),
        (remote(storage.url("b1000")), storage.module("b1000")),
    ):
        sections = {"dest:store": store, "job:etc": world.push(type="sync")}
        world.write(sections)
        assert world.b1000().returncode == 0
        assert read(root / "etc/client.b1k", root).complete
        world.write({**sections, "dest:store": {**store, "mark": "no"}})
        done = world.b1000()
        assert done.returncode == 0, done.stderr
        assert not read(root / "etc/client.b1k", root).complete
        # Once is enough: who has removed it has done with marks.
        (root / "etc/client.b1k").unlink()
        assert world.b1000().returncode == 0
        assert not marks(root)


def test_a_storage_that_takes_marks_no_more_is_copied_to_without(
    world: World, daemon: Daemons
) -> None:
    world.files()
    storage = daemon({"b1000": "", "box": ""})
    store = remote(storage.url("b1000"), mark_path=storage.url("box"))
    sections = {"dest:store": store, "job:etc": world.push(type="sync")}
    world.write(sections)
    assert world.b1000().returncode == 0
    gone = {**store, "mark": "no", "mark_path": f"{storage.url('box')}-gone"}
    world.write({**sections, "dest:store": gone})
    done = world.b1000()
    assert done.returncode == 0, done.stderr


def test_what_a_killed_reporter_left_beside_is_removed(world: World) -> None:
    world.files()
    world.write({"dest:store": world.store(), "job:etc": world.push(type="sync")})
    assert world.b1000().returncode == 0
    left = world.root / "store/etc/.b1000-0123456789abcdef"
    left.write_text("half")
    written = left.with_name(".b1000-fedcba9876543210")
    other = left.with_name(".b1000-other")
    other.write_text("")
    with written.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert world.b1000().returncode == 0
        assert not left.exists()
        assert written.exists()
        assert other.exists()


def test_a_name_that_would_be_taken_for_a_mark_is_refused(world: World) -> None:
    world.files()
    root = world.root / "store"
    for name in ("a.b1k", "b.keep", "c.gz"):
        for job, host in (({"instances": name}, None), ({"master_host": name}, None), ({}, name)):
            sections: Sections = {"dest:store": world.store(), "job:etc": world.push(**job)}
            world.write({**sections, "global": {"host": host or "client"}})
            done = world.b1000()
            assert done.returncode in (1, 2)
            assert name in done.stderr
            assert not [*root.glob("*/*")]
    world.write({"dest:store": world.store(), "job:etc": world.push(instances="d.b1k.e gz")})
    assert world.b1000().returncode == 0
    assert {read(root / name, root).report.instance for name in marks(root)} == {"d.b1k.e", "gz"}


def test_adopted_backups_have_marks(world: World) -> None:
    world.files()
    sections = {"dest:store": world.store(mark="no"), "job:etc": world.push()}
    world.write(sections)
    assert world.b1000().returncode == 0
    root = world.root / "store"
    world.write({**sections, "dest:store": world.store()})
    done = world.b1000("mark", "--adopt")
    assert done.returncode == 0, done.stderr
    (name,) = marks(root)
    assert read(root / name, root).complete
    assert root_id.parse((root / root_id.FILE).read_bytes())
    assert "0 marks written" in world.b1000("mark", "--adopt").stdout
    assert world.b1000("mark", "--adopt", "nobody").returncode == 2


def test_a_store_adopts_what_a_database_calls_complete(world: World) -> None:
    """Of what clients pushed a storage's own journal knows nothing."""
    world.files()
    root = world.root / "srv" / "web1"
    database = {"type": "sqlite", "path": world.root / "fleet.sqlite"}
    job = world.push(report="fleet", dest="store", master_host="m1")
    client: Sections = {
        "report:fleet": database,
        "dest:store": world.store(path=root, mark="no"),
        "job:etc": job,
        "job:tree": {**job, "type": "sync"},
    }
    world.write(client)
    assert world.b1000().returncode == 0
    assert world.b1000("etc").returncode == 0
    fulls = sorted(path for path in (root / "etc").glob("*/*") if path.is_dir())
    (sync,) = (root / "tree").iterdir()
    half = put(root, a_mark("etc", "client", master=("m1", "")), marked=False)
    with open_sqlite(world.root / "fleet.sqlite") as opened:
        # As a client tells it; the last full has another copy, which did not end.
        opened.execute(
            "UPDATE copies SET path = replace(path, ?, 'rsync://web1@s/b')", (str(root),)
        )
        opened.execute(
            """INSERT INTO copies (job_id, destination, type, path, status)
               SELECT job_id, 'other', type, replace(path, '//web1@s/', '//t/'), 'FAILED'
               FROM copies WHERE path LIKE ?""",
            (f"%{fulls[1].name}",),
        )
    assert not (root / root_id.FILE).exists()

    sections = {"dest:kept": {"type": "store", "path": root.parent / "*"}, "report:fleet": database}
    world.write({"global": {"status_dir": world.root / "other"}, **sections})
    assert world.b1000("mark", "--adopt", "nobody").returncode == 2
    done = world.b1000("mark", "--adopt")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{fulls[0]}\n{sync}\n2 marks written\n"
    told = read(Path(f"{fulls[0]}.b1k"), root)
    assert (told.complete, told.report.master_host, told.counts.files) == (True, "m1", 3)
    assert read(Path(f"{sync}.b1k"), root).type == "sync"
    assert (root / root_id.FILE).exists()
    assert half.is_dir()

    # The same run elsewhere has the same id; where the path is this one, no other copy matters.
    with open_sqlite(world.root / "fleet.sqlite") as opened:
        opened.execute(
            "UPDATE copies SET path = replace(path, 'rsync://web1@s/b', ?)", (str(root),)
        )
    assert world.b1000("mark", "--adopt").stdout == f"{fulls[1]}\n1 mark written\n"
    (world.root / "fleet.sqlite").unlink()
    Path(f"{fulls[0]}.b1k").unlink()
    done = world.b1000("mark", "--adopt")
    assert done.returncode == 1
    assert "report fleet: " in done.stderr


def test_a_root_with_marks_gets_its_id(world: World) -> None:
    root = world.root / "srv"
    put(root, a_mark())
    world.write({"dest:kept": {"type": "store", "path": root}})
    done = world.b1000("mark", "--adopt")
    assert (done.returncode, done.stdout) == (0, "0 marks written\n")
    assert root_id.parse((root / root_id.FILE).read_bytes())
