"""b1000 list at a real daemon: two sessions for each job, hostile trees, one that only takes."""

import json
import os
import re
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from b1000.b1k import form, mark
from b1000.errors import StorageAway
from b1000.jobs import Limits
from b1000.storage import remote
from b1000.storage.remote import Reach
from tests.support.daemon import Daemon
from tests.support.ports import free_port
from tests.support.stored import NIGHT, a_mark, put
from tests.support.world import World

MakeDaemon = Callable[..., Daemon]


def listed(world: World, *words: str, code: int = 0) -> list[dict[str, Any]]:
    done = world.b1000("list", "--json", *words)
    assert done.returncode == code, done.stderr
    backups: list[dict[str, Any]] = json.loads(done.stdout)["backups"]
    return backups


def test_two_sessions_list_a_job(world: World, daemon: MakeDaemon) -> None:
    there = daemon({"b": ""})
    for number in range(3):
        put(there.module("b") / "below", a_mark(when=NIGHT + timedelta(days=number)))
    put(there.module("b") / "below", a_mark(when=NIGHT + timedelta(days=3)), marked=False)
    put(there.module("b") / "below", a_mark("old"))
    store = world.store(path=f"{there.url('b')}/below")
    world.write({"job:etc": world.push(), "job:new": world.push(), "dest:store": store})
    found = listed(world)
    assert [each["state"] for each in found] == [*["complete"] * 3, "unfinished"]
    assert found[0]["path"] == f"{there.url('b')}/below/{a_mark().directory}"
    log = (there.directory / "log").read_text()
    sessions = re.findall("rsync on .*", log)
    # One for each of the jobs, and one that fetches the marks of the one that has some.
    assert len(sessions) == 3, log
    assert [each["job"] for each in listed(world, "--all")] == [*["etc"] * 4, "old"]
    done = world.b1000("list", "--files", "file")
    assert done.returncode == 1
    assert "files in backups at a daemon are not searched" in done.stderr


def test_a_module_that_only_takes_names_the_option(world: World, daemon: MakeDaemon) -> None:
    there = daemon({"b": "write only = yes\n", "r": ""})
    put(there.module("r"), a_mark())
    job = {"job:etc": world.push()}
    world.write({**job, "dest:store": world.store(path=there.url("b"))})
    done = world.b1000("list")
    assert done.returncode == 1
    assert "restore_path names a module that can be read" in done.stderr
    options = {"path": there.url("b"), "restore_path": there.url("r")}
    world.write({**job, "dest:store": world.store(**options)})
    (backup,) = listed(world)
    assert backup["path"] == f"{there.url('b')}/{a_mark().directory}"


def a_link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def too_long(path: Path) -> None:
    path.write_bytes(mark.render(a_mark()).encode().ljust(form.LARGEST + 1, b"\n"))


def of_another(path: Path) -> None:
    path.write_text(mark.render(a_mark(host="web2")))


def an_escape(path: Path) -> None:
    path.with_name("\x1b[31mred\n-rw-r--r-- 1 2026 01:00:00 x.b1k").write_text("x")


@pytest.mark.parametrize("make", [a_link, os.mkfifo, too_long, of_another, an_escape])
def test_what_a_hostile_tree_holds_costs_its_own_backup(
    world: World, daemon: MakeDaemon, make: Callable[[Path], None]
) -> None:
    there = daemon({"b": ""})
    put(there.module("b"), a_mark(when=NIGHT - timedelta(days=1)))
    directory = put(there.module("b"), a_mark(), marked=False)
    make(Path(f"{directory}.b1k"))
    world.write({"job:etc": world.push(), "dest:store": world.store(path=there.url("b"))})
    assert [each["state"] for each in listed(world)] == ["complete", "unfinished"]


def test_a_daemon_that_does_not_end_its_answer_is_away() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"@RSYNCD: 31.0\n")
                while connection.recv(4096):
                    pass

        speaker = threading.Thread(target=answer)
        speaker.start()
        address = f"rsync://127.0.0.1:{server.getsockname()[1]}/b"
        there = Reach(address, None, Limits(), seconds=1.0)
        with pytest.raises(StorageAway, match="did not end its answer within 1 s"):
            list(remote.entries(there, ["etc"]))
        speaker.join()
