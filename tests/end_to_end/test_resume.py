"""``--copy``, ``forget``, and what becomes of runs that died."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.chance import TRIALS
from tests.support.daemon import Daemon
from tests.support.processes import gone, kill
from tests.support.world import World, open_sqlite, tree, wait_until

DOWN = {"type": "active", "path": "rsync://127.0.0.1:9/x"}


@pytest.fixture
def ready(world: World) -> World:
    world.files()
    return world


# --- what failed


def test_only_the_destination_that_failed_is_touched(ready: World) -> None:
    job = ready.push(dest="good bad", post=f"echo x >> {ready.root}/posts")
    ready.write({"dest:good": ready.store("good"), "dest:bad": DOWN, "job:etc": job})
    assert ready.b1000().returncode == 1
    before = ready.last("etc")
    good = Path(before["copies"][0]["path"])
    times = {path: path.lstat().st_ctime_ns for path in (good, *good.iterdir())}
    # The frozen directory stays; what the address leads to is the destination's matter.
    with ready.journal() as opened:
        path = before["copies"][1]["path"].replace(DOWN["path"], f"{ready.root}/bad")
        opened.execute("UPDATE copies SET path = ? WHERE destination = 'bad'", (path,))
    ready.write({"dest:good": ready.store("good"), "dest:bad": ready.store("bad"), "job:etc": job})
    done = ready.b1000("--copy")
    assert done.returncode == 0, done.stderr
    after = ready.last("etc")
    assert (after["step"], after["status"]) == ("DONE", "OK")
    assert after["run_id"] == before["run_id"]
    assert after["start_time"] == before["start_time"]
    assert [copy["status"] for copy in after["copies"]] == ["DONE", "DONE"]
    assert [copy["attempts"] for copy in after["copies"]] == [1, 2]
    assert tree(Path(path)) == tree(ready.source)
    assert {path: path.lstat().st_ctime_ns for path in (good, *good.iterdir())} == times
    assert (ready.root / "posts").read_text() == "x\n"
    assert ready.status_files() == []


def test_pre_is_not_run_again(ready: World) -> None:
    job = ready.push(dest="bad", pre=f"echo x >> {ready.root}/pres")
    ready.write({"dest:bad": DOWN, "job:etc": job})
    ready.b1000()
    ready.b1000("-c")
    assert (ready.root / "pres").read_text() == "x\n"
    assert ready.last("etc")["copies"][0]["attempts"] == 2


def test_nothing_to_retry_is_a_success(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
    done = ready.b1000("--copy")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert ready.b1000().returncode == 0
    assert ready.b1000("--copy").returncode == 0


def test_single_jobs_and_instances_can_be_named(ready: World) -> None:
    ready.write({"dest:bad": DOWN, "job:db": ready.push(dest="bad", instances="a b")})
    ready.b1000()
    ready.b1000("--copy", "db/b")
    assert ready.last("db", "a")["copies"][0]["attempts"] == 1
    assert ready.last("db", "b")["copies"][0]["attempts"] == 2
    for word, said in (("nosuch", "known jobs: db"), ("db/c", "known instances: a, b")):
        done = ready.b1000("--copy", word)
        assert done.returncode == 2
        assert said in done.stderr


def test_what_is_configured_no_more_is_failed_until_it_is_forgotten(ready: World) -> None:
    ready.write({"dest:bad": DOWN, "job:old": ready.push(dest="bad"), "job:new": ready.push(
        dest="bad")})  # fmt: skip
    ready.b1000()
    ready.write({"dest:store": ready.store(), "job:new": ready.push()})
    done = ready.b1000("--copy")
    assert done.returncode == 1
    assert "[job:old] is no longer configured" in done.stderr
    assert "no longer has this destination" in done.stderr
    # One sentence: what is wrong, what retries it, what gives it up.
    for name, reason in (("old", "configured"), ("new", "has this destination")):
        (line,) = [each for each in done.stderr.splitlines() if f"no longer {reason}" in each]
        assert line.endswith(
            f"no longer {reason}; configure it again; "
            f"retry with b1000 --copy {name} -f {ready.config}, "
            f"or give it up with b1000 forget {name} -f {ready.config}"
        )
    assert len(ready.status_files()) == 2
    reasons = ("[job:old] is no longer configured", "the job no longer has this destination")
    assert ready.b1000("--copy").returncode == 1
    for number, reason in enumerate(reasons, start=1):
        (run,) = [each for each in ready.status("--all") if each["run_id"] == number]
        assert reason in run["error"]
        assert [(copy["status"], reason in copy["error"]) for copy in run["copies"]] == [
            ("FAILED", True)
        ]
        (told,) = [text for text in map(Path.read_text, ready.status_dir.glob("*.json"))
                   if f'"run_id": {number},' in text]  # fmt: skip
        assert told.count(reason) == 2
    with ready.journal() as opened:
        told_once = "SELECT count(*) FROM transitions WHERE run_id = 1 AND error LIKE '%no longer%'"
        assert opened.execute(told_once).fetchone() == (2,)
    assert ready.b1000("forget", "old", "new").returncode == 0
    assert ready.status_files() == []
    assert ready.b1000("--copy").returncode == 0


def test_what_waited_for_a_puller_is_no_copy_of_a_job_that_pushes_now(ready: World) -> None:
    passive = {"type": "passive", "host": "storage", "timeout": 1}
    job = {"direction": "passive", "dest": "there", "report": "main"}
    ready.write({"dest:there": passive, "job:etc": job})
    assert ready.b1000().returncode == 1
    ready.write({"dest:there": ready.store("there"), "job:etc": ready.push(dest="there")})
    done = ready.b1000("--copy")
    assert done.returncode == 1
    assert "there: the job no longer has this destination" in done.stderr


# --- superseded runs


def test_the_tar_of_another_day_is_never_copied_under_todays_name(ready: World) -> None:
    """The manual's tar example: Monday's copy fails, Tuesday's run overwrites the tar."""
    tar = ready.root / "backup.tar"
    job = {
        "pre": f"tar cf {tar} -C {ready.source} .",
        "include": tar,
        "post": f"rm -f {tar}",
    }
    ready.write({"dest:bad": DOWN, "job:etc": ready.push(dest="bad", **job)})
    ready.b1000()
    monday = ready.last("etc")
    (ready.source / "tuesday").write_text("new")
    ready.b1000()
    tuesday = ready.last("etc")
    with ready.journal() as opened:
        for run in (monday, tuesday):
            path = run["copies"][0]["path"].replace(DOWN["path"], f"{ready.root}/bad")
            opened.execute("UPDATE copies SET path = ? WHERE run_id = ?", (path, run["run_id"]))
    ready.write({"dest:bad": ready.store("bad"), "job:etc": ready.push(dest="bad", **job)})
    content = tar.read_bytes()
    done = ready.b1000("--copy")
    assert done.returncode == 0, done.stderr
    assert f"run {monday['run_id']}" in done.stdout
    left = "never copied to bad; post was not run"
    assert left in done.stdout
    (closed,) = [run for run in ready.status("--last", "2") if run["run_id"] == monday["run_id"]]
    assert left in closed["error"]
    copied = list((ready.root / "bad").rglob("backup.tar"))
    assert len(copied) == 1
    assert copied[0].read_bytes() == content
    assert str(copied[0].parent).endswith(tuesday["start_time"][11:19])
    assert not tar.exists()


