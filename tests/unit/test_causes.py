"""What many subjects have in common: a storage, a host, a job, as one line."""

import random

import pytest

from b1000.monitor.causes import Cause, Destination, causes, explained
from b1000.monitor.history import DAY, HOUR, PastRun, Subject
from b1000.monitor.verdicts import Judgement, Reason, judge

NOW = 1_800_000_000.0


def subject(host: str, job: str, instance: str = "", *bad: object, relay: str = "") -> Judgement:
    """One that runs daily; ``bad``: the destinations of its last two runs, or that it is silent."""
    runs = [
        PastRun(
            NOW - number * DAY - HOUR,
            done=2,
            total=2,
            bytes=10,
            made_on=host,
            places=("near", "far"),
            relayed_by=relay,
        )
        for number in range(3 if bad else 0, 30)
    ]
    for number in (1, 0) if bad and bad[0] else ():
        lost = tuple(map(str, bad))
        kept = tuple(place for place in ("near", "far") if place not in lost)
        runs.append(
            PastRun(
                NOW - number * DAY - HOUR,
                step="COPYING",
                status="FAILED",
                done=len(kept),
                total=2,
                bytes=10 if kept else None,
                made_on=host,
                places=kept,
                lacking=lost,
            )
        )
    return judge(Subject(host, job, instance), runs, None, NOW)


def of(some: list[Judgement], *destinations: Destination) -> list[tuple[str, str, int]]:
    """Kind, name and number of subjects of each cause, whatever the order of the subjects."""
    random.Random(len(some)).shuffle(some)
    found: list[Cause] = causes(some, NOW, destinations)
    return [(each.kind, each.name, len(each.subjects)) for each in found]


def well(count: int = 20) -> list[Judgement]:
    return [subject(f"well{number}", "etc") for number in range(count)]


def test_nothing_is_the_cause_of_single_failures() -> None:
    assert of(well()) == []
    assert of([*well(), subject("a", "etc", "", False), subject("b", "etc", "", "far")]) == []


def test_a_storage_that_takes_nothing_any_more() -> None:
    down = [subject(f"web{number}", "etc", "", "far") for number in range(20)]
    lately = Destination("far", last_good=NOW - 2 * DAY)
    assert of(down, lately) == [("storage", "far", 20)]
    (found,) = causes(down, NOW, [lately])
    assert found.text.startswith("storage far: no copy since ")
    # Some have failed there for long, for reasons of their own.
    later = Destination("far", last_good=NOW - 1.5 * DAY)
    assert of(down, later) == [("storage", "far", 20)]


def test_a_storage_that_takes_copies_of_others_is_not_down() -> None:
    lately = Destination("far", last_good=NOW - HOUR / 2)
    some = [subject(f"web{number}", "etc", "", "far") for number in range(4)]
    assert ("storage", "far", 4) not in of([*well(), *some], lately)


def test_a_host_that_is_down() -> None:
    gone = [subject("gone", job, "", False) for job in ("etc", "home", "mysql")]
    assert of([*well(), *gone]) == [("host", "gone", 3)]


def test_a_job_that_fails_everywhere_or_with_all_its_instances() -> None:
    everywhere = [subject(f"db{number}", "mysql", "", False) for number in range(5)]
    hosts = [subject(f"db{number}", "etc") for number in range(5)]
    assert of([*well(), *hosts, *everywhere]) == [("job", "mysql", 5)]
    instances = [subject("db1", "pg", str(number), False) for number in range(5)]
    others = [subject("db1", "home", str(number)) for number in range(5)]
    assert of([*well(), *others, *instances]) == [("job", "pg", 5)]
    elsewhere = [subject("db2", "pg", str(number)) for number in range(5)]
    assert of([*well(), *others, *instances, *elsewhere]) == [("job", "pg on db1", 5)]


def test_a_storage_that_pulls_no_more() -> None:
    silent = [subject(f"client{number}", "etc", "", False, relay="store1") for number in range(6)]
    assert of([*well(40), *silent]) == [("storage", "store1", 6)]


