"""Commands that are told to be typed: typed anywhere, they act by the configuration in use."""

import os
import re
import shlex
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.support.rows import Rows
from tests.support.stored import a_mark, put
from tests.support.world import ROOT, World

NAMES = ("other.cfg", "my other's.cfg")


def typed(line: str) -> "subprocess.CompletedProcess[str]":
    """Somebody copies a command line into a shell that stands elsewhere."""
    program = shlex.join([sys.executable, "-m", "b1000"])
    return subprocess.run(
        ["sh", "-c", f'b1000() {{ {program} "$@"; }}; {line}'],
        cwd="/",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def ways_out(said: str) -> tuple[str, str]:
    """What retries a run, and what gives it up, as the log has it."""
    ((retry, give_up),) = re.findall(r"retry with (.*), or give it up with (.*)$", said, re.M)
    return retry, give_up


@pytest.fixture(params=NAMES)
def failed(request: pytest.FixtureRequest, world: World) -> tuple[World, str]:
    """A world with a run whose copy failed, and what its log said; the file is named from beside.

    Its pre removes the directory in which the program stands.
    """
    world.files()
    (world.root / "blocked").write_text("")
    here = world.root / "here"
    here.mkdir()
    world.config = world.root / request.param
    world.write(
        {
            "dest:store": world.store(path=f"{world.root}/blocked/store"),
            "job:etc": world.push(pre=f"rmdir {here}"),
        }
    )
    whole, world.config = world.config, Path("..", request.param)
    process = world.start("etc", cwd=str(here))
    said = process.communicate()[1]
    world.config = whole
    assert process.returncode == 1
    assert not here.exists()
    return world, said


def test_what_retries_a_run_can_be_typed_anywhere(failed: tuple[World, str]) -> None:
    world, said = failed
    retry, _ = ways_out(said)
    assert retry == f"b1000 --copy etc -f {shlex.quote(str(world.config))}"
    assert f"\n{retry} resumes it\n" in world.b1000("status", "--run", "1").stdout
    (world.root / "blocked").unlink()
    assert typed(retry).returncode == 0
    assert world.last("etc")["status"] == "OK"


def test_so_can_what_gives_it_up(failed: tuple[World, str]) -> None:
    world, said = failed
    _, give_up = ways_out(said)
    assert give_up == f"b1000 forget etc -f {shlex.quote(str(world.config))}"
    assert typed(give_up).returncode == 0
    assert world.status_files() == []


def test_what_died_is_told_the_same_way(world: World) -> None:
    world.files()
    world.write({"dest:store": world.store(), "job:etc": world.push(post="kill -KILL $$PPID")})
    done = world.b1000("etc")
    assert done.returncode == 1
    assert ways_out(done.stderr)[0] == f"b1000 --copy etc -f {world.config}"


def test_what_a_broken_job_waits_for(world: World) -> None:
    world.write(
        {"dest:off": world.store(path=f"{world.config}/x"), "job:etc": world.push(dest="off")}
    )
    world.b1000()
    world.write({"dest:off": world.store(path=f"{world.config}/x")})
    retry, give_up = ways_out(world.b1000("--copy").stderr)
    assert (retry, give_up) == (
        f"b1000 --copy etc -f {world.config}",
        f"b1000 forget etc -f {world.config}",
    )


def test_what_restores_files_from_another_storage(world: World) -> None:
    tops = [world.root / name for name in ("one", "two")]
    night = datetime.now().replace(microsecond=0) - timedelta(days=1)
    first, _ = [put(top, a_mark(when=night)) for top in tops]
    world.write({f"dest:{top.name}": {"type": "store", "path": top} for top in tops})
    assert world.b1000("verify", "--all").returncode == 0
    status = (first / "file").stat()
    (first / "file").write_text("TEXT")
    os.utime(first / "file", ns=(status.st_atime_ns, status.st_mtime_ns))
    done = world.b1000("verify", "--all")
    (line,) = re.findall(r"lies elsewhere too: (.*)$", done.stderr, re.M)
    assert re.fullmatch(
        rf"b1000 restore etc --host web1 --from two --at \S+ --to DIR file -f {world.config}", line
    )
    to = world.root / "to"
    assert typed(line.replace("DIR", str(to))).returncode == 0
    assert (to / "file").read_text() == "text"


def test_what_marks_backups(world: World) -> None:
    top = world.root / "one"
    put(top, a_mark(), marked=False)
    world.write({"dest:one": {"type": "store", "path": top, "keep": "last 1"}})
    done = world.b1000("prune", "-n")
    adopt = f"`b1000 mark --adopt -f {world.config}`"
    assert f"it has no mark that says whose it is, see {adopt}\n" in done.stdout
    assert f"has no .b1000-id; is its disk mounted? {adopt} writes one\n" in done.stderr


def test_what_writes_a_damaged_id_anew(world: World) -> None:
    top = world.root / "one"
    put(top, a_mark())
    file = top / ".b1000-id"
    file.touch()
    world.write({"dest:one": {"type": "store", "path": top, "keep": "last 1"}})
    adopt = f"b1000 mark --adopt -f {world.config}"
    for words in (["prune"], ["verify"]):
        assert f"{file} is empty; `{adopt}` writes it anew\n" in world.b1000(*words).stderr, words
    file.unlink()
    file.mkdir()
    mend = f"mend that, or remove it and let `{adopt}` write a new one\n"
    for words in (["prune"], ["verify"], ["mark", "--adopt"]):
        assert mend in world.b1000(*words).stderr, words
    file.rmdir()
    file.touch()
    assert typed(adopt).returncode == 0
    assert world.b1000("prune").returncode == 0


def test_what_finds_paths_in_backups(world: World) -> None:
    world.files()
    world.write({"dest:store": world.store(), "job:etc": world.push()})
    assert world.b1000().returncode == 0
    told = world.b1000("restore", "etc", "--to", str(world.root / "to"), "nosuch").stderr
    command = f"b1000 list --files PATTERN -f {world.config}"
    assert f"nosuch is not in the backup; `{command}` finds paths\n" in told
    assert "file1\n" in typed(command.replace("PATTERN", "'*'")).stdout


def test_what_shows_what_lies_at_storages(world: World) -> None:
    (world.root / "store").mkdir()
    world.write({"dest:store": world.store(), "job:etc": world.push()})
    told = world.b1000("restore", "etc", "--to", str(world.root / "to")).stderr
    assert f"; `b1000 list --all -f {world.config}` shows what lies there\n" in told


def test_what_lists_all_subjects(world: World) -> None:
    """Also by which report, where there are several."""
    rows = Rows(world.root / "central.sqlite3")
    for number in range(13):
        rows.daily(f"web{number}", "etc")
    both = {f"report:{name}": rows.section for name in ("first", "second")}
    for reports, named in ((("first",), ""), (("first", "second"), " --report first")):
        world.write({f"report:{name}": both[f"report:{name}"] for name in reports})
        told = world.b1000("monitor", *shlex.split(named), "ack", "nobody").stderr
        listing = f"b1000 monitor --all{named} -f {world.config}"
        assert f"; {listing} lists all 13\n" in told
        assert "web12" in typed(listing).stdout
