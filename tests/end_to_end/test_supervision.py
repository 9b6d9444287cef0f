"""Workers that die, scripts that do not want to end, signals, and many runs at once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import b1000
from b1000.locks import Locks, run_lock
from tests.support.processes import living
from tests.support.world import ROOT, World, tree, wait_until

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
    wait_until(world.rsyncs)
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
    wait_until(world.rsyncs)
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
    directories = list((world.root / "store" / "many").glob("*/*/"))
    assert len(directories) == 200
    expected = tree(world.source)
    assert all(tree(directory) == expected for directory in directories)
    seen = [int(line) for line in (world.root / "seen").read_text().split()]
    assert max(seen) <= 8
    assert max(seen) > 4
    with world.journal() as journal:
        rows = journal.execute("SELECT count(*), sum(step = 'DONE') FROM runs").fetchall()
    assert rows == [(200, 200)]
    assert len(world.report_files()) == 200
    assert world.processes() == []


def test_a_job_that_still_runs_is_left_out(world: World) -> None:
    world.files()
    go = world.root / "go"
    world.write(
        {
            "dest:store": world.store(),
            "job:slow": world.push(
                pre=f": > {world.root}/began; while ! [ -e {go} ]; do sleep 0.1; done"
            ),
            "job:other": world.push(),
        }
    )
    first = world.start("slow")
    wait_until((world.root / "began").exists)
    second = world.b1000()
    assert second.returncode == 3
    assert "is still running" in second.stdout
    assert world.last("other")["status"] == "OK"
    go.touch()
    first.communicate(timeout=30)
    assert first.returncode == 0
    assert world.b1000().returncode == 0


@pytest.mark.parametrize("later", ["job", "on_failure"])
def test_what_is_running_goes_on_though_the_program_is_upgraded(world: World, later: str) -> None:
    """Its files go while the first run is at work, whose worker is replaced for what comes then."""
    world.files()
    package = world.root / "package"
    shutil.copytree(Path(b1000.__file__).parent, package / "b1000")
    told = f"until ls {world.reports}/first-*; do sleep 0.1; done; sleep 0.5"
    gone = f"mv {package}/b1000 {package}/before; exit 1"
    done = world.root / "done"
    first = world.push(pre=f"{told}; {gone}")
    sections = {
        "job": {"job:first": first, "job:second": world.push(post=f": > {done}")},
        "on_failure": {"job:first": first | {"on_failure": f": > {done}"}},
    }
    world.write({"global": {"workers": 1}, "dest:store": world.store(), **sections[later]})
    program = world.b1000(environment={"PYTHONPATH": str(package)})
    assert (package / "before").exists()
    assert program.returncode == 1, program.stdout + program.stderr
    assert done.exists(), program.stdout + program.stderr
    assert world.last("first")["status"] == "FAILED"


def test_an_end_is_reported_though_what_takes_its_slot_is_left_out(world: World) -> None:
    world.files()
    go = world.root / "go"
    world.write(
        {
            "global": {"workers": 2},
            "dest:store": world.store(),
            "job:long": world.push(pre=f"while ! [ -e {go} ]; do sleep 0.1; done"),
            # Its reporter has nothing to do when it ends.
            "job:quick": world.push(post="sleep 3"),
            "job:taken": world.push(),
        }
    )
    lock = Locks(world.status_dir / "locks").take(run_lock("taken", ""))
    assert lock is not None
    program = world.start()

    def steps() -> set[str]:
        return {
            line
            for each in world.reports.glob("quick-*.b1k")
            for line in each.read_text().splitlines()
        }

    try:
        wait_until(lambda: "step = POST" in steps())
        wait_until(lambda: "step = DONE" in steps())
    finally:
        go.touch()
        os.close(lock)
        out, _ = program.communicate(timeout=30)
    assert program.returncode == 3, out
    assert "[taken     ] skipped" in out


def test_a_service_that_a_script_left_does_not_hold_the_lock(world: World) -> None:
    world.files()
    pids = world.root / "services"
    post = world.root / "post.sh"
    post.write_text(
        f"#!/bin/sh\nsetsid sleep 100 >/dev/null 2>&1 </dev/null &\necho $! >> {pids}\n"
    )
    post.chmod(0o755)
    world.write({"dest:store": world.store(), "job:etc": world.push(post=post)})

    def services() -> list[int]:
        return [int(pid) for pid in pids.read_text().split()]

    try:
        assert world.b1000().returncode == 0
        assert world.b1000().returncode == 0
        assert [psutil.pid_exists(pid) for pid in services()] == [True, True]
    finally:
        for pid in services():
            os.kill(pid, signal.SIGKILL)


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
    with world.journal() as journal:
        overlaps = journal.execute(
            """SELECT count(*) FROM runs AS one JOIN runs AS other USING (job, instance)
               WHERE one.run_id < other.run_id AND other.started < one.ended - 1"""
        ).fetchone()
    assert overlaps == (0,)
    starts = [path.name for path in (world.root / "store" / "etc").glob("*/*/")]
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


def test_a_killed_worker_does_not_take_a_service_with_it(world: World) -> None:
    """What a script that ended by itself left running is a service, such as a database."""
    pid = world.root / "service.pid"
    pre = world.root / "pre.sh"
    pre.write_text(f"#!/bin/sh\nsetsid sleep 200 >/dev/null 2>&1 </dev/null &\necho $! > {pid}\n")
    pre.chmod(0o755)
    (world.source / "large").write_bytes(b"x" * 4_000_000)
    world.write({"dest:store": world.store(bwlimit=100), "job:etc": world.push(pre=pre)})
    program = world.start()
    wait_until(world.rsyncs)
    time.sleep(0.2)
    service = psutil.Process(int(pid.read_text()))
    try:
        children = psutil.Process(program.pid).children()
        (worker,) = living(lambda child: bool(child.children()), children)
        worker.kill()
        program.communicate(timeout=30)
        assert program.returncode == 1
        assert service.is_running()
        assert world.processes() == []
    finally:
        service.kill()


def test_a_worker_killed_by_a_signal_without_a_name(world: World) -> None:
    world.files()
    world.write(
        {
            "dest:store": world.store(),
            "job:dies": world.push(pre=f"echo $$$$ > {world.root}/script.pid; sleep 60"),
        }
    )
    program = world.start()
    worker_of(world, program).send_signal(40)
    program.communicate(timeout=30)
    assert program.returncode == 1
    assert "signal 40" in world.last("dies")["error"]


def test_a_stop_during_the_grace_of_a_time_limit_still_ends_the_tree(world: World) -> None:
    world.files()
    world.write(
        {
            "global": {"script_timeout": 1},
            "dest:store": world.store(),
            "job:etc": world.push(pre=f": > {world.root}/began; {STUBBORN}"),
        }
    )
    program = world.start()
    wait_until((world.root / "began").exists)
    time.sleep(2)
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=30)
    assert program.returncode == 128 + signal.SIGTERM
    assert world.processes() == []


def test_closed_standard_streams_disturb_nothing(world: World) -> None:
    world.files()
    world.write({"dest:store": world.store(), "job:etc": world.push(pre="echo out; echo err >&2")})
    command = f"{sys.executable} -m b1000 -f {world.config} <&- >&- 2>&-"
    done = subprocess.run(["sh", "-c", command], env={"PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == 0
    assert world.last("etc")["status"] == "OK"


def test_a_reader_that_does_not_read_stops_no_backup(world: World) -> None:
    world.files()
    world.write(
        {
            "dest:store": world.store(),
            "job:etc": world.push(pre="yes | head -c 300000", post=f": > {world.root}/done"),
        }
    )
    program = world.start()
    wait_until((world.root / "done").exists, 40)
    program.communicate(timeout=30)
    assert program.returncode == 0


def test_more_workers_than_descriptors_are_allowed_at_first(world: World) -> None:
    world.files()
    names = " ".join(f"i{number}" for number in range(80))
    world.write(
        {
            "global": {"workers": 80},
            "dest:store": world.store(),
            "job:many": world.push(instances=names, pre="sleep 0.5"),
        }
    )
    command = f"ulimit -S -n 64; exec {sys.executable} -m b1000 -q -f {world.config}"
    done = subprocess.run(["sh", "-c", command], env={"PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == 0
    assert len(list((world.root / "store" / "many").glob("*/*/"))) == 80


def test_an_overlapping_program_does_not_wait_for_the_others_reports(world: World) -> None:
    world.files()
    world.write(
        {
            "dest:store": world.store(),
            "job:slow": world.push(pre=f": > {world.root}/began; sleep 6"),
            "job:quick": world.push(),
        }
    )
    slow = world.start("slow")
    wait_until((world.root / "began").exists)
    began = time.monotonic()
    done = world.b1000("quick")
    assert done.returncode == 0
    assert "not all states" not in done.stdout
    assert time.monotonic() - began < 5
    assert [name for name in world.report_files() if name.startswith("quick")]
    slow.communicate(timeout=30)


def test_instances_of_one_directory_are_seen_across_programs(world: World) -> None:
    world.files()
    master = world.root / "master.sh"
    master.write_text("#!/bin/sh\ncase $1 in a) echo b-c;; *) echo c;; esac\n")
    master.chmod(0o755)
    world.write(
        {
            "dest:store": world.store(),
            "job:db": world.push(type="sync", instances="a a-b", master_host=f"{master} $instance"),
        }
    )
    assert world.b1000("db/a").returncode == 0
    assert world.b1000("db/a-b").returncode == 1
    error = world.last("db", "a-b")["error"]
    assert "instance a-b would be copied into client-a-b-c, the directory of instance a;" in error


def test_a_damaged_status_file_stops_nothing(world: World) -> None:
    world.files()
    down = {"type": "active", "path": "rsync://127.0.0.1:9/x"}
    world.write({"dest:down": down, "job:bad": world.push(dest="down")})
    world.b1000()
    (name,) = world.status_files()
    file = world.status_dir / name
    text = file.read_bytes()
    for damage in (lambda: file.write_bytes(b"\xff"), lambda: os.mkfifo(file)):
        file.unlink()
        damage()
        done = world.b1000("--copy", timeout=30)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert file.is_file()
        assert file.read_bytes()[:40] == text[:40]


def test_one_report_that_cannot_be_written_holds_up_no_other(world: World) -> None:
    world.files()
    world.write(
        {
            "global": {"report_wait_end": 1},
            "dest:store": world.store(),
            "job:etc": world.push(
                pre=f"mkdir {world.reports}/etc--$start_time.b1k || true; sleep 0.3"
            ),
            "job:other": world.push(pre="sleep 1"),
        }
    )
    world.reports.mkdir()
    for number in range(5):
        moment = time.strftime("%Y-%m-%d-%H-%M-%S", time.localtime(time.time() + number))
        (world.reports / f"etc--{moment}.b1k").mkdir()
    assert world.b1000().returncode == 0
    (other,) = [name for name in world.report_files() if name.startswith("other")]
    assert "step = DONE" in (world.reports / other).read_text()


ILLEGAL = """
import sys
from b1000 import cli
from b1000.runs.states import Step
from b1000.work import push

carry_out = push.carry_out

async def wrong(assignment, job):
    if job.name == "bad":
        await assignment.commit(assignment.moved(Step.POST))
        await assignment.commit(assignment.moved(Step.PRE))
    await carry_out(assignment, job)

push.carry_out = wrong
sys.exit(cli.main())
"""


def test_what_a_worker_must_not_say_costs_its_own_run_alone(world: World) -> None:
    world.files()
    jobs = {f"job:{name}": world.push() for name in ("bad", "etc", "web")}
    world.write({"dest:store": world.store(), **jobs})
    done = subprocess.run(
        [sys.executable, "-c", ILLEGAL, "-f", str(world.config)],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "internal error: run" in world.last("bad")["error"]
    assert [world.last(name)["step"] for name in ("etc", "web")] == ["DONE", "DONE"]
    assert not world.processes()
