"""`b1000 prune` on real trees: what goes, what stays, and what a kill leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from b1000.locks import Locks
from b1000.storage import layout
from tests.support.mounting import needs_mounts
from tests.support.stored import a_mark, but_space, identify, put
from tests.support.world import ROOT, World

TODAY = datetime.now().replace(hour=1, minute=0, second=0, microsecond=0)


def nights(root: Path, days: Sequence[int], **more: object) -> dict[int, Path]:
    """Complete backups of nights so many days ago."""
    identify(root, TODAY - timedelta(days=1000))
    return {
        ago: put(root, a_mark(when=TODAY - timedelta(days=ago), **more))  # type: ignore[arg-type]
        for ago in days
    }


@pytest.fixture
def root(world: World) -> Path:
    """A store that keeps three, however many go at once."""
    return configure(world, keep="last 3", prune_most="100 %")


def configure(world: World, **options: object) -> Path:
    root = world.root / "srv"
    world.write({"dest:kept": {"type": "store", "path": root, **options}})
    root.mkdir(exist_ok=True)
    return root


def there(backups: dict[int, Path]) -> list[int]:
    return [ago for ago, path in backups.items() if path.exists()]


def test_what_no_rule_keeps_goes_with_its_mark_and_its_sums(world: World, root: Path) -> None:
    backups = nights(root, range(6))
    for path in backups.values():
        Path(f"{path}.sha256.gz").write_bytes(b"")
    done = world.b1000("prune")
    assert (done.returncode, but_space(done.stderr)) == (0, "")
    assert there(backups) == [0, 1, 2]
    left = sorted(
        path.name for path in (root / "etc").rglob("*") if path.parent.parent.name == "etc"
    )
    assert len(left) == 9, left
    assert f"removed {backups[5]}: last 3: there are 3 newer ones" in done.stdout
    assert done.stdout.splitlines()[-1] == "3 backups of 6 removed"
    assert os.listdir(root / layout.REMOVED) == []
    assert not backups[5].parent.exists(), "a day without backups goes too"
    with world.journal() as journal:
        rows = journal.execute("SELECT path, reason FROM stored WHERE removed IS NOT NULL")
        assert dict(rows.fetchall())[str(backups[5].relative_to(root))]
    again = world.b1000("prune")
    assert again.stdout == "0 backups of 3 removed\n"


@pytest.mark.parametrize("first", [["verify"], ["verify", "--count"], ["verify", "etc/web1"]])
def test_what_lay_there_before_anybody_looked_is_no_plant(
    world: World, root: Path, first: list[str]
) -> None:
    """However long a first look takes; what comes behind it with an old name is one."""
    world.write({"dest:kept": {"type": "store", "path": root, "keep": "last 3", "verify": "30d"}})
    backups = nights(root, range(40, 60))
    assert world.b1000(*first).returncode == 0
    late = put(root, a_mark(when=TODAY - timedelta(days=70)))
    done = world.b1000("prune", "--more")
    assert (done.returncode, done.stderr.count("planted?")) == (0, 1), done.stderr
    assert there(backups) == [40, 41, 42]
    assert late.exists()


def test_a_dry_run_tells_all_reasons_and_changes_nothing(world: World, root: Path) -> None:
    backups = nights(root, range(5))
    os.link(backups[4] / "file", backups[3] / "link")
    (root / "zoo" / "2020-01-01-Wednesday" / "web1-2020-01-01-Wed-01:00:00").mkdir(parents=True)
    done = world.b1000("prune", "-n")
    assert done.returncode == 0
    assert len(there(backups)) == 5
    lines = done.stdout.splitlines()
    assert lines[0] == "kept: etc/web1"
    assert sum(line.startswith("  keep ") for line in lines) == 4
    at = lines.index("kept: zoo/web1")
    assert "it has no mark that says whose it is" in lines[at + 1]
    newest = next(line for line in lines if backups[0].name in line)
    assert newest.endswith("last 3; the newest complete one; one of the last 3")
    assert lines[-1] == "2 backups of 6 would be removed"
    answer = json.loads(world.b1000("prune", "-n", "--json").stdout)
    assert answer["format"] == 1
    frees = {each["path"]: each["frees"] for each in answer["backups"]}
    going = {ago for ago, path in backups.items() if frees[str(path)] is not None}
    assert going == {3, 4}
    # Its only file has another name.
    assert frees[str(backups[4])] == 0 < frees[str(backups[3])]
    assert not (world.root / "status" / "journal.sqlite3").exists()


def test_without_keep_nothing_is_removed(world: World) -> None:
    root = configure(world)
    backups = nights(root, range(20))
    done = world.b1000("prune")
    assert done.returncode == 2, "as without a job: nothing was asked that can be done"
    assert "no destination has the option keep" in done.stderr
    assert len(there(backups)) == 20


def test_an_unmounted_disk_prunes_nothing(world: World, root: Path) -> None:
    backups = nights(root, range(6))
    (root / ".b1000-id").unlink()
    done = world.b1000("prune")
    assert done.returncode == 1
    assert "is its disk mounted?" in done.stderr
    assert len(there(backups)) == 6


def test_a_directory_that_never_held_a_backup_is_passed_over(world: World) -> None:
    """A client that has yet to send, and lost+found; a disk that is not mounted held some."""
    top = configure(world)
    options = {"type": "store", "path": f"{top}/*", "keep": "last 3", "prune_most": "100 %"}
    world.write({"dest:kept": options})
    backups = nights(top / "client-1", range(6))
    for name in ("client-2", "lost+found"):
        (top / name).mkdir(mode=0o700)
    done = world.b1000("prune")
    assert (done.returncode, but_space(done.stderr)) == (0, "")
    assert there(backups) == [0, 1, 2]
    (top / "client-1").rename(world.root / "away")
    (top / "client-1").mkdir()
    done = world.b1000("prune")
    assert (done.returncode, done.stderr.count("is its disk mounted?")) == (1, 1)
    assert f"{top}/client-1 has no .b1000-id" in done.stderr
    # Nor may all of them be gone.
    top.rename(world.root / "unmounted")
    top.mkdir()
    done = world.b1000("prune")
    assert done.returncode == 1
    assert f"{top}/* is empty, and was not; is its disk mounted?" in done.stderr
    top.rmdir()
    (world.root / "unmounted").rename(top)
    nights(top / "client-2", [])
    done = world.b1000("prune")
    assert f"{top}/client-2 has no backup with a mark" in done.stderr


def test_more_than_a_share_is_held_back(world: World) -> None:
    root = configure(world, keep="last 3")
    backups = nights(root, range(10))
    done = world.b1000("prune")
    assert done.returncode == 1
    assert "7 of 10 would go at once" in done.stderr
    assert len(there(backups)) == 10
    assert world.b1000("prune", "--more").returncode == 0
    assert there(backups) == [0, 1, 2]


def test_a_pattern_that_fits_nothing_stops_that_destination(world: World) -> None:
    root = configure(world, keep="last 3\n  mysql*: all 90d", prune_most="100 %")
    backups = nights(root, range(6))
    done = world.b1000("prune")
    assert done.returncode == 1
    assert "no group fits the pattern 'mysql*' of keep" in done.stderr
    assert len(there(backups)) == 6


def test_a_wrong_keep_is_an_error_of_that_destination_alone(world: World, root: Path) -> None:
    other = world.root / "other"
    world.write(
        {
            "dest:kept": {"type": "store", "path": root, "keep": "last 3", "prune_most": "100 %"},
            "dest:wrong": {"type": "store", "path": other, "keep": "dialy 7d"},
        }
    )
    backups, others = nights(root, range(6)), nights(other, range(6))
    done = world.b1000("prune")
    assert done.returncode == 1
    assert "did you mean 'daily'" in done.stderr
    assert there(backups) == [0, 1, 2]
    assert len(there(others)) == 6


def test_what_is_never_touched(world: World, root: Path) -> None:
    backups = nights(root, range(5))
    Path(f"{backups[4]}.keep").touch()
    day = backups[3].parent
    strange = [day / "a\nname", day / "web1-notours", root / "etc" / "lost+found"]
    for path in strange:
        path.mkdir()
    writing = put(root, a_mark(when=TODAY - timedelta(days=50), state="writing"))
    tree = put(root, a_mark(kind="sync", when=TODAY - timedelta(days=50)))
    unmarked = put(root, a_mark(host="other", when=TODAY - timedelta(days=60)), marked=False)
    away = world.root / "away"
    away.mkdir()
    (away / "precious").touch()
    (root / "linked").symlink_to(away)
    assert world.b1000("prune", "--more").returncode == 0
    assert there(backups) == [0, 1, 2, 4]
    assert all(path.is_dir() for path in (*strange, writing, tree, unmarked))
    assert (away / "precious").exists()


def test_no_name_of_a_client_reaches_a_terminal_as_more_than_text(world: World) -> None:
    root = configure(world, keep="last 3", prune_most="100 %", path=world.root / "srv" / "*")
    strange = root / "client\x1b[2J\n1"
    strange.mkdir()
    nights(strange, range(5))
    (root / "em\npty").mkdir()
    for words in (["-n"], []):
        done = world.b1000("prune", *words)
        for text in (done.stdout, done.stderr):
            assert "\x1b" not in text
            assert not [line for line in text.splitlines() if line.startswith(("1", "pty"))]
    assert "removed" in done.stdout
    assert len([*strange.glob("etc/*/*.b1k")]) == 3


def test_a_client_whose_name_is_no_utf_8_costs_itself_alone(world: World) -> None:
    root = configure(world, keep="last 3", prune_most="100 %", path=world.root / "srv" / "*")
    (root / "client").mkdir()
    backups = nights(root / "client", range(5))
    strange = Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9"))
    strange.mkdir()
    others = nights(strange, range(5))
    for words in (["list"], ["prune"], ["verify"]):
        done = world.b1000(*words)
        assert done.returncode == (3 if words == ["verify"] else 1), done.stderr
        assert "could not be looked at: its name is no UTF-8" in done.stderr
        assert "Traceback" not in done.stderr
    assert there(backups) == [0, 1, 2]
    assert there(others) == [*range(5)]


def test_only_what_is_named_is_pruned(world: World, root: Path) -> None:
    one = nights(root, range(5))
    other = nights(root, range(5), host="web2")
    assert world.b1000("prune", "etc/web2").returncode == 0
    assert (len(there(one)), there(other)) == (5, [0, 1, 2])
    strange = world.b1000("prune", "etc/web3")
    assert strange.returncode == 2
    assert "there are those of etc/web1, etc/web2" in strange.stderr


def test_of_what_is_gone_only_the_protected_stays(world: World, root: Path) -> None:
    one = nights(root, range(2))
    other = nights(root, range(4), host="web2")
    Path(f"{other[1]}.keep").touch()
    assert world.b1000("prune", "--gone", "etc/web2").returncode == 0
    assert (len(there(one)), there(other)) == (2, [1])


@pytest.mark.skipif(not shutil.which("chattr"), reason="there is no chattr")
def test_an_immutable_file_is_told_and_tried_again(world: World, root: Path) -> None:
    backups = nights(root, range(4))
    if subprocess.run(["chattr", "+i", backups[3] / "file"], capture_output=True).returncode:
        pytest.skip("the file system has no immutable files")
    done = world.b1000("prune")
    (left,) = (root / layout.REMOVED).iterdir()
    try:
        assert done.returncode == 1
        assert "Operation not permitted" in done.stderr
        assert there(backups) == [0, 1, 2]
    finally:
        subprocess.run(["chattr", "-i", left / "file"], check=True)
    assert world.b1000("prune").returncode == 0
    assert list((root / layout.REMOVED).iterdir()) == []


_STRUCK = """if True:
    import os, signal, sys
    from b1000 import cli
    from b1000.state.journal import Journal
    from b1000.prune import removal

    def struck(module, name):
        real, calls = getattr(module, name), [0]

        def call(*words, **more):
            if sys.argv[1] == name + "-before": os.kill(os.getpid(), signal.SIGKILL)
            result = real(*words, **more)
            if sys.argv[1] == name + "-after": os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(module, name, call)

    for module, name in (
        (removal, "_unlink"), (removal.os, "rename"), (removal.subprocess, "run"),
        (removal.os, "fsync"), (removal.os, "mkdir"), (removal.os, "rmdir"),
        (Journal, "remember"),
    ):
        struck(module, name)
    cli._leave(cli._guarded(["-f", sys.argv[2], "prune"]))
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "step", ["remember", "_unlink", "fsync", "mkdir", "rename", "rmdir", "run"]
)
def test_a_kill_at_any_step_is_finished_by_the_next(
    world: World, root: Path, step: str, when: str
) -> None:
    backups = nights(root, range(5))
    time.sleep(0.05)
    done = subprocess.run(
        [sys.executable, "-c", _STRUCK, f"{step}-{when}", world.root / "b1000.cfg"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    for path in backups.values():
        if Path(f"{path}.b1k").exists():
            assert (path / "file").exists(), "what bears a mark is whole"
    assert world.b1000("prune").returncode == 0
    assert there(backups) == [0, 1, 2]
    assert list((root / layout.REMOVED).iterdir()) == []


@needs_mounts
def test_a_mount_inside_is_not_crossed(world: World, root: Path) -> None:
    backups = nights(root, range(4))
    inside = backups[3] / "mounted"
    inside.mkdir()
    other = world.root / "other-disk"
    other.mkdir()
    (other / "precious").touch()
    program = f"""mount --bind {other} {inside} && exec "$@" """
    unshared = ["unshare", "-m", "sh", "-c", program, "sh", sys.executable, "-m", "b1000"]
    done = subprocess.run(
        [*unshared, "-f", world.root / "b1000.cfg", "prune"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (other / "precious").exists()
    assert done.returncode == 1
    assert "mounted" in done.stderr
    assert world.b1000("prune").returncode == 0
    assert (other / "precious").exists()


def test_a_second_prune_at_the_same_time_says_so(world: World, root: Path) -> None:
    nights(root, range(5))
    journal = world.root / "status" / "journal.sqlite3"
    world.b1000("prune", "-n")
    held = Locks(journal.parent / "locks").take("prune")
    assert held is not None
    try:
        done = world.b1000("prune")
        assert "another b1000 prune is at work" in done.stderr
        assert done.returncode != 0
    finally:
        os.close(held)


@pytest.mark.parametrize("gone", [True, False], ids=["head", "full"])
def test_output_that_nobody_takes_stops_no_removal(world: World, root: Path, gone: bool) -> None:
    """`b1000 prune | head`, and a log on the disk that is to be emptied."""
    backups = nights(root, range(60))
    read, write = os.pipe() if gone else (None, os.open("/dev/full", os.O_WRONLY))
    if read is not None:
        os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "b1000", "-f", world.root / "b1000.cfg", "prune"],
        cwd=ROOT,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write)
    assert there(backups) == [0, 1, 2]
    assert done.returncode == (0 if gone else 1)
    assert ("cannot be written: No space left" in done.stderr) != gone


def test_when_time_is_over_the_rest_waits(world: World, root: Path) -> None:
    backups = nights(root, range(60))
    slow = world.root / "bin"
    slow.mkdir()
    rm = shutil.which("rm")
    (slow / "rm").write_text(f'#!/bin/sh\nsleep 5; exec {rm} "$@"\n')
    (slow / "rm").chmod(0o755)
    done = world.b1000("prune", "--for", "1s", environment={"PATH": f"{slow}:{os.environ['PATH']}"})
    assert done.returncode == 3
    assert len(there(backups)) > 3
    assert world.b1000("prune").returncode == 0
    assert there(backups) == [0, 1, 2]
    assert list((root / layout.REMOVED).iterdir()) == []


def test_backups_and_prunes_at_the_same_time_end_well(world: World) -> None:
    """Each full links into the last one, while older ones go."""
    source = world.files()
    options = {"link_dest": "yes", "keep": "last 1", "keep_least": 1, "prune_most": "100 %"}
    world.write({"dest:store": {**world.store(), **options}, "job:etc": world.push()})
    assert world.b1000().returncode == 0
    for _ in range(4):
        both = [world.start(), world.start("prune"), world.start("prune")]
        said = [program.communicate(timeout=120) for program in both]
        assert both[0].returncode == 0, said
        for program, (_, err) in zip(both[1:], said[1:], strict=True):
            assert program.returncode == 0 or "another b1000 prune is at work" in err, err
    assert world.b1000("prune").returncode == 0
    (left,) = (world.root / "store" / "etc").glob("*/*/")
    assert {path.name for path in left.rglob("*") if path.is_file()} == {
        path.name for path in source.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_a_restore_whose_backup_is_removed_meanwhile_says_so(
    world: World, root: Path, call: int
) -> None:
    """Before its n-th rsync. What had come by then is never called verified."""
    backups = nights(root, range(5))
    for path in backups.values():
        (path / "below").mkdir()
        (path / "below" / "other").write_text("more")
    program = world.root / "bin" / "rsync"
    program.parent.mkdir()
    calls = world.root / "calls"
    prune = f"PYTHONPATH={ROOT} {sys.executable} -m b1000 -f {world.config} prune"
    program.write_text(
        f'#!/bin/bash\necho "$*" >>{calls}\n'
        f"[ $(wc -l <{calls}) -ne {call} ] || {prune} >&2\n"
        f'exec {shutil.which("rsync")} "$@"\n'
    )
    program.chmod(0o755)
    back = world.root / "back"
    words = ["restore", "etc", "--at", f"{TODAY - timedelta(days=4)}", "--to", str(back)]
    done = world.b1000(*words, environment={"PATH": f"{program.parent}:{os.environ['PATH']}"})
    if len(calls.read_text().splitlines()) < call:
        assert done.returncode == 0, done.stderr
        return
    assert there(backups) == [0, 1, 2]
    # All of it has come before the second: it is restored, and not verified.
    assert done.returncode == (1 if call == 1 else 3), done.stdout + done.stderr
    assert done.stderr
    assert "Traceback" not in done.stderr
    assert "verified" not in done.stdout.replace("not verified", "")
    # The next one takes what is there, or says that there is none.
    again = world.b1000(*words)
    assert again.returncode in (1, 2)
    assert "restored" not in again.stdout


def test_what_a_client_may_go_on_with_stays(world: World, root: Path) -> None:
    """It has uploaded for twenty days, and did so a moment ago."""
    backups = nights(root, range(5))
    upload = put(root, a_mark(when=TODAY - timedelta(days=20)), marked=False)
    assert world.b1000("prune").returncode == 0
    with world.journal() as journal:
        journal.execute("UPDATE stored SET first_seen = first_seen - 20 * 86400")
        journal.commit()
    assert world.b1000("prune").returncode == 0
    assert there(backups) == [0, 1, 2]
    assert (upload / "file").exists()
