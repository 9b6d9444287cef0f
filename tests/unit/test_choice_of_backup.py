"""Which backup is restored: tables of what lies where, and what must hold whatever does."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b1000.errors import UsageError
from b1000.restore.choice import NothingFits, Terms, Unreached, choose
from b1000.restore.told import ToldOf, believed
from b1000.runs.stored import Memory
from b1000.storage.backup import Backup, GroupKey, Root, State
from b1000.storage.question import StoredRow

ORDER = {"near": 0, "far": 1, "last": 2}
ROOTS = {
    "near": Root("near", "/srv/near"),
    "far": Root("far", "rsync://far/b1000"),
    "last": Root("last", "/srv/last"),
}


def row(where: str, hour: int, state: State = State.COMPLETE, **more: object) -> StoredRow:
    key = GroupKey(
        ROOTS[where].path, "", "etc", str(more.pop("host", "web1")), str(more.pop("instance", ""))
    )
    run = str(more.pop("run", f"run{hour}"))
    backup = Backup(f"etc/day/{hour:02}", "full", state, f"{hour}", hour * 3600.0, run=run)
    return StoredRow(ROOTS[where], key, backup._replace(**more))  # type: ignore[arg-type]


def where(rows: list[StoredRow], away: tuple[Unreached, ...] = (), **more: object) -> list[str]:
    found = choose(rows, ORDER, away, Terms()._replace(**more))  # type: ignore[arg-type]
    return [f"{each.root.destination} {each.backup.place[-2:]}" for each in found.rows]


BAD, READ = Memory(bad="f"), Memory(read=1.0)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row("near", 1), row("far", 2)], ["far 02"]),
        ([row("near", 2), row("far", 2)], ["near 02", "far 02"]),
        ([row("far", 2), row("last", 2), row("near", 2)], ["near 02", "last 02", "far 02"]),
        ([row("near", 2), row("last", 2, memory=READ)], ["last 02", "near 02"]),
        ([row("near", 1), row("near", 2, State.UNFINISHED)], ["near 01"]),
        ([row("near", 1), row("near", 2, State.WRITING)], ["near 01"]),
        ([row("near", 1), row("near", 2, memory=BAD)], ["near 01"]),
        ([row("near", 2, memory=BAD), row("far", 2)], ["far 02"]),
        ([row("near", 1), row("near", 2, State.LEGACY)], ["near 01"]),
        ([row("near", 2, State.UNFINISHED), row("far", 2)], ["far 02"]),
    ],
)
def test_the_newest_good_one_of_all(rows: list[StoredRow], expected: list[str]) -> None:
    assert where(rows) == expected


@pytest.mark.parametrize(
    ("rows", "until", "expected"),
    [
        ([row("near", 2, memory=BAD)], None, "near 02"),
        ([row("near", 1, memory=BAD), row("near", 2, memory=BAD)], None, "near 02"),
        ([row("near", 1), row("near", 2, memory=BAD)], None, "near 01"),
        ([row("near", 1), row("near", 2, memory=BAD)], 2 * 3600.0, "near 02"),
        ([row("near", 1), row("near", 2, memory=BAD)], 2 * 3600.0 + 1, "near 01"),
        ([row("near", 2, memory=BAD), row("far", 2)], 2 * 3600.0, "far 02"),
        ([row("near", 1, State.LEGACY), row("near", 2, memory=BAD)], None, "near 01"),
    ],
)
def test_a_bad_one_is_taken_on_purpose_alone(
    rows: list[StoredRow], until: float | None, expected: str
) -> None:
    assert where(rows, any=True, until=until) == [expected]
    chosen = choose(rows, ORDER, (), Terms(any=True, until=until))
    is_bad = bool(chosen.row.backup.memory.wrong)
    assert ("is known to be bad: f" in chosen.older) == is_bad


def test_all_bad_is_said_with_the_way_out() -> None:
    with pytest.raises(NothingFits) as raised:
        choose([row("near", 2, memory=BAD)], ORDER, (), Terms())
    assert "/srv/near/etc/day/02 is known to be bad (f): --any restores it" in str(
        raised.value.full_message()
    )


def told_of(storage: str, bad: str = "", run: str = "run2", place: str = "etc/day/02") -> ToldOf:
    return ToldOf(storage, f"/srv/backup/web1/{place}", run, 7200.0, bad, None if bad else 9.0)


class Told:
    """A database that knows of backups."""

    def __init__(self, rows: list[ToldOf]) -> None:
        self.rows = rows
        self.asked = 0

    def newest(self, *_: object) -> None:
        return None

    def stored(self, *_: object) -> list[ToldOf]:
        self.asked += 1
        return [each for each in self.rows if not each.removed]

    def removed(self, *_: object) -> list[ToldOf]:
        return [each for each in self.rows if each.removed]


@pytest.mark.parametrize(
    ("told", "bad"),
    [
        ([], False),
        ([told_of("far")], False),
        ([told_of("far", "f")], True),
        ([told_of("far.example", "f")], True),
        ([told_of("far", "f", run="")], True),
        ([told_of("far", "f", run="other")], False),
        ([told_of("far", "f", place="etc/day/03")], False),
        # The same run elsewhere is another matter, but where nobody can say which it is.
        ([told_of("else", "f"), told_of("far")], False),
        ([told_of("else", "f")], True),
        ([told_of("else", "f"), told_of("third")], False),
    ],
)
def test_what_a_database_tells_of_it(told: list[ToldOf], bad: bool) -> None:
    near, far = believed([row("near", 2), row("far", 2)], Told(told), "etc")
    assert not near.backup.memory.wrong, "of its own disk the host itself knows"
    assert bool(far.backup.memory.wrong) == bad
    assert (far.backup.proven.read == 9.0) == (told_of("far") in told)


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        ([], True),
        ([told_of("far")._replace(removed=True)], False),
        ([told_of("far")], True),
        ([told_of("far", place="etc/day/03")._replace(removed=True)], True),
        # Another storage of the same run has removed it, which has another name.
        ([told_of("else")._replace(removed=True), told_of("far")], True),
        ([told_of("else")._replace(removed=True)], False),
        ([told_of("else")._replace(removed=True), told_of("third")], True),
    ],
)
def test_what_its_storage_has_removed_is_not_missing(told: list[ToldOf], missing: bool) -> None:
    rows = [row("near", 1), row("near", 2, State.MISSING), row("far", 2, State.MISSING)]
    database = Told(told)
    found = believed(rows, database, "etc")
    assert [each.backup.place for each in found] == [
        each.backup.place for each in (rows if missing else rows[:2])
    ]
    assert database.asked == 1
    assert believed(rows[:1], Told([told_of("far")]), "etc") == rows[:1]


@pytest.mark.parametrize(
    ("told", "sums"),
    [
        ({"far": "a b"}, "a b"),
        ({"far": ""}, ""),
        # A list of the same run is the same list elsewhere, where all tell the same.
        ({"else": "a b"}, "a b"),
        ({"else": "a b", "third": "a b"}, "a b"),
        ({"else": "a b", "third": "c d"}, ""),
        ({"else": "a b", "far": "c d"}, "c d"),
        ({"else": "a b", "far": ""}, ""),
    ],
)
def test_the_hash_of_a_list_is_what_databases_tell_of_it(told: dict[str, str], sums: str) -> None:
    rows = [told_of(name)._replace(sums=each) for name, each in told.items()]
    near, far = believed([row("near", 2), row("far", 2)], Told(rows), "etc")
    assert (near.backup.memory.sums, far.backup.memory.sums) == ("", sums)


def test_what_is_told_of_another_storage_of_the_configuration_is_not_of_this() -> None:
    """Of which nobody tells anything: its copy of the run is restored."""
    third = row("far", 2)._replace(root=Root("third", "rsync://third.example/b1000"))
    rows = [row("near", 2), row("far", 2), third]
    for told in (["third"], ["third", "this"]):
        found = believed(rows, Told([told_of(name, "f") for name in told]), "etc", "this")
        assert [bool(each.backup.memory.wrong) for each in found] == [False, False, True]
        assert [each.root.destination for each in choose(found, ORDER, (), Terms()).rows] == [
            "near",
            "far",
        ]
    sums = [told_of("third")._replace(sums="a b")]
    _, far, _ = believed(rows, Told(sums), "etc")
    assert far.backup.memory.sums == "", "no list is there"
    listed = row("far", 2, listed=True)
    _, far, _ = believed([rows[0], listed, third], Told(sums), "etc")
    assert far.backup.memory.sums == "a b"


@pytest.mark.parametrize("state", [State.WRITING, State.UNFINISHED])
def test_where_nothing_is_whole_it_is_told_what_is_there(state: State) -> None:
    rows = [row("far", 1, state), row("far", 2, state), row("near", 1, state)]
    with pytest.raises(NothingFits, match=f"far/b1000/etc/day/02 is {state}: what is there"):
        choose(rows, ORDER, (), Terms(any=True))


def test_what_is_passed_over_is_told() -> None:
    rows = [row("near", 1), row("near", 2, memory=BAD), row("far", 3, State.MISSING)]
    assert choose(rows, ORDER, (), Terms()).notes == (
        "/srv/near/etc/day/02 is passed over: known to be bad: f",
        "rsync://far/b1000/etc/day/03 is passed over: missing",
    )


@pytest.mark.parametrize(
    ("gone", "older"),
    [
        ([row("far", 3, State.MISSING)], True),
        ([row("far", 3, State.MISSING, run="run2")], False),
        ([row("far", 3, State.MISSING, memory=BAD)], False),
        ([row("far", 1, State.MISSING)], False),
        ([row("far", 2, State.MISSING)], False),
        ([row("far", 3, State.UNFINISHED), row("far", 4, State.WRITING)], False),
    ],
)
def test_the_newest_that_is_missing_is_named(gone: list[StoredRow], older: bool) -> None:
    found = choose([row("near", 2), *gone], ORDER, (), Terms())
    assert found.row.root.destination == "near"
    assert ("is missing: rsync://far/b1000/etc/day/03" in found.older) == older
    # A storage that does not answer cannot miss anything.
    away = (Unreached("far", "down", 3 * 3600.0 if older else None),)
    found = choose([row("near", 2), *gone], ORDER, away, Terms(any=True))
    assert "missing" not in "".join([found.older, *found.notes])
    assert ("far has a newer one" in found.older) == older


def day(where: str, number: int, state: State = State.COMPLETE) -> StoredRow:
    """A full with a name, of a day of November 2026."""
    at = datetime(2026, 11, number, 1)
    named = f"{at:%Y-%m-%d-%H-%M-%S}"
    return row(where, number, state, start_time=named, started=at.timestamp())


def test_a_name_ahead_of_the_clock_is_never_the_newest() -> None:
    """As prune has it: more than a day ahead."""
    now = datetime(2026, 11, 20, 2).timestamp()
    rows = [day("near", 20), day("near", 23)]
    found = choose(rows, ORDER, (), Terms(now=now))
    assert found.row is rows[0]
    assert found.notes == (
        "/srv/near/etc/day/23 is passed over: more than a day ahead of this clock by its name",
    )
    assert not found.older
    assert choose([rows[0], day("near", 21)], ORDER, (), Terms(now=now)).row.backup.place[-2:] == (
        "21"
    )
    with pytest.raises(NothingFits) as raised:
        choose(rows[1:], ORDER, (), Terms(now=now))
    assert "day/23 is more than a day ahead of this clock by its name: --any restores it" in str(
        raised.value.full_message()
    )
    found = choose(rows[1:], ORDER, (), Terms(now=now, any=True))
    assert "is more than a day ahead of this clock" in found.older
    assert choose(rows, ORDER, (), Terms(now=now, any=True)).row is rows[0]
    # Nor is one newer that nobody sees, and that a clock was ahead for.
    gone = day("far", 23, State.MISSING)
    assert not choose([rows[0], gone], ORDER, (), Terms(now=now)).older
    away = (Unreached("far", "down", now + 86401),)
    assert not choose(rows, ORDER, away, Terms(now=now)).older
    assert choose(rows, ORDER, away, Terms(now=now + 2, any=True)).older


def test_a_tree_that_began_in_the_future_is_never_the_newest() -> None:
    rows = [row("near", hour, type="sync", start_time="", run="") for hour in (1, 30)]
    found = choose(rows, ORDER, (), Terms(now=2 * 3600.0))
    assert found.row is rows[0]


def test_all_missing_is_told_as_that() -> None:
    rows = [row("near", hour, State.MISSING, memory=Memory(short="f")) for hour in (1, 2)]
    with pytest.raises(NothingFits) as raised:
        choose(rows, ORDER, (), Terms())
    told = str(raised.value.full_message())
    assert "/srv/near/etc/day/02, of 1970-01-01" in told
    assert "is missing" in told
    assert "bad" not in told


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([row("near", 1), row("near", 2, host="web2")], "2 hosts have such backups: web1, web2"),
        (
            [row("near", 1, instance="3306"), row("near", 2, instance="3307")],
            "several instances fit: etc/3306, etc/3307",
        ),
        (
            [row("near", 1, master_host="a"), row("near", 2, master_host="b")],
            "backups of several masters fit: a, b",
        ),
    ],
)
def test_what_nobody_can_tell_is_an_error_with_the_list(rows: list[StoredRow], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        choose(rows, ORDER, (), Terms())


def test_a_host_or_a_master_may_be_named_and_ones_own_is_meant() -> None:
    hosts = [row("near", 1), row("near", 2, host="web2")]
    assert where(hosts, host="web1") == ["near 01"]
    assert where(hosts, own="web1") == ["near 01"]
    assert where(hosts[1:], own="web1") == ["near 02"]
    masters = [row("near", 1, master_host="a"), row("near", 2, master_host="b")]
    assert where(masters, host="a") == ["near 01"]


def test_never_silently_older() -> None:
    away = (Unreached("far", "connection refused", 3 * 3600.0),)
    with pytest.raises(UsageError) as refused:
        choose([row("near", 2)], ORDER, away, Terms())
    assert "/srv/near/etc/day/02" in str(refused.value)
    assert "destination far has a newer one" in str(refused.value)
    found = choose([row("near", 2)], ORDER, away, Terms(any=True))
    assert "far has a newer one" in found.older
    assert choose([row("near", 4)], ORDER, away, Terms()).older == ""


def test_one_without_a_mark_only_where_any_will_do() -> None:
    rows = [row("near", 1, State.LEGACY)]
    with pytest.raises(NothingFits, match="--any"):
        choose(rows, ORDER, (), Terms())
    assert choose(rows, ORDER, (), Terms(any=True)).older


ROWS = st.lists(
    st.builds(
        lambda place, hour, state, bad: row(
            place, hour, state, memory=BAD if bad else Memory(), run=f"r{hour}"
        ),
        st.sampled_from(sorted(ROOTS)),
        st.integers(1, 6),
        st.sampled_from(State),
        st.booleans(),
    ),
    max_size=12,
)
AWAY = st.lists(
    st.builds(Unreached, st.just("gone"), st.just("down"), st.one_of(st.none(), st.floats(0, 9e4))),
    max_size=2,
)


@given(ROWS, AWAY, st.booleans())
def test_what_must_hold(rows: list[StoredRow], away: list[Unreached], any_will_do: bool) -> None:
    try:
        found = choose(rows, ORDER, away, Terms(any=any_will_do))
    except (NothingFits, UsageError):
        return
    good = {State.COMPLETE, State.LEGACY} if any_will_do else {State.COMPLETE}
    there = [each for each in rows if each.backup.state in good]
    usable = [each for each in there if not each.backup.memory.bad]
    if any_will_do and not usable:
        assert "is known to be bad" in found.older
        usable = there
    newest = max(each.backup.started or 0 for each in usable)
    for each in found.rows:
        assert each in usable
        assert each.backup.started == newest
    if not any_will_do:
        assert all((each.started or 0) <= newest + 1 for each in away)
        gone = [each for each in rows if each.backup.state is State.MISSING]
        newer = [each for each in gone if (each.backup.started or 0) > newest]
        if not found.older:
            assert all(each.backup.memory.bad for each in newer)
        else:
            assert newer
            assert "is missing" in found.older
