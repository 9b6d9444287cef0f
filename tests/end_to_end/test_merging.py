"""Sources that bring the same path twice are refused before anything is copied."""

from pathlib import Path

import pytest

from b1000.jobs import Destination, Limits
from b1000.rsync import command, names
from b1000.rsync.source import Source
from tests.edges.test_rsync_facts import rsync
from tests.support.world import World, tree


@pytest.fixture
def sites(world: World) -> Path:
    """Two sites with one file, one directory and one link of the same name, and a third."""
    for site in ("a", "b"):
        directory = world.source / site
        (directory / "img").mkdir(parents=True)
        (directory / "index.html").write_text(site)
        (directory / "img" / site).write_text(site)
        (directory / f"only-{site}").touch()
    (world.source / "c").mkdir()
    (world.source / "c" / "c.html").touch()
    return world.source


def error(world: World) -> str:
    """The error of the only run, which copied nothing."""
    run = world.last("web")
    assert (run["step"], run["status"]) == ("COPYING", "FAILED")
    assert not tree(world.root / "store") or not list((world.root / "store").rglob("index.html"))
    return str(run["error"])


@pytest.mark.parametrize(
    ("include", "first", "second", "name"),
    [
        ("{0}/a/ {0}/b/", "{0}/a/", "{0}/b/", "img"),
        ("{0}/*/", "{0}/a/", "{0}/b/", "img"),
        ("{0}/a/index.html {0}/b/", "{0}/a/index.html", "{0}/b/", "index.html"),
        ("{0}/c/ {0}/a/img {0}/b/img/ {0}/b/", "{0}/a/img", "{0}/b/", "img"),
    ],
)
@pytest.mark.parametrize("kind", ["full", "sync"])
def test_both_sources_and_the_path_are_named(
    world: World, sites: Path, include: str, first: str, second: str, name: str, kind: str
) -> None:
    job = world.push(include=include.format(sites), type=kind)
    world.write({"dest:store": world.store(), "job:web": job})
    words = f"{first} and {second} would become one at the destination: both bring ".format(sites)
    foretold = world.b1000("-n")
    assert (foretold.returncode, words in foretold.stdout) == (1, True), foretold.stdout
    checked = world.b1000("check")
    assert checked.returncode == 2
    assert words in checked.stderr
    assert "b1000.cfg:" in checked.stderr
    assert world.b1000().returncode == 1
    told = error(world)
    assert words in told
    assert name in told or "index.html" in told
    assert "relative = yes" in told


def test_relative_is_the_way_out(world: World, sites: Path) -> None:
    job = world.push(include=f"{sites}/*/", relative="yes", type="sync")
    world.write({"dest:store": world.store(), "job:web": job})
    assert world.b1000("check").returncode == 0
    assert world.b1000().returncode == 0
    found = {path.read_text() for path in (world.root / "store").rglob("index.html")}
    assert found == {"a", "b"}


@pytest.mark.parametrize("streams", [1, 2])
def test_what_relative_keeps_of_two_sources_may_meet_too(
    world: World, sites: Path, streams: int
) -> None:
    """What stands behind /./ is all that is kept."""
    sections = {"dest:store": world.store(streams=streams)}
    same = world.push(include=f"{sites}/a/./img {sites}/b/./img", relative="yes")
    world.write({**sections, "job:web": same})
    checked = world.b1000("check")
    assert checked.returncode == 2
    assert f"{sites}/a/./img and {sites}/b/./img would become one" in checked.stderr
    for include in (f"{sites}/a/./ {sites}/b/./", f"{sites}/*/./index.html"):
        world.write(
            {**sections, "job:web": world.push(include=include, relative="yes", type="sync")}
        )
        assert world.b1000("check").returncode == 0
        foretold = world.b1000("-n")
        assert (foretold.returncode, "several sources bring " in foretold.stdout) == (1, True)
        done = world.b1000()
        assert done.returncode == 1, done.stdout
        told = world.last("web")["error"]
        assert "several sources brought index.html while they were copied" in told
        assert "behind /./" in told


