"""Steps, statuses, exit codes and words of whole runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.world import World


def script(world: World, name: str, body: str) -> Path:
    """An executable script below the world's root."""
    path = world.root / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def ready(world: World) -> World:
    """A world with files at the source."""
    world.files()
    return world


# --- exit codes


def test_exit_0_for_success_and_for_warnings(ready: World) -> None:
    ready.write(
        {
            "dest:store": ready.store(),
            "job:good": ready.push(),
            "job:warned": ready.push(data_age="!false"),
        }
    )
    assert ready.b1000().returncode == 0
    assert ready.last("good")["status"] == "OK"
    assert ready.last("warned")["status"] == "WARNING"


def test_exit_1_for_a_failure_while_the_others_are_done(ready: World) -> None:
    ready.write(
        {
            "dest:store": ready.store(),
            "job:bad": ready.push(pre="false"),
            "job:good": ready.push(),
        }
    )
    done = ready.b1000()
    assert done.returncode == 1
    assert "bad" in done.stderr
    assert ready.last("good")["step"] == "DONE"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nosuch"], "known jobs: etc, inst; commands: check, forget, "),
        (["help"], "no command; known jobs: etc, inst; commands: check, forget, list, mark, "),
        (["statsu"], "there is no job 'statsu', and no command; did you mean 'status'?"),
        (["--copy", "moniter"], "did you mean 'monitor'?"),
        (["etc", "list"], "no job 'list', and a command stands before all jobs; b1000 list --help"),
        (["etcc"], "did you mean 'etc'?"),
        (["forget", "etcc"], "there is no job 'etcc'; did you mean 'etc'?; known jobs: "),
        (["mark", "--adopt", "lisd"], "there is no job 'lisd'; known jobs: "),
        (["status", "etcc"], "there is no job 'etcc'; did you mean 'etc'?; known jobs: "),
        (["etc/one"], "has no instances"),
        (["inst/c"], "its instances: a, b"),
        (["dynamic/c"], "its instances: a, b"),
        (["dynamic", "dynamic/c"], "its instances: a, b"),
        (["inst", "inst/c"], "its instances: a, b"),
        (["../etc"], "'.' at position 1"),
        (["--nonsense"], "--nonsense"),
        (["--dry-rum"], "unrecognized arguments: --dry-rum; did you mean '--dry-run'?"),
        (["check", "--conect"], "did you mean '--connect'?"),
        (["-f"], "argument"),
    ],
)
def test_exit_2_for_wrong_usage_and_nothing_is_run(
    ready: World, words: list[str], said: str
) -> None:
    sections = {
        "dest:store": ready.store(),
        "job:etc": ready.push(),
        "job:inst": ready.push(instances="a b"),
    }
    if words[0].startswith("dynamic"):
        sections["job:dynamic"] = ready.push(instances="!echo a b")
    ready.write(sections)
    done = ready.b1000(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (ready.root / "store").exists()
    assert all(run["step"] is None for run in ready.status())


def test_exit_2_for_a_configuration_that_cannot_be_used(ready: World) -> None:
    ready.write({"global": {"workers": "many"}, "dest:store": ready.store()})
    done = ready.b1000()
    assert done.returncode == 2
    assert re.search(r"b1000\.cfg:\d+: \[global\] workers: ", done.stderr)


def test_exit_2_for_a_journal_that_cannot_be_opened(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
    ready.status_dir.write_text("a file where a directory should be")
    done = ready.b1000()
    assert done.returncode == 2
    assert "journal" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_job_fails_alone(ready: World) -> None:
    ready.write(
        {
            "dest:store": ready.store(),
            "dest:wrong": {"type": "active", "path": "relative"},
            "job:typo": ready.push(tpye="full"),
            "job:needs": ready.push(dest="wrong"),
            "job:aged": ready.push(data_age="!echo 7", master_host="!false"),
            "job:good": ready.push(),
        }
    )
    done = ready.b1000()
    assert done.returncode == 1
    typo = ready.last("typo")["run_id"]
    assert re.search(rf"ERROR +{typo} \[typo +\] FAILED at INIT: ", done.stderr)
    # What is configured and was not learned is unknown: 0 is no age at all.
    assert (ready.last("aged")["data_age"], ready.last("typo")["data_age"]) == (None, 0)
    assert done.stderr.count("did you mean 'type'") >= 1
    for name in ("typo", "needs"):
        run = ready.last(name)
        assert (run["step"], run["status"]) == ("INIT", "FAILED")
        assert "b1000.cfg:" in run["error"]
    assert ready.last("good")["status"] == "OK"
    reports = [name for name in ready.report_files() if name.startswith("typo--")]
    assert len(reports) == 1
    assert "status = FAILED" in (ready.reports / reports[0]).read_text()
    assert ready.status_files() == []


def test_an_instance_of_a_broken_job_fails_with_it_and_stops_no_other(ready: World) -> None:
    ready.write(
        {
            "dest:store": ready.store(),
            "job:typo": ready.push(tpye="full", instances="one"),
            "job:good": ready.push(),
        }
    )
    done = ready.b1000("typo/one", "good")
    assert done.returncode == 1
    run = ready.last("typo")
    assert (run["step"], run["status"]) == ("INIT", "FAILED")
    assert ready.last("good")["status"] == "OK"


def test_a_broken_job_that_was_not_asked_for_does_not_count(ready: World) -> None:
    ready.write(
        {"dest:store": ready.store(), "job:bad": ready.push(tpye=1), "job:good": ready.push()}
    )
    done = ready.b1000("good")
    assert done.returncode == 0
    assert "tpye" in done.stderr


def test_a_section_that_nobody_knows_is_no_success(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "jbo:lost": ready.push(), "job:good": ready.push()})
    done = ready.b1000()
    assert done.returncode == 1
    assert "did you mean 'job'" in done.stderr
    assert ready.last("good")["status"] == "OK"
    # Whoever asked for something else got it.
    assert ready.b1000("good").returncode == 0
    assert ready.b1000("--copy").returncode == 0


# --- steps


def test_pre_that_fails_copies_nothing_and_runs_no_post(ready: World) -> None:
    ready.write(
        {
            "dest:store": ready.store(),
            "job:etc": ready.push(
                pre="echo the disk is on fire >&2; exit 3", post=f"touch {ready.root}/post"
            ),
        }
    )
    assert ready.b1000().returncode == 1
    run = ready.last("etc")
    assert (run["step"], run["status"]) == ("PRE", "FAILED")
    assert "exit code 3" in run["error"]
    assert "the disk is on fire" in run["error"]
    assert run["copies"][0]["status"] == "INIT"
    assert not (ready.root / "post").exists()
    assert not (ready.root / "store").exists()
    assert ready.status_files() == []


def test_a_failed_copy_keeps_post_from_deleting_what_is_still_to_be_copied(ready: World) -> None:
    ready.write(
        {
            "dest:down": {"type": "active", "path": "rsync://127.0.0.1:9/x"},
            "dest:store": ready.store(),
            "job:etc": ready.push(dest="down store", post=f"touch {ready.root}/post"),
        }
    )
    assert ready.b1000().returncode == 1
    run = ready.last("etc")
    assert (run["step"], run["status"], run["resumable"]) == ("COPYING", "FAILED", True)
    assert [copy["status"] for copy in run["copies"]] == ["FAILED", "DONE"]
    assert not (ready.root / "post").exists()
    assert len(ready.status_files()) == 1
    assert re.fullmatch(r"client-etc--\d{4}(-\d\d){5}\.json", ready.status_files()[0])


def test_post_that_fails_fails_the_run_at_post(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(post="exit 7")})
    assert ready.b1000().returncode == 1
    run = ready.last("etc")
    assert (run["step"], run["status"], run["resumable"]) == ("POST", "FAILED", False)
    assert run["copies"][0]["status"] == "DONE"


