"""A report file is read as it was written, whatever it says."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b1000.b1k import names, report_file
from b1000.b1k.report_file import DestinationSection, ReportFile
from b1000.errors import BadValue
from b1000.runs.states import CopyStatus, Status, Step
from tests.support.chance import examples, hosts, words

NAMES = words("_-", 21)
HOSTS = hosts(".:_-", 13)
LINES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=60).map(
    str.strip
)
ERRORS = st.text(max_size=60).map(
    lambda text: " ".join("".join(each for each in text if each.isprintable()).split())
)
TIMES = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 12, 31))
TARGETS = st.builds(DestinationSection, NAMES, LINES, LINES, st.sampled_from(CopyStatus))


@st.composite
def reports(draw: st.DrawFn) -> ReportFile:
    passive = draw(st.booleans())
    report = ReportFile(
        draw(HOSTS),
        draw(NAMES),
        draw(st.one_of(st.just(""), NAMES)),
        "passive" if passive else draw(st.sampled_from(["push", "pull", "passive"])),
        f"{draw(TIMES):%Y-%m-%d-%H-%M-%S}",
        draw(st.sampled_from(Step)),
        draw(st.sampled_from(Status)),
        tuple(draw(st.lists(TARGETS, max_size=4, unique_by=lambda each: each.name))),
        draw(st.one_of(st.just(""), HOSTS)),
        draw(st.one_of(st.just(""), HOSTS)),
        draw(st.one_of(st.none(), st.integers(0, 10**12).map(lambda each: each / 1000))),
    )
    if not passive:
        return report
    return report._replace(
        alive=f"{draw(TIMES):%Y-%m-%dT%H:%M:%SZ}",
        started=draw(st.one_of(st.none(), st.integers(950_000_000, 4_000_000_000).map(float))),
        transition=draw(st.one_of(st.none(), st.integers(0, 10**15 - 1))),
        error=draw(ERRORS),
    )


@given(reports())
@settings(max_examples=examples(500))
def test_what_is_written_is_read(report: ReportFile) -> None:
    text = report_file.render(report)
    file = names.file_name(report.job, report.instance, report.start_time)
    assert report_file.parse(text.encode(), file) == report
    assert report_file.render(report_file.parse(text.encode(), file)) == text


@given(st.text(max_size=2000))
def test_any_error_text_becomes_one_that_is_read(error: str) -> None:
    report = ReportFile(
        "h", "j", "", "passive", "2026-11-23-04-29-00", Step.PRE, Status.FAILED, error=error
    )._replace(alive="2026-11-23T04:29:40Z")
    data = report_file.render(report).encode()
    read = report_file.parse(data, "j--2026-11-23-04-29-00.b1k")
    assert read._replace(error="") == report._replace(error="")
    assert read.error.isprintable()


@pytest.mark.parametrize(
    "line",
    ["# a comment", "; a comment", " host = b", "\u2003host = b", "host: b", "host : b", "["],
)
def test_what_people_may_write_no_program_writes(line: str) -> None:
    """Only the configuration is for people: it has comments, continued lines and key: value."""
    text = report_file.render(
        ReportFile("h", "j", "", "push", "2026-11-23-04-29-00", Step.PRE, Status.OK)
    )
    first, rest = text.split("\n", 1)
    with pytest.raises(BadValue, match="line 2 is no KEY = VALUE"):
        report_file.parse(f"{first}\n{line}\n{rest}".encode(), "j--2026-11-23-04-29-00.b1k")
