"""What etc/ has for monitoring: its commands are ours, and its metrics are those we write."""

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from b1000.monitor import metrics
from b1000.monitor.causes import Cause, Destination
from b1000.monitor.history import PastRun, Subject
from b1000.monitor.replies import Reply
from b1000.monitor.replying import ReplyRequest, reply
from b1000.monitor.severity import Verdict
from b1000.monitor.survey import MonitorQuestion, Survey, survey
from b1000.monitor.verdicts import judge
from b1000.monitor.witnesses import AtStorage, Witnesses
from b1000.parsers.every import PARSERS
from b1000.reports.report import utc
from b1000.reports.sqlite import SqliteReport
from b1000.runs.stored import Facts, Memory, Told
from tests.support.rows import DAY, HOUR, Rows
from tests.support.world import ROOT

FILES = ROOT / "etc" / "monitoring"
CRON = ROOT / "etc" / "cron.d" / "b1000-monitor"
RULES = FILES / "prometheus-rules.yml"


def monitor_commands() -> Iterator[tuple[str, list[str]]]:
    """Each command line with ``monitor`` in it, with the file where it stands."""
    for line in CRON.read_text().splitlines():
        if re.match(r"[*0-9]", line):
            yield CRON.name, shlex.split(line)[6:]
    nagios = (FILES / "nagios.conf").read_text()
    for line in re.findall(r"command_line +(.*)", nagios):
        yield "nagios.conf", shlex.split(line.replace("$ARG1$", "web1"))
    icinga = (FILES / "icinga2.conf").read_text()
    (command,) = re.findall(r"command = \[ (.*) \]", icinga)
    words = [shlex.split(word)[0] for word in command.split(", ")]
    flags = re.findall(r'"(-+\w+)" = "\$\w+\$"', icinga)
    yield "icinga2.conf", [*words, *(word for flag in flags for word in (flag, "value"))]


def test_commands_are_understood() -> None:
    found = list(monitor_commands())
    assert len(found) == 4
    for file, (program, command, *words) in found:
        assert Path(program).name == "b1000", file
        assert command == "monitor", file
        arguments = PARSERS["monitor"]().parse_args(words)
        assert arguments.nagios == (file != CRON.name)


def test_braces_are_closed_and_commands_are_defined() -> None:
    for file in ("nagios.conf", "icinga2.conf"):
        text = re.sub(r"^ *(#|//).*", "", (FILES / file).read_text(), flags=re.MULTILINE)
        assert text.count("{") == text.count("}") > 0
    nagios = (FILES / "nagios.conf").read_text()
    defined = set(re.findall(r"command_name +(\S+)", nagios))
    assert set(re.findall(r"check_command +(\w+)", nagios)) <= defined
    assert 'check_command = "b1000"' in (FILES / "icinga2.conf").read_text()


def test_alerts_speak_of_metrics_and_labels_that_there_are() -> None:
    runs = [PastRun(0.0, done=1, total=2, bytes=1)]
    ack = Reply("ack", "me", 0.5, None, "", frozenset({"incomplete"}))
    stored = Witnesses((AtStorage("s", "kept", 1, read=0.5, drilled=0.5, recovery=0.1),))
    judged = judge(Subject("a", "b", "c"), runs, None, 1.0, ack, stored=stored)
    assert judged.acknowledged
    cause = Cause("storage", "atm", Verdict.CRITICAL, 1.0, (judged.subject,), "")
    place = Destination("atm", last_good=1.0, success=1.0)
    text = metrics.as_prometheus(
        Survey(1.0, "central", [judged], [], causes=[cause], destinations=[place])
    )
    written = set(re.findall(r"^(b1000_\w+)", text, re.MULTILINE))
    rules = RULES.read_text()
    assert set(re.findall(r"\b(b1000_\w+)", rules)) <= written
    labels = set(re.findall(r'(\w+)="', text)) - {"verdict", "backup_destination", "code"}
    assert set(re.findall(r"\$labels\.(\w+)", rules)) == labels
    asked = " ".join(each["expr"] for panel in dashboard()["panels"] for each in panel["targets"])
    assert set(re.findall(r"\b(b1000_\w+)", asked)) <= written
    documented = set(re.findall(r"`(b1000_\w+)", (ROOT / "docs" / "monitoring.md").read_text()))
    assert documented == written


PROMTOOL = shutil.which("promtool", path=f"{os.environ['PATH']}:{Path(sys.executable).parent}")
needs_promtool = pytest.mark.skipif(
    not PROMTOOL, reason="no promtool: make test-tools takes it from the package prometheus"
)


