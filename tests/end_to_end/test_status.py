"""``b1000 status``: each of its options, on real runs."""

import json
import signal
import subprocess
import sys
from datetime import datetime

import pytest

from tests.support.processes import kill
from tests.support.world import ROOT, World, wait_until


@pytest.fixture
def ready(world: World) -> World:
    """Two jobs that succeed and one that fails."""
    world.files()
    world.write(
        {
            "global": {"copy_retries": 1},
            "dest:store": world.store(),
            "dest:off": {"type": "active", "path": "rsync://127.0.0.1:1/x"},
            "job:bad": world.push(dest="store off", pre="sleep 0.3"),
            "job:etc": world.push(),
            "job:many": world.push(instances="a b"),
        }
    )
    return world


def lines(world: World, *words: str) -> list[str]:
    """What ``b1000 status`` prints into a pipe."""
    return world.b1000("status", *words).stdout.splitlines()


def notes(world: World, *words: str) -> list[str]:
    """What it says beside the rows."""
    return world.b1000("status", *words).stderr.splitlines()


def names(world: World, *words: str) -> list[str]:
    """The job/instances that it shows."""
    return [line.split()[0] for line in lines(world, *words)[1:]]


def test_words_select_jobs_and_instances(ready: World) -> None:
    ready.b1000()
    assert names(ready) == ["bad", "etc", "many/a", "many/b"]
    assert names(ready, "many") == ["many/a", "many/b"]
    assert names(ready, "many/b", "etc", "etc") == ["etc", "many/b"]
    assert names(ready, "job:etc") == ["etc"]
    assert ready.b1000("status", "etc", "many").returncode == 0
    assert ready.b1000("status", "etc", "bad").returncode == 1
    for word, known in (("nix", "bad, etc, many"), ("many/c", "a, b"), ("etc/a", "none")):
        done = ready.b1000("status", word)
        assert done.returncode == 2
        assert known in done.stderr
        assert done.stdout == ""


def test_what_is_configured_no_more_is_shown_by_its_name(ready: World) -> None:
    ready.b1000()
    ready.write({"dest:store": ready.store(), "job:many": ready.push(instances="b c")})
    assert names(ready) == ["many/b", "many/c"]
    assert names(ready, "--all") == ["bad", "etc", "many/a", "many/b", "many/c"]
    assert names(ready, "bad") == ["bad"]
    assert names(ready, "many") == ["many/b", "many/c"]
    assert names(ready, "many/a") == ["many/a"]
    assert names(ready, "many", "--all") == ["many/a", "many/b", "many/c"]


def test_failed_shows_failures_only(ready: World) -> None:
    assert lines(ready, "--failed") == lines(ready, "--failed", "etc")
    ready.b1000()
    assert names(ready, "--failed") == ["bad"]
    assert ready.b1000("status", "--failed").returncode == 1
    assert ready.b1000("status", "--failed", "etc").returncode == 0
    assert [run["job"] for run in ready.status("--failed")] == ["bad"]


def test_last_shows_the_history(ready: World) -> None:
    for _ in range(3):
        ready.b1000("etc", "bad")
    shown = ready.status("--last", "2")
    assert [run["job"] for run in shown] == ["bad", "bad", "etc", "etc", "many", "many"]
    numbers = [run["run_id"] for run in shown]
    assert {*numbers[:4]} == {3, 4, 5, 6}
    assert numbers[0] > numbers[1]
    assert numbers[2] > numbers[3]
    assert numbers[4:] == [None, None]
    assert names(ready, "--last", "9", "etc") == ["etc"] * 3
    # A failure of the past is shown; the exit code is about the last run.
    ready.write({"dest:store": ready.store(), "job:bad": ready.push()})
    ready.b1000("bad")
    assert ready.b1000("status", "bad", "--last", "3").returncode == 0
    assert [run["status"] for run in ready.status("bad", "--last", "3")] == [
        "OK",
        "FAILED",
        "FAILED",
    ]


KEYS = (
    "run_id job instance host direction type start_time step status finished duration "
    "master_host master_instance data_age error resumable live waiting copies"
)
KEYS_OF_COPIES = "destination path status attempts bytes files error percent rate eta"


