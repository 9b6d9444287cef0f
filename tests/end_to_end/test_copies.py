"""How copies are made: order, retries, options of rsync, names, limits, leftovers."""

import fcntl
import itertools
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from b1000.b1k import root_id
from tests.support.daemon import Daemon
from tests.support.world import World, tree, wait_until

Daemons = Callable[..., Daemon]
REAL_RSYNC = shutil.which("rsync")


class Call(NamedTuple):
    """One rsync: the destination's directory, when it began and ended, its exit code."""

    to: str
    began: float
    ended: float
    code: int


class Recorder:
    """An ``rsync`` on PATH that notes when it runs, and runs ``script`` (``$REAL``, ``$to``)."""

    def __init__(self, world: World, script: str = '"$REAL" "$@"') -> None:
        self._notes = world.root / "notes"
        directory = world.root / "bin"
        directory.mkdir()
        program = directory / "rsync"
        program.write_text(
            f'#!/bin/bash\nREAL={REAL_RSYNC}\nfor to; do :; done; to="${{to#{world.root}/}}"\n'
            f"began=$(date +%s.%N)\n(\n{script}\n)\ncode=$?\n"
            f'echo "${{to%%/*}} $began $(date +%s.%N) $code" >> {self._notes}\nexit $code\n'
        )
        program.chmod(0o755)
        self.environment = {"PATH": f"{directory}:/usr/bin:/bin"}

    def calls(self) -> list[Call]:
        """What ran, in the order of their beginnings."""
        if not self._notes.exists():
            return []
        lines = [line.split() for line in self._notes.read_text().splitlines()]
        found = [Call(to, float(began), float(end), int(code)) for to, began, end, code in lines]
        return sorted(found, key=lambda call: call.began)

    def order(self) -> list[str]:
        """Where they went."""
        return [call.to for call in self.calls()]


def stores(world: World, *names: str) -> dict[str, dict[str, object]]:
    return {f"dest:{name}": world.store(name) for name in names}


def synced(world: World, name: str = "store") -> Path:
    return world.root / name / "j" / "client"


def sync(world: World, store: dict[str, object] | None = None, **options: object) -> None:
    """A job ``j`` of type sync into ``store``."""
    world.write(
        {
            "dest:store": {**world.store(), **(store or {})},
            "job:j": world.push(type="sync", **options),
        }
    )


def succeeds(world: World, **how: Any) -> str:
    """Run it; all goes well. Gives what it logged."""
    done = world.b1000(**how)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not world.processes()
    text: str = done.stdout
    return text


# --- order


def test_one_copy_after_another_in_the_order_of_the_list(world: World) -> None:
    world.files()
    recorder = Recorder(world, 'sleep 0.1; "$REAL" "$@"')
    world.write({**stores(world, "a", "b", "c"), "job:j": world.push(dest="c a b")})
    succeeds(world, environment=recorder.environment)
    calls = recorder.calls()
    assert [call.to for call in calls] == ["c", "a", "b"]
    for one, other in itertools.pairwise(calls):
        assert one.ended <= other.began


def test_a_background_copy_runs_beside_the_others(world: World) -> None:
    world.files()
    recorder = Recorder(world, 'if [ "$to" != "${to#hd}" ]; then sleep 1; fi; "$REAL" "$@"')
    world.write({**stores(world, "hd", "tele", "atm"), "job:j": world.push(dest="hd& tele atm")})
    succeeds(world, environment=recorder.environment)
    by_name = {call.to: call for call in recorder.calls()}
    assert len(by_name) == 3
    assert by_name["hd"].began < by_name["tele"].ended <= by_name["atm"].began
    assert by_name["atm"].ended < by_name["hd"].ended
    run = world.last("j")
    assert [copy["status"] for copy in run["copies"]] == ["DONE"] * 3


