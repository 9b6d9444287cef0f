"""``--dry-run``: what would be run is told, and nothing is written anywhere."""

import re
from collections.abc import Callable
from datetime import datetime

import pytest

from tests.support.daemon import Daemon
from tests.support.world import World, tree, wait_until


def written(world: World) -> dict[str, object]:
    """All below the world's directory but what daemons log."""
    return {
        name: content for name, content in tree(world.root).items() if not name.endswith("/log")
    }


def rehearsed(world: World, *words: str, code: int = 0) -> str:
    """What it says; nothing below the world's directory has changed."""
    before = written(world)
    done = world.b1000("-n", *words)
    assert done.returncode == code, done.stdout + done.stderr
    assert written(world) == before
    return done.stdout + done.stderr


def test_all_is_told_and_nothing_is_made(world: World, daemon: Callable[..., Daemon]) -> None:
    world.files(3)
    storage = daemon()
    ran = world.root / "ran"
    world.write(
        {
            "global": {"log_file": world.root / "log"},
            "dest:store": world.store(),
            "dest:far": {
                "type": "active",
                "path": storage.url("b1000"),
                "rsync_options": "--fuzzy",
            },
            "job:db": world.push(
                instances="!echo a b",
                master_host="!echo master-$instance",
                data_age="!echo 12",
                dest="store far&",
                exclude="*2",
                pre=f"touch {ran}",
                post=f"touch {ran}",
            ),
        }
    )
    told = rehearsed(world)
    for instance in ("a", "b"):
        assert f"db/{instance} (push, full)" in told
        assert f"client-{instance}-master-{instance}-" in told
    assert told.count("would send 2 files, 20 bytes") == 4
    assert told.count("age of the data: 12 s") == 2
    assert told.count("copy to far in the background: rsync://127.0.0.1") == 2
    assert told.count("--fuzzy") == 2
    assert told.count(f"pre: touch {ran}") == told.count(f"post: touch {ran}") == 2
    assert rehearsed(world, "db/b").count("(push, full)") == 1


def test_what_would_fail_fails(world: World) -> None:
    world.write(
        {
            "dest:store": world.store(),
            "job:gone": world.push(include=world.root / "nothing"),
            "job:half": world.push(include=f"{world.source} {world.root}/nothing"),
            "job:made": world.push(include=world.root / "nothing", pre=":"),
            "job:silent": world.push(instances="!true"),
            "job:stranger": world.push(master_host="!echo 'a b'"),
            "job:broken": world.push(dest="nowhere"),
        }
    )
    told = rehearsed(world, code=1)
    assert "would FAIL: nothing at the source matches" in told
    assert "nothing; pre may make it" in told
    assert "nothing; the rest would be copied" in told
    rehearsed(world, "half", code=1)
    assert re.search(rf"    rsync .* -- {world.root}/nothing \S+/made/\S+/\n", told)
    assert "the output of the instances script is empty" in told
    assert told.count("would FAIL at INIT") == 3
    assert "there is no [dest:nowhere]" in told
    rehearsed(world, "made")


def test_two_instances_that_would_share_a_directory(world: World) -> None:
    world.files()
    master = "!test $instance = a && echo b-c || echo c"
    job = world.push(instances="a a-b", master_host=master)
    world.write({"dest:store": world.store(), "job:db": job})
    told = rehearsed(world, code=1)
    assert "would FAIL at INIT: db/a and db/a-b would both be copied into" in told
    rehearsed(world, "db/a-b")


def test_what_delete_would_remove(world: World) -> None:
    world.files(3)
    world.write({"dest:store": world.store(), "job:j": world.push(type="sync", delete="yes")})
    assert world.b1000().returncode == 0
    (world.source / "file1").unlink()
    assert "would send 0 files, 0 bytes, delete 1" in rehearsed(world)


def test_what_copy_would_go_on_with(world: World) -> None:
    world.files()
    tidy = world.push(post=f"touch {world.root}/tidied")
    world.write({"dest:store": world.store(path="/proc/nowhere"), "job:j": tidy})
    assert rehearsed(world, "--copy") == ""
    assert world.b1000().returncode == 1
    told = rehearsed(world, "--copy")
    assert told.startswith("j of 20")
    assert "copy to store: /proc/nowhere/j/" in told
    assert told.endswith(f", post: touch {world.root}/tidied\n")


