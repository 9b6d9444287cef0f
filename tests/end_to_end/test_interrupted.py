"""What an interrupted rsync left is not believed: it is compared by content, or given up."""

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import CHROOT, Daemon
from tests.support.world import World, tree, wait_until

Daemons = Callable[..., Daemon]

FILES = 64  # with their sizes enough for streams
SIZE = 20_000


def configure(
    world: World,
    address: object,
    job: dict[str, object] | None = None,
    retried: bool = False,
    **options: Any,
) -> None:
    overall = {"log_level": "DEBUG", "copy_retries": int(retried), "copy_retry_min_sleep": 1}
    store = {"type": "active", "path": address, **options}
    world.write({"global": overall, "dest:store": store, "job:etc": world.push(**(job or {}))})


def many(world: World) -> None:
    for number in range(FILES):
        (world.source / f"file{number}").write_bytes(os.urandom(SIZE))


@pytest.mark.parametrize("choice", ["--cc=none", "--checksum-choice md5,none"])
def test_whoever_wants_no_checksums_has_them_where_nothing_else_can_be_believed(
    world: World, daemon: Daemons, choice: str
) -> None:
    many(world)
    storage = daemon()
    address = storage.url("b1000")
    configure(world, address, rsync_options=choice, bwlimit=400)
    b1000_is_killed(world, storage)
    configure(world, address, rsync_options=choice)
    done = world.b1000("--copy")
    assert done.returncode == 0, done.stdout
    assert "compares by content" in done.stdout
    (backup,) = storage.module("b1000").glob("etc/*/*/")
    assert tree(backup) == tree(world.source)


@pytest.mark.parametrize("streams", [1, 3])
def test_a_daemon_that_refuses_checksums_is_sent_all_anew(
    world: World, daemon: Daemons, streams: int
) -> None:
    many(world)
    storage = daemon({"b1000": "refuse options = checksum"})
    address = storage.url("b1000")
    configure(world, address, {"type": "sync"}, bwlimit=400, streams=streams)
    b1000_is_killed(world, storage)
    victim = next(path for path in arrived(storage) if path.stat().st_size == SIZE)
    before = victim.stat()
    victim.write_bytes(os.urandom(SIZE))
    os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
    configure(world, address, {"type": "sync"}, streams=streams)
    done = world.b1000()
    assert done.returncode == 0, done.stdout
    assert "refuses the option --checksum" in done.stdout
    (backup,) = storage.module("b1000").glob("etc/*/")
    assert tree(backup) == tree(world.source)


def arrived(storage: Daemon) -> list[Path]:
    return [path for path in storage.module("b1000").rglob("file*") if ".b1000" not in str(path)]


def senders(world: World) -> list[int]:
    """The rsyncs that copy, of those that are under way."""
    return [each.pid for each in world.rsyncs("--archive") if "--list-only" not in each.cmdline()]


def b1000_is_told_to_end(world: World, storage: Daemon) -> str:
    program = world.start()
    wait_until(lambda: len(arrived(storage)) > 5)
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=60)
    return "interrupted by SIGTERM"


def b1000_is_killed(world: World, storage: Daemon) -> str:
    program = world.start()
    wait_until(lambda: len(arrived(storage)) > 5)
    program.kill()
    program.communicate(timeout=60)
    return "ended in an unknown way"


def rsync_is_told_to_end(world: World, storage: Daemon) -> str:
    program = world.start()
    wait_until(lambda: len(arrived(storage)) > 5)
    for pid in senders(world):
        os.kill(pid, signal.SIGTERM)
    program.communicate(timeout=60)
    return "was ended by a signal (rsync exit 20)"


def it_takes_too_long(world: World, _: Daemon) -> str:
    program = world.start()
    program.communicate(timeout=60)
    return "was ended after 1 s (copy_timeout)"


