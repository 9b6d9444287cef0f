"""The log: lines of many processes stay whole, and a rotation during a run loses none."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.world import ROOT, World, open_sqlite, wait_until

# Each process writes numbered lines, of which every third is longer than a pipe takes at once.
WRITERS = """
import logging, os, sys
from b1000 import logs
path, writers, lines = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
logs.set_up(path, "INFO", "<%(threadName)s> %(message)s", quiet=False)
children = []
for writer in range(writers):
    child = os.fork()
    if not child:
        log = logs.for_run(f"job/{writer}")
        for number in range(lines):
            log.info("%d:%s.", number, "é" * (9000 if number % 3 == 0 else 9))
        os._exit(0)
    children.append(child)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""


def start_writers(path: str, writers: int, lines: int) -> "subprocess.Popen[str]":
    """Forked processes that log side by side, as workers do."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITERS, path, str(writers), str(lines)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    )


def messages(text: str) -> dict[str, str]:
    """Label → what was logged with it, parts of a line joined; each line must be whole."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        parts = re.fullmatch(r"<(job/\d)> ([0-9:é.]+)", line)
        assert parts, line[:100]
        found[parts[1]] = found.get(parts[1], "") + parts[2]
    return found


def expected(lines: int) -> str:
    """All that one writer logs."""
    return "".join(f"{n}:{'é' * (9000 if n % 3 == 0 else 9)}." for n in range(lines))


def test_lines_of_many_processes_stay_whole_while_the_file_is_rotated(tmp_path: Path) -> None:
    log = tmp_path / "b1000.log"
    rotated = 0
    with start_writers(str(log), 4, 400) as writers:
        while writers.poll() is None:
            time.sleep(0.005)
            if log.exists():
                os.rename(log, tmp_path / f"b1000.log.{rotated}")
                rotated += 1
    assert writers.returncode == 0
    assert rotated > 1
    old = [tmp_path / f"b1000.log.{number}" for number in range(rotated)]
    files = [file for file in [*old, log] if file.exists()]
    # Whoever was about to write when a file was moved wrote into it a little later.
    found = [line for file in files for line in file.read_text().splitlines()]
    for writer in range(4):
        own = [line for line in found if line.startswith(f"<job/{writer}> ")]
        numbers = [int(re.match(r"<.*?> (\d+):", line)[1]) for line in own]  # type: ignore[index]
        assert sorted(numbers) == list(range(400))
    for line in found:
        assert re.fullmatch(r"<job/\d> \d+:(é{9}|é{9000})\.", line), line[:100]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o640}


def test_lines_of_many_processes_stay_whole_in_a_pipe() -> None:
    writers = start_writers("/dev/stdout", 4, 100)
    out, err = writers.communicate(timeout=60)
    assert (writers.returncode, err) == (0, "")
    assert messages(out) == {f"job/{writer}": expected(100) for writer in range(4)}
    assert all(len(line.encode()) < 4096 for line in out.splitlines())


def test_a_log_file_that_cannot_be_made_anew_goes_to_standard_error(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    path = tmp_path / "log" / "b1000.log"
    script = (
        "import os, shutil, sys; from b1000 import logs\n"
        "logs.set_up(sys.argv[1], 'INFO', '%(message)s', quiet=False)\n"
        "log = logs.for_run('job'); log.info('first')\n"
        "shutil.rmtree(os.path.dirname(sys.argv[1])); log.info('second')\n"
        "os.mkdir(os.path.dirname(sys.argv[1])); log.info('third')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    told = f"the log file {path} cannot be written (No such file or directory); logging here\n"
    assert (done.stdout, done.stderr, path.read_text()) == ("", told + "second\n", "third\n")


@pytest.mark.parametrize(
    ("file", "output", "options", "said"),
    [
        ("/dev/full", None, "", "TOLD; logging here\nfirst\nbad\nsecond\n"),
        ("/dev/full", None, "quiet", "TOLD\nbad\n"),
        ("/dev/stdout", "/dev/full", "", "TOLD; logging here\nfirst\nbad\nsecond\n"),
    ],
)
def test_why_lines_are_not_where_they_should_be_is_told_once(
    file: str, output: str | None, options: str, said: str
) -> None:
    script = (
        "import sys; from b1000 import logs\n"
        "logs.set_up(sys.argv[1], 'INFO', '%(message)s', quiet=bool(sys.argv[2]))\n"
        "log = logs.for_run('job'); log.info('first'); log.error('bad'); log.info('second')\n"
    )
    with open(output or "/dev/null", "w") as stream:
        done = subprocess.run(
            [sys.executable, "-c", script, file, options],
            stdout=stream,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
            env={"PYTHONPATH": str(ROOT)},
        )
    place = "standard output" if output else f"the log file {file}"
    told = f"{place} cannot be written (No space left on device)"
    assert done.stderr == said.replace("TOLD", told)


DEFAULT_LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}[+-]\d\d:\d\d (?P<level>[A-Z]+) +(?P<run>\d+|-) "
    r"\[(?P<name>[^ \]]+) *\] (?P<message>.*)"
)


