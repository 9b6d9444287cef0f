"""`b1000 prune` where a backup, the configuration or the root's own file is wrong."""

from datetime import datetime, timedelta
from pathlib import Path

from b1000.b1k.mark import Counts
from tests.support.stored import a_mark, identify, put
from tests.support.world import World

TODAY = datetime.now().replace(hour=1, minute=0, second=0, microsecond=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def configure(world: World, **options: object) -> Path:
    """A store of rules by which much may go at once; gives its root."""
    root = world.root / "srv"
    world.write({"dest:kept": {"type": "store", "path": root, "prune_most": "100 %", **options}})
    identify(root, TODAY - 1000 * DAY)
    return root


def two_a_day(root: Path, days: int) -> list[tuple[Path, Path]]:
    """The earlier and the later backup of each day, today's first, of two files each."""
    counts = Counts(files=2, bytes=8)
    found = []
    for ago in range(days):
        when = TODAY - ago * DAY
        pair = tuple(put(root, a_mark(when=each, counts=counts)) for each in (when, when + HOUR))
        for path in pair:
            (path / "other").write_text("text")
        found.append((pair[0], pair[1]))
    return found


def test_of_a_day_a_good_one_stays_and_one_that_is_short_goes(world: World) -> None:
    root = configure(world, keep="last 1, daily 30d", keep_least=1)
    pairs = two_a_day(root, 5)
    (pairs[2][1] / "other").unlink()
    done = world.b1000("verify")
    assert (done.returncode, done.stdout) == (1, "10 backups counted, 0 read, 1 bad\n")
    done = world.b1000("prune")
    assert done.returncode == 0, done.stderr
    text = "fewer files than its mark says: it satisfies no rule"
    assert f"removed {pairs[2][1]}: {text}" in done.stdout
    left = [[path.exists() for path in pair] for pair in pairs]
    assert left[2] == [True, False]
    assert left[0] == left[1] == left[3] == [False, True]


def test_one_that_is_short_is_none_of_the_floor(world: World) -> None:
    root = configure(world, keep="last 1", keep_least=3)
    nights = [put(root, a_mark(when=TODAY - ago * DAY)) for ago in range(5)]
    (nights[1] / "file").unlink()
    assert world.b1000("verify").returncode == 1
    assert world.b1000("prune").returncode == 0
    assert [path.exists() for path in nights] == [True, False, True, True, False]