def test_what_fails_at_other_storages_too_fails_for_a_reason_of_its_own() -> None:
    down = night("+" * 5 + "-" * 20)
    everywhere = [subject(f"ldap{number}", "ldap", "", "near", "far") for number in range(5)]
    assert of([*down, *everywhere]) == [("storage", "far", 20), ("job", "ldap", 5)]
    # No job is to blame, and no storage either.
    others = [subject(f"a{number}", f"job{number}", "", "near", "far") for number in range(5)]
    assert of([*down, *others]) == [("storage", "far", 20)]
    # Both are down.
    both = [subject(f"a{number}", f"job{number}", "", "near", "far") for number in range(9)]
    (found,) = of([*both])
    assert found in (("storage", "far", 9), ("storage", "near", 9))


def test_a_cause_tells_not_all_of_what_is_wrong_besides() -> None:
    down = night("-" * 20)
    shrunk = Reason("shrunk", "it shrank")
    down[3] = down[3]._replace(reasons=(*down[3].reasons, shrunk))
    # Nobody reads at a storage that is down.
    down[4] = down[4]._replace(reasons=(*down[4].reasons, Reason("unread", "not read")))
    known = causes(down, NOW)
    assert [len(each.subjects) for each in known] == [20]
    assert set(explained(down, known)) == {each.subject for each in down} - {down[3].subject}


# --- a storage that still takes a few


def at_far(last_run: float, taken: bool, number: int) -> Judgement:
    """One whose last run was so long ago, and whether the storage far has a copy of it."""
    lacking = () if taken else ("far",)
    places = ("near", "far") if taken else ("near",)
    runs = [
        PastRun(
            NOW - last_run - day * DAY,
            done=2,
            total=2,
            bytes=10,
            made_on=f"web{number}",
            places=("near", "far"),
        )
        for day in range(1, 30)
    ]
    runs.append(
        PastRun(
            NOW - last_run,
            status="OK" if taken else "FAILED",
            step="DONE" if taken else "COPYING",
            done=len(places),
            total=2,
            bytes=10,
            made_on=f"web{number}",
            places=places,
            lacking=lacking,
        )
    )
    return judge(Subject(f"web{number}", "etc", ""), runs, None, NOW)


def night(taken: str) -> list[Judgement]:
    """The last runs of a night, a minute apart; ``+``: the storage took it, ``-``: it did not."""
    return [
        at_far(6 * HOUR - number * 60, each == "+", number) for number, each in enumerate(taken)
    ]


NIGHTS = {
    # taken: how many subjects the storage explains
    "+" * 10 + "-" * 10: 10,
    "-" * 10 + "+" + "-" * 10: 20,
    "-" * 19 + "+": 19,
    "+" + "-" * 19: 19,
    "-" * 5 + "+": 5,
    "-" * 4 + "+": 0,  # one of five is too many to call it down
    "+" * 20 + "-" * 6 + "+" + "-" * 13: 19,
    "+" * 20 + "-" * 4 + "+" * 5 + "-" * 10: 10,  # four failed before it, for reasons of their own
    "-" * 40 + "++" + "-" * 40: 80,
    "+-" * 10: 0,
    "+" * 50 + "-" * 3 + "+" * 47: 0,
    "-" * 3 + "+" * 30: 0,
}


@pytest.mark.parametrize("taken", NIGHTS)
def test_a_few_copies_that_a_storage_still_takes_do_not_hide_that_it_is_down(taken: str) -> None:
    explained = NIGHTS[taken]
    some = night(taken)
    assert of(some) == ([("storage", "far", explained)] if explained else [])
    # What the rows of copies tell besides is the same.
    latest = max((each.last_good or 0.0 for each in some if "far" in each.places), default=None)
    if latest:
        assert of(some, Destination("far", last_good=latest)) == of(some)


def test_what_a_storage_still_takes_is_not_denied() -> None:
    (found,) = causes(night("+" * 20 + "-" * 6 + "+" + "-" * 13), NOW)
    assert found.text.startswith("storage far: hardly a copy since ")
    (found,) = causes(night("+" * 20 + "-" * 20), NOW)
    assert found.text.startswith("storage far: no copy since ")
