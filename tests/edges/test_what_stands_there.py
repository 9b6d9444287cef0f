"""Each path that the program opens, with something else in its place: one line, no traceback."""

import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from b1000.files import open_file, read_file, refuse_special
from tests.support.forked import NOBODY, Commands, Ended, commands
from tests.support.stored import NIGHT, a_mark, identify, put
from tests.support.world import World

ROOT_ONLY = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    with commands(tmp_path_factory.mktemp("said")) as started:
        yield started


# --- files.py itself


def fifo(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/null")


def nowhere(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere" / "at-all")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def directory(path: Path) -> None:
    path.mkdir()


def file(path: Path) -> None:
    path.write_text("this is a file\n")


def unreadable(path: Path) -> None:
    file(path)
    path.chmod(0)


def socket(path: Path) -> None:
    import socket as sockets

    with sockets.socket(sockets.AF_UNIX) as opened:
        there = os.getcwd()
        os.chdir(path.parent)  # the name of a socket has a hundred bytes at most
        try:
            opened.bind(path.name)
        finally:
            os.chdir(there)


Thing = Callable[[Path], None]
THINGS: dict[str, Thing] = {
    "fifo": fifo,
    "device": device,
    "link to nowhere": nowhere,
    "link to itself": loop,
    "directory": directory,
    "file": file,
    "unreadable": unreadable,
    "socket": socket,
}


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize(
    ("thing", "words"),
    [
        ("fifo", "is a FIFO, not a file"),
        ("device", "is a (device|symbolic link), not a file"),
        ("link to itself", "(is a symbolic link, not a file|Too many levels of symbolic links)"),
        ("directory", "is a directory, not a file"),
        ("socket", "is a socket, not a file"),
    ],
)
def test_what_is_no_file_is_named_and_not_waited_for(
    tmp_path: Path, thing: str, words: str, follow: bool
) -> None:
    path = tmp_path / "there"
    THINGS[thing](path)
    for flags in (os.O_RDONLY, os.O_RDWR | os.O_CREAT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC):
        with pytest.raises(OSError, match=words):
            open_file(path, flags, follow=follow)
    with pytest.raises(OSError, match=words):
        refuse_special(path, follow)


def test_a_link_is_followed_only_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "link").symlink_to("file")
    assert read_file(tmp_path / "link", 2, follow=True) == b"te"
    with pytest.raises(OSError, match="is a symbolic link"):
        read_file(tmp_path / "link", 2, follow=False)
    refuse_special(tmp_path / "missing", follow=False)


# --- the program


class Place:
    """A world of its own for each thing in each place."""

    def __init__(self, root: Path) -> None:
        self.world = World(root)
        self.world.files()
        self.world.write(
            {
                "global": {
                    "log_file": root / "log" / "b1000.log",
                    "report_wait_end": 1,
                    "backup_dir": None,
                },
                "dest:store": self.world.store(),
                "report:sqlite": {"type": "sqlite", "path": root / "sqlite" / "b1000.sqlite3"},
                "job:etc": self.world.push(report="main, sqlite"),
            }
        )
        (root / "log").mkdir()
        self.paths = {
            "configuration": self.world.config,
            "journal": self.world.status_dir / "journal.sqlite3",
            "wal": self.world.status_dir / "journal.sqlite3-wal",
            "shm": self.world.status_dir / "journal.sqlite3-shm",
            "suspicion": self.world.status_dir / "journal.sqlite3.suspect",
            "status_dir": self.world.status_dir,
            "locks": self.world.status_dir / "locks",
            "lock of a run": self.world.status_dir / "locks" / "run@etc@",
            "lock of a report": self.world.status_dir / "locks" / "report@main",
            "progress": self.world.status_dir / "progress",
            "log": root / "log" / "b1000.log",
            "directory of the log": root / "log",
            "reports": self.world.reports,
            "sqlite": root / "sqlite" / "b1000.sqlite3",
            "sqlite-wal": root / "sqlite" / "b1000.sqlite3-wal",
            "directory of sqlite": root / "sqlite",
            "destination": root / "store",
            "source": self.world.source,
        }

    def put(self, name: str, thing: Thing) -> None:
        path = self.paths[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        thing(path)


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("status",),
    ("status", "--json"),
    ("status", "--run", "1"),
    ("-n",),
    ("-n", "--copy"),
    ("check",),
    ("check", "--connect"),
    (),
    ("--copy",),
    ("forget", "etc"),
    ("monitor", "--report", "sqlite"),
    ("status",),
)


def check_said(said: Ended, what: object) -> None:
    assert said.code is not None, f"{what}: it hangs"
    assert "Traceback" not in said.text, f"{what}: {said.text}"
    assert "a mistake" not in said.text, f"{what}: {said.text}"
    assert said.code in (0, 1, 2, 3), f"{what}: {said.code} {said.text}"


def run_all(place: Place, program: Commands, what: object, user: int = 0) -> None:
    for words in COMMANDS:
        said = program.run("-f", str(place.world.config), *words, user=user)
        check_said(said, (what, words))
        log = place.paths["log"]
        if log.is_file() and os.access(log, os.R_OK):
            text = log.read_text()
            assert "Traceback" not in text, f"{what} {words}: {text}"
            assert "a mistake" not in text, f"{what} {words}: {text}"


NAMES = (
    "configuration", "journal", "wal", "shm", "suspicion", "status_dir", "locks", "lock of a run",
    "lock of a report", "progress", "log", "directory of the log", "reports", "sqlite",
    "sqlite-wal", "directory of sqlite", "destination", "source",
)  # fmt: skip


def try_all(root: Path, program: Commands, name: str, things: dict[str, Thing]) -> None:
    for number, (what, thing) in enumerate(things.items()):
        (root / str(number)).mkdir()
        place = Place(root / str(number))
        if number % 2:
            # The same in a place that was used before.
            check_said(program.run("-f", str(place.world.config)), "before")
        place.put(name, thing)
        run_all(place, program, (name, what))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(NAMES)))