def test_directories_that_relative_joins_lose_nothing(world: World, sites: Path) -> None:
    include = f"{sites}/a/./img/a {sites}/b/./img {sites}/./a/only-a {sites}/./a"
    job = world.push(include=include, relative="yes", type="sync")
    world.write({"dest:store": world.store(), "job:web": job})
    done = world.b1000()
    assert done.returncode == 0, done.stdout
    (img,) = (world.root / "store").glob("web/*/img")
    assert sorted(tree(img)) == ["a", "b"]


def test_what_is_excluded_meets_nothing(world: World, sites: Path) -> None:
    job = world.push(include=f"{sites}/a/ {sites}/b/", exclude="/index.html")
    world.write({"dest:store": world.store(exclude="img"), "job:web": job})
    checked = world.b1000("check")
    assert checked.returncode == 0, checked.stderr
    assert world.b1000().returncode == 0
    assert {path.name for path in (world.root / "store").rglob("only-*")} == {"only-a", "only-b"}


def test_one_thing_that_is_included_twice_is_copied(world: World, sites: Path) -> None:
    job = world.push(include=f"{sites}/a/ {sites}/a/index.html {sites}/a/img")
    world.write({"dest:store": world.store(), "job:web": job})
    assert world.b1000("check").returncode == 0
    done = world.b1000()
    assert done.returncode == 0, done.stderr
    assert [path.read_text() for path in (world.root / "store").rglob("index.html")] == ["a"]


@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("name", ["f\nx", "f\\#012x", "f\\x", "f\x7fx", "fü", "f\udcffx", "f x"])
def test_one_thing_is_one_whatever_it_is_called(world: World, name: str, streams: int) -> None:
    """What rsync says of a name has other letters than that."""
    for directory in (world.source / name, world.source / "plain"):
        directory.mkdir()
        (directory / "q").write_text("one")
        (directory / name).write_text("deeper")
    for include in (f"{world.source}/ {world.source}/*", f"{world.source}/f* {world.source}/"):
        job = world.push(include=include, type="sync")
        world.write({"dest:store": world.store(streams=streams), "job:web": job})
        done = world.b1000()
        assert done.returncode == 0, done.stdout
    (copy,) = (world.root / "store").glob("web/*/")
    assert dict(tree(copy)) == dict(tree(world.source))


@pytest.mark.parametrize("streams", [1, 2])
def test_what_comes_while_it_is_copied_makes_the_copy_fail(
    world: World, sites: Path, streams: int
) -> None:
    """An rsync that stands before the real one: it brings the name once the sources were seen."""
    programs = world.root / "bin"
    programs.mkdir()
    wrapper = programs / "rsync"
    wrapper.write_text(
        f'#!/bin/sh\ncase "$*" in *--stats*) echo late > {sites}/c/only-a;; esac\n'
        'exec /usr/bin/rsync "$@"\n'
    )
    wrapper.chmod(0o755)
    job = world.push(include=f"{sites}/a/ {sites}/c/", type="sync")
    world.write({"dest:store": world.store(streams=streams), "job:web": job})
    done = world.b1000(environment={"PATH": f"{programs}:/usr/bin:/bin"})
    assert done.returncode == 1, done.stdout
    assert "several sources brought only-a while they were copied" in world.last("web")["error"]


def test_rsync_tells_each_name_that_it_finds_twice(world: World, sites: Path) -> None:
    place = Destination("store", str(world.root / "store"))
    argv = command.copy(Source([f"{sites}/a/", f"{sites}/b/"]), place.path, place, Limits())
    lines = rsync(argv).stdout.replace("\r", "\n").splitlines()
    assert {"index.html", "img"} <= {names.duplicate(line) for line in lines}
