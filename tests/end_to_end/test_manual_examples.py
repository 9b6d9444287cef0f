"""The manual's four push examples, as etc/examples/ ships them, against three rsync daemons.

Only hosts, ports, directories and the database's name and password are replaced; every option
stays as it is printed.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import Daemon
from tests.support.database import Schema
from tests.support.world import ROOT, World, tree, wait_until

HOST = os.uname().nodename
DESTINATIONS = {"tele": "backup-1", "atm": "backup-2", "hd": "backup-3"}
STAMP = (
    r"(?P<date>\d{4}-\d\d-\d\d)-(?P<day>Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day/"
    r"(?P<subject>\S+)-(?P=date)-(?P<short>Mon|Tue|Wed|Thu|Fri|Sat|Sun)-\d\d:\d\d:\d\d"
)


class Site:
    """A client with an example's configuration, and the three storages that it names."""

    def __init__(
        self, world: World, storages: dict[str, Daemon], database: Schema, gate: Path
    ) -> None:
        self.world = world
        self.storages = storages
        self.database = database
        self.gate = gate
        self.etc = world.root / "etc"
        self.mysql = world.root / "mysql"
        self.backup = world.root / "backup"
        self.scripts = world.root / "scripts"
        self.log = world.root / "b1000.log"
        for directory in (self.etc, self.mysql, self.backup, self.scripts):
            directory.mkdir()

    def configure(self, example: str) -> None:
        """Take an example, and put this site's places in the place of the manual's."""
        text = (ROOT / "etc" / "examples" / f"{example}.cfg").read_text()
        places: dict[str, object] = {
            r"/var/log/b1000\.log$": self.log,
            r"/srv/backup$": self.backup,
            r"/usr/local/lib/b1000/scripts$": self.scripts,
            r"^\[global\]$": f"[global]\nstatus_dir = {self.world.status_dir}",
            r"^server = db-b1000$": f"server = 127.0.0.1\nport = {self.database.server.port}",
            r"^password = \w+$": f"password = {self.database.password}",
            r"^db = b1000$": f"db = {self.database.name}",
            r"/var/lib/mysql(?=/)": self.mysql,
            r"(?<= )/etc$": self.etc,
        }
        for name, host in DESTINATIONS.items():
            places[f"rsync://{host}/b1000$"] = self.storages[name].url("b1000")
        for pattern, place in places.items():
            text = re.sub(pattern, str(place), text, flags=re.MULTILINE)
        self.world.config.write_text(text)

    def script(self, name: str, body: str) -> None:
        """An executable in scripts_dir."""
        path = self.scripts / name
        path.write_text(f"#!/bin/sh\nset -eu\n{body}\n")
        path.chmod(0o755)

    def run(self) -> list[str]:
        """Run b1000 to a good end; gives the new lines of the log, without their times."""
        before = self.log.stat().st_size if self.log.exists() else 0
        done = self.world.b1000()
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), self.log.read_text()
        return self.lines(before)

    def lines(self, since: int = 0) -> list[str]:
        """What the log says, each line from the job/instance on."""
        text = self.log.read_text()[since:]
        return [line.split("[", 1)[1] for line in text.splitlines()]

    def backups(self, destination: str) -> Path:
        """Where the module's files really are."""
        return self.storages[destination].module("b1000")

    def copy(self, destination: str, job: str, instance: str = "") -> Path:
        """The directory of the last run's copy, as a path of this machine."""
        copies = self.world.last(job, instance)["copies"]
        (path,) = [each["path"] for each in copies if each["destination"] == destination]
        below: str = path.removeprefix(self.storages[destination].url("b1000") + "/")
        assert below != path
        return self.backups(destination) / below

    def told(self, job: str, instance: str = "") -> tuple[dict[str, Any], dict[str, str]]:
        """The database's row of the only run, and the status of its copies by destination."""
        (row,) = self.database.query(
            "SELECT * FROM jobs WHERE name = %s AND instance = %s", [job, instance]
        )
        copies = self.database.query(
            "SELECT * FROM copies WHERE job_id = %s ORDER BY copy_id", [row["job_id"]]
        )
        return row, {copy["destination"]: copy["status"] for copy in copies}


@pytest.fixture
def site(world: World, daemon: Callable[..., Daemon], database: Schema) -> Site:
    """Three daemons; that of hd lets nobody begin before there is a file ``gate``."""
    gate = world.root / "gate"
    waits = f"pre-xfer exec = while [ ! -e {gate} ]; do sleep 0.02; done"
    # As a storage is set up: without its chroot a daemon makes absolute links relative.
    chroot = "use chroot = yes\n" if os.getuid() == 0 else ""
    storages = {
        name: daemon({"b1000": waits if name == "hd" else ""}, chroot) for name in DESTINATIONS
    }
    return Site(world, storages, database, gate)


