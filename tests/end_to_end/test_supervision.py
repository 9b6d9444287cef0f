"""Workers that die, scripts that do not want to end, signals, and many runs at once."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import psutil

from tests.support.world import World, tree, wait_until

STUBBORN = "trap '' TERM; while :; do sleep 1; done"


def worker_of(world: World, supervisor: "subprocess.Popen[str]") -> psutil.Process:
    """The worker whose child is a script that wrote ``script.pid``."""
    file = world.root / "script.pid"
    wait_until(lambda: file.exists() and file.read_text().endswith("\n"))
    script = psutil.Process(int(file.read_text()))
    worker = script.parent()
    assert worker is not None
    assert worker.ppid() == supervisor.pid
    return worker


def test_a_worker_killed_fails_its_own_run_alone(world: World) -> None:
    world.files()
    world.write(
        {
            "dest:store": world.store(),
            "job:dies": world.push(pre=f"echo $$$$ > {world.root}/script.pid; sleep 60"),
            "job:lives": world.push(pre="sleep 1"),
        }
    )
    program = world.start()
    worker_of(world, program).kill()
    out, _ = program.communicate(timeout=30)
    assert program.returncode == 1, out
    died, lived = world.last("dies"), world.last("lives")
    assert (died["step"], died["status"]) == ("PRE", "FAILED")
    assert "SIGKILL" in died["error"]
    assert (lived["step"], lived["status"]) == ("DONE", "OK")
    assert world.processes() == []


def test_the_rsync_of_a_killed_worker_is_ended(world: World) -> None:
    (world.source / "large").write_bytes(b"x" * 4_000_000)
    world.write(
        {
            "dest:store": world.store(bwlimit=100),
            "job:dies": world.push(),
        }
    )
    program = world.start()
    wait_until(lambda: any(each.name() == "rsync" for each in world.processes()))
    first = min(world.processes(), key=lambda each: each.create_time())
    worker = first.parent()
    assert worker is not None
    worker.kill()
    program.communicate(timeout=30)
    assert world.processes() == []
    run = world.last("dies")
    assert (run["step"], run["status"]) == ("COPYING", "FAILED")
    assert run["copies"][0]["status"] == "FAILED"
    assert len(world.status_files()) == 1


def test_sigterm_leaves_no_process(world: World) -> None:
    """Neither a script that ignores it, nor one that left its session or its parent."""
    world.files()
    scripts = {
        "plain": "sleep 60",
        "stubborn": STUBBORN,
        "setsid": f'setsid sh -c "{STUBBORN}" & wait',
        "reparented": f'(setsid sh -c "{STUBBORN}" >/dev/null 2>&1 &); sleep 60',
    }
    for name, script in scripts.items():
        path = world.root / f"{name}.sh"
        path.write_text(f"#!/bin/sh\n: > {world.root}/{name}.began\n{script}\n")
        path.chmod(0o755)
    world.write(
        {
            "dest:store": world.store(),
            **{f"job:{name}": world.push(pre=f"{world.root}/{name}.sh") for name in scripts},
        }
    )
    program = world.start()
    wait_until(lambda: all((world.root / f"{name}.began").exists() for name in scripts))
    time.sleep(0.5)
    assert len(world.processes()) >= 2 * len(scripts)
    began = time.monotonic()
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=30)
    assert program.returncode == 128 + signal.SIGTERM
    assert time.monotonic() - began < 15
    assert world.processes() == []
    for run in world.status():
        assert (run["step"], run["status"]) == ("PRE", "FAILED")
        assert run["error"] == "interrupted by SIGTERM"


def test_a_second_signal_ends_at_once(world: World) -> None:
    world.files()
    world.write(
        {
            "dest:store": world.store(),
            "job:etc": world.push(pre=f"echo x > {world.root}/script.pid; {STUBBORN}"),
        }
    )
    program = world.start()
    wait_until((world.root / "script.pid").exists)
    began = time.monotonic()
    program.send_signal(signal.SIGINT)
    time.sleep(0.5)
    program.send_signal(signal.SIGINT)
    program.communicate(timeout=30)
    assert program.returncode == 128 + signal.SIGINT
    assert time.monotonic() - began < 5
    assert world.processes() == []


def test_a_copy_that_was_interrupted_can_be_resumed(world: World) -> None:
    (world.source / "large").write_bytes(b"x" * 4_000_000)
    world.write({"dest:store": world.store(bwlimit=100), "job:etc": world.push()})
    program = world.start()
    wait_until(lambda: any(each.name() == "rsync" for each in world.processes()))
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=30)
    run = world.last("etc")
    assert (run["step"], run["status"], run["resumable"]) == ("COPYING", "FAILED", True)
    (file,) = world.status_files()
    told = json.loads((world.status_dir / file).read_text())
    assert "interrupted by SIGTERM" in told["error"]
    assert told["retry"].endswith("--copy etc")


def test_a_worker_whose_supervisor_is_killed_ends_its_tree(world: World) -> None:
    world.files()
    world.write(
        {
            "dest:store": world.store(),
            "job:etc": world.push(pre=f"echo x > {world.root}/script.pid; sleep 60"),
        }
    )
    program = world.start()
    wait_until((world.root / "script.pid").exists)
    program.kill()
    program.communicate()
    wait_until(lambda: world.processes() == [])
    run = world.last("etc")
    assert (run["step"], run["status"], run["error"]) == ("PRE", "FAILED", "interrupted")
    assert world.b1000("status").returncode == 1


def test_many_instances_keep_to_the_number_of_workers(world: World) -> None:
    """200 instances at 8 workers: complete directories, one journal, never more than 8."""
    world.files()
    gauge = world.root / "gauge"
    gauge.mkdir()
    pre = world.root / "pre.sh"
    pre.write_text(
        f"#!/bin/sh\ntouch {gauge}/$1; ls {gauge} | wc -l >> {world.root}/seen\nsleep 0.05\n"
    )
    pre.chmod(0o755)
    names = " ".join(f"i{number}" for number in range(200))
    world.write(
        {
            "global": {"workers": 8},
            "dest:store": world.store(),
            "job:many": world.push(
                instances=names, pre=f"{pre} $instance", post=f"rm {gauge}/$instance"
            ),
        }
    )
    done = world.b1000("-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    directories = list((world.root / "store" / "many").glob("*/*"))
    assert len(directories) == 200
    expected = tree(world.source)
    assert all(tree(directory) == expected for directory in directories)
    seen = [int(line) for line in (world.root / "seen").read_text().split()]
    assert max(seen) <= 8
    assert max(seen) > 4
    with sqlite3.connect(world.status_dir / "journal.sqlite3") as journal:
        rows = journal.execute("SELECT count(*), sum(step = 'DONE') FROM runs").fetchall()
    assert rows == [(200, 200)]
    assert len(world.report_files()) == 200
    assert world.processes() == []


def test_a_job_that_still_runs_is_left_out(world: World) -> None:
    world.files()
    world.write(
        {
            "dest:store": world.store(),
            "job:slow": world.push(pre=f"echo x > {world.root}/script.pid; sleep 2"),
            "job:other": world.push(),
        }
    )
    first = world.start("slow")
    wait_until((world.root / "script.pid").exists)
    second = world.b1000()
    assert second.returncode == 3
    assert "still at work" in second.stdout
    assert world.last("other")["status"] == "OK"
    first.communicate(timeout=30)
    assert first.returncode == 0
    assert world.b1000().returncode == 0


def test_a_service_that_a_script_left_does_not_hold_the_lock(world: World) -> None:
    world.files()
    pid = world.root / "service.pid"
    post = world.root / "post.sh"
    post.write_text(f"#!/bin/sh\nsetsid sleep 100 >/dev/null 2>&1 </dev/null &\necho $! > {pid}\n")
    post.chmod(0o755)
    world.write({"dest:store": world.store(), "job:etc": world.push(post=post)})
    try:
        assert world.b1000().returncode == 0
        service = int(pid.read_text())
        assert psutil.pid_exists(service)
        assert world.b1000().returncode == 0
        assert psutil.pid_exists(service)
    finally:
        for each in psutil.process_iter(["cmdline"]):
            if each.info["cmdline"] == ["sleep", "100"]:
                each.kill()


def test_two_programs_at_once_run_each_job_once(world: World) -> None:
    world.files()
    world.write(
        {
            "dest:store": world.store(),
            "job:etc": world.push(instances="a b c d e f", pre="sleep 0.2"),
        }
    )
    programs = [world.start() for _ in range(4)]
    for program in programs:
        program.communicate(timeout=60)
    assert {program.returncode for program in programs} <= {0, 3}
    with sqlite3.connect(world.status_dir / "journal.sqlite3") as journal:
        overlaps = journal.execute(
            """SELECT count(*) FROM runs AS one JOIN runs AS other USING (job, instance)
               WHERE one.run_id < other.run_id AND other.started < one.ended - 1"""
        ).fetchone()
    assert overlaps == (0,)
    starts = [path.name for path in (world.root / "store" / "etc").glob("*/*")]
    assert len(starts) == len(set(starts))


def test_a_time_limit_ends_a_script_and_what_it_started(world: World) -> None:
    world.files()
    world.write(
        {
            "global": {"script_timeout": 1},
            "dest:store": world.store(),
            "job:etc": world.push(pre="sleep 50 & sleep 60"),
        }
    )
    assert world.b1000().returncode == 1
    run = world.last("etc")
    assert "time limit" in run["error"]
    assert world.processes() == []


def test_scripts_inherit_no_lock_and_no_journal(world: World) -> None:
    world.files()
    listing = world.root / "descriptors"
    world.write(
        {
            "dest:store": world.store(),
            "job:etc": world.push(
                pre=f"for fd in /proc/self/fd/*; do readlink $$fd; done > {listing}; true"
            ),
        }
    )
    assert world.b1000().returncode == 0
    assert listing.read_text()
    assert str(world.status_dir) not in listing.read_text()


def test_a_lock_file_left_behind_locks_nothing(world: World) -> None:
    world.files()
    world.write({"dest:store": world.store(), "job:etc": world.push()})
    locks = world.status_dir / "locks"
    locks.mkdir(parents=True)
    Path(locks / "run@etc@").write_text(f"{os.getpid()}\n")
    assert world.b1000().returncode == 0
