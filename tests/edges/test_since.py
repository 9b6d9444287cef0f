"""What is judged by few rows is what all rows say, then and now; what turned is the difference."""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b1000.monitor import former, histories
from b1000.monitor.history import PastRun
from b1000.monitor.judgement import Judgement
from b1000.monitor.survey import MonitorQuestion, survey
from b1000.reports.source import SEPARATOR, DatabaseSource, Query
from tests.support.chance import examples
from tests.support.rows import DAY, HOUR, Rows

_ALL = ("d1", "d2", "d3")


class _AtOnce(Rows):
    """Rows that are written by one connection; each trial begins with none."""

    @contextmanager
    def anew(self) -> Iterator[None]:
        """Forget all, and let others see what is written meanwhile."""
        assert isinstance(self._place, Path)
        with contextlib.closing(sqlite3.connect(self._place)) as self._kept, self._kept:
            self.do("DELETE FROM copies")
            self.do("DELETE FROM jobs")
            yield

    def do(self, statement: str, *parameters: object) -> int:
        """Seen by others at the end of ``anew``."""
        return int(self._kept.execute(statement, parameters).lastrowid or 0)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> _AtOnce:
    """Tables that each trial fills anew."""
    return _AtOnce(tmp_path_factory.mktemp("since") / "central.sqlite3")


Run = tuple[float, tuple[str, ...], str, float]
"""When it began, at which destinations, how it ended, and how long it took."""


def _story(chance: Random) -> list[Run]:
    """Runs of one subject, the last first: destinations come and go, few runs are not well."""
    gap = chance.choice([DAY, DAY, DAY, 7 * HOUR, 3 * DAY, 7 * DAY])
    ago = chance.uniform(0.1, 30) * HOUR
    found: list[Run] = []
    while len(found) < 70 and ago < 80 * DAY:
        places = tuple(chance.sample(_ALL, chance.randint(1, 3)))
        for _ in range(chance.choice([1, 2, 5, 15, 40])):
            end = chance.choice(["one FAILED", "FAILED", "vanished", "empty"] + ["OK"] * 60)
            found.append((ago, places, end, chance.choice([60.0, 60.0, 5 * HOUR])))
            ago += gap + chance.choice([0.0, 0.0, 0.2, -0.2]) * HOUR
    return found


def _fleet(seed: int) -> dict[str, list[Run]]:
    chance = Random(seed)
    hosts = chance.sample(["a", "b", "c", "pair1", "pair2"], chance.randint(1, 4))
    return {host: _story(chance) for host in hosts}


def _write(rows: _AtOnce, fleet: Mapping[str, Sequence[Run]], ago: float = 0.0) -> None:
    """As the tables were so many seconds ago."""
    with rows.anew():
        for host, story in fleet.items():
            for number, (began, places, end, took) in reversed([*enumerate(story)]):
                if began < ago:
                    continue
                if took > began - ago:
                    copies = dict.fromkeys(places, "COPYING")
                    columns: dict[str, Any] = {"step": "COPYING", "status": "OK"}
                else:
                    copies, columns = _ended(places, end)
                    columns["duration"] = took
                name = host
                if host.startswith("pair"):
                    name = f"{host}-{number % 2}"
                    columns |= {"master_host": host, "master_instance": "i"}
                rows.run(name, "etc", "i", began, copies, **columns)


def _ended(places: Sequence[str], end: str) -> tuple[dict[str, str], dict[str, Any]]:
    if end == "vanished":
        return dict.fromkeys(places, "WARNING"), {"bytes": 1000}
    copies = dict.fromkeys(places, "DONE")
    if end == "FAILED":
        return dict.fromkeys(places, "FAILED"), {}
    if end == "one FAILED":
        copies[places[0]] = "FAILED"
    return copies, {"bytes": 0} if end == "empty" else {}


def _asked(rows: Rows, now: float, since: float = 0.0) -> dict[str, Judgement]:
    found = survey(rows.report, MonitorQuestion(since=since), now)
    return {each.subject.host: each for each in found.judgements}


def _same(one: Mapping[str, Judgement], other: Mapping[str, Judgement]) -> None:
    assert [*one] == [*other]
    for host, judgement in one.items():
        assert judgement == other[host], host


