"""Backups by TLS and by ssh, with a real stunnel and a real sshd before real daemons."""

import json
import os
import random
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from b1000.locks import Locks
from tests.support import encrypted
from tests.support.client import Client, last, pull
from tests.support.daemon import Daemon
from tests.support.encrypted import Authority, Sshd, Stunnel, Wire
from tests.support.processes import kill
from tests.support.storage import Storage
from tests.support.world import World, tree, wait_until

NEEDED = {
    "tls": ("stunnel4", "openssl", "rsync-ssl"),
    "ssh": ("sshd", "ssh", "ssh-keygen"),
}
# None of that is asked for by anybody who configures b1000; what runs it may have it by chance.
ENVIRONMENT = {
    "RSYNC_RSH": "false",
    "RSYNC_PROXY": "127.0.0.1:1",
    "RSYNC_CONNECT_PROG": "false",
    "RSYNC_PORT": "1",
    "RSYNC_PASSWORD": "wrong",
    "RSYNC_SSL_TYPE": "gnutls",
    "RSYNC_SSL_CA_CERT": "",
    "RSYNC_SSL_SKIP_HOSTNAME_CHECK": "1",
    "RSYNC_SSL_PORT": "1",
}
Popen = subprocess.Popen[str]
WORDS = b"nobody on the way reads this\n" * 40
pytestmark = pytest.mark.skipif(
    os.getuid() != 0, reason="sshd lets root in, storages have a chroot"
)


class Reached:
    """A daemon behind an encrypted transport, and a wire between that and its clients."""

    def __init__(self, kind: str, directory: Path, daemon: Daemon) -> None:
        self.kind, self.daemon = kind, daemon
        self.host, self.options = "localhost", {"transport": kind}
        self.server: Stunnel | Sshd
        if kind == "tls":
            authority = Authority(directory)
            self.server = Stunnel(directory, daemon.port, authority.certificate("localhost"))
            self.options["tls_ca"] = str(authority.file)
            daemon.start()
        else:
            # No daemon listens: the forced command starts it.
            self.server = sshd = Sshd(directory, daemon.config)
            self.host, self.options["ssh_options"] = "127.0.0.1", sshd.options()
        self.server.start()
        self.wire = Wire(self.server.port)
        if isinstance(self.server, Sshd):
            self.server.know(self.server.host_key, self.wire.port)

    def at(self, module: str, user: str = "") -> str:
        """The address of a module, by the wire."""
        return f"rsync://{f'{user}@' if user else ''}{self.host}:{self.wire.port}/{module}"

    def stop(self) -> None:
        """End all of it."""
        self.wire.close()
        self.server.stop()
        self.daemon.stop()

    def hidden(self) -> bool:
        """Whether the wire saw much, and nothing of the daemon, its users and their data."""
        plain = (b"@RSYNCD", b"backing-up", b"nobody on the way", b"client-1", b".b1k", b"system")
        return len(self.wire.seen) > 2000 and not any(each in self.wire.seen for each in plain)


Reach = Callable[[Daemon], Reached]


@pytest.fixture(params=["tls", "ssh"])
def reach(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reach]:
    """``reach(daemon)`` puts the transport before a daemon."""
    if without := encrypted.missing(*NEEDED[request.param]):
        pytest.skip(without)
    made: list[Reached] = []

    def before(daemon: Daemon) -> Reached:
        made.append(Reached(request.param, tmp_path / f"before{len(made)}", daemon))
        return made[-1]

    yield before
    for each in made:
        each.stop()


def configure(world: World, there: Reached, **options: object) -> None:
    """A full and a sync to the shipped storage."""
    for name, text in {"password": "backing-up", "restore-password": "reading"}.items():
        (world.root / name).write_text(f"{text}\n")
        (world.root / name).chmod(0o600)
    store = {
        "type": "active",
        "path": there.at("b1000", "client-1"),
        "password_file": world.root / "password",
        "restore_path": there.at("b1000-restore", "client-1"),
        "restore_password_file": world.root / "restore-password",
        **there.options,
        **options,
    }
    jobs = {"job:etc": world.push(), "job:state": world.push(type="sync")}
    world.write({"global": {"log_level": "DEBUG"}, "dest:store": store, **jobs})