@pytest.fixture
def etc(site: Site) -> Site:
    """An /etc with what such a directory holds."""
    (site.etc / "hosts").write_text("127.0.0.1 localhost\n")
    (site.etc / "cron.d").mkdir()
    (site.etc / "cron.d" / "b1000").write_text("17 2 * * * root b1000 -q\n")
    (site.etc / "empty").mkdir()
    if os.getuid() == 0:
        (site.etc / "localtime").symlink_to("/usr/share/zoneinfo/UTC")
    (site.etc / "dangling").symlink_to("nowhere")
    (site.etc / "a name with 'quotes' and ünï").write_bytes(bytes(range(256)))
    secret = site.etc / "shadow"
    secret.write_text("root:*:\n")
    secret.chmod(0o600)
    return site


def began(lines: list[str]) -> list[str]:
    """The destinations in the order in which their copies began."""
    return [found[1] for line in lines if (found := re.search(r"\] (\w+): COPYING$", line))]


def events(lines: list[str]) -> list[str]:
    """Beginnings and ends of copies in their order, such as ``tele COPYING``."""
    found = (re.search(r"\] (\w+): (COPYING|DONE)\b", line) for line in lines)
    return [f"{each[1]} {each[2]}" for each in found if each]


def assert_in_turn(found: list[str]) -> None:
    """tele and atm, in either order, the second only when the first is done."""
    first = found[0].split()[0]
    second = {"tele": "atm", "atm": "tele"}[first]
    assert found == [f"{name} {event}" for name in (first, second) for event in ("COPYING", "DONE")]


# --- simple and less simple backup of /etc


def test_simple_backup_of_etc(etc: Site) -> None:
    etc.configure("simple-etc")
    etc.run()
    for name in ("tele", "atm"):
        copy = etc.copy(name, "etc")
        found = re.fullmatch(STAMP, str(copy.relative_to(etc.backups(name) / "etc")))
        assert found, copy
        assert (found["subject"], found["short"]) == (HOST, found["day"][:3])
        assert [path.name for path in copy.iterdir()] == ["etc"]
        assert tree(copy / "etc") == tree(etc.etc)
        for path in etc.etc.iterdir():
            kept, was = (copy / "etc" / path.name).lstat(), path.lstat()
            assert (kept.st_mode, kept.st_uid, kept.st_mtime_ns) == (
                was.st_mode,
                was.st_uid,
                was.st_mtime_ns,
            )
    assert list(etc.backups("hd").iterdir()) == []
    assert etc.world.status_files() == []
    job, copies = etc.told("etc")
    assert (job["host"], job["instance"], job["direction"]) == (HOST, "", "push")
    assert (job["step"], job["status"], job["data_age"]) == ("DONE", "OK", 0)
    assert copies == {"tele": "DONE", "atm": "DONE"}


def test_tele_and_atm_go_one_after_another_in_either_order(etc: Site) -> None:
    etc.configure("simple-etc")
    orders = set()
    for _ in range(30):  # all in one order: once in 2**29
        lines = etc.run()
        assert_in_turn(events(lines))
        orders.add(tuple(began(lines)))
        if len(orders) == 2:
            break
    assert orders == {("tele", "atm"), ("atm", "tele")}


def test_less_simple_backup_of_etc(etc: Site, tmp_path: Path) -> None:
    etc.configure("tar-etc")
    etc.backup.rmdir()  # as on a fresh host
    etc.run()
    assert etc.backup.stat().st_mode & 0o777 == 0o700
    archives = [etc.copy(name, "etc") / "system_backup.tar.gz" for name in ("tele", "atm")]
    assert archives[0].read_bytes() == archives[1].read_bytes()
    assert [path.name for path in archives[0].parent.iterdir()] == ["system_backup.tar.gz"]
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    subprocess.run(["tar", "xzf", archives[0], "-C", unpacked], check=True)
    assert tree(unpacked / str(etc.etc).lstrip("/")) == tree(etc.etc)
    assert list(etc.backup.iterdir()) == [], "post removes the archive"
    steps = [line.partition("] ")[2].partition(" in ")[0] for line in etc.lines()]
    assert [step for step in steps if step in ("PRE", "COPYING", "POST", "DONE")] == [
        "PRE",
        "COPYING",
        "POST",
        "DONE",
    ]


# --- MySQL binlogs