def test_of_copy_only_what_is_named_is_told(world: World) -> None:
    world.files()
    world.write(
        {
            "dest:store": world.store(path="/proc/nowhere"),
            "job:etc": world.push(),
            "job:home": world.push(),
            "job:db": world.push(instances="a b"),
        }
    )
    assert "there is no job 'nix'" in rehearsed(world, "--copy", "nix", code=2)
    assert world.b1000().returncode == 1

    def named(*words: str) -> list[str]:
        told = rehearsed(world, "--copy", *words).splitlines()
        return sorted(line.partition(" of ")[0] for line in told)

    assert named() == ["db/a", "db/b", "etc", "home"]
    assert named("home", "db/b") == ["db/b", "home"]
    assert named("db") == ["db/a", "db/b"]
    assert "there is no job 'nix'" in rehearsed(world, "-c", "nix", "etc", code=2)
    assert "db/c never ran" in rehearsed(world, "-c", "db/c", code=2)

    # What cannot be resumed, or not any more, is told as that.
    world.write(
        {"dest:store": world.store(), "job:home": world.push(), "job:db": world.push(instances="a")}
    )
    assert world.b1000("home").returncode == 0
    told = rehearsed(world, "-c", "home", "etc", code=1)
    assert "would be closed: a later run has begun (never copied to store)" in told
    assert "cannot be resumed: [job:etc] is no longer configured" in told
    other = {"dest:other": world.store("other"), "job:db": world.push(instances="a", dest="other")}
    world.write(other)
    told = rehearsed(world, "-c", "db/a", code=1)
    assert "copy to store: cannot be made: the job no longer has this destination" in told


def test_an_instance_that_its_job_does_not_list(world: World) -> None:
    world.write({"dest:store": world.store(), "job:db": world.push(instances="!echo a b")})
    for words in (["db/c"], ["db", "db/c"], ["db/c", "db"]):
        told = rehearsed(world, *words, code=2)
        assert told == "b1000: job 'db' has no instance 'c' now; its instances: a, b\n"


def test_a_quiet_one_tells_of_failures_only(world: World) -> None:
    world.files()
    world.write(
        {
            "dest:store": world.store(),
            "job:good": world.push(),
            "job:gone": world.push(include=world.root / "nothing"),
        }
    )
    with world.config.open("a") as config:
        config.write("include = /a/thing/that/is/not/there\n")  # a warning: it is given twice
    assert rehearsed(world, "-q", "good") == ""
    done = world.b1000("-q", "-n")
    assert (done.returncode, done.stdout) == (1, "")
    assert "would FAIL: nothing at the source matches" in done.stderr
    assert "good" not in done.stderr


@pytest.mark.parametrize("far", [False, True])
def test_to_what_unchanged_files_would_be_linked(
    world: World, daemon: Callable[..., Daemon], far: bool
) -> None:
    world.files()
    path = daemon({"b1000": ""}).url("b1000") + "/in/it" if far else world.root / "store"
    store = {"type": "active", "path": path, "link_dest": "yes", "streams": 3}
    world.write({"dest:store": store, "job:j": world.push(type="full")})
    told = rehearsed(world)
    assert "in 3 streams, then once over the whole" in told
    assert "would send 3 files" in told
    assert "--link-dest" not in told
    assert world.b1000().returncode == 0
    (made,) = (copy["path"] for copy in world.last("j")["copies"])
    (world.source / "a").write_text("changed\n")
    wait_until(lambda: not made.endswith(f"{datetime.now():%H:%M:%S}"))
    told = rehearsed(world)
    assert f"/{made.rpartition('/')[2]}" in re.findall(r"--link-dest=\S+", told)[0]
    assert "would send 1 file," in told
    assert "streams" not in told


def test_no_password_is_shown(world: World, daemon: Callable[..., Daemon]) -> None:
    world.files()
    secrets = world.root / "secrets"
    secrets.write_text("client-1:pa55word\n")
    secrets.chmod(0o600)
    storage = daemon({"b1000": f"auth users = client-1\nsecrets file = {secrets}"})
    password = world.root / "password"
    password.write_text("pa55word\n")
    password.chmod(0o600)
    url = storage.url("b1000").replace("rsync://", "rsync://client-1@")
    world.write(
        {
            "dest:far": {"type": "active", "path": url, "password_file": password},
            "job:j": world.push(dest="far"),
        }
    )
    told = rehearsed(world)
    assert "would send 3 files" in told
    assert "pa55word" not in told


def test_what_would_be_sent_is_told_apart_from_the_whole_tree(world: World) -> None:
    world.files(3)
    (world.source / "link").symlink_to("file0")
    world.write({"dest:store": world.store(), "job:etc": world.push(type="sync")})
    world.b1000()
    (world.source / "file1").write_text("changed since\n")
    sent = len("changed since\n")
    told = rehearsed(world)
    whole = re.search(rf"would send 1 file, {sent} bytes; the whole tree has 3 files, (\d+)", told)
    assert whole, told
    world.b1000()
    assert world.last("etc")["copies"][0]["bytes"] == int(whole[1])
