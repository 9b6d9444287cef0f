"""Passive jobs: the report that others see, and what they may answer."""

import configparser
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.world import World, tree, wait_until


def configure(world: World, *hosts: str, timeout: int = 30, **job: object) -> None:
    """A passive job ``ext`` for some hosts, each a destination of its own name."""
    world.write(
        {
            "global": {"host": "ext", "report_wait_end": 2},
            **{
                f"dest:{host}": {"type": "passive", "host": host, "timeout": timeout}
                for host in hosts
            },
            "job:ext": {
                "direction": "passive",
                "dest": " ".join(hosts),
                "report": "main",
                "pre": f"echo pre >> {world.root}/ran",
                "post": f"echo post >> {world.root}/ran",
                **job,
            },
        }
    )


def ran(world: World) -> list[str]:
    """Which scripts ran."""
    path = world.root / "ran"
    return path.read_text().split() if path.exists() else []


def report(world: World) -> configparser.RawConfigParser:
    """The newest report, as those see it who come to pull."""
    parser = configparser.RawConfigParser()
    files = sorted(world.reports.glob("ext--*.b1k"))
    if files:
        parser.read(files[-1])
    return parser


def offered(world: World, *hosts: str) -> bool:
    """Whether the report says that these hosts may come."""
    found = report(world)
    return all(
        found.get(f"dest:{host}", "status", fallback="") == "COPYING"
        and found.get("jobstatus:ext", "step") == "COPYING"
        for host in hosts
    )


def notify(world: World, host: str, ending: str = "done") -> Path:
    """What a storage sends when it has ended its part: a file of which only the name counts."""
    path = sorted(world.reports.glob("ext--*.b1k"))[-1]
    sent = path.with_name(f"{path.name}.{host}.{ending}")
    sent.touch()
    return sent


def ended(program: "subprocess.Popen[str]", code: int) -> str:
    """The end of a program, and what it said."""
    out, err = program.communicate(timeout=60)
    assert program.returncode == code, out + err
    return out + err


def test_a_report_tells_who_may_come_and_when(world: World) -> None:
    gate = world.root / "gate"
    configure(world, "backup-2", pre=f"while [ ! -e {gate} ]; do sleep 0.05; done")
    program = world.start()
    wait_until(lambda: report(world).get("jobstatus:ext", "step", fallback="") == "PRE")
    found = report(world)
    assert dict(found["dest:backup-2"]) == {
        "type": "passive",
        "path": "pull://backup-2",
        "status": "INIT",
    }
    assert found["jobstatus:ext"]["direction"] == "passive"
    gate.touch()
    wait_until(lambda: offered(world, "backup-2"))
    alive = report(world)["jobstatus:ext"]["alive"]
    wait_until(lambda: report(world)["jobstatus:ext"]["alive"] > alive, 15)
    notify(world, "backup-2")
    ended(program, 0)
    run = world.last("ext")
    assert (run["step"], run["status"], run["type"]) == ("DONE", "OK", "")
    assert [(copy["path"], copy["status"]) for copy in run["copies"]] == [
        ("pull://backup-2", "DONE")
    ]
    assert ran(world) == ["post"]
    assert report(world)["jobstatus:ext"]["step"] == "DONE"


def test_each_report_says_who_is_to_pull(world: World) -> None:
    """The first one too, whenever somebody looks."""
    configure(world, "one", "two", timeout=1)
    program = world.start()
    seen: dict[str, set[str]] = {}
    while program.poll() is None:
        found = report(world)
        if found.sections():
            paths = {found.get(f"dest:{host}", "path", fallback="") for host in ("one", "two")}
            seen.setdefault(found["jobstatus:ext"]["step"], set()).update(paths)
    ended(program, 1)
    assert all(paths == {"pull://one", "pull://two"} for paths in seen.values()), seen


def test_an_error_fails_the_run_and_keeps_the_data(world: World) -> None:
    configure(world, "backup-2")
    program = world.start()
    wait_until(lambda: offered(world, "backup-2"))
    notify(world, "backup-2", "error")
    assert "backup-2 could not copy it; b1000 status on backup-2 tells why" in ended(program, 1)
    assert ran(world) == ["pre"]
    assert report(world)["jobstatus:ext"]["status"] == "FAILED"
    assert world.status_files()


def test_nobody_comes(world: World) -> None:
    configure(world, "backup-2", timeout=1)
    said = ended(world.start(), 1)
    assert "backup-2 did not pull it within 1 s (timeout)" in said
    assert ran(world) == ["pre"]
    # --copy offers the same data again, under the same report.
    (file,) = world.report_files()
    configure(world, "backup-2", timeout=30)
    program = world.start("--copy")
    wait_until(lambda: offered(world, "backup-2"))
    notify(world, "backup-2")
    ended(program, 0)
    assert world.report_files() == [file]
    assert ran(world) == ["pre", "post"]
    assert world.status_files() == []


