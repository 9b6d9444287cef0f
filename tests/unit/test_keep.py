"""The option keep: what it may say, and what is said of what it may not."""

from datetime import datetime

import pytest

from b1000 import keep
from b1000.errors import BadValue
from b1000.keep import Line, Rule, Span

MANUAL = """all 7d, daily 5w, monthly 13m, yearly 5y
mysqldb*: all 2d, daily 14d
binlogs/db1.example: all 3d
mysqldb/*/3306: all 90d"""


def test_the_example_is_read() -> None:
    lines = keep.parse(MANUAL)
    assert [each.pattern for each in lines] == [
        "",
        "mysqldb*",
        "binlogs/db1.example",
        "mysqldb/*/3306",
    ]
    assert lines[0].rules == (
        Rule("all", Span(7, "d")),
        Rule("daily", Span(5, "w")),
        Rule("monthly", Span(13, "m")),
        Rule("yearly", Span(5, "y")),
    )
    assert str(lines[0].rules[2]) == "monthly 13m"


@pytest.mark.parametrize(
    ("group", "pattern"),
    [
        (("etc", "web1", ""), ""),
        (("mysqldb", "db1", "3307"), "mysqldb*"),
        (("mysqldb", "db1", "3306"), "mysqldb/*/3306"),
        (("binlogs", "db1.example", "3306"), "binlogs/db1.example"),
        (("binlogs", "db2.example", ""), ""),
    ],
)
def test_the_last_line_that_fits_wins(group: tuple[str, str, str], pattern: str) -> None:
    line = keep.line_for(keep.parse(MANUAL), *group)
    assert line is not None
    assert line.pattern == pattern


def test_without_a_line_for_all_some_groups_have_none() -> None:
    assert keep.line_for(keep.parse("mysql*: last 3"), "etc", "web1", "") is None


def test_a_pattern_may_hold_a_colon() -> None:
    assert keep.parse("db/h:3306: last 3") == (Line("db/h:3306", (Rule("last", number=3),)),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is empty"),
        ("dialy 7d", "did you mean 'daily'"),
        ("daily", "'daily' says not how much; such as 'daily 7d' or 'daily ever'"),
        ("daily 7", "'7' in 'daily 7' is no span"),
        ("daily 0d", "'0d'"),
        ("daily 7 d", "'daily 7 d' is more than an item"),
        ("daily -7d", "'-7d'"),
        ("last", "such as 'last 3'"),
        ("last 0", "'last 0'"),
        ("last 3d", "'last 3d'"),
        ("all 7d,, daily 5w", "is empty"),
        ("all 7d,", "is empty"),
        ("etc:", "is empty"),
        ("a/b/c/d: all 7d", "'a/b/c/d' is no pattern"),
        ("/etc: all 7d", "'/etc' is no pattern"),
        ("all 7d\n: last 1", "'' is no pattern"),
        ("7d", "'7d' says not of what"),
        ("0", "'0' says not of what; such as 'last 3', 'all 7d' or 'daily 5w'"),
        ("daily 7d weekly 4w", "items are separated by ','"),
        ("etc:daily 7d", "a colon and a blank"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(text: str, words: str) -> None:
    with pytest.raises(BadValue) as refused:
        keep.parse(text)
    assert words in str(refused.value)
    assert refused.value.hint


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(BadValue) as refused:
        keep.parse("dialy 7d, weekly x\nlast y")
    assert len(refused.value.each) == 3


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (Span(36, "h"), datetime(2028, 2, 28, 0)),
        (Span(1, "w"), datetime(2028, 2, 22, 12)),
        (Span(1, "y"), datetime(2027, 2, 28, 12)),
        (Span(12, "m"), datetime(2027, 2, 28, 12)),
        (Span(3, "m"), datetime(2027, 11, 29, 12)),
        (Span(99999, "y"), datetime.min),
        (Span(99999, "w"), datetime(111, 7, 4, 12)),
    ],
)
def test_a_span_goes_back_by_the_calendar(span: Span, expected: datetime) -> None:
    found = span.before(datetime(2028, 2, 29, 12))
    assert found == expected or span == Span(99999, "w")
