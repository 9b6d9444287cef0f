"""Which directories of a storage hold backups of a subject, and which only claim to."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b1000.monitor.history import DAY, PastRun
from b1000.monitor.roots import settled
from b1000.monitor.witnesses import AtStorage, Flawed, SameRun, Witnesses, wrong

NOW = 1795435200.0
RUNS = [
    PastRun(NOW - ago * DAY, done=1, total=1, made_on="c2", direction="push") for ago in (3, 2, 1)
]
OWN = AtStorage(
    "s1", "kept", 3, NOW - DAY, seen=NOW - 90 * DAY,
    root="/b/c2", host="c2", first=NOW - 90 * DAY,
)  # fmt: skip
"""The client's own directory."""
OTHER = OWN._replace(root="/b/c1", kept=1, newest=NOW - DAY / 2, first=NOW - DAY / 3)
"""One that another client has made a newer backup in."""


def bad(place: AtStorage, *same: tuple[AtStorage, bool], run: str = "") -> Flawed:
    """The newest of a place; of ``same`` it is known whether they are bad."""
    numbers = [SameRun(each.in_root, is_bad, run) for each, is_bad in ((place, True), *same)]
    return Flawed(
        *("s1", "kept", f"{place.root}/x", True, "a is wrong", NOW - 60, place.newest),
        run=run, root=place.root, host=place.host, same=tuple(numbers),
    )  # fmt: skip


def codes(found: Witnesses, runs: list[PastRun] = RUNS) -> list[tuple[str, str]]:
    last = runs[-1] if runs else None
    return [(str(each.verdict), each.code) for each in wrong(settled(found, runs), last, NOW)]


CLAIMED = ("WARNING", "claimed")


def test_a_newer_backup_of_another_client_hides_nothing() -> None:
    found = Witnesses((OWN, OTHER), (bad(OWN),))
    assert codes(found) == [("CRITICAL", "bad"), CLAIMED]
    done = settled(found, RUNS)
    assert ([each.root for each in done.places], done.kept) == (["/b/c2"], 3)
    (told,) = wrong(settled(Witnesses((OWN, OTHER)), RUNS), RUNS[-1], NOW)
    assert "/b/c1 at s1 claims to hold a backup of it" in told.text
    assert not wrong(done, RUNS[-1], NOW - DAY / 2), "it was not known then"


def test_what_is_wrong_with_it_is_nothing_of_the_subject() -> None:
    found = Witnesses((OWN, OTHER._replace(held="it is short")), (bad(OTHER),))
    assert codes(found) == [CLAIMED]
    lost = OTHER._replace(newest=None, lost=OTHER.newest, is_there=False)
    assert codes(Witnesses((OWN,), (), (lost,))) == [CLAIMED]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        # The same run, in whichever directory of the destination, is no second copy of it.
        (OTHER._replace(newest=OWN.newest), ("CRITICAL", "bad")),
        (OTHER._replace(newest=OWN.newest, host="c1"), ("CRITICAL", "bad")),
        # At another one it is, where the client wrote it, and not where another one did.
        (OWN._replace(storage="s2"), ("WARNING", "bad_copy")),
        (OWN._replace(destination="far", root="/far/c2"), ("WARNING", "bad_copy")),
        (OTHER._replace(storage="s2"), ("CRITICAL", "bad")),
        (OTHER._replace(destination="far"), ("CRITICAL", "bad")),
    ],
)
def test_what_is_elsewhere(other: AtStorage, expected: tuple[str, str]) -> None:
    found = Witnesses((OWN, other), (bad(OWN, (other, False), run="0f"),))
    assert codes(found)[0] == expected


def test_one_run_that_was_pushed_has_one_number() -> None:
    other = OWN._replace(storage="s2")
    flawed = bad(OWN, (other, False), run="0f")
    guessed = flawed._replace(same=(*flawed.same[:1], flawed.same[1]._replace(run="aa")))
    assert codes(Witnesses((OWN, other), (guessed,))) == [("CRITICAL", "bad")]
    adopted = flawed._replace(same=(*flawed.same[:1], flawed.same[1]._replace(run="adopted-1")))
    assert codes(Witnesses((OWN, other), (adopted,))) == [("WARNING", "bad_copy")]
    # Two storages that pull it give it two.
    pulled = [run._replace(direction="passive") for run in RUNS]
    assert codes(Witnesses((OWN, other), (guessed,)), pulled) == [("WARNING", "bad_copy")]


@pytest.mark.parametrize(
    "places",
    [
        # One tree for all, several destinations of one storage, and storages.
        (OWN._replace(root="/b"),),
        (OWN, OWN._replace(destination="far", root="/far/c2"), OWN._replace(storage="s2")),
        # One of them has not had a copy of the last run; one has none of this year.
        (OWN, OWN._replace(destination="far", root="/far/c2", newest=NOW - 2 * DAY)),
        (OWN, OWN._replace(destination="far", root="/far/c2", newest=NOW - 300 * DAY)),
        # Two directories of one client.
        (OWN, OWN._replace(root="/b/c2-far", first=NOW - 80 * DAY)),
        # Renamed, with what it holds or without.
        (OWN, OWN._replace(root="/b/new", first=NOW - DAY / 2)),
        (OWN._replace(newest=NOW - 2 * DAY), OWN._replace(root="/b/new", first=NOW - DAY / 2)),
        (
            OWN._replace(newest=None, kept=0, lost=NOW - DAY, is_there=False),
            OWN._replace(root="/b/new", first=NOW - DAY / 2),
        ),
        # A replica and its master.
        (OWN, OWN._replace(root="/b/c3", host="c3", newest=NOW - 2 * DAY)),
        (OWN, OWN._replace(destination="far", root="/far/c2", newest=NOW - DAY / 2)),
        # A run that is told late, at one of two storages; a host that does not tell of its runs.
        (OWN, OWN._replace(storage="s2", newest=NOW - DAY / 2)),
        (OWN._replace(newest=NOW - DAY / 2),),
        (OWN._replace(newest=NOW - DAY / 2), OWN._replace(storage="s2", newest=NOW - DAY / 2)),
    ],
)
def test_what_is_no_claim(places: tuple[AtStorage, ...]) -> None:
    found = Witnesses(
        tuple(each for each in places if each.is_there),
        (),
        tuple(each for each in places if each.lost is not None),
    )
    assert codes(found) == []


