"""``b1000 monitor`` as a program: forms, exit codes, databases that are down, a fleet's story."""

import contextlib
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.database import Database, Schema
from tests.support.rows import DAY, HOUR, Rows
from tests.support.terminal import Terminal
from tests.support.world import ROOT, World
from tests.test_monitoring_files import PROMTOOL, needs_promtool

UNKNOWN = 3


@pytest.fixture(params=["sqlite", "mysql"])
def rows(request: pytest.FixtureRequest, world: World) -> Rows:
    """Empty tables, and a configuration that names them."""
    if request.param == "sqlite":
        place: Path | Schema = world.root / "central.sqlite3"
    else:
        place = request.getfixturevalue("database")
    rows = Rows(place)
    world.write({"report:central": rows.section})
    return rows


@pytest.fixture
def central(world: World) -> Rows:
    """The same in SQLite alone, where the kind of database makes no difference."""
    rows = Rows(world.root / "central.sqlite3")
    world.write({"report:central": rows.section})
    return rows


def asked(world: World, *words: str) -> dict[str, Any]:
    """What ``--json`` says; its exit code fits its verdict."""
    done = world.b1000("monitor", "--json", *words)
    found: dict[str, Any] = json.loads(done.stdout)
    codes = {"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}
    assert done.returncode == codes[found["verdict"]], done.stderr
    return found


def by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The subjects of an answer."""
    return {f"{each['host']} {each['job']}/{each['instance']}": each for each in found["subjects"]}


def mixed(rows: Rows) -> None:
    """One subject of each kind."""
    rows.daily("good", "etc")
    rows.daily("slave", "mysql", "3307", master_host="db1", master_instance="payments")
    rows.run("half", "etc", "", HOUR, "near:DONE far:FAILED")
    rows.daily("silent", "etc", "", 5, 9 * DAY)
    rows.run("never", "etc", "x", HOUR, "near:FAILED")


# --- forms and exit codes


def test_json(world: World, rows: Rows) -> None:
    mixed(rows)
    found = asked(world)
    assert found["verdict"] == "CRITICAL"
    assert {name: each["verdict"] for name, each in by_name(found).items()} == {
        "good etc/": "OK",
        "db1 mysql/payments": "OK",
        "half etc/": "WARNING",
        "silent etc/": "CRITICAL",
        "never etc/x": "CRITICAL",
    }
    each = by_name(found)["good etc/"]
    assert list(each) == [
        "job", "host", "instance", "verdict", "reason", "last_good", "age", "max_age",
        "expected_by", "data_age", "bytes", "copies_done", "copies_total", "relayed_by", "reasons",
        "usual_bytes", "missing", "last_run", "changed",
    ]  # fmt: skip
    assert found["format"] == 2
    assert (each["reasons"], each["usual_bytes"], each["missing"]) == ([], 1000, [])
    half = by_name(found)["half etc/"]
    assert [reason["code"] for reason in half["reasons"]] == ["incomplete"]
    assert half["missing"] == ["far"]
    places = {place["destination"]: place for place in found["destinations"]}
    assert list(places["near"]) == [
        "destination", "verdict", "last_good", "success", "bytes_per_day", "subjects", "alone",
    ]  # fmt: skip
    assert (places["near"]["subjects"], places["near"]["alone"]) == (5, 1)
    assert datetime.fromisoformat(each["last_good"]).timestamp() == rows.now - 3 * HOUR
    assert 3 * HOUR <= each["age"] < 4 * HOUR
    assert (each["max_age"], each["expected_by"]) == (30 * HOUR, "learned")
    assert (each["bytes"], each["copies_done"], each["copies_total"]) == (1000, 2, 2)
    never = by_name(found)["never etc/x"]
    assert [never[name] for name in ("last_good", "age", "max_age", "bytes")] == [None] * 4


STEERING = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
EVIL = "\x9b2J\x1b]0;pwned\x07\x7f\u202e\u2066\x85x"


def test_what_comes_from_the_database_steers_no_terminal(world: World, rows: Rows) -> None:
    """Control characters of one byte and of two, and what turns a line around, in every form."""
    for name, count, newest in (("h", 1, 3), ("learned", 5, 3), ("gone", 1, 300)):
        rows.daily(f"{name}{EVIL}", f"j{EVIL}", f"i{EVIL}", count, newest * HOUR)
    failed = {f"far{EVIL}": "FAILED", "near": "DONE"}
    rows.run(f"half{EVIL}", "etc", EVIL, HOUR, failed, error=EVIL, relayed_by=f"s{EVIL[2:4]}")
    metrics, page = world.root / "metrics", world.root / "page.html"
    said = ""
    for words in (
        [], ["--json"], ["--nagios"], ["--prometheus"], ["--learn"], ["--learn", "--json"],
        ["--prometheus", "--output", str(metrics), "--html", str(page)],
    ):  # fmt: skip
        done = world.b1000("monitor", *words)
        said += done.stdout + done.stderr
        assert done.returncode == 2, done.stderr
    said += metrics.read_text() + page.read_text()
    assert not STEERING.search(said), STEERING.findall(said)
    found = asked(world)
    assert {f"half{EVIL}", f"h{EVIL}"} <= {each["host"] for each in found["subjects"]}


def test_what_a_client_says_of_itself_is_marked(world: World, central: Rows) -> None:
    central.daily("ext", "etc", relayed_by="backup-2", direction="passive")
    central.daily("own", "etc")
    found = by_name(asked(world))
    assert {name: each["relayed_by"] for name, each in found.items()} == {
        "ext etc/": "backup-2",
        "own etc/": "",
    }
    lines = world.b1000("monitor", "--all").stdout.splitlines()
    marked = [line for line in lines if "2/2*" in line]
    assert [line.split()[1] for line in marked] == ["ext"]
    assert "* as the client itself says, relayed by the storage that pulls" in lines
    page = world.root / "page.html"
    world.b1000("monitor", "--html", str(page))
    assert page.read_text().count('"backup-2"') == 1


def test_what_is_not_learned_is_told_with_its_reason(world: World, central: Rows) -> None:
    central.daily("old", "etc")
    for number in range(4):
        central.run("new", "etc", "", HOUR + number * 300)
    done = world.b1000("monitor", "--learn")
    lines = done.stdout.splitlines()
    assert "learned: 1 new row in plan" in lines
    why = "its good backups are of 15 min, and 3 d of them say what is usual"
    assert f"not learned: new etc: {why}" in lines
    assert central.rows("SELECT master_host FROM plan") == [("old",)]
    found = asked(world, "--learn")
    assert (found["learned"], found["unlearned"]) == (
        0,
        [{"host": "new", "job": "etc", "instance": "", "reason": why}],
    )


@pytest.mark.parametrize(
    ("copies", "ago", "code"),
    [("near:DONE", 1, 0), ("near:DONE far:FAILED", 1, 1), ("near:DONE", 220, 2), (None, 0, 3)],
)
@pytest.mark.parametrize("form", [[], ["--json"], ["--nagios"], ["--prometheus"]])
def test_exit_codes_are_those_of_nagios_in_all_forms(
    world: World, central: Rows, form: list[str], copies: str | None, ago: int, code: int
) -> None:
    if copies:
        central.run("web1", "etc", "", ago * HOUR, copies)
    done = world.b1000("monitor", *form)
    assert done.returncode == code, done.stderr
    assert done.stdout


def test_plain_columns_the_worst_first(world: World, central: Rows) -> None:
    mixed(central)
    done = world.b1000("monitor")
    lines = done.stdout.splitlines()
    assert lines[0].split() == [
        "VERDICT", "HOST", "JOB", "INSTANCE", "AGE", "MAX", "COPIES", "SIZE", "REASON",
    ]  # fmt: skip
    assert [line.split()[:4] for line in lines[1:6]] == [
        ["CRITICAL", "never", "etc", "x"],
        ["CRITICAL", "silent", "etc", "-"],
        ["WARNING", "half", "etc", "-"],
        ["and", "2", "OK"],
        [],
    ]
    everything = world.b1000("monitor", "--all").stdout.splitlines()
    assert [line.split()[:4] for line in everything[4:6]] == [
        ["OK", "db1", "mysql", "payments"],
        ["OK", "good", "etc", "-"],
    ]
    assert lines[-1] == "CRITICAL: 2 critical, 1 warning, 2 ok of 5 subjects"
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_a_table_on_a_terminal(world: World, central: Rows) -> None:
    mixed(central)
    done = subprocess.run(
        ["script", "-qec", "stty cols 80; " + " ".join(_command(world)), "/dev/null"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "TERM": "xterm-256color"},
        timeout=60,
    )
    assert done.returncode == 2
    assert "\x1b[" in done.stdout
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", done.stdout)
    lines = plain.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("CRITICAL  never ") for line in lines)
    assert any(line.startswith("    never backed up: ") for line in lines)


def test_what_is_worst_is_on_the_screen_when_the_command_ends(world: World, central: Rows) -> None:
    a_storage_is_down(central, 30)
    central.run("never", "etc", "", HOUR, "near:FAILED")
    central.daily("good", "etc", "", 5, copies="near:DONE")
    for columns, lines in ((40, 12), (80, 24), (200, 50)):
        shown = Terminal(_command(world), {}, columns=columns, lines=lines)
        assert shown.finish() == 2
        seen = shown.text.splitlines()
        # The prompt has a line of its own.
        assert len(seen) < lines
        assert "\n".join(seen) == shown.everything.strip("\n")
        assert [line for line in seen if line.startswith("WARNING: storage far: ")]
        assert [line for line in seen if line.startswith("CRITICAL: host gone: ")]
        assert [line for line in seen if "never etc" in line or " never  " in line]
        assert "and 1 OK" in seen
        said = " ".join(seen)
        assert "CRITICAL: 4 critical, 30 warning, 1 ok of 35 subjects (--all shows all)" in said
        assert not [line for line in seen if line.startswith("WARNING ") and " web" in line]
    everything = Terminal([*_command(world), "--all"], {}, columns=60, lines=24)
    assert everything.finish() == 2
    said = everything.everything
    assert "WARNING web7 etc\n    " in said
    assert said.count("WARNING web") == 30
    assert max(map(len, said.splitlines())) <= 60
    assert said.splitlines()[-1] == "CRITICAL: 4 critical, 30 warning, 1 ok of 35 subjects"


def test_names_of_any_length_break_no_row_and_leave_reasons_their_room(
    world: World, central: Rows
) -> None:
    long = "a-host-with-a-long-name.of-a-customer.example.org"
    central.daily(long, "a-job-with-a-long-name", "an-instance-with-a-long-name", 5, 9 * DAY)
    for number in range(5):
        central.daily(f"web{number}", f"job{number}", "", 6, (5 - number) * DAY)

    def seen(columns: int, lines: int) -> list[str]:
        shown = Terminal(_command(world), {}, columns=columns, lines=lines)
        assert shown.finish() == 2
        return shown.text.splitlines()

    # Columns that would not fit are not broken: each has lines of its own.
    assert f"CRITICAL {long} a-job-with-a-long-name/an-instance-with-a-long-name" in seen(110, 50)
    assert not [line for line in seen(110, 50) if line.startswith("VERDICT")]
    # A line more for why, where there is room, else what is left of the line.
    two = seen(80, 18)
    assert two[2:4] == ["CRITICAL  web0 job0", two[3]]
    assert two[3].startswith("    missed: expected by ")
    assert two[3].endswith("..")
    one = seen(80, 12)
    assert one[1].startswith("CRITICAL  web0 job0  missed: expected by ")
    # Of what comes below, as much as there is room for, what is wrong before the rest.
    for number in range(4):
        central.daily(f"new{number}", f"job{number}", "", 3)
    central.run("db1", "pull", "", HOUR, "", step="INIT", status="FAILED", direction="pull")
    below = seen(80, 18)
    first = below.index("and 4 OK") if "and 4 OK" in below else below.index("and 5 OK")
    assert below[first + 2].startswith("WARNING: ")
    assert [line[:12] for line in below[first + 3 : first + 5]] == ["drift: new0 ", "drift: new1 "]
    assert re.fullmatch(r"and \d more", below[first + 5])
    assert not [line for line in seen(80, 40) if re.fullmatch(r"and \d more", line)]


def _command(world: World) -> list[str]:
    return [sys.executable, "-m", "b1000", "monitor", "-f", str(world.config)]


def a_storage_is_down(rows: Rows, count: int = 6) -> None:
    """One destination of all fails since yesterday, and one host is silent since days."""
    for number in range(count):
        rows.daily(f"web{number}", "etc", "", 5, 27 * HOUR)
        rows.run(f"web{number}", "etc", "", 3 * HOUR, "near:DONE far:FAILED")
    for job in ("etc", "mysql", "home"):
        rows.daily("gone", job, "", 6, 5 * DAY)


def test_what_many_have_in_common_comes_first_in_every_form(world: World, central: Rows) -> None:
    a_storage_is_down(central)
    found = asked(world)
    assert [(each["kind"], each["name"], each["subjects"]) for each in found["causes"]] == [
        ("storage", "far", 6),
        ("host", "gone", 3),
    ]
    assert re.fullmatch(
        r"storage far: no copy since \w{3} \d\d:\d\d, 6 subjects", found["causes"][0]["text"]
    )
    assert found["destinations"][0]["destination"] == "far"
    assert found["destinations"][0]["verdict"] == "WARNING"
    table = world.b1000("monitor").stdout.splitlines()
    assert table[0].startswith("WARNING: storage far: no copy since ")
    assert table[1].startswith("CRITICAL: host gone: no good backup since ")
    storages = re.findall(r"^\w+: storage .*", world.b1000("monitor", "--all").stdout, re.MULTILINE)
    # All were copied to far a day before.
    assert re.fullmatch(
        r"WARNING: storage far: last copy 1 d 3 h ago, \d+% of the copies well, .* a day, "
        r"9 subjects, 0 of them here alone",
        storages[1],
    )
    assert storages[2].startswith("OK: storage near: last copy 3 h ago, 100% of the copies well")
    lines = world.b1000("monitor", "--nagios").stdout.splitlines()
    assert "; storage far: no copy since " in lines[0]
    assert "web1" not in lines[0]
    assert lines[1].startswith("WARNING: storage far: ")
    metrics = world.b1000("monitor", "--prometheus").stdout
    cause = 'b1000_cause_subjects{cause="far",kind="storage",verdict="WARNING"} 6.0'
    assert cause in metrics.splitlines()
    assert metrics.count("b1000_backup_explained{") == 9
    page = world.root / "page.html"
    world.b1000("monitor", "--html", str(page))
    assert "storage far: no copy since" in page.read_text()


def test_what_turned_is_told(world: World, central: Rows) -> None:
    central.daily("web1", "etc", "", 5, 27 * HOUR)
    central.run("web1", "etc", "", 3 * HOUR, "near:FAILED")
    central.daily("web2", "etc")
    found = by_name(asked(world, "--since", "24h"))
    assert (found["web1 etc/"]["changed"], found["web2 etc/"]["changed"]) == ("OK", None)
    assert "changed: web1 etc: OK -> WARNING" in world.b1000("monitor", "--since", "1d").stdout
    told = world.root / "told"
    notify = ("--notify", f"cat >> {told}; exit 1", "--state", str(world.root / "state"))
    failed = world.b1000("monitor", "--nagios", *notify)
    assert (failed.returncode, "--notify ended with 1" in failed.stderr) == (UNKNOWN, True)
    assert failed.stdout.startswith("B1000 WARNING")
    assert [each["host"] for each in json.loads(told.read_text())["turned_bad"]] == ["web1"]
    wrong = world.b1000("monitor", *notify[:2])
    assert (wrong.returncode, "need each other" in wrong.stderr) == (UNKNOWN, True)
    wrong = world.b1000("monitor", "--since", "yesterday")
    assert (wrong.returncode, "must be a time such as" in wrong.stderr) == (UNKNOWN, True)


def test_an_answer_to_a_verdict(world: World, central: Rows) -> None:
    central.daily("web1", "etc", "", 5, 27 * HOUR)
    central.run("web1", "etc", "", 3 * HOUR, "near:FAILED")
    done = world.b1000("monitor", "ack", "--until", "7d", "web1", "etc", "--note", "a\033b | c")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(r"web1 etc: acknowledged \(\w+\) by .* until .*: a\\x1bb \| c$", done.stdout)
    (found,) = asked(world)["subjects"]
    assert (found["verdict"], found["acknowledged"]["note"]) == ("OK", "a\033b | c")
    assert "(1 acknowledged) |" in world.b1000("monitor", "--nagios").stdout
    assert "b1000_backup_acknowledged{" in world.b1000("monitor", "--prometheus").stdout
    for words, text in (
        (("ack",), "needs a SUBJECT"),
        (("ack", "web1", "--json"), "--json cannot be combined with ack"),
        (("--note", "x"), "--until and --note need ack, ignore or expect"),
        (("ignore", "web1", "--until", "soon"), "argument --until: 'soon' is no time"),
        (("ack", "web3"), "'web3' is no subject"),
    ):
        wrong = world.b1000("monitor", *words)
        assert (wrong.returncode, wrong.stdout, text in wrong.stderr) == (UNKNOWN, "", True), words


def test_lines_for_nagios(world: World, central: Rows) -> None:
    mixed(central)
    central.run("good", "etc", "", 60, "near:FAILED", error="a | b\nc")
    done = world.b1000("monitor", "--nagios")
    line, *others = done.stdout.splitlines()
    assert [each.split(":")[0] for each in others] == ["CRITICAL"] * 2 + ["WARNING"] * 2
    assert not any("|" in each for each in others)
    text, _, performance = line.partition(" | ")
    assert text.startswith(
        "B1000 CRITICAL: 2 critical, 2 warning, 1 ok of 5 subjects; never etc/x:"
    )
    assert "|" not in text
    assert "and 1 more" in text
    for value in performance.split():
        assert re.fullmatch(r"(ok|warning|critical|unknown|oldest)=\d+s?;\d*;\d*;0", value)


def test_nagios_is_told_of_what_is_bad_and_no_subjects(world: World, central: Rows) -> None:
    """It makes the exit code, so that each has a line, however many there are."""
    central.daily("good", "etc")
    jobs = [f"job{number}" for number in range(5)]
    for job in jobs:
        central.run("new", job, "", HOUR, "", step="INIT", status="FAILED", error="no script")
    done = world.b1000("monitor", "--nagios")
    line, *others = done.stdout.splitlines()
    assert done.returncode == 2
    assert "; and 2 more | " in line
    assert [each.split(" on ")[0] for each in others] == [f"CRITICAL: {job}" for job in jobs]


def test_metrics(world: World, central: Rows) -> None:
    mixed(central)
    file = world.root / "b1000.prom"
    done = world.b1000("monitor", "--prometheus", "--output", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")
    assert file.stat().st_mode & 0o777 == 0o644
    text = file.read_text()
    labels = 'backup_host="db1",backup_instance="payments",backup_job="mysql"'
    assert f"b1000_backup_verdict{{{labels}}} 0.0" in text
    assert f"b1000_backup_copies_done{{{labels}}} 2.0" in text
    assert 'b1000_backups{verdict="CRITICAL"} 2.0' in text
    assert "b1000_monitor_verdict 2.0" in text
    assert "b1000_monitor_database_up 1.0" in text
    assert world.b1000("monitor", "--prometheus").stdout.splitlines()[0] == text.splitlines()[0]


@needs_promtool
def test_promtool_accepts_the_metrics(world: World, central: Rows) -> None:
    mixed(central)
    central.run('quote"back\\slash', "etc", "", HOUR)
    done = world.b1000("monitor", "--prometheus")
    checked = subprocess.run(
        [str(PROMTOOL), "check", "metrics"], input=done.stdout, capture_output=True, text=True
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_without_prometheus_client_it_is_told_what_to_install(world: World, central: Rows) -> None:
    central.daily("web1", "etc")
    (world.root / "prometheus_client.py").write_text("raise ImportError")
    environment = {"PYTHONPATH": f"{world.root}:{ROOT}"}
    done = world.b1000("monitor", "--prometheus", environment=environment)
    assert done.returncode == UNKNOWN
    assert "--prometheus needs the package prometheus-client" in done.stderr
    assert world.b1000("monitor", "--nagios", environment=environment).returncode == 0


def test_a_file_that_somebody_else_writes_into_is_unknown_to_learn(
    world: World, central: Rows
) -> None:
    central.daily("web1", "etc")
    with contextlib.closing(sqlite3.connect(world.root / "central.sqlite3")) as writer:
        writer.execute("BEGIN IMMEDIATE")
        done = world.b1000("monitor", "--learn")
        assert (done.returncode, "is locked" in done.stderr) == (UNKNOWN, True)
        assert world.b1000("monitor").returncode == 0


def test_a_page_and_metrics_of_one_survey(world: World, rows: Rows) -> None:
    mixed(rows)
    page, metrics = world.root / "index.html", world.root / "b1000.prom"
    done = world.b1000("monitor", "--html", str(page), "--prometheus", "--output", str(metrics))
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")
    assert "payments" in page.read_text()
    assert "payments" in metrics.read_text()
    assert page.stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in world.root.glob(".b1000*")) == []


def test_what_is_usual_is_learned_once(world: World, rows: Rows) -> None:
    rows.daily("web1", "etc")
    done = world.b1000("monitor", "--learn")
    assert "learned: 1 new row in plan" in done.stdout
    assert "learned: 0 new rows in plan" in world.b1000("monitor", "--learn").stdout
    assert asked(world)["subjects"][0]["expected_by"] == "plan"


# --- which report


def test_the_only_database_report_is_taken_and_others_have_to_be_named(world: World) -> None:
    first, second = Rows(world.root / "first"), Rows(world.root / "second")
    second.daily("web1", "etc")
    world.write({"report:first": first.section, "report:second": second.section})
    done = world.b1000("monitor", "--nagios")
    assert done.returncode == UNKNOWN
    assert "first, second" in done.stdout
    assert world.b1000("monitor", "--report", "second").returncode == 0
    wrong = world.b1000("monitor", "--report", "main")
    assert wrong.returncode == UNKNOWN
    assert "main is no report of type mysql or sqlite" in wrong.stderr
    world.write({})
    assert "there is none" in world.b1000("monitor").stderr
    world.write({"report:first": first.section, "report:second": {"type": "sqlite", "paht": "x"}})
    assert world.b1000("monitor", "--report", "first").returncode == UNKNOWN  # it knows nothing
    assert "[report:second] paht: " in world.b1000("monitor", "--report", "second").stderr


@pytest.mark.parametrize(
    "words", [["--colour"], ["--json", "--nagios"], ["--output", "x"], ["web1"], ["--job"]]
)
def test_wrong_usage_is_unknown(world: World, central: Rows, words: list[str]) -> None:
    central.daily("web1", "etc")
    done = world.b1000("monitor", *words)
    assert done.returncode == UNKNOWN
    assert "usage: b1000 monitor" in done.stderr


def test_help_is_no_error(world: World) -> None:
    assert world.b1000("monitor", "--help").returncode == 0


def test_a_configuration_that_cannot_be_read_is_unknown(world: World) -> None:
    done = world.b1000("monitor", "--nagios")
    assert done.returncode == UNKNOWN
    assert done.stdout.startswith("B1000 UNKNOWN: ")
    assert len(done.stdout.splitlines()) == 1


def test_a_file_that_cannot_be_written_is_unknown(world: World, central: Rows) -> None:
    central.daily("web1", "etc")
    done = world.b1000("monitor", "--html", str(world.root / "missing" / "index.html"))
    assert done.returncode == UNKNOWN
    assert "index.html cannot be written: No such file or directory" in done.stderr
    done = world.b1000("monitor", "--html", str(world.root / ("x" * 300)))
    assert done.returncode == UNKNOWN
    assert "x cannot be written: File name too long" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_device_or_a_directory_is_not_replaced(world: World, central: Rows) -> None:
    central.daily("web1", "etc")
    pipe = world.root / "pipe"
    os.mkfifo(pipe)
    for name in ("/dev/b1000-test", str(pipe), str(world.root)):
        for words in (["--html", name], ["--prometheus", "--output", name]):
            done = world.b1000("monitor", *words)
            assert done.returncode == UNKNOWN
            assert f"{name} cannot be written: it is no regular file" in done.stderr
    assert pipe.is_fifo()
    assert not Path("/dev/b1000-test").exists()


def test_an_answer_that_cannot_be_told_is_unknown(world: World, central: Rows) -> None:
    central.daily("web1", "etc")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(_command(world), stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == UNKNOWN
    assert "the output cannot be written: No space left on device" in done.stderr


def test_an_output_that_has_no_such_letters_gets_them_escaped(world: World, central: Rows) -> None:
    central.run("wéb", "etc", "", HOUR, "near:FAILED", error="a → b")
    environment = {"PYTHONIOENCODING": "ascii"}
    done = world.b1000("monitor", "--nagios", environment=environment)
    assert done.returncode == 2
    assert "w\\xe9b etc: never backed up" in done.stdout
    assert done.stderr == ""


def test_a_mistake_of_ours_is_unknown_in_the_form_that_was_asked(
    world: World, central: Rows
) -> None:
    central.daily("web1", "etc")
    broken = "import b1000.monitor.verdicts as v\nv.RULES = (lambda facts: 1 // 0,)"
    (world.root / "sitecustomize.py").write_text(broken)
    environment = {"PYTHONPATH": f"{world.root}:{ROOT}"}
    done = world.b1000("monitor", "--nagios", environment=environment)
    assert done.returncode == UNKNOWN
    assert done.stdout.startswith("B1000 UNKNOWN: internal error: ZeroDivisionError")
    assert "Traceback" in done.stderr


# --- a database that is down


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        yield listener.getsockname()[1]


def test_a_database_that_is_down_is_unknown_and_what_was_written_stays(
    world: World, own_server: Database
) -> None:
    rows = Rows(Schema(own_server))
    world.write({"report:central": rows.section})
    rows.daily("web1", "etc")
    page, metrics = world.root / "index.html", world.root / "b1000.prom"
    words = ("monitor", "--html", str(page), "--prometheus", "--output", str(metrics))
    assert world.b1000(*words).returncode == 0
    before = page.read_bytes(), metrics.read_bytes()
    for path in (page, metrics):
        os.utime(path, (time.time() - 3 * HOUR, time.time() - 3 * HOUR))
    for spoil in (own_server.freeze, own_server.kill):
        spoil()
        began = time.monotonic()
        done = world.b1000(*words)
        assert time.monotonic() - began < 15
        assert done.returncode == UNKNOWN
        assert "UNKNOWN: the database of report central does not answer" in done.stderr
        assert f"{page} stays as it is, 3 h old" in done.stderr
        assert f"{metrics} stays as it is, 3 h old" in done.stderr
        assert (page.read_bytes(), metrics.read_bytes()) == before


@pytest.fixture
def dripping_port() -> Iterator[int]:
    """A port where each byte of a greeting comes in time, and the greeting never."""

    def drip() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                for byte in b"\xff\xff\xff\x00" + bytes(60):
                    connection.send(bytes([byte]))
                    time.sleep(1)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        threading.Thread(target=drip, daemon=True).start()
        yield listener.getsockname()[1]


def test_every_form_says_unknown(world: World, silent_port: int, dripping_port: int) -> None:
    server = {"type": "mysql", "server": "127.0.0.1", "port": silent_port, "db": "b", "user": "u"}
    world.write({"report:central": {**server, "password": "secret"}})
    began = time.monotonic()
    done = world.b1000("monitor", "--nagios")
    assert time.monotonic() - began < 15
    assert (done.returncode, done.stdout[:15]) == (UNKNOWN, "B1000 UNKNOWN: ")
    assert "secret" not in done.stdout + done.stderr
    done = world.b1000("monitor", "--json")
    found = json.loads(done.stdout)
    assert (found["verdict"], found["subjects"]) == ("UNKNOWN", [])
    assert "does not answer" in found["reason"]
    world.write({"report:central": {**server, "port": dripping_port, "password": "secret"}})
    began = time.monotonic()
    metrics = world.b1000("monitor", "--prometheus")
    assert time.monotonic() - began < 15
    assert "there was no connection within 12 seconds" in metrics.stderr
    assert metrics.returncode == UNKNOWN
    assert "b1000_monitor_database_up 0.0" in metrics.stdout
    assert "b1000_monitor_verdict 3.0" in metrics.stdout


def test_a_file_that_is_no_database_is_unknown(world: World) -> None:
    (world.root / "central").write_text("something else entirely, and long enough" * 100)
    for path in ("central", "missing", "x" * 300):
        world.write({"report:central": {"type": "sqlite", "path": world.root / path}})
        for words in ([], ["--learn"]):
            done = world.b1000("monitor", *words)
            assert done.returncode == UNKNOWN
            assert f"does not answer: {world.root / path}: " in done.stderr
    assert not (world.root / "missing").exists()


# --- the story of a fleet


def test_five_hosts_three_storages_one_database(
    world: World, database: Schema, daemon: Callable[..., Any]
) -> None:
    """Real runs into three rsync daemons; then time passes, and each host has its own fate."""
    storages = {name: daemon() for name in ("atm", "paris", "tokyo")}
    hosts = {name: _host(world.root / name, name) for name in ("web1", "web2", "db1", "db2", "db3")}

    def configure(
        name: str, instances: str, dest: str = "atm paris tokyo", lag: int = 1, pre: str = "true"
    ) -> None:
        host = hosts[name]
        job = host.push(
            dest=dest,
            pre=pre,
            report="central",
            instances=instances or None,
            data_age=f"!echo {lag}" if instances else None,
            master_host="!echo payments$instance" if name == "db3" else None,
        )
        host.write(
            {
                "global": {"host": name, "report_wait_end": 30},
                "report:central": database.report(),
                **{
                    f"dest:{each}": {"type": "active", "path": storages[each].url("b1000")}
                    for each in storages
                },
                "job:mysql" if instances else "job:www": job,
            }
        )

    def night(name: str) -> int:
        return hosts[name].b1000().returncode

    def a_day_passes() -> None:
        """All that was told moves a day into the past."""
        database.query(
            "UPDATE jobs SET start_time = start_time - INTERVAL 1 DAY, "
            "started_utc = started_utc - INTERVAL 1 DAY, ended_utc = ended_utc - INTERVAL 1 DAY "
            "ORDER BY start_time"
        )

    usual = {"web1": "", "web2": "", "db1": "3306 3307", "db2": "3306", "db3": "3307"}
    for name, instances in usual.items():
        configure(name, instances)
    for _ in range(4):
        a_day_passes()
        assert [night(name) for name in hosts] == [0] * 5
    monitor = hosts["web1"]
    assert asked(monitor)["verdict"] == "OK"

    # Web1 stops silently. Web2 loses a destination. Db3 lags. On db1 3307 vanishes and 3308
    # appears, whose backup fails. Db2 goes on.
    storages["tokyo"].stop()
    configure("db1", "3306 3308", dest="atm paris", pre='test "$instance" != 3308')
    configure("db2", "3306", dest="atm paris")
    configure("db3", "3307", dest="atm paris", lag=7200)
    for _ in range(3):
        a_day_passes()
        assert [night(name) for name in ("web2", "db1", "db2", "db3")] == [1, 1, 0, 0]

    found = asked(monitor)
    subjects = by_name(found)
    assert {name: each["verdict"] for name, each in subjects.items()} == {
        "web1 www/": "CRITICAL",
        "web2 www/": "WARNING",
        "db1 mysql/3306": "WARNING",
        "db1 mysql/3307": "CRITICAL",
        "db1 mysql/3308": "CRITICAL",
        "db2 mysql/3306": "WARNING",
        "payments3307 mysql/3307": "WARNING",
    }
    assert "3 d old, at most 1 d 6 h" in subjects["web1 www/"]["reason"]
    assert "nothing has run since" in subjects["web1 www/"]["reason"]
    assert "1 of 3 copies" in subjects["web2 www/"]["reason"]
    assert "tokyo" in subjects["web2 www/"]["reason"]
    assert "tokyo is no longer a destination of it" in subjects["db2 mysql/3306"]["reason"]
    assert "never backed up" in subjects["db1 mysql/3308"]["reason"]
    assert "its data on db3 was 2 h old" in subjects["payments3307 mysql/3307"]["reason"]
    drift = {(note["kind"], note["text"].split(" ")[1]) for note in found["drift"]}
    assert drift == {("vanished", "mysql/3307"), ("new", "mysql/3308")}


def _host(root: Path, name: str) -> World:
    root.mkdir()
    host = World(root)
    (host.source / name).write_text(name * 1000)
    return host