def promtool(*words: object) -> str:
    """What it says; it has to be content."""
    assert PROMTOOL
    done = subprocess.run([PROMTOOL, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dashboard() -> dict[str, Any]:
    """What Grafana is given."""
    found: dict[str, Any] = json.loads((FILES / "grafana-dashboard.json").read_text())
    return found


def test_the_dashboard_is_one() -> None:
    """By the rules of Grafana's own schema, of which no server is among the packages."""
    found = dashboard()
    assert {"title", "uid", "schemaVersion", "templating", "time", "panels"} <= found.keys()
    assert "id" not in found  # which is a server's own
    source, *others = found["templating"]["list"]
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    places: set[tuple[int, int]] = set()
    for panel in found["panels"]:
        assert panel["type"] in {"stat", "table", "timeseries", "state-timeline"}
        assert panel["title"]
        for each in (panel, *panel["targets"]):
            assert each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert {"defaults", "overrides"} == panel["fieldConfig"].keys()
        x, y, wide, high = (panel["gridPos"][each] for each in "xywh")
        assert x + wide <= 24
        covered = {(x + right, y + down) for right in range(wide) for down in range(high)}
        assert not covered & places, panel["title"]
        places |= covered
        letters = [each["refId"] for each in panel["targets"]]
        assert len(set(letters)) == len(letters) > 0
        for threshold in (
            panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])[:1]
        ):
            assert threshold["value"] is None
    numbers = [panel["id"] for panel in found["panels"]]
    assert len(set(numbers)) == len(numbers)
    asked = json.dumps(found["panels"])
    named = {each["name"] for each in (source, *others)}
    assert set(re.findall(r"\$\{?(\w+)", asked)) <= named
    assert all(f"${each['name']}" in asked for each in others)
    verdicts = {"0": "OK", "1": "WARNING", "2": "CRITICAL", "3": "UNKNOWN"}
    mapped = found["panels"][0]["fieldConfig"]["defaults"]["mappings"][0]["options"]
    assert {key: each["text"] for key, each in mapped.items()} == verdicts


@needs_promtool
def test_prometheus_understands_what_the_dashboard_asks(tmp_path: Path) -> None:
    rules = [
        {
            "record": f"b1000:{panel['id']}:{each['refId']}",
            "expr": re.sub(r"\$\w+", ".*", each["expr"]),
        }
        for panel in dashboard()["panels"]
        for each in panel["targets"]
    ]
    # JSON is YAML too.
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", file)


@needs_promtool
def test_promtool_accepts_the_alerts() -> None:
    assert "9 rules found" in promtool("check", "rules", RULES)


def a_healthy_fleet(rows: Rows) -> None:
    for number in range(6):
        rows.daily(f"web{number}", "etc", "", 30, copies="here:DONE there:DONE")


def one_is_stale(rows: Rows) -> None:
    rows.daily("db1", "mysql", "a", 30, 3 * DAY)


def one_is_missed(rows: Rows) -> None:
    rows.daily("db1", "mysql", "a", 30, 33 * HOUR)


def one_is_known(rows: Rows) -> None:
    one_is_stale(rows)
    reply(rows.report, ReplyRequest("ack", "db1"), rows.now)


def a_storage_is_down(rows: Rows) -> None:
    """For some it was the only one."""
    for number in range(6):
        rows.daily(f"app{number}", "etc", "", 30, 2.2 * DAY)
        rows.daily(f"db{number}", "mysql", "", 30, 2.2 * DAY, copies="far:DONE")
        for ago in (1.2 * DAY, 0.2 * DAY):
            rows.run(f"app{number}", "etc", "", ago, "near:DONE far:FAILED")
            rows.run(f"db{number}", "mysql", "", ago, "far:FAILED")


def a_host_is_down(rows: Rows) -> None:
    for job in ("etc", "home", "mysql"):
        rows.daily("gone", job, "", 30, 9 * DAY)


def told_of(rows: Rows, **times: Any) -> None:
    """What a storage has found in the newest backup of each healthy host, which it alone holds."""
    then = rows.now - 20 * HOUR
    memory = Memory(first_seen=rows.now - 90 * DAY, **times)
    rows_of_storage = [
        Told(
            "/b",
            f"web{number}",
            number + 1,
            Facts(
                *("atm", "kept", "etc", f"web{number}", "full", "complete", ("central",)),
                started=then,
                verify=30 * 86400,
                drill=30 * 86400,
            ),
            memory,
        )
        for number in range(6)
    ]
    with contextlib.closing(SqliteReport(rows.report)) as report:
        assert report.deliver_stored(rows_of_storage) == (rows_of_storage, None)


