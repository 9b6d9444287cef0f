"""Which backup is the newest: list, prune and restore tell the same, whatever marks claim."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.stored import a_mark, identify, put
from tests.support.world import World

DAY = timedelta(days=1)
NOW = datetime.now().replace(microsecond=0)
WARSAW = {"TZ": "Europe/Warsaw"}


@pytest.fixture
def kept(world: World) -> Path:
    """A store of which one backup is kept."""
    path = world.root / "kept"
    options = {"keep": "last 1", "keep_least": 1, "prune_most": "100%"}
    world.write({"dest:kept": {"type": "store", "path": path, **options}})
    identify(path, datetime(2020, 1, 1))
    return path


def chosen(world: World, *words: str, code: int = 0, zone: str = "UTC") -> tuple[str, str]:
    """The directory that would be restored, and what is told beside that."""
    words = ("restore", "etc", "-n", "--json", "--to", str(world.root / "to"), *words)
    done = world.b1000(*words, environment={"TZ": zone})
    assert done.returncode == code, done.stderr
    choice = json.loads(done.stdout)["choice"]
    return (choice["path"] if choice else ""), done.stderr


def test_in_an_hour_that_a_night_has_twice(world: World, kept: Path) -> None:
    """The clock was set back at 3:00, so that the one that is named 2:10 began later."""
    first, second = (
        put(kept, a_mark(when=named)._replace(started=began.timestamp()))
        for named, began in (
            (datetime(2025, 10, 26, 2, 50), datetime(2025, 10, 26, 0, 50, tzinfo=UTC)),
            (datetime(2025, 10, 26, 2, 10), datetime(2025, 10, 26, 1, 10, tzinfo=UTC)),
        )
    )
    for zone in ("UTC", "Europe/Warsaw"):
        assert chosen(world, zone=zone)[0] == str(second)
    listed = json.loads(world.b1000("list", "--json", environment=WARSAW).stdout)["backups"]
    assert [each["path"] for each in listed] == [str(first), str(second)]
    assert "the newest complete one" in listed[1]["kept_by"]
    assert world.b1000("verify", "--count", environment=WARSAW).returncode == 0
    done = world.b1000("prune", environment=WARSAW)
    assert done.returncode == 0, done.stderr
    assert (first.exists(), second.exists()) == (False, True)


@pytest.mark.parametrize("year", [2006, 2036])
def test_what_cannot_be_when_it_began_is_not_believed(world: World, kept: Path, year: int) -> None:
    """A claim of its client made a backup the newest for ever, or never."""
    older, claimed = put(kept, a_mark(when=NOW - 2 * DAY)), put(kept, a_mark(when=NOW - DAY))
    mark = Path(f"{claimed}.b1k")
    lines = mark.read_text().splitlines(keepends=True)
    mark.write_text(
        "".join(
            f"started = {year}-01-01T00:00:00Z\n" if line.startswith("started =") else line
            for line in lines
        )
    )
    path, told = chosen(world)
    assert path == str(older)
    assert f"{claimed} is passed over: unfinished" in told
    assert "not the same time in any time zone" in world.b1000("list").stderr
    assert world.b1000("prune").returncode == 0
    assert claimed.exists(), "what cannot be used is not touched"


def test_a_name_ahead_of_the_clock_is_never_restored_unseen(world: World, kept: Path) -> None:
    """Prune calls it never the newest; who restores has to ask for it."""
    now, ahead = put(kept, a_mark(when=NOW - DAY)), put(kept, a_mark(when=NOW + 3 * DAY))
    path, told = chosen(world)
    assert path == str(now)
    assert f"{ahead} is passed over: more than a day ahead of this clock by its name" in told
    now.rename(world.root / "away")
    assert "--any restores it" in chosen(world, code=1)[1]
    to = world.root / "to"
    done = world.b1000("restore", "etc", "--to", str(to), "--any")
    assert done.returncode == 3
    assert "more than a day ahead of this clock" in done.stderr
    assert (to / "file").is_file()