def test_dumps_with_their_own_start_time_are_all_copied(ready: World) -> None:
    """The manual's MySQL example: both days are copied, each under its own name."""
    dump = f"{ready.root}/dump-$instance-$start_time"
    job = {
        "instances": "3306",
        "pre": f"mkdir {dump} && date +%N > {dump}/data",
        "include": f"{dump}/*",
        "post": f"rm -rf {dump}",
    }
    ready.write({"dest:bad": DOWN, "job:db": ready.push(dest="bad", **job)})
    ready.b1000()
    ready.b1000()
    dumps = {path.name[-19:]: (path / "data").read_text() for path in ready.root.glob("dump-*")}
    assert len(dumps) == 2
    with ready.journal() as opened:
        opened.execute(
            "UPDATE copies SET path = replace(path, ?, ?)", (DOWN["path"], f"{ready.root}/bad")
        )
    ready.write({"dest:bad": ready.store("bad"), "job:db": ready.push(dest="bad", **job)})
    assert len(ready.status_files()) == 2
    done = ready.b1000("--copy")
    assert done.returncode == 0, done.stderr
    copied = {
        path.parent.name[-8:]: path.read_text() for path in (ready.root / "bad").rglob("data")
    }
    assert copied == {name[-8:].replace("-", ":"): text for name, text in dumps.items()}
    assert list(ready.root.glob("dump-*")) == []
    assert ready.status_files() == []


