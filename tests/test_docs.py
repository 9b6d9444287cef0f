"""What users read is true: options, flags, exit codes, links, and every file below etc/."""

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from b1000.config.kinds import ValueKind
from b1000.config.loader import load
from b1000.config.options import OPTIONS, TABLE
from b1000.errors import BadValue
from b1000.jobs import Job
from b1000.parsers.every import PARSERS
from tests.support.database import Database, Schema, program
from tests.support.storage import CLIENTS, Storage
from tests.support.world import ROOT, World, tree
from tools.reference import reference

README = (ROOT / "README.md").read_text()
CONFIGURATIONS = sorted((ROOT / "etc").rglob("*.cfg"))
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
        "write it anew: make generated"
    )


def test_every_option_is_in_the_reference() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", reference(), re.MULTILINE)
    assert sorted(rows) == sorted(option.name for option in OPTIONS for _section in option.sections)


def test_the_reference_tells_defaults_of_pulls() -> None:
    assert "| `0`, `86400` for pull |" in reference()


def test_the_reference_marks_what_is_required_and_what_is_dynamic() -> None:
    for option in OPTIONS:
        rows = re.findall(rf"^\| `{option.name}` \| .*$", reference(), re.MULTILINE)
        row = next(row for row in rows if option.help in row)
        assert ("**required**" in row) == option.required
        assert ("*dynamic*" in row) == option.dynamic


@pytest.mark.parametrize("command", ["", *sorted(filter(None, PARSERS))])
def test_every_flag_is_in_the_readme(command: str) -> None:
    shown = help_of(*([command] if command else []))
    flags = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", shown.partition("exit codes")[0]))
    assert flags >= {"-f", "--cfg", "-h", "--help"}
    for flag in flags:
        assert re.search(rf"`[^`\n]*(?<![\w-]){flag}(?![\w-])[^`\n]*`", README), flag
    if command:
        assert f"`b1000 {command}`" in README


def test_the_keys_of_each_json_form_are_in_the_man_page() -> None:
    page = (ROOT / "etc" / "man" / "b1000.1").read_text()
    _, _, told = page.partition("\n.SH JSON\n")
    sections = dict(re.findall(r"^\.SS b1000 (\w+) .*\n((?:(?!\.S[SH]).*\n)*)", told, re.MULTILINE))
    forms = {
        name
        for name, make in PARSERS.items()
        if any("--json" in action.option_strings for action in make()._actions)
    }
    assert sections.keys() == forms
    assert all(r"\fBformat\fR" in section for section in sections.values())


def test_every_exit_code_is_in_the_readme() -> None:
    codes = re.findall(r"^  (\S+)  +\S", help_of().partition("exit codes:\n")[2], re.MULTILINE)
    assert codes == ["0", "1", "2", "3", "128+N"]
    for code in codes:
        assert re.search(rf"^\| {re.escape(code)} \| \w", README, re.MULTILINE), code


def test_the_readme_says_nothing_of_what_is_not_there() -> None:
    known = " ".join(help_of(*filter(None, (word,))) for word in PARSERS)
    for flag in re.findall(r"`b1000 [^`]*?(--[a-z-]+)", README):
        assert flag in known
    for word in re.findall(r"`b1000 ([a-z]+)[^`]*`", README):
        assert word in PARSERS


# --- pages


@pytest.mark.parametrize("page", DOCUMENTS, ids=relative)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", DOCUMENTS, ids=relative)
def test_links_lead_to_headings(page: Path) -> None:
    for target, heading in re.findall(r"\]\(([^)#]*)#([^)]+)\)", page.read_text()):
        there = page.parent / target if target else page
        headings = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
        assert heading in anchors, f"{target}#{heading}"


def test_files_named_in_the_architecture_are_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert len(page.splitlines()) < 100
    names = {path.name for path in (ROOT / "b1000").rglob("*.py")}
    assert set(re.findall(r"`(?:\w+/)?(\w+\.py)`", page)) <= names | {"test_architecture.py"}
    rooms = {path.name for path in (ROOT / "b1000").iterdir() if (path / "__init__.py").exists()}
    assert set(re.findall(r"^\| `(\w+)/`", page, re.MULTILINE)) == rooms


# --- etc/


@pytest.mark.parametrize("file", CONFIGURATIONS, ids=relative)
def test_every_configuration_loads(file: Path) -> None:
    config = load(str(file))
    assert config.problems == ()
    assert config.jobs


