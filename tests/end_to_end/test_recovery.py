"""Programs that die one after another, journals that break: nothing is lost, nothing doubled."""

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from b1000.runs.events import Died
from b1000.runs.states import Ending
from b1000.state.journal import Journal
from b1000.state.queries import Reader
from tests.support import build
from tests.support.processes import gone, kill, living
from tests.support.world import World, wait_until

DOWN = {"type": "active", "path": "rsync://127.0.0.1:9/x"}
Popen = subprocess.Popen[str]
# A minute is long in a test.
IMPATIENT = (
    "import sys; from b1000 import cli; from b1000.supervise import recorder; "
    "recorder._GRACE = 3; sys.exit(cli.main())"
)


@pytest.fixture
def ready(world: World) -> World:
    world.files()
    return world


def strike(running: Popen) -> None:
    """SIGKILL a supervisor and its workers; their scripts and rsyncs go on."""
    supervisor = psutil.Process(running.pid)
    kill([supervisor, *supervisor.children()])
    running.communicate()


def strike_worker_of(running: Popen, script: str) -> psutil.Process:
    """SIGKILL the worker that runs a script; gives the shell of the script."""
    below = psutil.Process(running.pid).children(recursive=True)
    shell = living(lambda each: script in " ".join(each.cmdline()), below)[0]
    worker = shell.parent()
    assert worker
    worker.kill()
    return shell


def redirect(world: World, directory: str) -> None:
    """Let all copies lead to where there is something, and a place for their marks."""
    with world.journal() as opened:
        there = (DOWN["path"], f"{world.root}/{directory}")
        opened.execute("UPDATE copies SET path = replace(path, ?, ?)", there)


def overwrite(world: World) -> None:
    """The journal becomes garbage under those who have it open."""
    for suffix in ("", "-wal"):
        path = world.status_dir / f"journal.sqlite3{suffix}"
        with open(path, "r+b") as file:
            file.write(b"\xff" * path.stat().st_size)


# --- a journal that cannot be read


