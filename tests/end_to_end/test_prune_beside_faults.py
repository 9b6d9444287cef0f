"""`b1000 prune` where a backup, the configuration or the root's own file is wrong."""

import json
import os
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from b1000.b1k import root_id
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


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("keep", "dialy 7d", "did you mean 'daily'"),
        ("keep_least", "ten", "must be an integer from 1 to 100000, not 'ten'"),
        ("keep_unfinished", "30", "'30' is no span"),
        ("prune_most", "5", "'5' is no percentage"),
        ("keep_least", "$keep_most", "$keep_most is not an option"),
        ("verify", "30", "'30' is no span"),
        ("report", "nobody", "there is no [report:nobody]"),
    ],
)
@pytest.mark.parametrize("words", [["--more"], ["--gone", "etc/web1"], ["-n", "--more"]])
def test_nothing_goes_where_an_option_of_keeping_is_wrong(
    world: World, option: str, value: str, told: str, words: list[str]
) -> None:
    """By the default in its place more would go than is meant. Other destinations go on."""
    root, other = world.root / "srv", world.root / "other"
    rules = {"type": "store", "keep": "last 3", "prune_most": "100 %"}
    world.write(
        {
            "dest:wrong": {**rules, "path": root, option: value},
            "dest:right": {**rules, "path": other},
        }
    )
    kept: list[Path] = []
    thinned: list[Path] = []
    for where, nights, host in ((root, kept, "web1"), (other, thinned, "web2")):
        identify(where, TODAY - 1000 * DAY)
        nights += [put(where, a_mark(when=TODAY - ago * DAY, host=host)) for ago in range(6)]
    done = world.b1000("prune", *words)
    assert done.returncode == 1
    assert told in done.stderr
    assert "destination wrong: nothing is removed: an option of it is wrong: " in done.stderr
    assert all(path.exists() for path in kept)
    left = [path.exists() for path in thinned]
    assert left == [True] * (6 if "-n" in words else 3) + [False] * (0 if "-n" in words else 3)
    if "-n" in words:
        assert f"remove {kept[5].relative_to(root)}" not in done.stdout
        assert "nothing goes while an option of its destination is wrong" in done.stdout


def test_a_keep_without_marks_removes_nothing(world: World) -> None:
    """It is an error of the configuration, and was told while backups went by it."""
    root = world.root / "srv"
    rules = {"type": "active", "keep": "last 3", "prune_most": "100 %", "mark": "no"}
    world.write({"dest:kept": {**rules, "path": root}})
    identify(root, TODAY - 1000 * DAY)
    nights = [put(root, a_mark(when=TODAY - ago * DAY)) for ago in range(6)]
    done = world.b1000("prune", "--more")
    assert done.returncode == 1
    assert "with mark = no nothing says which backups are complete" in done.stderr
    assert all(path.exists() for path in nights)


@pytest.mark.parametrize("wrong", [{"keep": "dialy 7d"}, {"keep_least": "ten"}])
def test_nothing_goes_of_a_tree_whose_other_section_is_wrong(
    world: World, wrong: dict[str, str]
) -> None:
    root = world.root / "srv"
    rules = {"type": "store", "path": root, "keep": "last 3", "prune_most": "100 %"}
    world.write({"dest:right": rules, "dest:wrong": {**rules, **wrong}})
    identify(root, TODAY - 1000 * DAY)
    nights = [put(root, a_mark(when=TODAY - ago * DAY)) for ago in range(6)]
    done = world.b1000("prune")
    assert done.returncode == 1
    assert "destinations right and wrong have different rules" in done.stderr
    assert all(path.exists() for path in nights)


def nights_at(root: Path, number: int = 6) -> list[Path]:
    return [put(root, a_mark(when=TODAY - ago * DAY)) for ago in range(number)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"\0" * 64, "holds no id"),
        (b"uid = 0f\ntime = yesterday at noon....\n", "holds no id"),
        (b"x" * 100_000, "holds no id"),
    ],
    ids=["empty", "zeros", "garbled", "long"],
)
def test_an_id_file_that_is_damaged_is_told_and_written_anew_by_adopt(
    world: World, content: bytes, told: str
) -> None:
    root = configure(world, keep="last 3")
    nights = nights_at(root)
    file = root / ".b1000-id"
    file.write_bytes(content)
    first = min(Path(f"{night}.b1k").stat().st_ctime for night in nights)
    done = world.b1000("prune")
    assert done.returncode == 1
    remedy = f"{file} {told}; `b1000 mark --adopt -f {world.config}` writes it anew"
    assert f"nothing is removed: {remedy}" in done.stderr
    assert "mounted" not in done.stderr
    done = world.b1000("verify")
    assert done.returncode == 1
    assert remedy in done.stderr
    assert file.read_bytes() == content, "by its time backups go: no verify sets that"
    done = world.b1000("mark", "--adopt")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{file}: was damaged, and is written anew\n0 marks written\n"
    assert root_id.parse(file.read_bytes()).created == int(first)
    assert sorted(path.name for path in root.iterdir()) == [".b1000-id", "etc"]
    before = file.read_bytes()
    assert world.b1000("mark", "--adopt").stdout == "0 marks written\n"
    assert file.read_bytes() == before
    assert world.b1000("prune").returncode == 0
    assert [path.exists() for path in nights] == [True] * 3 + [False] * 3