@pytest.mark.parametrize("file", CONFIGURATIONS, ids=relative)
def test_examples_keep_their_status_where_the_package_looks_for_it(file: Path) -> None:
    assert load(str(file)).settings.status_dir == "/var/lib/b1000"


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


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    """The shipped daemon, running."""
    daemon = Storage(tmp_path / "storage", "b1000-restore-all")
    daemon.start()
    yield daemon
    daemon.stop()


def test_the_storage_takes_backups_and_gives_them_back(world: World, storage: Storage) -> None:
    world.files()
    (world.source / "link").symlink_to("file0")
    if os.getuid() == 0:
        (world.source / "absolute").symlink_to("/etc/hosts")  # kept as it is by the chroot
        os.chown(world.source / "file1", 12345, 23456)
    secret = storage.password("client", "backing-up\n")
    destination = {
        "type": "active",
        "path": storage.at("").rstrip("/"),
        "password_file": secret,
    }
    world.write({"dest:store": destination, "job:etc": world.push()})
    done = world.b1000()
    assert done.returncode == 0, done.stdout + done.stderr
    (copy,) = world.last("etc")["copies"]
    below = copy["path"].partition("/b1000/")[2]
    assert tree(storage.tree() / below) == tree(world.source)
    there = storage.at(f"{below}/", module="b1000-restore")
    restored = storage.push("-a", there, f"{world.root}/restored/", password="reading")
    assert restored.returncode == 0, restored.stderr
    assert tree(world.root / "restored") == tree(world.source)
    for path in world.source.iterdir():
        back, was = (world.root / "restored" / path.name).lstat(), path.lstat()
        assert (back.st_uid, back.st_gid, back.st_mode) == (was.st_uid, was.st_gid, was.st_mode)


def test_the_storage_shows_nothing_to_others(world: World, storage: Storage) -> None:
    world.files()
    for client in CLIENTS:
        (storage.tree(client) / "secret").write_text("of a client")
    source, target = f"{world.source}/", f"{world.root}/taken/"
    assert storage.rsync(f"rsync://127.0.0.1:{storage.port}/").stdout == ""
    all_of_them = {"client": "restore", "module": "b1000-restore-all"}
    unauthorised, unreadable, read_only = "auth failed", "b1000-gate: the path", "is read only"
    refused = [
        (unauthorised, "guessed", source, storage.at("")),
        (unreadable, "backing-up", storage.at("secret"), target),
        (unauthorised, "backing-up", storage.at("secret", module="b1000-restore"), target),
        (unauthorised, "reading", source, storage.at("")),
        (read_only, "reading", source, storage.at("", module="b1000-restore")),
        (read_only, "reading", source, storage.at("", **all_of_them)),
        (unauthorised, "reading", storage.at("", module="b1000-restore-all"), target),
        (unauthorised, "reading", source, storage.at("", client="restore")),
    ]
    for why, password, *words in refused:
        done = storage.push("-a", *words, password=password)
        assert done.returncode != 0
        assert why in done.stderr, words
    assert not Path(target).exists() or not any(Path(target).iterdir())
    for client in CLIENTS:
        assert [path.name for path in storage.tree(client).iterdir()] == ["secret"]
    everything = storage.at("", **all_of_them)
    assert storage.push("-a", everything, target, password="reading").returncode == 0
    assert sorted(path.name for path in Path(target).iterdir()) == [*CLIENTS]


def test_the_storage_answers_small_messages_at_once() -> None:
    """Half of the gain comes from the daemon's side."""
    text = (ROOT / "etc" / "rsyncd-storage.conf").read_text()
    assert re.search(r"^socket options = TCP_NODELAY$", text, re.MULTILINE)


@pytest.mark.parametrize("script", sorted((ROOT / "etc" / "scripts").iterdir()), ids=relative)
def test_every_script_is_one(script: Path) -> None:
    assert os.access(script, os.X_OK)
    text = script.read_text()
    if text.startswith("#!/usr/bin/python3 -IS\n# "):
        # What an administrator's Python has alone: a storage may have no B1000.
        modules = re.findall(r"^ *(?:import|from) (\w+)", text, re.MULTILINE)
        assert {*modules} <= sys.stdlib_module_names
        compile(text, script, "exec")
        return
    assert text.startswith("#!/bin/sh\n# ")
    subprocess.run(["sh", "-n", script], check=True)


# --- what the pages tell people to type

