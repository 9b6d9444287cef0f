"""``--notify``: a command is told of what turned, once for each turn."""

import json
from pathlib import Path
from typing import Any

import pytest

from b1000.monitor import notifying
from b1000.monitor.survey import MonitorQuestion, survey
from tests.support.rows import DAY, HOUR, Rows


class Told:
    """A command that keeps what it reads, and a file that remembers."""

    def __init__(self, root: Path) -> None:
        self.rows = Rows(root / "central.sqlite3")
        self._root = root
        self.state = root / "state"
        self.command = f"cat >> {root}/told; echo >> {root}/told"

    def ask(self, command: str = "", **question: str) -> list[dict[str, Any]]:
        """What the command was told by one more look."""
        asked = MonitorQuestion(**question)  # type: ignore[arg-type]
        found = survey(self.rows.report, asked, self.rows.now)
        notifying.tell(command or self.command, str(self.state), found, asked)
        return self._taken()

    def unknown(self, reason: str) -> list[dict[str, Any]]:
        """The same where the database does not answer."""
        notifying.tell_unknown(self.command, str(self.state), reason, self.rows.now)
        return self._taken()

    def _taken(self) -> list[dict[str, Any]]:
        file = self._root / "told"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


def names(some: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(each["host"], each["was"], each["verdict"]) for each in some]


def test_each_turn_is_told_once(told: Told) -> None:
    told.rows.daily("web1", "etc")
    assert told.ask() == []
    told.rows.run("web1", "etc", "", HOUR, "near:FAILED")
    told.rows.daily("web2", "etc", "", 5, 9 * DAY)
    (message,) = told.ask()
    assert names(message["turned_bad"]) == [
        ("web2", "OK", "CRITICAL"),
        ("web1", "OK", "WARNING"),
    ]
    assert message["turned_bad"][1]["codes"] == ["failed"]
    assert (message["format"], message["verdict"], message["turned_good"]) == (1, "CRITICAL", [])
    assert message["text"].startswith("web2 etc: OK -> CRITICAL: ")
    assert told.ask() == []
    told.rows.run("web1", "etc", "", 60)
    (message,) = told.ask()
    assert (message["turned_bad"], names(message["turned_good"])) == (
        [],
        [("web1", "WARNING", "OK")],
    )
    assert told.ask() == []


def test_what_gets_worse_is_told_and_what_gets_a_little_better_is_not(told: Told) -> None:
    told.rows.daily("web1", "etc", "", 5, 2.5 * DAY)
    assert names(told.ask()[0]["turned_bad"]) == [("web1", "OK", "CRITICAL")]
    told.rows.run("web1", "etc", "", HOUR, "near:DONE far:FAILED")
    assert told.ask() == []
    told.rows.run("web1", "etc", "", 60)
    assert names(told.ask()[0]["turned_good"]) == [("web1", "CRITICAL", "OK")]


def test_a_cause_is_one_line_and_filters_forget_nobody(told: Told) -> None:
    for number in range(4):
        told.rows.daily(f"web{number}", "etc", "", 5, 27 * HOUR)
        told.rows.run(f"web{number}", "etc", "", 3 * HOUR, "near:DONE far:FAILED")
    (message,) = told.ask()
    assert [(each["name"], each["subjects"]) for each in message["causes"]] == [("far", 4)]
    assert message["text"].startswith("storage far: no copy since ")
    assert "\n" not in message["text"]
    assert {each["cause"] for each in message["turned_bad"]} == {message["text"]}
    assert told.ask(host="web1") == told.ask(job="other") == told.ask() == []


def test_what_the_command_did_not_take_is_told_again(told: Told) -> None:
    told.rows.daily("web1", "etc", "", 5, 9 * DAY)
    with pytest.raises(notifying.NotTold, match="ended with 3"):
        told.ask("exit 3")
    assert len(told.ask()) == 1
    assert told.ask("exit 3") == []


def test_that_nobody_answers_is_told_once_and_forgets_nothing(told: Told) -> None:
    told.rows.daily("web1", "etc", "", 5, 9 * DAY)
    told.ask()
    (message,) = told.unknown("it is down")
    assert (message["verdict"], names(message["turned_bad"])) == (
        "UNKNOWN",
        [("", "OK", "UNKNOWN")],
    )
    assert "it is down" in message["text"]
    assert told.unknown("it is down still") == []
    (message,) = told.ask()
    assert (message["turned_bad"], names(message["turned_good"])) == (
        [],
        [("", "UNKNOWN", "OK")],
    )


def test_a_file_of_others_is_left_alone(told: Told) -> None:
    told.rows.daily("web1", "etc")
    told.state.write_text("a letter")
    with pytest.raises(notifying.NotTold, match="is no state of b1000 monitor"):
        told.ask()
    assert told.state.read_text() == "a letter"
