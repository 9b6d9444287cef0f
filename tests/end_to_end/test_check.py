"""``b1000 check`` without ``--connect``: what can be seen on this host, and nothing is touched."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from b1000.check import connect
from b1000.config import COMMANDS
from b1000.config.loader import load
from tests.support.world import ROOT, World

AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root is refused other people's files")


@pytest.fixture
def ready(world: World) -> World:
    """A host with files to be backed up."""
    world.files()
    return world


def said(world: World, code: int = 2) -> str:
    """What check says of the configuration; it changes nothing."""
    before = sorted(world.root.rglob("*"))
    done = world.b1000("check")
    assert done.returncode == code, done.stdout + done.stderr
    assert sorted(world.root.rglob("*")) == before
    return done.stderr


def storage(**options: object) -> dict[str, object]:
    return {"type": "active", "path": "rsync://client@127.0.0.1:9/b1000", **options}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_job_that_bears_the_name_of_a_command_is_told_how_to_be_reached(
    ready: World, name: str
) -> None:
    ready.write({"dest:store": ready.store(), f"job:{name}": ready.push()})
    runs = f"b1000 job:{name} -f {ready.config}"
    told = f"[job:{name}]: warning: `b1000 {name}` is a command; `{runs}` runs this job"
    assert told in said(ready, code=0)
    assert ready.b1000(f"job:{name}").returncode == 0
    assert ready.last(name)["status"] == "OK"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_file_may_stand_before_and_behind_a_command(ready: World, name: str) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
    before = ready.b1000(name, "--help")
    behind = subprocess.run(
        [sys.executable, "-m", "b1000", name, "--help", "-f", ready.config],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert (before.returncode, behind.returncode) == (0, 0)
    assert before.stdout == behind.stdout
    assert before.stdout.startswith(f"usage: b1000 {name} ")


# --- the example


def test_the_unchanged_example_is_wrong(ready: World) -> None:
    ready.config.write_text((ROOT / "etc" / "b1000.cfg").read_text())
    text = said(ready)
    for host, name in (("backup-1", "tele"), ("backup-2", "atm")):
        assert f"[dest:{name}] path: {host}.example is a name of the example" in text
    ready.config.write_text(ready.config.read_text().replace(".example/", "/"))
    assert "a name of the example" not in ready.b1000("check").stderr


def test_the_database_of_the_example_is_wrong(ready: World) -> None:
    report = {"type": "mysql", "server": "db-b1000.example", "db": "b", "user": "b", "path": None}
    ready.write(
        {
            "report:main": {**report, "password": "x"},
            "dest:store": ready.store(),
            "job:etc": ready.push(),
        }
    )
    assert "[report:main] server: db-b1000.example is a name of the example" in said(ready)


def test_a_configuration_without_jobs_is_warned_of(world: World) -> None:
    world.config.write_text("[global]\nhost = client\n")
    assert said(world, code=0).endswith(
        "warning: there is no section [job:NAME]: b1000 has nothing to run\n"
    )


def test_what_is_wrong_is_told_in_the_order_of_the_file(ready: World) -> None:
    jobs = {f"job:j{n}": ready.push(include=f"/nowhere/{n}") for n in (2, 1)}
    stores = {f"dest:s{n}": storage(password_file=f"/nowhere/{n}") for n in (2, 1)}
    ready.write({"dest:store": ready.store(), **jobs, **stores})
    lines = [int(line.split(":")[1]) for line in said(ready).splitlines()]
    assert len(lines) == 4
    assert lines == sorted(lines)


# --- password files


@pytest.mark.parametrize(
    ("mode", "text", "wrong"),
    [
        (0o600, "secret\n", ""),
        (0o640, "secret\n", ""),
        (0o604, "secret\n", "others can read or write"),
        (0o602, "secret\n", "others can read or write"),
        (0o600, "", "is empty"),
        (0o600, "\n\n", "is empty"),
        (0o600, None, "is not there"),
    ],
)
def test_a_password_file_of_rsync(ready: World, mode: int, text: str | None, wrong: str) -> None:
    file = ready.root / "secret file"
    if text is not None:
        file.write_text(text)
        file.chmod(mode)
    ready.write({"dest:store": storage(password_file=file), "job:etc": ready.push()})
    told = said(ready, 2 if wrong else 0)
    assert wrong in told
    assert not wrong or "[dest:store] password_file: " in told
    assert "secret\n" not in told
    assert bool(told) == bool(wrong)


def test_a_password_file_that_is_none(ready: World) -> None:
    fifo, directory = ready.root / "fifo", ready.root / "directory"
    os.mkfifo(fifo)
    directory.mkdir()
    for path, what in ((fifo, "is a FIFO"), (directory, "is a directory")):
        ready.write({"dest:store": storage(password_file=path), "job:etc": ready.push()})
        assert f"{path} cannot be read: {what}" in said(ready)


def test_what_systemd_shows_to_a_service_alone_is_not_missed(ready: World) -> None:
    file = "/run/credentials/b1000.service/rsync.password"
    ready.write({"dest:store": storage(password_file=file), "job:etc": ready.push()})
    assert said(ready, 0) == ""


def test_a_password_file_of_a_report_and_of_a_pull(ready: World) -> None:
    """A database takes one that others read, so that is a warning."""
    file = ready.root / "secret"
    file.write_text("secret\n")
    file.chmod(0o644)
    report = {"type": "mysql", "server": "db", "db": "b", "user": "b", "path": None}
    pull = {
        "direction": "pull",
        "type": "full",
        "dest": "store",
        "report": "main",
        "report_source": "rsync://x@ext/reports",
        "report_poll_wait": 1,
        "report_poll_retries": 1,
        "include": "rsync://x@ext/backup",
        "password_file": ready.root / "missing",
    }
    ready.write(
        {
            "report:main": {**report, "password_file": file},
            "dest:store": ready.store(),
            "job:system": pull,
        }
    )
    text = said(ready)
    assert "[report:main] password_file: warning: others can read" in text
    assert f"[job:system] password_file: {ready.root}/missing is not there" in text


@AS_ROOT
def test_a_password_file_of_somebody_else(ready: World) -> None:
    file = ready.root / "secret"
    file.write_text("secret\n")
    file.chmod(0o600)
    os.chown(file, 12345, 12345)
    ready.write({"dest:store": storage(password_file=file), "job:etc": ready.push()})
    assert "is not root's, and rsync does not take it; chown root" in said(ready)


# --- what is copied


def test_a_source_that_is_not_there(ready: World) -> None:
    gone = f"{ready.root}/gone {ready.root}/*.gone {ready.root}/source/ {ready.root}/$start_time"
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(include=gone)})
    text = said(ready)
    assert f"[job:etc] include: nothing matches {ready.root}/gone, and the job has no pre" in text
    assert f"nothing matches {ready.root}/*.gone," in text
    assert len(text.splitlines()) == 2
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(include=gone, pre="true")})
    assert said(ready, 0) == ""


@pytest.mark.parametrize(
    ("job", "store", "missing"),
    [
        ({"include": "/"}, {}, "/dev/* /proc/* /run/* /sys/*"),
        ({"include": "'/'"}, {}, "/dev/* /proc/* /run/* /sys/*"),
        ({"include": "/", "exclude": "/proc /sys/ dev/*"}, {}, "/run/*"),
        ({"include": "/", "exclude": "/proc/* /sys/** /dev/*** run"}, {}, ""),
        ({"include": "/", "exclude": "/srv/proc/* /procs /sys/x /dev /run"}, {}, "/proc/* /sys/*"),
        ({"include": "/", "exclude": "/proc"}, {"exclude": "/sys /dev /run"}, ""),
        ({"include": "/"}, {"rsync_options": "--one-file-system"}, ""),
        ({"include": "/"}, {"rsync_options": "-vx"}, ""),
        ({"include": "/*"}, {"rsync_options": "-x"}, "/dev/* /proc/* /run/* /sys/*"),
        ({"include": "/etc"}, {}, ""),
    ],
)
def test_a_whole_system_without_what_the_kernel_makes_up(
    ready: World, job: dict[str, object], store: dict[str, object], missing: str
) -> None:
    # At a daemon: a local destination would lie within the source.
    ready.write({"dest:store": storage(**store), "job:all": ready.push(**job)})
    text = said(ready, 0)
    if missing:
        assert "[job:all] include: warning: / holds directories" in text
        assert f"exclude = {missing}, or rsync_options" in text
    else:
        assert "holds directories" not in text


# --- scripts


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (b"#!/bin/sh\n", ""),
        (b"no interpreter is a script of sh\n", ""),
        (b"#!/usr/bin/pyhton\n", "/usr/bin/pyhton, is not there"),
        (b"#!/bin/sh\r\n", "end in CR LF"),
        (b"#!/usr/bin/env no-such-program\n", "no-such-program, is not in PATH"),
    ],
)
@pytest.mark.parametrize("option", ["pre", "post", "on_failure", "instances", "master_host"])
def test_a_script_without_its_interpreter(
    ready: World, option: str, text: bytes, wrong: str
) -> None:
    script = ready.root / "script.sh"
    script.write_bytes(text)
    script.chmod(0o755)
    ready.write({"dest:store": ready.store(), "job:etc": ready.push(**{option: f"{script} $host"})})
    told = said(ready, 2 if wrong else 0)
    assert wrong in told
    assert not wrong or f"[job:etc] {option}: " in told


# --- who can change the configuration


@AS_ROOT
@pytest.mark.parametrize(
    ("mode", "owner", "group", "code", "wrong"),
    [
        (0o644, 0, 0, 0, ""),
        (0o664, 0, 0, 0, ""),
        (0o664, 0, 12345, 0, "warning: a group can write in"),
        (0o646, 0, 0, 2, "others can write in"),
        (0o600, 12345, 0, 0, "warning: {} is not root's"),
    ],
)
@pytest.mark.parametrize("what", ["file", "directory"])
def test_a_configuration_that_others_can_write(
    ready: World, what: str, mode: int, owner: int, group: int, code: int, wrong: str
) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
    path = ready.config if what == "file" else ready.root
    os.chown(path, owner, group)
    path.chmod(mode | (0o111 if what == "directory" else 0))
    text = said(ready, code)
    assert wrong.format(path) in text
    assert bool(text) == bool(wrong)


@AS_ROOT
def test_others_can_write_where_a_link_leads(ready: World, tmp_path: Path) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ready.config.rename(elsewhere / "real.cfg")
    ready.config.symlink_to(elsewhere / "real.cfg")
    elsewhere.chmod(0o777)
    assert f"others can write in {elsewhere}, and anyone who can" in said(ready)
    elsewhere.chmod(0o1777)  # as /tmp: others cannot replace root's files
    assert said(ready, 0) == ""


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ("PRAGMA user_version = 999", "JOURNAL has schema 999, this program reads"),
        ("PRAGMA user_version = 1", ""),
        ("no database", "JOURNAL cannot be read: file is not a database; the next b1000"),
    ],
)
def test_a_journal_that_no_run_could_use(ready: World, change: str, wrong: str) -> None:
    ready.write({"dest:store": ready.store(), "job:etc": ready.push()})
    assert ready.b1000().returncode == 0
    journal = ready.status_dir / "journal.sqlite3"
    if change.startswith("PRAGMA"):
        with ready.journal() as database:
            database.execute(change)
    else:
        journal.write_text(change * 1000)
    done = ready.b1000("check", "--connect")
    assert done.returncode == (2 if wrong else 0), done.stderr
    told = [line for line in done.stderr.splitlines() if "[global] journal: " in line]
    assert len(told) == (1 if wrong else 0)
    assert wrong.replace("JOURNAL", str(journal)) in "".join(told)
    if "999" in wrong:
        assert wrong.replace("JOURNAL", str(journal)).split(",")[0] in ready.b1000().stderr


def test_a_log_on_a_stream_of_somebody_else_is_open_already(
    ready: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, told in (("/dev/stdout", False), ("/dev/full", True)):
        file = ready.write({"global": {"log_file": name}, "job:etc": {**ready.push(), "dest": "a"}})
        with monkeypatch.context() as patched:
            patched.setattr(os, "access", lambda path, *_: Path(path).parent != Path("/dev"))
            found = connect.connect(load(str(file)))
        assert any(finding.option == "log_file" for finding in found) == told


def test_a_store_that_nothing_thins_out_is_told_when_its_disk_is_nearly_full(world: World) -> None:
    """The disk of this machine is full enough, or is not: both are right."""
    root = world.root / "srv"
    root.mkdir()
    space = os.statvfs(root)
    full = 1 - space.f_bavail / space.f_blocks > 0.8
    world.write({"dest:kept": {"type": "store", "path": root}})
    told = world.b1000("check").stderr
    assert ("nothing is ever removed" in told) == full
    assert (f", and run b1000 prune -f {world.config} from cron\n" in told) == full
    world.write({"dest:kept": {"type": "store", "path": root, "keep": "last 3"}})
    assert "nothing is ever removed" not in world.b1000("check").stderr


def test_rules_that_find_no_marks_are_told(world: World) -> None:
    store, job = world.store(keep="last 3", mark_path=world.root / "marks"), world.push()
    world.write({"dest:store": store, "job:etc": job})
    assert "marks do not lie beside the backups" in world.b1000("check").stderr
    world.write({"dest:store": {**store, "mark_path": world.root / "store"}, "job:etc": job})
    assert "marks do not lie" not in world.b1000("check").stderr
