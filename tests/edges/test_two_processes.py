"""A large fleet is read and judged by two processes: the answer is that of one."""

import json
import os
import signal
from pathlib import Path

import pytest

from b1000.monitor import extents, halves, judging, meeting
from b1000.monitor.extents import Extent, extent_of
from b1000.monitor.forms import as_json, json_line
from b1000.monitor.survey import MonitorQuestion, survey
from b1000.reports.source import DatabaseSource
from tests.support.rows import DAY, HOUR, Rows


@pytest.fixture(params=["sqlite", "mysql"])
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Rows:
    """Tables of a fleet of which each half has to do with the other."""
    if request.param == "sqlite":
        rows = Rows(tmp_path / "central.sqlite3")
    else:
        rows = Rows(request.getfixturevalue("database"))
    for host in ("a1", "b2", "m3", "y4", "z5"):
        rows.daily(host, "etc")
        rows.daily(host, "sql", "1", 7, 20 * HOUR)
    # One master of hosts in both halves, and by way of it another subject of the second.
    rows.daily("a1", "mysql", "x", 3, 50 * HOUR, master_host="db1", master_instance="1")
    rows.daily("z5", "mysql", "x", 4, HOUR, master_host="db1", master_instance="1")
    rows.daily("z5", "mysql", "y", 6, 30 * HOUR)
    rows.run("z5", "mysql", "", HOUR, "", step="INIT", status="FAILED", error="instances: no")
    # A replica that serves another master now: the first has none lately.
    rows.daily("y4", "mysql", "r", 3, 60 * DAY, master_host="old", master_instance="r")
    rows.daily("y4", "mysql", "r", 3, 2 * HOUR, master_host="new", master_instance="r")
    # What belongs to no subject, and what makes up for it in the other half.
    for store, job in (("a1", "www"), ("z5", "wiki")):
        pull = {"direction": "pull", "step": "INIT", "status": "FAILED", "error": "no report"}
        rows.run(store, job, "", HOUR, "", **pull)
        rows.run("b2", job, "", 60 if job == "wiki" else 2 * HOUR, direction="passive")
    rows.run("z9", "sql", "", HOUR, "", step="INIT", status="FAILED", error="bad option")
    # Failures that hide good ones, a claim, what is planned or ignored, one that is new.
    for number in range(40):
        rows.run("z5", "fails", "", number * DAY + HOUR, "near:FAILED")
    rows.daily("z5", "fails", "", 3, 41 * DAY)
    rows.daily("ext", "etc", "", 2, HOUR, master_host="z5", relayed_by="store")
    for host, columns in (("a1", {}), ("z5", {}), ("b2", {"ignored": 1}), ("nobody", {})):
        rows.plan(host, "sql", "never", max_backup_age=90000, **columns)
    rows.plan("z5", "sql", "1", ignored=1)
    rows.run("z5", "sql", "1", 60, "near:FAILED")
    rows.run("y4", "new", "", HOUR)
    return rows


@pytest.fixture
def halves_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What this process has read, each time: two read where both are worth it."""
    found: list[str] = []
    half = judging._half

    def read(*words: object) -> object:
        (scope,) = [each for each in words if isinstance(each, extents.Scope)]
        found.append("half" if scope.hosts != extents.ALL_HOSTS else "all")
        return half(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(judging, "_half", read)
    return found


def _asked(rows: Rows, worth: bool, monkeypatch: pytest.MonkeyPatch, **question: object) -> str:
    monkeypatch.setattr(halves, "worth_it", lambda _: worth)
    asked = MonitorQuestion(**question)  # type: ignore[arg-type]
    # Two write what they have judged, one writes all at the end.
    found = survey(rows.report, asked, rows.now, json_line if worth else None)
    assert bool(found.texts) == worth
    days = sorted((found.days or {}).items())
    return json.dumps([json.loads(as_json(found)), repr(days)], indent=1)


@pytest.mark.parametrize("question", [{}, {"days": 9}, {"since": 3 * DAY}, {"job": "mysql"}])
def test_two_find_what_one_does(
    rows: Rows,
    question: dict[str, object],
    halves_read: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_one = _asked(rows, False, monkeypatch, **question)
    assert halves_read == ["all"]
    assert _asked(rows, True, monkeypatch, **question) == by_one
    assert halves_read == ["all", "half"]


def test_what_others_change_of_a_verdict_is_written_anew(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halves, "worth_it", lambda _: True)
    found = survey(rows.report, MonitorQuestion(since=3 * DAY), rows.now, json_line)
    changed = {each.subject for each in found.judgements if each.changed}
    assert changed
    assert found.texts == {
        each.subject: json_line(each) for each in found.judgements if each.subject not in changed
    }


def test_one_alone_does_it_where_the_other_was_killed(
    rows: Rows, halves_read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_one = _asked(rows, False, monkeypatch)

    def killed(*_: object) -> meeting.Meeting:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    monkeypatch.setattr(meeting, "second", killed)
    assert _asked(rows, True, monkeypatch) == by_one
    assert halves_read == ["all", "half", "all"]


def test_one_alone_does_it_where_both_found_the_same_subject_late(
    rows: Rows, halves_read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind failures there may be good runs of a master that the other has."""
    for number in range(40):
        rows.run("z5", "late", "i", number * DAY + HOUR, "near:FAILED")
    rows.daily("z5", "late", "i", 2, 50 * DAY, master_host="m3", master_instance="i")
    rows.daily("a1", "late", "i", master_host="m3", master_instance="i")
    rows.daily("m3", "late", "k")
    by_one = _asked(rows, False, monkeypatch)
    assert _asked(rows, True, monkeypatch) == by_one
    assert halves_read == ["all", "half", "all"]


def test_a_half_ends_where_about_as_many_runs_are_on_both_sides(tmp_path: Path) -> None:
    def half(**hosts: int) -> Extent:
        rows = Rows(tmp_path / "-".join(hosts))
        for host, count in hosts.items():
            for number in range(count):
                rows.run(host, "etc", str(number), HOUR)
        with DatabaseSource(rows.report) as source:
            return extent_of(source, rows.now)

    assert half(a=1, b=2, c=3, d=1, e=1)[1:] == (8, 1, 8, "c")
    assert half(k=4, l=4).half == "l"
    # One that has most of them is not parted.
    assert half(m=1, n=9, o=1).half == ""
    assert half(p=9).half == ""