def test_an_old_answer_is_none(world: World) -> None:
    """Neither that to an earlier run, nor that to an earlier attempt of this one."""
    configure(world, "backup-2", timeout=2)
    program = world.start()
    wait_until(lambda: offered(world, "backup-2"))
    notify(world, "backup-2", "error")
    ended(program, 1)
    (old,) = world.reports.glob("*.error")
    program = world.start("--copy")
    ended(program, 1)
    assert not old.exists()
    assert "did not pull it" in world.last("ext")["error"]
    notify(world, "backup-2", "done")
    ended(world.start(), 1)
    assert list(world.reports.glob("*.done")) == []
    assert "did not pull it" in world.last("ext")["error"]


def test_several_hosts_one_after_another_and_beside_it(world: World) -> None:
    configure(world, "one", "two", "three", dest="one& two three")
    program = world.start()
    wait_until(lambda: offered(world, "one", "two"))
    assert not offered(world, "three")
    # Who comes before his turn is not heard yet, and not forgotten either.
    notify(world, "two")
    wait_until(lambda: offered(world, "three"))
    notify(world, "three", "error")
    time.sleep(1)
    assert program.poll() is None
    notify(world, "one")
    ended(program, 1)
    copies = {copy["destination"]: copy["status"] for copy in world.last("ext")["copies"]}
    assert copies == {"one": "DONE", "two": "DONE", "three": "FAILED"}
    program = world.start("--copy")
    wait_until(lambda: offered(world, "three"))
    notify(world, "three")
    ended(program, 0)
    assert ran(world) == ["pre", "post"]


def test_who_says_both_has_failed(world: World) -> None:
    configure(world, "one")
    program = world.start()
    wait_until(lambda: offered(world, "one"))
    (world.reports / f"{world.report_files()[0]}.one.error").touch()
    notify(world, "one")
    ended(program, 1)


def test_who_waits_holds_no_place(world: World) -> None:
    world.files()
    configure(world, "one")
    text = world.config.read_text().replace("[global]", "[global]\nworkers = 1")
    text += text[text.index("[job:ext]") :].replace("[job:ext]", "[job:too]")
    text += f"[dest:store]\ntype = active\npath = {world.root}/store\n"
    text += "[job:push]\n" + "".join(f"{k} = {v}\n" for k, v in world.push().items())
    world.config.write_text(text)
    program = world.start()

    def waiting() -> bool:
        states = {run["job"]: (run["step"], run["status"]) for run in world.status()}
        return states == {
            "ext": ("COPYING", "OK"),
            "too": ("COPYING", "OK"),
            "push": ("DONE", "OK"),
        }

    wait_until(waiting)
    shown = world.b1000("status").stdout
    assert "one to pull" in shown
    for file in world.reports.glob("*.b1k"):
        if not file.name.startswith("push"):
            file.with_name(f"{file.name}.one.done").touch()
    ended(program, 0)


@pytest.mark.parametrize("step", ["PRE", "COPYING", "POST"])
def test_a_run_that_is_killed(world: World, step: str) -> None:
    """Its report stands still, and --copy goes on with it where there is data."""
    slow = f"while [ ! -e {world.root}/gate ]; do sleep 0.05; done"
    hangs: dict[str, Any] = {"PRE": {"pre": slow}, "POST": {"post": slow}}.get(step, {})
    configure(world, "one", **hangs)
    program = world.start()
    if step == "POST":
        wait_until(lambda: offered(world, "one"))
        notify(world, "one")
    wait_until(lambda: report(world).get("jobstatus:ext", "step", fallback="") == step)
    program.kill()
    program.communicate()
    time.sleep(0.5)
    alive = report(world)["jobstatus:ext"]["alive"]
    time.sleep(3)
    assert report(world)["jobstatus:ext"]["alive"] == alive
    (world.root / "gate").touch()
    copying = world.start("--copy")
    if step == "COPYING":
        wait_until(
            lambda: offered(world, "one") and report(world)["jobstatus:ext"]["alive"] > alive
        )
        notify(world, "one")
    said = ended(copying, 1 if step == "PRE" else 0) if step != "PRE" else copying.communicate()
    assert said
    state = report(world)["jobstatus:ext"]
    expected = ("PRE", "FAILED") if step == "PRE" else ("DONE", "OK")
    assert (state["step"], state["status"]) == expected


def test_nobody_else_says_that_a_dead_run_lives(world: World) -> None:
    """What it owes to its report is delivered by the next program, and that is no sign of life."""
    configure(world, "one")
    text = world.config.read_text()
    world.config.write_text(text + text[text.index("[job:ext]") :].replace(":ext]", ":too]"))
    program = world.start("ext")
    wait_until(lambda: offered(world, "one"))
    program.kill()
    program.communicate()
    wait_until(lambda: not world.processes())
    time.sleep(1.1)
    (path,) = world.reports.glob("*.b1k")
    before, alive = path.stat().st_ino, report(world)["jobstatus:ext"]["alive"]
    with world.journal() as journal:
        journal.execute(
            "INSERT OR IGNORE INTO pending (report, run_id, transition_id, since) "
            "SELECT 'main', run_id, last_transition, 0 FROM runs"
        )
        journal.commit()
    assert world.b1000("--copy", "too").returncode == 0
    assert path.stat().st_ino != before
    assert report(world)["jobstatus:ext"]["alive"] <= alive