HOW = [b1000_is_told_to_end, b1000_is_killed, rsync_is_told_to_end, it_takes_too_long]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("kind", ["full", "sync"])
@pytest.mark.parametrize("streams", [1, 3])
def test_what_goes_on_compares_by_content(
    world: World,
    daemon: Daemons,
    how: Callable[[World, Daemon], str],
    kind: str,
    streams: int,
) -> None:
    """``--copy`` of a full, the next run of a sync; and once that has ended well, none."""
    many(world)
    storage = daemon()
    address = storage.url("b1000")
    slow: dict[str, Any] = {"bwlimit": 400, "streams": streams}
    configure(
        world, address, {"type": kind, "copy_timeout": 1 if "too" in how.__name__ else 0}, **slow
    )
    why = how(world, storage)
    status = world.b1000("status")
    if streams == 1 or how is not rsync_is_told_to_end:
        assert "compares by content, since the last" in status.stdout
        assert why in status.stdout
    # With the first attempt a part of what is there gets wrong bytes, if rsync gave it none.
    victim = random.choice([path for path in arrived(storage) if path.stat().st_size == SIZE])
    before = victim.stat()
    victim.write_bytes(os.urandom(SIZE))
    os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
    configure(world, address, {"type": kind}, streams=streams)
    done = world.b1000(*(["--copy"] if kind == "full" else []))
    if streams == 1 or how is not rsync_is_told_to_end:
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("store: compares by content, since the attempt before") == 1
        assert " --checksum " in done.stdout
        (made,) = {path.parent for path in arrived(storage)}
        assert tree(made) == tree(world.source)
        run = world.last("etc")["run_id"]
        assert ", by content, since" in world.b1000("status", "--run", str(run)).stdout
    assert "compares by content" not in world.b1000("status").stdout
    again = world.b1000()
    assert again.returncode == 0
    assert "--checksum" not in again.stdout


def test_a_retry_within_the_run_compares_too(world: World, daemon: Daemons) -> None:
    many(world)
    storage = daemon()
    configure(world, storage.url("b1000"), retried=True, bwlimit=400)
    program = world.start()
    wait_until(lambda: len(arrived(storage)) > 5)
    for pid in senders(world):
        os.kill(pid, signal.SIGTERM)
    out, _ = program.communicate(timeout=60)
    assert program.returncode == 0, out
    assert "store: compares by content, since the attempt before was ended by a signal" in out
    (made,) = {path.parent for path in arrived(storage)}
    assert tree(made) == tree(world.source)


def test_where_a_stream_was_ended_the_last_pass_compares(world: World, daemon: Daemons) -> None:
    many(world)
    storage = daemon()
    configure(world, storage.url("b1000"), bwlimit=400, streams=3)
    program = world.start()
    wait_until(lambda: len(arrived(storage)) > 5)
    for pid in senders(world)[:1]:
        os.kill(pid, signal.SIGTERM)
    out, _ = program.communicate(timeout=60)
    assert program.returncode == 0, out
    assert "store: compares by content, since a stream was ended by a signal" in out
    (made,) = {path.parent for path in arrived(storage)}
    assert tree(made) == tree(world.source)


# --- link_dest