def test_a_background_copy_begins_in_its_turn(world: World) -> None:
    world.files()
    recorder = Recorder(world, 'sleep 0.2; "$REAL" "$@"')
    world.write({**stores(world, "a", "hd", "b"), "job:j": world.push(dest="a hd& b")})
    succeeds(world, environment=recorder.environment)
    first, second, third = recorder.calls()
    assert first.to == "a"
    assert {second.to, third.to} == {"hd", "b"}
    assert first.ended <= second.began
    assert third.began < second.ended


def test_the_members_of_a_group_are_shuffled(world: World) -> None:
    world.files()
    recorder = Recorder(world)
    names = [f"d{number}" for number in range(6)]
    world.write({**stores(world, *names), "job:j": world.push(dest=f"{'/'.join(names)} last")}
                | stores(world, "last"))  # fmt: skip
    orders = set()
    for _ in range(3):
        before = len(recorder.calls())
        succeeds(world, environment=recorder.environment)
        order = recorder.order()[before:]
        assert sorted(order[:6]) == names
        assert order[6] == "last"
        orders.add(tuple(order))
    # One in 518,400 that all three are the same.
    assert len(orders) > 1


# --- retries


def test_all_destinations_are_tried_once_before_the_first_again(world: World) -> None:
    world.files()
    recorder = Recorder(
        world,
        'sleep 0.1; case "$to" in b*) "$REAL" "$@";; *) exit 12;; esac',
    )
    world.write(
        {
            "global": {"copy_retries": 2},
            **stores(world, "hd", "a", "b", "c"),
            "job:j": world.push(dest="hd& a b c"),
        }
    )
    assert world.b1000(environment=recorder.environment).returncode == 1
    order = recorder.order()
    assert sorted(order[:4]) == ["a", "b", "c", "hd"]
    # copy_retries does not count the first attempt.
    assert {name: order.count(name) for name in order} == {"hd": 3, "a": 3, "b": 1, "c": 3}
    run = world.last("j")
    assert {copy["destination"]: copy["attempts"] for copy in run["copies"]} == {
        "hd": 3, "a": 3, "b": 1, "c": 3,
    }  # fmt: skip
    # In the foreground one goes at a time, retries too.
    foreground = [call for call in recorder.calls() if call.to != "hd"]
    for one, other in itertools.pairwise(foreground):
        assert one.ended <= other.began


def test_no_retries(world: World) -> None:
    world.files()
    recorder = Recorder(world, "exit 12")
    world.write({"global": {"copy_retries": 0}, **stores(world, "store"), "job:j": world.push()})
    assert world.b1000(environment=recorder.environment).returncode == 1
    assert len(recorder.calls()) == 1


def test_the_wait_before_a_retry_is_never_less_than_its_minimum(world: World) -> None:
    world.files()
    recorder = Recorder(world, "exit 12")
    world.write(
        {
            "global": {"copy_retries": 2, "copy_retry_min_sleep": 1},
            **stores(world, "store"),
            "job:j": world.push(),
        }
    )
    done = world.b1000(environment=recorder.environment)
    assert done.returncode == 1
    one, two, three = recorder.calls()
    assert 1 <= two.began - one.ended < 2.7
    # It grows: 2 seconds and up to 1 of jitter.
    assert 2 <= three.began - two.ended < 3.7
    assert re.search("attempt 1 failed: .* next in [12] s", done.stdout)


def test_a_copy_that_succeeds_after_a_retry_is_done(world: World) -> None:
    world.files()
    recorder = Recorder(
        world, f'[ -e {world.root}/once ] || {{ touch {world.root}/once; exit 12; }}; "$REAL" "$@"'
    )
    world.write({"global": {"copy_retries": 1}, **stores(world, "store"), "job:j": world.push()})
    succeeds(world, environment=recorder.environment)
    run = world.last("j")
    (copy,) = run["copies"]
    assert (run["status"], copy["status"], copy["attempts"]) == ("OK", "DONE", 2)
    assert (run["error"], copy["error"]) == ("", "")
    assert tree(Path(copy["path"])) == tree(world.source)