_fleets = st.integers(0, 2**32).map(_fleet)  # all kinds alike, which st.lists does not draw
_agos = st.floats(1, 15 * 24).map(lambda hours: round(hours * HOUR))


@settings(max_examples=examples(15))
@given(_fleets, _agos, st.sampled_from([1, 2, 10]))
def test_few_copies_say_what_all_do(
    rows: _AtOnce, fleet: dict[str, list[Run]], ago: float, least: int
) -> None:
    """However many subjects with the same destinations are asked for by themselves."""
    _write(rows, fleet)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(former, "_LEAST_ALIKE", least)
        by_few = _asked(rows, rows.now, ago)
    with pytest.MonkeyPatch.context() as patch:

        def every(runs: Sequence[PastRun], *_: object) -> range:
            return range(len(runs))

        patch.setattr(histories, "needed", every)
        _same(by_few, _asked(rows, rows.now, ago))


def test_no_copy_is_read_that_says_nothing(rows: _AtOnce, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where subjects have nothing in common, and of one a destination is gone."""
    fleet = {f"{one}{number}": [*_daily(one)] for one in "ab" for number in range(12)}
    fleet["a3"] = [*_daily("a")][:6] + [*_daily("a", "gone")][6:]
    _write(rows, fleet)
    told: list[str] = []
    asked = DatabaseSource.texts_of_each

    def heard(source: DatabaseSource, queries: Sequence[Query]) -> Iterator[Iterable[str]]:
        for texts in asked(source, queries):
            told.extend(some := [*texts] if "c.destination" in queries[0].field else [])
            yield some or texts

    monkeypatch.setattr(DatabaseSource, "texts_of_each", heard)
    found = _asked(rows, rows.now)
    assert {host for host, each in found.items() if each.verdict != "OK"} == {"a3"}
    assert {text.partition(SEPARATOR)[2] for text in told} == {"gone"}


def _daily(*places: str) -> Iterator[Run]:
    return ((6 * HOUR + day * DAY, places, "OK", 60.0) for day in range(40))


@settings(max_examples=examples(15))
@given(_fleets, _agos)
def test_what_turned_is_the_difference_of_two_judgements(
    rows: _AtOnce, fleet: dict[str, list[Run]], ago: float
) -> None:
    _write(rows, fleet, ago)
    then = _asked(rows, rows.now - ago)
    _write(rows, fleet)
    now = _asked(rows, rows.now, ago)
    for host, judgement in now.items():
        was = then[host].verdict if host in then else judgement.verdict
        assert (judgement.changed or judgement.verdict) == was, host


def _with_d2(first: int, last: int) -> list[Run]:
    """A run each day, the last one 6 hours ago; of some days d2 has one, too."""
    return [
        (6 * HOUR + day * DAY, ("d1", "d2") if first <= day <= last else ("d1",), "OK", 60.0)
        for day in range(70)
    ]


def test_a_destination_that_was_gone_then_too_is_no_turn(rows: _AtOnce) -> None:
    _write(rows, {"gone": _with_d2(6, 70), "once": _with_d2(3, 3), "long": _with_d2(31, 70)})
    for hours in (24, 30, 40, 50, 60, 70, 75, 80, 100, 125, 127, 150, 220):
        found = _asked(rows, rows.now, hours * HOUR)
        assert found["gone"].codes == found["once"].codes == {"destination_gone"}
        assert found["long"].verdict == "OK"
        turned = {host: each.changed for host, each in found.items() if each.changed}
        # As of d2: its last one began 150 hours ago, and one without it 126; and 78 and 54.
        assert ("gone" in turned) == (hours > 126), hours
        assert ("once" in turned) == (hours > 54), hours
        assert turned.get("long") == "WARNING", hours


@pytest.mark.parametrize("host", ["", "daily"])
def test_of_longer_ago_as_much_is_read_as_of_today(rows: _AtOnce, host: str) -> None:
    """Else nothing was known of it then, and nothing would have turned."""
    days = [*range(57), *range(66, 99)]
    _write(rows, {"daily": [(6 * HOUR + day * DAY, ("d1",), "OK", 60.0) for day in days]})
    for ago in (3, 60, 70):
        question = MonitorQuestion(host=host, since=ago * DAY)
        (found,) = survey(rows.report, question, rows.now).judgements
        assert (found.verdict, found.changed) == ("OK", "CRITICAL" if ago == 60 else ""), ago
