"""What a client may say of itself."""

from datetime import UTC, datetime

import pytest

from b1000.exchange import claims
from b1000.jobs import Pull
from b1000.runs.run import Client
from b1000.runs.states import CopyStatus, Status, Step
from b1000.runs.task import Taken

NOW = datetime(2026, 11, 23, 5).timestamp()


def client(
    host: str = "ext", start: str = "2026-11-23-04-29-00", started: float | None = None
) -> Client:
    file = f"ext--{start}.b1k"
    state = (Step.COPYING, Status.OK, "atm", "backup-2", CopyStatus.COPYING)
    return Client(file, host, "ext", "", start, *state, started=started)


def refusal(
    client: Client,
    *taken: Client | Taken,
    source: str = "rsync://ext/r",
    hosts: str = "",
    now: float = NOW,
) -> str:
    pull = Pull(source, "ext", 1, 1, hosts=tuple(hosts.split()))
    copied = [each if isinstance(each, Taken) else Taken(each) for each in taken]
    return claims.refusal(client, pull, now, copied)


@pytest.mark.parametrize(
    ("host", "source", "hosts", "believed"),
    [
        ("ext", "rsync://ext/reports", "", True),
        ("ext", "rsync://storage@ext.example.org:8730/reports", "", True),
        ("ext.example.org", "rsync://ext/reports", "", True),
        ("web1", "rsync://ext/reports", "", False),
        ("ext.other.org", "rsync://ext.example.org/reports", "", False),
        ("extra", "rsync://ext/reports", "", False),
        ("web1", "rsync://ext/reports", "web1 web2", True),
        ("ext", "rsync://ext/reports", "web1 web2", False),
        ("web1.example.org", "rsync://ext/reports", "web1", False),
        ("ext", "rsync://10.0.0.5/reports", "", False),
        ("10", "rsync://10.0.0.5/reports", "", False),
        ("10.0.0.5", "rsync://10.0.0.5/reports", "", True),
        ("ext", "rsync://[fe80::1%eth0]:8730/reports", "", False),
        ("ext", "rsync://localhost/reports", "", False),
        ("ext", "rsync://10.0.0.5/reports", "ext", True),
    ],
)
def test_whose_reports_are_believed(host: str, source: str, hosts: str, believed: bool) -> None:
    why = refusal(client(host), source=source, hosts=hosts)
    assert bool(why) is not believed
    assert believed or f"report_host = {host}" in why


def test_a_start_far_ahead_is_not_believed() -> None:
    assert not refusal(client(start="2026-11-24-04-59-00"))
    assert "more than a day ahead" in refusal(client(start="2026-11-24-05-01-00"))
    assert not refusal(client(started=NOW))
    assert "more than a day ahead" in refusal(client(started=NOW + 86401))


def test_a_name_must_be_a_local_time_of_the_start() -> None:
    """The clocks of all time zones, and no others."""
    began = datetime(2026, 11, 23, 4, 29, tzinfo=UTC).timestamp()
    assert not refusal(client(start="2026-11-23-18-29-00", started=began))
    assert not refusal(client(start="2026-11-22-16-29-00", started=began))
    assert "any time zone" in refusal(client(start="2099-11-23-04-29-00", started=began))
    assert "any time zone" in refusal(client(start="2026-11-22-04-29-00", started=began))


def test_no_run_begins_before_one_that_was_copied() -> None:
    taken = client(started=NOW - 1000)
    earlier = client(start="2026-11-23-04-28-00", started=NOW - 1060)
    assert not refusal(taken, taken)
    assert not refusal(taken, earlier)
    assert "began before the run of 2026-11-23-04-29-00" in refusal(earlier, taken)
    assert not refusal(earlier._replace(step=Step.DONE), taken), (
        "it is not taken since it has ended"
    )
    assert not refusal(earlier, taken._replace(instance="other"))
    assert not refusal(earlier, taken._replace(host="other"))


HOUR, MONTH = 3600.0, 30 * 86400.0


def begun(at: float) -> Client:
    """A run of that many seconds after NOW."""
    start = datetime.fromtimestamp(NOW + at, UTC)
    return client(start=f"{start:%Y-%m-%d-%H-%M-%S}", started=NOW + at)


@pytest.mark.parametrize(
    ("last", "copied", "began", "looked", "believed"),
    [
        # The client was an hour ahead when it was copied, and was put right.
        (HOUR, 10.0, 600.0, 610.0, True),
        (HOUR, 10.0, 600.0, 2 * HOUR, True),
        (HOUR, 10.0, 9.0, 610.0, False),
        (HOUR, 10.0, -1.0, 2 * HOUR, False),
        # Both were a month ahead, and were put right.
        (MONTH, MONTH + 10, 600.0, 610.0, True),
        # This host alone was.
        (0.0, MONTH, 600.0, 610.0, True),
        (0.0, MONTH, -1.0, 610.0, False),
        # Both are right, or the client is late.
        (0.0, 10.0, 600.0, 610.0, True),
        (0.0, 10.0, -1.0, 610.0, False),
        (-HOUR, 10.0, -1.0, 610.0, True),
        (-HOUR, 10.0, -HOUR - 1, 610.0, False),
    ],
)
def test_a_clock_that_was_put_right_makes_no_run_old(
    last: float, copied: float, began: float, looked: float, believed: bool
) -> None:
    """Seconds after NOW: the run that was copied and when, the one that is there and when."""
    why = refusal(begun(began), Taken(begun(last), NOW + copied), now=NOW + looked)
    assert (not why) is believed
    assert believed or "is its clock behind?" in why


def test_what_a_clock_said_that_was_ahead_is_forgotten_with_the_next_run() -> None:
    """A month later the false date is none of the future any more."""
    ahead = Taken(begun(MONTH), NOW + MONTH)
    yesterday = Taken(begun(MONTH - 86400), NOW + MONTH - 86400)
    now = NOW + MONTH + 60
    assert not refusal(begun(MONTH - 1), yesterday, ahead, now=now)
    assert refusal(begun(MONTH - 86401), yesterday, ahead, now=now)


def test_who_dates_a_run_ahead_comes_before_none_that_was_copied() -> None:
    """Of the day that a client may be ahead, nothing is left once it is behind."""
    before = Taken(begun(0), NOW + 10)
    for at in (None, NOW + 700):
        ahead = Taken(begun(20 * HOUR), at)
        assert refusal(begun(-1), ahead, before, now=NOW + 1000)
    assert refusal(begun(699), Taken(begun(20 * HOUR), NOW + 700), before, now=NOW + 1000)


@pytest.mark.parametrize("zone", [-12, 0, 14])
def test_no_later_name_is_believed(zone: int) -> None:
    began = NOW + 86400
    local = datetime.fromtimestamp(began + zone * 3600, UTC)
    one = client(start=f"{local:%Y-%m-%d-%H-%M-%S}", started=began)
    assert not refusal(one)
    assert one.start_time <= claims.latest_name(NOW)
    assert refusal(client(start=claims.latest_name(NOW + 1), started=began))
    assert refusal(client(start=claims.latest_name(NOW + 1)))