# --- runs that died


def test_what_had_arrived_of_a_large_file_is_not_sent_again(
    world: World, daemon: Callable[..., Daemon]
) -> None:
    large = world.source / "large"
    large.write_bytes(os.urandom(6_000_000))
    storage = daemon()
    store = {"type": "active", "path": storage.url("b1000")}
    world.write({"dest:store": {**store, "bwlimit": 2000}, "job:etc": world.push()})
    program = world.start()
    wait_until(
        lambda: sum(f.stat().st_size for f in storage.directory.rglob(".large.*")) > 3_000_000
    )
    for each in world.processes():
        each.kill()
    program.kill()
    program.communicate()
    wait_until(lambda: any(storage.directory.rglob(".b1000-partial/large")))
    world.write({"dest:store": store, "job:etc": world.push()})
    done = world.b1000("--copy")
    assert done.returncode == 0, done.stderr
    run = world.last("etc")
    assert tree(storage.module("b1000") / run["copies"][0]["path"][len(store["path"]) + 1 :]) == (
        tree(world.source)
    )
    with world.journal() as opened:
        ((sent,),) = opened.execute("SELECT sent FROM copies").fetchall()
    print(f"6000000 bytes in all, {sent} sent by the retry")
    assert sent < 3_200_000


def test_where_a_local_copy_has_a_limit_its_retry_goes_on_too(ready: World) -> None:
    (ready.source / "large").write_bytes(os.urandom(3_000_000))
    ready.write({"dest:store": ready.store(bwlimit=2000), "job:etc": ready.push()})
    program = ready.start()
    wait_until(
        lambda: sum(f.stat().st_size for f in ready.root.rglob("store/**/.large.*")) > 1_500_000
    )
    program.kill()
    program.communicate()
    done = ready.b1000("--copy")
    assert done.returncode == 0, done.stderr
    assert tree(Path(ready.last("etc")["copies"][0]["path"])) == tree(ready.source)
    with ready.journal() as opened:
        ((sent,),) = opened.execute("SELECT sent FROM copies").fetchall()
    assert sent < 1_600_000


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("step", ["INIT", "PRE", "COPYING", "POST"])
def test_a_reboot_in_each_step(ready: World, step: str, number: signal.Signals) -> None:
    """After SIGTERM as after SIGKILL: earlier than COPYING it failed, later it goes on."""
    slow = {"INIT": "master_host", "PRE": "pre", "POST": "post"}.get(step)
    flag = ready.root / "flag"
    wait = f"echo x >> {flag}; test -e {ready.root}/go || sleep 60"
    (ready.source / "large").write_bytes(b"x" * 3_000_000)
    wait = f"!{wait}; echo db1" if step == "INIT" else wait
    job = ready.push(**({slow: wait} if slow else {}))
    limit = 100 if step == "COPYING" else None
    ready.write({"dest:store": ready.store(bwlimit=limit), "job:etc": job})
    program = ready.start()
    wait_until(flag.exists if slow else ready.rsyncs)
    program.send_signal(number)
    program.communicate(timeout=20)
    (ready.root / "go").write_text("")
    ready.write({"dest:store": ready.store(), "job:etc": job})
    stopped = ready.last("etc")
    assert (stopped["step"], stopped["status"]) == (step, "FAILED")
    assert "interrupted" in stopped["error"]
    early = step in ("INIT", "PRE")
    assert stopped["resumable"] is not early
    done = ready.b1000("--copy")
    after = ready.last("etc")
    assert after["run_id"] == stopped["run_id"]
    if early:
        assert (after["step"], after["status"]) == (step, "FAILED")
        assert ready.b1000().returncode == 0
    else:
        assert done.returncode == 0, done.stderr
        assert (after["step"], after["status"]) == ("DONE", "OK")
        assert tree(Path(after["copies"][0]["path"])) == tree(ready.source)
    assert ready.processes() == []


