"""Which report is taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b1000.errors import BadValue
from b1000.exchange import choice
from b1000.exchange.choice import Offer
from b1000.runs.run import Client
from b1000.runs.states import CopyStatus, Status, Step

NOBODY: frozenset[str] = frozenset()


def client(
    job: str = "ext",
    start: str = "2026-11-23-04-29-00",
    step: Step = Step.PRE,
    status: Status = Status.OK,
    instance: str = "",
    destination: str = "atm",
    started: float | None = None,
    transition: int | None = None,
) -> Client:
    return Client(
        f"{job}-{instance}-{start}.b1k",
        "ext",
        job,
        instance,
        start,
        step,
        status,
        destination,
        "backup-2",
        CopyStatus.INIT,
        started=started,
        transition=transition,
    )


def test_the_one_of_the_job() -> None:
    ext, www = Offer(client("ext")), Offer(client("www"))
    assert choice.choose([ext, www], "www", NOBODY).client == www.client
    assert choice.choose([ext, www], "www", frozenset({"www"})).client == www.client


def test_the_only_one_where_none_bears_the_name() -> None:
    ext = Offer(client("ext"))
    assert choice.choose([ext], "system", NOBODY).client == ext.client
    assert choice.choose([ext, Offer(client("old"), expired="dead")], "system", NOBODY).client


def test_never_that_of_another_pull() -> None:
    found = choice.choose([Offer(client("ext"))], "system", frozenset({"ext"}))
    assert found.client is None
    assert "belong to other pull jobs" in found.reason


def test_one_of_the_name_that_has_ended_is_waited_for() -> None:
    ended = Offer(client("system", step=Step.DONE))
    found = choice.choose([ended, Offer(client("ext"))], "system", NOBODY)
    assert found.client is None
    assert "has ended as OK at DONE" in found.reason


def test_several_are_an_error_that_names_them() -> None:
    offers = [Offer(client("ext")), Offer(client("www"))]
    with pytest.raises(BadValue, match=r"ext--2026.*www--2026") as caught:
        choice.choose(offers, "system", NOBODY)
    assert "report_job" in caught.value.hint
    offers = [Offer(client("ext", instance="a")), Offer(client("ext", instance="b"))]
    with pytest.raises(BadValue, match="2 reports"):
        choice.choose(offers, "ext", NOBODY)


@pytest.mark.parametrize(
    ("offer", "words"),
    [
        (Offer(client(step=Step.DONE)), "ended as OK at DONE"),
        (Offer(client(status=Status.FAILED)), "ended as FAILED at PRE"),
        (Offer(client(), answered=True), "pulled already"),
        (Offer(client(step=Step.POST)), "pulled already"),
        (Offer(client(), expired="nobody renews it"), "nobody renews it"),
    ],
)
def test_why_there_is_none(offer: Offer, words: str) -> None:
    found = choice.choose([offer], "system", NOBODY)
    assert found.client is None
    assert words in found.reason


def test_nothing_for_us() -> None:
    offers = [Offer(client(destination=""))]
    assert choice.choose(offers, "ext", NOBODY) == choice.Choice(None, "there is none")
    assert choice.choose([], "ext", NOBODY).reason == "there is none"


def test_the_newest_of_a_job_and_instance() -> None:
    old = client(start="2026-11-22-04-29-00")
    new = client(start="2026-11-23-04-29-00")
    other = client(start="2026-11-21-04-29-00", instance="a")
    assert choice.superseded([new, old, other]) == {old.file}
    assert choice.superseded([old, other, new]) == {old.file}


def test_one_that_failed_at_init_makes_none_out_of_date() -> None:
    """--copy at the client goes on with the run before it."""
    resumed = client(start="2026-11-22-04-29-00", step=Step.COPYING)
    failed = client(start="2026-11-23-04-29-00", step=Step.INIT, status=Status.FAILED)
    assert choice.superseded([resumed, failed]) == set()
    began = client(start="2026-11-24-04-29-00", step=Step.INIT)
    assert choice.superseded([resumed, failed, began]) == {resumed.file, failed.file}


def test_in_the_hour_that_autumn_repeats_the_true_time_counts() -> None:
    old = client(start="2026-10-25-02-50-00", started=100.0)
    new = client(start="2026-10-25-02-10-00", started=1300.0)
    assert choice.superseded([old, new]) == {old.file}
    assert choice.superseded([new, old]) == {old.file}


@pytest.mark.parametrize(
    ("step", "status", "first", "then", "old"),
    [
        (Step.DONE, Status.OK, 8, 9, False),
        (Step.PRE, Status.FAILED, 8, 9, False),
        (Step.DONE, Status.OK, 9, 8, True),  # another journal, or one that never was
        (Step.PRE, Status.OK, 8, 9, True),  # both are at work, as they say
        (Step.DONE, Status.OK, None, 9, True),
        (Step.DONE, Status.OK, 8, None, True),
    ],
)
def test_what_had_ended_by_then_makes_none_out_of_date(
    step: Step, status: Status, first: int | None, then: int | None, old: bool
) -> None:
    """The clock of the client was an hour ahead, and was put right."""
    ahead = client(
        start="2026-11-23-05-29-00", step=step, status=status, started=3700.0, transition=first
    )
    right = client(started=100.0, transition=then)
    assert choice.superseded([ahead, right]) == ({right.file} if old else set())
    over = right._replace(step=Step.DONE)
    assert choice.superseded([ahead, over]) == {over.file}


@given(
    st.lists(
        st.builds(
            Offer,
            st.builds(
                client,
                st.sampled_from(["ext", "www", "system"]),
                step=st.sampled_from(Step),
                status=st.sampled_from(Status),
                destination=st.sampled_from(["", "atm"]),
            ),
            st.sampled_from(["", "stale"]),
            st.booleans(),
            st.booleans(),
        ),
        max_size=6,
    ),
    st.frozensets(st.sampled_from(["ext", "www"])),
)
def test_what_is_taken_is_always_sound(offers: list[Offer], claimed: frozenset[str]) -> None:
    try:
        found = choice.choose(offers, "system", claimed)
    except BadValue:
        return
    if found.client is None:
        assert found.reason
        return
    assert found.client.destination
    assert found.client.job == "system" or found.client.job not in claimed
    assert any(offer.client == found.client and not offer.obstacle for offer in offers)
