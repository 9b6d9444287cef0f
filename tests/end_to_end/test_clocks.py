"""Clocks that were wrong and have been put right, at a client and at its storage."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client import last
from tests.support.clock import Clock
from tests.support.daemon import Daemon
from tests.support.hosts import WHOLE, ClientHost, StorageHost
from tests.support.world import World

HOUR, MONTH = 1 / 24, 30.0


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


@pytest.fixture
def hosts(tmp_path: Path, daemon: Callable[..., Daemon]) -> tuple[ClientHost, StorageHost]:
    shared = daemon({"reports": "", "backup": "read only = yes"})
    client = ClientHost(tmp_path / "client", "ext", shared).passive()
    return client, StorageHost(tmp_path / "storage", "backup-2").pulls(client)


def pulled(client: ClientHost, storage: StorageHost, *at: dict[str, str]) -> None:
    """A run of both, each by its clock, that ends well."""
    running = [
        host.start(environment=each) for host, each in zip((client, storage), at, strict=True)
    ]
    for each in running:
        out, err = each.communicate(timeout=120)
        assert each.returncode == 0, out + err


@pytest.mark.parametrize(
    ("at_client", "at_storage"), [(MONTH, MONTH), (HOUR, HOUR), (HOUR, 0.0), (0.0, MONTH)]
)
def test_a_pull_goes_on_once_clocks_are_right(
    clock: Clock, hosts: tuple[ClientHost, StorageHost], at_client: float, at_storage: float
) -> None:
    """The report of the run that was copied is there, and dated after the next one."""
    pulled(*hosts, clock.at(at_client), clock.at(at_storage))
    for count in (2, 3):
        pulled(*hosts, clock.at(0), clock.at(0))
        client, storage = hosts
        (relayed,) = last(storage, "ext").clients
        assert relayed.start_time == last(client, "ext").start_time
        assert (relayed.step, relayed.status) == ("DONE", "OK")
        assert storage.copied() == [WHOLE] * count


def test_many_reports_of_a_future_hide_no_report(
    clock: Clock, hosts: tuple[ClientHost, StorageHost]
) -> None:
    """A look reads some reports of a job only, the newest first."""
    client, storage = hosts
    pulled(*hosts, clock.at(MONTH), clock.at(MONTH))
    reports = client.daemon.module("reports")
    (ahead,) = reports.glob("*.b1k")
    other = r"start_time = {}-01-01 00:00:00\n"
    for year in range(2040, 2052):
        text = re.sub(r"start_time = .*\n", other.format(year), ahead.read_text())
        (reports / f"ext--{year}-01-01-00-00-00.b1k").write_text(text)
    pulled(*hosts, clock.at(0), clock.at(0))
    assert storage.copied() == [WHOLE] * 2


@pytest.mark.parametrize(
    ("zone", "days"), [("UTC-1", 0.0), ("UTC0", MONTH)], ids=["other zone", "ahead"]
)
@pytest.mark.parametrize("keep", [1, 2])
def test_the_last_runs_keep_their_report_files(
    world: World, clock: Clock, zone: str, days: float, keep: int
) -> None:
    """Local time goes back after the first of them."""
    world.files()
    world.write(
        {
            "report:main": {"keep": keep},
            "dest:store": world.store(),
            "job:etc": world.push(),
        }
    )
    names: list[str] = []
    for environment in ({"TZ": zone, **clock.at(days)}, *[{"TZ": "UTC0", **clock.at(0)}] * 3):
        done = world.b1000(environment=environment)
        assert done.returncode == 0, done.stdout
        names.append(f"etc--{last(world, 'etc').start_time}.b1k")
        assert sorted(world.report_files()) == sorted(names[-keep:])
    assert names[0] == max(names)