def three_of_which_one_runs(world: World, replaceable: bool = True) -> "subprocess.Popen[str]":
    """One place for three instances; the journal becomes garbage while the first is at work."""
    job = world.push(instances="a b c", pre=f"touch {world.root}/in-$instance; sleep 1")
    limits = {"workers": 1, "report_wait_end": 0, "mark_wait": 0}
    world.write({"global": limits, "dest:store": world.store(), "job:db": job})
    running = subprocess.Popen(
        [sys.executable, "-c", IMPATIENT, "-f", str(world.config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until((world.root / "in-a").exists)
    if not replaceable:
        # It stands where a journal that is set aside leaves its mark.
        (world.status_dir / "journal.sqlite3.suspect").mkdir()
    overwrite(world)
    return running


def test_what_was_planned_is_run_with_a_new_journal(ready: World) -> None:
    out, errors = three_of_which_one_runs(ready).communicate(timeout=120)
    assert "is corrupt" in errors
    for instance in "abc":
        assert (ready.root / f"in-{instance}").exists()
        assert re.search(rf"\[db/{instance} *\] DONE", out), out
    assert [run["status"] for run in ready.status("db/b", "db/c")] == ["OK", "OK"]


def test_what_was_planned_has_failed_when_no_journal_can_be_had(ready: World) -> None:
    running = three_of_which_one_runs(ready, replaceable=False)
    out, errors = running.communicate(timeout=120)
    assert running.returncode == 1, out
    for instance in "bc":
        assert not (ready.root / f"in-{instance}").exists()
        assert re.search(rf"\[db/{instance} *\] FAILED: not begun", errors), errors


@pytest.mark.parametrize("damaged", ["runs_of_subject", "listings_of_job", "report_troubles"])
def test_damage_in_a_journal_too_large_to_be_looked_through_is_met_once(
    ready: World, damaged: str
) -> None:
    """It is noted where it is met, written or read; the next program sets the journal aside."""
    ready.write({"dest:store": ready.store(), "job:db": ready.push(instances="a b")})
    assert ready.b1000().returncode == 0
    with ready.journal() as opened:
        sql = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        (page,) = opened.execute(sql, (damaged,)).fetchone()
    with open(ready.status_dir / "journal.sqlite3", "r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    for number, codes in enumerate(((0, 1, 2), (0,))):
        program = (
            "import sys; from b1000 import cli; from b1000.state import writer; "
            "from b1000.supervise import recorder; "
            "writer._CHECKED_WHOLE = recorder._GRACE = 0; sys.exit(cli.main())"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, "-f", str(ready.config)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in codes, f"{number}: {done.stderr}"
        assert "Traceback" not in done.stderr
    assert len(list(ready.status_dir.glob("journal.sqlite3.corrupt-*"))) == 1
    assert not list(ready.status_dir.glob("*.suspect"))


# --- what is run for a run that is over


def failed_once(world: World, **options: object) -> None:
    world.write({"dest:bad": DOWN, "job:etc": world.push(dest="bad", **options)})
    assert world.b1000().returncode == 1


def once(world: World, seconds: int) -> str:
    """A script that takes long, but only the first time."""
    return f"test -e {world.root}/in || (touch {world.root}/in; sleep {seconds})"


def then_copy(world: World) -> None:
    """The destination works again: the run is gone on with."""
    redirect(world, "s")
    world.write({"dest:bad": world.store("s"), "job:etc": world.push(dest="bad")})
    done = world.b1000("--copy")
    assert done.returncode == 0, done.stderr


def test_the_post_of_a_forget_whose_worker_died_is_ended(ready: World) -> None:
    failed_once(ready, post=once(ready, 51))
    running = ready.start("forget", "--post", "etc")
    wait_until((ready.root / "in").exists)
    shell = strike_worker_of(running, "sleep 51")
    _, errors = running.communicate(timeout=30)
    assert running.returncode == 1
    assert "its worker was killed by SIGKILL" in errors
    assert gone(shell)
    then_copy(ready)


def test_the_post_of_a_forget_that_died_is_ended_before_its_run_goes_on(ready: World) -> None:
    failed_once(ready, post=once(ready, 52))
    running = ready.start("forget", "--post", "etc")
    wait_until((ready.root / "in").exists)
    strike(running)
    wait_until(ready.processes)  # one that begins another program has no marks for a moment
    then_copy(ready)
    assert not ready.processes()
    assert ready.last("etc")["step"] == "DONE"


def test_an_on_failure_that_outlived_its_supervisor_is_ended_by_the_next_run(ready: World) -> None:
    on_failure = f"touch {ready.root}/in; sleep 53"
    ready.write({"dest:bad": DOWN, "job:etc": ready.push(dest="bad", on_failure=on_failure)})
    running = ready.start()
    wait_until((ready.root / "in").exists)
    strike(running)
    wait_until(ready.processes)  # one that begins another program has no marks for a moment
    then_copy(ready)
    assert not ready.processes()


def test_an_on_failure_whose_worker_died_is_ended(ready: World) -> None:
    on_failure = f"touch {ready.root}/in; sleep 54"
    ready.write({"dest:bad": DOWN, "job:etc": ready.push(dest="bad", on_failure=on_failure)})
    running = ready.start()
    wait_until((ready.root / "in").exists)
    shell = strike_worker_of(running, "sleep 54")
    out, errors = running.communicate(timeout=30)
    assert running.returncode == 1, out
    assert "its worker was killed by SIGKILL" in errors
    assert gone(shell)
    # The failure stays what it was.
    assert "worker" not in ready.last("etc")["error"]


def test_an_on_failure_that_ends_leaves_the_orphans_of_a_resumption_known(ready: World) -> None:
    """The run is gone on with while its on_failure still runs; then that one dies, too."""
    (ready.source / "large").write_bytes(b"x" * 3_000_000)
    wait = f"touch {ready.root}/in; while ! test -e {ready.root}/go; do sleep 0.1; done"
    failed: dict[str, object] = {"dest": "bad", "on_failure": wait}
    ready.write({"dest:bad": DOWN, "job:etc": ready.push(**failed)})
    telling = ready.start()
    wait_until((ready.root / "in").exists)
    redirect(ready, "s")
    ready.write({"dest:bad": ready.store("s", bwlimit=50), "job:etc": ready.push(dest="bad")})
    copying = ready.start("--copy")
    wait_until(ready.rsyncs)
    # What is gone on with needs no retry.
    assert ready.status_files() == []
    (ready.root / "go").touch()
    telling.communicate(timeout=30)
    strike(copying)
    assert ready.rsyncs()
    then_copy(ready)
    assert not ready.processes()


def test_a_finished_run_leaves_nothing_to_be_cleared(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(pre="true", post="true")})
    for _ in range(2):
        done = ready.b1000()
        assert done.returncode == 0
        assert "left running" not in done.stdout + done.stderr


# --- clearing


def killed_in_pre(world: World, stubborn: str) -> None:
    """A run whose pre outlives its supervisor and hears no SIGTERM."""
    pre = f"test -e {world.root}/go || (trap '' TERM; touch {world.root}/in; {stubborn}); true"
    world.write({"dest:store": world.store(), "job:etc": world.push(pre=pre)})
    running = world.start()
    wait_until((world.root / "in").exists)
    strike(running)
    (world.root / "go").touch()


def until_it_clears(running: Popen) -> None:
    """Wait until a program says that it ends what an interrupted run left."""
    assert running.stdout
    assert any("ending what an interrupted run" in line for line in running.stdout)


def test_a_program_that_died_while_it_cleared_has_not_cleared(ready: World) -> None:
    killed_in_pre(ready, "sleep 55; sleep 55")
    running = ready.start()
    until_it_clears(running)
    strike(running)
    wait_until(ready.processes)  # one that begins another program has no marks for a moment
    done = ready.b1000()
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ending what an interrupted run may have left running") == 1
    assert not ready.processes()
    assert ready.last("etc")["step"] == "DONE"


def test_a_stop_while_it_clears_is_a_stop(ready: World) -> None:
    killed_in_pre(ready, "sleep 56; sleep 56; sleep 56")
    running = ready.start()
    until_it_clears(running)
    running.terminate()
    _, errors = running.communicate(timeout=20)
    assert running.returncode == 143, errors
    assert ready.b1000().returncode == 0
    assert not ready.processes()


@pytest.mark.skipif(os.getuid() != 0, reason="sets the next process id")
def test_a_stranger_under_the_id_of_a_process_that_is_gone_is_left_alone(ready: World) -> None:
    script = ready.root / "pre.sh"
    script.write_text(
        f"#!/bin/sh\nsetsid sh -c \"trap '' TERM; touch {ready.root}/in; sleep 9; sleep 9\" &\n"
        "exec sleep 57\n"
    )
    script.chmod(0o755)
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(pre=f"exec {script}")})
    running = ready.start()
    wait_until((ready.root / "in").exists)

    def known() -> int:
        with ready.journal() as opened:
            found = opened.execute("SELECT pid FROM processes WHERE purpose = 'pre'").fetchone()
        return found[0] if found else 0

    wait_until(known)
    root = known()
    strike(running)
    copying = ready.start("--copy")
    wait_until(lambda: not psutil.pid_exists(root))
    with under_id(root) as stranger:
        if stranger is None:
            copying.communicate(timeout=60)
            pytest.skip("somebody else got the id first")
        copying.communicate(timeout=60)
        assert stranger.poll() is None


@contextlib.contextmanager
def under_id(wanted: int) -> Iterator[subprocess.Popen[bytes] | None]:
    """A process with a session of its own under this very id, if it can be had."""
    for _ in range(200):
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(wanted - 1))
        stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
        if stranger.pid == wanted:
            break
        stranger.kill()
        stranger.wait()
    try:
        yield stranger if stranger.pid == wanted else None
    finally:
        stranger.kill()
        stranger.wait()


def test_locks_of_others_do_not_live_on_in_what_clears(ready: World) -> None:
    """a can begin at once, b has to be cleared: the lock of a is free when a is done."""
    wait = f"(trap '' TERM; touch {ready.root}/in; sleep 58; sleep 58)"
    pre = f"test $instance = a || test -e {ready.root}/go || {wait}; true"
    ready.write({"dest:store": ready.store(), "job:db": ready.push(instances="a b", pre=pre)})
    running = ready.start("db/b")
    wait_until((ready.root / "in").exists)
    strike(running)
    (ready.root / "go").touch()
    running = ready.start()
    wait_until(lambda: any(row["instance"] == "a" and row["step"] == "DONE" for row in rows(ready)))
    assert running.poll() is None
    again = ready.b1000("db/a")
    assert again.returncode == 0, again.stderr
    running.communicate(timeout=60)
    assert running.returncode == 0


def rows(world: World) -> list[dict[str, object]]:
    return list(world.status())


# --- what is told


def test_what_is_live_is_left_out_by_forget_and_by_copy(ready: World) -> None:
    """Who asks to forget it is told so, wherever the log goes."""
    ready.write(
        {
            "global": {"log_file": ready.root / "log"},
            "dest:store": ready.store(),
            "job:etc": ready.push(pre=f"touch {ready.root}/in; sleep 5"),
        }
    )
    running = ready.start()
    wait_until((ready.root / "in").exists)
    refused = ready.b1000("forget", "etc")
    assert refused.returncode == 3
    assert "not forgotten: run 1" in refused.stderr
    # A first attempt that goes well is nothing that --copy is asked to go on with.
    assert ready.b1000("--copy", "etc").returncode == 0
    running.communicate(timeout=30)
    assert running.returncode == 0


def test_forget_is_refused_beside_a_run_that_is_at_work(ready: World) -> None:
    """An older run has failed; that it is not forgotten now says nothing of what is due."""
    log = {"log_file": ready.root / "log"}
    ready.write({"global": log, "dest:bad": DOWN, "job:etc": ready.push(dest="bad")})
    assert (ready.b1000().returncode, ready.b1000().returncode) == (1, 1)
    job = ready.push(dest="bad", pre=f"touch {ready.root}/in; sleep 60")
    ready.write({"global": log, "dest:bad": DOWN, "job:etc": job})
    running = ready.start()
    wait_until((ready.root / "in").exists)
    refused = ready.b1000("forget", "etc")
    assert refused.returncode == 3
    # Once, although two of its runs have failed.
    assert refused.stderr.count("not forgotten: run 3") == 1
    assert "skipped" not in ready.b1000("status").stdout
    assert ready.b1000("--copy", "etc").returncode == 3
    said = (ready.root / "log").read_text()
    assert said.count(" skipped: run 3") == 1
    assert said.count(": 1 skipped") == 2
    running.terminate()
    running.communicate(timeout=30)


def test_a_run_whose_lock_cannot_be_taken_stays_as_it_is(ready: World) -> None:
    failed_once(ready)
    before = ready.last("etc")
    (ready.status_dir / "locks").rename(ready.root / "away")
    (ready.status_dir / "locks").touch()
    job = ready.push(dest="bad")
    ready.write({"global": {"report_wait_end": 0}, "dest:bad": DOWN, "job:etc": job})
    for words in (["--copy"], ["forget", "etc"]):
        refused = ready.b1000(*words)
        assert refused.returncode == 1
        assert "run 1: its lock cannot be taken" in refused.stderr
    assert ready.last("etc") == before


def test_what_another_program_resumes_is_left_out(ready: World) -> None:
    failed_once(ready, post=f"touch {ready.root}/in; sleep 3")
    redirect(ready, "s")
    ready.write({"dest:bad": ready.store("s"), "job:etc": ready.push(dest="bad")})
    running = ready.start("--copy")
    wait_until((ready.root / "in").exists)
    left_out = ready.b1000("--copy")
    assert left_out.returncode == 3
    assert "skipped: run 1" in left_out.stdout
    running.communicate(timeout=30)
    assert running.returncode == 0


def test_copy_that_finds_a_run_dead_before_it_copied_tells_its_failure(ready: World) -> None:
    pre = f"touch {ready.root}/in; sleep 59"
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(pre=pre)})
    running = ready.start()
    wait_until((ready.root / "in").exists)
    strike(running)
    found = ready.b1000("--copy")
    assert found.returncode == 1
    assert "FAILED at PRE: run 1" in found.stderr
    assert ready.b1000("--copy").returncode == 0