def test_json_has_these_keys_and_kinds_of_values(ready: World) -> None:
    ready.b1000("bad", "etc")
    whole = json.loads(ready.b1000("status", "--json").stdout)
    assert list(whole) == ["format", "runs", "pending", "skipped"]
    assert (whole["format"], whole["pending"], whole["skipped"]) == (1, [], [])
    bad, etc, never, _ = whole["runs"]
    for run in (bad, etc, never):
        assert list(run) == KEYS.split()
        for copy in run["copies"]:
            assert list(copy) == KEYS_OF_COPIES.split()
            known = [name for name, value in copy.items() if value is not None]
            figured = ["bytes", "files"] if copy["status"] == "DONE" else []
            assert known == ["destination", "path", "status", "attempts", *figured, "error"]
            assert all(isinstance(copy[name], int) for name in ("attempts", *figured))
        assert (run["live"], run["waiting"]) == (False, "")
    for run in (bad, etc):
        assert isinstance(run["run_id"], int)
        began, ended = (datetime.fromisoformat(run[name]) for name in ("start_time", "finished"))
        assert began.utcoffset() is not None
        assert began <= ended
        assert 0 < run["duration"] < 60
        assert (run["master_host"], run["master_instance"], run["data_age"]) == ("", "", 0)
    assert [run["resumable"] for run in (bad, etc, never)] == [True, False, False]
    assert [copy["status"] for copy in bad["copies"]] == ["DONE", "FAILED"]
    unknown = ("run_id", "start_time", "step", "status", "finished", "duration", "data_age")
    assert all(never[name] is None for name in unknown)
    assert (never["host"], never["direction"], never["type"]) == ("client", "push", "full")


def test_docs_and_man_page_tell_of_every_key(ready: World) -> None:
    ready.b1000("etc", "bad")
    whole = json.loads(ready.b1000("status", "--run", "1", "--json").stdout)
    (run,) = whole["runs"]
    keys = {*whole, *run, *run["copies"][0], *run["transitions"][0], *run["attempts"][0]}
    page = (ROOT / "docs" / "status.md").read_text().partition("## JSON")[2]
    manual = (ROOT / "etc" / "man" / "b1000.1").read_text().partition(".SH JSON")[2]
    for key in keys:
        assert f"`{key}`" in page
        assert f"\\fB{key}\\fR" in manual


def test_run_tells_all_that_happened(ready: World) -> None:
    ready.b1000("bad")
    done = ready.b1000("status", "--run", "1")
    assert done.returncode == 1
    text = done.stdout
    assert "run 1: bad, push full, host client" in text
    assert "FAILED at COPYING" in text
    assert f"b1000 --copy bad -f {ready.config} resumes it" in text
    order = [
        "  INIT\n",
        "  PRE\n",
        ": pre\n",
        "  COPYING\n",
        "  off: COPYING\n",
        "  off: attempt 1\n",
        "  off: attempt 1 failed (exit code 10): connection refused by 127.0.0.1",
        "; the next at ",
        "  off: attempt 2\n",
        "  off: attempt 2 failed (exit code 10)",
        "  off: FAILED: connection refused by 127.0.0.1",
        "  COPYING FAILED: off: connection refused",
    ]
    position = 0
    for words in order:
        position = text.index(words, position) + 1
    (found,) = json.loads(ready.b1000("status", "--run", "1", "--json").stdout)["runs"]
    assert found.keys() - ready.last("bad").keys() == {"transitions", "attempts", "processes"}
    assert found["transitions"][0]["step"] == "INIT"
    assert found["transitions"][-1]["status"] == "FAILED"
    off = [each for each in found["attempts"] if each["destination"] == "off"]
    assert [each["number"] for each in off] == [1, 2]
    assert [each["exit_code"] for each in off] == [10, 10]
    assert [each["retry_at"] is None for each in off] == [False, True]
    assert {each["purpose"] for each in found["processes"]} >= {*("worker", "pre")}