def test_after_a_reboot_strangers_with_our_ids_are_left_alone(ready: World) -> None:
    """All processes are gone, their ids belong to others: nothing is killed, all goes on."""
    (ready.source / "large").write_bytes(b"x" * 3_000_000)
    ready.write({"dest:store": ready.store(bwlimit=100), "job:etc": ready.push()})
    program = ready.start()
    wait_until(ready.rsyncs)
    program.kill()
    program.communicate()
    wait_until(lambda: ready.processes() == [])
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        with ready.journal() as opened:
            opened.execute("UPDATE processes SET pid = ?, ended = NULL", (stranger.pid,))
            opened.execute("UPDATE runs SET supervisor_pid = ?", (stranger.pid,))
        ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
        assert ready.b1000("--copy").returncode == 0
        assert stranger.poll() is None
        assert ready.last("etc")["status"] == "OK"
    finally:
        stranger.kill()
        stranger.wait()


def test_an_orphan_holds_the_lock_until_it_was_ended(ready: World) -> None:
    """An rsync outlives supervisor and worker: nobody else writes before it is gone."""
    (ready.source / "large").write_bytes(b"x" * 5_000_000)
    ready.write({"dest:store": ready.store(bwlimit=100), "job:etc": ready.push(type="sync")})
    program = ready.start()
    wait_until(ready.rsyncs)
    orphans = ready.processes()
    kill((psutil.Process(program.pid), *psutil.Process(program.pid).children()))
    program.communicate()
    assert ready.rsyncs()
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(type="sync")})
    done = ready.b1000()
    assert done.returncode == 0, done.stderr
    assert "ending what an interrupted run may have left" in done.stdout
    assert all(gone(each) for each in orphans)
    assert tree(ready.root / "store" / "etc" / "client") == tree(ready.source)


def test_a_service_that_a_finished_script_left_is_left_alone(ready: World) -> None:
    pid = ready.root / "service.pid"
    pre = ready.root / "pre.sh"
    pre.write_text(f"#!/bin/sh\nsetsid sleep 300 >/dev/null 2>&1 </dev/null &\necho $! > {pid}\n")
    pre.chmod(0o755)
    (ready.source / "large").write_bytes(b"x" * 5_000_000)
    ready.write({"dest:store": ready.store(bwlimit=100), "job:etc": ready.push(pre=pre)})
    program = ready.start()
    wait_until(ready.rsyncs)
    time.sleep(0.3)
    service = psutil.Process(int(pid.read_text()))
    try:
        kill((psutil.Process(program.pid), *psutil.Process(program.pid).children()))
        program.communicate()
        ready.write({"dest:store": ready.store(), "job:etc": ready.push(pre=pre)})
        assert ready.b1000("--copy").returncode == 0
        assert service.is_running()
        assert service.status() != psutil.STATUS_ZOMBIE
    finally:
        service.kill()


def test_a_job_that_died_runs_again_without_copy(ready: World) -> None:
    job = ready.push(
        pre=f"test -e {ready.root}/go || sleep 60", on_failure=f"touch {ready.root}/told"
    )
    ready.write({"dest:store": ready.store(), "job:etc": job})
    program = ready.start()
    wait_until(ready.processes)
    program.kill()
    program.communicate()
    (ready.root / "go").write_text("")
    done = ready.b1000()
    assert done.returncode == 0, done.stderr
    assert "was interrupted" in done.stderr
    assert (ready.root / "told").exists()
    with ready.journal() as opened:
        cleanups = opened.execute("SELECT step, ending FROM runs ORDER BY run_id").fetchall()
    assert cleanups == [("PRE", "INTERRUPTED"), ("DONE", "FINISHED")]


# --- forget


def test_forget_runs_post_only_when_asked(ready: World) -> None:
    job = ready.push(dest="bad", post=f"echo x >> {ready.root}/posts", instances="a b")
    ready.write({"dest:bad": DOWN, "job:db": job})
    ready.b1000()
    assert ready.b1000("forget", "db/a").returncode == 0
    assert not (ready.root / "posts").exists()
    assert len(ready.status_files()) == 1
    assert ready.b1000("forget", "--post", "db").returncode == 0
    assert (ready.root / "posts").read_text() == "x\n"
    assert ready.status_files() == []
    assert "forgotten by hand" in ready.last("db", "b")["error"]
    assert not ready.last("db", "b")["resumable"]
    again = ready.b1000("forget", "--post", "db")
    assert again.returncode == 0
    for instance in "ab":
        assert f"[db/{instance}      ] there is nothing to forget: run" in again.stdout
    assert "[db/b      ] there is nothing to forget" in ready.b1000("forget", "db/b").stdout
    assert (ready.root / "posts").read_text() == "x\n"