def test_exit_23_is_retried_once_at_most(world: World) -> None:
    world.files()
    recorder = Recorder(world, "exit 23")
    world.write({"global": {"copy_retries": 5}, **stores(world, "store"), "job:j": world.push()})
    assert world.b1000(environment=recorder.environment).returncode == 1
    assert len(recorder.calls()) == 2
    assert world.last("j")["copies"][0]["attempts"] == 2


# --- what is copied


def test_a_change_of_the_same_size_within_the_same_second(world: World) -> None:
    sync(world)
    file = world.source / "file"
    second = int(time.time()) * 10**9
    file.write_text("one")
    os.utime(file, ns=(second, second + 1000))
    succeeds(world)
    assert (synced(world) / "file").read_text() == "one"
    file.write_text("two")
    os.utime(file, ns=(second, second + 2000))
    succeeds(world)
    assert (synced(world) / "file").read_text() == "two"


def test_owners_times_modes_and_links(world: World, daemon: Daemons) -> None:
    storage = daemon()
    world.files()
    (world.source / "link").symlink_to("nowhere at all")
    (world.source / "dir").mkdir(mode=0o700)
    (world.source / "file0").chmod(0o4751)
    os.utime(world.source / "file0", ns=(0, 123456789123456789))
    sync(world, {"path": storage.url("b1000")})
    succeeds(world)
    copied = storage.module("b1000") / "j" / "client"
    assert tree(copied) == tree(world.source)
    for name in ("file0", "dir", "link"):
        one, other = (world.source / name).lstat(), (copied / name).lstat()
        assert (one.st_mode, one.st_mtime_ns) == (other.st_mode, other.st_mtime_ns)
        assert (one.st_uid, one.st_gid) == (other.st_uid, other.st_gid)