def test_run_tells_of_what_happened_before_it_was_resumed(ready: World) -> None:
    wall = ready.root / "wall"
    wall.write_text("a file is in the way of the directory")
    ready.write({"dest:off": ready.store("wall"), "job:bad": ready.push(dest="off", pre="sleep 1")})
    assert ready.b1000().returncode == 1
    wall.unlink()
    assert ready.b1000("--copy").returncode == 0
    (found,) = json.loads(ready.b1000("status", "--run", "1", "--json").stdout)["runs"]
    assert [each["purpose"] for each in found["processes"]].count("worker") == 2
    assert "pre" in [each["purpose"] for each in found["processes"]]
    off = [each for each in found["attempts"] if each["destination"] == "off"]
    assert [each["number"] for each in off] == [1, 2]
    assert ready.b1000("status", "--run", "1").returncode == 0


def test_wrong_usage_says_what_would_be_right(ready: World) -> None:
    for words, told in (
        (
            ("--run", "7"),
            f"has no run 7; b1000 status --last 10 -f {ready.config} shows the numbers",
        ),
        (("--run", "x"), "argument --run: must be an integer >= 1, not 'x'"),
        (("--run", "0"), "argument --run: must be an integer >= 1, not '0'"),
        (("--last", "0"), "argument --last: must be an integer >= 1, not '0'"),
        (("--last", "9" * 30), "must be an integer >= 1, not '999"),
        (("--run", "1", "etc"), "--run cannot be combined with a job"),
        (("--watch", "--json"), "--watch cannot be combined with --json"),
    ):
        done = ready.b1000("status", *words)
        assert done.returncode == 2, words
        assert told in done.stderr
        assert done.stdout == ""


def test_what_reports_are_owed_and_why(ready: World) -> None:
    ready.reports.write_text("a file is in the way of the directory")
    ready.write(
        {
            "global": {"report_wait_end": 1},
            "dest:store": ready.store(),
            "job:etc": ready.push(),
        }
    )
    assert ready.b1000().returncode == 0
    assert len(lines(ready)) == 2
    (owed, count) = notes(ready)
    assert count == "1: 1 OK"
    (pending,) = json.loads(ready.b1000("status", "--json").stdout)["pending"]
    assert (pending["report"], pending["updates"]) == ("main", 1)
    assert datetime.fromisoformat(pending["since"]).tzinfo
    assert str(ready.reports) in pending["error"]
    assert owed.startswith("report main: 1 update pending since ")
    assert str(ready.reports) in owed
    assert "Errno" not in owed
    ready.reports.unlink()
    working = ready.config.read_text()
    for change, why in (
        (("type = file", "tpye = file"), "[report:main] is wrong"),
        (("main", "other"), "[report:main] is no longer configured"),
    ):
        ready.config.write_text(working.replace(*change))
        ready.b1000()
        assert notes(ready)[-2].endswith(why)
    ready.config.write_text(working)
    assert ready.b1000().returncode == 0
    assert len(notes(ready)) == 1
    # Also the run that failed because the section was wrong.
    failed = [
        file for file in ready.report_files() if "FAILED" in (ready.reports / file).read_text()
    ]
    assert len(failed) == 1
    with ready.journal() as journal:
        assert journal.execute("SELECT * FROM report_troubles").fetchall() == []


def test_what_was_skipped_and_behind_what(ready: World) -> None:
    ready.write(
        {
            "dest:store": ready.store(),
            "job:etc": ready.push(pre=f"touch {ready.root}/begun; sleep 60"),
        }
    )
    first = ready.start("etc")
    wait_until((ready.root / "begun").exists)
    assert ready.b1000("etc").returncode == 3
    told, count = notes(ready)
    assert count == "1: 1 running"
    (skipped,) = json.loads(ready.b1000("status", "--json").stdout)["skipped"]
    assert (skipped["job"], skipped["instance"]) == ("etc", "")
    assert datetime.fromisoformat(skipped["time"]).tzinfo
    assert skipped["behind"].startswith("run 1 of ")
    assert told.startswith("skipped ")
    assert "etc; run 1 of " in told
    assert f"(at PRE, process {first.pid})" in told
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=30)
    # What it waited behind is over.
    assert notes(ready) == ["1: 1 FAILED"]
    ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
    ready.b1000()
    assert notes(ready) == ["1: 1 OK"]