def is_complete(mark: Path) -> bool:
    return mark.exists() and "state = complete" in mark.read_text()


def test_a_push_its_marks_list_check_and_restore(world: World, reach: Reach) -> None:
    storage = Storage(world.root / "storage")
    there = reach(storage)
    (world.source / "secret").write_bytes(WORDS)
    configure(world, there)
    done = world.b1000()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout
    (full,) = storage.tree().glob("etc/*-*day/*-??:??:??")
    (sync,) = (path for path in storage.tree().glob("state/*") if path.is_dir())
    assert tree(full) == tree(sync) == tree(world.source)
    for each in (full, sync):
        said = each.with_name(f"{each.name}.b1k")
        wait_until(partial(is_complete, said))
    listed = world.b1000("list", "--json")
    assert listed.returncode == 0, listed.stderr
    states = {each["job"]: each["state"] for each in json.loads(listed.stdout)["backups"]}
    assert states == {"etc": "complete", "state": "complete"}
    to = world.root / "to"
    restored = world.b1000("restore", "etc", "--to", str(to))
    assert restored.returncode == 0, restored.stderr
    assert tree(to) == tree(world.source)
    checked = world.b1000("check", "--connect")
    assert checked.returncode == 0, checked.stderr
    assert "unencrypted" not in checked.stderr
    assert "0 errors" in checked.stdout
    assert there.hidden()
    assert not world.processes()


def test_a_pull_its_reports_and_what_the_client_is_told(world: World, reach: Reach) -> None:
    client = Client(Daemon(world.root / "client", {"reports": "", "backup": "read only = yes"}))
    there = reach(client.daemon)
    (client.backup / "secret").write_bytes(WORDS)
    job = pull(client, include=there.at("backup"), report_source=there.at("reports"))
    job |= {"report_poll_retries": 30, **there.options}
    local = {**world.store("local"), "min_free": 0}
    world.write({"global": {"host": "backup-2"}, "dest:local": local, "job:system": job})
    report = client.report().copying().keep_alive()
    try:
        threading.Thread(target=report.end, args=(120,), daemon=True).start()
        done = world.b1000()
    finally:
        client.stop()
    assert done.returncode == 0, done.stdout + done.stderr
    assert (last(world).step, last(world).status) == ("DONE", "OK")
    (copy,) = (path for path in (world.root / "local").glob("system/*/*") if path.is_dir())
    assert tree(copy) == {"secret": WORDS}
    assert report.told() == "done"
    assert there.hidden()
    assert not world.processes()


def test_what_the_environment_says_of_the_way_does_not_count(world: World) -> None:
    """Of a plain one either: what check finds is what a run does."""
    daemon = Daemon(world.root / "daemon", {"b1000": ""}).start()
    world.files()
    store = {"type": "active", "path": daemon.url("b1000")}
    world.write({"dest:store": store, "job:etc": world.push()})
    to = str(world.root / "to")
    try:
        for words in ([], ["check", "--connect"], ["list"], ["restore", "etc", "--to", to]):
            done = world.b1000(*words, environment=ENVIRONMENT)
            assert done.returncode == 0, done.stdout + done.stderr
        (full,) = (path for path in daemon.module("b1000").glob("etc/*/*") if path.is_dir())
        assert full.with_name(f"{full.name}.b1k").exists()
        assert tree(Path(to)) == tree(full) == tree(world.source)
    finally:
        daemon.stop()


# --- what is not believed