def test_an_on_failure_is_run_once_however_often_the_journal_refuses(ready: World) -> None:
    stopped = f"touch {ready.root}/in; sleep 60"
    options: dict[str, object] = {"pre": stopped, "on_failure": f"echo x >> {ready.root}/told"}
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(**options)})
    running = ready.start()
    wait_until((ready.root / "in").exists)
    strike(running)
    copying = ready.start("--copy")
    # It clears first; then it finds the journal locked, several times.
    until_it_clears(copying)
    with ready.journal() as opened:
        opened.isolation_level = None
        opened.execute("BEGIN IMMEDIATE")
        wait_until(lambda: not ready.processes())
        time.sleep(4)
        opened.rollback()
    _, errors = copying.communicate(timeout=60)
    assert copying.returncode == 1
    assert errors.count("FAILED at PRE") == 1
    assert (ready.root / "told").read_text() == "x\n"


def test_a_stop_while_the_journal_is_locked_is_a_stop(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
    assert ready.b1000().returncode == 0
    with ready.journal() as opened:
        opened.isolation_level = None
        opened.execute("BEGIN IMMEDIATE")
        for words in ([], ["--copy"]):
            running = ready.start(*words)
            time.sleep(2)
            running.terminate()
            _, errors = running.communicate(timeout=30)
            assert running.returncode == 143, errors
        opened.rollback()


def test_a_stop_ends_in_time_although_the_journal_stays_locked(ready: World) -> None:
    pre = f"touch {ready.root}/in; trap '' TERM; sleep 62; sleep 62"
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(pre=pre)})
    program = f"from b1000.supervise import supervisor; supervisor._STOP_TIME = 1; {IMPATIENT}"
    running = subprocess.Popen(
        [sys.executable, "-c", program, "-f", str(ready.config)], stderr=subprocess.DEVNULL
    )
    wait_until((ready.root / "in").exists)
    with ready.journal() as opened:
        opened.isolation_level = None
        opened.execute("BEGIN IMMEDIATE")
        running.terminate()
        # Without an end it would wait as long as the journal is locked.
        assert running.wait(timeout=60) == 143
        opened.rollback()
    assert not ready.processes()
    assert ready.last("etc")["error"] == "interrupted"


