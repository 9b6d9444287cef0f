"""The back-test of the monitor's rules in small: ``python -m bench judgement`` is the whole."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b1000.monitor.severity import Verdict
from b1000.monitor.usual import band
from b1000.monitor.verdicts import judge
from bench import judgement
from bench.faults import FAULTS, Fault
from bench.fleets import SCHEDULES, Schedule, Story, a_trait, runs_of
from bench.judgement import delay, false_alarms, seen

REGULAR = [each for each in SCHEDULES if each.name not in ("laptops", "public holidays")]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few subjects, moments and trials."""
    monkeypatch.setattr(judgement, "_SUBJECTS", 2)
    monkeypatch.setattr(judgement, "_MOMENTS", 60)
    monkeypatch.setattr(judgement, "_TRIALS", 4)


@pytest.mark.parametrize("schedule", REGULAR, ids=[each.name for each in REGULAR])
def test_a_healthy_subject_is_hardly_ever_bad(schedule: Schedule) -> None:
    critical, wrong = false_alarms(schedule)
    assert critical == 0
    assert wrong <= 0.02


@pytest.mark.parametrize("schedule", judgement.SOON)
def test_a_run_that_did_not_come_is_told_soon(schedule: str) -> None:
    (kind,) = [each for each in SCHEDULES if each.name == schedule]
    assert delay(kind) <= judgement.SOON[schedule]


@pytest.mark.parametrize("fault", FAULTS, ids=[each.name for each in FAULTS])
def test_a_situation_is_seen(fault: Fault) -> None:
    assert len(FAULTS) >= 35
    assert seen(fault) >= 0.75


def test_a_healthy_fleet_is_well_on_mondays_and_when_clocks_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judgement, "_FLEET_SIZE", 40)
    assert 100 < len(list(judgement.awkward_moments())) < 200
    assert judgement.worst_moment() <= 1 / 40


def test_what_rests_on_holidays_is_not_lost_by_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judgement, "HOLIDAYS", {date(2025, 12, 25), date(2025, 12, 26)})
    alone, together = judgement.at_holidays()
    assert alone > 0.1
    assert together == 0


def test_each_kind_of_fault_is_bad_only_by_the_fault() -> None:
    """Every made-up subject is OK at the end of its life, or its schedule leaves that open."""
    import random

    chance = random.Random(1)
    story = Story(runs_of(chance, a_trait(chance, SCHEDULES[0])))
    now = story.runs[-1].started + 12 * 3600
    assert judge(judgement._SUBJECT, story.known(now), None, now).verdict is Verdict.OK


# --- bands

SIZES = st.lists(st.integers(900, 1100), min_size=20, max_size=60)


@given(SIZES, st.integers(1, 10**9))
def test_some_runs_of_any_size_do_not_move_a_band_far(sizes: list[int], odd: int) -> None:
    """A fault that goes on for a few runs does not become what is usual."""
    found = band([*sizes, *[odd] * (len(sizes) // 8)])
    assert found is not None
    assert 600 <= found.expected <= 1600


@given(st.integers(1, 10**12), st.floats(0.0, 0.01), st.integers(15, 60))
def test_steady_growth_is_usual(size: int, growth: float, count: int) -> None:
    sizes = [size * (1 + growth) ** number for number in range(count)]
    found = band(sizes)
    assert found is not None
    assert found.holds(size * (1 + growth) ** count)


def test_a_band_needs_some_values_and_is_at_least_a_third_wide() -> None:
    assert band([1, 2, 3, 4]) is None
    found = band([100.0] * 30)
    assert found == (65.0, 100.0, 135.0)
