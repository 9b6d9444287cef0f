"""The shipped scripts for MariaDB and MySQL, with a real server."""

import gzip
import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.support.database import Database, Schema
from tests.support.processes import living
from tests.support.world import ROOT, wait_until

SHIPPED = ROOT / "etc" / "scripts"


class Scripts:
    """The scripts with other places for sockets and for the login."""

    def __init__(self, root: Path) -> None:
        self.sockets = root / "mysqld"
        self.login = root / "mysql.cnf"
        self.backup = root / "backup"
        self.directory = root / "scripts"
        for directory in (self.sockets, self.backup, self.directory):
            directory.mkdir()
        for script in SHIPPED.iterdir():
            text = script.read_text().replace("/run/mysqld", str(self.sockets))
            copy = self.directory / script.name
            copy.write_text(text.replace("/etc/b1000/mysql.cnf", str(self.login)))
            shutil.copymode(script, copy)

    def socket(self, name: str) -> None:
        """A socket on which nobody listens."""
        os.mknod(self.sockets / name, stat.S_IFSOCK | 0o600)

    def instance(self, name: str, server: Database, user: str = "root", password: str = "") -> None:
        """A server that is there, and how to log in."""
        (self.sockets / f"{name}.sock").symlink_to(server.socket)
        self.login.write_text(f"[client]\nuser = {user}\npassword = {password}\n")
        self.login.chmod(0o600)

    def start(self, name: str, *words: object, **more: str) -> "subprocess.Popen[str]":
        """Start a script as B1000 does: in a session of its own, with little environment."""
        return subprocess.Popen(
            [self.directory / name, *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], **more},
            start_new_session=True,
        )

    def run(self, name: str, *words: object, **more: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        process = self.start(name, *words, **more)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def told(self, name: str, *words: object, **more: str) -> str:
        """What a script prints that has to succeed."""
        code, out, err = self.run(name, *words, **more)
        assert (code, err) == (0, "")
        return out


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


# --- which instances


def test_each_socket_is_an_instance_but_those_of_the_x_protocol(scripts: Scripts) -> None:
    for name in ("3306.sock", "mysqld.sock", "mysqlx.sock", "mysqlx-3306.sock", "3307.sock.lock"):
        scripts.socket(name)
    (scripts.sockets / "3308.sock").touch()
    assert scripts.told("mysql_get_instances.sh") == "3306\nmysqld\n"


def test_without_an_instance_the_list_is_empty(scripts: Scripts) -> None:
    assert scripts.told("mysql_get_instances.sh") == ""
    scripts.sockets.rmdir()
    assert scripts.told("mysql_get_instances.sh") == ""


# --- masters and delay


def test_a_replica_tells_its_master(scripts: Scripts, own_server: Database) -> None:
    scripts.instance("3307", own_server)
    own_server.query("CHANGE MASTER TO MASTER_HOST = 'db1', MASTER_PORT = 3310")
    assert scripts.told("mysql_get_master_host.sh", "3307") == "db1\n"
    assert scripts.told("mysql_get_master_instance.sh", "3307") == "3310\n"
    # It does not run, so nobody knows its delay.
    assert scripts.told("mysql_get_slave_delay.sh", "3307") == "NULL\n"


def test_what_is_no_replica_is_its_own_master(scripts: Scripts, database: Schema) -> None:
    scripts.instance("3307", database.server)
    assert scripts.told("mysql_get_master_host.sh", "3307") == f"{os.uname().nodename}\n"
    # As the configuration calls this host.
    assert scripts.told("mysql_get_master_host.sh", "3307", B1000_HOST="client-1") == "client-1\n"
    assert scripts.told("mysql_get_master_instance.sh", "3307") == "3307\n"
    assert scripts.told("mysql_get_slave_delay.sh", "3307") == "0\n"


@pytest.mark.parametrize(
    "script",
    [
        "mysql_get_master_host.sh",
        "mysql_get_master_instance.sh",
        "mysql_get_slave_delay.sh",
        "mysql_rotate_logs.sh",
        "mysql_dump_instance.sh",
    ],
)
def test_a_server_that_is_away_fails_the_script(scripts: Scripts, script: str) -> None:
    scripts.socket("3307.sock")
    code, out, err = scripts.run(script, "3307", scripts.backup / "dump")
    assert code
    assert out == ""
    assert "connect" in err
    assert list(scripts.backup.iterdir()) == []


# --- logs


def test_a_new_binary_log_is_begun(scripts: Scripts, own_server: Database) -> None:
    own_server.stop()
    own_server.start("--log-bin=mysql-bin")
    scripts.instance("3307", own_server)
    logs = len(own_server.query("SHOW BINARY LOGS"))
    assert scripts.told("mysql_rotate_logs.sh", "3307") == ""
    assert len(own_server.query("SHOW BINARY LOGS")) == logs + 1


# --- dumps


def test_a_dump_is_complete_and_for_its_owner_alone(scripts: Scripts, database: Schema) -> None:
    database.query("CREATE TABLE pets (name varchar(20))")
    database.query("INSERT INTO pets VALUES ('Käthe')")
    scripts.instance("3307", database.server)
    directory = scripts.backup / "3307-a run's"
    assert scripts.told("mysql_dump_instance.sh", "3307", directory) == ""
    (dump,) = directory.iterdir()
    assert dump.name == "all.sql.gz"
    assert (dump.stat().st_mode & 0o777, directory.stat().st_mode & 0o777) == (0o600, 0o700)
    text = gzip.decompress(dump.read_bytes()).decode()
    assert "'Käthe'" in text
    assert "-- Dump completed" in text


def test_a_password_stands_in_a_file_alone(scripts: Scripts, database: Schema) -> None:
    """The user who may dump one database only gets nothing else, and the password is used."""
    scripts.instance("3307", database.server, database.user, "wrong")
    code, _, err = scripts.run("mysql_dump_instance.sh", "3307", scripts.backup / "dump")
    assert code
    assert "Access denied" in err
    scripts.instance("3308", database.server, database.user, database.password)
    assert scripts.told("mysql_get_instances.sh") == "3307\n3308\n"
    words = ("client", "3308", "--batch", "--skip-column-names", "--execute=SELECT USER()")
    assert scripts.told("mysql_client.sh", *words).startswith(f"{database.user}@")


def broken_view(database: Schema) -> None:
    """Make the dump of a database fail in its midst."""
    database.query("CREATE TABLE gone (id int)")
    database.query("CREATE VIEW broken AS SELECT * FROM gone")
    database.query("DROP TABLE gone")


def test_a_dump_that_fails_leaves_nothing(scripts: Scripts, own_database: Schema) -> None:
    broken_view(own_database)
    scripts.instance("3307", own_database.server)
    code, out, err = scripts.run("mysql_dump_instance.sh", "3307", scripts.backup / "dump")
    assert code
    assert out == ""
    assert "broken" in err
    assert list(scripts.backup.iterdir()) == []


def test_a_dump_that_fails_leaves_an_older_one_and_foreign_files(
    scripts: Scripts, own_database: Schema
) -> None:
    scripts.instance("3307", own_database.server)
    directory = scripts.backup / "3307"
    scripts.told("mysql_dump_instance.sh", "3307", directory)
    before = (directory / "all.sql.gz").read_bytes()
    broken_view(own_database)
    assert scripts.run("mysql_dump_instance.sh", "3307", directory)[0]
    assert [path.name for path in directory.iterdir()] == ["all.sql.gz"]
    assert (directory / "all.sql.gz").read_bytes() == before
    own_database.query("DROP VIEW broken")
    scripts.told("mysql_dump_instance.sh", "3307", directory)
    assert [path.name for path in directory.iterdir()] == ["all.sql.gz"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_dump_that_is_ended_by_a_signal_leaves_nothing(
    scripts: Scripts, own_database: Schema, number: signal.Signals
) -> None:
    own_database.query("CREATE TABLE held (id int)")
    scripts.instance("3307", own_database.server)
    directory = scripts.backup / "dump"
    holder = own_database.connect()
    try:
        with holder.cursor() as cursor:
            cursor.execute("LOCK TABLES held WRITE")
        process = scripts.start("mysql_dump_instance.sh", "3307", directory)
        part = directory / "all.sql.part"
        waiting = "SELECT count(*) FROM information_schema.processlist WHERE state LIKE 'Waiting%'"
        wait_until(lambda: own_database.value(waiting) and part.exists())
        os.killpg(process.pid, number)  # as B1000 does: the whole tree
        process.communicate(timeout=60)
    finally:
        holder.close()
    assert process.returncode == 128 + number
    assert list(scripts.backup.iterdir()) == []


def of_a_run() -> list[Path]:
    """The shell scripts that B1000 runs before and after a copy, not those of a storage."""
    return sorted(path for path in SHIPPED.iterdir() if not path.name.startswith("b1000-"))


@pytest.mark.parametrize("script", of_a_run(), ids=lambda path: path.name)
def test_no_script_can_lose_a_failure(script: Path) -> None:
    """`set -e` before anything is done, and no pipe whose left side may fail unseen."""
    lines = [line for line in script.read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "set -eu"
    for line in lines:
        left, pipe, _ = line.replace("||", "").partition(" | ")
        assert not pipe or left.startswith("printf ") or line.endswith(") ;;"), line


# --- drills


class Drilling:
    """A dump as it is restored, and the script that judges it."""

    def __init__(self, scripts: Scripts, root: Path) -> None:
        self.scripts = scripts
        self.restored = root / "restored"
        self.temporary = root / "tmp"
        self.temporary.mkdir()

    @property
    def facts(self) -> dict[str, str]:
        return {"B1000_DRILL_DIR": str(self.restored), "TMPDIR": str(self.temporary)}

    def judge(self, *queries: str) -> tuple[int, str, str]:
        found = self.scripts.run("mysql_drill.sh", *queries, **self.facts)
        assert not self.servers()
        assert list(self.temporary.iterdir()) == []
        return found

    def servers(self) -> list[psutil.Process]:
        return living(lambda process: f"--tmpdir={self.temporary}" in " ".join(process.cmdline()))


def test_a_drill_loads_and_counts_what_was_dumped(
    scripts: Scripts, own_database: Schema, tmp_path: Path
) -> None:
    own_database.query("CREATE TABLE `a \\ 'odd` (name varchar(20))")
    own_database.query("INSERT INTO `a \\ 'odd` VALUES ('Käthe'), ('Rex')")
    own_database.query("CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO SELECT 1")
    scripts.instance("3307", own_database.server)
    drilling = Drilling(scripts, tmp_path)
    drilling.restored.mkdir()
    code, _, err = drilling.judge()
    assert (code, err) == (1, "there is no dump (*.sql, *.sql.gz) in this backup\n")
    scripts.told("mysql_dump_instance.sh", "3307", drilling.restored)
    odd = f"SELECT COUNT(*) FROM {own_database.name}.`a \\ 'odd`"
    code, out, err = drilling.judge(f"{odd} WHERE name = 'Rex'")
    assert (code, err) == (0, "")
    tables, _, rows, _ = out.split()
    assert int(tables) >= 5
    assert int(rows) == 2
    code, _, err = drilling.judge(f"{odd} WHERE name = 'Tom'")
    assert code == 1
    assert "name = 'Tom': 0" in err

    (dump,) = drilling.restored.iterdir()
    whole = gzip.decompress(dump.read_bytes())
    written = tmp_path / "written"
    for damaged, why in (
        (dump.read_bytes()[:-9], "all.sql.gz is damaged"),
        (gzip.compress(whole[:-200]), "all.sql.gz is cut off"),
        (gzip.compress(b"SELECT nonsense;\n-- Dump completed\n"), "all.sql.gz cannot be loaded"),
        (gzip.compress(b"SELECT 1;\n-- Dump completed\n"), "there is no table in it"),
        # What a dump may not do: run a command, write a file.
        (
            gzip.compress(f"\\! touch {written}\n-- Dump completed\n".encode()),
            "all.sql.gz cannot be loaded",
        ),
        (
            gzip.compress(f"SELECT 1 INTO OUTFILE '{written}';\n-- Dump completed\n".encode()),
            "all.sql.gz cannot be loaded",
        ),
    ):
        dump.write_bytes(damaged)
        code, _, err = drilling.judge()
        assert (code, err.splitlines()[-1]) == (1, why)
    assert not written.exists()

    dump.write_bytes(gzip.compress(b"SELECT SLEEP(1000);\n-- Dump completed\n"))
    process = scripts.start("mysql_drill.sh", **drilling.facts)
    wait_until(drilling.servers, 60)
    os.killpg(process.pid, signal.SIGTERM)  # the whole tree, as B1000 does
    process.communicate(timeout=60)
    wait_until(lambda: not drilling.servers())