def test_lines_have_the_offset_from_utc_and_the_number_of_the_run(world: World) -> None:
    world.files()
    world.write(
        {"dest:store": world.store(), "job:etc": world.push(instances="a b", pre="echo hello")}
    )
    done = world.b1000(environment={"TZ": "Asia/Kolkata"})
    lines = [DEFAULT_LINE.fullmatch(line) for line in done.stdout.splitlines()]
    assert all(lines), done.stdout
    found = [each.groupdict() for each in lines if each]
    assert all("+05:30" in line for line in done.stdout.splitlines())
    numbers = {each["name"]: each["run"] for each in found}
    runs = {f"etc/{run['instance']}": str(run["run_id"]) for run in world.status()}
    assert numbers == {**runs, "b1000": "-"}
    # The script's own lines come from its worker, the steps from the supervisor.
    assert {each["run"] for each in found if each["message"] == "pre: hello"} == {*runs.values()}
    (last, *_) = found[::-1]
    assert re.fullmatch(r"ended in [\d.]+ s: 2 OK", last["message"])


def test_the_format_of_the_manual_works_as_it_is_printed(world: World) -> None:
    world.files()
    world.write(
        {
            "global": {
                "log_format": "%(asctime)-15s %(levelname)-7s [%(threadName)-10s] %(message)s"
            },
            "dest:store": world.store(),
            "job:etc": world.push(),
        }
    )
    for line in world.b1000().stdout.splitlines():
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO    \[(etc  |b1000) {5}\] .*", line
        ), line


def objects(text: str) -> list[dict[str, object]]:
    """The lines, each an object."""
    return [json.loads(line) for line in text.splitlines()]


def test_a_log_of_json_has_an_object_a_line(world: World) -> None:
    world.files()
    nasty = r"""printf 'a "quoted" \033[31m word\n'; head -c 9000 /dev/zero | tr '\0' '"'"""
    world.write(
        {
            "global": {"log_style": "json"},
            "dest:store": world.store(),
            "job:etc": world.push(instances="a", pre=nasty),
            "job:bad": world.push(pre="false"),
            "job:wrong": world.push(include=None),
        }
    )
    done = world.b1000()
    found = objects(done.stdout)
    keys = ["time", "level", "job", "instance", "run", "host", "message"]
    assert all(list(each) == keys for each in found)
    assert all(len(line) < 4096 for line in done.stdout.splitlines())
    runs = {(run["job"], run["instance"]): run["run_id"] for run in world.status()}
    of_etc = [each for each in found if each["job"] == "etc"]
    assert {each["run"] for each in of_etc if each["instance"] == "a"} == {runs["etc", "a"]}
    assert {each["host"] for each in found} == {"client"}
    assert any(each["message"] == 'pre: a "quoted" \\x1b[31m word' for each in of_etc)
    assert "".join(str(each["message"]) for each in of_etc).count('"') == 9002
    (failed,) = [each for each in found if each["job"] == "bad" and each["level"] == "ERROR"]
    assert str(failed["message"]).startswith("FAILED at PRE: ")
    last = found[-1]
    assert (last["job"], last["instance"], last["run"]) == ("", "", None)
    for each in found:
        assert datetime.fromisoformat(str(each["time"])).tzinfo
    # Errors are repeated as they are in the log, which is a standard stream too.
    assert "FAILED at PRE" in done.stderr
    repeated = [line for line in done.stderr.splitlines() if not line.startswith("/")]
    assert all(json.loads(line)["level"] == "ERROR" for line in repeated)


