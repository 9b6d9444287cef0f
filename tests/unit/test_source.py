"""A connection has one answer at a time: who asks while a server is at work waits for it."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from b1000.jobs import Report
from b1000.reports import source
from b1000.reports.source import DatabaseSource, NoAnswer


class _Server:
    """Answers with the statement itself; the slow one once something has been let go."""

    dialect = source._MYSQL

    def __init__(self, *_: object) -> None:
        self.go_on = threading.Event()
        self.answered: list[str] = []

    def rows(self, statement: str, _: Sequence[object]) -> Iterator[tuple[Any, ...]]:
        if statement != "quick":
            assert self.go_on.wait(30)
        if statement == "bad":
            raise NoAnswer("gone")
        self.answered.append(statement)
        yield (statement,)

    def close(self) -> None:
        self.answered.append("closed")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> tuple[DatabaseSource, _Server]:
    """A source, and the server that it asks."""
    monkeypatch.setattr(source, "_MysqlRows", _Server)
    found = DatabaseSource(Report("central", "mysql"))
    server = found._rows
    assert isinstance(server, _Server)
    return found, server


def test_what_is_asked_later_waits(asked: tuple[DatabaseSource, _Server]) -> None:
    found, server = asked
    rows = found.meanwhile("slow")
    assert not server.answered
    threading.Timer(0.05, server.go_on.set).start()
    assert list(found.rows("quick")) == [("quick",)]
    assert server.answered == ["slow", "quick"]
    assert rows() == [("slow",)]


def test_it_is_closed_when_nothing_is_at_work(asked: tuple[DatabaseSource, _Server]) -> None:
    found, server = asked
    with found:
        found.meanwhile("slow")
        threading.Timer(0.05, server.go_on.set).start()
    assert server.answered == ["slow", "closed"]


def test_who_asked_is_told_of_its_failure(asked: tuple[DatabaseSource, _Server]) -> None:
    found, server = asked
    rows = found.meanwhile("bad")
    server.go_on.set()
    assert list(found.rows("quick")) == [("quick",)]
    with pytest.raises(NoAnswer, match="gone"):
        rows()