def test_a_local_sync_directory_is_locked_for_those_with_another_journal_too(
    world: World,
) -> None:
    world.files(1)
    sync(world)
    directory = synced(world)
    directory.mkdir(parents=True)
    held = os.open(directory, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    running = world.start()
    wait_until(lambda: "another copy writes into" in world.b1000("status").stdout)
    assert not any(directory.iterdir())
    os.close(held)
    running.communicate(timeout=30)
    assert running.returncode == 0
    assert tree(directory) == tree(world.source)


def test_sync_keeps_what_is_gone_at_the_source(world: World) -> None:
    world.files()
    sync(world)
    succeeds(world)
    (world.source / "file0").unlink()
    succeeds(world)
    assert (synced(world) / "file0").exists()


def test_delete_removes_what_is_gone_at_the_source(world: World) -> None:
    world.files()
    sync(world, delete="yes")
    succeeds(world)
    (world.source / "file0").unlink()
    succeeds(world)
    assert tree(synced(world)) == tree(world.source)


@pytest.mark.parametrize("gone", [False, True])
def test_delete_with_an_empty_or_missing_source_touches_nothing(world: World, gone: bool) -> None:
    world.files()
    other = world.root / "other"
    other.mkdir()
    (other / "other").write_text("of the other source")
    sync(world, delete="yes", include=f"{world.source}/ {other}/")
    succeeds(world)
    before = tree(synced(world))
    assert len(before) == 4
    for path in world.source.iterdir():
        path.unlink()
    if gone:
        world.source.rmdir()
    (other / "new").write_text("that is not copied either")
    recorder = Recorder(world)
    world.write({"global": {"copy_retries": 3}, "dest:store": world.store(),
                 "job:j": world.push(type="sync", delete="yes",
                                     include=f"{world.source}/ {other}/")})  # fmt: skip
    assert world.b1000(environment=recorder.environment).returncode == 1
    assert recorder.calls() == []
    assert tree(synced(world)) == before
    (copy,) = world.last("j")["copies"]
    assert (copy["status"], copy["attempts"]) == ("FAILED", 1)
    assert f"{world.source}/" in copy["error"]
    assert "with delete = yes the destination would be emptied" in copy["error"]


def test_relative_keeps_the_full_paths(world: World) -> None:
    for name in ("a/data", "b/data"):
        path = world.source / name
        path.mkdir(parents=True)
        (path / "file").write_text(name)
    include = f"{world.source}/a/data {world.source}/b/data"
    sync(world, relative="yes", include=include)
    succeeds(world)
    assert tree(synced(world) / str(world.source).lstrip("/")) == tree(world.source)
    # Without it they would merge.
    world.write({**stores(world, "store"), "job:k": world.push(include=include)})
    assert world.b1000().returncode == 1
    assert "relative" in world.last("k")["error"]
    assert not (world.root / "store" / "k").exists()


def test_hard_links(world: World) -> None:
    world.files()
    os.link(world.source / "file0", world.source / "same")
    sync(world)
    succeeds(world)
    assert (synced(world) / "same").stat().st_nlink == 1
    sync(world, {"path": world.root / "linked"}, hard_links="yes")
    succeeds(world)
    copied = synced(world, "linked")
    assert (copied / "same").samefile(copied / "file0")


def test_sparse(world: World) -> None:
    with (world.source / "holes").open("wb") as file:
        file.write(b"begin" + b"\0" * 4_000_000 + b"end")
    sync(world)
    succeeds(world)
    assert (synced(world) / "holes").stat().st_blocks * 512 > 3_000_000
    sync(world, {"path": world.root / "sparse"}, sparse="yes")
    succeeds(world)
    assert (synced(world, "sparse") / "holes").stat().st_blocks * 512 < 100_000
    assert tree(synced(world, "sparse")) == tree(world.source)


def test_xattrs(world: World) -> None:
    world.files()
    try:
        os.setxattr(world.source / "file0", "user.b1000", b"kept")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error}")
    sync(world, xattrs="yes")
    succeeds(world)
    assert os.getxattr(synced(world) / "file0", "user.b1000") == b"kept"


def sent(log: str) -> list[int]:
    """How many bytes each rsync sent, by its own totals (verbosity 2)."""
    return [int(number) for number in re.findall(r"Total bytes sent: (\d+)", log)]


def test_compress(world: World, daemon: Daemons) -> None:
    (world.source / "file").write_text("the same again and again\n" * 40_000)
    storage = daemon({"plain": "", "packed": ""})
    sync(world, {"path": storage.url("plain"), "verbosity": 2})
    (plain,) = sent(succeeds(world))
    sync(world, {"path": storage.url("packed"), "verbosity": 2, "compress": "yes"})
    (packed,) = sent(succeeds(world))
    assert plain > 1_000_000
    assert packed < 100_000
    assert tree(storage.module("packed") / "j" / "client") == tree(world.source)


def test_bwlimit(world: World) -> None:
    (world.source / "file").write_bytes(os.urandom(1_000_000))
    recorder = Recorder(world)
    sync(world, {"bwlimit": 1000})
    succeeds(world, environment=recorder.environment)
    (call,) = recorder.calls()
    assert 0.5 < call.ended - call.began < 5


def test_excludes_of_job_and_destination(world: World) -> None:
    for name in ("a.tmp", "b.log", "two words", "kept", "sub/a.tmp", "sub/kept", "top", "sub/top"):
        (world.source / name).parent.mkdir(exist_ok=True)
        (world.source / name).write_text(name)
    world.write(
        {
            "dest:one": world.store("one", exclude="*.log /top"),
            "dest:two": world.store("two"),
            "job:j": world.push(type="sync", dest="one two", exclude="*.tmp\n 'two words'"),
        }
    )
    succeeds(world)
    assert set(tree(synced(world, "one"))) == {"kept", "sub", "sub/kept", "sub/top"}
    assert set(tree(synced(world, "two"))) == {
        "b.log", "kept", "sub", "sub/kept", "sub/top", "top",
    }  # fmt: skip


