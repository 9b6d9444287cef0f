"""A real MariaDB server with a data directory of a test's own, and what reports write there."""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pymysql
from pymysql.cursors import DictCursor

from tests.support.ports import free_port
from tests.support.world import ROOT, World

TABLES = ROOT / "etc" / "schema.sql"
RIGHTS = ("SELECT", "INSERT", "UPDATE")

_PATH = os.pathsep.join(
    [os.environ.get("PATH", "/usr/bin:/bin"), "/usr/sbin", "/usr/local/sbin"]
)  # a normal user of Debian has no sbin in PATH
_NUMBERS = itertools.count(1)
_ATTEMPTS = 3  # to make an empty database


def is_installed() -> bool:
    """Whether MariaDB's server and client are here."""
    names = ("mariadb-install-db", "mariadbd", "mariadb")
    return all(shutil.which(name, path=_PATH) for name in names)


def program(name: str) -> str:
    """The path of one of MariaDB's programs."""
    found = shutil.which(name, path=_PATH)
    assert found, f"{name} is missing: make test-tools installs it"
    return found


def make_template(directory: Path) -> Path:
    """A new data directory, to be copied: root logs in without a password, nobody else does."""
    # The server that it starts has been seen to crash, once in some dozens of times.
    for number in range(_ATTEMPTS):
        done = _install(directory / str(number))
        if done.returncode == 0:
            return directory / str(number)
    raise AssertionError(done.stdout)