def failures(world: World, told: dict[str, tuple[dict[str, object], str]]) -> None:
    """A job whose destinations each fail at once, with a sentence of their own."""
    destinations = {
        f"dest:{name}": {"type": "active", **options, "path": f"{options['path']}/{name}"}
        for name, (options, _) in told.items()
    }
    several = {"copy_retries": 3, "copy_retry_min_sleep": 1}
    job = {**world.push(), "dest": " ".join(told)}
    (way, refused), *_ = told.values()
    where = {"include": f"{way['path']}/x", "report_source": way["path"], "report_host": "ext"}
    polls = {"report_poll_wait": 1, "report_poll_retries": 600}
    ways = {name: value for name, value in way.items() if name != "path"}
    pulled = {**world.push(), "direction": "pull", "dest": "near", **where, **polls, **ways}
    jobs = {"job:etc": job, "job:web": pulled}
    world.write({"global": several, **destinations, "dest:near": world.store(), **jobs})
    world.files()
    done, checked, listed = (
        world.b1000(*words, environment=ENVIRONMENT)
        for words in ([], ["check", "--connect"], ["list"])
    )
    assert done.returncode == 1, done.stderr
    assert checked.returncode == 2
    assert listed.returncode == 1
    assert refused in world.last("web")["error"]
    run = world.last("etc")
    for copy in run["copies"]:
        sentence = told[copy["destination"]][1]
        assert sentence in copy["error"]
        assert (copy["status"], copy["attempts"]) == ("FAILED", 1), done.stdout
        assert re.search(rf"\[dest:{copy['destination']}\].*{re.escape(sentence)}", checked.stderr)
        assert sentence in listed.stderr
    assert len(run["copies"]) == len(told)
    assert not world.processes()


def test_a_certificate_that_is_not_believed(world: World, tmp_path: Path) -> None:
    if without := encrypted.missing(*NEEDED["tls"]):
        pytest.skip(without)
    daemon = Daemon(tmp_path / "daemon", {"b1000": ""}).start()
    ours, other = Authority(tmp_path / "ours"), Authority(tmp_path / "other", "other")
    servers = {
        "name": Stunnel(tmp_path / "name", daemon.port, ours.certificate("elsewhere")),
        "expired": Stunnel(
            tmp_path / "expired", daemon.port, ours.certificate("localhost", days=0)
        ),
        "unknown": Stunnel(tmp_path / "unknown", daemon.port, other.certificate("localhost")),
    }

    def at(port: int, authority: Path | None = ours.file) -> dict[str, object]:
        return {
            "path": f"rsync://localhost:{port}/b1000",
            "transport": "tls",
            "tls_ca": authority,
        }

    believed = "the certificate of localhost is not believed: "
    try:
        ports = {name: server.start().port for name, server in servers.items()}
        failures(
            world,
            {
                "name": (at(ports["name"]), f"{believed}hostname mismatch"),
                "expired": (at(ports["expired"]), f"{believed}certificate has expired"),
                "unknown": (at(ports["unknown"]), f"{believed}unable to get local issuer"),
                "system": (at(ports["unknown"], None), f"{believed}unable to get local issuer"),
                "plain": (at(daemon.port), "what answers at localhost does not speak TLS"),
            },
        )
    finally:
        for server in servers.values():
            server.stop()
        daemon.stop()
    assert not list(daemon.module("b1000").iterdir())


def test_a_host_key_or_a_login_that_is_not_believed(world: World, tmp_path: Path) -> None:
    if without := encrypted.missing(*NEEDED["ssh"]):
        pytest.skip(without)
    daemon = Daemon(tmp_path / "daemon", {"b1000": ""})
    sshd = Sshd(tmp_path / "sshd", daemon.config)
    (tmp_path / "sshd" / "nobody").write_text("")
    other, free, lost, wrong = map(sshd.make_key, ("other", "free", "lost", "wrong"))
    public = {key: key.with_suffix(".pub").read_text().strip() for key in (free, lost, wrong)}
    sshd.authorize(
        sshd.line,
        f"restrict {public[free]}",
        f'restrict,command="/nonexistent/rsync --server --daemon ." {public[lost]}',
        f'restrict,command="rsync --server --daemon --config={tmp_path}/nowhere ." {public[wrong]}',
    )

    def at(options: str) -> dict[str, object]:
        path = f"rsync://127.0.0.1:{sshd.port}/b1000"
        return {"path": path, "transport": "ssh", "ssh_options": options}

    unknown, changed = tmp_path / "sshd" / "nobody", sshd.know(other, file="changed")
    try:
        sshd.start()
        failures(
            world,
            {
                "unknown": (
                    at(sshd.options(known=unknown)),
                    "the ssh host key of 127.0.0.1 is not known: put it into known_hosts",
                ),
                "changed": (
                    at(sshd.options(known=changed)),
                    "the ssh host key of 127.0.0.1 has changed: see known_hosts",
                ),
                "key": (
                    at(sshd.options(key=other)),
                    "the sshd at 127.0.0.1 accepts no key of this host",
                ),
                "forced": (at(sshd.options(key=free)), "the forced command is missing"),
                "program": (at(sshd.options(key=lost)), "ssh starts no rsync at 127.0.0.1"),
                "config": (at(sshd.options(key=wrong)), "is no daemon, or has no configuration"),
                "option": (at("-o NoSuch=1"), "ssh does not take ssh_options"),
            },
        )
    finally:
        sshd.stop()
    assert not list(daemon.module("b1000").iterdir())