def forgetting(ready: World, *options: str) -> str:
    """What ``forget`` answers; it succeeds."""
    done = ready.b1000("forget", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("step", "options", "why"),
    [
        ("PRE", {"pre": "false"}, "its pre did not succeed"),
        ("INIT", {"master_host": "!false"}, "it had not begun"),
    ],
)
def test_forget_runs_no_post_where_nothing_was_copied(
    ready: World, step: str, options: dict[str, str], why: str
) -> None:
    post = f"echo x >> {ready.root}/posts"
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(post=post, **options)})
    ready.b1000()
    told = rf"there is nothing to forget: run 1 of \S+ FAILED at {step}, and nothing retries it"
    assert re.search(rf"{told}$", forgetting(ready, "etc"), re.MULTILINE)
    no_post = f"; its post is not run, since {why} and nothing was copied"
    assert re.search(rf"{told}{no_post}$", forgetting(ready, "--post", "etc"), re.MULTILINE)
    assert not (ready.root / "posts").exists()
    assert ready.last("etc")["status"] == "FAILED"


def test_forget_says_that_there_is_no_post(ready: World) -> None:
    jobs = {"job:pre": ready.push(pre="false"), "job:copy": ready.push(dest="bad")}
    ready.write({"dest:store": ready.store(), "dest:bad": DOWN, **jobs})
    ready.b1000()
    said = forgetting(ready, "--post", "pre", "copy")
    assert "nothing retries it; it has no post" in said
    assert "forgotten by hand; it has no post" in said


def test_forget_runs_a_post_again_that_failed(ready: World) -> None:
    """All is copied; then the run is closed, and another time there is nothing left."""
    post = f"echo x >> {ready.root}/posts; test -e {ready.root}/well"
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(post=post)})
    assert ready.b1000().returncode == 1
    said = forgetting(ready, "etc")
    again = f"b1000 forget --post etc -f {ready.config}"
    assert f"all is copied, and {again} runs its post again" in said
    assert ready.b1000("forget", "--post", "etc").returncode == 1
    (ready.root / "well").touch()
    assert "forgotten by hand, after its post" in forgetting(ready, "--post", "etc")
    assert (ready.root / "posts").read_text() == "x\n" * 3
    assert "forgotten by hand, after its post" in ready.last("etc")["error"]
    assert "is closed already" in forgetting(ready, "--post", "etc")
    assert (ready.root / "posts").read_text() == "x\n" * 3


def test_forget_runs_no_post_over_the_data_of_a_later_run(ready: World) -> None:
    post = f"echo x >> {ready.root}/posts"
    for dest in ("bad", "bad", "store"):
        ready.write({"dest:bad": DOWN, "dest:store": ready.store(),
                     "job:etc": ready.push(dest=dest, post=post)})  # fmt: skip
        ready.b1000()
    assert (ready.root / "posts").read_text() == "x\n"
    said = forgetting(ready, "--post", "etc")
    assert said.count("its post is not run, since a later run has begun") == 2
    assert (ready.root / "posts").read_text() == "x\n"
    assert not ready.status_files()


def test_forget_with_the_post_of_an_instance_that_is_gone(ready: World) -> None:
    job = ready.push(dest="bad", post=f"echo x >> {ready.root}/posts", instances="a b")
    ready.write({"dest:bad": DOWN, "job:db": job})
    ready.b1000()
    ready.write({"dest:bad": DOWN, "job:db": {**job, "instances": "b"}})
    assert "forgotten by hand, after its post" in forgetting(ready, "--post", "db/a")
    ready.write({"dest:bad": DOWN, "job:other": ready.push(dest="bad")})
    assert "forgotten by hand, after its post" in forgetting(ready, "--post", "db")
    assert (ready.root / "posts").read_text() == "x\n" * 2


def test_forget_says_what_becomes_of_a_run_that_died_before_it_copied(ready: World) -> None:
    post = f"echo x >> {ready.root}/posts"
    job = ready.push(pre=f": > {ready.root}/began; sleep 60", post=post)
    ready.write({"dest:store": ready.store(), "job:etc": job})
    program = ready.start()
    wait_until((ready.root / "began").exists)
    program.kill()
    program.communicate()
    done = ready.b1000("forget", "--post", "etc")
    assert done.returncode == 0
    assert "FAILED at PRE: run 1 of" in done.stderr
    assert "its post is not run, since its pre did not succeed and nothing was" in done.stdout
    assert not (ready.root / "posts").exists()


