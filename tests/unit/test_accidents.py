"""The accidents of other tools that prune: what each let happen cannot happen here.

Those that need a real tree are in tests/edges/test_accidents_of_removal.py; the rest of the table
is here. A tool's name stands for the way in which it, or how it is commonly set up, lost backups.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from b1000 import keep
from b1000.b1k import claim
from b1000.b1k.root_id import RootId
from b1000.errors import BadValue
from b1000.jobs import Destination
from b1000.prune import pruning, retention
from b1000.prune.pruning import Plan, Wish
from b1000.prune.retention import Held, Terms
from b1000.runs.stored import Memory
from b1000.storage import catalogue, layout
from b1000.storage.backup import Catalogue, Entry, Root, State
from b1000.storage.catalogue import Known
from tests.support.stored import a_mark

NOW = datetime(2026, 11, 22, 12)
DAY = timedelta(days=1)


def held(ago: float, state: State = State.COMPLETE, **more: Any) -> Held:
    at = NOW - ago * DAY
    return Held(f"{ago}", at, state, at)._replace(**more)


def gone(group: Sequence[Held], text: str, **more: Any) -> set[str]:
    """What goes of a group of which as much as there is may go at once."""
    terms = Terms(keep.parse(text)[0].rules, NOW, NOW - 500 * DAY, most=1.0)
    return set(retention.decide(group, terms._replace(**more)).removed)


def test_rsnapshot_an_incomplete_one_displaces_a_good_one() -> None:
    """It rotates before it copies: each run that breaks off takes the place of a whole one."""
    good = [held(ago) for ago in (4, 5, 6)]
    broken = [held(ago, State.UNFINISHED, newest_change=NOW - ago * DAY) for ago in range(4)]
    assert gone([*good, *broken], "last 3") == set()
    old = [held(ago, State.UNFINISHED, newest_change=NOW - ago * DAY) for ago in (40, 41, 42)]
    assert gone([*good, *old], "last 3") == {"40", "41", "42"}


def test_borg_one_that_is_written_or_resumed_is_removed() -> None:
    """Checkpoints of a backup under way were pruned like archives."""
    group = [held(0), held(1), held(2), held(3)]
    resumed = held(30, State.UNFINISHED, first_seen=NOW - 30 * DAY, newest_change=NOW - DAY)
    writing = held(40, State.WRITING, newest_change=NOW - 40 * DAY)
    unread = held(50, State.UNFINISHED, newest_change=None)
    newer = held(-0.5, State.UNFINISHED, newest_change=NOW - 40 * DAY, first_seen=NOW - 40 * DAY)
    assert gone([*group, resumed, writing, unread, newer], "last 3") == {"3"}


@pytest.mark.parametrize("nights", [30, 300])
def test_find_mtime_failed_nights_age_the_good_ones_out(nights: int) -> None:
    """`find -mtime +30 -delete` goes on when nothing new comes."""
    good = [held(ago) for ago in range(nights, nights + 10)]
    failed = [held(ago, State.UNFINISHED) for ago in range(nights)]
    for group in (good, [*good, *failed]):
        assert not gone(group, "all 30d") & {each.name for each in good}


def test_barman_the_floor_counts_the_wrong_things() -> None:
    """A minimum redundancy that failed backups satisfy is none."""
    good = [held(ago) for ago in (10, 20, 30)]
    bad = [held(ago, bad=True) for ago in (11, 12, 13)]
    useless = [
        *(held(ago, State.UNFINISHED) for ago in (1, 2, 3)),
        *(held(ago, State.WRITING) for ago in (4, 5)),
        held(6, sync=True),
        *(held(ago, first_seen=NOW - DAY) for ago in (21, 22)),
        held(-5),
    ]
    went = gone([*good, *bad, *useless], "last 1", read_since=NOW - 600 * DAY)
    assert went == {"11", "12", "13"}


def test_restic_one_date_in_the_future_empties_the_rest() -> None:
    """--keep-within counts back from the newest snapshot, whatever its date."""
    nights = [held(ago) for ago in range(10)]
    assert gone(nights, "all 20d") == set()
    for ahead in (1.5, 400, 36500):
        assert gone([*nights, held(-ahead)], "all 20d") == set()


def test_restic_planted_backups_fill_the_slots() -> None:
    """Who may only append adds snapshots until --keep-last and --keep-daily are full of them."""
    nights = [held(ago) for ago in range(0, 40, 2)]
    planted = [
        held(ago + 0.2, first_seen=NOW - 60 * timedelta(seconds=1)) for ago in range(15, 41, 2)
    ]
    before = gone(nights, "daily 90d")
    assert gone([*nights, *planted], "daily 90d", read_since=NOW - 300 * DAY) == before == set()
    assert gone([*nights, *planted], "last 3", read_since=NOW - 300 * DAY) == gone(nights, "last 3")
    ahead = [held(-ago) for ago in range(2, 9)]
    assert gone([*nights, *ahead], "last 3") == gone(nights, "last 3")


def test_restic_a_plant_stays_one_when_all_that_was_there_before_has_gone() -> None:
    """A storage that keeps few forgets by then that it had read the group before."""
    root = Root("kept", "/srv", identity=RootId("0f" * 16, (NOW - 900 * DAY).timestamp()))
    marks = [a_mark(when=NOW - ago * DAY) for ago in (40, 1, 2, 3)]
    seen = [NOW - 8 * DAY, *(NOW - ago * DAY for ago in (1, 2, 3))]
    memories = {
        each.directory: Memory(first_seen=when.timestamp())
        for each, when in zip(marks, seen, strict=True)
    }
    entries = [
        Entry(place, claim.of(mark)) for mark in marks if (place := layout.place(mark.directory))
    ]
    keeping = STORE._replace(keep=keep.parse("last 3, monthly 13m"))

    def reasons(memories: dict[str, Memory]) -> tuple[str, ...]:
        found = catalogue.build(root, entries, Known(memories=memories))
        (group,) = planned(found, keeping=keeping).groups
        return group.verdict.decisions[0].reasons

    assert "monthly 13m" in reasons(memories)
    gone = Memory(first_seen=(NOW - 9 * DAY).timestamp(), removed=(NOW - DAY).timestamp())
    assert reasons({**memories, a_mark(when=NOW - 9 * DAY).directory: gone}) == (
        f"planted? first seen {NOW - 8 * DAY:%Y-%m-%d}",
    )


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n\n", "daily", "dayly 7d", "last", "last 0", "all 0d", "daily 7", "etc*:", "7d"],
)
def test_logrotate_an_empty_or_mistyped_policy(text: str) -> None:
    """`rotate 0` by a slip, or an option that is ignored, and nothing is kept."""
    with pytest.raises(BadValue):
        keep.parse(text)


# --- groups

STORE = Destination("kept", "/srv", type="store", keep=keep.parse("last 2"), prune_most=1.0)


def a_catalogue(*written: tuple[str, str, int]) -> Catalogue:
    """Complete backups of a host with a master, of nights so many days ago."""
    marks = [
        a_mark(host=host, master=(master, "") if master else ("", ""), when=NOW - ago * DAY)
        for host, master, ago in written
    ]
    entries = [
        Entry(place, claim.of(mark)) for mark in marks if (place := layout.place(mark.directory))
    ]
    root = Root("kept", "/srv", identity=RootId("0f" * 16, (NOW - 900 * DAY).timestamp()))
    return catalogue.build(root, entries)


def planned(*catalogues: Catalogue, keeping: Destination = STORE, gone: str = "") -> Plan:
    wish = Wish(gone=(gone,) if gone else ())
    look = pruning.Look(lambda *_: datetime.min, lambda *_: None)
    return pruning.plan(keeping, catalogues, NOW, wish, look)


def removed(plan: Plan) -> list[int]:
    """How many days ago those were that go."""
    return sorted(
        round((NOW.timestamp() - (each.backup.started or 0)) / 86400) for each in plan.removals()
    )


def test_restic_a_group_whose_key_changes_is_never_pruned_or_loses_its_floor() -> None:
    """It groups by host and paths: with another path the old group stays for ever, and the new
    one has a floor of its own. Here a failover turns the master, and the group is the same.
    """
    nights = [("db1", "m1" if ago > 3 else "m2", ago) for ago in range(8)]
    there = a_catalogue(*nights)
    assert [len(group.backups) for group in there.groups] == [8]
    assert removed(planned(there)) == [3, 4, 5, 6, 7]
    # A host that is renamed is another group, of which the last ones stay until --gone says so.
    both = a_catalogue(*nights, *(("db2", "", ago) for ago in range(2)))
    assert [len(group.backups) for group in both.groups] == [8, 2]
    assert removed(planned(both)) == [3, 4, 5, 6, 7]
    assert removed(planned(both, gone="etc/db1")) == [*range(8)]


def test_rsnapshot_an_unmounted_disk() -> None:
    """Where the disk is missing, its mount point looks like a storage with nothing in it."""
    there = a_catalogue(*(("web1", "", ago) for ago in range(8)))
    assert removed(planned(there)) == [3, 4, 5, 6, 7]
    strange = there._replace(root=there.root._replace(identity=None))
    unmarked = there._replace(marks=0)
    for each in (strange, unmarked):
        plan = planned(each)
        assert not [*plan.removals()]
        assert "is its disk mounted?" in plan.refused["/srv"]


def test_proxmox_a_pattern_that_fits_nothing_any_more() -> None:
    """A group was renamed; the line that protected it fits nothing, and the next one does."""
    there = a_catalogue(*(("web1", "", ago) for ago in range(8)))
    lines = keep.parse("last 2\netc/web-1: ever last 30".replace("ever last 30", "last 30"))
    plan = planned(there, keeping=STORE._replace(keep=lines))
    assert not [*plan.removals()]
    assert "'etc/web-1'" in plan.refused[""]