def test_whoever_says_nothing_is_not_waited_for(world: World) -> None:
    wires = {kind: Wire(0, mute=True) for kind in NEEDED if not encrypted.missing(*NEEDED[kind])}
    if not wires:
        pytest.skip("neither TLS nor ssh is here")
    world.files()
    destinations = {
        f"dest:{kind}": {
            "type": "active",
            "path": f"rsync://127.0.0.1:{wire.port}/b1000",
            "transport": kind,
        }
        for kind, wire in wires.items()
    }
    job = world.push(dest=" ".join(wires))
    world.write({"global": {"connect_timeout": 1}, **destinations, "job:etc": job})
    done = world.b1000()
    assert done.returncode == 1
    late = "127.0.0.1 did not answer in time (connect_timeout)"
    for copy in world.last("etc")["copies"]:
        assert copy["error"] == late
    for words in (["list"], ["check", "--connect"]):
        assert world.b1000(*words).stderr.count(late) >= len(wires)
    assert not world.processes()
    for wire in wires.values():
        wire.close()


# --- kill tests


def helpers(world: World) -> list[psutil.Process]:
    """The openssl or ssh of the copies of this world."""
    return [each for each in world.processes() if each.name() in ("openssl", "ssh")]


def strike_rsync(world: World, _: Reached, __: Popen) -> None:
    """Its helper does not hear of it."""
    kill(world.rsyncs())


def strike_wire(world: World, there: Reached, _: Popen) -> None:
    """rsync gives up, and its helper waits for a peer that is silent."""
    there.wire.freeze()
    for each in world.rsyncs():
        each.terminate()


def strike_worker(world: World, _: Reached, running: Popen) -> None:
    """The one that waits for the rsync."""
    supervisor = psutil.Process(running.pid)
    mine = {each.pid for each in world.rsyncs()}
    kill(w for w in supervisor.children() if mine & {each.pid for each in w.children()})


def strike_supervisor(world: World, _: Reached, running: Popen) -> None:
    """And all its workers: what copies goes on, and nobody else may begin."""
    supervisor = psutil.Process(running.pid)
    kill([supervisor, *supervisor.children()])
    assert helpers(world)
    assert Locks(world.status_dir / "locks").take("run@etc@") is None


def test_whoever_is_killed_no_helper_stays_and_the_lock_is_free(world: World, reach: Reach) -> None:
    there = reach(Daemon(world.root / "daemon", {"b1000": ""}))
    for number in range(120):
        (world.source / f"file{number:03}").write_bytes(random.randbytes(8_000))

    def configure(**options: object) -> None:
        store = {"type": "active", "path": there.at("b1000"), **there.options, **options}
        world.write({"dest:store": store, "job:etc": world.push()})

    def arrived() -> list[Path]:
        return list(there.daemon.module("b1000").glob("etc/*/*/file*"))

    def more_than(count: int) -> bool:
        return len(arrived()) > count

    words: tuple[str, ...] = ()
    for strike in (strike_rsync, strike_wire, strike_worker, strike_supervisor):
        configure(bwlimit="20k")
        enough = len(arrived()) + 2
        running = world.start(*words)
        wait_until(partial(more_than, enough), 120)
        assert helpers(world)
        strike(world, there, running)
        out, _ = running.communicate(timeout=120)
        if strike is not strike_supervisor:
            assert not world.processes(), out
        there.wire.thaw()
        words = ("--copy",)
    configure()
    done = world.b1000("--copy")
    assert done.returncode == 0, done.stdout + done.stderr
    (full,) = there.daemon.module("b1000").glob("etc/*/*/")
    assert tree(full) == tree(world.source)
    assert not world.processes()
    lock = Locks(world.status_dir / "locks").take("run@etc@")
    assert lock is not None
    os.close(lock)