def test_where_no_run_of_any_is_known_the_first_is_the_own_one() -> None:
    late = [OWN._replace(newest=NOW - DAY / 2), OTHER._replace(newest=NOW - DAY / 3)]
    for order in (late, late[::-1]):
        done = settled(Witnesses(tuple(order)), RUNS)
        assert ([each.root for each in done.places], len(done.claimed)) == (["/b/c2"], 1)
    # Without any run at all there is nothing to go by, and "never backed up" is told.
    assert not settled(Witnesses(tuple(late)), []).claimed


def test_what_is_pulled_goes_by_the_clock_of_the_run() -> None:
    """A storage may have begun to wait for its client long before, or comes while it waits."""
    pulled = [run._replace(direction="passive", duration=600.0) for run in RUNS]
    for late in (-3600.0, -60.0, 0.0, 500.0):
        place = OWN._replace(root="/pulled", newest=NOW - DAY + late)
        assert codes(Witnesses((place,), (bad(place),)), pulled) == [("CRITICAL", "bad")], late
        gone = place._replace(newest=NOW - 2 * DAY + late, lost=place.newest)
        assert codes(Witnesses((gone,), (), (gone,)), pulled) == [("CRITICAL", "bad")], late
        # A later run is known: this one is of the night before.
        older = place._replace(newest=NOW - 2 * DAY + late)
        assert codes(Witnesses((older,), (bad(older),)), pulled) == [("WARNING", "bad_copy")], late
        moved = place._replace(root="/new", first=NOW - DAY)
        assert codes(Witnesses((older, moved)), pulled) == []
        assert (
            codes(Witnesses((place, place._replace(storage="s2", newest=RUNS[-1].started))), pulled)
            == []
        )
        # Nor is one of which no run is known any more the first that is.
        old = place._replace(newest=NOW - 9 * DAY + late)
        assert codes(Witnesses((place, old._replace(storage="s2")), (bad(old),)), pulled) == [
            ("WARNING", "bad_copy")
        ]
        assert codes(Witnesses((old,), (bad(old),)), pulled[-1:]) == [("WARNING", "bad_copy")]
        # What another client puts beside it is none of these.
        assert codes(
            Witnesses((place, OTHER._replace(destination="push")), (bad(place),)), pulled
        ) == [("CRITICAL", "bad"), CLAIMED]


TIMES = st.sampled_from([NOW - quarter * DAY / 4 for quarter in range(1, 13)])


@dataclass(frozen=True)
class World:
    """Own directories hold what runs have made; others hold anything, seen at any time."""

    own: tuple[AtStorage, ...]
    others: tuple[AtStorage, ...]
    is_bad: bool


@st.composite
def worlds(draw: st.DrawFn) -> World:
    stores = [(storage, name) for storage in ("s1", "s2") for name in ("kept", "far")]
    own = tuple(
        OWN._replace(
            storage=storage,
            destination=name,
            newest=draw(st.sampled_from([run.started for run in RUNS])),
        )
        for storage, name in draw(st.lists(st.sampled_from(stores), min_size=1, unique=True))
    )
    others = tuple(
        OTHER._replace(
            storage=storage,
            destination=name,
            newest=draw(TIMES),
            first=draw(st.one_of(TIMES, st.just(0.0))),
            host=draw(st.sampled_from(["c1", "c2"])),
            held=draw(st.sampled_from(["", "it is short"])),
        )
        for storage, name in draw(st.lists(st.sampled_from(stores), unique=True))
    )
    return World(own, others, draw(st.booleans()))


@given(worlds())
def test_no_other_directory_makes_a_verdict_better(world: World) -> None:
    """What the newest backup of a client is worth depends on its own directories alone."""
    flawed = bad(world.own[0], *((each, False) for each in world.own[1:]), run="0f")
    known = {each.name: each for each in world.own}
    guesses = tuple(
        SameRun(each.in_root, False, "aa")
        for each in world.others
        if each.newest == world.own[0].newest
    )
    where = {name: getattr(world.own[0], name) for name in ("storage", "destination")}
    flaws = (flawed._replace(**where),) if world.is_bad else ()
    alone = settled(Witnesses(world.own, flaws), RUNS)
    with_guesses = tuple(each._replace(same=each.same + guesses) for each in flaws)
    both = settled(Witnesses((*world.own, *world.others), with_guesses), RUNS)
    before = {(each.verdict, each.code) for each in wrong(alone, RUNS[-1], NOW)}
    after = {(each.verdict, each.code) for each in wrong(both, RUNS[-1], NOW)}
    assert {each for each in before if each[1] in ("bad", "bad_copy")} <= after
    assert all(each.root == "/b/c1" for each in both.claimed)
    assert {*known} <= {each.name for each in both.places}
