"""What etc/ has for monitoring: its commands are ours, and its metrics are those we write."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from b1000.monitor import metrics
from b1000.monitor.causes import Cause, Destination
from b1000.monitor.history import PastRun, Subject
from b1000.monitor.replies import Reply
from b1000.monitor.severity import Verdict
from b1000.monitor.survey import Survey
from b1000.monitor.verdicts import judge
from b1000.parsers.every import PARSERS
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
    judged = judge(Subject("a", "b", "c"), runs, None, 1.0, ack)
    assert judged.acknowledged
    cause = Cause("storage", "atm", Verdict.CRITICAL, 1.0, (judged.subject,), "")
    place = Destination("atm", last_good=1.0, success=1.0)
    text = metrics.as_prometheus(
        Survey(1.0, "central", [judged], [], causes=[cause], destinations=[place])
    )
    written = set(re.findall(r"^(b1000_\w+)", text, re.MULTILINE))
    rules = RULES.read_text()
    assert set(re.findall(r"\b(b1000_\w+)", rules)) <= written
    labels = set(re.findall(r'(\w+)="', text)) - {"verdict", "backup_destination"}
    assert set(re.findall(r"\$labels\.(\w+)", rules)) == labels
    dashboard = json.loads((FILES / "grafana-dashboard.json").read_text())
    asked = " ".join(each["expr"] for panel in dashboard["panels"] for each in panel["targets"])
    assert set(re.findall(r"\b(b1000_\w+)", asked)) <= written
    documented = set(re.findall(r"`(b1000_\w+)", (ROOT / "docs" / "monitoring.md").read_text()))
    assert documented == written


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_accepts_the_alerts() -> None:
    done = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 rules found" in done.stdout


STORY = """
rule_files: [{rules}]
evaluation_interval: 5m
tests:
  - interval: 5m
    input_series:
      - {{series: 'b1000_monitor_timestamp_seconds', values: '0+300x40'}}
      - series: 'b1000_backup_verdict{{backup_host="h",backup_job="j",backup_instance=""}}'
        values: '2x40'
      - series: 'b1000_backup_verdict{{backup_host="a",backup_job="j",backup_instance=""}}'
        values: '1x40'
      - series: 'b1000_backup_explained{{backup_host="a",backup_job="j",backup_instance=""}}'
        values: '1x40'
      - series: 'b1000_cause_subjects{{kind="storage",cause="atm",verdict="WARNING"}}'
        values: '9x40'
    promql_expr_test:
      - expr: count by (alertname) (ALERTS{{alertstate="firing"}})
        eval_time: 150m
        exp_samples:
          - {{labels: '{{alertname="BackupCause"}}', value: 1}}
          - {{labels: '{{alertname="BackupCritical"}}', value: 1}}
"""


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_one_thing_that_is_wrong_is_one_alert(tmp_path: Path) -> None:
    (tmp_path / "story.yml").write_text(STORY.format(rules=RULES))
    told = ["promtool", "test", "rules", str(tmp_path / "story.yml")]
    done = subprocess.run(told, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