# Lines that change the machine itself, and what tries them instead.
ELSEWHERE = {
    "make demo    # a real backup of /etc into ./demo, then its status": "the demo, above",
    "make test    # all checks and tests, with rsync daemons and a MariaDB of their own": "CI",
    "make deb": "test_packaging.py",
    "apt-get install ./dist/b1000_*_all.deb": "by hand, in a root made by debootstrap",
    "apt-get install rsync python3": "by hand, there",
    "apt-get install rsync python3-venv": "by hand, there",
    "python3 -m venv /opt/b1000": "test_packaging.py",
    "/opt/b1000/bin/pip install .": "test_packaging.py",
    "ln -s /opt/b1000/bin/b1000 /usr/local/bin/b1000": "by hand, in that root",
    "systemctl enable --now rsync": "by hand, there",
}
COMMANDS = re.compile(
    r" {4,}(\(umask|apt-get|b1000|cp|chgrp|chmod|find|ln|make|mkdir|mysql|python3|rsync|systemctl) "
)
# What b1000 says, not what is said to it.
OUTPUT = "        b1000 --copy mysql/3306 resumes it"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COPY = r"etc/2026-11-22-Sunday/client-1-2026-11-22-Sun-02:17:01"


@pytest.mark.parametrize("page", DOCUMENTS, ids=relative)
def test_what_is_to_be_typed_is_marked_as_such(page: Path) -> None:
    """Only fenced blocks are tried; a crontab's line names its user before the command."""
    text = page.read_text()
    assert {kind for kind, _ in FENCE.findall(text)} <= {"ini", "sh", "sql", "text"}
    assert text.count("```") == 2 * len(FENCE.findall(text))
    assert {line for line in text.splitlines() if COMMANDS.match(line)} <= {OUTPUT}


@pytest.mark.parametrize("page", DOCUMENTS, ids=relative)
def test_single_options_in_a_page_can_be_written_so(page: Path) -> None:
    for name, value in re.findall(r"^ {4,8}(\w+) = (.*)$", page.read_text(), re.MULTILINE):
        kinds = [options[name].kind for options in TABLE.values() if name in options]
        assert any(_takes(kind, value) for kind in kinds), f"{name} = {value}"


def _takes(kind: ValueKind, value: str) -> bool:
    try:
        kind.parse(value)
    except BadValue:
        return False
    return True


def test_the_page_about_pulling_says_what_the_example_needs(tmp_path: Path) -> None:
    """The user whom the shipped daemon asks for, in the shipped job."""
    page = (ROOT / "docs" / "pulling.md").read_text()
    lines = re.findall(r"^ {7}(\w+ = .*)$", page, re.MULTILINE)
    assert len(lines) == 3
    text = (ROOT / "etc" / "examples" / "pull-storage.cfg").read_text()
    text = re.sub(r"^(report_source|include) = .*\n", "", text, flags=re.MULTILINE)
    file = tmp_path / "b1000.cfg"
    file.write_text(text.rstrip() + "\n" + "\n".join(lines) + "\n")
    config = load(str(file))
    assert config.problems == ()
    job = config.jobs["system"]
    assert isinstance(job, Job)
    assert job.pull
    assert job.pull.source == "rsync://storage@ext/reports"
    daemon = (ROOT / "etc" / "rsyncd-client.conf").read_text()
    assert re.search(r"^auth users = storage$", daemon, re.MULTILINE)


def test_what_is_tried_elsewhere_is_in_the_pages() -> None:
    typed = "".join(block for page in DOCUMENTS for _, block in FENCE.findall(page.read_text()))
    assert set(ELSEWHERE) <= set(typed.splitlines())