def test_a_traceback_is_one_object() -> None:
    script = (
        "from b1000 import logs\n"
        "logs.set_up('/dev/stdout', 'INFO', '%(message)s', quiet=False, style='json', host='h')\n"
        "try: 1 / 0\n"
        "except Exception: logs.for_run('job/a', 7).exception('internal error')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    (line,) = objects(done.stdout)
    assert (line["job"], line["instance"], line["run"], line["host"]) == ("job", "a", 7, "h")
    assert str(line["message"]).startswith("internal error\nTraceback ")
    assert "ZeroDivisionError" in str(line["message"])


@pytest.mark.parametrize(
    ("own", "line"),
    [
        ({}, r"(?P<priority><\d>)(\d+|-) \[[\w/]+\] .*"),
        ({"log_format": "%(levelname)s %(message)s"}, r"(?P<priority><\d>)[A-Z]+ .*"),
    ],
)
def test_a_log_for_the_journal_has_priorities(
    world: World, own: dict[str, object], line: str
) -> None:
    world.files()
    world.write(
        {
            "global": {"log_style": "journal", **own},
            "dest:store": world.store(),
            "job:etc": world.push(on_success="exit 3"),
            "job:bad": world.push(pre="false"),
        }
    )
    done = world.b1000()
    found = [re.fullmatch(line, each) for each in done.stdout.splitlines()]
    assert all(found), done.stdout
    priorities = {each["priority"]: each[0] for each in found if each}
    assert sorted(priorities) == ["<3>", "<4>", "<6>"]
    assert "FAILED at PRE" in priorities["<3>"]
    assert "on_success" in priorities["<4>"]


def test_what_repeats_a_log_file_on_standard_error_is_for_people(world: World) -> None:
    log = world.root / "log"
    world.write(
        {
            "global": {"log_style": "json", "log_file": log},
            "dest:store": world.store(),
            "job:bad": world.push(pre="false"),
        }
    )
    done = world.b1000()
    assert objects(log.read_text())
    assert DEFAULT_LINE.fullmatch(done.stderr.splitlines()[0])


def test_what_cannot_be_used_at_all_is_logged_in_its_style(world: World) -> None:
    log = world.root / "log"
    world.write({"global": {"log_style": "json", "log_file": log, "workers": "x"}})
    with world.config.open("a") as config:
        config.write("\n[dest:late]\ntype = active\npath = /a\npath = /b\n")
    assert world.b1000().returncode == 2
    line, warning = objects(log.read_text())
    assert "must be an integer" in str(line["message"])
    assert (line["host"], line["level"]) == ("client", "ERROR")
    assert "this one counts" in str(warning["message"])
    assert warning["level"] == "WARNING"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("[ job : etc ]\n", "there is no job in "),
        ("", "there is no job in "),
        ("[job:etc]\npost = echo z\udcf3\n", "the byte 0xf3 is not UTF-8"),
        ("[job:etc]\npost = echo \x1b\n", "is not text"),
    ],
)
def test_why_nothing_at_all_was_run_is_logged(world: World, more: str, told: str) -> None:
    """Whoever throws away what cron would send by mail still learns of it."""
    log = world.root / "log"
    world.write({"global": {"log_file": log}})
    with world.config.open("ab") as config:
        config.write(more.encode("utf-8", "surrogateescape"))
    done = world.b1000()
    assert done.returncode == 2
    for text in (done.stderr, log.read_text()):
        (line,) = [each for each in text.splitlines() if told in each]
    assert " ERROR " in line
    log.unlink()
    assert world.b1000("-n").returncode == 2
    assert not log.exists()