def test_whatever_stands_there_is_told_in_words(
    tmp_path: Path, program: Commands, number: int
) -> None:
    """Two things in each place; which ones differs from place to place."""
    things = list(THINGS.items())
    some = [things[(number + each) % len(things)] for each in (0, 3)]
    try_all(tmp_path, program, NAMES[number], dict(some))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", NAMES)
def test_everything_that_stands_there_is_told_in_words(
    tmp_path: Path, program: Commands, name: str
) -> None:
    try_all(tmp_path, program, name, THINGS)


@pytest.mark.parametrize("command", [("status",), ("--copy",), ("-n", "--copy"), ()])
@pytest.mark.parametrize(
    ("thing", "words"), [("fifo", "is a FIFO, not a file"), ("device", "is a device, not a file")]
)
def test_a_journal_that_is_no_file_is_named_in_one_line(
    tmp_path: Path, program: Commands, thing: str, words: str, command: tuple[str, ...]
) -> None:
    place = Place(tmp_path)
    place.put("journal", THINGS[thing])
    said = program.run("-f", str(place.world.config), *command)
    assert said.code == 2
    (line,) = said.err.splitlines()
    assert f"{place.paths['journal']} cannot be" in line
    assert words in line


def test_a_status_dir_that_is_a_file(tmp_path: Path, program: Commands) -> None:
    place = Place(tmp_path)
    place.put("status_dir", file)
    for command in (("status",), (), ("-n",), ("--copy",), ("forget", "etc")):
        said = program.run("-f", str(place.world.config), *command)
        assert said.code == 2, said
        (line,) = said.err.splitlines()
        assert "Not a directory" in line


