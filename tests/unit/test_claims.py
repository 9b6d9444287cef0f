"""What a client may say of itself."""

from datetime import UTC, datetime

import pytest

from b1000.exchange import claims
from b1000.jobs import Pull
from b1000.runs.run import Client
from b1000.runs.states import CopyStatus, Status, Step

NOW = datetime(2026, 11, 23, 5).timestamp()


def client(
    host: str = "ext", start: str = "2026-11-23-04-29-00", started: float | None = None
) -> Client:
    file = f"ext--{start}.b1k"
    state = (Step.COPYING, Status.OK, "atm", "backup-2", CopyStatus.COPYING)
    return Client(file, host, "ext", "", start, *state, started=started)


def refusal(client: Client, *taken: Client, source: str = "rsync://ext/r", hosts: str = "") -> str:
    pull = Pull(source, "ext", 1, 1, hosts=tuple(hosts.split()))
    return claims.refusal(client, pull, NOW, taken)


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
    assert not refusal(earlier, taken._replace(instance="other"))
    assert not refusal(earlier, taken._replace(host="other"))
