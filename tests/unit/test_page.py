"""What the page is given: marks of days, sizes as digits, facts that cannot become HTML."""

import json
import re
from collections.abc import Iterable
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import b1000
from b1000.monitor.days import Days, days_of
from b1000.monitor.drift import DriftNote
from b1000.monitor.history import DAY, PastRun, Subject
from b1000.monitor.page import levels, marks, page
from b1000.monitor.survey import SHOWN_DAYS, Survey
from b1000.monitor.verdicts import Verdict, judge

TEMPLATE = (Path(b1000.__file__).parent / "monitor" / "page.html").read_text()
NOW = 1795435200.0


def survey(host: str = "db1", job: str = "mysql", instance: str = "") -> Survey:
    """One subject with a backup of yesterday."""
    subject = Subject(host, job, instance)
    judged = judge(subject, [PastRun(NOW - DAY, done=1, total=1, error=host)], None, NOW)
    days = Days([*[None] * (SHOWN_DAYS - 2), 2, None], [*[None] * (SHOWN_DAYS - 2), 7, None])
    return Survey(
        NOW, "central", [judged], [DriftNote("new", host, Verdict.WARNING)], {subject: days}
    )


def test_a_backup_that_was_expected_and_is_missing_is_seen() -> None:
    today = date.fromtimestamp(NOW)
    subject = Subject("db1", "mysql", "")

    def grid(starts: Iterable[int]) -> str:
        runs = [
            PastRun(NOW - ago * DAY, done=1, total=1, bytes=100 + ago, duration=60.0)
            for ago in starts
        ]
        found = days_of({subject: runs}, today, SHOWN_DAYS)[subject]
        assert len(found.runs) == len(found.bytes) == len(found.durations) == SHOWN_DAYS
        return marks(found.runs, 3 * DAY, None, found.missed)

    daily = grid(ago for ago in range(44) if ago != 5)
    assert daily == "C" * 24 + "M" + "C" * 5
    weekdays = grid(ago for ago in range(44) if (today - timedelta(ago)).weekday() < 5 and ago != 8)
    assert weekdays.count("M") == int((today - timedelta(8)).weekday() < 5)
    # Of a week that has only just begun nothing is expected yet.
    assert "M" not in grid(ago for ago in range(6) if ago != 2)
    assert grid([7, 14, 21, 28, 35])[SHOWN_DAYS - 8 :].replace("O", "N") == "C" + "N" * 7
    failing = PastRun(NOW - DAY, step="COPYING", status="FAILED", bytes=None)
    assert days_of({subject: [failing]}, today, 2)[subject].runs == [0, None]


@pytest.mark.parametrize(
    ("days", "max_age", "before", "expected"),
    [
        ([2, 1, 0, None], DAY * 2.5, None, "CPFN"),
        ([2, None, None, None, None], DAY * 2.5, None, "CNNOO"),
        ([2, 0, 0, 0, None], DAY * 2.5, None, "CFFFO"),
        ([None, None, 2], DAY, None, "NNC"),
        ([None, None, 2], DAY, 0.5, "OOC"),
        ([None, None, None], DAY * 10, 8.5, "NOO"),
        ([None], None, None, "N"),
    ],
)
def test_marks_of_days(
    days: list[int | None], max_age: float | None, before: float | None, expected: str
) -> None:
    assert marks(days, max_age, before) == expected


def test_sizes_are_told_against_the_largest() -> None:
    assert levels([None, 100, 50, 0, 99]) == ".zh0y"
    assert levels([0, None]) == "0."
    assert levels([]) == ""


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    """The elements of a page."""
    parser = _Tags()
    parser.feed(text)
    return parser.tags


def facts(text: str) -> dict[str, list[list[object]]]:
    """The facts of a page."""
    (found,) = re.findall(r'<script type="application/json" id="facts">(.*?)</script>', text)
    parsed: dict[str, list[list[object]]] = json.loads(found)
    return parsed


@given(st.text(), st.text(), st.text())
def test_no_name_becomes_html(host: str, job: str, instance: str) -> None:
    text = page(survey(host, job, instance), TEMPLATE)
    assert [tag for tag, _ in tags(text)] == [tag for tag, _ in tags(page(survey(), TEMPLATE))]
    assert facts(text)["subjects"][0][:3] == [host, job, instance]


def test_nothing_is_loaded_and_only_our_script_runs() -> None:
    text = page(survey(), TEMPLATE)
    found = tags(text)
    (policy,) = (
        str(attributes["content"])
        for tag, attributes in found
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy
    for tag, attributes in found:
        assert tag not in ("iframe", "object", "embed", "img", "base", "form"), tag
        assert "src" not in attributes
        assert attributes.get("href", "data:,") == "data:,"
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    script = text.rpartition("<script>")[2]
    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|fetch|XMLHttp", script)
        == []
    )
    assert re.findall(r"https?://[^\s\"]+", text) == ["http://www.w3.org/2000/svg"]


def test_without_a_script_the_page_still_tells_the_verdict() -> None:
    assert re.search(r"<noscript>WARNING: 1 ok of 1 subject ", page(survey(), TEMPLATE))