def test_quotes_blanks_and_globs_in_include(world: World) -> None:
    for name in ("a b/one", "x/1.sql", "x/2.sql", "x/3.txt", "li*ral/two", "lixral/no", "it's/q"):
        path = world.source / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    include = "\n ".join(
        [
            f"'{world.source}/a b'",
            f"{world.source}/x/*.sql {world.source}/li\\*ral",
            f'"{world.source}/it\'s/"',
        ]
    )
    sync(world, include=include)
    succeeds(world)
    assert {name for name, content in tree(synced(world)).items() if content is not None} == {
        "a b/one", "1.sql", "2.sql", "li*ral/two", "q",
    }  # fmt: skip


ODD = [
    b"new\nline", b"\xff\xfe\x80", b"-rf", b"--delete", b"-e sh", b"blank ", b" ", b"tab\t",
    b"$(touch ran)", b"`touch ran`", b"; touch ran", b"quote'\"", b"*", b"[x]", b"back\\slash",
    b"#comment", b"~", b"host:path", b"rsync:", b"B\xc3\xa4r", b"esc\x1b[31m", b"x" * 250,
    b"Total bytes sent: 5", b".b1001", b".bashrc.backup",
]  # fmt: skip


@pytest.mark.parametrize("verbosity", [1, 3])
@pytest.mark.parametrize("how", ["directory", "glob"])
def test_names_of_any_bytes(world: World, daemon: Daemons, how: str, verbosity: int) -> None:
    for name in ODD:
        (world.source / os.fsdecode(name)).write_bytes(name)
        directory = world.source / os.fsdecode(b"in-" + name[:240])
        directory.mkdir()
        (directory / os.fsdecode(name)).write_bytes(name)
    storage = daemon()
    include = f"{world.source}/" if how == "directory" else f"{world.source}/* {world.source}/.b*"
    world.write(
        {
            "dest:local": world.store("local", verbosity=verbosity),
            "dest:far": {
                "type": "active", "path": storage.url("b1000"), "verbosity": verbosity,
            },
            "job:j": world.push(type="sync", dest="local far", include=include),
        }
    )  # fmt: skip
    log = succeeds(world)
    expected = tree(world.source)
    assert len(expected) == 3 * len(ODD)
    assert tree(synced(world, "local")) == expected
    assert tree(storage.module("b1000") / "j" / "client") == expected
    assert [copy["files"] for copy in world.last("j")["copies"]] == [2 * len(ODD)] * 2
    assert "\x1b" not in log
    assert not list(world.root.rglob("ran"))


def test_a_colon_and_blanks_in_paths(world: World, daemon: Daemons) -> None:
    source = world.root / "a:b" / "c d:e"
    source.mkdir(parents=True)
    (source / "f:g").write_text("content")
    storage = daemon()
    world.write(
        {
            "dest:local": world.store("x:y/some where"),
            "dest:far": {"type": "active", "path": storage.url("b1000") + "/x:y/z"},
            "job:j": world.push(dest="local far", include=f"'{source}'"),
        }
    )
    succeeds(world)
    for copy in world.last("j")["copies"]:
        path = copy["path"].replace(storage.url("b1000"), str(storage.module("b1000")))
        assert tree(Path(path)) == {"c d:e": None, "c d:e/f:g": b"content"}


def test_missing_directories_are_made(world: World, daemon: Daemons) -> None:
    world.files()
    storage = daemon()
    world.write(
        {
            "dest:local": world.store("some/deep/place"),
            "dest:far": {"type": "active", "path": storage.url("b1000") + "/some/deep/place"},
            "job:j": world.push(type="sync", dest="local far"),
        }
    )
    succeeds(world)
    assert tree(synced(world, "some/deep/place")) == tree(world.source)
    far = storage.module("b1000") / "some" / "deep" / "place" / "j" / "client"
    assert tree(far) == tree(world.source)