def interrupted_full(world: World, storage: Daemon) -> tuple[Path, Path]:
    """An older full that is complete, and a newer one with it as a base that was interrupted."""
    many(world)
    configure(world, storage.url("b1000"), link_dest="yes")
    assert world.b1000().returncode == 0
    (old,) = storage.module("b1000").glob("etc/*/*/")
    for number in range(FILES // 2):
        (world.source / f"file{number}").write_bytes(os.urandom(SIZE))
    configure(world, storage.url("b1000"), link_dest="yes", bwlimit=200)
    program = world.start()
    wait_until(lambda: len(list(storage.module("b1000").glob("etc/*/*/file*"))) > FILES + 3)
    program.kill()
    program.communicate()
    wait_until(lambda: world.processes() == [], 30)
    (new,) = set(storage.module("b1000").glob("etc/*/*/")) - {old}
    configure(world, storage.url("b1000"), link_dest="yes")
    return old, new


def test_a_full_with_a_base_is_compared_and_right(world: World, daemon: Daemons) -> None:
    storage = daemon({"b1000": CHROOT})
    old, new = interrupted_full(world, storage)
    before = tree(old)
    done = world.b1000("--copy")
    assert done.returncode == 0, done.stdout
    assert "what is there stays as it is" in done.stdout
    assert "store: compares by content, since the attempt before ended in an unknown" in done.stdout
    copied = tree(new)
    assert {name: copied[name] for name in copied if name.startswith("file")} == tree(world.source)
    assert tree(old) == before
    assert (old / "file63").stat().st_ino == (new / "file63").stat().st_ino


def test_a_full_with_a_base_is_given_up_where_it_is_wrong(world: World, daemon: Daemons) -> None:
    """It is not mended in place: an older backup may share the file."""
    storage = daemon()
    old, new = interrupted_full(world, storage)
    before = tree(old)
    wrong = next(path for path in new.iterdir() if path.stat().st_nlink == 1
                 and path.stat().st_size == SIZE and path.name.startswith("file"))  # fmt: skip
    state = wrong.stat()
    wrong.write_bytes(os.urandom(SIZE))
    os.utime(wrong, ns=(state.st_atime_ns, state.st_mtime_ns))
    spoilt = wrong.read_bytes()
    done = world.b1000("--copy")
    assert done.returncode == 1
    error = world.last("etc")["copies"][0]["error"]
    assert f"whose content is not the source's ({wrong.name})" in error
    assert "a new run makes a new directory" in error
    # Nor is all read again by each --copy until then.
    again = world.b1000("--copy")
    assert again.returncode == 1
    assert "--checksum" not in again.stdout
    # Nor is one offered: it makes no difference.
    for said in (done.stderr, again.stderr):
        assert said.endswith(f"this one up; give it up with b1000 forget etc -f {world.config}\n")
    assert f"\nb1000 forget etc -f {world.config} gives it up\n" in world.b1000(
        "status", "--run", "2").stdout  # fmt: skip
    told = world.b1000("-n", "--copy")
    assert (told.returncode, "copy to store: cannot be made: " in told.stdout) == (1, True)
    assert wrong.read_bytes() == spoilt
    assert world.b1000().returncode == 0
    (third,) = set(storage.module("b1000").glob("etc/*/*/")) - {old, new}
    assert tree(third) == tree(world.source)
    assert {path.stat().st_ino for path in new.glob("file*")}.isdisjoint(
        {path.stat().st_ino for path in third.iterdir()}
        - {path.stat().st_ino for path in old.iterdir()}
    )
    assert tree(old) == before


# --- what stays behind


def test_a_killed_receiver_leaves_nothing_in_a_sync(world: World) -> None:
    """Without ``delete`` rsync would keep it for ever; what the user keeps there stays."""
    (world.source / "big").write_bytes(os.urandom(3_000_000))
    (world.source / ".bashrc.backup").write_text("named like a temporary file")
    made = world.root / "store" / "etc" / "client"
    made.mkdir(parents=True)
    (made / ".own.backup").write_text("the user's")
    configure(world, world.root / "store", {"type": "sync"}, retried=True, bwlimit=600)
    program = world.start()
    wait_until(lambda: [p for p in made.glob(".big.*") if p.stat().st_size > 0])
    *_, receiver = sorted(world.rsyncs("--archive"), key=lambda each: each.pid)
    receiver.kill()
    out, _ = program.communicate(timeout=60)
    assert program.returncode == 0, out
    assert "attempt 2" in out
    assert set(tree(made)) == {"big", ".bashrc.backup", ".own.backup"}


def test_a_doubt_is_of_the_directory_however_its_address_is_written(
    world: World, daemon: Daemons
) -> None:
    many(world)
    storage = daemon()
    configure(world, storage.url("b1000"), {"type": "sync"}, bwlimit=400)
    b1000_is_killed(world, storage)
    respelled = storage.url("b1000").replace("rsync://", "rsync://somebody@") + "//"
    configure(world, respelled, {"type": "sync"})
    told = world.b1000("-n")
    assert "compares by content, since the attempt before ended in an unknown way" in told.stdout
    assert "--checksum" in told.stdout
    done = world.b1000()
    assert done.returncode == 0, done.stdout
    assert "compares by content" in done.stdout
    # And it is of none any more.
    configure(world, storage.url("b1000"), {"type": "sync"})
    assert "by content" not in world.b1000("-n").stdout
    assert "by content" not in world.b1000().stdout


def test_a_daemon_keeps_it_and_the_log_says_so(world: World, daemon: Daemons) -> None:
    many(world)
    storage = daemon()
    configure(world, storage.url("b1000"), {"type": "sync"}, bwlimit=400)
    b1000_is_killed(world, storage)
    configure(world, storage.url("b1000"), {"type": "sync"})
    done = world.b1000()
    assert done.returncode == 0
    told = "temporary files of an interrupted attempt (.NAME.XXXXXX) may be left in"
    assert f"{told} {storage.url('b1000')}/etc/client" in done.stdout