def test_forget_with_a_post_that_fails_forgets_nothing(ready: World) -> None:
    ready.write({"dest:bad": DOWN, "job:etc": ready.push(dest="bad", post="exit 3")})
    ready.b1000()
    done = ready.b1000("forget", "--post", "etc")
    assert done.returncode == 1
    assert "exit code 3" in done.stderr
    assert ready.last("etc")["resumable"]


def test_forget_is_refused_while_a_run_is_at_work(ready: World) -> None:
    ready.write({"dest:bad": DOWN, "job:etc": ready.push(dest="bad")})
    ready.b1000()
    ready.write(
        {"dest:bad": DOWN, "job:etc": ready.push(dest="bad", pre=f"touch {ready.root}/f; sleep 30")}
    )
    program = ready.start()
    wait_until((ready.root / "f").exists)
    assert ready.b1000("forget", "etc").returncode == 3
    program.terminate()
    program.communicate()


# --- races


@pytest.mark.slow
def test_races_never_overlap_and_never_lock_up(ready: World) -> None:
    """``--copy`` twice, beside normal runs, beside each other. ``B1000_TRIALS=50`` tries more."""
    guard = ready.root / "guard.sh"
    guard.write_text(f"#!/bin/sh\nmkdir {ready.root}/busy-$1 || echo $1 >> {ready.root}/overlaps\n")
    release = ready.root / "release.sh"
    release.write_text(f"#!/bin/sh\nrmdir {ready.root}/busy-$1\n")
    for script in (guard, release):
        script.chmod(0o755)
    ready.write(
        {
            "dest:store": ready.store(),
            "job:db": ready.push(
                type="sync",
                instances="a b",
                pre=f"{guard} $instance",
                post=f"{release} $instance",
            ),
        }
    )
    codes: set[int] = set()
    for _ in range(TRIALS):
        programs = [ready.start(*words) for words in ([], ["--copy"], ["db/a"], ["--copy"])]
        for program in programs:
            _, errors = program.communicate(timeout=60)
            codes.add(program.returncode)
            assert "Traceback" not in errors
    assert codes <= {0, 3}
    assert not (ready.root / "overlaps").exists()
    with ready.journal() as opened:
        assert opened.execute("SELECT count(*) FROM runs WHERE ending IS NULL").fetchone() == (0,)


# --- time limits and trouble with the journal


def test_what_hung_is_told_apart_from_what_failed(
    ready: World, daemon: Callable[..., Daemon]
) -> None:
    storage = daemon()
    (ready.source / "large").write_bytes(os.urandom(3_000_000))
    ready.write(
        {
            "global": {"io_timeout": 1, "connect_timeout": 5},
            "dest:store": {"type": "active", "path": storage.url("b1000")},
            "dest:local": ready.store(),
            "job:hung": ready.push(),
            "job:script": ready.push(dest="local", pre="sleep 60", script_timeout=1),
        }
    )
    storage.kill(signal.SIGSTOP)
    done = ready.b1000()
    storage.kill(signal.SIGCONT)
    assert done.returncode == 1
    assert "io_timeout" in ready.last("hung")["error"]
    assert "time limit" in ready.last("script")["error"]
    assert ready.b1000("--copy", "hung").returncode == 0


def test_an_rsync_that_stands_still_is_ended(ready: World) -> None:
    """Its own --timeout cannot do that: it is stopped as a whole."""
    (ready.source / "large").write_bytes(os.urandom(3_000_000))
    ready.write(
        {
            "global": {"io_timeout": 1},
            "dest:store": ready.store(bwlimit=100),
            "job:etc": ready.push(),
        }
    )
    program = ready.start()
    wait_until(ready.rsyncs)
    time.sleep(0.3)
    for each in ready.processes():
        each.suspend()
    program.communicate(timeout=60)
    assert program.returncode == 1
    assert "stood still" in ready.last("etc")["error"]
    assert ready.processes() == []


