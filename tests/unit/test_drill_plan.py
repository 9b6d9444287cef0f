"""What is drilled now: what was drilled longest ago, and all of it in time."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from b1000.drill import Drill
from b1000.jobs import Destination, Job
from b1000.rsync import paths
from b1000.runs.stored import Facts, Memory, Told
from b1000.storage.backup import Backup, Catalogue, Group, GroupKey, Root, State
from b1000.verify import drill_plan
from b1000.verify.drill_plan import Candidate, Rules

DAY = 86400.0
ROOT = Root("kept", "/kept")
MONTHLY = Drill("true", 30 * 86400, 60)


def group(job: str = "etc", host: str = "web1", *backups: Backup, unmarked: str = "") -> Group:
    newest = Backup(f"{job}/{host}", "full", State.COMPLETE, "2026-11-22-01-00-00")
    return Group(GroupKey("/kept", "", job, host, "", unmarked), backups or (newest,))


def candidate(job: str, tried: float | None, passed: float | None) -> Candidate:
    each = group(job)
    return Candidate(ROOT, each, each.backups[0], MONTHLY, tried, passed)


def jobs(*found: Candidate) -> list[str]:
    return [each.group.key.job for each in found]


def test_longest_ago_comes_first_and_one_that_failed_does_not_starve_others() -> None:
    now = 100 * DAY
    among = [
        candidate("lately", 99 * DAY, 99 * DAY),
        candidate("failed", 99 * DAY, None),
        candidate("old", 60 * DAY, 60 * DAY),
        candidate("never", None, None),
    ]
    assert jobs(*drill_plan.now_due(among, now)) == ["never"]
    assert jobs(*drill_plan.now_due(among[:3], now)) == ["old"]
    assert jobs(*drill_plan.now_due(among[:2], now)) == ["failed"]
    assert jobs(*drill_plan.now_due(among[:1], now)) == []
    assert jobs(*drill_plan.now_due(among[:1], now, named=True)) == ["lately"]


def test_a_clock_that_was_ahead_puts_off_nothing() -> None:
    ahead = candidate("ahead", 500 * DAY, 500 * DAY)
    assert jobs(*drill_plan.now_due([ahead], 100 * DAY)) == ["ahead"]
    assert jobs(*drill_plan.now_due([ahead], 499.5 * DAY)) == []


@pytest.mark.parametrize("count", [1, 30, 31, 100])
def test_each_is_drilled_in_time_night_by_night(count: int) -> None:
    passed: dict[str, float] = {}
    for night in range(200):
        now = night * DAY
        among = [
            candidate(f"job{number}", last, last)
            for number in range(count)
            for last in [passed.get(f"job{number}")]
        ]
        for each in drill_plan.now_due(among, now):
            passed[each.group.key.job] = now
        if night >= 30:
            assert len(passed) == count
            assert all(now - last <= 31 * DAY for last in passed.values())


def test_only_the_newest_that_is_complete_and_good_is_restored() -> None:
    """None of the future, as in a restore: after it no other would be drilled for ever."""
    now = datetime(2026, 11, 22, 1)

    def backup(
        place: str, state: State = State.COMPLETE, when: datetime = now, **memory: Any
    ) -> Backup:
        start = f"{when:{paths.START_TIME}}"
        return Backup(place, "full", state, start, when.timestamp(), memory=Memory(**memory))

    among = group(
        "etc",
        "web1",
        backup("old"),
        backup("good"),
        backup("bad", bad="a is wrong"),
        backup("short", short="1 file"),
        backup("writing", State.WRITING),
        backup("ahead", when=now + timedelta(days=2)),
    )
    store = Destination("kept", "/kept", type="store", drill="true")
    rules, clock = Rules("s", {}), now.timestamp()
    found = drill_plan.candidates(store, [Catalogue(ROOT, (among,))], rules, {}, clock)
    assert [each.backup.place for each in found] == ["good"]


def test_whose_backups_are_drilled() -> None:
    store = Destination("kept", "/kept", type="store", drill="true")
    disk = Destination("disk", "/disk")

    def job(direction: str, drill: Drill | None = MONTHLY) -> Job:
        return Job("etc", direction, "full", (), (), {"disk": disk}, drill=drill)

    mine, other = (GroupKey("/", "", "etc", host) for host in ("me", "web1"))
    rules = Rules("me", {"etc": job("push")}, 7)
    assert rules.of_group(disk, mine) == MONTHLY
    assert rules.of_group(disk, other) is None
    assert rules.of_group(store, other) == Drill("true", 30 * 86400, 7)
    assert rules.of_group(store, mine._replace(unmarked="web1")) is None
    assert Rules("me", {"etc": job("pull")}).of_group(disk, other) == MONTHLY
    assert Rules("me", {"etc": job("push", None)}).of_group(disk, mine) is None
    assert rules.of_group(disk._replace(name="elsewhere"), mine) is None
    assert rules.any_at(store)
    assert rules.any_at(disk)
    assert not rules.any_at(disk._replace(name="elsewhere"))


def test_what_was_drilled_counts_when_it_is_gone() -> None:
    facts = Facts("s", "kept", "etc", "web1", "full", "removed", ())
    gone = Told("/kept", "a", 1, facts, Memory(drilled=50.0, restored=50.0, removed=60.0))
    failed = Told("/kept", "b", 2, facts, Memory(drilled=90.0))
    times = drill_plan.times([gone, failed])
    assert times == {("/kept", "etc", "web1", ""): (90.0, 50.0)}