def test_that_a_job_is_not_known_is_logged(world: World) -> None:
    log = world.root / "log"
    world.write({"global": {"log_file": log}, "dest:store": world.store(), "job:etc": world.push()})
    assert world.b1000("etcc", "-q").returncode == 2
    assert "there is no job 'etcc'" in log.read_text()


@pytest.mark.parametrize("words", [("-q",), (), ("--copy",), ("forget", "etc")])
def test_why_no_journal_can_be_opened_is_logged_too(world: World, words: tuple[str, ...]) -> None:
    log, journal = world.root / "log", world.root / "journal"
    settings = {"log_file": log, "journal": journal / "j"}
    world.write({"global": settings, "dest:store": world.store(), "job:etc": world.push()})
    journal.mkdir()
    with open_sqlite(journal / "j") as opened:
        opened.execute("PRAGMA user_version = 9999")
    done = world.b1000(*words)
    assert done.returncode == 2
    assert done.stderr.count(f"the journal {journal}/j has schema 9999") == 1
    (line,) = [each for each in log.read_text().splitlines() if "has schema 9999" in each]
    assert " ERROR " in line


def rotate(log: Path) -> None:
    """Rotate with the shipped configuration, or as it would."""
    if not shutil.which("logrotate", path="/usr/sbin:/usr/bin"):
        os.rename(log, f"{log}.1")
        return
    shipped = (ROOT / "etc" / "logrotate.d" / "b1000").read_text()
    assert "/var/log/b1000.log" in shipped
    config = log.parent / "logrotate.conf"
    config.write_text(shipped.replace("/var/log/b1000.log", str(log)))
    config.chmod(0o644)
    subprocess.run(
        ["logrotate", "--force", "--state", str(log.parent / "logrotate.state"), str(config)],
        check=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )


def test_a_run_that_is_under_way_goes_on_in_the_new_file(world: World) -> None:
    directory = world.root / "log"
    directory.mkdir(mode=0o755)
    log = directory / "b1000.log"
    world.files()
    world.write(
        {
            "global": {"log_file": log},
            "dest:store": world.store(),
            "job:etc": world.push(
                pre=f"echo before; until test -e {world.root}/rotated; do sleep 0.02; done;"
                " echo after"
            ),
        }
    )
    program = world.start()
    wait_until(lambda: log.exists() and "before" in log.read_text())
    rotate(log)
    assert not log.exists()
    (world.root / "rotated").touch()
    out, err = program.communicate(timeout=60)
    assert (program.returncode, out, err) == (0, "", "")
    old, new = Path(f"{log}.1").read_text(), log.read_text()
    assert re.search(r"\[etc +\] .*before\n\Z", old)
    assert re.match(r".*\[etc +\] .*after\n", new)
    # The worker tells of its script, the supervisor of the steps: both went on in the new file.
    assert re.search(r"\[etc +\] DONE in [\d.]+ s\n.*\[b1000 +\] ended in [\d.]+ s: 1 OK\n\Z", new)
    assert log.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("word", ["nocreate", "missingok", "delaycompress"])
def test_logrotate_leaves_the_file_to_b1000(word: str) -> None:
    text = (ROOT / "etc" / "logrotate.d" / "b1000").read_text()
    assert re.search(rf"^    {word}$", text, re.MULTILINE)
    assert "copytruncate" not in text


PLACES = """
import logging, sys
from b1000 import logs
place = "%(process)d %(thread)d %(processName)s %(filename)s %(funcName)s"
for line_format in ("%(message)s", place):
    logs.set_up(sys.argv[1], "INFO", line_format, quiet=True)
    logs.for_run("job").info("told")
"""


def test_a_format_is_given_what_it_asks_for(tmp_path: Path) -> None:
    """What the formats before did not show was not looked up."""
    log = tmp_path / "log"
    command = [sys.executable, "-c", PLACES, str(log)]
    subprocess.run(command, check=True, env={"PYTHONPATH": str(ROOT)})
    plain, placed = log.read_text().splitlines()
    assert plain == "told"
    assert re.fullmatch(r"[1-9]\d* [1-9]\d* MainProcess <string> <module>", placed)