def test_a_destination_below_a_file_is_named_once(tmp_path: Path, program: Commands) -> None:
    world = World(tmp_path)
    world.files()
    file(tmp_path / "blocked")
    world.write({"dest:store": world.store("blocked/store"), "job:etc": world.push()})
    assert program.run("-f", str(world.config)).code == 1
    (copy,) = world.last("etc")["copies"]
    assert copy["error"] == f"{copy['path']} cannot be made ready: Not a directory"


def test_a_password_file_that_is_a_fifo_is_not_waited_for(
    tmp_path: Path, program: Commands
) -> None:
    place = Place(tmp_path)
    fifo(tmp_path / "secret")
    store = {"type": "active", "path": "rsync://127.0.0.1:9/b1000"}
    place.world.write(
        {
            "dest:store": {**store, "password_file": tmp_path / "secret"},
            "job:etc": place.world.push(),
        }
    )
    said = program.run("-f", str(place.world.config))
    assert said.code == 1, said
    assert f"its password_file {tmp_path}/secret: is a FIFO, not a file" in said.text


# --- without rights, without space


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory into which every user may look; those of pytest are for their owner alone."""
    with tempfile.TemporaryDirectory(prefix="b1000-open-") as directory:
        os.chmod(directory, 0o755)
        yield Path(directory)


@ROOT_ONLY
def test_who_may_not_read_the_journal_is_told_so_in_one_line(
    open_to_all: Path, program: Commands
) -> None:
    place = Place(open_to_all)
    config = str(place.world.config)
    assert program.run("-f", config).code == 0
    for command in (("status",), ("status", "--json"), ("-n", "--copy"), ("status", "--run", "1")):
        said = program.run("-f", config, *command, user=NOBODY)
        assert said.code == 2, said
        (line,) = said.err.splitlines()
        assert f"the journal {place.paths['journal']} cannot be read" in line
        assert "docs/status.md says how others may read it" in line


@ROOT_ONLY
def test_a_directory_that_cannot_be_read_costs_only_itself(
    open_to_all: Path, program: Commands
) -> None:
    """Of a storage: the rest is listed, counted, restored; nothing of that job is removed."""
    place = Place(open_to_all)
    root = open_to_all / "srv"
    store = {"type": "store", "path": root, "keep": "last 3", "prune_most": "100 %"}
    place.world.write({"dest:kept": store})
    identify(root, NIGHT - timedelta(days=9))
    nights = [put(root, a_mark(when=NIGHT + timedelta(days=day))) for day in range(5)]
    put(root, a_mark("other"))
    for each in (nights[4].parent, root / "other"):
        each.chmod(0)
    subprocess.run(["chown", "-R", str(NOBODY), open_to_all], check=True)
    config = str(place.world.config)
    closed = (f"etc/{nights[4].parent.name}", "other")

    listed = program.run("-f", config, "list", "--all", user=NOBODY)
    assert listed.code == 1
    assert listed.out.count("  complete  ") == 4
    for path in closed:
        assert f"{root}/{path} could not be looked at: Permission denied" in listed.err
    pruned = program.run("-f", config, "prune", user=NOBODY)
    assert pruned.code == 1
    assert f"etc/web1 is held back: {closed[0]} could not be looked at" in pruned.err
    assert nights[0].is_dir()
    verified = program.run("-f", config, "verify", user=NOBODY)
    assert verified.code == 3
    assert "4 backups counted" in verified.out
    assert f"{root}/{closed[1]} could not be looked at" in verified.err
    nights[4].parent.chmod(0o700)
    again = program.run("-f", config, "prune", user=NOBODY)
    assert again.code == 1
    assert again.err.splitlines()[0].endswith(
        f"{root}/other could not be looked at: Permission denied"
    )
    assert not nights[0].exists(), "of a job that could be looked at"
    assert program.run("-f", config, "prune", "etc", user=NOBODY).code == 0
    (root / "other").chmod(0o700)
    assert program.run("-f", config, "prune", user=NOBODY).code == 0


@pytest.mark.slow
@ROOT_ONLY
@pytest.mark.parametrize("owner", [0, NOBODY])
@pytest.mark.parametrize("used", [False, True])
def test_a_user_without_rights_sees_no_traceback(
    open_to_all: Path, program: Commands, owner: int, used: bool
) -> None:
    """All is of root's; or all but one place is the user's own."""
    for number, name in enumerate(NAMES if owner else NAMES[:1]):
        root = open_to_all / str(number)
        root.mkdir()
        place = Place(root)
        if used:
            check_said(program.run("-f", str(place.world.config)), "before")
        subprocess.run(["chown", "-R", str(owner), root], check=True)
        if owner and os.path.lexists(place.paths[name]):
            os.chown(place.paths[name], 0, 0)
            place.paths[name].chmod(0)
        run_all(place, program, (name, owner), user=NOBODY)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of some pages."""
    mounted = tmp_path / "small"
    mounted.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m,mode=755", "tmpfs", mounted],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("only root can mount")
    yield mounted
    subprocess.run(["umount", "-l", mounted], check=True)