def test_a_stop_is_written_as_soon_as_the_journal_can_be(ready: World) -> None:
    pre = f"touch {ready.root}/in; sleep 61"
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(pre=pre)})
    running = ready.start()
    wait_until((ready.root / "in").exists)
    with ready.journal() as opened:
        opened.isolation_level = None
        opened.execute("BEGIN IMMEDIATE")
        running.terminate()
        time.sleep(5)
        opened.rollback()
    running.communicate(timeout=5)
    assert running.returncode == 143
    assert ready.last("etc")["error"] == "interrupted by SIGTERM"


def test_a_run_that_is_over_does_not_die(ready: World) -> None:
    """Whoever read that its supervisor is gone may come after somebody who went on with it."""
    ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
    assert ready.b1000().returncode == 0
    path = ready.status_dir / "journal.sqlite3"
    with Reader(path) as reader:
        before = reader.run(1)
    opened = Journal(path)
    with opened.transaction():
        assert before
        build.record(opened, before, Died(9.0, "interrupted", Ending.INTERRUPTED))
    opened.close()
    with Reader(path) as reader:
        assert reader.run(1) == before


def test_the_command_of_a_status_file_retries_whatever_the_job_is_called(ready: World) -> None:
    ready.write({"dest:bad": DOWN, "job:status": ready.push(dest="bad")})
    assert ready.b1000("job:status").returncode == 1
    (file,) = ready.status_files()
    command = shlex.split(json.loads((ready.status_dir / file).read_text())["retry"])
    assert command[-1] == "job:status"
    redirect(ready, "s")
    ready.write({"dest:bad": ready.store("s"), "job:status": ready.push(dest="bad")})
    assert ready.b1000(*command[3:]).returncode == 0
    assert ready.status_files() == []