def all_is_proven(rows: Rows) -> None:
    told_of(rows, read=rows.now - DAY, drilled=rows.now - DAY, restored=rows.now - DAY)


def nothing_is_read(rows: Rows) -> None:
    told_of(rows, drilled=rows.now - DAY, restored=rows.now - DAY)


def nothing_is_drilled(rows: Rows) -> None:
    told_of(rows, read=rows.now - DAY)


def a_copy_is_bad(rows: Rows) -> None:
    """There is another one: both copies of the run are done."""
    all_is_proven(rows)
    rows.do("UPDATE stored SET bad = 1, error = 'a is wrong' WHERE path = '/b/web0'")


def the_newest_is_bad(rows: Rows) -> None:
    a_copy_is_bad(rows)
    rows.run("web0", "etc", "", HOUR, copies="here:DONE")
    rows.do("UPDATE stored SET started_utc = ? WHERE path = '/b/web0'", utc(rows.now - HOUR))


def a_bad_one_is_known(rows: Rows) -> None:
    the_newest_is_bad(rows)
    reply(rows.report, ReplyRequest("ack", "web0"), rows.now)


def a_holiday(rows: Rows) -> None:
    """What rests today and tomorrow of each week did not run on the two days before either."""
    for number in range(4):
        for ago in range(3, 60):
            if ago % 7 not in (0, 6):
                rows.run(f"office{number}", "etc", "", ago * DAY, "here:DONE")


STORIES: dict[Callable[[Rows], None], str] = {
    all_is_proven: "",
    nothing_is_read: "BackupsUnread",
    nothing_is_drilled: "BackupsNotDrilled",
    a_copy_is_bad: "BackupCopyBad",
    the_newest_is_bad: "BackupBad",
    a_bad_one_is_known: "",
    a_healthy_fleet: "",
    one_is_stale: "BackupCritical",
    one_is_missed: "BackupWarning",
    one_is_known: "",
    a_storage_is_down: "BackupCause",
    a_host_is_down: "BackupCause",
    a_holiday: "BackupDayOff",
}


@needs_promtool
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_one_thing_that_is_wrong_is_one_alert(
    tmp_path: Path, story: Callable[[Rows], None]
) -> None:
    rows = Rows(tmp_path / "central.sqlite3")
    a_healthy_fleet(rows)
    if story is not a_healthy_fleet:
        story(rows)
    found = survey(rows.report, MonitorQuestion(), rows.now)
    lines = re.findall(r"^(b1000_\S+(?:{.*})?) (\S+)$", metrics.as_prometheus(found), re.MULTILINE)
    assert len(lines) > 50
    # What was written at noon is written again every five minutes, at its time.
    values = {name: f"{value}x40" for name, value in lines} | {
        "b1000_monitor_timestamp_seconds": "0+300x40"
    }
    alert = STORIES[story]
    expected = [{"labels": f'{{alertname="{alert}"}}', "value": 1}] if alert else []
    asked = {
        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": "150m",
        "exp_samples": expected,
    }
    series = [{"series": name, "values": value} for name, value in values.items()]
    tests = [{"interval": "5m", "input_series": series, "promql_expr_test": [asked]}]
    file = tmp_path / "story.yml"
    # JSON is YAML.
    rules = {"rule_files": [str(RULES)], "evaluation_interval": "5m", "tests": tests}
    file.write_text(json.dumps(rules))
    promtool("test", "rules", file)


@needs_promtool
def test_silence_is_an_alert_that_silences_the_others(tmp_path: Path) -> None:
    """What is not written any more is old; what it says is not repeated by Alertmanager."""
    asked = {
        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": "150m",
        "exp_samples": [{"labels": '{alertname="BackupsUnknown"}', "value": 1}],
    }
    series = [{"series": "b1000_monitor_timestamp_seconds", "values": "0x40"}]
    tests = [{"interval": "5m", "input_series": series, "promql_expr_test": [asked]}]
    rules = {"rule_files": [str(RULES)], "evaluation_interval": "5m", "tests": tests}
    (tmp_path / "story.yml").write_text(json.dumps(rules))
    promtool("test", "rules", tmp_path / "story.yml")
    inhibited = (FILES / "alertmanager.yml").read_text()
    known = set(re.findall(r"- alert: (\w+)", RULES.read_text()))
    assert set(re.findall(r"Backup[A-Zs]\w+", inhibited)) == known