class Reader:
    """Somebody who does what a page says, in its order, in a root of his own."""

    def __init__(self, root: Path, storages: Mapping[str, Storage]) -> None:
        self.root = root
        self.storages = storages
        self.copy = COPY
        self.config = root / "etc" / "b1000" / "b1000.cfg"
        for directory in ("bin", "etc", "tmp", "var/log"):
            (root / directory).mkdir(parents=True)
        (root / "etc" / "hosts").write_text("127.0.0.1 localhost\n")
        program = f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -m b1000'
        self.program("b1000", f'{program} "$@" -f "{self.config}"')

    def program(self, name: str, line: str) -> None:
        """A program of this root."""
        file = self.root / "bin" / name
        file.write_text(f"#!/bin/sh\n{line}\n")
        file.chmod(0o755)

    def here(self, text: str) -> str:
        """The paths, hosts and backups of a page as those of this root."""
        text = text.replace(COPY, self.copy)
        text = re.sub(r"(?<![\w/$.])/(?=(etc|run|srv|tmp|usr|var)\b)", f"{self.root}/", text)
        for host, storage in self.storages.items():
            text = text.replace(f"@{host}/", f"@127.0.0.1:{storage.port}/")
        return text

    def write(self, text: str) -> None:
        """A configuration with jobs begins the file anew; what has none goes to its end."""
        text = self.here(text)
        if "[job:" in text:
            own = "[global]\nhost = client-1\nreport_wait_end = 60\n"
            if "status_dir" not in text:
                own += f"status_dir = {self.root}/var/lib/b1000\n"
            text = own + text.replace("[global]\n", "")
        with open(self.config, "w" if "[job:" in text else "a") as file:
            file.write(f"\n{text}")
        config = load(str(self.config))
        assert config.problems == ()
        assert config.jobs

    def edit(self, pattern: str, place: str) -> None:
        """Somebody changes the configuration."""
        text, changes = re.subn(pattern, place, self.config.read_text(), flags=re.MULTILINE)
        assert changes
        self.config.write_text(text)

    def type(self, block: str) -> str:
        """Run a block, but for what is tried elsewhere."""
        lines = [line for line in block.splitlines() if line not in ELSEWHERE]
        # Whoever reads has another password than whoever writes.
        lines = [
            re.sub(r"cat > (?=.*restore\.password)", "echo reading > ", each) for each in lines
        ]
        done = subprocess.run(
            ["sh", "-eu", "-c", self.here("\n".join(lines))],
            input="backing-up\n",
            env={"PATH": f"{self.root}/bin:{os.environ['PATH']}", "RSYNC_PASSWORD": "reading"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        # The first backup of /etc takes the place of the one in the pages.
        below = self.storages["backup-1"].tree()
        if self.copy == COPY and (found := sorted(below.glob("etc/*/*/etc"))):
            self.copy = found[0].parent.relative_to(below).as_posix()
        return done.stdout

    def follow(self, text: str) -> str:
        """Do all that a page, or a part of it, says; gives what was printed."""
        printed = ""
        for kind, block in FENCE.findall(text):
            if kind == "ini":
                self.write(block)
            elif kind == "sh":
                printed += self.type(block)
        return printed


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Somebody with storages that are set up, and nothing else."""
    root = tmp_path / "root"
    places = {"backup-1": root / "srv", "backup-2": root / "srv2", "backup-3": root / "srv3"}
    storages = {host: Storage(place) for host, place in places.items()}
    for each in storages.values():
        each.start()
    yield Reader(root, storages)
    for each in storages.values():
        each.stop()


@pytest.fixture
def fresh_server(database_server: Database) -> Iterator[Database]:
    """A database server that has neither the database nor the user of the README."""

    def clear() -> None:
        database_server.query("DROP DATABASE IF EXISTS b1000")
        database_server.query("DROP USER IF EXISTS b1000@'%'")

    clear()
    yield database_server
    clear()


def test_the_readme_can_be_followed(reader: Reader, fresh_server: Database) -> None:
    reader.program("runuser", "echo a dump")
    client = f"{program('mariadb')} --no-defaults --socket={fresh_server.socket} -uroot"
    reader.program("mysql", f'exec {client} "$@"')
    printed = reader.follow(README)
    assert "2 jobs, 0 errors, 0 warnings" in printed
    assert re.search(r"^etc +1 .* DONE +OK ", printed, re.MULTILINE)
    assert len(re.findall(r" etc +client-1 +(?:tele|atm) .* complete ", printed)) == 2
    restored = [reader.root / "tmp" / each / "hosts" for each in ("", "etc", "back/etc")]
    assert {path.read_text() for path in restored} == {"127.0.0.1 localhost\n"}

    (reader.root / "etc" / "b1000" / "database.password").write_text("PASSWORD\n")
    reader.edit(r"^server = db-b1000$", f"server = 127.0.0.1\nport = {fresh_server.port}")
    reader.edit(r"^report = local$", "report = local main")
    assert "0 errors" in reader.type("b1000 check --connect")
    reader.type("b1000")
    dumps = list(reader.root.glob("srv/backup/**/shop-*.sql"))
    assert {path.stat().st_mode & 0o777 for path in dumps} == {0o600}
    told = fresh_server.query("SELECT name, step, status FROM jobs ORDER BY name", "b1000")
    assert [tuple(row.values()) for row in told] == [("etc", "DONE", "OK"), ("shop", "DONE", "OK")]
    assert fresh_server.value("SELECT count(*) FROM copies WHERE status = 'DONE'", "b1000") == 4


def test_the_guide_can_be_followed(reader: Reader, database: Schema) -> None:
    """All of it in its order, with two instances that are replicas of a master."""
    reader.config.parent.mkdir()
    (reader.root / "run" / "mysqld").mkdir(parents=True)
    for instance in ("3306", "3307"):
        os.mknod(reader.root / "run" / "mysqld" / f"{instance}.sock", stat.S_IFSOCK | 0o600)
    reader.program("mariadb", "printf ' Master_Host: db1\\n Seconds_Behind_Master: 7\\n'")
    reader.program("mariadb-dump", "echo a dump")
    tree = reader.storages["backup-1"].tree()
    shared = tree.parent / "etc" / "2026-11-22-Sunday" / "client-1-2026-11-22-Sun-01:00:00"
    shared.mkdir(parents=True)

    guide = (ROOT / "docs" / "guide.md").read_text()
    before, copied, after = guide.partition("1. Read the scripts")
    assert re.search(r"^etc +1 .* DONE +OK ", reader.follow(before), re.MULTILINE)
    scripts = reader.root / "usr" / "local" / "lib" / "b1000" / "scripts"
    for script in scripts.iterdir():
        script.write_text(reader.here(script.read_text()))
    reader.write(reader.config.read_text())
    password = f"password_file = {reader.config.parent}/rsync.password"
    for host in ("backup-1", "backup-2", "backup-3"):
        address = reader.here(f"rsync://client-1@{host}/b1000")
        reader.edit(rf"rsync://{host}/b1000", f"{address}\n{password}")
    reader.edit(r"^server = .*", f"server = 127.0.0.1\nport = {database.server.port}")
    reader.edit(r"^password = .*", f"password = {database.password}")
    reader.edit(r"^db = .*", f"db = {database.name}")
    printed = reader.follow(copied + after)
    assert "master: db1" in printed
    assert re.search(r"^mysqldb/3306 .* DONE +OK ", printed, re.MULTILINE)
    assert {row["status"] for row in database.jobs()} == {"OK"}
    (dump,) = {path.name for path in tree.glob("mysqldb/*/*-3307-*/*")}
    assert dump == "all.sql.gz"
    restored = [reader.root / "tmp" / "hosts", reader.root / "tmp" / "etc" / "hosts"]
    assert all(path.exists() for path in restored)
    assert (tree / "etc" / "2026-11-22-Sunday" / shared.name).is_dir()
    assert not shared.exists()


def test_the_page_about_status_can_be_followed(reader: Reader, world: World) -> None:
    reader.config.parent.mkdir()
    own_group = f'shift; exec {shutil.which("chgrp")} "$(id -g)" "$@"'
    reader.program("chgrp", own_group)
    world.write({"dest:store": world.store(), "job:etc": world.push()})
    world.files()
    reader.config.write_text(
        world.config.read_text().replace(str(world.status_dir), f"{reader.root}/var/lib/b1000")
    )
    reader.type("b1000")
    reader.follow((ROOT / "docs" / "status.md").read_text())
    journal = reader.root / "var" / "lib" / "b1000" / "journal.sqlite3"
    assert (journal.stat().st_mode & 0o777, journal.parent.stat().st_mode & 0o777) == (0o640, 0o750)
    assert "DONE" in reader.type("b1000 status")


def test_the_page_about_monitoring_can_be_followed(
    reader: Reader, world: World, database: Schema
) -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    reader.config.parent.mkdir()
    report = {**database.report()}
    world.write(
        {
            "global": {"host": "db1", "report_wait_end": 60},
            "report:main": {**report, "path": None},
            "dest:store": world.store(),
            "job:mysql": world.push(),
        }
    )
    world.files()
    reader.config.write_text(world.config.read_text())
    reader.type("b1000")
    for kind, block in FENCE.findall(page):
        if "monitor ack" in block:
            continue  # tests/edges/test_replies.py: here nothing is wrong
        if kind == "sh":
            assert "OK: 1 ok of 1 subject" in reader.type(block)
        elif kind == "sql":
            database.query(block.replace("4711", "1"))
        else:
            reader.config.write_text(block)
            assert load(str(reader.config)).problems == ()
    assert [row["ack"] for row in database.jobs()] == [1]