def test_an_instance_that_is_configured_need_not_have_run(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:db": ready.push(instances="a b")})
    assert ready.b1000("db/a").returncode == 0
    assert ready.b1000("--copy", "db/b").returncode == 0
    unknown = ready.b1000("--copy", "db/c")
    assert unknown.returncode == 2
    assert "known instances: a, b" in unknown.stderr
    ready.write({"dest:store": ready.store(), "job:db": ready.push(instances="!echo a b")})
    assert ready.b1000("db/a").returncode == 0
    assert ready.b1000("--copy", "db/b").returncode == 0


def test_a_journal_that_nobody_has_written_yet_is_an_empty_one(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
    ready.status_dir.mkdir()
    (ready.status_dir / "journal.sqlite3").touch()
    shown = ready.b1000("status")
    assert shown.returncode == 0, shown.stderr
    assert "never" in shown.stdout


@pytest.mark.parametrize("empty", [True, False])
def test_what_a_journal_knew_that_is_gone_is_told_once(ready: World, empty: bool) -> None:
    """The status file is the last that knows of a failed run; it does not go without a word."""
    log = ready.root / "log"
    jobs = {"job:etc": ready.push(dest="store bad"), "job:ok": ready.push()}
    settings: dict[str, object] = {"log_file": log}
    ready.write({"global": settings, "dest:store": ready.store(), "dest:bad": DOWN, **jobs})
    first = ready.b1000("-q")
    assert "FAILED" in first.stderr
    assert "is begun" not in first.stderr
    (file,) = ready.status_files()
    run = ready.last("etc")
    (path,) = [copy["path"] for copy in run["copies"] if copy["destination"] == "bad"]
    journal = ready.status_dir / "journal.sqlite3"
    for suffix in ("", "-wal", "-shm"):
        Path(f"{journal}{suffix}").unlink(missing_ok=True)
    if empty:
        journal.touch()
    log.unlink()
    done = ready.b1000("-q", "--copy")
    assert done.returncode == 0
    about_all, about_one = done.stderr.splitlines()
    assert f"the journal {journal} was empty or missing and a new one is begun" in about_all
    assert f"does not know run {run['run_id']} of etc, begun 20" in about_one
    assert "connection refused by 127.0.0.1" in about_one
    assert f"(not copied to bad {path}); nothing retries it, its status file {file}" in about_one
    assert about_one.endswith("is removed: run etc again")
    assert [line in log.read_text() for line in (about_all, about_one)] == [True, True]
    assert ready.status_files() == []
    assert ready.b1000("-q", "--copy").stderr == ""
    # The new journal does not know the directory of the first run: another second is another one.
    shutil.rmtree(ready.root / "store" / "ok")
    assert ready.b1000("-q", "ok").stderr == ""


def test_a_new_journal_says_nothing_of_files_that_are_not_its_own(ready: World) -> None:
    """On a new host, and where the status files are those of another journal."""
    failed_once(ready)
    (file,) = ready.status_files()
    job = ready.push()
    other = {"journal": ready.root / "other" / "journal.sqlite3"}
    ready.write({"global": other, "dest:store": ready.store(), "job:etc": job})
    done = ready.b1000("-q")
    assert (done.returncode, done.stderr, ready.status_files()) == (0, "", [file])


# --- configurations that changed


def test_that_the_destination_has_moved_is_told_where_the_old_place_fails(ready: World) -> None:
    down = {**DOWN, "path": "rsync://somebody@127.0.0.1:9/x"}
    ready.write({"dest:d": down, "job:etc": ready.push(dest="d")})
    assert ready.b1000().returncode == 1
    told = f"path of [dest:d] is {ready.root}/new now: b1000 forget gives the old one up"
    # The same place, written in another way, is no other one.
    ready.write({"dest:d": {**DOWN, "path": "rsync://127.0.0.1:9/x/"},
                 "job:etc": ready.push(dest="d")})  # fmt: skip
    assert told.partition(" is ")[0] not in ready.b1000("--copy").stderr
    ready.write({"dest:d": ready.store("new"), "job:etc": ready.push(dest="d")})
    again = ready.b1000("--copy")
    assert again.returncode == 1
    assert "connection refused by 127.0.0.1" in again.stderr
    assert again.stderr.count(told) == 1
    assert told in ready.last("etc")["copies"][0]["error"]
    assert ready.b1000("forget", "etc").returncode == 0
    assert ready.b1000().returncode == 0
    assert ready.last("etc")["copies"][0]["path"].startswith(f"{ready.root}/new/")


def test_a_run_goes_on_where_it_began_although_the_destination_has_moved(ready: World) -> None:
    """Neither the address nor min_free nor the excludes of today are the run's."""
    blocked = ready.root / "blocked"
    blocked.write_text("")
    destination = {"type": "active", "path": blocked, "exclude": "'file1'"}
    ready.write({"dest:d": destination, "job:etc": ready.push(dest="d")})
    assert ready.b1000().returncode == 1
    blocked.unlink()
    moved = {"type": "active", "path": "rsync://127.0.0.1:9/x", "exclude": "'file0'"}
    ready.write({"dest:d": moved, "job:etc": ready.push(dest="d")})
    done = ready.b1000("--copy")
    assert done.returncode == 0, done.stderr
    copied = Path(ready.last("etc")["copies"][0]["path"])
    assert copied.is_relative_to(blocked)
    there = {path.name for path in copied.iterdir()}
    assert "file1" not in there
    assert "file0" in there
    assert [path.parent for path in ready.root.rglob(".b1000-id")] == [blocked]
    assert copied.with_name(f"{copied.name}.b1k").is_file()


def test_a_count_of_attempts_that_was_edited_ends_nothing(ready: World) -> None:
    ready.write({"dest:store": DOWN, "job:etc": ready.push(), "job:web": ready.push()})
    assert ready.b1000().returncode == 1
    with ready.journal() as opened:
        opened.execute("UPDATE copies SET attempts = 0")
    done = ready.b1000("--copy")
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    for name in ("etc", "web"):
        (copy,) = ready.last(name)["copies"]
        assert copy["attempts"] == 1
        assert "connection refused" in copy["error"]


def test_a_sync_that_is_resumed_stays_one_although_the_job_is_a_full_by_now(ready: World) -> None:
    store, away = ready.root / "store", ready.root / "away"
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(type="sync")})
    assert ready.b1000().returncode == 0
    store.rename(away)
    store.write_text("")
    (ready.source / "file0").write_text("changed")
    assert ready.b1000().returncode == 1
    with ready.journal() as opened:  # as if it had been killed before this copy began
        (run,) = opened.execute("SELECT max(run_id) FROM runs").fetchone()
        opened.execute("DELETE FROM attempts WHERE run_id = ?", (run,))
        began = "UPDATE copies SET status = 'INIT', attempts = 0, claimed = 0 WHERE run_id = ?"
        opened.execute(began, (run,))
    store.unlink()
    away.rename(store)
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(type="full")})
    done = ready.b1000("--copy")
    assert done.returncode == 0, done.stderr
    copied = Path(ready.last("etc")["copies"][0]["path"])
    assert copied.parent == store / "etc"
    assert (copied / "file0").read_text() == "changed"


def test_a_run_of_a_job_that_is_wrong_now_stays_as_it_failed(ready: World) -> None:
    failed_once(ready)
    before = ready.last("etc")
    ready.write({"dest:bad": DOWN, "job:etc": ready.push(dest="bad", copy_retries="many")})
    refused = ready.b1000("--copy")
    assert refused.returncode == 1
    assert "cannot be resumed" in refused.stderr
    assert ready.last("etc") == before
    assert len(ready.status_files()) == 1


def test_what_failed_before_a_job_had_instances_is_shown_until_it_is_settled(ready: World) -> None:
    failed_once(ready)
    job = ready.push(dest="store", instances="a")
    ready.write({"dest:bad": DOWN, "dest:store": ready.store(), "job:etc": job})
    assert ready.b1000().returncode == 0
    assert {(row["instance"], row["status"]) for row in ready.status()} >= {("", "FAILED")}
    assert ready.b1000("forget", "etc").returncode == 0