@pytest.mark.parametrize("left", [0, 4096, 160000])
def test_a_full_disk_is_told_in_words(small_disk: Path, program: Commands, left: int) -> None:
    place = Place(small_disk)
    if left % 3:
        check_said(program.run("-f", str(place.world.config)), "before")
    free = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(b"x" * (free.f_bavail * free.f_bsize - left))
    run_all(place, program, left)


@pytest.mark.slow
def test_names_that_are_too_long(tmp_path: Path, program: Commands) -> None:
    place = Place(tmp_path)
    long = tmp_path / ("x" * 300) / "y"
    for section, option, value in (
        ("global", "status_dir", long),
        ("global", "journal", long),
        ("global", "log_file", long),
        ("report:main", "path", long),
        ("report:sqlite", "path", long),
        ("dest:store", "path", long),
        ("job:etc", "include", long),
    ):
        sections: dict[str, dict[str, object]] = {
            "global": {"log_file": tmp_path / "log" / "b1000.log", "report_wait_end": 1},
            "dest:store": place.world.store(),
            "report:sqlite": {"type": "sqlite", "path": tmp_path / "sqlite" / "b1000.sqlite3"},
            "job:etc": place.world.push(report="main, sqlite"),
        }
        sections.setdefault(section, {})[option] = value
        place.world.write(sections)
        run_all(place, program, option)


# --- without descriptors, without processes


@pytest.mark.parametrize("files", [6, 8, 11, 14, 17, 18, 19, 20, 22, 24, 27, 30])
def test_too_few_descriptors_are_told_in_a_sentence(
    tmp_path: Path, program: Commands, files: int
) -> None:
    place = Place(tmp_path)
    limits = {resource.RLIMIT_NOFILE: files}
    for command in ((), ("status",), ("--copy",), ("check", "--connect"), ("monitor",)):
        said = program.run("-f", str(place.world.config), *command, limits=limits)
        check_said(said, (files, command))
        log = place.paths["log"].read_text() if place.paths["log"].exists() else ""
        assert "Traceback" not in log, log
        if command in ((), ("--copy",)):
            assert f"the limit of open files is {files} (ulimit -n)" in log + said.err
    said = program.run("-f", str(place.world.config))
    assert said.code == 0, said


@ROOT_ONLY
def test_too_few_processes_are_told_in_a_sentence(open_to_all: Path, program: Commands) -> None:
    place = Place(open_to_all)
    subprocess.run(["chown", "-R", str(NOBODY), open_to_all], check=True)
    limits = {resource.RLIMIT_NPROC: 0}
    said = program.run("-f", str(place.world.config), user=NOBODY, limits=limits)
    check_said(said, "no process")
    assert said.code == 1
    log = place.paths["log"].read_text()
    assert "Traceback" not in log
    assert "the limit of processes" in log
