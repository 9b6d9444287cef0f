"""`b1000 prune` on a storage, and the clients that push into it: nothing under way is removed."""

import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.clock import Clock
from tests.support.daemon import Daemon
from tests.support.stored import but_space, identify
from tests.support.world import World, wait_until


class Both(NamedTuple):
    """A client, the daemon that it pushes to, and the host that prunes what lies there."""

    client: World
    daemon: Daemon
    storage: World

    @property
    def root(self) -> Path:
        """Where the backups lie."""
        return self.daemon.module("b1000")

    def fulls(self, job: str = "dump") -> list[str]:
        """The names of the directories of a job."""
        return sorted(path.name for path in (self.root / job).glob("*/*/"))


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    hosts = []
    for name in ("client", "storage"):
        (tmp_path / name).mkdir()
        hosts.append(World(tmp_path / name))
    client, storage = hosts
    daemon = Daemon(tmp_path / "daemon", {"b1000": "exclude = refused"}).start()
    found = Both(client, daemon, storage)
    kept = {"keep": "last 3", "prune_most": "100 %"}
    storage.write({"dest:clients": {"type": "store", "path": found.root, **kept}})
    identify(found.root, datetime.now() - timedelta(days=900))
    yield found
    daemon.stop()


def test_a_ticket_of_twenty_days_keeps_its_directory_until_the_client_is_silent(
    both: Both, tmp_path: Path
) -> None:
    """Two instances of which one file is refused, tried for twenty days with --copy; other runs
    are complete meanwhile. Then one goes through, and the other one is given up.

    keep_unfinished is 14 days; the clock of both hosts is moved, and the times of files are now.
    """
    client, clock = both.client, Clock(tmp_path)
    seeds = [client.source / f"seed-{each}" for each in "ab"]
    for seed in seeds:
        seed.mkdir()
        (seed / "file").write_text("what comes through")
    dump = f"{client.source}/$instance-$start_time"
    own = {
        "instances": "a b",
        "include": f"{dump}/",
        "pre": f"cp -r {client.source}/seed-$instance {dump}",
    }
    client.write(
        {
            "dest:store": {"type": "active", "path": both.daemon.url("b1000")},
            "job:dump": client.push(**own),
        }
    )

    def prune(day: float) -> list[str]:
        done = both.storage.b1000("prune", environment=clock.at(day - 20))
        assert (done.returncode, but_space(done.stderr)) == (0, ""), day
        return both.fulls()

    assert client.b1000(environment=clock.at(-21)).returncode == 0
    for seed in seeds:
        (seed / "refused").write_text("what does not")
    assert client.b1000(environment=clock.at(-20)).returncode == 1
    tickets = both.fulls()[1::2]
    assert len(both.fulls()) == len(prune(0)) == 4
    for seed in seeds:
        (seed / "refused").unlink()
    assert client.b1000(environment=clock.at(-11)).returncode == 0
    others = [name for name in both.fulls() if name not in tickets]
    dumps = [path for path in client.source.iterdir() if (path / "refused").exists()]
    assert (len(dumps), len(others)) == (2, 4)
    for day in (13, 20):
        for path in dumps:
            (path / f"of day {day}").write_text("what has come")
        done = client.b1000("--copy", environment=clock.at(day - 20))
        assert done.returncode == 1, done.stdout
        assert sorted(prune(day)) == sorted([*tickets, *others]), day
    for path in dumps:
        (path / "refused").unlink()
    assert client.b1000("forget", "dump/b").returncode == 0
    assert client.b1000("--copy").returncode == 0
    assert len(prune(20)) == 6
    assert len(prune(33.9)) == 6
    left = prune(34.1)
    assert left == sorted([tickets[0], *others])
    (whole,) = (both.root / "dump").glob(f"*/{tickets[0]}")
    assert sorted(path.name for path in whole.iterdir()) == ["file", "of day 13", "of day 20"]
    assert Path(f"{whole}.b1k").exists()


@pytest.mark.parametrize("kind", ["full", "sync"])
def test_what_is_pushed_at_this_moment_is_of_nobody_who_is_gone(both: Both, kind: str) -> None:
    """`prune --gone` of its host, by a slip, during the push."""
    client = both.client
    (client.source / "large").write_bytes(bytes(600_000))
    slow = {"type": "active", "path": both.daemon.url("b1000"), "bwlimit": 200}
    client.write({"dest:store": slow, "job:etc": client.push(type=kind)})
    assert client.b1000().returncode == 0
    (client.source / "large").write_bytes(bytes(range(250)) * 2400)
    pushing = client.start()
    wait_until(
        lambda: [*both.root.glob("etc/**/.large.*"), *both.root.glob("etc/**/.b1000-partial/*")]
    )
    stopped = client.rsyncs()
    for process in stopped:
        process.send_signal(signal.SIGSTOP)
    before = sorted(both.root.rglob("*"))
    done = both.storage.b1000("prune", "--gone", "etc/client")
    assert sorted(both.root.rglob("*")) == before
    for process in stopped:
        process.send_signal(signal.SIGCONT)
    said = pushing.communicate(timeout=120)
    assert pushing.returncode == 0, said
    assert done.returncode == 1
    assert "its source may not be gone" in done.stderr
    assert len(list(both.root.glob("etc/**/*.b1k"))) == (2 if kind == "full" else 1)
    # The client has ended well, and is gone.
    assert both.storage.b1000("prune", "--gone", "etc/client").returncode == 0
    assert list(both.root.glob("etc/**/large")) == []
