"""``monitor ack|ignore|expect``: who, when, until when and why, and what it does."""

from pathlib import Path

import pytest

from b1000.monitor import forms
from b1000.monitor.history import Subject
from b1000.monitor.replies import named, parsed
from b1000.monitor.replying import ReplyRequest, reply
from b1000.monitor.survey import MonitorQuestion, NoVerdict, Survey, summary, survey
from b1000.monitor.verdicts import Judgement, Verdict
from tests.support.rows import DAY, HOUR, Rows

OK, WARNING, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.CRITICAL


@pytest.fixture(params=["sqlite", "mysql"])
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Rows:
    if request.param == "sqlite":
        return Rows(tmp_path / "central.sqlite3")
    return Rows(request.getfixturevalue("database"))


def ask(rows: Rows, later: float = 0.0) -> Survey:
    return survey(rows.report, MonitorQuestion(), rows.now + later)


def of(found: Survey, label: str) -> Judgement:
    return next(each for each in found.judgements if each.subject.label == label)


def say(rows: Rows, kind: str, subject: str, later: float = 0.0, **more: object) -> list[str]:
    return reply(rows.report, ReplyRequest(kind, subject, **more), rows.now + later)  # type: ignore[arg-type]


def test_what_is_acknowledged_is_known_until_then(rows: Rows) -> None:
    rows.daily("web1", "etc", "", 30, 27 * HOUR)
    rows.run("web1", "etc", "", 3 * HOUR, "near:FAILED")
    rows.daily("gone", "etc", "", 30, 9 * DAY)
    until = rows.now + 2 * DAY
    (line,) = say(rows, "ack", "web1 etc", until=until, note="a new disk")
    assert line.startswith("web1 etc: acknowledged (missed) by ")
    say(rows, "ack", "gone/etc")
    found = ask(rows)
    known = of(found, "web1 etc")
    assert (known.verdict, known.codes) == (OK, frozenset({"missed"}))
    assert known.reason.startswith("acknowledged by ")
    assert ": a new disk; missed: " in known.reason
    assert of(found, "gone etc").verdict is WARNING  # no backup gets younger by it
    assert summary(found) == "WARNING: 1 warning, 1 ok of 2 subjects (2 acknowledged)"
    assert "\nacknowledged: web1 etc: acknowledged by" in forms.as_text(found)
    assert of(ask(rows, 3 * DAY), "web1 etc").verdict is CRITICAL
    ((who, when, codes),) = rows.rows(
        "SELECT replied_by, until_utc, codes FROM replies WHERE note = 'a new disk'"
    )
    assert (bool(who), bool(when), codes) == (True, True, "missed")


def test_what_comes_after_it_is_not_known(rows: Rows) -> None:
    rows.daily("web1", "etc", "", 30, 27 * HOUR)
    rows.run("web1", "etc", "", 3 * HOUR, "near:DONE far:FAILED")
    say(rows, "ack", "web1 etc")
    assert of(ask(rows), "web1 etc").verdict is OK
    rows.run("web1", "etc", "", 2 * HOUR, "near:DONE far:FAILED", bytes=10)
    assert of(ask(rows), "web1 etc").verdict is WARNING  # it shrank, too
    say(rows, "ack", "web1:etc", 1)
    rows.run("web1", "etc", "", -60, "near:DONE far:FAILED", bytes=10)
    found = of(ask(rows, 2 * HOUR), "web1 etc")
    assert (found.verdict, found.acknowledged) == (WARNING, None)  # a good one has come since


def test_ignored_ones_are_counted_and_told_when_they_fail(rows: Rows) -> None:
    rows.daily("web1", "etc")
    rows.daily("web1", "mysql", "a", 5, 9 * DAY)
    rows.daily("web1", "mysql", "b", 5, 9 * DAY)
    assert len(say(rows, "ignore", "web1 mysql", note="moved")) == 2
    found = ask(rows)
    assert (found.verdict, found.ignored) == (OK, 2)
    assert summary(found) == "OK: 1 ok of 1 subject (2 ignored)"
    assert rows.rows("SELECT ignored, note FROM plan") == [(1, "moved"), (1, "moved")]
    rows.run("web1", "mysql", "b", -HOUR, "near:FAILED")
    found = ask(rows, 2 * HOUR)
    assert found.verdict is OK
    (note,) = [each for each in found.notes if each.kind == "ignored"]
    assert note.text == "web1 mysql/b is ignored, and ran and FAILED 1 h ago"
    say(rows, "expect", "web1 mysql/b")
    found = ask(rows, 2 * HOUR)
    assert (of(found, "web1 mysql/b").verdict, found.ignored) == (CRITICAL, 1)


def test_an_answer_ends(rows: Rows) -> None:
    rows.daily("web1", "etc", "", 5, 9 * DAY)
    rows.daily("web2", "etc", "", 5, 9 * DAY)
    say(rows, "ignore", "web1", until=rows.now + DAY)
    say(rows, "expect", "web2", until=rows.now + DAY)
    say(rows, "expect", "new etc/x")
    shown = [each.subject.host for each in ask(rows).judgements]
    assert shown == ["new", "web2"]
    later = ask(rows, 2 * DAY)
    assert [each.subject.host for each in later.judgements] == ["new", "web1"]
    assert of(later, "new etc/x").codes == {"never"}
    assert later.ignored == 1


def test_what_cannot_be_answered_is_told(rows: Rows) -> None:
    rows.daily("web1", "etc")
    with pytest.raises(NoVerdict, match=r"is no subject; did you mean 'web1 etc'\?.*there is web1"):
        say(rows, "ack", "web2 etc")
    with pytest.raises(NoVerdict, match="nothing is wrong with web1 etc"):
        say(rows, "ack", "web1 etc")
    with pytest.raises(NoVerdict, match="has to be a time that is to come"):
        say(rows, "ignore", "web1 etc", until=rows.now - 1)
    say(rows, "ignore", "web1")
    with pytest.raises(NoVerdict, match="web1 etc is ignored; expect it before"):
        say(rows, "ack", "web1")
    rows.do("DROP TABLE replies")
    if rows.section["type"] == "mysql":  # a file gets it by itself
        with pytest.raises(NoVerdict, match=r"no table replies; load etc/schema\.sql into it"):
            say(rows, "expect", "web1")
    assert ask(rows).ignored == 1


def test_names_of_subjects() -> None:
    some = [
        Subject("h", "j", ""),
        Subject("h", "j", "i"),
        Subject("h", "k", "a"),
        Subject("::1", "j", ""),
    ]
    assert named("h j", some) == named("h/j", some) == named("h:j", some) == some[:1]
    assert named("h j/i", some) == named("h:j/i", some) == [some[1]]
    assert named("h k", some) == [some[2]]
    assert named("h", some) == some[:3]
    assert named("::1 j", some) == [some[3]]
    assert named("i", some) == []
    assert parsed("h:j/i/k") == ("h", "j", "i/k")
    assert parsed("h") is None