def test_more_options_for_rsync(world: World) -> None:
    world.files()
    options = "--chmod=F600 --skip-compress 'a b' --block-size 8192"
    sync(world, {"rsync_options": options})
    assert "--skip-compress=a b" in world.b1000("-n").stdout
    succeeds(world)
    assert tree(synced(world)) == tree(world.source)
    assert (synced(world) / "file0").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "option",
    ["--inplace", "--append-verify", "--delete-after", "-essh", "--rsh=sh", "--files-from=/x",
     "--link-dest=../x", "--daemon", "-ne", "--del", "--max-size=100", "--exclude-from=x", "-aum",
     "--no-links", "--existing", "--fuzzy --max-size 100", "--fuzy", "--log-file=/tmp/x",
     "--out-format=%n", "--copy-as=nobody"],
)  # fmt: skip
def test_options_that_would_break_promises_are_refused(world: World, option: str) -> None:
    world.files()
    sync(world, {"rsync_options": option})
    assert world.b1000().returncode == 1
    assert world.last("j")["step"] == "INIT"
    assert not (world.root / "store").exists()


# --- the log


def test_verbosity(world: World) -> None:
    world.files()
    (world.source / "Bär").write_text("not ASCII")
    logs = {}
    for verbosity in (1, 2, 3):
        name = f"store{verbosity}"
        sync(world, {"path": world.root / name, "verbosity": verbosity})
        logs[verbosity] = succeeds(world)
    for log in logs.values():
        assert "store: DONE (4 files, " in log
    assert "file1" not in logs[1]
    assert re.search(r"store: file1$", logs[2], re.MULTILINE)
    assert re.search(r"store: >f\++ file1$", logs[3], re.MULTILINE)
    for verbosity in (2, 3):
        assert "Bär" in logs[verbosity]
        assert "Total bytes sent: " in logs[verbosity]
    # Why it was sent: another size.
    (world.source / "file1").write_text("longer than before")
    assert re.search(r"store: >f\.s\S* file1$", succeeds(world), re.MULTILINE)


def test_bytes_and_files_are_those_of_the_tree(world: World) -> None:
    world.files(3)
    sync(world)
    for _ in range(2):
        succeeds(world)
        (copy,) = world.last("j")["copies"]
        assert (copy["files"], copy["bytes"]) == (3, 3 * len("content 0\n"))


# --- limits


@pytest.mark.parametrize("most", [1, 2])
def test_max_copies_holds_over_instances_and_programs(world: World, most: int) -> None:
    world.files()
    recorder = Recorder(world, 'sleep 0.3; "$REAL" "$@"')
    world.write(
        {
            "dest:store": world.store(max_copies=most),
            "job:j": world.push(instances="1 2 3"),
            "job:k": world.push(),
        }
    )
    began, told = time.monotonic(), ""
    with (
        world.start("j", environment=recorder.environment) as one,
        world.start("k", environment=recorder.environment) as other,
    ):
        for program in (one, other):
            out, err = program.communicate(timeout=60)
            assert program.returncode == 0, out + err
            told += out
    calls = recorder.calls()
    # An rsync that lost the race for a parent that both had to make (11) is repeated at once.
    assert [call.code for call in calls if call.code != 11] == [0] * 4
    at_once = max(sum(each.began <= call.began < each.ended for each in calls) for call in calls)
    assert at_once == most
    # What a copy is said to take is its own time, without the wait for its permit.
    spans = [float(each) + 0.05 for each in re.findall(r"sent in (\S+) s", told)]
    assert len(spans) == 4
    assert sum(spans) <= most * (time.monotonic() - began + 0.2)


