"""A year of 20 hosts, night by night, pruned each morning: what is left is in docs/retention.md."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from b1000 import keep
from b1000.prune import retention
from b1000.prune.retention import Held, Terms
from b1000.storage.backup import State

PAGE = Path(__file__).parents[2] / "docs" / "retention.md"
KEEP = "all 7d, daily 5w, monthly 13m, yearly 5y"
FIRST = datetime(2025, 11, 23)
NIGHTS = 365
FAILOVER = 200  # the night from which on db-1 has another master
HOSTS = [f"web-{number}" for number in range(1, 20)] + ["db-1"]
DAY = timedelta(days=1)


def year(host: str) -> tuple[list[Held], dict[datetime, str]]:
    """What is left of one host, and what came of each of its nights."""
    chance = random.Random(host)
    group: list[Held] = []
    nights: dict[datetime, str] = {}
    for night in range(NIGHTS):
        at = FIRST + night * DAY + timedelta(hours=2, minutes=chance.randrange(30))
        down = host == "web-7" and 240 <= night < 270  # thirty nights in a row
        state = State.UNFINISHED if down or chance.random() < 0.04 else State.COMPLETE
        master = "db-a" if night < FAILOVER else "db-b"
        name = f"{host}-{master}-{at:%Y-%m-%d}" if host == "db-1" else f"{host}-{at:%Y-%m-%d}"
        nights[at.replace(hour=0, minute=0)] = state
        size = 10**9 + night * 10**6
        group.append(Held(name, at, state, at, size=size, newest_change=at))
        morning = at.replace(hour=9)
        rules = keep.parse(KEEP)[0].rules
        verdict = retention.decide(group, Terms(rules, morning, FIRST))
        if verdict.held_back:  # the operator has looked at it, and lets it go
            assert host == "web-7"
            assert "would go at once" in verdict.held_back
            verdict = retention.decide(group, Terms(rules, morning, FIRST, more=True))
        gone = set(verdict.removed)
        group = [each for each in group if each.name not in gone]
    return group, nights


def calendar(host: str) -> Iterator[str]:
    """One line a month, as the page explains its signs."""
    group, nights = year(host)
    left = {each.at.replace(hour=0, minute=0) for each in group}
    months: dict[str, list[str]] = {}
    for day, state in nights.items():
        line = months.setdefault(f"{day:%Y-%m}", [" "] * (day.day - 1))
        line.append(
            ("#" if day in left else ".") if state is State.COMPLETE else "!x"[day not in left]
        )
    for month, line in months.items():
        yield f"{month}  {''.join(line)}"


def test_what_is_left_after_a_year_is_what_the_page_shows() -> None:
    page = PAGE.read_text()
    for host in ("web-1", "web-7", "db-1"):
        shown = "\n".join(calendar(host))
        assert f"```text\n{shown}\n```" in page, f"{host}\n{shown}"


def test_all_hosts_keep_what_they_are_to_keep() -> None:
    for host in HOSTS:
        group, nights = year(host)
        complete = [each for each in group if each.state is State.COMPLETE]
        newest = complete[-1].at
        good = [day for day, state in nights.items() if state is State.COMPLETE]
        recent = [day for day in good if newest - day < 34 * DAY]
        assert {day.date() for day in recent} <= {each.at.date() for each in complete}
        months = {(day.year, day.month) for day in good}
        assert {(each.at.year, each.at.month) for each in complete} == months
        # The oldest and the newest of two years, and one for each other month.
        older = [each for each in complete if newest - each.at > 36 * DAY]
        assert len(older) <= len(months) + 1
