"""What users read is true: options, flags, exit codes, links, and every file below etc/."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from b1000 import cli
from b1000.config.loader import load
from b1000.config.options import OPTIONS
from b1000.config.reference import reference
from tests.support.daemon import Daemon
from tests.support.world import ROOT, World, tree

README = (ROOT / "README.md").read_text()
CONFIGURATIONS = sorted((ROOT / "etc").rglob("*.cfg"))
# In the program, and documented with the issue that brings them.
EXAMPLES = (
    "mysql-binlogs",
    "mysql-instances",
    "passive-client",
    "pull-storage",
    "simple-etc",
    "tar-etc",
)
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def relative(path: Path) -> str:
    """How a test is called that is about a file."""
    return path.relative_to(ROOT).as_posix()


def help_of(*words: str) -> str:
    """What ``--help`` says."""
    return subprocess.run(
        [sys.executable, "-m", "b1000", *words, "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout


# --- options, flags, exit codes


def test_the_reference_is_made_from_the_option_table() -> None:
    assert (ROOT / "docs" / "reference.md").read_text() == reference(), (
        "write it anew: python -m b1000.config.reference > docs/reference.md"
    )


def test_every_option_is_in_the_reference() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", reference(), re.MULTILINE)
    assert sorted(rows) == sorted(option.name for option in OPTIONS for _section in option.sections)


def test_the_reference_marks_what_is_required_and_what_is_dynamic() -> None:
    for option in OPTIONS:
        rows = re.findall(rf"^\| `{option.name}` \| .*$", reference(), re.MULTILINE)
        row = next(row for row in rows if option.help in row)
        assert ("**required**" in row) == option.required
        assert ("*dynamic*" in row) == option.dynamic


@pytest.mark.parametrize("command", ["", *sorted(cli._COMMANDS)])
def test_every_flag_is_in_the_readme(command: str) -> None:
    shown = help_of(*([command] if command else []))
    flags = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", shown.partition("exit codes")[0]))
    assert flags >= {"-f", "--cfg", "-h", "--help"}
    for flag in flags:
        assert re.search(rf"`[^`\n]*(?<![\w-]){flag}(?![\w-])[^`\n]*`", README), flag
    if command:
        assert f"`b1000 {command}`" in README


def test_every_exit_code_is_in_the_readme() -> None:
    codes = re.findall(r"^  (\S+)  +\S", help_of().partition("exit codes:\n")[2], re.MULTILINE)
    assert codes == ["0", "1", "2", "3", "128+N"]
    for code in codes:
        assert re.search(rf"^\| {re.escape(code)} \| \w", README, re.MULTILINE), code


def test_the_readme_says_nothing_of_what_is_not_there() -> None:
    known = " ".join(help_of(*words) for words in ((), ("status",), ("check",)))
    for flag in re.findall(r"`b1000 [^`]*?(--[a-z-]+)", README):
        assert flag in known
    for word in re.findall(r"`b1000 ([a-z]+)[^`]*`", README):
        assert word in cli._COMMANDS


# --- pages


@pytest.mark.parametrize("page", DOCUMENTS, ids=relative)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_files_named_in_the_architecture_are_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert len(page.splitlines()) < 100
    names = {path.name for path in (ROOT / "b1000").rglob("*.py")}
    assert set(re.findall(r"`(?:\w+/)?(\w+\.py)`", page)) <= names | {"test_architecture.py"}
    rooms = {path.name for path in (ROOT / "b1000").iterdir() if (path / "__init__.py").exists()}
    assert set(re.findall(r"^\| `(\w+)/`", page, re.MULTILINE)) == rooms


def test_the_configurations_of_the_readme_load(tmp_path: Path) -> None:
    first, *more = re.findall(r"```ini\n(.*?)```", README, re.DOTALL)
    for text in (first, *(f"{first}\n{each}" for each in more)):
        file = tmp_path / "b1000.cfg"
        file.write_text(text)
        config = load(str(file))
        assert config.problems == ()
        assert config.jobs


# --- etc/


@pytest.mark.parametrize("file", CONFIGURATIONS, ids=relative)
def test_every_configuration_loads(file: Path) -> None:
    config = load(str(file))
    assert config.problems == ()
    assert config.jobs


@pytest.mark.parametrize("file", CONFIGURATIONS, ids=relative)
def test_configurations_fit_a_terminal(file: Path) -> None:
    # The manual prints one line that is longer; it stands as it is printed.
    printed = "pre = $scripts_dir/mysql_dump_instance.sh $instance"
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        assert len(line) <= 80 or line.startswith(printed), f"line {number}"


def test_what_is_commented_out_is_right_too(tmp_path: Path) -> None:
    shipped = (ROOT / "etc" / "b1000.cfg").read_text()
    # Prose has a blank behind its #.
    text = re.sub(r"^#(?=[a-z\[])", "", shipped, flags=re.MULTILINE)
    assert text.count("[job:") == 3
    file = tmp_path / "b1000.cfg"
    file.write_text(text)
    assert load(str(file)).problems == ()


def test_the_examples_are_all_there() -> None:
    assert sorted(path.stem for path in (ROOT / "etc" / "examples").iterdir()) == sorted(EXAMPLES)


def test_the_cron_lines_start_b1000() -> None:
    lines = (ROOT / "etc" / "cron.d" / "b1000").read_text().splitlines()
    commands = []
    for line in [line for line in lines if re.match(r"[\d*]", line)]:
        *when, user, command = line.split(maxsplit=6)
        assert (len(when), user) == (5, "root")
        assert line in README
        commands.append(command)
    assert commands == ["b1000 -q", "b1000 -q --copy"]
    assert any(re.match(r"PATH=.*/usr/local/bin", each) for each in lines)


def test_the_demo_makes_a_backup(tmp_path: Path) -> None:
    """The script alone; the program is this checkout's, found by PATH."""
    (tmp_path / "etc").mkdir()
    shutil.copy(ROOT / "etc" / "demo.sh", tmp_path / "etc")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "b1000"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m b1000 "$@"\n')
    program.chmod(0o755)
    for _ in range(2):
        done = subprocess.run(
            ["sh", str(tmp_path / "etc" / "demo.sh")],
            env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        copies = [Path(path) for path in re.findall(r"^copy: +(.*)$", done.stdout, re.MULTILINE)]
        assert sorted(path.relative_to(tmp_path).parts[1] for path in copies) == ["atm", "tele"]
        for copy in copies:
            assert (copy / "etc" / "passwd").read_bytes() == Path("/etc/passwd").read_bytes()


# --- etc/rsyncd-storage.conf, as a daemon that runs


class Storage(Daemon):
    """The shipped configuration with another port, directory and secrets file."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, {"backup": ""})
        text = (ROOT / "etc" / "rsyncd-storage.conf").read_text()
        for shipped, here in {
            "/srv/backup": directory / "backup",
            "/etc/rsyncd.secrets": directory / "secrets",
            "/run/rsyncd-connections.lock": directory / "connections.lock",
            "/run/rsyncd.pid": directory / "pid",
            "/var/log/rsyncd.log": directory / "log",
        }.items():
            assert shipped in text
            text = text.replace(shipped, str(here))
        text = f"port = {self.port}\naddress = 127.0.0.1\n{text}"
        if os.getuid():
            text = text.replace("uid = root\ngid = root\nuse chroot = yes", "use chroot = no")
        self.config.write_text(text)
        self.password("secrets", "client-1:backing-up\nrestore:reading\n")

    def password(self, name: str, text: str) -> Path:
        """A file that only its owner may read."""
        file = self.directory / name
        file.write_text(text)
        file.chmod(0o600)
        return file

    def rsync(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run rsync to its end."""
        return subprocess.run(["rsync", *words], capture_output=True, text=True, check=False)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    """The shipped daemon, running."""
    daemon = Storage(tmp_path / "storage")
    daemon.start()
    yield daemon
    daemon.stop()


def user(storage: Storage, name: str, module: str) -> str:
    """The address of a module for a user."""
    return storage.url(module).replace("rsync://", f"rsync://{name}@")


def test_the_storage_takes_backups_and_gives_them_back(world: World, storage: Storage) -> None:
    world.files()
    (world.source / "link").symlink_to("file0")
    if os.getuid() == 0:
        (world.source / "absolute").symlink_to("/etc/hosts")  # kept as it is by the chroot
        os.chown(world.source / "file1", 12345, 23456)
    secret = storage.password("client", "backing-up\n")
    destination = {
        "type": "active",
        "path": user(storage, "client-1", "b1000"),
        "password_file": secret,
    }
    world.write({"dest:store": destination, "job:etc": world.push()})
    done = world.b1000()
    assert done.returncode == 0, done.stdout + done.stderr
    (copy,) = world.last("etc")["copies"]
    below = copy["path"].partition("/b1000/")[2]
    assert tree(storage.module("backup") / below) == tree(world.source)
    reading = storage.password("restore", "reading\n")
    restored = storage.rsync(
        "-a",
        f"--password-file={reading}",
        f"{user(storage, 'restore', 'b1000-restore')}/{below}/",
        f"{world.root}/restored/",
    )
    assert restored.returncode == 0, restored.stderr
    assert tree(world.root / "restored") == tree(world.source)
    for path in world.source.iterdir():
        back, was = (world.root / "restored" / path.name).lstat(), path.lstat()
        assert (back.st_uid, back.st_gid, back.st_mode) == (was.st_uid, was.st_gid, was.st_mode)


def test_the_storage_shows_nothing_to_others(world: World, storage: Storage) -> None:
    world.files()
    (storage.module("backup") / "secret").write_text("of another client")
    client = f"--password-file={storage.password('client', 'backing-up')}"
    wrong = f"--password-file={storage.password('wrong', 'guessed')}"
    restore = f"--password-file={storage.password('restore', 'reading')}"
    source, target = f"{world.source}/", f"{world.root}/taken/"
    assert storage.rsync(f"rsync://127.0.0.1:{storage.port}/").stdout == ""
    unauthorised, unreadable, read_only = "auth failed", "is write only", "is read only"
    refused = [
        (unauthorised, wrong, source, user(storage, "client-1", "b1000/")),
        (unreadable, client, f"{user(storage, 'client-1', 'b1000')}/secret", target),
        (unauthorised, client, f"{user(storage, 'client-1', 'b1000-restore')}/secret", target),
        (read_only, restore, source, user(storage, "restore", "b1000-restore/")),
        (unauthorised, restore, source, user(storage, "restore", "b1000/")),
    ]
    for why, *words in refused:
        done = storage.rsync("-a", *words)
        assert done.returncode != 0
        assert why in done.stderr, words
    assert not Path(target).exists() or not any(Path(target).iterdir())
    assert [path.name for path in storage.module("backup").iterdir()] == ["secret"]


def test_the_storage_answers_small_messages_at_once() -> None:
    """Half of the gain comes from the daemon's side."""
    text = (ROOT / "etc" / "rsyncd-storage.conf").read_text()
    assert re.search(r"^socket options = TCP_NODELAY$", text, re.MULTILINE)


# --- the guide


def test_the_configurations_of_the_guide_load(tmp_path: Path) -> None:
    found = re.findall(r"```ini\n(.*?)```", (ROOT / "docs" / "guide.md").read_text(), re.DOTALL)
    assert len(found) >= 2
    for number, text in enumerate(found):
        file = tmp_path / f"{number}.cfg"
        file.write_text(text)
        config = load(str(file))
        assert config.problems == ()
        assert config.jobs


@pytest.mark.parametrize("script", sorted((ROOT / "etc" / "scripts").iterdir()), ids=relative)
def test_every_script_is_one(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/bin/sh\n# ")
    subprocess.run(["sh", "-n", script], check=True)