def _install(directory: Path) -> "subprocess.CompletedProcess[str]":
    directory.mkdir(parents=True)
    return subprocess.run(
        [
            program("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={directory}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--force",  # it asks for no names of hosts: a bare Debian has no /etc/hosts
            "--innodb-log-file-size=8M",
            *_as_root(),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _as_root() -> list[str]:
    """The server refuses to run as root unless it is told to."""
    return ["--user=root"] if os.getuid() == 0 else []


class Database:
    """A MariaDB server on the loopback; its data directory begins as a copy of a template.

    The character set of the server is the one that MariaDB is built with, latin1,
    so that tables have to name their own.
    """

    def __init__(self, directory: Path, template: Path, *options: str) -> None:
        self.directory = directory
        self.data = directory / "data"
        # The path of a socket may have 107 bytes, those of pytest are longer.
        self._short = Path(tempfile.mkdtemp(prefix="b1000-db-"))
        self.socket = self._short / "s"
        self.port = free_port()
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        # Without holes: what is to be written into them on a full disk would end the server.
        subprocess.run(["cp", "-a", "--sparse=never", template, self.data], check=True)

    # --- its life

    def start(self, *options: str) -> "Database":
        """Start it, and wait until it answers."""
        assert self._process is None
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [
                    # It ends with pytest, however that ends.
                    *("setpriv", "--pdeathsig", "KILL", program("mariadbd")),
                    "--no-defaults",
                    f"--datadir={self.data}",
                    f"--socket={self.socket}",
                    f"--pid-file={self.directory / 'pid'}",
                    # A server that starts removes what another has in their common one.
                    f"--tmpdir={self._short}",
                    "--skip-networking=0",
                    "--bind-address=127.0.0.1",
                    f"--port={self.port}",
                    "--skip-name-resolve",
                    "--skip-log-bin",
                    "--max-connections=100",
                    "--innodb-buffer-pool-size=32M",
                    "--innodb-log-file-size=8M",
                    # What is committed outlives the server, though not the machine.
                    "--innodb-flush-log-at-trx-commit=2",
                    *_as_root(),
                    *self.options,
                    *options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + 60
        while time.monotonic() < until:
            assert self._process.poll() is None, self.log.read_text(errors="replace")
            with socket.socket(socket.AF_UNIX) as probe:
                answers = probe.connect_ex(str(self.socket)) == 0
            if answers:
                self.query("SELECT 1")
                return self
            time.sleep(0.02)
        self.kill()
        raise AssertionError(f"MariaDB does not answer: {self.log.read_text(errors='replace')}")

    @property
    def log(self) -> Path:
        """What the server says of itself."""
        return self.directory / "log"

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it by a signal, and wait for that."""
        if self._process:
            self._process.send_signal(number)
            self._process.send_signal(signal.SIGCONT)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Let it end in order."""
        self.kill(signal.SIGTERM)

    def close(self) -> None:
        """End it for good."""
        try:
            self.kill()
        finally:
            shutil.rmtree(self._short, ignore_errors=True)

    def freeze(self) -> None:
        """Make it hang: connections are accepted by the kernel, and nothing is answered."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    # --- what is in it

    def connect(self, database: str | None = None) -> "pymysql.Connection[DictCursor]":
        """A connection as root, each statement of which is committed by itself."""
        return pymysql.connect(
            unix_socket=str(self.socket),
            user="root",
            database=database,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=30,
            cursorclass=DictCursor,
        )

    def query(
        self,
        sql: str,
        database: str | None = None,
        parameters: Sequence[object] | Mapping[str, object] | None = None,
    ) -> list[dict[str, Any]]:
        """The rows that a statement gives to root."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def value(self, sql: str, database: str | None = None) -> Any:
        """The one value that a statement gives."""
        (row,) = self.query(sql, database)
        (value,) = row.values()
        return value

    def status(self, name: str) -> int:
        """A counter of the server since its start, such as Com_commit."""
        (row,) = self.query("SHOW GLOBAL STATUS WHERE Variable_name = %s", parameters=[name])
        return int(row["Value"])

    def load(self, file: Path, database: str) -> "subprocess.CompletedProcess[str]":
        """Feed a file of statements to the ``mariadb`` client, as the README tells people to."""
        with open(file, "rb") as statements:
            return subprocess.run(
                [
                    program("mariadb"),
                    "--no-defaults",
                    f"--socket={self.socket}",
                    "-uroot",
                    database,
                ],
                stdin=statements,
                capture_output=True,
                text=True,
                timeout=120,
            )

    def create_database(self, name: str, tables: Path | None = TABLES) -> None:
        """A new database with the tables of ``etc/schema.sql`` or of another file."""
        self.query(f"CREATE DATABASE `{name}`")
        if tables:
            done = self.load(tables, name)
            assert done.returncode == 0, done.stderr

    def create_user(
        self,
        name: str,
        password: str,
        database: str | None = None,
        rights: Sequence[str] = RIGHTS,
        more: str = "",
    ) -> None:
        """A new user, or the one of this name made anew, with rights in one database."""
        self.query(f"CREATE OR REPLACE USER {name}@'%%' IDENTIFIED BY %s {more}", None, [password])
        if database and rights:
            self.query(f"GRANT {', '.join(rights)} ON `{database}`.* TO {name}@'%'")


class Schema:
    """One database of a server, with the tables and the user of a report."""

    user = "b1000"

    def __init__(self, server: Database, tables: Path | None = TABLES) -> None:
        self.server = server
        self.name = f"backups{next(_NUMBERS)}"
        self.password = "Zk7-secret-w0rd"
        server.create_database(self.name, tables)
        server.create_user(self.user, self.password, self.name)

    def report(self, **options: object) -> dict[str, object]:
        """The options of a report to it."""
        return {
            "type": "mysql",
            "server": "127.0.0.1",
            "port": self.server.port,
            "db": self.name,
            "user": self.user,
            "password": self.password,
            **options,
        }

    def query(
        self, sql: str, parameters: Sequence[object] | Mapping[str, object] | None = None
    ) -> list[dict[str, Any]]:
        """The rows that a statement gives to root."""
        return self.server.query(sql, self.name, parameters)

    def value(self, sql: str) -> Any:
        """The one value that a statement gives."""
        return self.server.value(sql, self.name)

    def connect(self) -> "pymysql.Connection[DictCursor]":
        """A connection to it as root."""
        return self.server.connect(self.name)

    def columns(self, table: str) -> str:
        """All columns of a table: ``*`` leaves out those that older programs do not know."""
        return ", ".join(
            f"{table}.{row['Field']}" for row in self.query(f"SHOW COLUMNS FROM {table}")
        )

    def jobs(self, columns: str = "") -> list[dict[str, Any]]:
        """The rows of ``jobs`` in the order in which they came."""
        return self.query(f"SELECT {columns or self.columns('jobs')} FROM jobs ORDER BY job_id")

    def copies(self, columns: str = "") -> list[dict[str, Any]]:
        """The rows of ``copies`` with those of ``jobs``, in the order in which they came."""
        return self.query(
            f"SELECT {columns or self.columns('copies')} FROM copies JOIN jobs USING (job_id) "
            "ORDER BY job_id, copy_id"
        )

    def rows(self) -> "Told":
        """What it says of each run, once for each row, to be compared with the journal."""
        jobs = self.query("SELECT * FROM jobs")
        return told(jobs, self.query("SELECT * FROM copies"))


Told = list[tuple[tuple[str, ...], list[tuple[str, ...]]]]
"""For each run its names, start time, step and status; and of each copy all that reports tell."""


def told(jobs: Sequence[Mapping[str, Any]], copies: Sequence[Mapping[str, Any]]) -> Told:
    """The rows of ``jobs`` and ``copies``, in an order of its own."""
    columns = ("host", "name", "instance", "start_time", "step", "status")
    of_job: dict[Any, list[tuple[str, ...]]] = {job["job_id"]: [] for job in jobs}
    for copy in copies:
        of_job[copy["job_id"]].append(
            tuple(str(copy[name]) for name in ("destination", "type", "path", "status"))
        )
    return sorted(
        (tuple(str(job[name]) for name in columns), sorted(of_job[job["job_id"]])) for job in jobs
    )


def from_journal(*worlds: World) -> Told:
    """What reports should say of all runs of some journals."""
    result: Told = []
    for world in worlds:
        path = world.status_dir / "journal.sqlite3"
        with contextlib.closing(sqlite3.connect(path)) as journal:
            journal.row_factory = sqlite3.Row
            runs = [
                {
                    **run,
                    "job_id": run["run_id"],
                    "name": run["job"],
                    "start_time": "{}-{}-{} {}:{}:{}".format(*run["start_time"].split("-")),
                }
                for run in map(dict, journal.execute("SELECT * FROM runs"))
            ]
            copies = [
                {**copy, "job_id": copy["run_id"]}
                for copy in map(dict, journal.execute("SELECT * FROM copies"))
            ]
        result += told(runs, copies)
    return sorted(result)


def owed(world: World) -> int:
    """How many runs a report of a world's journal has not got the last state of."""
    path = world.status_dir / "journal.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as journal:
        (number,) = journal.execute("SELECT count(*) FROM pending").fetchone()
        return int(number)