def test_a_later_run_takes_the_status_file_of_a_failed_one_away(ready: World) -> None:
    down = {"type": "active", "path": "rsync://127.0.0.1:9/x"}
    ready.write({"dest:down": down, "job:etc": ready.push(dest="down")})
    ready.b1000()
    assert len(ready.status_files()) == 1
    ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
    assert ready.b1000().returncode == 0
    assert ready.status_files() == []


def test_a_full_run_whose_data_is_its_own_stays_retriable(ready: World) -> None:
    job = ready.push(
        dest="down",
        pre=f"cp -r {ready.source} {ready.root}/dump-$start_time",
        include=f"{ready.root}/dump-$start_time/*",
    )
    down = {"type": "active", "path": "rsync://127.0.0.1:9/x"}
    ready.write({"dest:down": down, "job:etc": job})
    ready.b1000()
    ready.b1000()
    assert len(ready.status_files()) == 2


# --- scripts and references


@pytest.mark.parametrize(
    ("first", "mode", "said"),
    [
        ("#!/bin/sh\r", 0o755, "the lines of {script} end in CR LF, so that no interpreter"),
        (
            "#!/no/such/python3",
            0o755,
            "the interpreter of {script}, /no/such/python3, is not there",
        ),
        ("#!/usr/bin/env python3\r", 0o755, "the lines of {script} end in CR LF"),
        ("#!/usr/bin/env nopython", 0o755, "the interpreter of {script}, nopython, is not in PATH"),
        ("#!/bin/sh", 0o644, "{script} is not executable: chmod +x {script}"),
        ("#!/bin/sh\nno-such-command", 0o755, "exit code 127 (a command was not found)"),
    ],
)
def test_a_script_that_cannot_be_run_is_told_why(
    ready: World, first: str, mode: int, said: str
) -> None:
    script = ready.root / "script"
    script.write_bytes(f"{first}\nexit 0\n".encode())
    if "no-such" in first:
        script.write_text(f"{first}\n")
    script.chmod(mode)
    ready.write(
        {
            "dest:store": ready.store(),
            "job:plain": ready.push(pre=f"{script} $instance x"),
            "job:behind": ready.push(pre=f"cd / && X=y {script}"),
            "job:dynamic": ready.push(master_host=f"!{script}"),
        }
    )
    assert ready.b1000().returncode == 1
    for job in ("plain", "behind", "dynamic"):
        error = ready.last(job)["error"]
        assert said.format(script=script) in error
        assert "(not found?)" not in error


