"""Each column of each table of the journal damaged in turn: it costs its own run at most."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from b1000.config import loader
from b1000.config.loader import Config
from b1000.errors import B1000Error, JournalFailed, JournalUnusable
from b1000.identity import is_alive
from b1000.jobs import Job, Report
from b1000.reports import report
from b1000.reports.file import FileReport
from b1000.runs.run import label
from b1000.state.damage import suspicion
from b1000.state.opening import open_journal
from b1000.state.queries import Reader
from b1000.state.status_files import StatusFiles
from b1000.status.answer import Asked
from b1000.status.question import StatusQuestion
from b1000.supervise.recovery import foretell
from tests.support import build, damage
from tests.support.damage import Damage
from tests.support.forked import Commands, Ended, commands

ALL = {"etc", "web", "good", "db/one", "db/two"}
SAMPLE = 83  # of so many damages one is tried each time: each kind, in many columns
FEW = 401  # the same of the program itself, which takes longer
FLIPS = 16


class Scene:
    """A host, the sound journal that is damaged again and again, and where it lies."""

    def __init__(self, root: Path) -> None:
        self.world = damage.world_of(root)
        self.journal = damage.make(self.world)
        self.sound = root / "sound.sqlite3"
        shutil.copyfile(self.journal, self.sound)
        self.damages = damage.matrix(self.sound)
        self.config = loader.load(str(self.world.config))

    def with_damage(self, *damages: Damage) -> bool:
        for each in self.world.status_dir.iterdir():
            if each.is_file():
                each.unlink()
        # An earlier trial may have made directories in this very second.
        shutil.rmtree(self.world.root / "store", ignore_errors=True)
        return damage.damaged_copy(self.sound, self.journal, list(damages))


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    # In memory, where there is such a place: the journal is durable some thousand times here.
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="b1000-rows-", dir=place) as directory:
        yield Scene(Path(directory) / "world")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    with commands(tmp_path_factory.mktemp("said")) as started:
        yield started


def sampled(damages: list[Damage], one_of: int) -> list[Damage]:
    """Neighbours have another kind each, so that each column and each kind comes about."""
    return damages[::one_of]


# --- by the library's own functions, which take little time


def night(scene: Scene) -> None:
    """Everything that one b1000 asks of a journal, and all that it writes, as it does it.

    Damage that is met beyond the first look is noted, and the journal opened anew.
    """
    try:
        work(scene)
    except JournalFailed:
        assert suspicion(scene.journal).exists()
        work(scene)


def work(scene: Scene) -> None:
    with (
        contextlib.closing(open_journal(scene.journal)) as journal,
        Reader(scene.journal, suspecting=True) as reader,
    ):
        reader.look_through()
        if reader.damaged:
            journal.mend()
            reader.damaged.clear()
            reader.look_through()
            assert not reader.damaged, "it is mended for good"
        files = StatusFiles(scene.world.status_dir, "client", "b1000.cfg", reader, is_alive)
        files.refresh()
        told = FileReport(Report("main", "file", str(scene.world.reports)), reader.runs_of_files)
        with journal.transaction():
            for owed in reader.pending("main"):
                list(report.rows(owed.run))
                assert told.deliver([owed.run]) == ({owed.run.run_id}, None)
                journal.record_delivered("main", owed.run.run_id, owed.transition_id)
        assert not reader.pending("main")
        for job, instance in (("good", ""), ("etc", ""), ("web", ""), ("db", "one")):
            reader.left_running((job, instance))
            reader.unfinished_listings(job)
            build.done(journal, build.begin(journal, job, instance))
            configured = scene.config.jobs[job]
            assert isinstance(configured, Job)
            reader.bases(configured, instance)
        for run in reader.history("etc", "", 9):
            reader.orphans(run.uid)
        journal.prune(400)


def look(config: Config) -> None:
    """Everything that can be asked without running anything."""
    for asked in (
        Asked(config, StatusQuestion()),
        Asked(config, StatusQuestion(everything=True, last=5)),
        *(Asked(config, StatusQuestion(), run_id) for run_id in range(1, 7)),
    ):
        try:
            asked.for_people(None)
            json.loads(asked.for_programs().text)
        except JournalUnusable:
            assert asked.config
        except Exception as error:
            # A run that is forgotten is none that can be shown.
            if "has no run" not in str(error):
                raise
    foretell(config, [])


def try_all(scene: Scene, damages: list[Damage]) -> int:
    tried = 0
    for each in damages:
        if not scene.with_damage(each):
            continue
        tried += 1
        try:
            look(scene.config)
            for _ in range(2):
                night(scene)
                look(scene.config)
            assert not list(scene.world.status_dir.glob("*corrupt*")), "it is set aside"
        except Exception as error:
            raise AssertionError(f"{each}: {type(error).__name__}: {error}") from error
    return tried


@pytest.mark.slow
def test_no_damage_stops_what_comes_after_it(scene: Scene) -> None:
    some = sampled(scene.damages, SAMPLE)
    assert try_all(scene, some) > len(some) / 2


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", range(8))
def test_no_damage_at_all_stops_what_comes_after_it(scene: Scene, part: int) -> None:
    some = scene.damages[part::8]
    assert try_all(scene, some) > len(some) / 2


# --- by the program


def check_said(said: Ended, what: object) -> None:
    assert said.code is not None, f"{what}: it hangs"
    assert "Traceback" not in said.text, f"{what}: {said.text}"


def ask_everything(scene: Scene, program: Commands, what: object) -> None:
    for words in (
        ("status",),
        ("status", "--json"),
        ("status", "--all", "--last", "5"),
        ("status", "--run", "2"),
        ("check",),
        ("-n",),
        ("-n", "--copy"),
    ):
        check_said(program.run("-f", str(scene.world.config), *words), (what, words))


def done(scene: Scene, program: Commands) -> set[str]:
    said = program.run("-f", str(scene.world.config), "status", "--json")
    check_said(said, "status")
    return {
        label(row["job"], row["instance"])
        for row in json.loads(said.out)["runs"]
        if (row["step"], row["status"]) == ("DONE", "OK")
    }


def try_program(scene: Scene, program: Commands, *damages: Damage) -> None:
    config = str(scene.world.config)
    if not scene.with_damage(*damages):
        return
    ask_everything(scene, program, damages)
    for words in ((), ("--copy",), ("forget", "etc"), ()):
        (scene.world.root / "log").unlink(missing_ok=True)
        said = program.run("-f", config, *words)
        log = (scene.world.root / "log").read_text()
        check_said(said, (damages, words))
        assert "Traceback" not in log, f"{damages}: {log}"
        if not words:
            assert said.code == 0, f"{damages}: {said.text}{log}"
            assert done(scene, program) >= ALL, f"{damages}: {log}"
    ask_everything(scene, program, damages)


@pytest.mark.slow
def test_the_program_makes_all_other_backups(scene: Scene, program: Commands) -> None:
    for each in sampled(scene.damages, FEW):
        try_program(scene, program, each)


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", range(16))
def test_the_program_makes_all_backups_after_any_damage(
    scene: Scene, program: Commands, part: int
) -> None:
    for each in scene.damages[part::48]:
        try_program(scene, program, each)


# --- what is said of it


def by_program(scene: Scene, program: Commands, *words: str) -> Ended:
    (scene.world.root / "log").unlink(missing_ok=True)
    return program.run("-f", str(scene.world.config), *words)


def test_a_run_that_could_be_retried_is_told_and_closed(scene: Scene, program: Commands) -> None:
    assert scene.with_damage(Damage("runs", "frozen", "cut"))
    number = damage.place(scene.journal, "runs", "frozen", "cut")
    said = by_program(scene, program, "status")
    assert "damaged rows (runs.frozen)" in said.err
    said = by_program(scene, program, "--copy")
    log = (scene.world.root / "log").read_text()
    assert f"runs.frozen of run {number}: the run is closed" in log
    assert f"runs.frozen of run {number}" in said.err
    shown = by_program(scene, program, "status", "--json", "--run", str(number))
    (row,) = json.loads(shown.out)["runs"]
    assert "the journal's row is damaged: runs.frozen" in row["error"]
    assert not row["resumable"]
    assert not shown.err
    assert "damaged" not in by_program(scene, program, "--copy").text


def test_what_is_over_and_went_well_has_a_warning(scene: Scene, program: Commands) -> None:
    assert scene.with_damage(Damage("copies", "bytes", "negative"))
    by_program(scene, program)
    said_all = by_program(scene, program, "status", "--json", "--all", "--last", "9")
    rows = json.loads(said_all.out)["runs"]
    (row,) = [row for row in rows if "copies.bytes" in row["error"]]
    assert row["status"] in ("WARNING", "FAILED")
    assert row["status"] == "WARNING" or row["step"] != "DONE"


def flip(journal: Path, number: int) -> None:
    """Flip one bit of what a page of the journal holds, not of SQLite's own first hundred bytes."""
    content = bytearray(journal.read_bytes())
    used = [place for place in range(100, len(content)) if content[place]]
    place = used[number * 7919 % len(used)]
    content[place] ^= 1 << number % 8
    journal.write_bytes(content)


def try_flips(scene: Scene, numbers: range) -> None:
    for number in numbers:
        assert scene.with_damage()
        flip(scene.journal, number)
        try:
            for _ in range(2):
                with contextlib.suppress(B1000Error):
                    look(scene.config)
                night(scene)
        except Exception as error:
            raise AssertionError(f"bit {number}: {type(error).__name__}: {error}") from error


@pytest.mark.slow
def test_a_flipped_bit_stops_no_night(scene: Scene) -> None:
    try_flips(scene, range(FLIPS))


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", range(8))
def test_no_flipped_bit_stops_a_night(scene: Scene, part: int) -> None:
    try_flips(scene, range(FLIPS + 250 * part, FLIPS + 250 * (part + 1)))
