"""Which backups are kept: tables of cases, and what must hold whatever lies there."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b1000 import keep
from b1000.prune import pruning, retention
from b1000.prune.retention import Held, Terms, Verdict
from b1000.storage.backup import State
from tests.support.chance import examples

NOW = datetime(2026, 11, 22, 12)
DAY = timedelta(days=1)


def held(ago: float, state: State = State.COMPLETE, **more: Any) -> Held:
    at = NOW - ago * DAY
    return Held(f"{at:%Y-%m-%d-%H:%M:%S}", at, state, max(at, NOW - 400 * DAY))._replace(**more)


def terms(text: str, **more: Any) -> Terms:
    rules = keep.parse(text)[0].rules
    return Terms(rules, NOW, NOW - 500 * DAY, most=1.0)._replace(**more)


def kept(verdict: Verdict) -> list[int]:
    """How many days ago those were that stay, newest first."""
    gone = set(verdict.removed)
    days = [
        (NOW - datetime.strptime(each.name, "%Y-%m-%d-%H:%M:%S")).days
        for each in verdict.decisions
        if each.name not in gone
    ]
    return sorted(days)


NIGHTS = [held(ago) for ago in range(100)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all 7d", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("last 4", [0, 1, 2, 3]),
        ("daily 2d", [0, 1, 2]),
        # 22 November 2026 is a Sunday; of each week the newest stays. The oldest is older than 3w.
        ("weekly 3w", [0, 1, 2, 7, 14, 21]),
        # 100 nights begin on 15 August, within 4 months: that one stands for August's first.
        ("monthly 4m", [0, 1, 2, 22, 53, 83, 99]),
        ("monthly 3m", [0, 1, 2, 22, 53, 83]),
        ("yearly ever", [0, 1, 2, 99]),
        ("last 1", [0, 1, 2]),
    ],
)
def test_of_each_period_the_newest_stays(text: str, expected: list[int]) -> None:
    assert kept(retention.decide(NIGHTS, terms(text))) == expected


@pytest.mark.parametrize("text", ["last 1", "daily 2d", "hourly 1d"])
def test_in_an_hour_that_a_night_has_twice_the_newest_is_that_of_restore(text: str) -> None:
    """The clock was set back at 3:00 to 2:00 between these two."""
    night = datetime(2026, 10, 25, 2)
    named = {
        "before": night - 40 * DAY,
        "first": night + timedelta(minutes=50),
        "second": night + timedelta(minutes=10),
    }
    began = {"before": 0.0, "first": 50 * 60.0, "second": 70 * 60.0}
    group = [
        Held(name, at, State.COMPLETE, at, moment=began[name])._replace(size=10)
        for name, at in named.items()
    ]
    verdict = retention.decide(group, terms(text, least=1))
    assert set(verdict.removed) == {"before", "first"}
    assert "the newest complete one" in next(
        each.reasons for each in verdict.decisions if each.name == "second"
    )


def test_failed_nights_age_nothing_out() -> None:
    old = [held(ago) for ago in range(30, 40)]
    assert kept(retention.decide(old, terms("all 7d"))) == list(range(30, 38))
    failed = [held(ago, State.UNFINISHED) for ago in range(30)]
    verdict = retention.decide(old + failed, terms("all 7d"))
    assert set(range(30, 38)) <= set(kept(verdict))


def test_an_unfinished_one_displaces_nothing_and_stays_while_it_may_be_resumed() -> None:
    fresh = held(1, State.UNFINISHED)
    old = held(20, State.UNFINISHED, newest_change=NOW - 20 * DAY)
    resumed = held(21, State.UNFINISHED, newest_change=NOW - DAY)
    unseen = held(22, State.UNFINISHED, newest_change=None)
    verdict = retention.decide([held(0), held(2), fresh, old, resumed, unseen], terms("last 2"))
    assert kept(verdict) == [0, 1, 2, 21, 22]
    newer = held(0, State.UNFINISHED, newest_change=NOW - 90 * DAY, first_seen=NOW - 90 * DAY)
    assert kept(retention.decide([held(90), newer], terms("last 1"))) == [0, 90]


WRONG = pytest.mark.parametrize(
    ("wrong", "words"),
    [({"bad": True}, "known bad"), ({"short": True}, "fewer files than its mark says")],
    ids=["bad", "short"],
)


@WRONG
def test_what_is_known_bad_satisfies_no_rule(wrong: dict[str, Any], words: str) -> None:
    nights = [held(ago, **wrong if ago in (1, 2) else {}) for ago in range(6)]
    verdict = retention.decide(nights, terms("last 3"))
    assert kept(verdict) == [0, 3, 4]
    assert verdict.decisions[4].reasons == (f"{words}: it satisfies no rule",)
    few = [held(0), held(1, **wrong), held(2)]
    assert kept(retention.decide(few, terms("last 1"))) == [0, 1, 2]


@WRONG
def test_what_is_known_bad_displaces_no_good_one(wrong: dict[str, Any], words: str) -> None:
    """Two each day, of which the later one of the third day is wrong; nor is it of the floor."""
    group = [held(ago + part) for ago in range(5) for part in (0, 0.25)]
    group[4] = group[4]._replace(**wrong)
    later, earlier = group[4], group[5]
    for text, least in (("daily 30d", 1), ("last 1", 3)):
        verdict = retention.decide(group, terms(text, least=least))
        assert later.name in verdict.removed
        assert earlier.name not in verdict.removed or text == "last 1"
    reasons = {each.name: each.reasons for each in verdict.decisions}
    assert reasons[later.name] == (f"{words}: it satisfies no rule",)
    floor = retention.decide([held(0), held(1, **wrong), held(2), held(3)], terms("last 1"))
    assert kept(floor) == [0, 2, 3]


@pytest.mark.parametrize(
    ("newest", "words"),
    [
        ({"bad": True}, "known to be bad"),
        ({"short": True}, "fewer files"),
        ({"size": 49}, "half of the median"),
    ],
)
def test_a_sick_group_is_not_thinned(newest: dict[str, Any], words: str) -> None:
    nights = [held(ago, size=100) for ago in range(1, 20)]
    verdict = retention.decide([held(0, **newest), *nights], terms("last 3"))
    assert verdict.removed == ()
    assert words in verdict.held_back
    assert len(retention.decide([held(0, size=51), *nights], terms("last 3")).removed) == 17
    few = retention.decide([held(0, **newest), *nights[:2]], terms("last 3"))
    assert words in few.held_back, "also where nothing is due yet"
    alone = retention.decide([held(0, **newest)], terms("last 3"))
    assert alone.held_back == "", "of one alone nothing ever goes"
    for strange in ({"sync": True}, {"state": State.UNFINISHED}):
        other = [each._replace(**strange) for each in (held(0, **newest), *nights[:2])]
        assert retention.decide(other, terms("last 3")).held_back == ""


def test_more_than_a_share_does_not_go_at_once_but_one_always_may() -> None:
    four = [held(ago) for ago in range(4)]
    assert len(retention.decide(four, terms("last 3", most=0.1)).removed) == 1
    ten = [held(ago) for ago in range(10)]
    verdict = retention.decide(ten, terms("last 3", most=0.25))
    assert "7 of 10 would go" in verdict.held_back
    assert verdict.removed == ()
    assert len(retention.decide(ten, terms("last 3", most=0.25, more=True)).removed) == 7


def test_a_date_in_the_future_is_never_the_newest() -> None:
    ahead = held(-3650)
    verdict = retention.decide([ahead, *NIGHTS], terms("all 7d"))
    assert kept(verdict) == [-3650, *range(8)]
    assert "ahead of this clock" in verdict.notes[0]


@pytest.mark.parametrize(
    ("marked", "is_planted"),
    [
        (None, True),
        (29.9, False),  # as it was copied
        (16.1, False),
        (15.9, True),
        (0.5, True),  # long after its name, though before anybody looked
        (30.9, False),  # the storage is in another time zone
        (31.1, True),  # by a clock that was behind, which proves nothing
    ],
)
def test_what_came_when_its_mark_did_is_not_planted(marked: float | None, is_planted: bool) -> None:
    late = held(30, first_seen=NOW)
    when = None if marked is None else NOW - marked * DAY
    assert retention.planted(late, terms("all 90d"))
    assert retention.planted(pruning.come_by(late, when), terms("all 90d")) is is_planted


def test_planted_backups_fill_no_slot_and_go_by_themselves() -> None:
    planted = [
        held(ago, first_seen=NOW - seen * DAY)
        for ago, seen in ((40, 1), (70, 2), (41, 15), (71, 16))
    ]
    nights = [held(ago) for ago in (0, 10, 50, 80)]
    verdict = retention.decide([*nights, *planted], terms("monthly 12m"))
    assert kept(verdict) == [0, 10, 40, 50, 70, 80]
    assert len(verdict.notes) == 4


def test_of_a_client_that_ended_while_nobody_looked_what_came_late_stays() -> None:
    """The storage was off for two months. What is newer than all that it had seen is no plant."""
    late = [held(ago, first_seen=NOW - 15 * DAY) for ago in (40, 45, 50)]
    nights = [held(ago) for ago in (60, 70, 80)]
    old = held(65, first_seen=NOW - 15 * DAY)
    verdict = retention.decide([*nights, *late, old], terms("last 3"))
    assert kept(verdict) == [40, 45, 50, 60, 70, 80]
    assert len(verdict.notes) == 4


def test_an_upload_that_began_late_stays_as_long_as_it_goes_on() -> None:
    """A ticket of `b1000 --copy` waited for its storage longer than keep_unfinished."""
    upload = held(50, State.UNFINISHED, first_seen=NOW - 20 * DAY, newest_change=NOW - DAY)
    nights = [held(ago) for ago in (0, 1, 60)]
    assert kept(retention.decide([*nights, upload], terms("last 3"))) == [0, 1, 50, 60]
    silent = upload._replace(newest_change=NOW - 15 * DAY)
    assert kept(retention.decide([*nights, silent], terms("last 3"))) == [0, 1, 60]


def test_what_has_a_mark_that_cannot_be_used_stays() -> None:
    """One of a newer B1000, or that could not be read: nobody knows whether it is complete."""
    group = [held(0), held(1), held(2)]
    flawed = [
        held(40, State.UNFINISHED, newest_change=NOW - 40 * DAY, flawed=True),
        held(300, State.LEGACY, flawed=True),
    ]
    verdict = retention.decide([*group, *flawed], terms("last 3"))
    assert kept(verdict) == [0, 1, 2, 40, 300]
    assert verdict.decisions[0].reasons == ("the mark beside it cannot be used",)


def test_legacy_ones_are_thinned_among_themselves() -> None:
    legacy = [held(ago, State.LEGACY) for ago in range(5, 15)]
    assert kept(retention.decide([held(0), *legacy], terms("all 6d"))) == [0, 5, 6, 7]
    good = [held(ago) for ago in range(3)]
    assert kept(retention.decide([*good, *legacy], terms("all 6d"))) == [0, 1, 2, 5, 6]
    assert kept(retention.decide(legacy, terms("all 2d"))) == [5, 6, 7]


def test_what_is_never_touched() -> None:
    untouched = [held(50, sync=True), held(51, State.WRITING), held(52, protected=True)]
    verdict = retention.decide([*NIGHTS[:20], *untouched], terms("last 3"))
    assert kept(verdict) == [0, 1, 2, 50, 51, 52]


def test_each_is_told_all_its_reasons() -> None:
    verdict = retention.decide(NIGHTS[:30], terms("all 2d, weekly 3w"))
    reasons = {each.name: each.reasons for each in verdict.decisions}
    assert reasons[NIGHTS[0].name] == (
        "all 2d",
        "weekly 3w",
        "the newest complete one",
        "one of the last 3",
    )
    assert reasons[NIGHTS[5].name] == (
        "all 2d: it is older",
        "weekly 3w: 2026-11-22 12:00:00 is newer in the same period",
    )


STATES = st.sampled_from([State.COMPLETE] * 5 + [State.WRITING, State.UNFINISHED, State.LEGACY])
RULES = st.lists(
    st.one_of(
        st.integers(1, 5).map(lambda number: f"last {number}"),
        st.builds(
            "{} {}{}".format,
            st.sampled_from(keep.PERIODS),
            st.integers(1, 40),
            st.sampled_from("hdwmy"),
        ),
        st.sampled_from(keep.PERIODS).map(lambda period: f"{period} ever"),
    ),
    min_size=1,
    max_size=4,
).map(", ".join)


@st.composite
def histories(draw: st.DrawFn) -> list[Held]:
    """Gaps, failures, bad ones, planted ones, dates ahead, ISO week 53 and 29 February."""
    hours = draw(st.lists(st.integers(-24 * 400, 24 * 2500), max_size=40, unique=True))
    group = []
    zones = draw(st.sampled_from([0, 0, 1]))
    for ago in hours:
        each = held(ago / 24, draw(STATES))
        seen = each.at if draw(st.booleans()) else NOW - draw(st.integers(0, 900)) * DAY
        group.append(
            each._replace(
                first_seen=max(min(each.at, NOW), seen),
                sync=draw(st.integers(0, 9)) == 0,
                bad=draw(st.integers(0, 5)) == 0,
                short=draw(st.integers(0, 9)) == 0,
                protected=draw(st.integers(0, 9)) == 0,
                flawed=each.state != State.COMPLETE and draw(st.integers(0, 9)) == 0,
                newest_change=draw(st.sampled_from([None, NOW, NOW - 5 * DAY, NOW - 50 * DAY])),
                size=draw(st.sampled_from([None, 0, 10, 100])),
                # Whoever writes in another time zone has other names.
                moment=each.at.timestamp() + zones * draw(st.integers(-12, 14)) * 3600.0,
            )
        )
    return group


CONDITIONS = st.builds(
    lambda text, least, most, more, since: terms(
        text, least=least, most=most, more=more, read_since=NOW - since * DAY
    ),
    RULES,
    st.integers(1, 6),
    st.sampled_from([0.0, 0.25, 1.0]),
    st.booleans(),
    st.integers(0, 3000),
)


def planted(each: Held, how: Terms) -> bool:
    return how.read_since < each.first_seen and each.first_seen - each.at > how.unfinished


def counts(each: Held, how: Terms) -> bool:
    return not (each.sync or planted(each, how) or each.at > NOW + DAY)


def order(each: Held) -> tuple[float, datetime]:
    return each.moment, each.at


@given(histories(), CONDITIONS)
@settings(max_examples=examples(400))
def test_what_must_hold_whatever_lies_there(group: list[Held], how: Terms) -> None:
    verdict = retention.decide(group, how)
    gone = set(verdict.removed)
    complete = sorted(
        (each for each in group if each.state is State.COMPLETE and counts(each, how)), key=order
    )
    if complete:
        assert complete[-1].name not in gone, "the newest complete one stays"
    come = [each for each in group if each.state is State.COMPLETE and each.at <= NOW + DAY]
    if come:
        newest = max(come, key=order)
        assert newest.name not in gone, "even if nobody had looked for long when it came"
    good = [each for each in complete if not (each.bad or each.short)]
    assert not gone & {each.name for each in good[-how.least :]}, "so many stay"
    left = [each for each in complete if each.name not in gone]
    assert len(left) >= min(how.least, len(complete))
    for each in group:
        untouched = each.sync or each.protected or each.flawed or each.state is State.WRITING
        if untouched or each.at > NOW + DAY:
            assert each.name not in gone
        if each.state is State.UNFINISHED and each.name in gone:
            assert complete
            assert complete[-1].at >= each.at
            assert NOW - each.first_seen >= how.unfinished
            assert each.newest_change is not None
            assert NOW - each.newest_change >= how.unfinished
    if complete and (complete[-1].bad or complete[-1].short):
        assert not gone
        assert verdict.held_back or len(group) == 1
    going = [each for each in group if each.name in gone and each.state != State.UNFINISHED]
    if len(going) > 1 and not how.more:
        assert len(going) <= len(group) * how.most
    assert all(each.reasons for each in verdict.decisions)


@given(histories(), CONDITIONS)
@settings(max_examples=examples(300))
def test_a_second_time_removes_nothing_more(group: list[Held], how: Terms) -> None:
    first = retention.decide(group, how)
    left = [each for each in group if each.name not in first.removed]
    second = retention.decide(left, how)
    if not first.held_back:
        assert second.removed == ()


@given(histories(), CONDITIONS, st.integers(0, 24 * 30))
@settings(max_examples=examples(300))
def test_what_does_not_count_displaces_nothing(group: list[Held], how: Terms, ago: int) -> None:
    """One more that is bad, unfinished or planted lets none go that would have stayed."""
    how = how._replace(most=1.0, read_since=NOW - 3000 * DAY)
    before = {each.name for each in retention.decide(group, how).decisions if each.keep}
    taken = {each.at for each in group}
    at = NOW - ago / 24 * DAY
    for extra in (
        held(ago / 24, State.UNFINISHED, name="extra"),
        held(ago / 24, name="extra", first_seen=at + 20 * DAY),
        held(-ago / 24 - 2, name="extra"),
    ):
        if extra.at in taken:
            continue
        after = retention.decide([*group, extra], how)
        assert before <= {each.name for each in after.decisions if each.keep}


@given(histories(), CONDITIONS, st.integers(0, 24 * 30), st.integers(-48, 48))
@settings(max_examples=examples(300))
def test_one_more_complete_one_leaves_as_many_as_the_floor(
    group: list[Held], how: Terms, ago: int, shift: int
) -> None:
    """Also when the clock of the storage is set forward or back between two nights."""
    now = how.now + timedelta(hours=shift)
    at = NOW - timedelta(hours=ago)
    if at in {each.at for each in group}:
        return
    extra = held(ago / 24, name="extra")
    before = retention.decide(group, how)
    left = [each for each in group if each.name not in before.removed]
    after = retention.decide([*left, extra], how._replace(now=now))
    gone = {*before.removed, *after.removed}

    there = [
        each
        for each in (*group, extra)
        if each.state is State.COMPLETE
        and not (each.bad or each.short or each.sync or planted(each, how))
        # One that is further ahead at both times counts for nothing.
        and each.at <= max(how.now, now) + DAY
    ]
    stay = [each for each in there if each.name not in gone]
    assert len(stay) >= min(how.least, len(there))