def test_a_copy_that_waits_for_a_permit_says_so(ready: World) -> None:
    (ready.source / "large").write_bytes(b"x" * 4_000_000)
    ready.write(
        {
            "dest:store": ready.store(max_copies=1, bwlimit=100),
            "job:many": ready.push(instances="a b"),
        }
    )
    program = ready.start()
    wait_until(lambda: "has its limit of 1 copies (max_copies)" in "\n".join(lines(ready)))
    text = "\n".join(lines(ready))
    assert "waits for store: store has its limit" in text
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=30)
    assert list((ready.status_dir / "progress").iterdir()) == []


def test_progress_of_a_killed_program_is_no_progress(ready: World) -> None:
    (ready.source / "large").write_bytes(b"x" * 4_000_000)
    ready.write({"dest:store": ready.store(bwlimit=100), "job:etc": ready.push()})
    program = ready.start()
    wait_until(lambda: "%" in "\n".join(lines(ready)))
    left = ready.processes()
    program.kill()  # first: it would tell how the others end
    kill(left)
    program.communicate(timeout=30)
    (ready.status_dir / "progress" / "1-store.json").write_text('{"bytes": 1, "percent": 50}')
    assert "%" not in "\n".join(lines(ready))
    assert "interrupted" in "\n".join(lines(ready))
    ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
    ready.b1000()
    assert list((ready.status_dir / "progress").iterdir()) == []


def test_no_line_of_the_log_is_empty(ready: World) -> None:
    """Before an error rsync ends the line of its progress, on standard error."""
    for number in range(3):
        (ready.source / f"large{number}").write_bytes(b"x" * 100_000)
    in_the_way = ready.root / "store" / "etc" / "client" / "large1" / "x"
    in_the_way.mkdir(parents=True)
    ready.write(
        {"dest:store": ready.store(verbosity=2), "job:etc": ready.push(type="sync")},
    )
    done = ready.b1000()
    assert done.returncode == 1
    assert "store: large2" in done.stdout
    assert "large1" in done.stdout
    for line in done.stdout.splitlines():
        assert "%" not in line
        assert not line.rstrip().endswith(":")


def test_a_pipe_needs_nothing_of_a_terminal(ready: World) -> None:
    """No colour, no cursor, and not the library that makes them: a status is made quickly."""
    ready.b1000()
    environment = {"TERM": "xterm-256color", "FORCE_COLOR": "1", "COLUMNS": "40"}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "b1000", "-f", ready.config, "status"],
        capture_output=True,
        text=True,
        cwd="/",
        env={"PYTHONPATH": str(ROOT), **environment},
        check=False,
    )
    assert "\x1b" not in done.stdout
    assert len(done.stdout.splitlines()) == 5
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "b1000.status.overview" in imported
    for slow in ("rich", "psutil", "tenacity", "multiprocessing", "asyncio"):
        assert slow not in imported
    ran = ready.b1000(environment=environment)
    assert "\x1b" not in ran.stdout + ran.stderr


def test_a_watch_into_a_pipe_tells_of_changes(ready: World) -> None:
    ready.b1000("etc")
    watch = ready.start("status", "--watch", "etc")
    assert watch.stdout
    assert watch.stdout.readline().startswith("JOB")
    ready.b1000("etc")
    for line in watch.stdout:
        assert "\x1b" not in line
        if line.split()[1:2] == ["2"] and "DONE" in line:
            break
    watch.send_signal(signal.SIGINT)
    _, err = watch.communicate(timeout=30)
    assert watch.returncode == 0
    assert {*err.splitlines()} <= {"1: 1 OK", "1: 1 running"}


def test_a_watch_ends_when_nobody_reads_it_any_more(ready: World) -> None:
    assert ready.b1000("etc").returncode == 0
    watch = ready.start("status", "--watch")
    assert watch.stdout
    assert watch.stdout.readline().startswith("JOB")
    watch.stdout.close()
    assert watch.wait(timeout=60) == 0
    assert watch.stderr
    assert watch.stderr.read() == "4: 1 OK, 3 never ran\n"
    watch.stderr.close()


@pytest.mark.parametrize("words", ["status", "status --watch", "status --json"])
def test_closed_standard_streams(ready: World, words: str) -> None:
    command = f"{sys.executable} -m b1000 -f {ready.config} {words} <&- >&- 2>&-"
    done = subprocess.run(["sh", "-c", command], env={"PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == 0
