"""What a dump may make ``etc/scripts/mysql_drill.sh`` do, with a real server."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support import database
from tests.support.processes import living
from tests.support.world import ROOT, wait_until

DRILL = ROOT / "etc" / "scripts" / "mysql_drill.sh"
GOOD = (
    "CREATE DATABASE shop; CREATE TABLE shop.orders (id int); INSERT INTO shop.orders VALUES (1);"
)
END = "-- Dump completed"

pytestmark = pytest.mark.skipif(not database.is_installed(), reason="MariaDB is not installed")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="its rights are those of who runs it")

Judge = Callable[..., tuple[int, str]]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with one for dumps, one for programs that come first, and one for the rest."""
    for name in ("dumps", "bin", "tmp"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def judge(place: Path) -> Judge:
    """Judge a dump; gives the exit code and what was printed. It leaves nothing."""

    def run(dump: str, *way: str) -> tuple[int, str]:
        (place / "dumps" / "all.sql").write_text(f"{GOOD}\n{dump}\n{END}\n")
        done = subprocess.run(
            [*way, DRILL, "SELECT COUNT(*) FROM shop.orders"],
            env={
                "PATH": f"{place}/bin:{os.environ['PATH']}",
                "B1000_DRILL_DIR": str(place / "dumps"),
                "TMPDIR": str(place / "tmp"),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            timeout=120,
        )
        assert [*(place / "tmp").iterdir()] == []
        return done.returncode, done.stdout

    return run


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@as_root
def test_the_server_of_root_writes_nothing_where_root_may(place: Path, judge: Judge) -> None:
    written = place / "written"
    for variable in ("general_log", "slow_query_log"):
        code, said = judge(
            f"SET GLOBAL {variable}_file = '{written}', GLOBAL {variable} = 1;"
            "SET GLOBAL long_query_time = 0; SELECT 1;"
        )
        assert (code, said.splitlines()[-1]) == (1, "all.sql cannot be loaded")
    # As the unit for systemd starts it, which may do neither.
    few = "setpriv", "--bounding-set", "-setpcap,-sys_admin"
    code, said = judge(f"SET GLOBAL general_log_file = '{written}';", *few)
    assert (code, said.splitlines()[-1]) == (1, "all.sql cannot be loaded")
    code, said = judge(f"CREATE TABLE shop.t (i int) ENGINE = MyISAM DATA DIRECTORY = '{place}';")
    assert (code, said.splitlines()[-1]) == (1, "all.sql cannot be loaded")
    assert sorted(path.name for path in place.iterdir()) == ["bin", "dumps", "tmp"]


@as_root
def test_they_run_as_somebody_who_owns_nothing_else(place: Path) -> None:
    (place / "dumps" / "all.sql").write_text(f"{GOOD}\nSELECT SLEEP(1000);\n{END}\n")
    drill = subprocess.Popen(
        [DRILL],
        env={
            "PATH": os.environ["PATH"],
            "B1000_DRILL_DIR": str(place),
            "TMPDIR": str(place / "tmp"),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def of(process: psutil.Process) -> bool:
        if os.getsid(process.pid) != drill.pid:
            return False
        if process.name() == "mariadb":  # the one that loads, and none that asks
            return os.readlink(f"/proc/{process.pid}/fd/0").endswith("/fifo")
        return process.name() == "mariadbd"

    def names() -> set[str]:
        found = set()
        for each in living(of):
            with contextlib.suppress(psutil.NoSuchProcess):  # a server that makes the tables ends
                found.add(each.name())
        return found

    try:
        wait_until(lambda: names() == {"mariadb", "mariadbd"}, 60)
        for process in living(of):
            user = process.uids().real
            assert user >= 61184
            assert {*process.uids(), *process.gids()} == {user}
            # The server may pass the directories above it, and nothing else that its user may not.
            rights = 0 if process.name() == "mariadb" else 4
            status = Path(f"/proc/{process.pid}/status").read_text()
            assert f"CapEff:\t{rights:016x}\n" in status
    finally:
        os.killpg(drill.pid, signal.SIGTERM)
        assert drill.wait(60) == 143
    assert [*(place / "tmp").iterdir()] == []


def test_no_editor_is_begun_and_no_plugin_is_loaded(place: Path, judge: Judge) -> None:
    written = place / "written"
    program(place / "bin" / "vi", f"touch {written}")
    program(place / "bin" / "setpriv", "exit 1")  # as where root has no such rights
    assert judge("")[0] == 0
    judge("edit")
    code, said = judge("INSTALL SONAME 'server_audit';")
    assert (code, said.splitlines()[-1]) == (1, "all.sql cannot be loaded")
    assert not written.exists()


def test_what_it_would_do_by_itself_it_does_not(judge: Judge) -> None:
    """Nothing of the data is changed by its events, and no other server is asked for changes."""
    code, said = judge(
        "CREATE EVENT shop.e ON SCHEDULE EVERY 1 SECOND DO DELETE FROM shop.orders;"
        "CHANGE MASTER TO MASTER_HOST = '192.0.2.1', MASTER_USER = 'x', MASTER_PASSWORD = 'y';"
        "SELECT SLEEP(2);"
    )
    assert (code, said.splitlines()[-1]) == (0, "1 tables, 1 rows")


def test_a_line_without_an_end_is_not_held_in_memory(place: Path, judge: Judge) -> None:
    (place / "dumps" / "line.sql").write_bytes(b"x" * (256 << 20))
    # The server, which needs more, is never begun.
    code, said = judge("", "prlimit", f"--as={128 << 20}")
    assert (code, said) == (1, "line.sql is cut off\n")