def test_a_journal_that_is_locked_for_a_while_is_waited_for(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
    assert ready.b1000().returncode == 0
    with ready.journal() as other:
        other.execute("BEGIN IMMEDIATE")
        program = ready.start()
        time.sleep(3)
        assert program.poll() is None
        other.rollback()
    program.communicate(timeout=30)
    assert program.returncode == 0


def test_a_journal_copied_at_any_moment_opens_and_recovers(ready: World) -> None:
    """A power cut: the files as they lie on disk."""
    ready.write(
        {
            "dest:store": ready.store(),
            "job:db": ready.push(instances="a b c d e f", pre="sleep 0.1"),
        }
    )
    program = ready.start()
    copies: list[Path] = []
    while program.poll() is None:
        place = ready.root / f"cut{len(copies)}"
        if (ready.status_dir / "journal.sqlite3").exists():
            place.mkdir()
            for suffix in ("-wal", ""):
                source = ready.status_dir / f"journal.sqlite3{suffix}"
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(source, place / source.name)
            copies.append(place)
        time.sleep(0.05)
    program.communicate()
    assert len(copies) > 5
    config = ready.config.read_text()
    for place in copies[:: len(copies) // TRIALS or 1]:
        ready.config.write_text(config.replace(str(ready.status_dir), str(place)))
        done = ready.b1000("--copy")
        assert "Traceback" not in done.stderr
        assert "corrupt" not in done.stderr
        with open_sqlite(place / "journal.sqlite3") as opened:
            left = opened.execute("SELECT count(*) FROM runs WHERE ending IS NULL").fetchone()
        assert left == (0,)


@pytest.mark.skipif(os.getuid() != 0, reason="mounts a small file system")
def test_a_full_disk_under_journal_and_dump_stops_no_copy(ready: World) -> None:
    """post runs (it frees the disk), and the states are written afterwards."""
    small = ready.root / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", small], check=True)
    try:
        ready.write(
            {
                "global": {"status_dir": small / "status"},
                "dest:store": ready.store(),
                "job:etc": ready.push(
                    pre=f"dd if=/dev/zero of={small}/dump bs=1k 2>/dev/null; sleep 0.5; true",
                    post=f"rm {small}/dump",
                ),
            }
        )
        done = ready.b1000(timeout=90)
        assert done.returncode == 0, done.stderr
        assert "cannot be written" in done.stderr
        assert "can be used again" in done.stdout
        run = ready.last("etc")
        assert (run["step"], run["status"]) == ("DONE", "OK")
        (name,) = ready.report_files()
        assert "step = DONE" in (ready.reports / name).read_text()
    finally:
        subprocess.run(["umount", "-l", small], check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="mounts a small file system")
@pytest.mark.parametrize("options", ["ro", "size=1m"])
def test_a_status_directory_read_only_or_full_is_told_before_anything_is_run(
    ready: World, options: str
) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
    assert ready.b1000().returncode == 0
    small = ready.root / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=True)
    try:
        shutil.copytree(ready.status_dir, small / "status")
        if options == "ro":
            subprocess.run(["mount", "-o", "remount,ro", small], check=True)
        else:
            fill = ["dd", "if=/dev/zero", f"of={small}/fill", "bs=512"]
            assert subprocess.run(fill, capture_output=True, check=False).returncode != 0
        ready.write(
            {
                "global": {"status_dir": small / "status"},
                "dest:store": ready.store(),
                "job:etc": ready.push(pre=f"touch {ready.root}/ran"),
            }
        )
        done = ready.b1000()
        assert done.returncode == 2, done.stdout
        assert "journal" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (ready.root / "ran").exists()
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_status_says_interrupted_before_anything_has_recovered_it(ready: World) -> None:
    (ready.source / "large").write_bytes(b"x" * 3_000_000)
    ready.write({"dest:store": ready.store(bwlimit=100), "job:etc": ready.push()})
    program = ready.start()
    wait_until(ready.rsyncs)
    program.kill()
    program.communicate()
    run = ready.last("etc")
    assert (run["step"], run["status"], run["error"]) == ("COPYING", "FAILED", "interrupted")
    assert run["resumable"]
    assert run["copies"][0]["status"] == "FAILED"
    ready.write({"dest:store": ready.store(), "job:other": ready.push(), "job:etc": ready.push()})
    assert ready.b1000("other").returncode == 0
    (name,) = ready.status_files()
    assert re.fullmatch(r"client-etc--\d{4}(-\d\d){5}\.json", name)
    told = json.loads((ready.status_dir / name).read_text())
    assert told["error"] == "interrupted"
    assert told["since"]
    (copy,) = told["copies"]
    assert (copy["status"], copy["error"]) == ("FAILED", "interrupted")
    wait_until(lambda: ready.processes() == [], 20)