@pytest.mark.parametrize("what", ["FIFO", "directory", "symbolic link"])
def test_what_is_no_file_in_the_place_of_an_id_is_told_and_left(world: World, what: str) -> None:
    root = configure(world, keep="last 3")
    nights = nights_at(root)
    file, elsewhere = root / ".b1000-id", world.root / "elsewhere"
    file.rename(elsewhere)
    if what == "FIFO":
        os.mkfifo(file)
    elif what == "directory":
        file.mkdir()
    else:
        elsewhere.write_bytes(b"")
        file.symlink_to(elsewhere)
    before = (file.lstat().st_ino, elsewhere.read_bytes())
    told = f"{file} is a {what}, not a file; mend that, or remove it and let `b1000 mark --adopt"
    for words in (["prune"], ["verify"], ["mark", "--adopt"]):
        done = world.b1000(*words)
        assert done.returncode == 1, words
        assert told in done.stderr
    assert (file.lstat().st_ino, elsewhere.read_bytes()) == before
    assert all(path.exists() for path in nights)


def test_an_id_file_that_is_damaged_makes_no_root_of_a_mount_point(world: World) -> None:
    """Where no mark lies nothing says that it is the root, and nothing is written there."""
    root = configure(world, keep="last 3")
    put(root, a_mark(), marked=False)
    (root / ".b1000-id").write_bytes(b"")
    for words in (["prune"], ["mark", "--adopt"]):
        done = world.b1000(*words)
        assert done.returncode == 1, words
        assert ".b1000-id is empty" in done.stderr
        assert "is its disk mounted?" in done.stderr
    world.b1000("verify")
    assert (root / ".b1000-id").read_bytes() == b""


def test_the_new_time_of_an_id_file_is_that_at_which_the_first_mark_was_put_there(
    world: World,
) -> None:
    """Of an old run too, as adopted ones are: legacy stays legacy. A later upload is unfinished,
    however late the file was damaged, and no `--any` restores it for one without a mark.
    """
    root = configure(world, keep="last 3")
    first = put(root, a_mark(when=TODAY - 90 * DAY))
    marked = int(Path(f"{first}.b1k").stat().st_ctime)
    old = put(root, a_mark(when=TODAY - 50 * DAY), marked=False)
    late = put(root, a_mark(when=datetime.fromtimestamp(marked + 1)), marked=False)
    file = root / ".b1000-id"
    while file.stat().st_ctime < marked + 3:
        time.sleep(0.05)
        file.write_bytes(b"\0")
    put(root, a_mark(when=TODAY - 80 * DAY))
    assert world.b1000("mark", "--adopt").returncode == 0
    backups = json.loads(world.b1000("list", "--json").stdout)["backups"]
    states = {each["path"]: each["state"] for each in backups}
    assert (states[str(old)], states[str(late)]) == ("legacy", "unfinished")


@pytest.mark.parametrize("words", [[], ["-n"]])
def test_a_sick_group_is_told_also_where_nothing_is_due(world: World, words: list[str]) -> None:
    """Of a prune from cron somebody would hear only once there are more than keep_least."""
    keep = "etc: last 3\n  mail/web1: last 3"
    root = configure(world, keep=keep)
    nights = nights_at(root, 3)
    (nights[0] / "file").unlink()
    alone = put(root, a_mark("mail"))  # of one backup nothing ever goes
    strange = [put(root, a_mark("photos", when=TODAY - ago * DAY)) for ago in range(3)]
    for path in (alone, strange[0]):
        (path / "file").unlink()
    assert world.b1000("verify").returncode == 1
    done = world.b1000("prune", *words)
    assert done.returncode == 1
    name = nights[0].relative_to(root)
    why = f"the newest complete one, {name}, has fewer files than its mark says"
    assert f"kept: etc/web1 is held back: {why}" in done.stderr
    assert done.stderr.count("held back") == 1, "no line of keep fits the others"
    answer = json.loads(world.b1000("prune", *words, "--json").stdout)
    told = {(each["job"], each["held_back"]) for each in answer["backups"]}
    assert told == {("etc", why), ("mail", ""), ("photos", "")}
    assert {each["decision"] for each in answer["backups"]} == {"keep"}
    assert all(path.exists() for path in (*nights, alone, *strange))