@pytest.fixture
def binlogs(site: Site) -> Site:
    """A data directory with logs, and a script that begins the next one."""
    (site.mysql / "ibdata1").write_bytes(b"not a log")
    (site.mysql / "mysql-bin.000001").write_bytes(b"first")
    (site.mysql / "mysql-bin.index").write_text("./mysql-bin.000001\n")
    site.script(
        "mysql_rotate_logs.sh",
        f"cd {site.mysql}\n"
        "next=$(printf mysql-bin.%06d $(($(ls mysql-bin.0* | wc -l) + 1)))\n"
        'echo "log $next" > $next\n'
        "echo ./$next >> mysql-bin.index\n"
        "echo rotated to $next\n",
    )
    return site


def logs_of(site: Site) -> dict[str, bytes | str | None]:
    """What the include stands for."""
    return {name: data for name, data in tree(site.mysql).items() if name.startswith("mysql-bin.")}


def states(site: Site, job: str, instance: str = "") -> dict[str, str]:
    """Destination → status of its copy now."""
    return {
        copy["destination"]: copy["status"] for copy in site.world.last(job, instance)["copies"]
    }


def test_binlogs_are_synchronised_to_three_storages(binlogs: Site) -> None:
    binlogs.configure("mysql-binlogs")
    binlogs.gate.touch()
    for round_ in (2, 3):
        lines = binlogs.run()
        assert any(f"pre: rotated to mysql-bin.00000{round_}" in line for line in lines)
        assert len(logs_of(binlogs)) == round_ + 1
        for name in DESTINATIONS:
            copy = binlogs.copy(name, "binlogs")
            assert copy == binlogs.backups(name) / "binlogs" / HOST
            assert tree(copy) == logs_of(binlogs)
            assert [path.name for path in copy.parent.glob("*/")] == [HOST]


def test_hd_is_copied_in_the_background_while_the_others_go_in_turn(binlogs: Site) -> None:
    binlogs.configure("mysql-binlogs")
    program = binlogs.world.start()
    both = {"tele": "DONE", "atm": "DONE"}
    wait_until(lambda: both.items() <= states(binlogs, "binlogs").items())
    assert states(binlogs, "binlogs") == {**both, "hd": "COPYING"}
    assert binlogs.world.last("binlogs")["step"] == "COPYING"
    for name in both:
        assert tree(binlogs.copy(name, "binlogs")) == logs_of(binlogs)
    assert list(binlogs.backups("hd").iterdir()) == []
    binlogs.gate.touch()
    out, err = program.communicate(timeout=30)
    assert (program.returncode, out, err) == (0, "", "")
    assert tree(binlogs.copy("hd", "binlogs")) == logs_of(binlogs)
    lines = events(binlogs.lines())
    assert (lines[0], lines[-1]) == ("hd COPYING", "hd DONE")
    assert_in_turn(lines[1:-1])


# --- all instances of MySQL on a replica

MASTERS = {
    "3306": ("db-payments", "3306", "0"),
    "3307": ("db-shop", "main", "12.5"),
    "3308": ("db-shop", "archive", "86400"),
}


@pytest.fixture
def replica(site: Site) -> Site:
    """Scripts that know three instances, their masters and their delays, and make real dumps."""

    def answers(number: int) -> str:
        cases = "\n".join(f"{name}) echo {MASTERS[name][number]} ;;" for name in MASTERS)
        return f"case $1 in\n{cases}\n*) exit 9 ;;\nesac"

    site.script("mysql_get_instances.sh", "printf '3306\\n3307, 3308\\n'")
    site.script("mysql_get_master_host.sh", answers(0))
    site.script("mysql_get_master_instance.sh", answers(1))
    site.script("mysql_get_slave_delay.sh", answers(2))
    kept = site.world.root / "kept"
    kept.mkdir()
    site.script(
        "mysql_dump_instance.sh",
        'mkdir -p "$2/schema"\n'
        'echo "dump of $1" > "$2/data.sql"\n'
        'echo "tables of $1" > "$2/schema/tables.sql"\n'
        f'cp -a "$2" "{kept}/$1"\n'
        'echo "dumped $1 of $B1000_JOB/$B1000_INSTANCE"\n',
    )
    return site


def test_all_instances_of_a_replica(replica: Site) -> None:
    replica.configure("mysql-instances")
    replica.gate.touch()
    lines = replica.run()
    runs = replica.world.status()
    assert [run["instance"] for run in runs] == sorted(MASTERS)
    for instance, (master_host, master_instance, age) in MASTERS.items():
        subject = f"{HOST}-{instance}-{master_host}-{master_instance}"
        assert any(f"pre: dumped {instance} of mysqldb/{instance}" in line for line in lines)
        for name in DESTINATIONS:
            copy = replica.copy(name, "mysqldb", instance)
            found = re.fullmatch(STAMP, str(copy.relative_to(replica.backups(name) / "mysqldb")))
            assert found, copy
            assert found["subject"] == subject
            assert tree(copy) == tree(replica.world.root / "kept" / instance)
        told, copies = replica.told("mysqldb", instance)
        assert told["data_age"] == float(age)
        assert (told["master_host"], told["master_instance"]) == (master_host, master_instance)
        assert (told["instance"], told["step"], told["status"]) == (instance, "DONE", "OK")
        assert copies == dict.fromkeys(DESTINATIONS, "DONE")
    assert list(replica.backup.iterdir()) == [], "post removes each dump"
    assert replica.world.status_files() == []
    for name in DESTINATIONS:
        days = list((replica.backups(name) / "mysqldb").iterdir())
        assert sum(len(list(day.glob("*/"))) for day in days) == len(MASTERS)