def test_a_script_that_is_not_there_is_named(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:j": ready.push(pre="/no/such.sh x; exit 127")})
    assert ready.b1000().returncode == 1
    assert "/no/such.sh: No such file or directory" in ready.last("j")["error"]


def test_backup_dir_is_made_where_it_is_missing(ready: World) -> None:
    made = ready.root / "some" / "backup"
    ready.write(
        {
            "global": {"backup_dir": made},
            "dest:store": ready.store(),
            "job:j": ready.push(pre="echo x > $backup_dir/dump", include="$backup_dir/dump"),
        }
    )
    assert ready.b1000("check", "--connect").returncode == 0
    assert ready.b1000("--dry-run").returncode == 0
    assert not made.exists()
    assert ready.b1000().returncode == 0
    assert made.stat().st_mode & 0o777 == 0o700
    made.chmod(0o750)
    assert ready.b1000().returncode == 0
    assert made.stat().st_mode & 0o777 == 0o750, "what is there is left as it is"


def test_a_backup_dir_that_cannot_be_made_stops_no_job_that_does_not_need_it(ready: World) -> None:
    ready.write(
        {
            "global": {"backup_dir": ready.files() / "file0"},
            "dest:store": ready.store(),
            "job:etc": ready.push(),
        }
    )
    done = ready.b1000()
    assert done.returncode == 0, done.stdout
    assert f"backup_dir cannot be made: {ready.source}/file0: File exists" in done.stdout


def test_scripts_see_the_run_in_their_environment(ready: World) -> None:
    ready.write(
        {
            "dest:store": ready.store(),
            "job:db": ready.push(instances="3306", pre=f"env > {ready.root}/$instance.env"),
        }
    )
    assert ready.b1000().returncode == 0
    seen = dict(line.split("=", 1) for line in (ready.root / "3306.env").read_text().splitlines())
    assert seen["B1000_JOB"] == "db"
    assert seen["B1000_INSTANCE"] == "3306"
    assert seen["B1000_HOST"] == "client"
    assert seen["B1000_DIRECTION"] == "push"
    assert re.fullmatch(r"\d{4}(-\d\d){5}", seen["B1000_START_TIME"])
    assert seen["B1000_RUN"]
    assert "/bin" in seen["PATH"]


def test_dollars_of_the_shell_reach_the_shell(ready: World) -> None:
    out = ready.root / "out"
    ready.write(
        {
            "dest:store": ready.store(),
            "job:etc": ready.push(
                pre=f"""set -- one; echo $1 $? $(echo two) $$HOME >{out}
    echo 'x three' | awk '{{print $2}}' >>{out}""",
            ),
        }
    )
    assert ready.b1000(environment={"HOME": "/home/me"}).returncode == 0
    assert out.read_text() == "one 0 two /home/me\nthree\n"


def test_a_dynamic_script_runs_once_in_a_run(ready: World) -> None:
    master = script(ready, "master.sh", f"echo called >> {ready.root}/calls; echo db1")
    ready.write(
        {
            "dest:store": ready.store(),
            "job:etc": ready.push(
                master_host=f"!{master} $instance",
                pre="test $master_host = db1",
                post=": $master_host",
            ),
        }
    )
    assert ready.b1000().returncode == 0
    assert (ready.root / "calls").read_text() == "called\n"
    assert ready.last("etc")["master_host"] == "db1"


def test_a_script_without_the_exclamation_mark_is_known_by_its_path(ready: World) -> None:
    age = script(ready, "age.sh", "echo 12.5")
    ready.write(
        {
            "global": {"scripts_dir": ready.root},
            "dest:store": ready.store(),
            "job:etc": ready.push(data_age="$scripts_dir/age.sh $instance"),
        }
    )
    assert age.exists()
    assert ready.b1000().returncode == 0
    assert ready.last("etc")["data_age"] == 12.5


def test_a_master_that_an_absent_instance_leaves_without_a_beginning_is_refused(
    ready: World,
) -> None:
    ready.write(
        {
            "dest:store": ready.store(),
            "job:db": ready.push(master_host="$instance-master"),
            "job:none": ready.push(master_host="$instance"),
        }
    )
    assert ready.b1000().returncode == 1
    run = ready.last("db")
    assert (run["step"], run["status"]) == ("INIT", "FAILED")
    assert "master_host has '-' at position 1" in run["error"]
    assert ready.last("none")["status"] == "OK"


def test_an_unknown_age_is_a_warning_and_null(ready: World) -> None:
    ready.write(
        {
            "dest:store": ready.store(),
            "job:etc": ready.push(data_age="!echo replica is broken >&2; exit 1"),
        }
    )
    assert ready.b1000().returncode == 0
    run = ready.last("etc")
    assert (run["step"], run["status"], run["data_age"]) == ("DONE", "WARNING", None)
    assert "replica is broken" in run["error"]


@pytest.mark.parametrize("output", ["", "a b!", "a a"])
def test_a_bad_list_of_instances_is_refused_as_a_whole(ready: World, output: str) -> None:
    ready.write({"dest:store": ready.store(), "job:db": ready.push(instances=f"!echo '{output}'")})
    assert ready.b1000().returncode == 1
    run = ready.last("db")
    assert (run["instance"], run["step"], run["status"]) == ("", "INIT", "FAILED")
    assert not (ready.root / "store").exists()


def test_no_instances_may_be_allowed(ready: World) -> None:
    ready.write(
        {
            "dest:store": ready.store(),
            "job:db": ready.push(instances="!true", allow_no_instances="yes"),
        }
    )
    assert ready.b1000().returncode == 0
    named = ready.b1000("db/a")
    assert named.returncode == 2
    assert "its instances: none" in named.stderr


def directories(path: Path) -> list[str]:
    """The names of backups: of what lies there, all but their marks."""
    return sorted(each.name for each in path.glob("*/"))


def test_ports_several_to_a_line_or_on_lines(ready: World) -> None:
    ready.write(
        {
            "dest:store": ready.store(),
            "job:line": ready.push(type="sync", instances="!echo 3306, 3307 3308"),
            "job:lines": ready.push(type="sync", instances="!printf '3306\\n3307\\n'"),
        }
    )
    assert ready.b1000().returncode == 0
    store = ready.root / "store"
    assert directories(store / "line") == ["client-3306", "client-3307", "client-3308"]
    assert directories(store / "lines") == ["client-3306", "client-3307"]


def test_the_next_run_of_an_instance_ends_a_failure_of_the_job_itself(ready: World) -> None:
    sections: dict[str, dict[str, object]] = {"dest:store": ready.store()}
    ready.write({**sections, "job:db": ready.push(instances="!exit 1")})
    assert ready.b1000().returncode == 1
    ready.write({**sections, "job:db": ready.push(instances="!echo a")})
    assert ready.b1000().returncode == 0
    assert [run["instance"] for run in ready.status()] == ["a"]
    assert ready.b1000("status").returncode == 0


def test_a_job_of_a_commands_name_is_reached_by_its_section(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:status": ready.push()})
    assert ready.b1000("job:status").returncode == 0
    assert ready.last("status")["status"] == "OK"


def test_a_job_named_twice_runs_once(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:db": ready.push(instances="a b")})
    assert ready.b1000("db", "db/a", "db").returncode == 0
    assert len(ready.report_files()) == 2


def test_one_instance_alone(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:db": ready.push(instances="!echo a b")})
    assert ready.b1000("db/b").returncode == 0
    assert [name.split("-")[1] for name in ready.report_files()] == ["b"]


# --- names that would meet


def test_instances_of_one_directory_both_fail(ready: World) -> None:
    master = script(ready, "m.sh", "case $1 in a) echo b-c;; a-b) echo c;; *) echo d;; esac")
    ready.write(
        {
            "global": {"workers": 1},
            "dest:store": ready.store(),
            "job:db": ready.push(
                type="sync", instances="a a-b a-z", master_host=f"{master} $instance"
            ),
        }
    )
    assert ready.b1000().returncode == 1
    for instance in ("a", "a-b"):
        run = ready.last("db", instance)
        assert (run["step"], run["status"]) == ("INIT", "FAILED")
        assert "a, a-b" in run["error"] or "a-b, a" in run["error"]
    assert ready.last("db", "a-z")["status"] == "OK"


@pytest.mark.parametrize("kind", ["sync", "full"])
def test_whose_directory_it_is_keeps_it_when_another_comes(ready: World, kind: str) -> None:
    master = script(ready, "m.sh", "case $1 in a) echo b-c;; a-b) echo c;; *) echo d;; esac")

    def configure(instances: str) -> None:
        job = ready.push(type=kind, instances=instances, master_host=f"{master} $instance")
        ready.write({"dest:store": ready.store(), "job:db": job})

    configure("a")
    assert ready.b1000().returncode == 0
    configure("a-b a")
    for words in ([], ["db/a"], ["db/a-b"], []):
        done = ready.b1000(*words)
        assert done.returncode == (words != ["db/a"]), done.stderr
        assert ready.last("db", "a")["status"] == "OK"
    newcomer = ready.last("db", "a-b")
    assert (newcomer["step"], newcomer["status"]) == ("INIT", "FAILED")
    assert (
        "instance a-b would be copied into client-a-b-c, the directory of instance a"
        in (newcomer["error"])
    )
    foretold = ready.b1000("-n").stdout
    assert foretold.count("would FAIL") == 1
    assert "client-a-b-c is the directory of db/a" in foretold
    # The other way round: who has begun there since is the owner now.
    configure("a-b")
    assert ready.b1000().returncode == 0
    configure("a a-b")
    assert ready.b1000().returncode == 1
    assert ready.last("db", "a-b")["status"] == "OK"
    assert ready.last("db", "a")["step"] == "INIT"


def test_whose_names_of_files_they_are_keeps_them_when_another_comes(ready: World) -> None:
    old = {"dest:store": ready.store(), "job:a": ready.push(instances="!echo b-c other")}
    ready.write(old)
    assert ready.b1000().returncode == 0
    ready.write({**old, "job:a-b": ready.push(instances="c")})
    for _ in range(2):
        assert ready.b1000().returncode == 1
        newcomer = ready.last("a-b", "c")
        assert (newcomer["step"], newcomer["status"]) == ("INIT", "FAILED")
        assert "a-b/c would have the names of files of a/b-c" in newcomer["error"]
        assert ready.last("a", "b-c")["status"] == "OK"
    assert ready.b1000("a-b").returncode == 1


def test_runs_with_one_name_of_a_file_both_fail(ready: World) -> None:
    ready.write(
        {
            "dest:store": ready.store(),
            "job:a": ready.push(instances="!echo b-c other"),
            "job:a-b": ready.push(instances="c"),
        }
    )
    assert ready.b1000().returncode == 1
    assert "a/b-c" in ready.last("a-b", "c")["error"]
    assert "a-b/c" in ready.last("a", "b-c")["error"]
    assert ready.last("a", "other")["status"] == "OK"


# --- words and streams


def test_quiet_says_nothing_but_failures(ready: World) -> None:
    ready.write(
        {"dest:store": ready.store(), "job:bad": ready.push(pre="false"), "job:good": ready.push()}
    )
    done = ready.b1000("-q")
    assert done.stdout == ""
    assert "[bad" in done.stderr
    assert "[good" not in done.stderr


def test_a_pipe_gets_neither_colour_nor_progress(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
    done = ready.b1000()
    assert "\x1b" not in done.stdout
    assert "\r" not in done.stdout
    assert "[etc       ] DONE" in done.stdout


def test_output_of_scripts_is_logged_with_control_characters_escaped(ready: World) -> None:
    ready.write(
        {
            "dest:store": ready.store(),
            "job:etc": ready.push(pre=r"printf 'red \033[31m\nsecond \377\n'"),
        }
    )
    out = ready.b1000().stdout
    assert r"pre: red \x1b[31m" in out
    assert r"pre: second \xff" in out


def test_a_flood_of_a_script_leaves_a_log_of_its_beginning_and_its_end(ready: World) -> None:
    log = ready.root / "b1000.log"
    ready.write(
        {
            "global": {"log_file": log},
            "dest:store": ready.store(),
            "job:etc": ready.push(pre="head -c 30000000 /dev/zero; echo; echo over; false"),
        }
    )
    done = ready.b1000()
    assert done.returncode == 1
    assert log.stat().st_size < 2 * 2**20
    text = log.read_text()
    assert "pre: " + r"\x00" * 10 in text
    assert re.search(r"pre: \(28\.\d MiB of output skipped\)", text)
    assert "pre: over" in text
    assert max(map(len, text.splitlines())) < 17_000
    assert ready.last("etc")["error"].endswith(" | over")


def test_a_log_file_gets_all_and_failures_also_reach_standard_error(ready: World) -> None:
    log = ready.root / "b1000.log"
    ready.write(
        {
            "global": {"log_file": log},
            "dest:store": ready.store(),
            "job:bad": ready.push(pre="false"),
            "job:good": ready.push(),
        }
    )
    done = ready.b1000()
    assert done.stdout == ""
    assert "FAILED at PRE" in done.stderr
    assert "[good      ] DONE" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o640


def test_the_log_file_has_its_mode_whatever_the_umask(ready: World) -> None:
    log = ready.root / "b1000.log"
    ready.write(
        {
            "global": {"log_file": log},
            "dest:store": ready.store(),
            "job:etc": ready.push(),
        }
    )
    before = os.umask(0o077)
    try:
        assert ready.b1000().returncode == 0
        assert log.stat().st_mode & 0o777 == 0o640
        log.chmod(0o600)
        assert ready.b1000().returncode == 0
    finally:
        os.umask(before)
    assert log.stat().st_mode & 0o777 == 0o600  # somebody wanted it so


def test_all_may_enter_the_directories_of_reports_whatever_the_umask(ready: World) -> None:
    reports: dict[str, dict[str, object]] = {
        "report:main": {"path": ready.root / "new" / "files" / "of"},
        "report:rows": {"type": "sqlite", "path": ready.root / "new" / "rows" / "db"},
    }
    job = ready.push(report="main rows")
    ready.write({**reports, "dest:store": ready.store(), "job:etc": job})
    before = os.umask(0o077)
    try:
        assert ready.b1000().returncode == 0
    finally:
        os.umask(before)
    made = [
        ready.root / "new",
        *(each for each in (ready.root / "new").rglob("*") if each.is_dir()),
    ]
    assert {each.stat().st_mode & 0o777 for each in made} == {0o755}
    assert len(made) == 4


def test_nobody_else_can_write_what_it_makes_whatever_the_umask(ready: World) -> None:
    stores = {name: ready.root / "new" / name for name in ("full", "sync")}
    jobs = {f"job:{name}": ready.push(type=name, dest=name) for name in stores}
    places = {f"dest:{name}": {"type": "active", "path": path} for name, path in stores.items()}
    ready.write({"global": {"backup_dir": ready.root / "dumps"}, **places, **jobs})
    before = os.umask(0)
    try:
        assert ready.b1000().returncode == 0
    finally:
        os.umask(before)
    made = [ready.root / "new", *(ready.root / "new").rglob("*"), ready.root / "dumps"]
    assert len(made) > len(stores)
    assert [each for each in made if each.stat().st_mode & 0o002] == []


def test_names_are_utf8_in_every_locale_and_output_is_for_the_terminal(ready: World) -> None:
    source = ready.root / "żółw"
    source.mkdir()
    (source / "ślimak").touch()
    told = ready.root / "told"
    job = ready.push(include=f"{source}/*", pre=f"echo ☃ > {told}")
    ready.write({"dest:store": ready.store(), "job:etc": job})
    # What Python makes of a locale that is not UTF-8, such as pl_PL (ISO-8859-2).
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    assert ready.b1000(environment=ascii_only).returncode == 0
    assert told.read_text() == "☃\n"
    assert list((ready.root / "store").rglob("ślimak"))
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(pre="echo ☃; false")})
    assert ready.b1000(environment=ascii_only).returncode == 1
    status = ready.b1000("status", environment=ascii_only)
    assert (status.returncode, status.stderr) == (1, "1: 1 FAILED\n")
    assert "pre ended with exit code 1: \\u2603" in status.stdout


@pytest.mark.parametrize("words", [(), ("-q",)])
def test_failures_reach_standard_error_whatever_the_level_of_the_log(
    ready: World, words: tuple[str, ...]
) -> None:
    ready.write(
        {
            "global": {"log_level": "FATAL"},
            "dest:store": ready.store(),
            "job:bad": ready.push(pre="false"),
        }
    )
    done = ready.b1000(*words)
    assert done.stdout == ""
    assert done.stderr.count("FAILED at PRE") == 1


@pytest.mark.parametrize("log", ["missing/b1000.log", "fifo"])
def test_a_log_file_that_cannot_be_written_stops_no_backup(ready: World, log: str) -> None:
    os.mkfifo(ready.root / "fifo")  # which nobody reads
    ready.write(
        {
            "global": {"log_file": ready.root / log},
            "dest:store": ready.store(),
            "job:good": ready.push(),
        }
    )
    done = ready.b1000(timeout=30)
    assert done.returncode == 0
    assert "cannot be written" in done.stderr
    assert "DONE" in done.stderr


def test_on_failure_runs_for_every_run_that_failed(ready: World) -> None:
    told = ready.root / "told"
    ready.write(
        {
            "global": {
                "on_failure": f'echo "$instance $$B1000_JOB $$B1000_STEP" >> {told}; echo called'
            },
            "dest:store": ready.store(),
            "job:bad": ready.push(instances="a b", pre="false"),
            "job:own": ready.push(pre="false", on_failure=f"echo own >> {told}"),
            "job:broken": ready.push(tpye=1),
            "job:good": ready.push(),
        }
    )
    done = ready.b1000()
    assert done.returncode == 1
    assert sorted(told.read_text().splitlines()) == [
        " broken INIT",
        "a bad PRE",
        "b bad PRE",
        "own",
    ]
    assert "on_failure: called" in done.stdout


def _told_to(file: Path) -> str:
    return (
        'echo "$$B1000_JOB $$B1000_INSTANCE $$B1000_STEP $$B1000_STATUS $$B1000_BYTES '
        f'[$$B1000_DURATION] $$B1000_ERROR" >> {file}'
    )


def test_on_success_runs_for_every_run_that_ended_well(ready: World) -> None:
    good, bad = ready.root / "good", ready.root / "bad"
    (ready.root / "source" / "three").write_bytes(b"123")
    include = f"{ready.root}/source/three"
    warning = "!echo no number"
    ready.write(
        {
            "global": {"on_success": _told_to(good), "on_failure": _told_to(bad)},
            "dest:store": ready.store(),
            "job:two": ready.push(instances="a b", include=include),
            "job:old": ready.push(data_age=warning, include=include),
            "job:own": ready.push(include=include, on_success=f"echo own $start_time >> {good}"),
            "job:bad": ready.push(post="exit 3", include=include),
        }
    )
    done = ready.b1000()
    assert done.returncode == 1
    well = sorted(re.sub(r"\[\d+\]", "[]", line) for line in good.read_text().splitlines())
    assert well[0].startswith("old  DONE WARNING 3 [] the age of the data is unknown: ")
    assert re.fullmatch(r"own [\d-]+", well[1])
    assert well[2:] == ["two a DONE OK 3 [] ", "two b DONE OK 3 [] "]
    failed = bad.read_text()
    assert re.match(r"bad  POST FAILED 3 \[\d+\] post ended with exit code 3", failed)


def test_an_on_success_that_fails_is_a_warning_in_the_log(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(on_success="exit 7")})
    done = ready.b1000()
    assert done.returncode == 0
    assert done.stderr == ""
    (line,) = [line for line in done.stdout.splitlines() if "exit code 7" in line]
    assert " WARNING " in line
    assert "[etc" in line
    assert "on_success ended with exit code 7" in line
    assert ready.b1000("status").returncode == 0


def test_version_and_help(ready: World) -> None:
    ready.write({})
    assert re.fullmatch(r"b1000 \d+\.\d+\.\d+\n", ready.b1000("-v").stdout)
    out = ready.b1000("--help").stdout
    assert "exit codes" in out
    assert max(map(len, out.splitlines())) <= 80


# --- check


@pytest.mark.parametrize("words", [["--help"], ["-q", "-v"], ["restore", "--help"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_help_that_cannot_be_written_is_an_error(words: list[str], unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "b1000", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
    said = "the output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr.removeprefix("b1000: ")) == (2, said)


def test_check_tells_all_and_runs_nothing(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(tpye=1, report="mian")})
    done = ready.b1000("check")
    assert done.returncode == 2
    assert "did you mean 'type'" in done.stderr
    assert "did you mean 'main'" in done.stderr
    assert "2 errors" in done.stdout
    assert not ready.status_dir.exists()


def test_check_of_a_good_configuration(ready: World) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
    done = ready.b1000("check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "0 errors" in done.stdout


def test_a_warning_of_check_tells_its_line(ready: World) -> None:
    atm = {"type": "passive", "host": "storage", "timeout": 299}
    passive = {"direction": "passive", "dest": "atm", "report": "main"}
    ready.write({"dest:atm": atm, "job:etc": passive})
    done = ready.b1000("check")
    assert done.returncode == 0
    line = ready.config.read_text().splitlines().index("timeout = 299") + 1
    assert f"{ready.config}:{line}: [dest:atm] timeout: warning: 299 s are short" in done.stderr
    assert "300 or more" in done.stderr
    assert "1 job, 0 errors, 1 warning" in done.stdout
    ready.write({"dest:atm": {**atm, "timeout": 300}, "job:etc": passive})
    assert ready.b1000("check").stderr == ""


def test_check_connect_tries_what_is_named(ready: World) -> None:
    script(ready, "there.sh", ":")
    (ready.root / "plain.sh").write_text(":")
    ready.write(
        {
            "global": {"log_file": "/no/such/log"},
            "dest:store": ready.store(mark_path=ready.root / "plain.sh" / "marks"),
            "dest:down": {"type": "active", "path": "rsync://127.0.0.1:9/x"},
            "dest:mute": ready.store(path=ready.root / "x", mark_path="rsync://127.0.0.1:9/m"),
            "job:etc": ready.push(
                pre=f"{ready.root}/there.sh", post=f"{ready.root}/plain.sh $instance"
            ),
        }
    )
    done = ready.b1000("check", "--connect")
    assert done.returncode == 2
    lines = ready.config.read_text().splitlines()
    path = f"{ready.config}:{lines.index('path = rsync://127.0.0.1:9/x') + 1}: [dest:down] path: "
    assert f"{path}rsync://127.0.0.1:9/x: connection refused" in done.stderr
    assert "log_file: warning: /no/such/log: there is no directory /no/such; make" in done.stderr
    assert f"[dest:store] mark_path: {ready.root}/plain.sh/marks cannot be: " in done.stderr
    assert "[dest:mute] mark_path: warning: rsync://127.0.0.1:9/m: connection ref" in done.stderr
    assert "[dest:mute] its marks go to rsync://127.0.0.1:9/m\n" in done.stdout
    post = next(number for number, line in enumerate(lines, 1) if line.startswith("post = "))
    place = f"{ready.config}:{post}: [job:etc] post: "
    assert f"{place}the script {ready.root}/plain.sh is not executable" in done.stderr
    assert "there.sh" not in done.stderr
    assert not (ready.root / "store").exists()


@pytest.mark.parametrize(
    ("version", "code", "said"),
    [
        ("3.2.2", 2, "rsync is 3.2.2; B1000 needs 3.2.3 or newer"),
        ("3.3.0", 0, "warning: rsync is 3.3.0; pulling from hosts"),
        ("3.4.3", 0, "[dest:store] link_dest: warning: rsync is 3.4.3, whose --link-dest"),
        ("3.4.4", 0, ""),
        ("v3.5.0pre1", 0, ""),
        ("of its own", 0, "warning: rsync does not print its version"),
    ],
)
def test_check_connect_knows_which_rsync_will_not_do(
    ready: World, version: str, code: int, said: str
) -> None:
    programs = ready.root / "bin"
    programs.mkdir()
    script(ready, "bin/rsync", f"echo 'rsync  version {version}  protocol version 32'")
    pull = {"direction": "pull", "type": "full", "dest": "store", "report": "main"}
    ready.write(
        {
            "dest:store": ready.store(link_dest="yes"),
            "job:ext": {
                **pull,
                "report_poll_wait": 1,
                "report_poll_retries": 1,
                "report_source": "rsync://127.0.0.1/reports",
                "report_host": "ext",
                "include": "rsync://127.0.0.1/data/",
            },
        }
    )
    path = {"PATH": f"{programs}:/usr/bin:/bin"}
    done = ready.b1000("check", "--connect", environment=path)
    assert done.returncode == code
    assert said in done.stderr
    others = [line for line in done.stderr.splitlines() if "on the file system of /" not in line]
    assert said or not others
    # What a client could do to an old one is worth a warning at any time.
    assert ("whoever pulls" in ready.b1000("check", environment=path).stderr) == (
        "whoever pulls" in said
    )