def test_two_copies_into_one_directory_are_refused(world: World) -> None:
    world.files()
    world.write(
        {
            "dest:one": world.store(),
            "dest:same": world.store(),
            "job:j": world.push(type="sync", dest="one& same&"),
        }
    )
    assert world.b1000().returncode == 1
    assert world.last("j")["step"] == "INIT"
    assert "one and same" in world.last("j")["error"]
    assert not (world.root / "store").exists()


# --- partial files and leftovers


def test_a_retry_goes_on_from_what_has_arrived(world: World, daemon: Daemons) -> None:
    (world.source / "big").write_bytes(os.urandom(2_800_000))
    storage = daemon()
    world.write(
        {
            "global": {"copy_retries": 5, "copy_retry_min_sleep": 1, "copy_timeout": 1},
            "dest:store": {
                "type": "active", "path": storage.url("b1000"), "bwlimit": 2000, "verbosity": 2,
            },
            "job:j": world.push(),
        }
    )  # fmt: skip
    log = succeeds(world)
    run = world.last("j")
    (copy,) = run["copies"]
    assert copy["attempts"] > 1
    # The last attempt sent only what was missing.
    assert sent(log)[-1] < 2_600_000
    directory = storage.module("b1000") / copy["path"].removeprefix(storage.url("b1000/"))
    assert tree(directory) == tree(world.source)


def test_what_killed_attempts_left_is_removed_and_nothing_else(world: World) -> None:
    for name in (".bashrc.backup", "deep/.config.backup", "file", "skipped/.x.abcdef"):
        (world.source / name).parent.mkdir(exist_ok=True)
        (world.source / name).write_text(name)
    recorder = Recorder(
        world,
        f'if [ -e {world.root}/once ]; then exec "$REAL" "$@"; fi; touch {world.root}/once\n'
        '"$REAL" "$@"; for to; do :; done; mkdir -p "$to/.b1000-partial" "$to/deep"\n'
        "for name in .file.1dZ4UH deep/.config.tqX0a1 .b1000-partial/file; do\n"
        'echo part > "$to/$name"; done; exit 12',
    )
    world.write(
        {
            "global": {"copy_retries": 1},
            **stores(world, "store"),
            "job:j": world.push(exclude="skipped"),
        }
    )
    succeeds(world, environment=recorder.environment)
    (copy,) = world.last("j")["copies"]
    assert set(tree(Path(copy["path"]))) == {
        ".bashrc.backup", "deep", "deep/.config.backup", "file",
    }  # fmt: skip
    assert [path.name for path in world.root.rglob(".b1000*")] == [root_id.FILE]


def test_a_sync_without_delete_keeps_what_looks_like_leftovers(world: World) -> None:
    world.files()
    sync(world)
    succeeds(world)
    (synced(world) / ".kept.backup").write_text("of the user")
    recorder = Recorder(
        world, f'[ -e {world.root}/once ] || {{ touch {world.root}/once; exit 12; }}; "$REAL" "$@"'
    )
    world.write(
        {"global": {"copy_retries": 1}, **stores(world, "store"),
         "job:j": world.push(type="sync")}
    )  # fmt: skip
    succeeds(world, environment=recorder.environment)
    assert (synced(world) / ".kept.backup").exists()


def test_a_daemon_that_was_down_costs_no_second_listing(world: World, daemon: Daemons) -> None:
    """A sweep follows only where data may have been on its way: one claims, one copies.

    One brings the mark.
    """
    world.files()
    storage = daemon()
    storage.stop()
    recorder = Recorder(world)
    world.write(
        {
            "global": {"copy_retries": 100, "log_file": world.root / "log"},
            "dest:store": {"type": "active", "path": storage.url("b1000")},
            "job:j": world.push(),
        }
    )
    with world.start(environment=recorder.environment) as program:
        try:
            wait_until(lambda: any(call.code == 10 for call in recorder.calls()))
            storage.start()
            program.communicate(timeout=30)
        finally:
            program.kill()
    assert program.returncode == 0
    assert [call.code for call in recorder.calls()].count(0) == 3