def test_a_stop_is_resumed(world: World) -> None:
    configure(world, "one")
    program = world.start()
    wait_until(lambda: offered(world, "one"))
    program.send_signal(signal.SIGTERM)
    ended(program, 143)
    assert world.last("ext")["resumable"]


# --- the storage is an attacker


def test_what_a_storage_plants_does_no_harm(world: World) -> None:
    """Links with the names of reports to come, directories, and notifications for others."""
    victim = world.root / "victim"
    victim.mkdir()
    (victim / "file").write_text("untouched\n")
    world.reports.mkdir()
    now = time.time()
    for second in range(40):
        moment = time.strftime("%Y-%m-%d-%H-%M-%S", time.localtime(now + second))
        (world.reports / f"ext--{moment}.b1k").symlink_to(victim / "file")
        (world.reports / f"ext--{moment}.b1k.two.done").touch()
        (world.reports / f"ext--{moment}.b1k.one.done").mkdir()
    (world.reports / f".b1000-{os.getpid()}").symlink_to(victim / "file")
    (world.reports / "ext--2026-01-01-00-00-00.b1k.one.done").symlink_to(victim)
    before = tree(victim)
    configure(world, "one", timeout=2)
    said = ended(world.start(), 1)
    assert tree(victim) == before
    assert "is a directory; remove it" in said
    assert "Traceback" not in said


def test_a_directory_in_the_way_of_a_report_is_told(world: World) -> None:
    world.reports.mkdir()
    now = time.time()
    for second in range(60):
        moment = time.strftime("%Y-%m-%d-%H-%M-%S", time.localtime(now + second))
        (world.reports / f"ext--{moment}.b1k" / "x").mkdir(parents=True)
    configure(world, "one")
    began = time.monotonic()
    said = ended(world.start(), 1)
    assert time.monotonic() - began < 50
    assert re.search(r"was not written within .*: /\S+\.b1k is a directory", said)
    assert "the log" not in said
    assert ran(world) == [], "nobody could have known that the data is being rewritten"


def test_huge_files_and_many_are_not_read(world: World) -> None:
    world.reports.mkdir()
    with (world.reports / "huge.b1k").open("wb") as file:
        file.truncate(2**40)
    for number in range(2000):
        (world.reports / f"ext--2026-01-01-00-00-00.b1k.h{number}.done").touch()
    configure(world, "one")
    program = world.start()
    wait_until(lambda: offered(world, "one"))
    notify(world, "one")
    ended(program, 0)
    assert (world.reports / "huge.b1k").exists()


def test_the_report_owes_nothing(world: World) -> None:
    """What is renewed is no state: the journal does not grow with it."""
    configure(world, "one")
    program = world.start()
    wait_until(lambda: offered(world, "one"))
    with world.journal() as journal:
        (before,) = journal.execute("SELECT count(*) FROM transitions").fetchone()
        time.sleep(3)
        (after,) = journal.execute("SELECT count(*) FROM transitions").fetchone()
    assert before == after
    notify(world, "one")
    ended(program, 0)
    assert world.status()[0]["status"] == "OK"


def test_a_report_that_cannot_be_written_stills_no_other(world: World) -> None:
    """What an earlier run owes for ever keeps no later one from showing that it lives."""
    configure(world, "one")
    program = world.start()
    wait_until(lambda: offered(world, "one"))
    notify(world, "one")
    ended(program, 0)
    (old,) = world.reports.glob("*.b1k")
    old.unlink()
    (old / "in the way").mkdir(parents=True)
    with world.journal() as journal:
        journal.execute(
            "INSERT INTO pending (report, run_id, transition_id, since) "
            "SELECT 'main', run_id, last_transition, 0 FROM runs"
        )
        journal.commit()
    program = world.start()
    wait_until(lambda: len(world.report_files()) == 2 and offered(world, "one"))
    alive = report(world)["jobstatus:ext"]["alive"]
    wait_until(lambda: report(world)["jobstatus:ext"]["alive"] > alive, 15)
    lock = world.status_dir / "locks" / "report@main"
    lock.unlink()
    lock.mkdir()
    time.sleep(3)
    lock.rmdir()
    alive = report(world)["jobstatus:ext"]["alive"]
    wait_until(lambda: report(world)["jobstatus:ext"]["alive"] > alive, 15)
    notify(world, "one")
    assert "reporter ended" not in ended(program, 0)


def test_a_directory_among_old_reports_is_left_alone(world: World) -> None:
    """It cannot be removed as an old report would be, and holds up nothing."""
    (world.reports / "ext--2026-01-01-00-00-00.b1k" / "x").mkdir(parents=True)
    (world.reports / "ext--2026-01-02-00-00-00.b1k").write_text("[old]\n")
    configure(world, "one")
    text = world.config.read_text()
    world.config.write_text(text.replace("[report:main]", "[report:main]\nkeep = 1"))
    program = world.start()
    wait_until(lambda: offered(world, "one"))
    notify(world, "one")
    said = ended(program, 0)
    assert "report main" not in said
    assert not (world.reports / "ext--2026-01-02-00-00-00.b1k").exists()