def test_each_instance_copies_to_hd_in_the_background(replica: Site) -> None:
    replica.configure("mysql-instances")
    program = replica.world.start()

    def waiting() -> bool:
        runs = replica.world.status()
        now = [{copy["destination"]: copy["status"] for copy in run["copies"]} for run in runs]
        return now == [{"hd": "COPYING", "tele": "DONE", "atm": "DONE"}] * len(MASTERS)

    wait_until(waiting)
    assert len(list(replica.backup.iterdir())) == len(MASTERS), "the dumps wait for hd"
    replica.gate.touch()
    out, err = program.communicate(timeout=30)
    assert (program.returncode, out, err) == (0, "", "")
    assert list(replica.backup.iterdir()) == []
    for instance in MASTERS:
        own = events([line for line in replica.lines() if line.startswith(f"mysqldb/{instance}]")])
        assert (own[0], own[-1]) == ("hd COPYING", "hd DONE")
        assert_in_turn(own[1:-1])


def test_one_instance_can_be_run_alone(replica: Site) -> None:
    replica.configure("mysql-instances")
    replica.gate.touch()
    done = replica.world.b1000("mysqldb/3307")
    assert done.returncode == 0, done.stderr
    assert [run["step"] for run in replica.world.status()] == [None, "DONE", None]


def test_the_examples_say_what_the_manual_prints() -> None:
    """The jobs as they stand in the manual, option for option."""
    jobs = {
        "simple-etc": "direction type dest report include",
        "tar-etc": "direction type dest report pre include post",
        "mysql-binlogs": "direction type dest report pre include",
        "mysql-instances": (
            "direction type dest report instances data_age master_host master_instance "
            "pre post include"
        ),
    }
    common: set[str] = set()
    for example, options in jobs.items():
        text = (ROOT / "etc" / "examples" / f"{example}.cfg").read_text()
        shared, _, job = text.partition("[job:")
        common.add(shared[shared.index("[global]") :])
        assert re.findall(r"^(\w+) = ", job, re.MULTILINE) == options.split()
    assert len(common) == 1, "the common sections are the same"


def test_nothing_of_the_runs_stays_alive(replica: Site) -> None:
    replica.configure("mysql-instances")
    replica.gate.touch()
    replica.run()
    assert replica.world.processes() == []
    for name in DESTINATIONS:
        assert list(replica.backups(name).rglob(".*")) == []


# --- the client of a pull

CLIENT = """\
    [report:localfile]
    type = file
    path = /srv/b1000/reports

    [dest:atm]
    type = passive
    host = backup-2
    timeout = 10

    [job:ext]
    direction = passive
    dest = atm
    report = localfile
    pre = $scripts_dir/ext_dump.sh
"""

# A host of its own as far as its directories go, in which somebody else has pulled at once.
FRESH_HOST = """
set -eu
mount --make-rprivate /
for directory in /srv /var/lib /usr/local/lib; do mount -t tmpfs b1000-test $directory; done
mkdir -p /usr/local/lib/b1000/scripts
cat > /usr/local/lib/b1000/scripts/ext_dump.sh <<END
#!/bin/sh
echo dumped
END
chmod +x /usr/local/lib/b1000/scripts/ext_dump.sh
(
    until grep -qs '^step = COPYING' /srv/b1000/reports/*.b1k; do sleep 0.05; done
    for report in /srv/b1000/reports/*.b1k; do : > $report.backup-2.done; done
) &
"$@"
"""


def test_the_client_of_a_pull_exactly_as_it_is_printed(world: World) -> None:
    """It has no [global]: where scripts are is known without it."""
    world.config.write_text(CLIENT)
    assert not (world.b1000("check").returncode)
    argv = [sys.executable, "-m", "b1000", "-f", str(world.config), "ext"]
    namespace = ["unshare", "--mount", "sh", "-c", FRESH_HOST, "host", *argv]
    if os.getuid() or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        pytest.skip("only root can give it a host of its own")
    done = subprocess.run(
        namespace,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pre: dumped" in done.stdout
